// SPDX-License-Identifier: MIT OR Apache-2.0
//! Profiles of containers, right and wrong.

use super::*;
use crate::fault::{EXIT_USAGE, describe, exit_code};
use crate::lab::profile::rules::Layout;

const DOCKER: Container = Container { engine: Engine::Amd64, capabilities: DOCKER_CAPABILITIES };

fn rules(text: &str, container: Container) -> String {
    parse("p.json", text, container).unwrap().text(Layout::Linear)
}

/// The rules that a list of entries makes, without the head of the text.
fn of_entries(entries: &str, container: Container) -> Vec<String> {
    let text = format!(r#"{{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{entries}] }}"#);
    rules(&text, container).lines().filter(|line| line.starts_with("rule ")).map(str::to_owned).collect()
}

#[test]
fn a_profile_becomes_rules() {
    let text = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
        "archMap": [
            { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
            { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"] }
        ],
        "syscalls": [
            { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "", "includes": {} },
            { "name": "clone", "action": "SCMP_ACT_ALLOW",
              "args": [{ "index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" }] },
            { "names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "EPERM" },
            { "names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
            { "names": ["acct"], "action": "SCMP_ACT_KILL_PROCESS" }
        ]
    }"#;
    // `bpf` is answered as everything else is: libseccomp takes no rule for that.
    let body = "rule 2147418112 read\nrule 2147418112 write\nrule 2147418112 clone 0 masked_eq 2114060288 0\n\
                rule 327681 mount\nrule 2147483648 acct\n";
    assert_eq!(rules(text, DOCKER), format!("default 327718\narch x86_64\narch x86\narch x32\n{body}"));
    let i386 = Container { engine: Engine::I386, ..DOCKER };
    assert_eq!(rules(text, i386), format!("default 327718\narch x86\n{body}"));
}

#[test]
fn entries_apply_by_capability_architecture_and_kernel() {
    let entry = |name: &str, demands: &str| {
        format!(r#"{{ "names": ["{name}"], "action": "SCMP_ACT_ALLOW", {demands} }}"#)
    };
    let entries = [
        entry("chroot", r#""includes": { "caps": ["CAP_SYS_CHROOT"] }"#),
        entry("mount", r#""includes": { "caps": ["CAP_SYS_ADMIN"] }"#),
        entry("setns", r#""includes": { "caps": ["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"] }"#),
        entry("ptrace", r#""includes": { "minKernel": "4.8" }"#),
        entry("arch_prctl", r#""includes": { "arches": ["amd64", "x32"] }"#),
        entry("cacheflush", r#""includes": { "arches": ["arm", "arm64"] }"#),
        entry("clone", r#""excludes": { "caps": ["CAP_SYS_ADMIN"], "arches": ["s390"] }"#),
        entry("socket", r#""excludes": { "caps": ["CAP_AUDIT_WRITE"] }"#),
        entry("personality", r#""excludes": { "arches": ["x86"] }"#),
        entry("uselib", r#""excludes": { "minKernel": "4.8" }"#),
    ]
    .join(",");
    let calls = |container| {
        let lines = of_entries(&entries, container);
        lines.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(calls(DOCKER), ["chroot", "ptrace", "arch_prctl", "clone", "personality"]);
    let podman = Container { engine: Engine::I386, capabilities: PODMAN_CAPABILITIES };
    assert_eq!(calls(podman), ["chroot", "ptrace", "clone", "socket"]);
}

#[test]
fn two_conditions_on_one_argument_are_alternatives() {
    let entry = |second: u8| {
        format!(
            r#"{{ "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                {{ "index": 0, "value": 1, "op": "SCMP_CMP_EQ" }},
                {{ "index": {second}, "value": 9, "op": "SCMP_CMP_NE" }}] }}"#
        )
    };
    assert_eq!(of_entries(&entry(2), DOCKER), ["rule 2147418112 socket 0 eq 1 0 2 ne 9 0"]);
    assert_eq!(
        of_entries(&entry(0), DOCKER),
        ["rule 2147418112 socket 0 eq 1 0", "rule 2147418112 socket 0 ne 9 0"]
    );
}

#[test]
fn the_runtime_specification_names_architectures_itself() {
    let text =
        r#"{ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"] }"#;
    assert_eq!(rules(text, DOCKER), "default 2147418112\narch x86_64\narch x86\n");
    let other = r#"{ "defaultAction": "SCMP_ACT_TRACE", "architectures": ["SCMP_ARCH_ARM"], "flags": [] }"#;
    assert_eq!(rules(other, DOCKER), "default 2146435073\narch x86_64\narch arm\n");
}

#[test]
fn a_name_that_stands_again_makes_no_rule_again() {
    let names = vec![r#""read", "write""#; 100_000].join(", ");
    let rules = of_entries(&format!(r#"{{ "names": [{names}], "action": "SCMP_ACT_ALLOW" }}"#), DOCKER);
    assert_eq!(rules, ["rule 2147418112 read", "rule 2147418112 write"]);
}

/// What is told of a profile that is refused.
fn refused(text: &str) -> String {
    let error = anyhow::Error::from(parse("p.json", text, DOCKER).unwrap_err());
    assert_eq!(exit_code(&error), EXIT_USAGE);
    let told = describe(&error);
    assert!(told.starts_with("error: p.json: "), "{told}");
    told
}

#[test]
fn what_is_wrong_is_told_with_the_nearest_word() {
    let entry = |entry: &str| {
        format!(r#"{{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{{ "names": ["read"] }}, {entry}] }}"#)
            .replace(r#"{ "names": ["read"] }"#, r#"{ "names": ["read"], "action": "SCMP_ACT_ALLOW" }"#)
    };
    let argument = |argument: &str| {
        entry(&format!(r#"{{ "names": ["read"], "action": "SCMP_ACT_LOG", "args": [{argument}] }}"#))
    };
    for (text, words) in [
        ("", "no profile of containers: EOF"),
        ("defaultAction: SCMP_ACT_ALLOW", "expected value at line 1"),
        ("[]", "no profile of containers"),
        (r#"{ "syscalls": [] }"#, "missing field `defaultAction`"),
        (r#"{ "defaultAction": "SCMP_ACT_DENY" }"#, "there is no action `SCMP_ACT_DENY`"),
        (r#"{ "defaultAction": "SCMP_ACT_ALOW" }"#, "did you mean `SCMP_ACT_ALLOW`?"),
        (r#"{ "defaultAction": "SCMP_ACT_ALLOW", "sycalls": [] }"#, "did you mean `syscalls`?"),
        (
            r#"{ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X68"] }"#,
            "did you mean `SCMP_ARCH_X86`?",
        ),
        (
            r#"{ "defaultAction": "SCMP_ACT_ALLOW", "archMap": [{ "architecture": "VAX" }] }"#,
            "there is no architecture `VAX`",
        ),
        (
            r#"{ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
                 "archMap": [{ "architecture": "SCMP_ARCH_X86" }] }"#,
            "do not go together",
        ),
        (
            r#"{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 65536 }"#,
            "p.json: defaultErrnoRet 65536: at most 4095",
        ),
        (
            &entry(r#"{ "names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000 }"#),
            "syscalls[1]: errnoRet 5000: at most 4095",
        ),
        (
            &entry(r#"{ "names": ["read"], "action": "SCMP_ACT_TRACE", "errnoRet": 65536 }"#),
            "syscalls[1]: errnoRet 65536: at most 65535",
        ),
        (r#"{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1 }"#, "integer `-1`"),
        (&entry(r#"{ "names": ["re ad"], "action": "SCMP_ACT_LOG" }"#), "syscalls[1]: `re ad` is no name"),
        (&entry(r#"{ "action": "SCMP_ACT_LOG" }"#), "syscalls[1]: either `name` or `names`"),
        (
            // Of an entry that does not apply, too.
            &entry(r#"{ "names": [], "action": "SCMP_ACT_LOK", "includes": { "arches": ["arm"] } }"#),
            "did you mean `SCMP_ACT_LOG`?",
        ),
        (&argument(r#"{ "index": 6, "value": 0, "op": "SCMP_CMP_EQ" }"#), "syscalls[1]: `index` 6"),
        (&argument(r#"{ "index": 0, "value": 0, "op": "SCMP_CMP_GEE" }"#), "did you mean `SCMP_CMP_GE`?"),
        (&argument(r#"{ "index": 0, "value": 0, "op": "==" }"#), "there is no operator `==`"),
    ] {
        let told = refused(text);
        assert!(told.contains(words), "{text}\n{told}");
    }
}
