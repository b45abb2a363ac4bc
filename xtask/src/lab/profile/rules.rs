// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rules of one filter, as `configs/profiles/compile.c` reads them.

use std::fmt::Write as _;

use seccomp_oracle::action;

/// The error number that a denial gives where a profile names none: `EPERM`.
pub const EPERM: u16 = 1;

/// The longest name of a system call that is passed on, in bytes. libseccomp knows none half as long.
const CALL_BYTES_MAX: usize = 64;

/// What a filter answers: a `SECCOMP_RET_*` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer(u32);

impl Answer {
    /// The call is carried out.
    pub const ALLOW: Self = Self(action::ALLOW);
    /// It is carried out, and logged.
    pub const LOG: Self = Self(action::LOG);
    /// A supervisor decides.
    pub const NOTIFY: Self = Self(action::USER_NOTIF);
    /// SIGSYS.
    pub const TRAP: Self = Self(action::TRAP);
    /// The thread is killed.
    pub const KILL_THREAD: Self = Self(action::KILL_THREAD);
    /// The process is killed.
    pub const KILL_PROCESS: Self = Self(action::KILL_PROCESS);

    /// The call fails with this error number.
    pub const fn errno(number: u16) -> Self {
        Self(action::ERRNO | number as u32)
    }

    /// A tracer decides, who is told this number.
    pub const fn trace(number: u16) -> Self {
        Self(action::TRACE | number as u32)
    }
}

/// An architecture that a filter can have rules for, by libseccomp's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterArch(pub &'static str);

impl FilterArch {
    /// 64-bit x86.
    pub const X86_64: Self = Self("x86_64");
    /// 32-bit x86.
    pub const X86: Self = Self("x86");
    /// 64-bit x86 with 32-bit pointers.
    pub const X32: Self = Self("x32");
}

/// How an argument is compared, unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// It is another one.
    NotEqual,
    /// It is less.
    Less,
    /// It is less or equal.
    LessOrEqual,
    /// It is equal.
    Equal,
    /// It is greater or equal.
    GreaterOrEqual,
    /// It is greater.
    Greater,
    /// Masked with the value, it equals the second value.
    MaskedEqual,
}

impl Operator {
    /// The word for it in the rules.
    fn word(self) -> &'static str {
        match self {
            Self::NotEqual => "ne",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
            Self::Equal => "eq",
            Self::GreaterOrEqual => "ge",
            Self::Greater => "gt",
            Self::MaskedEqual => "masked_eq",
        }
    }
}

/// What an argument of a call is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, 0 to 5.
    pub argument: u8,
    /// How it is compared.
    pub operator: Operator,
    /// With what; the mask of [`Operator::MaskedEqual`].
    pub value: u64,
    /// What a masked argument equals.
    pub value_two: u64,
}

/// An answer to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The answer.
    pub answer: Answer,
    /// The name of the call.
    pub call: String,
    /// All of them have to hold.
    pub conditions: Vec<Condition>,
}

/// What libseccomp does with a call that an architecture has not, or has in another shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It adapts the rule, as container runtimes ask it to.
    Adapted,
    /// The rule is left out for that architecture, as systemd asks.
    Exact,
}

/// How libseccomp arranges the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One test after the other.
    Linear,
    /// A binary tree over the numbers.
    Tree,
}

/// The rules of one filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The answer where no rule fits.
    pub default: Answer,
    /// The answer for architectures that are not named; libseccomp kills the thread if there is none.
    pub other_arch: Option<Answer>,
    /// The architectures.
    pub arches: Vec<FilterArch>,
    /// What is done where they do not fit.
    pub fit: Fit,
    /// The rules.
    pub rules: Vec<Rule>,
}

impl Rules {
    /// What `compile.c` reads.
    pub fn text(&self, layout: Layout) -> String {
        let mut text = format!("default {}\n", self.default.0);
        if let Some(answer) = self.other_arch {
            let _ = writeln!(text, "badarch {}", answer.0);
        }
        if layout == Layout::Tree {
            text.push_str("tree\n");
        }
        for arch in &self.arches {
            let _ = writeln!(text, "arch {}", arch.0);
        }
        let word = match self.fit {
            Fit::Adapted => "rule",
            Fit::Exact => "exact",
        };
        for rule in &self.rules {
            let _ = write!(text, "{word} {} {}", rule.answer.0, rule.call);
            for condition in &rule.conditions {
                let Condition { argument, operator, value, value_two } = condition;
                let _ = write!(text, " {argument} {} {value} {value_two}", operator.word());
            }
            text.push('\n');
        }
        text
    }
}

/// Whether a text can be the name of a system call at all.
pub fn is_call_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= CALL_BYTES_MAX && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_lines_of_words() {
        let condition =
            Condition { argument: 1, operator: Operator::MaskedEqual, value: u64::MAX, value_two: 7 };
        let rule = |answer, call: &str, conditions| Rule { answer, call: call.into(), conditions };
        let rules = Rules {
            default: Answer::errno(EPERM),
            other_arch: Some(Answer::ALLOW),
            arches: vec![FilterArch::X86_64, FilterArch::X86],
            fit: Fit::Adapted,
            rules: vec![
                rule(Answer::ALLOW, "read", vec![]),
                rule(Answer::trace(2), "clone", vec![condition; 2]),
            ],
        };
        let wanted = "default 327681\nbadarch 2147418112\ntree\narch x86_64\narch x86\nrule 2147418112 read\n\
                      rule 2146435074 clone 1 masked_eq 18446744073709551615 7 1 masked_eq 18446744073709551615 7\n";
        assert_eq!(rules.text(Layout::Tree), wanted);
        let exact = Rules { fit: Fit::Exact, other_arch: None, ..rules };
        assert!(exact.text(Layout::Linear).starts_with("default 327681\narch x86_64\narch x86\nexact "));
    }

    #[test]
    fn a_call_name_cannot_break_its_line() {
        for good in ["read", "pread64", "_sysctl"] {
            assert!(is_call_name(good), "{good}");
        }
        for bad in ["", "re ad", "read\nrule", "Read", "re-ad", &"r".repeat(65)] {
            assert!(!is_call_name(bad), "{bad}");
        }
    }
}
