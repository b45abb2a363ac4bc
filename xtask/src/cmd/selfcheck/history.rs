// SPDX-License-Identifier: MIT OR Apache-2.0
//! A git history on a real kernel, bisected by git with this binary.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::cli::SelfcheckArgs;
use crate::cmd::session::Session;
use crate::fault::Fault;
use crate::record::model::{Outcome, Run};
use crate::run::compiler::Toolchain;
use crate::run::context::{AccelChoice, Context};
use crate::run::git::bare_command;
use crate::run::import::{Imported, import};
use crate::sys::logged::logged;
use crate::sys::process::{capture, quote};
use crate::tell;

/// Commits on top of the tree.
const COMMITS: usize = 16;
/// The one after which calls are decided wrongly.
const BAD: usize = 11;
/// The one that does not build; the next one does again.
const NO_BUILD: usize = 8;
/// The one that does not boot; the next one does again.
const NO_BOOT: usize = 13;
/// Most boots that it may take.
const BOOTS_MAX: usize = 6;

/// The file that the commits change.
const FILE: &str = "kernel/seccomp.c";
/// The file that does not compile at one of them: of all kernel sources it is the first to be compiled.
const EARLY_FILE: &str = "kernel/bounds.c";
/// The strictest answer of several filters counts: this makes it the mildest.
const RIGHT: &str = "if (ACTION_ONLY(cur_ret) < ACTION_ONLY(ret)) {";
const WRONG: &str = "if (ACTION_ONLY(cur_ret) > ACTION_ONLY(ret)) {";

/// Longest that git may take for one step, and for the whole search.
const STEP_DEADLINE: Duration = Duration::from_secs(600);
const SEARCH_DEADLINE: Duration = Duration::from_secs(2 * 3600);

/// What the case is.
pub fn wanted() -> String {
    format!(
        "commit {BAD} of {COMMITS}, commit {NO_BUILD} does not build, {NO_BOOT} does not boot, at most {BOOTS_MAX} boots"
    )
}

/// A repository of a user's, as it could be.
struct Repository {
    folder: PathBuf,
}

/// Makes the history and lets git find its bad commit.
pub fn run(session: &Session, args: &SelfcheckArgs) -> Result<Result<String, String>> {
    let cache = session.cache()?;
    let scratch = cache.temporary()?;
    let imported = imported(session, args, scratch.path())?;
    let repository = Repository { folder: scratch.path().join("linux") };
    let commits = repository.make(cache.root(), &imported)?;
    repository.git(&["reset", "--quiet", "--hard"], b"")?;
    let (first, last) = (&commits[0], &commits[COMMITS]);
    repository.git(&["bisect", "start", last, first], b"")?;
    let results = scratch.path().join("results");
    let log = session.results.join("selfcheck-history.log");
    fs::create_dir_all(&session.results)?;
    fs::write(&log, "")?;
    let mut found = None;
    let mut git = repository.command();
    git.args(["bisect", "run", "sh", "-c", &script(session, args, cache.root(), &results)?]);
    logged(git, "git bisect run", SEARCH_DEADLINE, &log, &mut |line| {
        if let Some(hash) = line.strip_suffix(" is the first bad commit") {
            found = Some(hash.to_owned());
        }
        tell::print(&format!("{:>14}{line}\n", ""));
    })?;
    let visits = Visits::read(&results)?;
    let number = found.and_then(|hash| commits.iter().position(|commit| *commit == hash));
    let told = match number {
        Some(number) => format!("commit {number}, {}", visits.text()),
        None => format!("no commit, {}; see {}", visits.text(), log.display()),
    };
    Ok(if number == Some(BAD) && visits.are_right() { Ok(told) } else { Err(told) })
}

/// The lab's tree, in the lab's repository.
fn imported(session: &Session, args: &SelfcheckArgs, folder: &Path) -> Result<Imported> {
    let (cache, options) = (session.cache()?, args.run.options());
    // Nobody listens: bringing a tree that is not there yet takes a while, and is said by whoever asks first.
    let (sender, _events) = channel();
    let toolchain = Toolchain::ask()?;
    let context = Context::new(&session.lab, &cache, toolchain, &options, folder.to_owned(), sender);
    import(&context, session.lab.tree(&session.lab.defaults.tree)?)
}

/// What git runs for each commit: as the README says it.
fn script(session: &Session, args: &SelfcheckArgs, cache: &Path, results: &Path) -> Result<String> {
    let lab = std::env::current_exe().context("finding the lab's own program")?;
    let lab = quote(&lab.to_string_lossy());
    let flavor = session.lab.defaults.flavors.first().ok_or_else(|| Fault::usage("no flavor"))?;
    let accel = match args.run.accel {
        AccelChoice::Auto => "auto",
        AccelChoice::Kvm => "kvm",
        AccelChoice::Tcg => "tcg",
    };
    Ok(format!(
        "test -x {lab} || exit 255; exec {lab} test --tree path=. --series none --flavor {flavor} \
         --check behaviour.calls --exit-codes bisect --accel {accel} --cache-dir {} --results-dir {}",
        quote(&cache.to_string_lossy()),
        quote(&results.to_string_lossy())
    ))
}

/// What the search came by, by its records.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Visits {
    /// Guests that were started.
    boots: usize,
    /// Commits that did not build.
    without_build: usize,
    /// Commits that did not boot.
    without_boot: usize,
}

impl Visits {
    fn read(results: &Path) -> Result<Self> {
        let mut visits = Self::default();
        for entry in fs::read_dir(results)? {
            let path = entry?.path().join("run.json");
            let is_link = path.parent().is_some_and(Path::is_symlink);
            if is_link || !path.exists() {
                continue;
            }
            let run: Run = serde_json::from_slice(&fs::read(&path)?)
                .with_context(|| format!("reading the record {}", path.display()))?;
            for cell in &run.cells {
                visits.boots += cell.attempts.len();
                visits.without_build += usize::from(cell.outcome == Outcome::BuildFailed);
                visits.without_boot += usize::from(cell.outcome == Outcome::BootFailed);
            }
        }
        Ok(visits)
    }

    /// A search that was led past the commits that cannot be told proves nothing of them.
    fn are_right(self) -> bool {
        self.boots <= BOOTS_MAX && self.without_build == 1 && self.without_boot == 1
    }

    fn text(self) -> String {
        let Self { boots, without_build, without_boot } = self;
        format!("{boots} boots, {without_build} did not build, {without_boot} did not boot")
    }
}

impl Repository {
    fn command(&self) -> std::process::Command {
        let mut git = bare_command();
        git.current_dir(&self.folder);
        git
    }

    fn git<S: AsRef<OsStr>>(&self, words: &[S], input: &[u8]) -> Result<String> {
        let mut git = self.command();
        git.args(words);
        let what = words.first().map(|word| word.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        let captured = capture(git, &format!("git {what}"), STEP_DEADLINE, input)?;
        Ok(captured.success(&format!("git {what}"))?.text().trim().to_owned())
    }

    /// Makes the commits; their ids, the one of the tree as it is first.
    fn make(&self, cache: &Path, imported: &Imported) -> Result<Vec<String>> {
        fs::create_dir_all(&self.folder)?;
        self.git(&["init", "--quiet", "--initial-branch=main", "--template="], b"")?;
        let objects = cache.join("repo.git/objects");
        fs::create_dir_all(self.folder.join(".git/objects/info"))?;
        fs::write(self.folder.join(".git/objects/info/alternates"), format!("{}\n", objects.display()))?;
        self.git(&["read-tree", &imported.tree], b"")?;
        let text =
            imported.git.file(&imported.tree, FILE)?.with_context(|| format!("the tree has no {FILE}"))?;
        if text.matches(RIGHT).count() != 1 {
            return Err(Fault::usage(format!(
                "{FILE} of tree {}: `{RIGHT}` is not there once",
                imported.tree
            ))
            .into());
        }
        let early = imported.git.file(&imported.tree, EARLY_FILE)?;
        let early = early.with_context(|| format!("the tree has no {EARLY_FILE}"))?;
        let mut commits: Vec<String> = Vec::new();
        for number in 0..=COMMITS {
            for (path, text) in [(FILE, version(&text, number)), (EARLY_FILE, early_version(&early, number))]
            {
                let file = self.git(&["hash-object", "-w", "--stdin"], text.as_bytes())?;
                self.git(&["update-index", "--cacheinfo", &format!("100644,{file},{path}")], b"")?;
            }
            let tree = self.git(&["write-tree"], b"")?;
            let message = format!("seccomp: step {number}");
            let mut words = vec!["commit-tree", &tree, "-m", &message];
            if let Some(parent) = commits.last() {
                words.extend(["-p", parent]);
            }
            let commit = self.git(&words, b"")?;
            commits.push(commit);
        }
        self.git(&["update-ref", "refs/heads/main", &commits[COMMITS]], b"")?;
        Ok(commits)
    }
}

/// The file at a commit: a comment more each time, at its end, so that one object is made again.
fn version(text: &str, number: usize) -> String {
    let mut text = if number >= BAD { text.replace(RIGHT, WRONG) } else { text.to_owned() };
    for step in 1..=number {
        text.push_str(&format!("\n/* step {step} */\n"));
    }
    if number == NO_BOOT {
        text.push_str(
            "\nstatic int __init seccomp_stop(void)\n{\n\tpanic(\"step\");\n}\ncore_initcall(seccomp_stop);\n",
        );
    }
    text
}

/// The file that is compiled first, at a commit.
fn early_version(text: &str, number: usize) -> String {
    let more = if number == NO_BUILD { "\nthis is no C;\n" } else { "" };
    format!("{text}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_missed_a_commit_or_took_too_many_boots_is_not_right() {
        let right = Visits { boots: BOOTS_MAX, without_build: 1, without_boot: 1 };
        assert!(right.are_right());
        assert!(!Visits { boots: BOOTS_MAX + 1, ..right }.are_right());
        assert!(!Visits { without_build: 0, ..right }.are_right());
        assert!(!Visits { without_boot: 0, ..right }.are_right());
    }

    #[test]
    fn each_commit_differs_from_the_last_and_three_are_special() {
        let versions: Vec<String> =
            (0..=COMMITS).map(|number| version(&format!("a\n{RIGHT}\nb\n"), number)).collect();
        assert!(versions.windows(2).all(|pair| pair[0] != pair[1]));
        let with = |what: &str| -> Vec<usize> {
            (0..=COMMITS).filter(|number| versions[*number].contains(what)).collect()
        };
        assert_eq!(with(WRONG), (BAD..=COMMITS).collect::<Vec<_>>());
        assert_eq!(with("panic"), [NO_BOOT]);
        let early = |number: &usize| early_version("a\n", *number) != "a\n";
        assert_eq!((0..=COMMITS).filter(early).collect::<Vec<_>>(), [NO_BUILD]);
    }
}
