// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the CPUs of a guest are doing, from QEMU's `info registers -a`. Pure.

use std::sync::LazyLock;

use regex::Regex;

/// CPUs that are told of.
const CPUS_MAX: usize = 8;

/// The flag that says that interrupts are on.
const INTERRUPTS_ON: u64 = 0x200;

static PLACE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[RE]IP=([0-9a-f]+) [RE]?FLA?G?S?=([0-9a-f]+) .*\bHLT=(\d)").ok());

/// A line for each CPU: where it is, by the name that `place` has for an address. Where QEMU said something else,
/// that.
pub fn summary(said: &str, place: &dyn Fn(u64) -> Option<String>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut cpu = "0";
    for line in said.lines().map(str::trim) {
        if let Some(number) = line.strip_prefix("CPU#") {
            cpu = number;
        }
        let Some(found) = PLACE.as_ref().and_then(|pattern| pattern.captures(line)) else { continue };
        let number = |at: usize| u64::from_str_radix(&found[at], 16).unwrap_or(0);
        let (address, flags) = (number(1), number(2));
        let at = place(address).map_or(format!("{address:#x}"), |name| format!("{name} ({address:#x})"));
        let is_on = flags & INTERRUPTS_ON != 0;
        let what = match (&found[3] == "1", is_on) {
            (true, true) => "waits for an interrupt",
            (true, false) => "has halted, with interrupts off,",
            (false, true) => "runs",
            (false, false) => "runs with interrupts off",
        };
        lines.push(format!("at the deadline CPU {cpu} {what} at {at}"));
    }
    lines.truncate(CPUS_MAX);
    if lines.is_empty() {
        let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
        lines.push(format!("what the CPUs do at the deadline is not known: {first}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cpu_has_a_line() {
        let said = "\r\nCPU#0\r\nRAX=0000000000000001 RBX=0000000000000000\r\n\
            RIP=ffffffff811fa2d5 RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\n\r\nCPU#1\r\n\
            RIP=ffffffff81000010 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n";
        let place = |address: u64| (address == 0xffff_ffff_811f_a2d5).then(|| "stuck+0x5".to_owned());
        assert_eq!(
            summary(said, &place),
            [
                "at the deadline CPU 0 runs with interrupts off at stuck+0x5 (0xffffffff811fa2d5)",
                "at the deadline CPU 1 waits for an interrupt at 0xffffffff81000010",
            ]
        );
    }

    #[test]
    fn a_32_bit_cpu_has_one_too() {
        let said = "CPU#0\nEIP=c1003f2a EFL=00000202 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n";
        assert_eq!(summary(said, &|_| None), ["at the deadline CPU 0 runs at 0xc1003f2a"]);
    }

    #[test]
    fn what_is_no_register_is_told() {
        let lines = summary("QEMU's monitor hung up\n", &|_| None);
        assert_eq!(lines, ["what the CPUs do at the deadline is not known: QEMU's monitor hung up"]);
    }
}
