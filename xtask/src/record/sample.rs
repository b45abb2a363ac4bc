// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run with a cell of each sort, for tests.

use std::collections::BTreeMap;

use super::model::{
    AccelRecord, Attempt, CellRecord, CellRole, CheckRecord, CheckStatus, FindingRecord, Host, Keys, Outcome,
    PatchRecord, Run, RunState, SCHEMA, SeriesRecord, SubRecord, TreeRecord, Trouble,
};

pub fn sub(name: &str, ordinal: u32, status: CheckStatus, reason: &str) -> SubRecord {
    SubRecord { path: name.split('.').map(str::to_owned).collect(), ordinal, status, reason: reason.into() }
}

pub fn check(name: &str, status: CheckStatus, reason: &str, subs: Vec<SubRecord>) -> CheckRecord {
    let plan = u32::try_from(subs.len()).ok().filter(|plan| *plan > 0);
    CheckRecord {
        name: name.into(),
        status,
        reason: reason.into(),
        plan,
        ms: 1500,
        figures: BTreeMap::new(),
        boot: None,
        leftover: 0,
        subs,
    }
}

pub fn cell(id: &str, outcome: Outcome, reason: &str, checks: Vec<CheckRecord>) -> CellRecord {
    CellRecord {
        id: id.into(),
        outcome,
        reason: reason.into(),
        trouble: (outcome == Outcome::Infra).then_some(Trouble::Host),
        keys: Keys {
            request: "r".into(),
            kernel: "k".into(),
            code: "c".into(),
            image: "i".into(),
            boot: "b".into(),
        },
        accel: Some(AccelRecord { kind: "tcg".into(), reason: "no /dev/kvm".into() }),
        toolchain: "gcc 14.2".into(),
        attempts: vec![Attempt::new(outcome, 12_300)],
        checks,
        excused: Vec::new(),
        findings: Vec::new(),
        findings_dropped: 0,
        timings_ms: BTreeMap::from([("guest".into(), 12_345)]),
        files: BTreeMap::from([("console.log".into(), format!("{}.console.log", id.replace('/', "--")))]),
        role: CellRole::Subject,
        same_as: None,
        found_in: None,
        excerpt: Vec::new(),
    }
}

/// A cell that passes: a check with a plan, and one that is absent.
pub fn passed() -> CellRecord {
    use CheckStatus::{Absent, Pass};
    let subs = vec![sub("global.kcmp", 1, Pass, ""), sub("TRAP.dfl", 2, Pass, "")];
    let absent = check("seccomp_cache.dump", Absent, "CONFIG_SECCOMP_CACHE_DEBUG is not set", Vec::new());
    cell("5.10/none/x86_64", Outcome::Pass, "", vec![check("seccomp_bpf", Pass, "", subs), absent])
}

/// A cell that fails: a sub-result of each status, a finding, and control characters everywhere.
pub fn failed() -> CellRecord {
    use CheckStatus::{Fail, NotRun, Pass, Skip};
    let subs = vec![
        sub("global.kcmp", 1, Pass, ""),
        sub("TRAP.dfl", 2, Fail, "# EXPECT 1 == 2\n# \u{1b}[31mred\u{1b}[0m <b> & \"q\" \u{0}"),
        sub("UPROBE.x", 3, Skip, "no single-stepping"),
        sub("gone", 0, NotRun, "known from earlier runs, and not there"),
    ];
    let reason = "1 of 4 failed, the first is TRAP.dfl";
    let mut failed = cell(
        "5.10/seccomp-cache@5/compat",
        Outcome::Fail,
        &format!("seccomp_bpf fail: {reason}"),
        vec![check("seccomp_bpf", Fail, reason, subs)],
    );
    failed.excerpt = (1..=18).map(|n| format!("line {n} \u{1b}[1m]]>```")).collect();
    failed.findings.push(FindingRecord {
        family: "warning".into(),
        title: "WARNING in f at k.c".into(),
        check: "seccomp_bpf".into(),
        excerpt: vec!["WARNING: CPU: 0".into()],
        ..FindingRecord::default()
    });
    failed
}

/// A cell that the lab let down, before any check.
pub fn let_down() -> CellRecord {
    let mut infra =
        cell("5.10/seccomp-cache@5/i386", Outcome::Infra, "QEMU ended with exit code 1", Vec::new());
    infra.excerpt = vec!["qemu: no such CPU".into()];
    infra.timings_ms.clear();
    infra.accel = None;
    infra
}

/// A run of these cells.
pub fn run(cells: Vec<CellRecord>) -> Run {
    let patch = |message_id| PatchRecord {
        file: "0001-x.patch".into(),
        subject: "x".into(),
        digest: "d".into(),
        version: Some(3),
        trailers: vec!["Reviewed-by: A <a@example.org>".into()],
        message_id,
        answers: Vec::new(),
        commit: None,
    };
    let tree = TreeRecord { source: "Debian linux".into(), version: "5.10.262-1".into(), tree: "t".into() };
    let series = SeriesRecord {
        origin: "kernel-patches/x".into(),
        applied: vec![2],
        patches: vec![patch(None), patch(Some("<a@b>".into()))],
        ..SeriesRecord::default()
    };
    Run {
        schema: SCHEMA,
        id: "20270101T000000Z-abcd".into(),
        state: RunState::Complete,
        started: "2027-01-01T00:00:00Z".into(),
        ended: Some("2027-01-01T00:01:05Z".into()),
        command: ["xtask", "test"].map(str::to_owned).to_vec(),
        host: Host { cpus: 4, ..Host::default() },
        seed: u64::MAX,
        series: BTreeMap::from([("seccomp-cache".into(), series)]),
        trees: BTreeMap::from([("5.10".into(), tree)]),
        cells,
        mutants: Vec::new(),
        probes: Vec::new(),
        bench: None,
        bisect: None,
        timings_ms: BTreeMap::new(),
        shard: None,
        shards: Vec::new(),
        repeat: None,
    }
}
