// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fake make: configs, kernels and headers, as far as the lab looks at them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};
use seccomp_oracle::tables::{Arch, count_from_tbl};

use crate::{folder, leave_sleeper, log_call, mark, say, sleep, wait_for};

const COMPILE_ERROR: &str = "  CC      kernel/seccomp.o
kernel/seccomp.c: In function 'seccomp_run_filters':
kernel/seccomp.c:12:2: error: 'sd' undeclared (first use in this function)
   12 |  sd->nr = 0;
make[1]: *** [scripts/Makefile.build:280: kernel/seccomp.o] Error 1
make: *** [Makefile:1806: kernel] Error 2
";

const DISK_FULL: &str = "  CC      kernel/seccomp.o
/tmp/ccX.s: Assembler messages:
/tmp/ccX.s: Fatal error: cannot write kernel/seccomp.o: No space left on device
make[1]: *** [scripts/Makefile.build:280: kernel/seccomp.o] Error 1
";

/// Makes.
pub fn run(arguments: &[String]) -> std::io::Result<ExitCode> {
    if arguments.iter().any(|word| word == "--version") {
        say("GNU Make (fake) 4.3\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let value = |name: &str| arguments.iter().find_map(|word| word.strip_prefix(name));
    let output = PathBuf::from(value("O=").unwrap_or("."));
    let arch = value("ARCH=").unwrap_or("");
    let target = arguments.last().map_or("", String::as_str);
    log_call(&format!("make {target} {arch}"))?;
    match target {
        "tinyconfig" => fs::write(output.join(".config"), "CONFIG_BASE=y\n")?,
        "olddefconfig" => old_def_config(&output.join(".config"))?,
        "vmlinux" => return vmlinux(&output, arch),
        "bzImage" => {
            let made = vmlinux(&output, arch)?;
            let (linked, folder) = (output.join("vmlinux"), output.join("arch/x86/boot"));
            if linked.is_file() {
                fs::create_dir_all(&folder)?;
                let mut image = fs::read(linked)?;
                // What unpacks a kernel is no part of it.
                image.extend(fs::read("arch/x86/boot/header.S").unwrap_or_default());
                fs::write(folder.join("bzImage"), image)?;
            }
            return Ok(made);
        }
        "headers_install" => {
            let headers = Path::new(value("INSTALL_HDR_PATH=").unwrap_or(".")).join("include/linux");
            fs::create_dir_all(&headers)?;
            fs::write(headers.join("seccomp.h"), "/* fake */\n")?;
        }
        other => return Err(std::io::Error::other(format!("no rule to make {other}"))),
    }
    Ok(ExitCode::SUCCESS)
}

/// The last word on each symbol counts; those that `fake.drop` names are lost.
fn old_def_config(path: &Path) -> std::io::Result<()> {
    let text = fs::read_to_string(path)?;
    let mut symbols = BTreeMap::new();
    for line in text.lines() {
        let unset = line.strip_prefix("# CONFIG_").and_then(|rest| rest.strip_suffix(" is not set"));
        let set = line.strip_prefix("CONFIG_").and_then(|rest| rest.split_once('='));
        if let Some((name, value)) = unset.map(|name| (name, "n")).or(set) {
            symbols.insert(name, value);
        }
    }
    let dropped = fs::read_to_string("fake.drop").unwrap_or_default();
    for name in dropped.lines() {
        symbols.remove(name);
    }
    let line = |(name, value): (&&str, &&str)| match *value {
        "n" => format!("# CONFIG_{name} is not set\n"),
        value => format!("CONFIG_{name}={value}\n"),
    };
    fs::write(path, symbols.iter().map(line).collect::<String>())
}

fn vmlinux(output: &Path, arch: &str) -> std::io::Result<ExitCode> {
    let of_tree = fs::read_to_string("fake.make");
    let scenario = of_tree.or_else(|_| fs::read_to_string(folder().join("make.scenario")));
    let failed = |text: &str| say(text).map(|()| ExitCode::from(2));
    match scenario.unwrap_or_default().trim() {
        "compile-error" => return failed(COMPILE_ERROR),
        "disk-full" => return failed(DISK_FULL),
        "silent" => return failed(""),
        "wait" => {
            mark("make.waiting")?;
            wait_for(&folder().join("make.go"))?;
        }
        "hang" => {
            // What a killed compiler leaves: half an object that is newer than its source.
            fs::create_dir_all(output.join("kernel"))?;
            fs::write(output.join("kernel/seccomp.o"), "hal")?;
            leave_sleeper()?;
            mark("make.waiting")?;
            return sleep();
        }
        _ => {}
    }
    link(output, arch, &compile(output)?)?;
    Ok(ExitCode::SUCCESS)
}

/// As make does it: an object is made where its source is newer.
fn compile(output: &Path) -> std::io::Result<String> {
    let mut objects = String::new();
    let mut sources: Vec<PathBuf> =
        fs::read_dir("kernel")?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    sources.sort();
    fs::create_dir_all(output.join("kernel"))?;
    for source in sources.iter().filter(|source| source.extension().is_some_and(|end| end == "c")) {
        let object = source.with_extension("o");
        let made = output.join(&object);
        let changed = fs::metadata(source)?.modified()?;
        let is_new = fs::metadata(&made).and_then(|made| made.modified()).is_ok_and(|made| made >= changed);
        if !is_new {
            log_call(&format!("cc {}", object.display()))?;
            say(&format!("  CC      {}\n", object.display()))?;
            fs::write(&made, format!("object of {}", fs::read_to_string(source)?))?;
        }
        objects.push_str(&fs::read_to_string(made)?);
    }
    Ok(objects)
}

/// What the lab must know of a kernel whose instructions are counted.
fn timer_entry(section: SymbolSection) -> Symbol {
    Symbol {
        name: b"asm_sysvec_apic_timer_interrupt".to_vec(),
        value: 0,
        size: 1,
        kind: SymbolKind::Text,
        scope: SymbolScope::Linkage,
        weak: false,
        section,
        flags: SymbolFlags::None,
    }
}

/// The kernel holds what the fake guest must know of it.
fn link(output: &Path, arch: &str, objects: &str) -> std::io::Result<()> {
    say("  LD      vmlinux\n")?;
    let count = |bits: u32, arch| {
        let table = fs::read_to_string(format!("arch/x86/entry/syscalls/syscall_{bits}.tbl"));
        count_from_tbl(&table.unwrap_or_default(), arch).unwrap_or(0)
    };
    let (native, compat) = (count(64, Arch::X86_64), count(32, Arch::Ia32));
    let is_code = |line: &&str| !line.starts_with("/*");
    let code: Vec<&str> = objects.lines().filter(is_code).collect();
    let code = format!("\narch {arch}\ntables {native} {compat}\n{}\n", code.join("\n"));
    let machine = if arch == "i386" { Architecture::I386 } else { Architecture::X86_64 };
    let mut elf = Object::new(BinaryFormat::Elf, machine, Endianness::Little);
    // As of a compiler: what is no code is in what debuggers read, and changes nothing that is loaded.
    for (name, kind, bytes) in
        [(".text", SectionKind::Text, code.as_str()), (".debug_line", SectionKind::Debug, objects)]
    {
        let section = elf.add_section(Vec::new(), name.into(), kind);
        elf.append_section_data(section, bytes.as_bytes(), 1);
        if kind == SectionKind::Text {
            elf.add_symbol(timer_entry(SymbolSection::Section(section)));
        }
    }
    fs::write(output.join("vmlinux"), elf.write().map_err(std::io::Error::other)?)
}
