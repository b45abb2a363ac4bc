// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which mails of an mbox are one posting of a series, and which postings are versions of one
//! series. Looks at headers alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::lab::mail::subject::Tag;

/// Longest chain of answers that is followed.
const CHAIN_MAX: usize = 1000;

/// What is known of a mail before its text is looked at for patches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// Its message id; one of its own where it has none.
    pub id: String,
    /// What it answers, nearest first.
    pub parents: Vec<String>,
    /// Who sent it.
    pub from: String,
    /// What its subject says.
    pub tag: Tag,
    /// Whether a diff is in it, as text or attached.
    pub has_diff: bool,
}

/// One sending of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Posting {
    /// N of `vN`.
    pub version: u32,
    /// How many patches it says it has; none where its patches have no numbers.
    pub of: Option<usize>,
    /// The place of its cover letter.
    pub cover: Option<usize>,
    /// The places of its patches, by number; more than one place where a number is there twice.
    pub patches: BTreeMap<usize, Vec<usize>>,
    /// Postings with the same number are versions of one series.
    pub family: usize,
}

impl Posting {
    /// The place of the mail that stands for it: its cover letter, else its first patch.
    pub fn head(&self) -> usize {
        let first = self.patches.values().flatten().next();
        self.cover.or(first.copied()).unwrap_or(0)
    }

    /// The places of all its mails.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.cover.into_iter().chain(self.patches.values().flatten().copied())
    }
}

impl Letter {
    /// Whether it could be a part of a series: no answer, and a tag or a diff.
    pub fn is_candidate(&self) -> bool {
        !self.tag.is_reply && (self.tag.is_patch || self.has_diff)
    }
}

/// The postings of an mbox, and the places of single patches without a number that were sent within
/// the thread of another series: remarks in the form of a patch, mostly.
pub fn postings(letters: &[Letter]) -> (Vec<Posting>, Vec<usize>) {
    let by_id: HashMap<&str, usize> =
        letters.iter().enumerate().rev().map(|(at, one)| (one.id.as_str(), at)).collect();
    let mut groups: BTreeMap<(u32, usize), Vec<usize>> = BTreeMap::new();
    let mut loose = Vec::new();
    for (at, letter) in letters.iter().enumerate().filter(|(_, letter)| letter.is_candidate()) {
        match letter.tag.number {
            Some((_, of)) => groups.entry((letter.tag.version, of)).or_default().push(at),
            None => loose.push(at),
        }
    }
    let mut postings: Vec<Posting> = Vec::new();
    for ((version, of), places) in &groups {
        let mut by_root: BTreeMap<String, Vec<Posting>> = BTreeMap::new();
        let group = Group::new(letters, &by_id, places);
        for at in places {
            let root = group.root(*at);
            let is_thread = if root == UNTHREADED { Threaded::No } else { Threaded::Yes };
            let fresh = Posting { version: *version, of: Some(*of), ..Posting::default() };
            put(by_root.entry(root).or_default(), fresh, letters, *at, is_thread);
        }
        postings.extend(by_root.into_values().flatten());
    }
    let threads = threads(letters);
    let has_numbered = !postings.is_empty();
    let mut left_out = Vec::new();
    for at in loose {
        let in_thread = |posting: &Posting| posting.places().any(|other| threads[other] == threads[at]);
        if has_numbered && !letters[at].parents.is_empty() && postings.iter().any(in_thread) {
            left_out.push(at);
            continue;
        }
        put_loose(&mut postings, letters, at);
    }
    postings.sort_by_key(Posting::head);
    find_families(&mut postings, letters, &threads);
    (postings, left_out)
}

/// Patches without numbers, of one person and version, are one posting in the order of the file; whoever
/// made them where they have no message ids: they were never sent.
fn put_loose(postings: &mut Vec<Posting>, letters: &[Letter], at: usize) {
    let letter = &letters[at];
    let same = |posting: &&mut Posting| {
        posting.of.is_none()
            && posting.version == letter.tag.version
            && (letters[posting.head()].from == letter.from || !letter.id.contains('@'))
    };
    match postings.iter_mut().find(same) {
        Some(posting) => {
            let next = posting.patches.len() + 1;
            posting.patches.insert(next, vec![at]);
        }
        None => postings.push(Posting {
            version: letter.tag.version,
            patches: BTreeMap::from([(1, vec![at])]),
            ..Posting::default()
        }),
    }
}

/// What mails have in common that answer nothing: their order in the file tells series apart.
const UNTHREADED: &str = "";

/// The mails of one version and number of patches.
struct Group<'a> {
    letters: &'a [Letter],
    by_id: &'a HashMap<&'a str, usize>,
    places: BTreeSet<usize>,
    /// Ids that a mail of the group answers.
    answered: BTreeSet<&'a str>,
}

impl<'a> Group<'a> {
    fn new(letters: &'a [Letter], by_id: &'a HashMap<&'a str, usize>, places: &[usize]) -> Self {
        let answered = places.iter().flat_map(|at| &letters[*at].parents).map(String::as_str).collect();
        Self { letters, by_id, places: places.iter().copied().collect(), answered }
    }

    /// The mail of the group that another of it answers.
    fn above(&self, at: usize) -> Option<usize> {
        let known = self.letters[at].parents.iter().filter_map(|id| self.by_id.get(id.as_str()).copied());
        known.into_iter().find(|above| self.places.contains(above) && *above != at)
    }

    /// What all mails of a posting have in common: the id of its cover letter, or of what they all
    /// answer instead.
    fn root(&self, at: usize) -> String {
        let mut here = at;
        for _ in 0..CHAIN_MAX {
            let letter = &self.letters[here];
            let is_cover = letter.tag.number.is_some_and(|(number, _)| number == 0);
            let is_answered = self.answered.contains(letter.id.as_str());
            match (self.above(here), letter.parents.first()) {
                (Some(above), _) if !is_cover => here = above,
                (_, Some(outside)) if !is_cover => return outside.clone(),
                _ if is_answered => return letter.id.clone(),
                _ => break,
            }
        }
        UNTHREADED.to_owned()
    }
}

/// Whether mails say what they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threaded {
    Yes,
    No,
}

/// Puts a mail into the first posting that has no mail of its number. A number that one person sent twice
/// in a thread begins no second posting: it makes the first one doubtful.
fn put(open: &mut Vec<Posting>, fresh: Posting, letters: &[Letter], at: usize, threaded: Threaded) {
    let letter = &letters[at];
    let Some((number, _)) = letter.tag.number else { return };
    let is_free = |posting: &Posting| match number {
        0 => posting.cover.is_none(),
        _ => !posting.patches.contains_key(&number),
    };
    let is_double = |posting: &Posting| {
        let same = posting.patches.get(&number).and_then(|places| places.first());
        threaded == Threaded::Yes && same.is_some_and(|same| letters[*same].from == letter.from)
    };
    let place = open.iter().position(is_free).or_else(|| open.iter().position(is_double));
    let place = place.unwrap_or_else(|| {
        open.push(fresh);
        open.len() - 1
    });
    match number {
        0 => open[place].cover = Some(at),
        _ => open[place].patches.entry(number).or_default().push(at),
    }
}

/// A number for each mail: equal where one answers the other, over any number of steps.
fn threads(letters: &[Letter]) -> Vec<usize> {
    let mut nodes: HashMap<&str, usize> = HashMap::new();
    let mut above: Vec<usize> = Vec::new();
    for id in letters.iter().flat_map(|letter| std::iter::once(&letter.id).chain(&letter.parents)) {
        nodes.entry(id.as_str()).or_insert_with(|| {
            above.push(above.len());
            above.len() - 1
        });
    }
    for letter in letters {
        let own = top(&mut above, nodes[letter.id.as_str()]);
        for parent in &letter.parents {
            let other = top(&mut above, nodes[parent.as_str()]);
            above[other] = own;
        }
    }
    letters.iter().map(|letter| top(&mut above, nodes[letter.id.as_str()])).collect()
}

fn top(above: &mut [usize], mut node: usize) -> usize {
    while above[node] != node {
        above[node] = above[above[node]];
        node = above[node];
    }
    node
}

/// Postings of one series: those that share titles, and those of one person in one thread.
fn find_families(postings: &mut [Posting], letters: &[Letter], threads: &[usize]) {
    let titles: Vec<Titles> = postings.iter().map(|posting| Titles::of(posting, letters)).collect();
    let mut above: Vec<usize> = (0..postings.len()).collect();
    for one in 0..postings.len() {
        for other in 0..one {
            let (head_a, head_b) = (postings[one].head(), postings[other].head());
            let in_thread =
                threads[head_a] == threads[head_b] && letters[head_a].from == letters[head_b].from;
            if in_thread || titles[one].are_like(&titles[other]) {
                let (top_a, top_b) = (top(&mut above, one), top(&mut above, other));
                above[top_a] = top_b;
            }
        }
    }
    for (at, posting) in postings.iter_mut().enumerate() {
        posting.family = top(&mut above, at);
    }
}

/// Titles without what may change from one version to the next: case and punctuation.
struct Titles {
    head: String,
    patches: BTreeSet<String>,
}

impl Titles {
    fn of(posting: &Posting, letters: &[Letter]) -> Self {
        let plain = |at: usize| -> String {
            let title = letters[at].tag.title.chars();
            title.filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        let patches = posting.patches.values().flatten().map(|at| plain(*at)).collect();
        Self { head: plain(posting.head()), patches }
    }

    /// The same title on top, or at least half of the patches of the smaller one.
    fn are_like(&self, other: &Self) -> bool {
        let smaller = self.patches.len().min(other.patches.len());
        let shared = || self.patches.intersection(&other.patches).count();
        self.head == other.head && !self.head.is_empty() || smaller > 0 && shared() * 2 >= smaller
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
