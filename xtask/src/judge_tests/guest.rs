// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest in a test: what it says goes through real frames and the real collector to the judge.

use std::sync::LazyLock;

use super::super::{CheckState, Evidence, JudgedCheck, ModelVerdict, Verdict, VerdictSource, judge};
use crate::lab::expected::Expected;
use crate::parse::ktap::RepeatedNames;
use crate::parse::splat::Splats;
use crate::parse::transcript::{Collector, Reading, scan_console};
use crate::plan::work::Scope;
use crate::record::model::{CheckStatus, Outcome, SubRecord};
use crate::sys::process::Exit;
use crate::vm::frame::{CHECK_NONE, CHECK_PLANT, FrameReader, FrameType, FrameWriter};

pub const NONCE: &str = "00112233445566778899aabbccddeeff";

const SHIPPED: &str = include_str!("../../../configs/splats.toml");

static SPLATS: LazyLock<Splats> = LazyLock::new(|| Splats::parse(SHIPPED).unwrap());

/// Something that a guest says.
#[derive(Debug, Clone)]
pub enum Said {
    /// A record. `{frames}` stands for the records before it, `{bytes}` for its check's output so far.
    Record(FrameType, u16, String),
    /// Messages of the kernel, numbered as they come; on the console as well.
    Log(u16, Vec<String>),
    /// Messages that the kernel wrote and the guest did not send; not on the console.
    Lost(u64),
}

/// A frame without its number.
#[derive(Debug, Clone)]
pub struct Piece {
    pub kind: FrameType,
    pub check: u16,
    pub payload: String,
}

/// All that the judge is told.
pub struct Guest {
    pub said: Vec<Said>,
    pub checks: Vec<JudgedCheck>,
    pub readings: Vec<Reading>,
    /// Lines of the console behind those of the log.
    pub console: Vec<String>,
    pub console_shows_plant: bool,
    /// More entries of the list of splats.
    pub allow: String,
    pub console_shows_log: bool,
    pub exit: Exit,
    pub qemu_said: String,
    pub stuck: Vec<String>,
    pub expected: String,
}

pub fn record(kind: FrameType, check: u16, text: &str) -> Said {
    Said::Record(kind, check, text.to_owned())
}

/// A WARN as the kernel writes it.
pub fn warning(function: &str, file: &str) -> Vec<String> {
    vec![
        "------------[ cut here ]------------".into(),
        format!("WARNING: CPU: 0 PID: 1 at {file}:80 {function}+0x15/0x20"),
        "RIP: 0010:".to_owned() + function + "+0x15/0x20",
        "Call Trace:".into(),
        " vfs_write+0xb4/0x1f0".into(),
        "---[ end trace 0123456789abcdef ]---".into(),
    ]
}

pub fn planted() -> Vec<String> {
    warning("lkdtm_WARNING", "drivers/misc/lkdtm/bugs.c")
}

pub fn sent(name: &str, index: usize, verdict: VerdictSource) -> JudgedCheck {
    JudgedCheck { name: name.into(), scope: Scope::Asked, state: CheckState::Sent { index, verdict } }
}

pub fn absent(name: &str, scope: Scope) -> JudgedCheck {
    JudgedCheck { name: name.into(), scope, state: CheckState::Absent("CONFIG_X is not set".into()) }
}

pub fn sub(name: &str, status: CheckStatus) -> SubRecord {
    SubRecord { path: vec![name.into()], ordinal: 1, status, reason: String::new() }
}

/// A model that finds this wrong.
pub fn wrong(name: &str) -> ModelVerdict {
    ModelVerdict { subs: vec![sub(name, CheckStatus::Fail)], ..ModelVerdict::default() }
}

/// A guest that does everything right: a KTAP check, one by exit code, and one for a model.
pub fn good() -> Guest {
    use FrameType::{Done, End, Error, Hello, Output, Plant, Start};
    let done = "exit 0\nms 7\nstdout {bytes}\nstderr 0\nleftover 0\n";
    let end = format!("nonce {NONCE}\nchecks 3\nframes {{frames}}\n");
    let log = |check, text: &str| Said::Log(check, vec![text.to_owned()]);
    Guest {
        said: vec![
            record(Hello, CHECK_NONE, &format!("nonce {NONCE}\nrelease 5.10\nmachine x86_64\nms 900\n")),
            log(CHECK_NONE, "Linux version 5.10.262"),
            record(Start, 0, "/checks/alpha\n"),
            record(Output, 0, "TAP version 13\n1..2\nok 1 one\n"),
            log(0, "audit: type=1326"),
            record(Error, 0, "a word\n"),
            record(Output, 0, "ok 2 two\n"),
            record(Done, 0, done),
            record(Start, 1, "/checks/beta\n"),
            record(Output, 1, "fine\n"),
            record(Done, 1, done),
            record(Start, 2, "/checks/gamma\n"),
            record(Output, 2, "facts"),
            log(2, "random: crng done"),
            record(Done, 2, done),
            record(Plant, CHECK_PLANT, "written\n"),
            Said::Log(CHECK_PLANT, planted()),
            record(End, CHECK_NONE, &end),
        ],
        checks: vec![
            sent("alpha", 0, VerdictSource::Ktap(Vec::new())),
            sent("beta", 1, VerdictSource::ExitCode),
            sent(
                "gamma",
                2,
                VerdictSource::Model(ModelVerdict {
                    subs: vec![sub("fact", CheckStatus::Pass)],
                    ..ModelVerdict::default()
                }),
            ),
            absent("delta", Scope::WherePresent),
        ],
        readings: vec![Reading::Ktap(RepeatedNames::Error), Reading::ExitCode, Reading::Raw],
        console: Vec::new(),
        console_shows_plant: true,
        allow: String::new(),
        console_shows_log: true,
        exit: Exit::Code(0),
        qemu_said: String::new(),
        stuck: Vec::new(),
        expected: String::new(),
    }
}

impl Guest {
    /// The place of the first record of this kind, of this check.
    pub fn find(&self, kind: FrameType, check: u16) -> usize {
        let is = |said: &Said| matches!(said, Said::Record(k, c, _) if (*k, *c) == (kind, check));
        self.said.iter().position(is).unwrap()
    }

    /// Takes a record away.
    pub fn without(mut self, kind: FrameType, check: u16) -> Self {
        let at = self.find(kind, check);
        self.said.remove(at);
        self
    }

    /// The guest is not heard of again from this record on.
    pub fn silent_from(mut self, kind: FrameType, check: u16) -> Self {
        let at = self.find(kind, check);
        self.said.truncate(at);
        self
    }

    /// Puts something in front of a record.
    pub fn before(mut self, kind: FrameType, check: u16, said: Said) -> Self {
        let at = self.find(kind, check);
        self.said.insert(at, said);
        self
    }

    /// Changes the text of a record.
    pub fn with(mut self, kind: FrameType, check: u16, from: &str, to: &str) -> Self {
        let at = self.find(kind, check);
        if let Said::Record(_, _, text) = &mut self.said[at] {
            assert!(text.contains(from), "{text}");
            *text = text.replace(from, to);
        }
        self
    }

    /// Check `alpha` writes this and ends like this.
    pub fn alpha(self, output: &str, ended: &str) -> Self {
        self.without(FrameType::Output, 0).with(FrameType::Output, 0, "ok 2 two\n", output).with(
            FrameType::Done,
            0,
            "exit 0",
            ended,
        )
    }

    pub fn ending(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub fn expecting(mut self, check: &str, status: &str, until: &str) -> Self {
        self.expected.push_str(&format!(
            "[[expect]]\ncell = \"5.10/*\"\ncheck = \"{check}\"\nstatus = \"{status}\"\n\
             reason = \"known\"\nuntil = \"{until}\"\n"
        ));
        self
    }

    /// What it says, frame by frame.
    pub fn pieces(&self) -> Vec<Piece> {
        let (mut pieces, mut sequence): (Vec<Piece>, u64) = (Vec::new(), 0);
        for said in &self.said {
            match said {
                Said::Lost(count) => sequence += count,
                Said::Log(check, lines) => {
                    let numbered: Vec<String> = (sequence..)
                        .zip(lines)
                        .map(|(number, line)| format!("4,{number},{},-;{line}\n", number * 1000))
                        .collect();
                    sequence += lines.len() as u64;
                    let payload = numbered.concat();
                    pieces.push(Piece { kind: FrameType::Kmsg, check: *check, payload });
                }
                Said::Record(kind, check, text) => {
                    let outputs = pieces.iter().filter(|p| p.kind == FrameType::Output && p.check == *check);
                    let bytes: usize = outputs.map(|piece| piece.payload.len()).sum();
                    let payload = text
                        .replace("{frames}", &pieces.len().to_string())
                        .replace("{bytes}", &bytes.to_string());
                    pieces.push(Piece { kind: *kind, check: *check, payload });
                }
            }
        }
        pieces
    }

    fn console_lines(&self) -> Vec<String> {
        let logs = self.said.iter().filter_map(|said| match said {
            Said::Log(CHECK_PLANT, _) if !self.console_shows_plant => None,
            Said::Log(_, lines) if self.console_shows_log => Some(lines.as_slice()),
            _ => None,
        });
        logs.flatten().chain(&self.console).map(|line| format!("[    1.000000] {line}")).collect()
    }

    pub fn judged(&self) -> Verdict {
        self.judge_bytes(&encode(&self.pieces()).concat())
    }

    /// What the judge says if this is what came over the port.
    pub fn judge_bytes(&self, bytes: &[u8]) -> Verdict {
        let own;
        let splats = if self.allow.is_empty() {
            &*SPLATS
        } else {
            own = Splats::parse(&(SHIPPED.to_owned() + &self.allow)).unwrap();
            &own
        };
        let mut collector = Collector::new(self.readings.clone(), splats);
        let mut reader = FrameReader::new();
        reader.push(bytes, |frame| collector.frame(&frame));
        let transcript = collector.finish(reader.finish().as_ref());
        let console = self.console_lines();
        judge(&Evidence {
            cell: "5.10/none/x86_64",
            nonce: NONCE,
            checks: &self.checks,
            sent: self.readings.len(),
            transcript: &transcript,
            console: &scan_console(splats, console.join("\n").as_bytes()),
            console_tail: &console,
            exit: self.exit,
            qemu_said: &self.qemu_said,
            stuck: &self.stuck,
            expected: &Expected::parse("expected.toml", &self.expected).unwrap(),
            today: "2027-01-01",
        })
    }

    /// The outcome is this, and the reason has these words.
    #[track_caller]
    pub fn is(&self, outcome: Outcome, words: &str) {
        let verdict = self.judged();
        assert_eq!((verdict.outcome, verdict.reason.contains(words)), (outcome, true), "{verdict:#?}");
    }

    #[track_caller]
    pub fn passes(&self) {
        let verdict = self.judged();
        assert_eq!((verdict.outcome, verdict.reason.as_str()), (Outcome::Pass, ""), "{verdict:#?}");
    }
}

/// Numbers the frames and puts them on the wire, each by itself.
pub fn encode(pieces: &[Piece]) -> Vec<Vec<u8>> {
    let mut writer = FrameWriter::new();
    let mut frame = |piece: &Piece| {
        let mut bytes = Vec::new();
        writer.write(&mut bytes, piece.kind, piece.check, piece.payload.as_bytes());
        bytes
    };
    pieces.iter().map(&mut frame).collect()
}
