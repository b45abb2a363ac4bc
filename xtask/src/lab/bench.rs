// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `bench` holds figures against: `[bench]` of `lab.toml`, and of a `series.toml`.

use std::collections::BTreeMap;

use seccomp_oracle::bench::Bounds;
use serde::Deserialize;

/// The key of [`BenchBounds::attach_times_max`] for every program that has none of its own.
const ANY: &str = "*";

/// What figures may be at most.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchBounds {
    /// What an uncached call pays besides its filters and beyond what a cached call pays, in instructions.
    pub surcharge_max: Option<u64>,
    /// What an uncached call may cost more than on the tree without the series, in instructions.
    pub uncached_more_max: Option<u64>,
    /// Attaching any program, in instructions.
    pub attach_max: Option<u64>,
    /// How many times as much as on the tree without the series it may cost to attach a program, by the
    /// figure's name; `*` is for all others.
    #[serde(default)]
    pub attach_times_max: BTreeMap<String, f64>,
}

impl BenchBounds {
    /// These, with what the others say in their place.
    #[must_use]
    pub fn with(&self, others: &Self) -> Self {
        let mut attach_times_max = self.attach_times_max.clone();
        attach_times_max.extend(others.attach_times_max.clone());
        Self {
            surcharge_max: others.surcharge_max.or(self.surcharge_max),
            uncached_more_max: others.uncached_more_max.or(self.uncached_more_max),
            attach_max: others.attach_max.or(self.attach_max),
            attach_times_max,
        }
    }

    /// Those that one kernel alone is held against. What nobody bounds is not bounded.
    pub fn of_one_kernel(&self) -> Bounds {
        Bounds {
            surcharge_max: self.surcharge_max.unwrap_or(u64::MAX),
            attach_max: self.attach_max.unwrap_or(u64::MAX),
        }
    }

    /// How many times as much attaching may cost, by the name of its figure.
    pub fn times_max(&self, figure: &str) -> Option<f64> {
        self.attach_times_max.get(figure).or_else(|| self.attach_times_max.get(ANY)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_the_last_word() {
        let read = |text: &str| toml::from_str::<BenchBounds>(text).unwrap();
        let lab = read("surcharge_max = 40\nattach_times_max = { '*' = 50.0 }");
        let series = read("attach_times_max = { '*' = 3.0, 'attach.docker' = 2.0 }");
        let both = lab.with(&series);
        assert_eq!(both.surcharge_max, Some(40));
        assert_eq!(both.times_max("attach.one"), Some(3.0));
        assert_eq!(both.times_max("attach.docker"), Some(2.0));
        assert_eq!(lab.times_max("attach.docker"), Some(50.0));
        assert_eq!(lab.of_one_kernel().attach_max, u64::MAX);
    }
}
