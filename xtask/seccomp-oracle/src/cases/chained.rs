// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chains of more than one filter.

use super::{Case, both, counted};
use crate::action::{ALLOW, ERRNO, LOG};
use crate::insn::Insn;
use crate::tables::Arch;

const DENY: Insn = Insn::ret(ERRNO | 1);
const PASS: Insn = Insn::ret(ALLOW);

/// How many instructions the last filter of [`up_to_the_limit`] may have: 7 filters of 4096 cost 4104 each.
pub(super) const LAST_FILTER_MAX: usize = 4036;

pub(super) fn cases() -> Vec<Case> {
    let below = |limit| vec![Insn::load_nr(), Insn::jge(limit, 1, 0), DENY, PASS];
    let odd = vec![Insn::load_nr(), Insn::jset(1, 0, 1), DENY, PASS];
    let argument_below_10 = vec![Insn::load_nr(), Insn::jge(10, 1, 0), Insn::load_arg(2), PASS];
    let not_number = |nr| vec![Insn::load_nr(), Insn::jeq(nr, 0, 1), DENY, PASS];
    let log_below_20 = vec![Insn::load_nr(), Insn::jge(20, 1, 0), Insn::ret(LOG), PASS];
    let only_i386 = vec![Insn::load_arch(), Insn::jeq(Arch::Ia32.audit(), 0, 1), PASS, DENY];
    let i386 = Arch::Ia32.audit();
    let low_of_i386 =
        vec![Insn::load_arch(), Insn::jeq(i386, 0, 3), Insn::load_nr(), Insn::jge(20, 1, 0), DENY, PASS];
    let everything = vec![PASS];
    vec![
        both(
            "chain_of_two",
            "the first denies numbers below 10, the second odd ones",
            vec![below(10), odd],
            216,
        ),
        both(
            "chain_keeps_clear",
            "a second filter that allows everything sets no bit again",
            vec![below(50), everything.clone()],
            391,
        ),
        both(
            "chain_clears_later",
            "a first filter that allows everything keeps no bit",
            vec![everything.clone(), below(50)],
            391,
        ),
        both(
            "chain_argument_first",
            "an argument in the first filter, nothing in the second",
            vec![argument_below_10.clone(), everything.clone()],
            431,
        ),
        both(
            "chain_mixed",
            "one filter loads an argument below 10, one logs below 20, one denies number 200",
            vec![argument_below_10, log_below_20, not_number(200)],
            420,
        ),
        counted(
            "chain_architecture_first",
            "the first denies i386's numbers below 20, the second allows everything",
            vec![low_of_i386, everything.clone()],
            441,
            421,
        ),
        counted(
            "chain_architecture_last",
            "numbers in the first filter, the architecture in the second",
            vec![below(50), only_i386],
            0,
            391,
        ),
        both(
            "chain_of_eight",
            "eight filters deny a number each",
            (0..8).map(|n| not_number(3 * n)).collect(),
            433,
        ),
        both(
            "chain_at_limit",
            "32768 instructions in all, as the kernel counts them: the most that it takes",
            up_to_the_limit(LAST_FILTER_MAX),
            441,
        ),
    ]
}

/// Seven filters of 4096 instructions and one of `last`, which all jump to their end at once.
pub(super) fn up_to_the_limit(last: usize) -> Vec<Vec<Insn>> {
    let mut filters = vec![jump_to_end(4096); 7];
    filters.push(jump_to_end(last));
    filters
}

/// A filter of `len` instructions that counts `len` + 4 and carries out two.
fn jump_to_end(len: usize) -> Vec<Insn> {
    let mut filter = vec![Insn::load_nr(); len];
    filter[0] = Insn::ja(u32::try_from(len - 2).unwrap_or_default());
    filter[len - 1] = PASS;
    filter
}
