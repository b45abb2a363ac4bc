// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys: digests over everything that decides some bytes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::lab::patch::hex;

/// Goes into every key: a change of how things are made must not find old ones.
const KEY_VERSION: &str = "seccomp-lab 1";

/// The name of a stored thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key as hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it for a person.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Builds a key out of named parts. Name and value are length-prefixed: no two lists of parts
/// hash alike.
#[derive(Clone)]
pub struct KeyBuilder(Sha256);

impl KeyBuilder {
    /// Begins a key for one kind of thing.
    pub fn new(kind: &str) -> Self {
        Self(Sha256::new()).part("version", KEY_VERSION).part("kind", kind)
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for bytes in [name.as_bytes(), value.as_ref()] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
        self
    }

    /// Adds each of several parts of the same name.
    #[must_use]
    pub fn parts<T: AsRef<[u8]>>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |key, value| key.part(name, value))
    }

    /// The key.
    pub fn finish(self) -> Key {
        Key(hex(&self.0.finalize()[..20]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_covers_names_values_order_and_borders() {
        let key = |parts: &[(&str, &str)]| {
            parts.iter().fold(KeyBuilder::new("k"), |key, (name, value)| key.part(name, value)).finish()
        };
        let one = key(&[("a", "bc"), ("d", "e")]);
        assert_eq!(one, key(&[("a", "bc"), ("d", "e")]));
        for other in [
            key(&[("a", "b"), ("cd", "e")]),
            key(&[("d", "e"), ("a", "bc")]),
            key(&[("a", "bc")]),
            key(&[("a", "bc"), ("d", "f")]),
            KeyBuilder::new("other").part("a", "bc").part("d", "e").finish(),
        ] {
            assert_ne!(one, other);
        }
    }
}
