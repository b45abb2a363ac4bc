// SPDX-License-Identifier: MIT OR Apache-2.0
//! Config fragments and final configs: symbols and their values.

use std::collections::BTreeMap;

use crate::fault::Fault;

/// Symbols (without `CONFIG_`) and their values as a `.config` writes them; `n` for not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols(BTreeMap<String, String>);

impl Symbols {
    /// Reads a fragment. Later lines win.
    ///
    /// # Errors
    /// A usage fault that names the file and the line which is neither a symbol nor a comment.
    pub fn parse_fragment(file: &str, text: &str) -> Result<Self, Fault> {
        let mut symbols = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            match parse_line(line) {
                Some((name, value)) => symbols.set(name, value),
                None if line.is_empty() || line.starts_with('#') => {}
                None => {
                    return Err(Fault::usage(format!(
                        "{file}:{}: `{}` is neither CONFIG_NAME=value nor `# CONFIG_NAME is not set`",
                        number + 1,
                        line.escape_default()
                    )));
                }
            }
        }
        Ok(symbols)
    }

    /// Reads a final `.config`; lines that say nothing about a symbol are passed over.
    pub fn parse_config(text: &str) -> Self {
        Self(
            text.lines()
                .filter_map(parse_line)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// Sets a symbol.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Adds all of `other`; what it says wins.
    pub fn merge(&mut self, other: &Symbols) {
        self.0.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// The value of a symbol; `n` where it is not mentioned.
    pub fn value(&self, name: &str) -> &str {
        self.0.get(name).map_or("n", String::as_str)
    }

    /// Whether a symbol is built in.
    pub fn is_set(&self, name: &str) -> bool {
        !matches!(self.value(name), "n" | "m")
    }

    /// The symbols and values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// As a fragment for `.config`.
    pub fn to_fragment(&self) -> String {
        use std::fmt::Write as _;
        self.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = match value {
                "n" => writeln!(text, "# CONFIG_{name} is not set"),
                _ => writeln!(text, "CONFIG_{name}={value}"),
            };
            text
        })
    }

    /// What was asked for here and is otherwise in `config`: name, wanted, got.
    pub fn missing_from<'a>(&'a self, config: &'a Symbols) -> Vec<(&'a str, &'a str, &'a str)> {
        self.iter()
            .filter(|(name, value)| config.value(name) != *value)
            .map(|(name, value)| (name, value, config.value(name)))
            .collect()
    }
}

fn parse_line(line: &str) -> Option<(&str, &str)> {
    if let Some(rest) = line.strip_prefix("# CONFIG_") {
        return rest.strip_suffix(" is not set").filter(|name| is_symbol(name)).map(|name| (name, "n"));
    }
    let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
    is_symbol(name).then_some((name, value))
}

/// Whether this can be the name of a config symbol, without `CONFIG_`.
pub fn is_symbol(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_kconfig_dropped_is_named_with_both_values() {
        let wanted = Symbols::parse_fragment(
            "f",
            "# why\nCONFIG_SECCOMP=y\nCONFIG_BPF_JIT=y\n# CONFIG_X is not set\nCONFIG_N=4\n",
        )
        .unwrap();
        let config =
            Symbols::parse_config("CONFIG_SECCOMP=y\n# CONFIG_BPF_JIT is not set\nCONFIG_X=y\nCONFIG_N=8\n");
        assert_eq!(wanted.missing_from(&config), [("BPF_JIT", "y", "n"), ("N", "4", "8"), ("X", "n", "y")]);
    }

    #[test]
    fn later_fragments_win_and_a_stray_line_is_an_error() {
        let mut all = Symbols::parse_fragment("a", "CONFIG_A=y\n").unwrap();
        all.merge(&Symbols::parse_fragment("b", "# CONFIG_A is not set\n").unwrap());
        assert_eq!(all.to_fragment(), "# CONFIG_A is not set\n");
        let error = Symbols::parse_fragment("b.config", "CONFIG_A=y\nCONFG_B=y\n").unwrap_err();
        assert!(error.to_string().starts_with("b.config:2:"), "{error}");
    }
}
