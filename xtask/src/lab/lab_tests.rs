// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::lab::series::Point;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The project's own configuration with one text of `lab.toml` replaced.
fn with(from: &str, to: &str) -> Result<Lab> {
    with_in("configs/lab.toml", from, to)
}

fn with_in(file: &str, from: &str, to: &str) -> Result<Lab> {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str| {
        let (from, to) = (root().join(name), folder.path().join(name));
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(&from).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    };
    ["configs", "configs/kernel", "kernel-patches", "kernel-patches/seccomp-cache"]
        .into_iter()
        .for_each(copy);
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    Lab::read(folder.path())
}

#[test]
fn the_projects_own_configuration_is_valid() {
    let lab = Lab::read(&root()).unwrap();
    let series = lab.series(&lab.defaults.series).unwrap();
    assert_eq!(series.patches.len(), 5);
    let point = Point { series: series.name.clone(), applied: 3 };
    assert_eq!(lab.patches(&point).unwrap().len(), 3);
    // A series that requires it is put on all of it.
    let attach = lab.series.values().find(|series| series.facts.requires.is_some()).unwrap();
    assert_eq!(lab.patches(&attach.point(1).unwrap()).unwrap().len(), 6);
    let checks: Vec<&str> = lab.checks.keys().map(CheckName::as_str).collect();
    assert_eq!(lab.expected.aimless(&checks).map(|entry| &entry.check).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn mistakes_are_named_with_what_could_be_meant() {
    for (from, to, wanted) in [
        ("deadline = \"60s\"", "deadlin = \"60s\"", "deadlin"),
        ("deadline = \"60s\"", "deadline = \"soon\"", "no time span"),
        ("kernel = \"i386\"", "kernel = \"i368\"", "there is no kernel config `i368`"),
        ("tree = \"5.10\"", "tree = \"5.11\"", "there is no tree `5.11`"),
        ("\"seccomp_bpf\", \"seccomp_cache\"", "\"seccomp_bfp\"", "there is no check `seccomp_bfp`"),
        ("\"seccomp_bpf\", \"seccomp_cache\"", "\"seccomp_cach\"", "did you mean `seccomp_cache`?"),
        ("cpus = 1", "cpus = \"one\"", "invalid type"),
        ("plan = \"exit-code\"", "program = \"x.c\"", "`program` does not belong"),
        ("binary = \"seccomp_bpf\"\n", "", "`binary` is missing"),
        ("\"base.config\"", "\"bass.config\"", "bass.config"),
        ("binary = \"posix_timers\"", "binary = \"../x\"", "no plain relative path"),
        ("method = \"kconfig\"", "method = \"kconf\"", "unknown variant `kconf`"),
        ("like = \"kernel/exec_domain.o\"", "lik = \"kernel/exec_domain.o\"", "unknown field `lik`"),
        ("method = \"text\", file = \"", "method = \"text\", file = \"/", "no plain relative path"),
        ("define\\s+SECCOMP_ARCH_NATIVE", "define\\s+(SECCOMP_ARCH_NATIVE", "is no pattern"),
        ("cross = \"riscv64\"", "cross = \"riscv46\"", "there is no cross toolchain `riscv46`"),
        ("[functions.\"6.1\"]", "[functions.\"6.2\"]", "there is no tree `6.2`"),
        ("exception = \"", "exeption = \"", "there is no role of a function `exeption`"),
        ("helpers = [\"exception\"]", "helpers = []", "there is no role of a function `exception`"),
        ("[check.\"review.kconfig\".static]", "[check.seccomp_bpf.static]", "`static` is missing"),
        ("kind = \"kselftest\"", "kind = \"static\"", "`target` does not belong"),
        ("kind = \"oracle\"", "kind = \"static\"", "`program` does not belong"),
    ] {
        let error = with(from, to).unwrap_err();
        let text = crate::fault::describe(&error);
        assert!(text.contains(wanted), "{from} -> {to}: {text}");
        assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE, "{text}");
    }
}

#[test]
fn a_role_of_a_series_is_one_that_a_check_asks_for() {
    let error = with_in("kernel-patches/seccomp-cache/series.toml", "walk = ", "wlak = ").unwrap_err();
    let text = crate::fault::describe(&error);
    assert!(text.contains("there is no role of a function `wlak`"), "{text}");
    assert!(text.contains("did you mean `walk`?") && text.contains("seccomp-cache/series.toml"), "{text}");
    assert_eq!(crate::fault::exit_code(&error), crate::fault::EXIT_USAGE, "{text}");
}

#[test]
fn an_unknown_key_gets_its_nearest() {
    let text = crate::fault::describe(&with("deadline = \"60s\"", "deadlin = \"60s\"").unwrap_err());
    assert!(text.contains("help: did you mean `deadline`?"), "{text}");
    assert!(text.contains("lab.toml"), "{text}");
}

#[test]
fn a_function_is_called_what_the_series_says_else_the_tree_else_the_default_series() {
    let lab = Lab::read(&root()).unwrap();
    let tree = |name: &str| TreeName::parse(name).unwrap();
    let own = Point { series: lab.defaults.series.clone(), applied: 2 };
    let none = Point { series: SeriesName::parse("none").unwrap(), applied: 0 };
    let walk =
        |tree_name: &str, point: &Point| lab.functions(&tree(tree_name), point).unwrap()["walk"].clone();
    assert_eq!(walk("5.10", &own), "seccomp_is_const_allow");
    assert_eq!(walk("6.1", &none), "seccomp_is_const_allow");
    let renamed = with("walk = \"seccomp_is_const_allow\"", "walk = \"other\"").unwrap();
    assert_eq!(renamed.functions(&tree("6.1"), &none).unwrap()["walk"], "other");
    assert_eq!(renamed.functions(&tree("5.10"), &none).unwrap()["walk"], "seccomp_is_const_allow");
}
