// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of cells and checks.

use super::*;

/// Twenty columns fit no terminal: many checks of few cells stand one below the other.
#[test]
fn many_checks_are_rows() {
    plain();
    let cells = ["x86_64", "compat"].map(|flavor| {
        let mut cell = passed();
        cell.id = format!("5.10/none/{flavor}");
        for name in ["review.header", "review.kconfig", "random"] {
            let subs = vec![sub("a", 1, CheckStatus::Pass, "")];
            cell.checks.push(check(name, CheckStatus::Pass, "", subs));
        }
        cell
    });
    shows(
        &(crate::tell::grid::table(&cells) + &crate::tell::grid::families_line(&cells[0])),
        &expect![[r#"
            >
              5.10/none           x86_64  compat
              outcome               pass    pass
              seccomp_bpf            2/2     2/2
              seccomp_cache.dump  absent  absent
              review.header          1/1     1/1
              review.kconfig         1/1     1/1
              random                 1/1     1/1
              guest                12.3s   12.3s
            seccomp_bpf 2/2, seccomp_cache.dump absent, review 2/2, random 1/1"#]],
    );
}

#[test]
fn counts_name_what_did_not_pass() {
    use CheckStatus::{Fail, NotRun, Pass, Skip};
    let counts = |statuses: &[CheckStatus]| {
        let subs = (1..).zip(statuses).map(|(n, status)| sub("x", n, *status, "")).collect();
        crate::tell::grid::check_counts(&check("c", Pass, "", subs))
    };
    assert_eq!(counts(&[Pass, Pass]), "2/2");
    assert_eq!(counts(&[Pass, Fail]), "1/2");
    assert_eq!(counts(&[Pass, Skip, Skip, NotRun]), "1/4 (2 skipped) (1 not run)");
    assert_eq!(
        crate::tell::grid::check_counts(&CheckRecord { plan: None, ..check("c", Pass, "", Vec::new()) }),
        "0/?"
    );
}
