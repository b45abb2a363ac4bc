// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mails to a series: pure, from the bytes of an mbox or of one mail.
//!
//! An mbox may hold a whole discussion: a cover letter, answers, several versions. What is taken of it
//! is one posting that is there from its first patch to its last; anything less is refused by name.

mod choice;
mod encoding;
mod mbox;
mod message;
mod one;
pub mod subject;
mod thread;

use std::collections::HashMap;

use crate::fault::Fault;
pub use crate::lab::mail::choice::Choice;
use crate::lab::mail::message::Message;
pub use crate::lab::mail::one::patch_of_mail;
use crate::lab::mail::thread::{Letter, Posting, postings};
use crate::lab::patch::Patch;
use crate::lab::provenance::{Answer, SeriesProvenance, answer_trailers, base_commit, prerequisites};

/// Longest chain of answers that is followed.
const CHAIN_MAX: usize = 64;

/// Most postings that an error lists.
const LISTED_MAX: usize = 8;

/// A series as it was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The title of its cover letter, else of its first patch.
    pub title: String,
    /// Its patches, by number.
    pub patches: Vec<Patch>,
    /// What its mails say of it.
    pub provenance: SeriesProvenance,
}

/// All mails of an mbox, with what is known of each.
#[derive(Default)]
struct Mailbox<'a> {
    messages: Vec<Message<'a>>,
    letters: Vec<Letter>,
    /// The number of each mail in the file, from 1.
    numbers: Vec<usize>,
    /// Trailers that stand in answers, by the place of the answer.
    given: Vec<(usize, Vec<String>)>,
    /// Answers with a diff that is no quotation.
    diffs_in_answers: Vec<usize>,
    by_id: HashMap<String, usize>,
}

/// Reads the series in an mbox; `file` is what its patches are called after.
///
/// # Errors
/// A usage fault that names the mails: no patch, one that is missing or cannot be read, more than one series.
pub fn read(file: &str, text: &[u8], choice: &Choice) -> Result<Found, Fault> {
    let mailbox = Mailbox::read(text);
    let (postings, left_out) = postings(&mailbox.letters);
    let mut notes = Vec::new();
    let posting = mailbox.choose(&postings, choice, &mut notes)?;
    notes.extend(left_out.iter().map(|at| {
        format!(
            "{} is a single patch in the discussion (\"{}\"), and is left out",
            mailbox.name(*at),
            mailbox.letters[*at].tag.title
        )
    }));
    let places = mailbox.complete(posting, &postings)?;
    let mut found = Found { title: mailbox.letters[posting.head()].tag.title.clone(), ..Found::default() };
    for at in &places {
        let taken = one::patch(
            &mailbox.messages[*at],
            &mailbox.name(*at),
            &format!("{file}#{}", mailbox.numbers[*at]),
        )?;
        notes.extend(taken.notes);
        let Some(mut patch) = taken.patch else {
            return Err(Fault::usage(format!("{}: no diff is in it", mailbox.name(*at)))
                .help("fetch the mail again, or leave it out and number the rest anew"));
        };
        patch.provenance.answers = mailbox.answers_to(*at, posting);
        found.patches.push(patch);
    }
    let texts = posting.places().map(|at| mailbox.messages[at].content().words()).collect::<Vec<_>>();
    found.provenance = SeriesProvenance {
        version: Some(posting.version),
        cover: posting.cover.and_then(|at| mailbox.id(at)).map(str::to_owned),
        base_commit: texts.iter().find_map(|text| base_commit(text)),
        prerequisites: texts.iter().flat_map(|text| prerequisites(text)).collect(),
        subset: None,
        notes,
    };
    Ok(found)
}

/// The title that a mail has, without what stands in brackets before it.
pub fn title(text: &[u8]) -> String {
    let mail = mbox::split(text).into_iter().next().unwrap_or(text);
    subject::parse(&Message::parse(mail).header_text("subject")).title
}

impl<'a> Mailbox<'a> {
    fn read(text: &'a [u8]) -> Self {
        let mut mailbox = Self::default();
        for (at, mail) in mbox::split(text).into_iter().enumerate() {
            let message = Message::parse(mail);
            let id = message.ids("message-id").pop();
            // Archives hold a mail once for each list that it went to.
            if id.as_ref().is_some_and(|id| mailbox.by_id.contains_key(id)) {
                continue;
            }
            let mut parents = message.ids("in-reply-to");
            parents.extend(message.ids("references").into_iter().rev());
            let tag = subject::parse(&message.header_text("subject"));
            let content = message.content();
            let has_diff =
                message::has_diff(&content.text) || content.attachments.iter().any(|one| one.is_patch());
            let place = mailbox.letters.len();
            if tag.is_reply {
                mailbox.given.push((place, answer_trailers(&content.words())));
                mailbox.diffs_in_answers.extend(has_diff.then_some(place));
            }
            let (id, from) = (id.unwrap_or_else(|| format!("mail {}", at + 1)), message.header_text("from"));
            mailbox.by_id.insert(id.clone(), place);
            mailbox.letters.push(Letter { id, parents, from, tag, has_diff });
            mailbox.messages.push(message);
            mailbox.numbers.push(at + 1);
        }
        mailbox
    }

    /// The message id of a mail that has one.
    fn id(&self, at: usize) -> Option<&str> {
        Some(self.letters[at].id.as_str()).filter(|id| id.contains('@'))
    }

    fn how_to_choose(&self, posting: &Posting) -> String {
        match self.id(posting.head()) {
            Some(id) => {
                format!("choose one by the id of one of its mails, for example: --series-version '{id}'")
            }
            None => "its mails have no message ids to choose by: write each series into an mbox of its own"
                .to_owned(),
        }
    }

    /// What a mail is called in messages.
    fn name(&self, at: usize) -> String {
        let letter = &self.letters[at];
        let number = letter.tag.number.map(|(number, of)| format!("{number}/{of}"));
        match (number, self.id(at)) {
            (Some(number), Some(id)) => format!("mail {number}, <{id}>"),
            (None, Some(id)) => format!("mail <{id}>"),
            // It has an id of its own then: its number in the file.
            (Some(number), None) => format!("{} ({number})", letter.id),
            (None, None) => letter.id.clone(),
        }
    }

    fn describe(&self, posting: &Posting) -> String {
        let head = &self.letters[posting.head()];
        let id = self.id(posting.head()).map_or(String::new(), |id| format!(", <{id}>"));
        let count = posting.of.unwrap_or(posting.patches.len());
        let patches = if count == 1 { "1 patch".to_owned() } else { format!("{count} patches") };
        format!("\"{}\" v{} ({patches}, from {}{id})", head.tag.title, posting.version, head.from)
    }

    fn list(&self, postings: &[&Posting]) -> String {
        let mut text: Vec<String> = postings.iter().take(LISTED_MAX).map(|one| self.describe(one)).collect();
        if postings.len() > LISTED_MAX {
            text.push(format!("and {} more", postings.len() - LISTED_MAX));
        }
        text.join("; ")
    }

    /// The posting that is meant.
    fn choose<'p>(
        &self,
        postings: &'p [Posting],
        choice: &Choice,
        notes: &mut Vec<String>,
    ) -> Result<&'p Posting, Fault> {
        let with_patches: Vec<&Posting> =
            postings.iter().filter(|posting| !posting.patches.is_empty()).collect();
        if with_patches.is_empty() {
            return Err(self.no_patch(postings));
        }
        let fitting: Vec<&Posting> = with_patches
            .iter()
            .copied()
            .filter(|posting| match choice {
                Choice::Newest => true,
                Choice::Version(version) => posting.version == *version,
                Choice::Mail(id) => posting.places().any(|at| self.letters[at].id == *id),
            })
            .collect();
        let Some(first) = fitting.first() else {
            let what = match choice {
                Choice::Mail(id) => format!("no series with the mail <{id}> is in it"),
                Choice::Version(version) => format!("no v{version} of a series is in it"),
                Choice::Newest => "no series is in it".to_owned(),
            };
            return Err(Fault::usage(what).help(format!("what is in it: {}", self.list(&with_patches))));
        };
        if fitting.iter().any(|posting| posting.family != first.family) {
            let heads: Vec<&Posting> = newest_of_each(&fitting);
            return Err(Fault::usage(format!("{} series are in it: {}", heads.len(), self.list(&heads)))
                .help(self.how_to_choose(heads[0])));
        }
        let newest = fitting.iter().map(|posting| posting.version).max().unwrap_or(1);
        let mut same: Vec<&Posting> =
            fitting.iter().copied().filter(|posting| posting.version == newest).collect();
        if same.len() > 1 {
            let is_resent = |posting: &&Posting| self.letters[posting.head()].tag.is_resend;
            match same.iter().rev().find(|posting| is_resent(posting)) {
                Some(resent) => {
                    notes.push(format!(
                        "v{newest} was sent more than once; taken is {}",
                        self.describe(resent)
                    ));
                    same = vec![*resent];
                }
                None => {
                    return Err(Fault::usage(format!(
                        "v{newest} is in it more than once: {}",
                        self.list(&same)
                    ))
                    .help("choose one by the id of one of its mails: --series-version MESSAGE-ID"));
                }
            }
        }
        let chosen = same[0];
        self.note_choice(chosen, &with_patches, notes);
        Ok(chosen)
    }

    /// Tells what else there was to choose.
    fn note_choice(&self, chosen: &Posting, all: &[&Posting], notes: &mut Vec<String>) {
        let mut others: Vec<u32> = all
            .iter()
            .filter(|one| one.family == chosen.family && one.version != chosen.version)
            .map(|one| one.version)
            .collect();
        others.sort_unstable();
        others.dedup();
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|version| format!("v{version}")).collect();
            notes.push(format!(
                "taken is v{} of {}; {} there as well: --series-version",
                chosen.version,
                self.describe(chosen),
                if others.len() == 1 {
                    format!("{} is", others[0])
                } else {
                    format!("{} are", others.join(", "))
                }
            ));
        }
        if chosen.of.is_none() && chosen.patches.len() > 1 {
            notes.push(format!(
                "its {} patches have no numbers: they are taken in the order of the file",
                chosen.patches.len()
            ));
        }
        let in_it = |at: &&usize| self.answered(**at, chosen).is_some();
        notes.extend(
            self.diffs_in_answers
                .iter()
                .filter(in_it)
                .map(|at| format!("{} is an answer with a diff in it, which is left out", self.name(*at))),
        );
    }

    fn no_patch(&self, postings: &[Posting]) -> Fault {
        let help = "an mbox as `git format-patch --stdout` or `b4 mbox` writes it, or a folder of *.patch files, is wanted";
        match postings.first() {
            Some(posting) => Fault::usage(format!(
                "no patch is in it, only the cover letter of {}",
                self.describe(posting)
            )),
            None if self.letters.len() == 1 => {
                Fault::usage("no patch is in it, only one mail without a diff")
            }
            None => {
                Fault::usage(format!("no patch is in it, only {} mails without a diff", self.letters.len()))
            }
        }
        .help(help)
    }

    /// The places of a posting's patches, first to last.
    fn complete(&self, posting: &Posting, all: &[Posting]) -> Result<Vec<usize>, Fault> {
        let of = posting.of.unwrap_or(posting.patches.len());
        if let Some((number, places)) = posting.patches.iter().find(|(_, places)| places.len() > 1) {
            let names: Vec<String> = places.iter().map(|at| self.name(*at)).collect();
            return Err(Fault::usage(format!(
                "patch {number}/{of} of {} is there more than once: {}",
                self.describe(posting),
                names.join(", ")
            ))
            .help("take the wrong one out of the mbox"));
        }
        if let Some((number, places)) = posting.patches.iter().find(|(number, _)| **number > of) {
            return Err(Fault::usage(format!(
                "{}: there is no patch {number} of {of}",
                self.name(places[0])
            )));
        }
        let missing: Vec<usize> = (1..=of).filter(|number| !posting.patches.contains_key(number)).collect();
        if missing.is_empty() {
            return Ok(posting.patches.values().filter_map(|places| places.first().copied()).collect());
        }
        let word = |number: &usize| format!("{number}/{of}");
        let named = missing.iter().take(LISTED_MAX).map(word).collect::<Vec<_>>().join(", ");
        let near = match posting.cover {
            Some(cover) => format!("its cover letter is {}", self.name(cover)),
            None => {
                let beside = |number: usize| posting.patches.get(&number).map(|places| self.name(places[0]));
                let beside = [beside(missing[0].wrapping_sub(1)), beside(missing[0] + 1)];
                format!("beside it is {}", beside.into_iter().flatten().collect::<Vec<_>>().join(" and "))
            }
        };
        let is_whole =
            |other: &&Posting| other.family == posting.family && other.of == Some(other.patches.len());
        let help = match all.iter().filter(is_whole).max_by_key(|other| other.version) {
            Some(other) => format!("v{0} is complete: --series-version v{0}", other.version),
            None => match self.id(posting.head()) {
                Some(id) => format!("fetch the whole discussion, for example: b4 mbox '{id}'"),
                None => "write the mbox anew: git format-patch --stdout BASE..HEAD".to_owned(),
            },
        };
        let (patch, is) = if missing.len() == 1 { ("patch", "is") } else { ("patches", "are") };
        Err(Fault::usage(format!("{patch} {named} of {} {is} not in it; {near}", self.describe(posting)))
            .help(help))
    }

    /// The mail of a posting that an answer belongs to.
    fn answered(&self, answer: usize, posting: &Posting) -> Option<usize> {
        let mut here = answer;
        for _ in 0..CHAIN_MAX {
            let parent = self.letters[here].parents.iter().find_map(|id| self.by_id.get(id))?;
            if posting.places().any(|at| at == *parent) {
                return Some(*parent);
            }
            here = *parent;
        }
        None
    }

    /// The trailers that people gave in their answers to a patch, or to its cover letter.
    fn answers_to(&self, patch: usize, posting: &Posting) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (at, trailers) in self.given.iter().filter(|(_, trailers)| !trailers.is_empty()) {
            let answered = self.answered(*at, posting);
            if answered.is_some() && (answered == Some(patch) || answered == posting.cover) {
                let (from, message_id) = (&self.letters[*at].from, &self.letters[*at].id);
                answers.extend(trailers.iter().map(|trailer| Answer {
                    trailer: trailer.clone(),
                    from: from.clone(),
                    message_id: message_id.clone(),
                }));
            }
        }
        answers
    }
}

/// Of each family its newest posting.
fn newest_of_each<'p>(postings: &[&'p Posting]) -> Vec<&'p Posting> {
    let mut heads: Vec<&Posting> = Vec::new();
    for posting in postings {
        match heads.iter_mut().find(|other| other.family == posting.family) {
            Some(other) if other.version < posting.version => *other = posting,
            Some(_) => {}
            None => heads.push(posting),
        }
    }
    heads
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
