// SPDX-License-Identifier: MIT OR Apache-2.0
//! The profiles of this checkout, against what was counted by other means; and files that are damaged.

use super::*;
use seccomp_oracle::action;
use seccomp_oracle::cache::{Bitmaps, expected};
use seccomp_oracle::data::SeccompData;
use seccomp_oracle::interpret::run;
use seccomp_oracle::tables::{Arch as TableArch, Kernel};

fn profiles() -> Vec<Profile> {
    read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap()
}

fn find<'a>(profiles: &'a [Profile], name: &str) -> &'a Profile {
    profiles.iter().find(|profile| profile.name == name).unwrap()
}

/// Linux 5.10 with 64 bits.
fn bits(profile: &Profile) -> Bitmaps {
    let kernel = Kernel::native(TableArch::X86_64, 441).with_compat(TableArch::Ia32, 441);
    expected(&kernel, &chain::check(&profile.chain_for(Abi::Bits64)).unwrap())
}

fn counts(profile: &Profile) -> (usize, usize) {
    let bits = bits(profile);
    (bits.native.allowed_count(), bits.compat.unwrap().allowed_count())
}

/// The excerpt that the series itself shows, and the counts.
#[test]
fn docker_allows_what_it_is_known_for() {
    let profiles = profiles();
    for name in ["docker", "docker-tree"] {
        let profile = find(&profiles, name);
        let bits = bits(profile);
        let excerpt: Vec<bool> = (132..142).map(|number| bits.native.allows(number)).collect();
        let wanted = [true, true, false, false, false, true, true, false, true, true];
        assert_eq!(excerpt, wanted, "{name}");
        assert_eq!(counts(profile), (283, 335), "{name}");
    }
    // Its 32-bit form has no `arch_prctl`, and kills whatever is not of 32 bits.
    for name in ["docker-x86", "docker-tree-x86"] {
        assert_eq!(counts(find(&profiles, name)), (0, 334), "{name}");
    }
}

#[test]
fn a_list_and_a_tree_allow_the_same() {
    let profiles = profiles();
    for name in ["docker", "podman"] {
        for suffix in ["", "-x86"] {
            let list = find(&profiles, &format!("{name}{suffix}"));
            let tree = find(&profiles, &format!("{name}-tree{suffix}"));
            assert_eq!(bits(list), bits(tree), "{name}{suffix}");
            assert_ne!(list.filters, tree.filters, "{name}{suffix}");
        }
    }
}

#[test]
fn every_profile_is_there() {
    let profiles = profiles();
    let systemd = profiles.iter().filter(|profile| profile.name.starts_with(SYSTEMD_PREFIX));
    let (all, x86): (Vec<_>, Vec<_>) = systemd.partition(|profile| profile.calls == Calls::All);
    assert!(all.len() >= 29 && all.len() == x86.len(), "{} and {} sets", all.len(), x86.len());
    for profile in all {
        let calls: Vec<Calls> = profile.filters.iter().map(|filter| filter.calls).collect();
        assert_eq!(calls, [Calls::X86, Calls::X32, Calls::X86_64], "{}", profile.name);
        let alone = find(&profiles, &format!("{}-x86", profile.name));
        assert_eq!(alone.filters, [profile.filters[0].clone()], "{}", profile.name);
    }
    // QEMU runs under its filter itself: other architectures are killed.
    assert_eq!(counts(find(&profiles, "qemu-sandbox-deny")), (400, 0));
    assert_eq!(find(&profiles, "qemu-sandbox-deny").filters[0].insns.len(), 129);
    assert_eq!(counts(find(&profiles, "qemu-sandbox-x86")).0, 0);
}

/// The call that attaches the next filter.
fn attach_call(abi: Abi) -> SeccompData {
    let (arch, nr) = match abi {
        Abi::Bits64 => (TableArch::X86_64, 317),
        Abi::Bits32 => (TableArch::Ia32, 354),
    };
    SeccompData { nr, arch: arch.audit(), args: [1, 0, 0x1000, 0, 0, 0], ..SeccompData::default() }
}

fn can_attach(chain: &[Vec<Insn>], abi: Abi) -> bool {
    let programs = chain::check(chain).unwrap();
    let older = programs.split_last().map_or(&[][..], |(_, older)| older);
    older.iter().all(|program| run(program, &attach_call(abi)) == action::ALLOW)
}

#[test]
fn every_chain_can_be_attached_where_it_is_asked_for() {
    let profiles = profiles();
    let mut several = 0;
    for (arch, abi) in [(Arch::X86_64, Abi::Bits64), (Arch::X86_64, Abi::Bits32), (Arch::I386, Abi::Bits32)] {
        for (name, chain) in chains(&profiles, arch, abi) {
            assert!(can_attach(&chain, abi), "{name} on {arch:?} by {abi:?}");
            several += usize::from(chain.len() > 1);
        }
    }
    assert!(several >= 58, "{several} chains of several filters");
    // The order matters: systemd's own is for 64 bits, and its filter for 32 bits forbids seccomp() there.
    let sync = find(&profiles, "systemd-sync");
    assert!(!can_attach(&sync.chain_for(Abi::Bits64), Abi::Bits32));
    assert!(!can_attach(&sync.chain_for(Abi::Bits32), Abi::Bits64));
}

#[test]
fn a_kernel_is_given_the_profiles_that_are_for_it() {
    let profiles = profiles();
    let names = |arch, abi| -> Vec<String> {
        chains(&profiles, arch, abi).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(Arch::X86_64, Abi::Bits64).len(), profiles.len());
    assert_eq!(names(Arch::X86_64, Abi::Bits32), names(Arch::X86_64, Abi::Bits64));
    let on_i386 = names(Arch::I386, Abi::Bits32);
    assert_eq!(on_i386.len() * 2, profiles.len());
    assert!(on_i386.iter().all(|name| name.ends_with("-x86")));
}

/// A profile in a folder of its own.
fn written(change: impl FnOnce(&mut Entry, &mut Vec<u8>)) -> (tempfile::TempDir, String) {
    let chain = request::Chain { id: 0, filters: vec![vec![Insn::load_nr(), Insn::ret(action::ALLOW)]] };
    let mut bytes = request::encode(&[chain]).unwrap();
    let mut entry = Entry {
        name: "one".into(),
        title: "One".into(),
        file: "one.chain".into(),
        sha256: digest(&bytes),
        calls: Calls::All,
        filters: vec![Calls::All],
        instructions: vec![2],
        source: "here".into(),
        unknown: Vec::new(),
    };
    change(&mut entry, &mut bytes);
    let package = Package { package: "libseccomp-dev".into(), version: "1".into() };
    let manifest = Manifest {
        command: COMMAND.into(),
        compiler: package.clone(),
        source: BTreeMap::from([("here".into(), package)]),
        profile: vec![entry],
    };
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(FOLDER);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("one.chain"), bytes).unwrap();
    fs::write(folder.join(MANIFEST), manifest.text().unwrap()).unwrap();
    assert_eq!(read_manifest(&folder).unwrap(), manifest);
    let told =
        read(root.path()).map_or_else(|error| crate::fault::describe(&error), |read| read[0].name.clone());
    (root, told)
}

#[test]
fn a_damaged_profile_is_told() {
    assert_eq!(written(|_, _| ()).1, "one");
    let renew = |entry: &mut Entry, bytes: &[u8]| entry.sha256 = digest(bytes);
    for (told, words) in [
        (written(|_, bytes| bytes[30] ^= 1).1, "its SHA-256 is "),
        (written(|entry, _| entry.file = "two.chain".into()).1, "two.chain"),
        (written(|entry, _| entry.instructions = vec![3]).1, "[2] instructions, not the [3]"),
        (written(|entry, _| entry.filters = vec![]).1, "names 0 filters"),
        (
            written(|entry, bytes| {
                bytes.pop();
                renew(entry, bytes);
            })
            .1,
            "the file ends too early",
        ),
        (
            // The last instruction returns no more.
            written(|entry, bytes| {
                let at = bytes.len() - 8;
                bytes[at] = 0x20;
                renew(entry, bytes);
            })
            .1,
            "the kernel refuses it",
        ),
    ] {
        assert!(told.contains(words) && told.contains("help: make the profiles again"), "{told}");
    }
}
