// SPDX-License-Identifier: MIT OR Apache-2.0
//! One instruction of classic BPF: `struct sock_filter` (`include/uapi/linux/filter.h`), and its meaning.

use crate::data;
use crate::opcode;

/// An instruction as the kernel takes it, valid or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Insn {
    /// The whole opcode.
    pub code: u16,
    /// How many instructions a conditional jump skips where its test holds.
    pub jt: u8,
    /// How many instructions a conditional jump skips where its test does not hold.
    pub jf: u8,
    /// The constant: an operand, an offset, an index or a distance.
    pub k: u32,
}

/// The accumulator or the index register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Register {
    /// The accumulator.
    A,
    /// The index register.
    X,
}

/// The second operand of arithmetic and of tests; the first one is the accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The constant in the instruction.
    K(u32),
    /// The index register.
    X,
}

/// Arithmetic with two operands that seccomp admits: not `MOD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `BPF_ADD`.
    Add,
    /// `BPF_SUB`.
    Sub,
    /// `BPF_MUL`.
    Mul,
    /// `BPF_DIV`.
    Div,
    /// `BPF_OR`.
    Or,
    /// `BPF_AND`.
    And,
    /// `BPF_LSH`.
    Lsh,
    /// `BPF_RSH`.
    Rsh,
    /// `BPF_XOR`.
    Xor,
}

/// What a conditional jump tests; all are unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// `BPF_JEQ`: equal.
    Equal,
    /// `BPF_JGT`: greater.
    Greater,
    /// `BPF_JGE`: greater or equal.
    GreaterOrEqual,
    /// `BPF_JSET`: any bit in common.
    AnyBit,
}

/// The meaning of an instruction that seccomp admits (the list in `seccomp_check_filter`, `kernel/seccomp.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `LD W ABS`: the accumulator takes the word of `struct seccomp_data` at this offset.
    Load(u32),
    /// `LD IMM`, `LDX IMM`.
    Immediate(Register, u32),
    /// `LD W LEN`, `LDX W LEN`: the size of `struct seccomp_data`.
    Length(Register),
    /// `LD MEM`, `LDX MEM`: from this scratch cell.
    LoadMemory(Register, u32),
    /// `ST`, `STX`: into this scratch cell.
    Store(Register, u32),
    /// Arithmetic on the accumulator.
    Arithmetic(Arithmetic, Operand),
    /// `NEG`: the accumulator's two's complement.
    Negate,
    /// `JA`: skip this many instructions.
    Jump(u32),
    /// A conditional jump.
    Branch {
        /// What is tested.
        test: Test,
        /// What the accumulator is tested against.
        against: Operand,
        /// Instructions skipped where the test holds.
        jt: u8,
        /// Instructions skipped where it does not.
        jf: u8,
    },
    /// `RET K`.
    Return(u32),
    /// `RET A`.
    ReturnA,
    /// `TAX`: the index register takes the accumulator.
    Tax,
    /// `TXA`: the accumulator takes the index register.
    Txa,
}

/// The constructors that filters are written with.
impl Insn {
    /// `LD W ABS offset`.
    #[must_use]
    pub const fn load(offset: u32) -> Self {
        Self::plain(opcode::LD_W_ABS, offset)
    }

    /// Loads the system call number.
    #[must_use]
    pub const fn load_nr() -> Self {
        Self::load(data::NR)
    }

    /// Loads the architecture.
    #[must_use]
    pub const fn load_arch() -> Self {
        Self::load(data::ARCH)
    }

    /// Loads the low word of an argument.
    #[must_use]
    pub const fn load_arg(index: u8) -> Self {
        Self::load(data::ARGS + 8 * index as u32)
    }

    /// `JA distance`.
    #[must_use]
    pub const fn ja(distance: u32) -> Self {
        Self::plain(opcode::JA, distance)
    }

    /// `JEQ K`.
    #[must_use]
    pub const fn jeq(k: u32, jt: u8, jf: u8) -> Self {
        Self { code: opcode::JEQ_K, jt, jf, k }
    }

    /// `JGT K`.
    #[must_use]
    pub const fn jgt(k: u32, jt: u8, jf: u8) -> Self {
        Self { code: opcode::JGT_K, jt, jf, k }
    }

    /// `JGE K`.
    #[must_use]
    pub const fn jge(k: u32, jt: u8, jf: u8) -> Self {
        Self { code: opcode::JGE_K, jt, jf, k }
    }

    /// `JSET K`.
    #[must_use]
    pub const fn jset(k: u32, jt: u8, jf: u8) -> Self {
        Self { code: opcode::JSET_K, jt, jf, k }
    }

    /// `ALU AND K`.
    #[must_use]
    pub const fn and(mask: u32) -> Self {
        Self::plain(opcode::AND_K, mask)
    }

    /// `RET K`.
    #[must_use]
    pub const fn ret(value: u32) -> Self {
        Self::plain(opcode::RET_K, value)
    }

    /// `RET A`.
    #[must_use]
    pub const fn ret_a() -> Self {
        Self::plain(opcode::RET_A, 0)
    }

    /// Any instruction without jump distances.
    #[must_use]
    pub const fn plain(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }
}

impl Insn {
    /// `sizeof(struct sock_filter)`.
    pub const SIZE: usize = 8;

    /// The little-endian bytes of the struct.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::SIZE] {
        let [code_low, code_high] = self.code.to_le_bytes();
        let [a, b, c, d] = self.k.to_le_bytes();
        [code_low, code_high, self.jt, self.jf, a, b, c, d]
    }

    /// The instruction in the little-endian bytes of the struct.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [code_low, code_high, jt, jf, a, b, c, d] = bytes;
        Self { code: u16::from_le_bytes([code_low, code_high]), jt, jf, k: u32::from_le_bytes([a, b, c, d]) }
    }

    /// The meaning; `None` where seccomp admits no such opcode. Constants and distances are not looked at.
    #[must_use]
    pub fn op(self) -> Option<Op> {
        let k = self.k;
        Some(match self.code {
            opcode::LD_W_ABS => Op::Load(k),
            opcode::LD_IMM => Op::Immediate(Register::A, k),
            opcode::LDX_IMM => Op::Immediate(Register::X, k),
            opcode::LD_W_LEN => Op::Length(Register::A),
            opcode::LDX_W_LEN => Op::Length(Register::X),
            opcode::LD_MEM => Op::LoadMemory(Register::A, k),
            opcode::LDX_MEM => Op::LoadMemory(Register::X, k),
            opcode::ST => Op::Store(Register::A, k),
            opcode::STX => Op::Store(Register::X, k),
            opcode::NEG => Op::Negate,
            opcode::JA => Op::Jump(k),
            opcode::RET_K => Op::Return(k),
            opcode::RET_A => Op::ReturnA,
            opcode::TAX => Op::Tax,
            opcode::TXA => Op::Txa,
            _ => return self.two_operand_op(),
        })
    }

    /// Arithmetic and conditional jumps, whose opcodes are made of a class, a source bit and an operation.
    fn two_operand_op(self) -> Option<Op> {
        let operand = if self.code & opcode::SOURCE_X == 0 { Operand::K(self.k) } else { Operand::X };
        let operation = self.code & !(0x07 | opcode::SOURCE_X);
        match self.code & 0x07 {
            opcode::CLASS_ALU => Some(Op::Arithmetic(Arithmetic::from_bits(operation)?, operand)),
            opcode::CLASS_JMP => Some(Op::Branch {
                test: Test::from_bits(operation)?,
                against: operand,
                jt: self.jt,
                jf: self.jf,
            }),
            _ => None,
        }
    }
}

impl From<Op> for Insn {
    fn from(op: Op) -> Self {
        let by_register = |register, a, x| if register == Register::A { a } else { x };
        let with_operand = |class: u16, operation: u16, operand| match operand {
            Operand::K(k) => Self::plain(class | operation, k),
            Operand::X => Self::plain(class | operation | opcode::SOURCE_X, 0),
        };
        match op {
            Op::Load(offset) => Self::load(offset),
            Op::Immediate(register, k) => {
                Self::plain(by_register(register, opcode::LD_IMM, opcode::LDX_IMM), k)
            }
            Op::Length(register) => {
                Self::plain(by_register(register, opcode::LD_W_LEN, opcode::LDX_W_LEN), 0)
            }
            Op::LoadMemory(register, cell) => {
                Self::plain(by_register(register, opcode::LD_MEM, opcode::LDX_MEM), cell)
            }
            Op::Store(register, cell) => Self::plain(by_register(register, opcode::ST, opcode::STX), cell),
            Op::Arithmetic(arithmetic, operand) => {
                with_operand(opcode::CLASS_ALU, arithmetic.bits(), operand)
            }
            Op::Negate => Self::plain(opcode::NEG, 0),
            Op::Jump(distance) => Self::ja(distance),
            Op::Branch { test, against, jt, jf } => {
                Self { jt, jf, ..with_operand(opcode::CLASS_JMP, test.bits(), against) }
            }
            Op::Return(value) => Self::ret(value),
            Op::ReturnA => Self::ret_a(),
            Op::Tax => Self::plain(opcode::TAX, 0),
            Op::Txa => Self::plain(opcode::TXA, 0),
        }
    }
}

impl Arithmetic {
    /// All of them.
    pub const ALL: [Self; 9] =
        [Self::Add, Self::Sub, Self::Mul, Self::Div, Self::Or, Self::And, Self::Lsh, Self::Rsh, Self::Xor];

    fn bits(self) -> u16 {
        match self {
            Self::Add => 0x00,
            Self::Sub => 0x10,
            Self::Mul => 0x20,
            Self::Div => 0x30,
            Self::Or => 0x40,
            Self::And => 0x50,
            Self::Lsh => 0x60,
            Self::Rsh => 0x70,
            Self::Xor => 0xa0,
        }
    }

    fn from_bits(bits: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|arithmetic| arithmetic.bits() == bits)
    }
}

impl Test {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Equal, Self::Greater, Self::GreaterOrEqual, Self::AnyBit];

    fn bits(self) -> u16 {
        match self {
            Self::Equal => 0x10,
            Self::Greater => 0x20,
            Self::GreaterOrEqual => 0x30,
            Self::AnyBit => 0x40,
        }
    }

    fn from_bits(bits: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|test| test.bits() == bits)
    }
}

mod text;

#[cfg(test)]
mod tests;
