// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of the series in an mbox is meant.

/// Which posting of an mbox is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// The newest version.
    #[default]
    Newest,
    /// This version.
    Version(u32),
    /// The posting with the mail of this message id.
    Mail(String),
}

impl std::str::FromStr for Choice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Ok(Choice::Mail(text.trim_matches(['<', '>', ' ']).to_owned()));
        }
        let number = text.trim_start_matches(['v', 'V']).parse();
        number
            .map(Choice::Version)
            .map_err(|_| format!("`{text}`: write v4, or the message id of a mail of the series"))
    }
}
