// SPDX-License-Identifier: MIT OR Apache-2.0
//! Profiles that a user names: right ones, and wrong ones with exit code 2.

use std::fs;

use crate::lab::Lab;

#[test]
fn a_shipped_profile_is_found_by_its_name() {
    let lab = Lab::new();
    lab.run(&["profiles", "--show", "docker"]).assert(0, &["docker: 1 filter\n", "960 instructions"]);
    lab.run(&["profiles", "--show", "@sync"]).assert(0, &["systemd-sync: 3 filters", "filter 2, "]);
    lab.run(&["profiles", "--show", "doker"])
        .assert(2, &["there is no profile `doker`", "did you mean `docker`?"]);
    let chain = lab.root().join("configs/profiles/docker.chain");
    let mut bytes = fs::read(&chain).unwrap();
    bytes[40] ^= 1;
    fs::write(&chain, bytes).unwrap();
    lab.run(&["profiles", "--show", "docker"])
        .assert(2, &["docker.chain: its SHA-256 is", "cargo xtask profiles"]);
}

#[test]
fn a_program_file_has_whole_instructions_and_not_too_many() {
    let lab = Lab::new();
    let show = |name: &str, bytes: &[u8]| {
        let path = lab.path(name);
        fs::write(&path, bytes).unwrap();
        lab.run(&["profiles", "--show", &path.to_string_lossy()])
    };
    let allow = [6, 0, 0, 0, 0, 0, 0xff, 0x7f];
    show("good.bpf", &allow).assert(0, &["good.bpf: 1 filter\n", "filter 0, 1 instruction\n"]);
    for (length, told) in [(0, "0 bytes"), (7, "7 bytes"), (12, "12 bytes")] {
        show("odd.bpf", &vec![0; length]).assert(2, &["odd.bpf", told, "1 to 4096 instructions"]);
    }
    show("long.bpf", &[0; 8 * 4097])
        .assert(2, &["long.bpf: a program of 4097 instructions: kernels take at most 4096"]);
    show("refused.bpf", &[0x20, 0, 0, 0, 0, 0, 0, 0])
        .assert(2, &["filter 0, 1 instruction\n", "kernels refuse it", "no return"]);
    show("odd.chain", b"SLCX").assert(2, &["odd.chain", "does not begin with SLCH"]);
    show("odd.txt", b"").assert(2, &["odd.txt", ".json"]);
    lab.run(&["profiles", "--show", "ghost.bpf"])
        .assert(2, &["ghost.bpf", "a profile is wanted: a name, or a file that ends in"]);
}

#[test]
fn rules_that_are_wrong_are_told_before_anything_is_compiled() {
    let lab = Lab::new();
    for (text, told) in [
        ("SCMP_ACT_ALLOW", "no profile of containers"),
        (r#"{ "defaultAction": "SCMP_ACT_ALOW" }"#, "did you mean `SCMP_ACT_ALLOW`?"),
        (r#"{ "defaultAction": "SCMP_ACT_ALLOW", "syscall": [] }"#, "did you mean `syscalls`?"),
    ] {
        let path = lab.write("wrong.json", text);
        lab.run(&["profiles", "--show", &path]).assert(2, &["wrong.json: ", told]);
    }
    assert_eq!(lab.calls("gcc -std"), [""; 0]);
}
