// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: QEMU's argument list. Pure.

use std::path::PathBuf;

use crate::lab::kernel::{Arch, Machine};

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// The host's CPU.
    Kvm,
    /// Emulation.
    Tcg,
}

impl Accel {
    /// The word for it, as in `run.json` and on QEMU's command line.
    pub fn word(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }
}

/// Where the guest's serial console goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Console {
    /// Into a file; the results port is on QEMU's standard input and output.
    File(PathBuf),
    /// On the terminal, for a person.
    Terminal,
}

/// Whether the machine waits for a debugger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debugger {
    /// It runs.
    Off,
    /// It stops before the first instruction until gdb says so, on this TCP port of the host.
    Wait(u16),
}

/// What the guest's time is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clock {
    /// The host's time.
    Host,
    /// Instructions of the guest, a nanosecond each: emulation only, one CPU.
    Instructions(Counter),
}

/// The plugin of QEMU's that counts instructions between marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The plugin.
    pub plugin: PathBuf,
    /// Where it writes.
    pub out: PathBuf,
    /// Whether it tells the instructions apart by their addresses.
    pub by_address: bool,
    /// Where interrupts enter the kernel: their handlers are not counted.
    pub interrupts: Vec<u64>,
}

/// One boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The architecture, which decides the program.
    pub arch: Arch,
    /// The kernel: a vmlinux with a PVH entry, or a bzImage.
    pub kernel: PathBuf,
    /// The initramfs.
    pub image: PathBuf,
    /// The machine.
    pub machine: Machine,
    /// What runs it.
    pub accel: Accel,
    /// Where its console goes.
    pub console: Console,
    /// Whether it waits for a debugger.
    pub debugger: Debugger,
    /// More words for the kernel.
    pub append: String,
    /// What its time is made of.
    pub clock: Clock,
}

impl Boot {
    /// The kernel's command line. Never `quiet`: a finding must be able to show.
    pub fn kernel_command_line(&self) -> String {
        let words = [
            "console=ttyS0",
            "loglevel=7",
            "printk.devkmsg=on",
            "panic=-1",
            "reboot=t",
            "random.trust_cpu=on",
            // The test of the timer counts ticks: on a busy host a good machine fails it, and panics.
            "no_timer_check",
            &self.machine.append,
            &self.append,
            match self.clock {
                // Addresses are those of the vmlinux, and those of programs the same at each boot.
                Clock::Instructions(_) => "nokaslr norandmaps",
                Clock::Host => "",
            },
        ];
        words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ")
    }

    /// QEMU's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let cpu = match self.accel {
            Accel::Kvm => "host",
            Accel::Tcg => &self.machine.cpu,
        };
        let mut arguments: Vec<String> = [
            "-no-user-config",
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-machine",
            &self.machine.machine,
            "-accel",
            self.accel.word(),
            "-cpu",
            cpu,
        ]
        .map(str::to_owned)
        .into();
        let mut pair = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        let cpus = match self.clock {
            Clock::Host => self.machine.cpus,
            Clock::Instructions(_) => 1,
        };
        pair("-smp", cpus.to_string());
        pair("-m", self.machine.memory_mib.to_string());
        pair("-kernel", self.kernel.to_string_lossy().into_owned());
        pair("-initrd", self.image.to_string_lossy().into_owned());
        pair("-append", self.kernel_command_line());
        match &self.console {
            Console::File(path) => {
                // A comma in a path is doubled, or QEMU takes the rest for an option.
                let path = path.to_string_lossy().replace(',', ",,");
                pair("-chardev", format!("file,id=console,path={path}"));
                pair("-serial", "chardev:console".to_owned());
                pair("-chardev", "stdio,id=results,signal=off".to_owned());
                pair("-device", "virtio-serial-device".to_owned());
                pair("-device", "virtserialport,chardev=results,name=lab.results".to_owned());
            }
            Console::Terminal => {
                pair("-chardev", "stdio,id=console,signal=off,mux=on".to_owned());
                pair("-serial", "chardev:console".to_owned());
                pair("-mon", "chardev=console,mode=readline".to_owned());
            }
        }
        if let Clock::Instructions(counter) = &self.clock {
            counter.arguments(&mut pair);
        }
        if let Debugger::Wait(port) = self.debugger {
            pair("-gdb", format!("tcp:127.0.0.1:{port}"));
            arguments.push("-S".to_owned());
        }
        arguments
    }
}

impl Counter {
    fn arguments(&self, pair: &mut dyn FnMut(&str, String)) {
        let path = |path: &PathBuf| path.to_string_lossy().replace(',', ",,");
        // Where the guest waits, its clock goes with the host's: init waits for the host.
        pair("-icount", "shift=0,sleep=on".to_owned());
        pair("-seed", "1".to_owned());
        pair("-rtc", "base=2026-01-01T00:00:00,clock=vm".to_owned());
        let profile = if self.by_address { "on" } else { "off" };
        let entries: Vec<String> = self.interrupts.iter().map(|address| format!("{address:x}")).collect();
        let entries = entries.join("+");
        let (plugin, out) = (path(&self.plugin), path(&self.out));
        let plugin = format!("file={plugin},out={out},profile={profile},interrupts={entries}");
        pair("-plugin", plugin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn boot() -> Boot {
        Boot {
            arch: Arch::X86_64,
            kernel: "/c/vmlinux".into(),
            image: "/c/initramfs".into(),
            machine: Machine {
                machine: "microvm".into(),
                cpu: "max".into(),
                cpus: 2,
                memory_mib: 512,
                append: "nokaslr".into(),
            },
            accel: Accel::Tcg,
            console: Console::File("/r/a,b/console.log".into()),
            debugger: Debugger::Off,
            append: String::new(),
            clock: Clock::Host,
        }
    }

    #[test]
    fn the_whole_command_line() {
        expect![[r#"
            -no-user-config -nodefaults -no-reboot -display none -machine microvm -accel tcg -cpu max -smp 2 -m 512 -kernel /c/vmlinux -initrd /c/initramfs -append console=ttyS0 loglevel=7 printk.devkmsg=on panic=-1 reboot=t random.trust_cpu=on no_timer_check nokaslr -chardev file,id=console,path=/r/a,,b/console.log -serial chardev:console -chardev stdio,id=results,signal=off -device virtio-serial-device -device virtserialport,chardev=results,name=lab.results"#]]
        .assert_eq(&boot().arguments().join(" "));
    }

    #[test]
    fn the_log_can_always_show_a_finding() {
        let line = boot().kernel_command_line();
        assert!(line.contains("loglevel=7") && !line.contains("quiet"), "{line}");
    }

    /// A guest reaches neither a network nor files of the host, but those that are named here.
    #[test]
    fn nothing_of_the_host_is_in_the_guest() {
        let boots = [
            boot(),
            Boot { accel: Accel::Kvm, arch: Arch::I386, ..boot() },
            Boot { console: Console::Terminal, debugger: Debugger::Wait(1234), ..boot() },
            // Whatever the kernel is told is one word of QEMU's.
            Boot { append: "-netdev user,id=n -drive file=/etc/passwd".into(), ..boot() },
        ];
        for boot in boots {
            let arguments = boot.arguments();
            assert!(
                ["-nodefaults", "-no-user-config"].iter().all(|word| arguments.iter().any(|a| a == word))
            );
            let mut at = 0;
            while let Some(flag) = arguments.get(at) {
                let value = arguments.get(at + 1).map_or("", String::as_str);
                at += match (flag.as_str(), value) {
                    ("-no-user-config" | "-nodefaults" | "-no-reboot" | "-S", _) => 1,
                    ("-display" | "-machine" | "-accel" | "-cpu" | "-smp" | "-m", _) => 2,
                    ("-kernel" | "-initrd" | "-append", _) => 2,
                    ("-serial", "chardev:console") | ("-mon", "chardev=console,mode=readline") => 2,
                    ("-gdb", at) if at.starts_with("tcp:127.0.0.1:") => 2,
                    ("-chardev", to) if to.starts_with("stdio,") || to.starts_with("file,id=console,") => 2,
                    ("-device", "virtio-serial-device") => 2,
                    ("-device", "virtserialport,chardev=results,name=lab.results") => 2,
                    (flag, value) => panic!("{flag} {value}: what does it give to the guest?"),
                };
            }
            assert!(!arguments.iter().any(|word| word.starts_with("-net") || word.starts_with("-nic")));
        }
    }

    #[test]
    fn a_counted_guest_has_one_cpu_and_the_plugin() {
        let counter = Counter {
            plugin: "/c/count.so".into(),
            out: "/r/a,b.txt".into(),
            by_address: false,
            interrupts: vec![0x10, 0x20],
        };
        let words = Boot { clock: Clock::Instructions(counter), ..boot() }.arguments().join(" ");
        for part in [
            "-smp 1 ",
            "-icount shift=0,sleep=on -seed 1 -rtc base=2026-01-01T00:00:00,clock=vm",
            "-plugin file=/c/count.so,out=/r/a,,b.txt,profile=off,interrupts=10+20",
        ] {
            assert!(words.contains(part), "{words}");
        }
    }

    #[test]
    fn kvm_gets_the_hosts_cpu() {
        let words = Boot { accel: Accel::Kvm, ..boot() }.arguments().join(" ");
        assert!(words.contains("-accel kvm -cpu host"), "{words}");
    }
}
