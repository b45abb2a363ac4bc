// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's watchdogs until init runs, as words of its command line. Pure.
//!
//! The order is RCU, soft lockups, tasks that hang, the lab's own deadline: the first that speaks knows most. Once
//! init runs it sets all of them by how long the boot took: `guest/init/watchdogs.c`.

/// Seconds after which RCU tells of a CPU that it waits for.
const RCU_S: u32 = 8;

/// Half the seconds after which a soft lockup is told.
const LOCKUP_S: u32 = 5;

/// The words, for a kernel that is so many times slower than a plain one.
pub fn words(slower: u32) -> String {
    format!("rcupdate.rcu_cpu_stall_timeout={} watchdog_thresh={}", RCU_S * slower, LOCKUP_S * slower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_kernel_has_more_time() {
        assert_eq!(words(1), "rcupdate.rcu_cpu_stall_timeout=8 watchdog_thresh=5");
        assert_eq!(words(4), "rcupdate.rcu_cpu_stall_timeout=32 watchdog_thresh=20");
    }

    /// What init sets must be what was set at boot, or a plain boot changes them.
    #[test]
    fn init_has_the_same_numbers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/init/watchdogs.c");
        let text = fs_err::read_to_string(path).unwrap();
        let number = |name: &str| -> u32 {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("#define {name}\t"))).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        assert_eq!((number("RCU_S"), number("LOCKUP_S")), (RCU_S, LOCKUP_S));
        let (rcu, lockup, hung, all) =
            (number("RCU_S"), number("LOCKUP_S"), number("HUNG_S"), number("ALL_S"));
        assert!(rcu < 2 * lockup && 2 * lockup + 2 * lockup / 5 < hung && hung < all);
    }
}
