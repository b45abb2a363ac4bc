// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filters under which another one can be attached.

use crate::action::ALLOW;
use crate::insn::Insn;
use crate::program::Program;
use crate::sound::{Sound, decide};
use crate::tables::Arch;

use super::dice::Dice;

/// `seccomp()` on both architectures (`arch/x86/entry/syscalls/`).
pub const SECCOMP_CALLS: [(Arch, u32); 2] = [(Arch::X86_64, 317), (Arch::Ia32, 354)];

/// The longest of the guards that [`guarded`] puts in front.
pub(super) const GUARD_INSNS_MAX: usize = 8;

/// Whether a filter allows `seccomp()` on both architectures, whatever its arguments and wherever it is called from.
/// What cannot be decided counts as not allowed.
#[must_use]
pub fn lets_seccomp_through(program: &Program) -> bool {
    let program = std::slice::from_ref(program);
    SECCOMP_CALLS.iter().all(|(arch, nr)| decide(program, nr.cast_signed(), arch.audit()) == Sound::Allows)
}

/// Whether every filter that another one follows lets `seccomp()` through, up to the first that the kernel refuses: so
/// a chain is either attached, or refused for what is wrong with a filter.
#[must_use]
pub fn is_attachable(filters: &[Vec<Insn>]) -> bool {
    let older = filters.split_last().map_or(filters, |(_, older)| older);
    older.iter().map_while(|insns| Program::check(insns).ok()).all(|program| lets_seccomp_through(&program))
}

/// The filter with a guard in front that lets `seccomp()` through.
pub(super) fn guarded(dice: &mut Dice, body: Vec<Insn>) -> Vec<Insn> {
    let [(native, native_nr), (compat, compat_nr)] = SECCOMP_CALLS;
    let guard: &[Insn] = if dice.percent(50) {
        // Each number on both architectures.
        &[Insn::load_nr(), Insn::jeq(native_nr, 1, 0), Insn::jeq(compat_nr, 0, 1), Insn::ret(ALLOW)]
    } else {
        &[
            Insn::load_arch(),
            Insn::jeq(native.audit(), 0, 2),
            Insn::load_nr(),
            Insn::jeq(native_nr, 3, 4),
            Insn::jeq(compat.audit(), 0, 3),
            Insn::load_nr(),
            Insn::jeq(compat_nr, 0, 1),
            Insn::ret(ALLOW),
        ]
    };
    [guard, &body].concat()
}
