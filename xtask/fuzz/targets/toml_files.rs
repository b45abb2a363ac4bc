// SPDX-License-Identifier: MIT OR Apache-2.0
//! `lab.toml`, and files that describe series, expectations, splats, faults, mutants, profiles and config fragments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtask_fuzz::lab::check::RawCheck;
use xtask_fuzz::lab::expected::Expected;
use xtask_fuzz::lab::fragment::Symbols;
use xtask_fuzz::lab::names::CheckName;
use xtask_fuzz::lab::profile::Manifest;
use xtask_fuzz::lab::series::SeriesFacts;
use xtask_fuzz::parse::splat::Splats;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    xtask_fuzz::configurations(text);
    let _ = (toml::from_str::<SeriesFacts>(text), toml::from_str::<Manifest>(text));
    if let (Ok(check), Ok(name)) = (toml::from_str::<RawCheck>(text), CheckName::parse("x.y")) {
        let _ = check.into_check(name);
    }
    if let Ok(expected) = Expected::parse("expected.toml", text) {
        let _ = expected.expired("2027-01-01").count();
    }
    if let Ok(splats) = Splats::parse(text) {
        let _ = splats.expired("2027-01-01");
    }
    let _ = Symbols::parse_fragment("x.config", text);
});
