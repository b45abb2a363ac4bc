// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whole opcodes of classic BPF (`include/uapi/linux/bpf_common.h`, `filter.h`): class, size, mode, operation and
//! source added up. Only those that seccomp admits and that more than one module names.

pub(crate) const LD_IMM: u16 = 0x00;
pub(crate) const LD_W_ABS: u16 = 0x20;
pub(crate) const LD_MEM: u16 = 0x60;
pub(crate) const LD_W_LEN: u16 = 0x80;
pub(crate) const LDX_IMM: u16 = 0x01;
pub(crate) const LDX_MEM: u16 = 0x61;
pub(crate) const LDX_W_LEN: u16 = 0x81;
pub(crate) const ST: u16 = 0x02;
pub(crate) const STX: u16 = 0x03;
pub(crate) const AND_K: u16 = 0x54;
pub(crate) const NEG: u16 = 0x84;
pub(crate) const JA: u16 = 0x05;
pub(crate) const JEQ_K: u16 = 0x15;
pub(crate) const JGT_K: u16 = 0x25;
pub(crate) const JGE_K: u16 = 0x35;
pub(crate) const JSET_K: u16 = 0x45;
pub(crate) const RET_K: u16 = 0x06;
pub(crate) const RET_A: u16 = 0x16;
pub(crate) const TAX: u16 = 0x07;
pub(crate) const TXA: u16 = 0x87;

/// `BPF_ALU`: the class of arithmetic; operation in the high nibble, source in bit 3.
pub(crate) const CLASS_ALU: u16 = 0x04;
/// `BPF_JMP`: the class of jumps; laid out like [`CLASS_ALU`].
pub(crate) const CLASS_JMP: u16 = 0x05;
/// `BPF_X`: the operand is the index register instead of the constant.
pub(crate) const SOURCE_X: u16 = 0x08;
