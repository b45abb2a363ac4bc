// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lab that the tests of selection and plan share.

use std::path::Path;

use crate::lab::Lab;
use crate::lab::kernel::Variant;
use crate::lab::names::{SeriesName, VariantName};
use crate::lab::series::SeriesFacts;

/// The project's own configuration, with the default series alone, a variant `debug` that exists for the
/// x86_64 kernel only, and a series `follow` of two patches that requires `seccomp-cache`.
pub fn lab() -> Lab {
    let mut lab = Lab::read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
    let flavors = lab.flavors.iter().filter(|(_, flavor)| flavor.kernel.as_str() == "x86_64");
    let flavors = flavors.map(|(name, _)| name.clone()).collect();
    let debug = Variant { flavors, ..Variant::default() };
    lab.variants.insert(VariantName::parse("debug").unwrap(), debug);
    // What is shipped beside the default series is no part of what the tests count.
    let default = lab.defaults.series.clone();
    lab.series.retain(|name, _| name.is_none() || *name == default);
    let mut follow = lab.series.values().find(|series| !series.name.is_none()).unwrap().clone();
    let requires = Some(follow.name.clone());
    follow.name = SeriesName::parse("follow").unwrap();
    follow.facts = SeriesFacts { requires, ..SeriesFacts::default() };
    follow.patches.truncate(2);
    lab.series.insert(follow.name.clone(), follow);
    lab
}
