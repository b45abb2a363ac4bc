// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fake compiler: writes a small file, unless a source has an `#error` line.

use std::fs;
use std::io::Write;
use std::process::ExitCode;

use crate::{log_call, say};

/// Compiles.
pub fn run(arguments: &[String]) -> std::io::Result<ExitCode> {
    if arguments.iter().any(|word| word == "--version") {
        say("gcc (fake) 1.0\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    for source in arguments.iter().filter(|word| word.ends_with(".c")) {
        let text = fs::read_to_string(source)?;
        if let Some((at, line)) = (1..).zip(text.lines()).find(|(_, line)| line.starts_with("#error")) {
            writeln!(std::io::stderr(), "{source}:{at}:2: error: {line}")?;
            return Ok(ExitCode::FAILURE);
        }
    }
    let output = arguments.iter().skip_while(|word| *word != "-o").nth(1);
    let output = output.ok_or_else(|| std::io::Error::other("no -o"))?;
    let bits = arguments.iter().find(|word| *word == "-m64" || *word == "-m32");
    let name = output.rsplit('/').next().unwrap_or(output);
    log_call(&format!("gcc {name} {}", bits.map_or("", String::as_str)))?;
    fs::write(output, format!("\x7fELF {name} {bits:?}\n"))?;
    Ok(ExitCode::SUCCESS)
}
