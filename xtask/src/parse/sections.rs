// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sections: what the plugin of QEMU's has counted (`guest/plugin/count.c` has the format).

use std::collections::BTreeMap;

use seccomp_oracle::bench::Section;

/// Everything that was counted in one boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections {
    /// The sections, from number 0 on.
    pub sections: Vec<Section>,
    /// For each of them how often each address was executed; empty where nobody asked for it.
    pub addresses: Vec<BTreeMap<u64, u64>>,
    /// Why it is not all; without it the counting came to its end.
    pub damage: Option<String>,
}

/// Reads what the plugin has written, whatever it is.
pub fn parse(text: &str) -> Sections {
    let mut sections = Sections::default();
    sections.damage = read(text, &mut sections).err();
    sections
}

fn read(text: &str, found: &mut Sections) -> Result<(), String> {
    let mut ended = None;
    for (at, line) in (1..).zip(text.lines()) {
        let wrong =
            || format!("line {at}: `{}` does not belong here", line.chars().take(60).collect::<String>());
        let words: Vec<&str> = line.split(' ').collect();
        if ended.is_some() {
            return Err(wrong());
        }
        match words.as_slice() {
            ["section", number, total, off, longest] => {
                let number_of = |word: &str| word.parse::<u64>().map_err(|_| wrong());
                if number_of(number)? != found.sections.len() as u64 {
                    return Err(wrong());
                }
                let (total, off, off_longest) = (number_of(total)?, number_of(off)?, number_of(longest)?);
                found.sections.push(Section { total, off, off_longest });
                found.addresses.push(BTreeMap::new());
            }
            ["at", address, times] => {
                let address = u64::from_str_radix(address, 16).map_err(|_| wrong())?;
                let times = times.parse().map_err(|_| wrong())?;
                found.addresses.last_mut().ok_or_else(wrong)?.insert(address, times);
            }
            ["damaged"] => {
                return Err("a mark stood where it must not, or the interrupt flag was lost".into());
            }
            ["full"] => return Err("more addresses were executed than the plugin has room for".into()),
            ["end", count] => ended = Some(count.parse::<usize>().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
    }
    match ended {
        Some(count) if count == found.sections.len() => Ok(()),
        Some(count) => Err(format!("{count} sections are told, and {} came", found.sections.len())),
        None => Err("it has no end: QEMU did not end by itself".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_addresses() {
        let found =
            parse("section 0 19316 11500 69\nat ffffffff81000010 4\nat 401000 2\nsection 1 5 0 0\nend 2\n");
        assert_eq!(found.damage, None);
        assert_eq!(found.sections[0], Section { total: 19316, off: 11500, off_longest: 69 });
        assert_eq!(found.addresses[0][&0xffff_ffff_8100_0010], 4);
        assert!(found.addresses[1].is_empty());
    }

    #[test]
    fn what_is_not_whole_is_said() {
        for text in [
            "",
            "section 0 1 1 1\n",
            "section 1 1 1 1\nend 1\n",
            "section 0 1 1 1\nend 2\n",
            "at 1 1\nend 0\n",
            "end 0\nend 0\n",
            "full\nend 0\n",
            "damaged\nend 0\n",
            "section 0 1 1 x\nend 1\n",
        ] {
            assert!(parse(text).damage.is_some(), "{text:?}");
        }
    }
}
