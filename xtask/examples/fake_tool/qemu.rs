// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fake QEMU with its guest: plays one scenario a boot.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use seccomp_oracle::answer::{self, Record};
use seccomp_oracle::cache::expected_dump;
use seccomp_oracle::chain;
use seccomp_oracle::dump::Dump;
use seccomp_oracle::request::{self, Chain};
use seccomp_oracle::tables::{Arch, Kernel};

use crate::measure::{self, Rule};
use crate::wire::{
    CHECK_NONE, CHECK_PLANT, DONE, END, HELLO, Job, KMSG, OUTPUT, PLANT, Port, START, read_job,
};
use crate::{folder, leave_sleeper, log_call, mark, say, sleep};

/// Bytes that the scenario `flood` sends.
const FLOOD_BYTES: usize = 200 << 20;

const PASSING: &str = "TAP version 13\n1..2\nok 1 global.one\nok 2 global.two\n";
const FAILING: &str =
    "TAP version 13\n1..2\nok 1 global.one\n# two.c:7: Expected 1 (1) == 2 (2)\nnot ok 2 global.two\n";
const SKIPPING: &str = "TAP version 13\n1..2\nok 1 global.one\nok 2 global.two # SKIP no hardware\n";
const UNFILLED: &str = "TAP version 13\n1..3\nok 1 global.one\nok 2 global.two\n";
const VANISHED: &str = "TAP version 13\n1..1\nok 1 global.one\n";

const PLANTED: &[&str] = &[
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 1 at drivers/misc/lkdtm/bugs.c:78 lkdtm_WARNING+0x1b/0x20",
    "CPU: 0 PID: 1 Comm: init Not tainted 5.10.0 #1",
    "RIP: 0010:lkdtm_WARNING+0x1b/0x20",
    "---[ end trace 0123456789abcdef ]---",
];
const FINDING: &[&str] = &[
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 77 at kernel/seccomp.c:711 seccomp_cache_prepare+0x1b/0x20",
    "CPU: 0 PID: 77 Comm: seccomp_bpf Not tainted 5.10.0 #1",
    "RIP: 0010:seccomp_cache_prepare+0x1b/0x20",
    "---[ end trace 0123456789abcdef ]---",
];
const PANIC: &[&str] = &[
    "BUG: kernel NULL pointer dereference, address: 0000000000000010",
    "RIP: 0010:seccomp_run_filters+0x21/0x90",
    "Kernel panic - not syncing: Fatal exception",
    "---[ end Kernel panic - not syncing: Fatal exception ]---",
];

/// Boots.
pub fn run(arguments: &[String]) -> std::io::Result<ExitCode> {
    if arguments.iter().any(|word| word == "--version") {
        say("QEMU emulator version 7.2.0 (fake)\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let after = |name: &str| arguments.iter().skip_while(|word| *word != name).nth(1).map(String::as_str);
    let accel = after("-accel").unwrap_or("");
    log_call(&format!("boot {accel}"))?;
    if accel == "kvm" {
        writeln!(std::io::stderr(), "qemu-system-x86_64: failed to initialize kvm: fake")?;
        return Ok(ExitCode::FAILURE);
    }
    let scenario = scenario()?;
    match scenario.as_str() {
        "exit-1" => {
            writeln!(std::io::stderr(), "qemu-system-x86_64: cannot set up guest memory: fake")?;
            return Ok(ExitCode::FAILURE);
        }
        "no-icount" if after("-icount").is_some() => {
            writeln!(std::io::stderr(), "qemu-system-x86_64: -icount: invalid option: fake")?;
            return Ok(ExitCode::FAILURE);
        }
        "no-hello" => {
            mark("qemu.waiting")?;
            return sleep();
        }
        _ => {}
    }
    let console = after("-chardev").and_then(|word| word.split_once("path=")).map_or("", |(_, path)| path);
    let job = read_job(&mut std::io::stdin().lock())?;
    let kernel = String::from_utf8_lossy(&fs::read(after("-kernel").unwrap_or(""))?).into_owned();
    let console = fs::File::create(Path::new(&console.replace(",,", ",")))?;
    let counted =
        after("-plugin").and_then(|word| word.split(',').find_map(|part| part.strip_prefix("out=")));
    let counted = counted.filter(|_| scenario != "no-plugin").map(PathBuf::from);
    let counted = counted.map(|out| (out, String::new(), 0));
    Guest { scenario, port: Port::default(), console, job, kernel, records: 0, counted }.live()
}

/// The line of this boot; the first boot that makes the file of a number has the number.
fn scenario() -> std::io::Result<String> {
    let text = fs::read_to_string(folder().join("qemu.scenario")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let is_mine = |at: &usize| {
        fs::OpenOptions::new().write(true).create_new(true).open(folder().join(format!("boot.{at}"))).is_ok()
    };
    let number = (0..10_000).find(is_mine).ok_or_else(|| std::io::Error::other("too many boots"))?;
    Ok(lines.get(number).or(lines.last()).map_or("good", |line| *line).to_owned())
}

struct Guest {
    scenario: String,
    port: Port,
    console: fs::File,
    job: Job,
    kernel: String,
    records: u64,
    /// Where the plugin writes, what, and how many sections that are.
    counted: Option<(PathBuf, String, usize)>,
}

impl Guest {
    fn plays(&self, scenario: &str) -> bool {
        self.scenario == scenario
    }

    fn live(mut self) -> std::io::Result<ExitCode> {
        let hello = format!("nonce {}\nrelease 5.10.0-fake\nmachine x86_64\nms 250\n", self.job.nonce);
        self.port.send(HELLO, CHECK_NONE, hello.as_bytes())?;
        self.log(CHECK_NONE, &["Linux version 5.10.0-fake", "Run /init as init process"])?;
        for (index, program) in (0..).zip(self.job.checks.clone()) {
            if let Some(early) = self.check(index, &program)? {
                return Ok(early);
            }
        }
        if !self.plays("no-plant") {
            self.log(CHECK_PLANT, PLANTED)?;
            self.port.send(PLANT, CHECK_PLANT, b"written\n")?;
        }
        self.end()
    }

    /// Runs a check; with an exit code if the guest ends here.
    fn check(&mut self, index: u16, program: &str) -> std::io::Result<Option<ExitCode>> {
        self.port.send(START, index, format!("{program}\n").as_bytes())?;
        let input = self.job.inputs.get(usize::from(index)).cloned().unwrap_or_default();
        let output = match request::decode(&input) {
            _ if input.starts_with(b"SLMQ") => self.measured(&input),
            Ok(chains) => self.dumps(&chains)?,
            Err(_) => match self.scenario.as_str() {
                "failing" | "failing-then-killed" | "failing-with-a-hole" => FAILING,
                "skipping" => SKIPPING,
                "unfilled" => UNFILLED,
                "vanished" => VANISHED,
                _ => PASSING,
            }
            .into(),
        };
        match self.scenario.as_str() {
            "hang" => {
                mark("qemu.waiting")?;
                return sleep().map(Some);
            }
            "crash" => {
                self.log(index, PANIC)?;
                return Ok(Some(ExitCode::SUCCESS));
            }
            "forged" => {
                // What a test can write to the console: results, and even an end record.
                let forged = format!("{PASSING}SLB1nonce {}\nchecks 1\nframes 9\n", self.job.nonce);
                self.console.write_all(forged.as_bytes())?;
                return Ok(Some(ExitCode::SUCCESS));
            }
            "truncated" => {
                let frame = self.port.frame(OUTPUT, index, &output);
                let mut out = std::io::stdout().lock();
                out.write_all(&frame[..frame.len() - 3])?;
                out.flush()?;
                return Ok(Some(ExitCode::SUCCESS));
            }
            "finding" => self.log(index, FINDING)?,
            _ => {}
        }
        self.port.send(OUTPUT, index, &output)?;
        let flooded = if self.plays("flood") { self.flood(index)? } else { 0 };
        let code = u8::from(self.scenario.starts_with("failing"));
        let done = format!("exit {code}\nms 5\nstdout {}\nstderr 0\nleftover 0\n", output.len() + flooded);
        self.port.send(DONE, index, done.as_bytes())?;
        match self.scenario.as_str() {
            "failing-then-killed" => std::process::abort(),
            "failing-with-a-hole" => self.records += 1,
            _ => {}
        }
        Ok(None)
    }

    /// What is measured, by the rule of the scenario.
    fn measured(&mut self, input: &[u8]) -> Vec<u8> {
        let rule = match self.scenario.as_str() {
            "runs-filters" => Rule::Run,
            "dearer" => Rule::Dearer,
            _ => Rule::Cached,
        };
        let first = self.counted.as_ref().map_or(0, |(_, _, count)| *count);
        let Some((answer, sections, count)) = measure::answer(input, 64, rule, first) else {
            return Vec::new();
        };
        if let Some(counted) = &mut self.counted {
            counted.1.push_str(&sections);
            counted.2 = count;
        }
        answer
    }

    /// Diagnostic lines without end.
    fn flood(&mut self, index: u16) -> std::io::Result<usize> {
        let lines = b"# a line that says nothing, but says it often\n".repeat(1400);
        let mut sent = 0;
        while sent < FLOOD_BYTES {
            self.port.send(OUTPUT, index, &lines)?;
            sent += lines.len();
        }
        Ok(sent)
    }

    fn end(mut self) -> std::io::Result<ExitCode> {
        let nonce = if self.plays("wrong-nonce") { "0".repeat(32) } else { self.job.nonce.clone() };
        let (checks, frames) = (self.job.checks.len(), self.port.frames());
        let end = format!("nonce {nonce}\nchecks {checks}\nframes {frames}\n");
        self.port.send(END, CHECK_NONE, end.as_bytes())?;
        match self.scenario.as_str() {
            "deaf" => return sleep(),
            "leaves-child" => leave_sleeper()?,
            _ => {}
        }
        // The guest goes when the lab hangs up.
        std::io::stdin().lock().read_to_end(&mut Vec::new())?;
        if let Some((out, sections, count)) = &self.counted {
            fs::write(out, format!("{sections}end {count}\n"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Kernel messages: as records on the port, and on the console.
    fn log(&mut self, tag: u16, lines: &[&str]) -> std::io::Result<()> {
        let mut records = String::new();
        for line in lines {
            records.push_str(&format!("4,{},{},-;{line}\n", self.records, 1000 + self.records));
            writeln!(self.console, "[    0.{:06}] {line}", 1000 + self.records)?;
            self.records += 1;
        }
        self.port.send(KMSG, tag, records.as_bytes())
    }

    /// What a kernel answers to chains: a correct one, one that takes number 20 for allowed, or one that does so in
    /// chains of several filters alone, and else never caches number 30.
    fn dumps(&self, chains: &[Chain]) -> std::io::Result<Vec<u8>> {
        let kernel = self.modelled();
        let mut answers = Vec::new();
        for Chain { id, filters } in chains {
            let (status, mut text) = match chain::check(filters) {
                Ok(programs) => (answer::Status::Dumped, expected_dump(&kernel, Some(&programs))),
                Err(refusal) => {
                    let filter = u16::try_from(refusal.filter).unwrap_or(u16::MAX);
                    (answer::Status::Refused { filter, errno: refusal.errno() }, String::new())
                }
            };
            if self.plays("wrong-bit") {
                text = text.replace("ia32 20 FILTER", "ia32 20 ALLOW");
            }
            if self.plays("forgets-or-lets-through") {
                text = match filters.len() {
                    1 => text.replace("ia32 30 ALLOW", "ia32 30 FILTER"),
                    _ => text.replace("ia32 20 FILTER", "ia32 20 ALLOW"),
                };
            }
            answers.push((*id, status, text));
        }
        let records: Vec<Record<'_>> = answers
            .iter()
            .map(|(id, status, text)| Record { id: *id, status: *status, dump: Dump::Text(text.as_bytes()) })
            .collect();
        answer::encode(&records).ok_or_else(|| std::io::Error::other("an answer that is too long"))
    }

    fn modelled(&self) -> Kernel {
        let line = |name: &str| self.kernel.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        let counts: Vec<u32> = line("tables ").split(' ').filter_map(|count| count.parse().ok()).collect();
        let (native, compat) = (counts.first().copied().unwrap_or(0), counts.get(1).copied().unwrap_or(0));
        match line("arch ") {
            "i386" => Kernel::native(Arch::Ia32, compat),
            _ => Kernel::native(Arch::X86_64, native).with_compat(Arch::Ia32, compat),
        }
    }
}
