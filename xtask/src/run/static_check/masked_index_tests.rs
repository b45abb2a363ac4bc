// SPDX-License-Identifier: MIT OR Apache-2.0
//! Machine code by hand, with and without the mask.

use iced_x86::{Decoder, DecoderOptions};

use super::super::machine_code::Function;
use super::{Known, follow};

/// A function of these instructions.
pub(in crate::run::static_check) fn function(bits: u32, pieces: &[&[u8]]) -> Function {
    let bytes = pieces.concat();
    let decoder = Decoder::with_ip(bits, &bytes, 0x1000, DecoderOptions::NONE);
    Function { name: "f".into(), code: decoder.into_iter().collect() }
}

const CMP_EDX_SIZE: &[u8] = &[0x81, 0xfa, 0xb9, 0x01, 0x00, 0x00];
const SBB_EAX_EAX: &[u8] = &[0x19, 0xc0];
const AND_EAX_EDX: &[u8] = &[0x21, 0xd0];
const BT_MEM_EAX: &[u8] = &[0x0f, 0xa3, 0x45, 0x38];
const BT_MEM_EDX: &[u8] = &[0x0f, 0xa3, 0x55, 0x38];
const MOV_EAX_EDX: &[u8] = &[0x89, 0xd0];
const RET: &[u8] = &[0xc3];
const NEG_EAX: &[u8] = &[0xf7, 0xd8];

/// The size in [`CMP_EDX_SIZE`].
const SIZES: &[u64] = &[0x1b9];

fn masked(pieces: &[&[u8]]) -> Vec<bool> {
    let one = |bits| {
        let seen = follow(&function(bits, pieces), &Known::default(), SIZES);
        seen.tests.iter().map(|test| test.is_masked).collect::<Vec<_>>()
    };
    assert_eq!(one(32), one(64));
    one(64)
}

#[test]
fn an_index_is_masked_by_and_with_what_cmp_and_sbb_leave() {
    assert_eq!(masked(&[CMP_EDX_SIZE, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET]), [true]);
}

#[test]
fn without_any_one_of_the_three_it_is_not() {
    assert_eq!(masked(&[CMP_EDX_SIZE, MOV_EAX_EDX, BT_MEM_EAX, RET]), [false]);
    assert_eq!(masked(&[CMP_EDX_SIZE, SBB_EAX_EAX, BT_MEM_EAX, RET]), [false]);
    assert_eq!(masked(&[NEG_EAX, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET]), [false]);
    // The mask is made, and the test takes the index as it was, or overwrites the masked one.
    assert_eq!(masked(&[CMP_EDX_SIZE, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EDX, RET]), [false]);
    assert_eq!(masked(&[CMP_EDX_SIZE, SBB_EAX_EAX, AND_EAX_EDX, MOV_EAX_EDX, BT_MEM_EAX, RET]), [false]);
}

/// As [`masked`], where the code is 64-bit only.
fn masked_64(pieces: &[&[u8]]) -> Vec<bool> {
    let seen = follow(&function(64, pieces), &Known::default(), SIZES);
    seen.tests.iter().map(|test| test.is_masked).collect()
}

#[test]
fn a_mask_of_another_size_bounds_nothing() {
    for size in [[0xff, 0xff, 0xff, 0x7f], [0xba, 0x01, 0, 0], [0xb8, 0x01, 0, 0], [0x40, 0x6e, 0, 0]] {
        let cmp_edx = [&[0x81, 0xfa][..], &size].concat();
        assert_eq!(masked(&[&cmp_edx, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET]), [false], "{size:?}");
    }
    // cmp edx, ecx: it may be anything, unless the code put the size there.
    let (cmp_edx_ecx, mov_ecx_size): (&[u8], &[u8]) = (&[0x39, 0xca], &[0xb9, 0xb9, 0x01, 0x00, 0x00]);
    let rest = [cmp_edx_ecx, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET];
    assert_eq!(masked(&rest), [false]);
    assert_eq!(masked(&[&[mov_ecx_size][..], &rest].concat()), [true]);
    let mov_ecx_other: &[u8] = &[0xb9, 0xba, 0x01, 0x00, 0x00];
    assert_eq!(masked(&[&[mov_ecx_other][..], &rest].concat()), [false]);
    // ja over one of two different ones.
    let over_mov: &[u8] = &[0x77, 0x05];
    let two = [mov_ecx_other, over_mov, mov_ecx_size];
    assert_eq!(masked(&[&two[..], &rest].concat()), [false]);
}

#[test]
fn a_mask_of_another_value_masks_nothing() {
    // and eax, ecx: the mask was made for edx.
    let and_eax_ecx: &[u8] = &[0x21, 0xc8];
    assert_eq!(masked(&[CMP_EDX_SIZE, SBB_EAX_EAX, and_eax_ecx, BT_MEM_EAX, RET]), [false]);
    // mov ecx, edx before or after the comparison: it is the value that counts, not the register.
    let mov_ecx_edx: &[u8] = &[0x89, 0xd1];
    assert_eq!(masked(&[mov_ecx_edx, CMP_EDX_SIZE, SBB_EAX_EAX, and_eax_ecx, BT_MEM_EAX, RET]), [true]);
    assert_eq!(masked(&[CMP_EDX_SIZE, SBB_EAX_EAX, mov_ecx_edx, and_eax_ecx, BT_MEM_EAX, RET]), [true]);
    // add edx, 1 between: it is another value.
    let add_edx_1: &[u8] = &[0x83, 0xc2, 0x01];
    assert_eq!(masked(&[CMP_EDX_SIZE, SBB_EAX_EAX, add_edx_1, AND_EAX_EDX, BT_MEM_EAX, RET]), [false]);
    // ... and the copy is still the one that was compared.
    let begin = [mov_ecx_edx, CMP_EDX_SIZE, SBB_EAX_EAX, add_edx_1];
    assert_eq!(masked(&[&begin[..], &[and_eax_ecx, BT_MEM_EAX, RET]].concat()), [true]);
}

#[test]
fn the_comparison_may_take_the_extended_index_and_lose_it() {
    // movsxd rax, edx; cmp rax, 441; sbb rax, rax; and edx, eax; bt [rbp+56], edx
    let (extend, cmp, sbb): (&[u8], &[u8], &[u8]) =
        (&[0x48, 0x63, 0xc2], &[0x48, 0x3d, 0xb9, 0x01, 0, 0], &[0x48, 0x19, 0xc0]);
    let and_edx_eax: &[u8] = &[0x21, 0xc2];
    assert_eq!(masked_64(&[extend, cmp, sbb, and_edx_eax, BT_MEM_EDX, RET]), [true]);
    let extend_other: &[u8] = &[0x48, 0x63, 0xc1];
    assert_eq!(masked_64(&[extend_other, cmp, sbb, and_edx_eax, BT_MEM_EDX, RET]), [false]);
}

#[test]
fn flags_are_those_of_the_comparison_on_every_path() {
    // xor ecx, ecx takes the carry flag away, mov leaves it.
    let (xor_ecx, mov_ecx_eax): (&[u8], &[u8]) = (&[0x31, 0xc9], &[0x89, 0xc1]);
    assert_eq!(masked(&[CMP_EDX_SIZE, xor_ecx, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET]), [false]);
    assert_eq!(masked(&[CMP_EDX_SIZE, mov_ecx_eax, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET]), [true]);
    // js over the comparison, to sbb.
    let over_cmp: &[u8] = &[0x78, 0x06];
    assert_eq!(masked(&[over_cmp, CMP_EDX_SIZE, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET]), [false]);
}

#[test]
fn a_path_around_the_mask_takes_it_away() {
    // ja jumps over sbb and AND, right to the test.
    let over_mask: &[u8] = &[0x77, 0x04];
    assert_eq!(
        masked(&[CMP_EDX_SIZE, over_mask, SBB_EAX_EAX, AND_EAX_EDX, BT_MEM_EAX, RET]),
        [false],
        "the jump reaches the test without the mask"
    );
}

#[test]
fn the_mask_survives_copies_spills_and_calls() {
    let (push, pop): (&[u8], &[u8]) = (&[0x89, 0x45, 0x10], &[0x8b, 0x4d, 0x10]);
    let bt_mem_ecx: &[u8] = &[0x0f, 0xa3, 0x4b, 0x38];
    let call: &[u8] = &[0xe8, 0x00, 0x01, 0x00, 0x00];
    let begin = [CMP_EDX_SIZE, SBB_EAX_EAX, AND_EAX_EDX];
    assert_eq!(masked(&[&begin[..], &[push, call, pop, bt_mem_ecx, RET]].concat()), [true]);
    // Without the spill the call takes it.
    assert_eq!(masked(&[&begin[..], &[call, BT_MEM_EAX, RET]].concat()), [false]);
    // What is known goes into a called function.
    let caller = function(64, &[&begin[..], &[call, RET]].concat());
    let seen = follow(&caller, &Known::default(), SIZES);
    let callee = function(64, &[BT_MEM_EAX, RET]);
    assert!(follow(&callee, &seen.calls[0].1, SIZES).tests[0].is_masked);
    assert!(!follow(&callee, &Known::default(), SIZES).tests[0].is_masked);
}

#[test]
fn tests_of_static_masks_and_constant_bits_are_not_the_index_of_anybody() {
    // bt [rip/disp32], eax and bt dword [ebp+8], 5
    let of_static: &[u8] = &[0x0f, 0xa3, 0x05, 0x00, 0x10, 0x00, 0x00];
    let constant: &[u8] = &[0x0f, 0xba, 0x65, 0x08, 0x05];
    assert_eq!(masked(&[of_static, constant, RET]), [] as [bool; 0]);
}

#[test]
fn a_register_that_holds_a_constant_is_no_index_of_anybody() {
    let mov_eax_2: &[u8] = &[0xb8, 0x02, 0x00, 0x00, 0x00];
    assert_eq!(masked(&[mov_eax_2, BT_MEM_EAX, RET]), [false; 0]);
    assert_eq!(masked(&[mov_eax_2, NEG_EAX, BT_MEM_EAX, RET]), [false]);
    // A constant is no mask: AND with it bounds nothing that is known.
    assert_eq!(masked(&[mov_eax_2, AND_EAX_EDX, BT_MEM_EAX, RET]), [false]);
    // A constant on one path only: what the other brings decides.
    let over_mov: &[u8] = &[0x77, 0x05];
    let begin = [CMP_EDX_SIZE, SBB_EAX_EAX, AND_EAX_EDX, CMP_EDX_SIZE, over_mov, mov_eax_2];
    assert_eq!(masked(&[&begin[..], &[BT_MEM_EAX, RET]].concat()), [true]);
    assert_eq!(masked(&[MOV_EAX_EDX, CMP_EDX_SIZE, over_mov, mov_eax_2, BT_MEM_EAX, RET]), [false]);
}
