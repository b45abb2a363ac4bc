// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text of one C function or struct, found by its name. Pure: no preprocessor runs.

/// What a scan of the text is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment,
    Text(u8),
    Directive,
}

/// The text with everything that is no code blanked out, byte for byte: comments, strings,
/// preprocessor lines. Braces and names that are left are real.
fn code_only(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut code = vec![b' '; bytes.len()];
    let (mut state, mut at, mut line_is_blank) = (State::Code, 0, true);
    while at < bytes.len() {
        let (byte, next) = (bytes[at], bytes.get(at + 1).copied().unwrap_or(0));
        let mut step = 1;
        match state {
            State::Code => match (byte, next) {
                (b'/', b'*') => (state, step) = (State::BlockComment, 2),
                (b'/', b'/') => (state, step) = (State::LineComment, 2),
                (b'"' | b'\'', _) => state = State::Text(byte),
                (b'#', _) if line_is_blank => state = State::Directive,
                _ => code[at] = byte,
            },
            State::BlockComment if (byte, next) == (b'*', b'/') => (state, step) = (State::Code, 2),
            State::Text(quote) if byte == quote => state = State::Code,
            State::Text(_) | State::Directive | State::LineComment if byte == b'\\' => step = 2,
            // A comment may begin on a directive's line and end on a later one.
            State::Directive if (byte, next) == (b'/', b'*') => (state, step) = (State::BlockComment, 2),
            State::LineComment | State::Directive if byte == b'\n' => state = State::Code,
            State::BlockComment | State::Text(_) | State::LineComment | State::Directive => {}
        }
        line_is_blank = byte == b'\n' || line_is_blank && byte.is_ascii_whitespace();
        at += step;
    }
    code
}

/// The definition of a function, from its first word to its closing brace; of `struct NAME` with the
/// semicolon. Of several (an `#else` often has a stub) the longest is taken.
pub(super) fn extract<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let code = code_only(text);
    let mut depth = 0_usize;
    let mut item_start = 0;
    let mut found: Option<&str> = None;
    let mut at = 0;
    while at < code.len() {
        match code[at] {
            b'{' | b'(' => depth += 1,
            b'}' | b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && code[at] == b'}' {
                    item_start = at + 1;
                }
            }
            b';' if depth == 0 => item_start = at + 1,
            _ if depth == 0 && is_word_at(&code, at, name) => {
                if let Some(end) = definition_end(&code, at, name) {
                    let start = first_word(&code, text, item_start);
                    let definition = text.get(start..end)?;
                    if found.is_none_or(|other| other.len() < definition.len()) {
                        found = Some(definition);
                    }
                    (at, item_start) = (end, end);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_word_at(code: &[u8], at: usize, name: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    code[at..].starts_with(name.as_bytes())
        && !is_part(at.checked_sub(1).and_then(|before| code.get(before)))
        && !is_part(code.get(at + name.len()))
}

/// Where a definition ends: of a function, if arguments and a body follow; of a struct, if members
/// and nothing more do.
fn definition_end(code: &[u8], at: usize, name: &str) -> Option<usize> {
    let skip = |mut at: usize| {
        while code.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        at
    };
    let behind = skip(at + name.len());
    if name.starts_with("struct ") {
        let semicolon = skip(closing(code, behind, b'{', b'}')?);
        return (code.get(semicolon) == Some(&b';')).then_some(semicolon + 1);
    }
    closing(code, skip(closing(code, behind, b'(', b')')?), b'{', b'}')
}

/// Behind the bracket that closes the one at `at`.
fn closing(code: &[u8], at: usize, open: u8, close: u8) -> Option<usize> {
    if code.get(at) != Some(&open) {
        return None;
    }
    let mut depth = 0_usize;
    for (offset, byte) in code[at..].iter().enumerate() {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(at + offset + 1);
            }
        }
    }
    None
}

/// The first code of an item: comments and directives before it are left out.
fn first_word(code: &[u8], text: &str, item_start: usize) -> usize {
    let offset = code[item_start..].iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let start = item_start + offset;
    // In the middle of a character there is no word of C.
    if text.is_char_boundary(start) { start } else { item_start }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/* walk(x) { is named here } */\n\
        int walk(int x);\n\
        #define walk_twice(x) { walk(x); \\\n    walk(x) }\n\
        static const char *brace = \"walk(1) { }\";\n\
        int other(void)\n{\n\treturn walk(3); /* } */\n}\n\
        #ifdef CONFIG_X /* a { comment\n * goes on */\n\
        /**\n * walk - it's { documented\n */\n\
        static bool __must_check walk(const struct prog *prog,\n\t\t\t int (*f)(int))\n{\n\
        \tif (prog->x == '}') {\n\t\treturn f(1); // }\n\t}\n\
        #ifdef Y\n\tf(2);\n#endif\n\treturn \"\\\"}\"[0];\n}\n\
        #else\n\
        static bool walk(void) { return false; }\n\
        #endif\nint rewalk(void) { return 1; }\n";

    #[test]
    fn a_function_is_cut_out_by_its_braces_whatever_comments_and_strings_say() {
        let text = extract(FILE, "walk").unwrap();
        assert!(text.starts_with("static bool __must_check walk(const struct prog *prog,"), "{text}");
        assert!(text.ends_with("return \"\\\"}\"[0];\n}"), "{text}");
        assert!(text.contains("#ifdef Y\n\tf(2);\n#endif"));
        assert_eq!(extract(FILE, "rewalk").unwrap(), "int rewalk(void) { return 1; }");
        assert_eq!(extract(FILE, "other").unwrap(), "int other(void)\n{\n\treturn walk(3); /* } */\n}");
    }

    #[test]
    fn calls_declarations_and_macros_are_no_definitions() {
        for text in [
            "",
            "int walk(int);",
            "int f(void)\n{\n\treturn walk(1);\n}\n",
            "#define walk(x) { x }\n",
            "/* int walk(int x) { } */",
            "int walk(int x) {",
            "int walk(int x",
            "int re_walk(int x) { }",
        ] {
            assert_eq!(extract(text, "walk"), None, "{text}");
        }
        assert_eq!(extract("/* ä */ int walk(void) { }", "walk"), Some("int walk(void) { }"));
    }

    #[test]
    fn a_struct_is_cut_out_with_its_semicolon() {
        let text = "struct set;\nstatic struct set both(struct set x) { return (struct set){ 1 }; }\n\
            /* a set */\nstruct set {\n\tstruct {\n\t\tint a;\n\t} one;\n};\n\
            struct set_of { int b; };\nstatic struct set { int c; } variable;\n";
        assert_eq!(extract(text, "struct set"), Some("struct set {\n\tstruct {\n\t\tint a;\n\t} one;\n};"));
        assert_eq!(extract(text, "struct set_of"), Some("struct set_of { int b; };"));
        assert!(extract(text, "both").unwrap().starts_with("static struct set both("));
        assert_eq!(extract(text, "struct none"), None);
        assert_eq!(extract("struct set { int a; } x;", "struct set"), None);
    }
}
