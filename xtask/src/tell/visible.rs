// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text that a terminal only shows: what came from a patch, a kernel or a compiler must not move its cursor, change
//! its title, or hide what stands there.

use std::borrow::Cow;

/// Codes of the styles that the lab itself uses: reset, bold, dim, and colours.
const OWN_CODES: [&str; 9] = ["0", "1", "2", "31", "32", "33", "34", "35", "36"];

/// A text of somebody else's: everything in it that is no character, tab or newline is written out.
pub fn plain(text: &str) -> Cow<'_, str> {
    written_out(text, |_| 0)
}

/// A finished text of the lab's: as [`plain`], but with the lab's own colours.
pub fn finished(text: &str) -> Cow<'_, str> {
    written_out(text, |rest| {
        let code = rest.strip_prefix("\u{1b}[").and_then(|rest| rest.split_once('m')).map(|(code, _)| code);
        code.filter(|code| OWN_CODES.contains(code)).map_or(0, |code| code.len() + 3)
    })
}

/// Writes out what is unsafe, but for as many bytes as `allowed` says of a text that begins with an escape.
fn written_out(text: &str, allowed: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(is_unsafe) {
        safe.push_str(&rest[..at]);
        rest = &rest[at..];
        let kept = allowed(rest);
        let Some(first) = rest.chars().next() else { break };
        if kept > 0 {
            safe.push_str(&rest[..kept]);
            rest = &rest[kept..];
        } else {
            safe.extend(first.escape_unicode());
            rest = &rest[first.len_utf8()..];
        }
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

/// Control characters, and those that turn the direction of what follows.
fn is_unsafe(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    turns || c.is_control() && c != '\n' && c != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_text_is_written_out() {
        assert_eq!(plain("a\tb\nc é"), "a\tb\nc é");
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m"), "\\u{1b}[31mred\\u{1b}[0m");
        assert_eq!(plain("x\r\u{8}\u{7}\u{9b}2J\u{202e}"), "x\\u{d}\\u{8}\\u{7}\\u{9b}2J\\u{202e}");
    }

    #[test]
    fn the_labs_own_colours_stay_and_nothing_else() {
        let styled = console::style("x").red().bold().force_styling(true).to_string();
        assert_eq!(finished(&styled), styled);
        let dim = console::style("x").dim().force_styling(true).to_string();
        assert_eq!(finished(&dim), dim);
        for bad in
            ["\u{1b}[8mhidden", "\u{1b}[2J", "\u{1b}]0;title\u{7}", "\u{1b}[31;8mx", "\u{1b}[0", "\u{1b}"]
        {
            assert!(!finished(bad).contains('\u{1b}'), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in any::<String>(), escapes in proptest::collection::vec("\u{1b}[\\[\\]()0-9;mJH]{0,5}", 0..4)) {
            let text = escapes.join(&text);
            let told = plain(&text).into_owned();
            prop_assert!(!told.contains(is_unsafe));
            prop_assert_eq!(plain(&told), told.as_str());
            prop_assert_eq!(finished(&told), told.as_str());
        }
    }
}
