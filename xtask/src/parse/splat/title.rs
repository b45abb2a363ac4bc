// SPDX-License-Identifier: MIT OR Apache-2.0
//! Titles of findings: the same trouble has the same title in every boot.

/// Characters kept of a title.
const TITLE_CHARS_MAX: usize = 200;
/// Hexadecimal words of at least this length are addresses.
const ADDRESS_DIGITS_MIN: usize = 8;
/// What compilers put behind a function's name when they split or copy it.
const COMPILER_SUFFIXES: [&str; 5] = ["isra", "constprop", "part", "cold", "llvm"];

/// A line without what changes from boot to boot: numbers and addresses become `N`; offsets,
/// line numbers of files and compiler suffixes go; names such as `x86_64` stay.
pub(super) fn normalise(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word = word(rest);
        if !word.is_empty() {
            rest = &rest[word.len()..];
            push_word(&mut out, word);
            if word == "kworker" {
                // kworker/0:1, kworker/u4:2-events: the whole name is a number.
                rest = rest.trim_start_matches(|c: char| !c.is_whitespace() && c != ']' && c != ')');
            }
            continue;
        }
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '+' if after.starts_with("0x") => skip_offset(after),
            ':' if ends_in_file(&out) && digits(after) > 0 => &after[digits(after)..],
            '.' => match compiler_suffix(after) {
                Some(rest) => rest,
                None => push(&mut out, '.', after),
            },
            _ if first.is_whitespace() || first.is_control() => {
                push_blank(&mut out);
                after
            }
            _ => push(&mut out, first, after),
        };
    }
    let text = out.trim_matches(|c: char| c.is_whitespace() || ".:,;!-".contains(c));
    text.chars().take(TITLE_CHARS_MAX).collect()
}

fn push<'a>(out: &mut String, character: char, after: &'a str) -> &'a str {
    out.push(character);
    after
}

fn push_blank(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn word(text: &str) -> &str {
    let end =
        text.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_')).unwrap_or(text.len());
    &text[..end]
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn push_word(out: &mut String, word: &str) {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let prefixed = word.strip_prefix("0x").is_some_and(hex);
    if prefixed || (word.len() >= ADDRESS_DIGITS_MIN && hex(word)) {
        // The same letter as for decimals: an address may happen to have no hexadecimal digit.
        out.push('N');
        return;
    }
    let number = digits(word);
    let unit = &word[number..];
    if number == 0 {
        out.push_str(word);
    } else if unit.len() <= 2 && !hex(unit) {
        out.push('N');
        out.push_str(unit);
    } else {
        out.push('N');
    }
}

/// `0x1a/0x80` behind a plus.
fn skip_offset(text: &str) -> &str {
    let rest = &text[word(text).len()..];
    match rest.strip_prefix('/') {
        Some(size) if size.starts_with("0x") => &size[word(size).len()..],
        _ => rest,
    }
}

fn ends_in_file(out: &str) -> bool {
    [".c", ".h", ".S", ".rs"].iter().any(|end| out.ends_with(end))
}

/// What follows `isra.0`, `constprop.12`, `cold`, if the text begins with one.
fn compiler_suffix(text: &str) -> Option<&str> {
    let suffix = word(text);
    if !COMPILER_SUFFIXES.contains(&suffix) {
        return None;
    }
    let rest = &text[suffix.len()..];
    match rest.strip_prefix('.') {
        Some(number) if digits(number) > 0 => Some(&number[digits(number)..]),
        _ => Some(rest),
    }
}

/// The function in `RIP: 0010:name+0x1a/0x80` or `EIP: name+0x1a/0x80`. A program's own registers
/// and a jump into nowhere have none.
pub(super) fn register_function(line: &str) -> Option<&str> {
    let rest = line.trim_start();
    let rest = rest.strip_prefix("RIP: ").or_else(|| rest.strip_prefix("EIP: "))?;
    let rest = rest.split_once(':').map_or(rest, |(segment, after)| {
        if segment.bytes().all(|byte| byte.is_ascii_hexdigit()) { after } else { rest }
    });
    function_at(rest)
}

/// The function of one line of a call trace, unless the unwinder doubts it (`? name`).
pub(super) fn frame_function(line: &str) -> Option<&str> {
    let rest = line.trim_start();
    let rest = match rest.strip_prefix("[<") {
        Some(address) => address.split_once(">]")?.1.trim_start(),
        None => rest,
    };
    function_at(rest)
}

/// The plain name in front of `+0x`.
fn function_at(text: &str) -> Option<&str> {
    let name = word(text);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut rest = &text[name.len()..];
    if let Some(after) = rest.strip_prefix('.') {
        rest = compiler_suffix(after)?;
        // Suffixes may be stacked: `.isra.0.cold`.
        while let Some(after) = rest.strip_prefix('.') {
            rest = compiler_suffix(after)?;
        }
    }
    rest.starts_with("+0x").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_out_what_changes() {
        for (line, title) in [
            (
                "BUG: soft lockup - CPU#1 stuck for 23s! [seccomp_bpf:412]",
                "BUG: soft lockup - CPU#N stuck for Ns! [seccomp_bpf:N]",
            ),
            ("BUG: KASAN: use-after-free in foo.isra.0+0x1a/0x80", "BUG: KASAN: use-after-free in foo"),
            ("sleeping at mm/slab.h:494", "sleeping at mm/slab.h"),
            ("UBSAN: shift in kernel/seccomp.c:12:34", "UBSAN: shift in kernel/seccomp.c"),
            ("fault for address: ffffc90000123456", "fault for address: N"),
            ("key 0xff has", "key N has"),
            (
                "BUG: scheduling while atomic: kworker/u4:2/77/0x00000002",
                "BUG: scheduling while atomic: kworker",
            ),
            ("exitcode=0x0000000b", "exitcode=N"),
            ("refcount_t: underflow; use-after-free.", "refcount_t: underflow; use-after-free"),
            ("ip6_output in x86_64", "ip6_output in x86_64"),
            ("  two \t\u{1b} blanks  ", "two blanks"),
            ("a.b.cold.3+0x1", "a.b"),
        ] {
            assert_eq!(normalise(line), title);
        }
    }

    #[test]
    fn finds_functions() {
        assert_eq!(register_function("RIP: 0010:seccomp_run+0x1a/0x80"), Some("seccomp_run"));
        assert_eq!(register_function("EIP: run.part.0+0x1a/0x80"), Some("run"));
        assert_eq!(register_function("RIP: 0033:0x7f1234"), None);
        assert_eq!(register_function("RIP: 0010:0x0"), None);
        assert_eq!(register_function("RSP: 0018:x+0x1"), None);
        assert_eq!(frame_function(" put_filter+0x1/0x2"), Some("put_filter"));
        assert_eq!(frame_function("    [<00000000abcd>] alloc_it+0x1/0x2"), Some("alloc_it"));
        assert_eq!(frame_function(" ? put_filter+0x1/0x2"), None);
        assert_eq!(frame_function(" <TASK>"), None);
        assert_eq!(frame_function(" [<broken"), None);
    }

    proptest! {
        #[test]
        fn titles_are_short(line in "\\PC{0,400}") {
            prop_assert!(normalise(&line).chars().count() <= TITLE_CHARS_MAX);
        }

        /// A digit only stands within a name, such as `x86_64`.
        #[test]
        fn titles_have_no_number(line in "(\\PC|[0-9a-fx+/.:_ ck]){0,120}") {
            let title = normalise(&line);
            let words = || title.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            prop_assert!(!words().any(|word| word.starts_with(|c: char| c.is_ascii_digit())), "{}", title);
            let _ = register_function(&line);
            let _ = frame_function(&line);
        }

        #[test]
        fn addresses_and_offsets_do_not_matter(a in any::<u32>(), b in any::<u32>()) {
            let line = |n: u32| format!("BUG: x in f+0x{n:x}/0x{n:x} at ffff{n:08x} pid {n} k.c:{n}");
            prop_assert_eq!(normalise(&line(a)), normalise(&line(b)));
        }
    }
}
