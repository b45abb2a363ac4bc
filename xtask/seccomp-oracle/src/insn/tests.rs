// SPDX-License-Identifier: MIT OR Apache-2.0

use expect_test::expect;

use super::*;

/// Every opcode that `seccomp_check_filter` lists, written out as numbers: class + operation + source.
const ADMITTED: [u16; 41] = [
    0x20, 0x80, 0x81, // LD W ABS, LD W LEN, LDX W LEN
    0x06, 0x16, // RET K, RET A
    0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, // ADD SUB MUL DIV
    0x54, 0x5c, 0x44, 0x4c, 0xa4, 0xac, // AND OR XOR
    0x64, 0x6c, 0x74, 0x7c, 0x84, // LSH RSH NEG
    0x00, 0x01, 0x07, 0x87, 0x60, 0x61, 0x02, 0x03, // IMM, TAX TXA, MEM, ST STX
    0x05, 0x15, 0x1d, 0x35, 0x3d, 0x25, 0x2d, 0x45, 0x4d, // JA JEQ JGE JGT JSET
];

#[test]
fn admits_exactly_the_opcodes_of_the_kernel() {
    for code in 0..=u16::MAX {
        let admitted = Insn::plain(code, 1).op().is_some();
        assert_eq!(admitted, ADMITTED.contains(&code), "opcode {code:#x}");
    }
}

#[test]
fn meaning_and_instruction_are_inverse() {
    for code in ADMITTED {
        let insn = Insn { code, jt: 3, jf: 4, k: 5 };
        let op = insn.op().unwrap();
        assert_eq!(Insn::from(op).op(), Some(op), "opcode {code:#x}");
        assert_eq!(Insn::from(op).code, code);
    }
}

#[test]
fn bytes_are_those_of_the_struct() {
    let insn = Insn { code: 0x1215, jt: 7, jf: 9, k: 0xc000_003e };
    assert_eq!(insn.to_bytes(), [0x15, 0x12, 7, 9, 0x3e, 0x00, 0x00, 0xc0]);
    assert_eq!(Insn::from_bytes(insn.to_bytes()), insn);
}

#[test]
fn assembly_of_every_opcode() {
    let text: Vec<String> =
        ADMITTED.iter().map(|&code| Insn { code, jt: 1, jf: 2, k: 16 }.to_string()).collect();
    expect![[r"
        ld [args[0].lo]
        ld len
        ldx len
        ret #0x10 ; KILL_THREAD with data 0x10
        ret a
        add #0x10
        add x
        sub #0x10
        sub x
        mul #0x10
        mul x
        div #0x10
        div x
        and #0x10
        and x
        or #0x10
        or x
        xor #0x10
        xor x
        lsh #0x10
        lsh x
        rsh #0x10
        rsh x
        neg
        ld #0x10
        ldx #0x10
        tax
        txa
        ld M[16]
        ldx M[16]
        st M[16]
        stx M[16]
        ja +16
        jeq #0x10, +1, +2
        jeq x, +1, +2
        jge #0x10, +1, +2
        jge x, +1, +2
        jgt #0x10, +1, +2
        jgt x, +1, +2
        jset #0x10, +1, +2
        jset x, +1, +2"]]
    .assert_eq(&text.join("\n"));
}

#[test]
fn assembly_of_what_is_not_admitted() {
    assert_eq!(Insn::plain(0x94, 3).to_string(), ".insn code 0x0094, jt 0, jf 0, k 0x3");
    assert_eq!(Insn::load(2).to_string(), "ld [offset 2]");
}
