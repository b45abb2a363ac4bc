// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instructions as readable assembly.

use std::fmt;

use super::{Arithmetic, Insn, Op, Operand, Register, Test};
use crate::action;
use crate::data::Field;

/// Assembly, one line, in the manner of `bpf_asm` with the fields of `struct seccomp_data` named.
impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(op) = self.op() else {
            let Self { code, jt, jf, k } = self;
            return write!(f, ".insn code {code:#06x}, jt {jt}, jf {jf}, k {k:#x}");
        };
        match op {
            Op::Load(offset) => match Field::at(offset) {
                Some(field) => write!(f, "ld [{field}]"),
                None => write!(f, "ld [offset {offset}]"),
            },
            Op::Immediate(register, k) => write!(f, "ld{} #{k:#x}", register.suffix()),
            Op::Length(register) => write!(f, "ld{} len", register.suffix()),
            Op::LoadMemory(register, cell) => write!(f, "ld{} M[{cell}]", register.suffix()),
            Op::Store(register, cell) => write!(f, "st{} M[{cell}]", register.suffix()),
            Op::Arithmetic(arithmetic, operand) => write!(f, "{arithmetic} {operand}"),
            Op::Negate => f.write_str("neg"),
            Op::Jump(distance) => write!(f, "ja +{distance}"),
            Op::Branch { test, against, jt, jf } => write!(f, "{test} {against}, +{jt}, +{jf}"),
            Op::Return(value) => write!(f, "ret #{value:#x} ; {}", action::describe(value)),
            Op::ReturnA => f.write_str("ret a"),
            Op::Tax => f.write_str("tax"),
            Op::Txa => f.write_str("txa"),
        }
    }
}

impl Register {
    fn suffix(self) -> &'static str {
        match self {
            Self::A => "",
            Self::X => "x",
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::K(k) => write!(f, "#{k:#x}"),
            Self::X => f.write_str("x"),
        }
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Or => "or",
            Self::And => "and",
            Self::Lsh => "lsh",
            Self::Rsh => "rsh",
            Self::Xor => "xor",
        })
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "jeq",
            Self::Greater => "jgt",
            Self::GreaterOrEqual => "jge",
            Self::AnyBit => "jset",
        })
    }
}
