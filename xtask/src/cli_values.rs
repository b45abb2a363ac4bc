// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values of flags that clap alone would refuse with words that do not say what is wanted.

use std::time::Duration;

/// A number between two others.
///
/// # Errors
/// What is wanted, for anything else.
pub fn number<const MIN: u64, const MAX: u64>(text: &str) -> Result<u64, String> {
    let parsed = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
    parsed.ok_or_else(|| match MAX {
        u64::MAX => format!("a number from {MIN} on is wanted"),
        _ => format!("a number from {MIN} to {MAX} is wanted"),
    })
}

/// The number of a system call, decimal or with `0x`.
///
/// # Errors
/// What is wanted, for anything else.
pub fn call_number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        // A sign is no digit here.
        Some(digits) if digits.starts_with('+') => None,
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| {
        "a decimal or 0x number from 0 to 0xffffffff is wanted, as 39 or 0x27: a kernel tree has the numbers of \
         calls in arch/x86/entry/syscalls/"
            .to_owned()
    })
}

/// A span of time in which something can be done.
///
/// # Errors
/// What is wanted, for no span and for an empty one.
pub fn deadline(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("nothing ends in no time: more than 0 is wanted, as 90s or 5min".into()),
        Ok(span) => Ok(span),
        Err(error) => Err(format!("{error}; a span of time is wanted, as 90s or 5min")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_its_range() {
        assert_eq!(number::<0, { u64::MAX }>("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(number::<0, { u64::MAX }>("-5").unwrap_err(), "a number from 0 on is wanted");
        assert_eq!(number::<1, 9>("9"), Ok(9));
        for text in ["0", "10", "-1", "x", "", "99999999999999999999999"] {
            assert_eq!(number::<1, 9>(text).unwrap_err(), "a number from 1 to 9 is wanted", "{text}");
        }
    }

    #[test]
    fn a_call_is_numbered_in_decimal_or_hex() {
        for (text, wanted) in [("39", 39), ("0x27", 39), ("0xFFFFFFFF", u32::MAX), ("0", 0)] {
            assert_eq!(call_number(text), Ok(wanted), "{text}");
        }
        for text in ["getpid", "-1", "0x", "0x+1", "0x-1", "0x100000000", "27h", ""] {
            assert!(call_number(text).unwrap_err().starts_with("a decimal or 0x number"), "{text}");
        }
    }

    #[test]
    fn a_deadline_of_nothing_is_none() {
        assert_eq!(deadline("90s"), Ok(Duration::from_secs(90)));
        for text in ["0s", "0ms", "soon", ""] {
            assert!(deadline(text).unwrap_err().contains("90s or 5min"), "{text}");
        }
    }
}
