// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a kernel treats filters, read from its source: what has no number to look up.

/// When a task's filters are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FiltersFreed {
    /// With the task, when it is reaped: a zombie still has them.
    WithTask,
    /// At its exit: a zombie has none.
    AtExit,
}

impl FiltersFreed {
    /// The word for it on the command line of the guest program.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WithTask => "task",
            Self::AtExit => "exit",
        }
    }
}

/// Whether an architecture's `asm/seccomp.h` names its system call tables: without that there is no cache.
#[must_use]
pub fn names_tables(header: &str) -> bool {
    header.lines().any(|line| {
        let words = line.trim_start().strip_prefix('#').map(str::split_whitespace);
        words.is_some_and(|words| words.take(2).eq(["define", "SECCOMP_ARCH_NATIVE"]))
    })
}

/// When filters are freed: told by the function of `kernel/exit.c` that calls `seccomp_filter_release()`.
///
/// `None` where that is none of the two that are known, or both: what is not understood is no answer.
#[must_use]
pub fn filters_freed(exit_c: &str) -> Option<FiltersFreed> {
    let mut function = None;
    let mut found = None;
    for line in exit_c.lines() {
        if let Some(name) = function_begun(line) {
            function = Some(name);
        }
        // A call, not the function's own name at the head of a definition.
        if line.starts_with(char::is_whitespace) && line.trim_start().starts_with("seccomp_filter_release(") {
            let freed = match function? {
                "release_task" => FiltersFreed::WithTask,
                "do_exit" => FiltersFreed::AtExit,
                _ => return None,
            };
            if found.is_some_and(|other| other != freed) {
                return None;
            }
            found = Some(freed);
        }
    }
    found
}

/// The function whose head this line is: it begins at the margin and has a name before its first parenthesis.
fn function_begun(line: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || line.trim_end().ends_with(';') {
        return None;
    }
    let (head, _) = line.split_once('(')?;
    let name = head.trim_end().rsplit(|c| !is_name(c)).next()?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "void release_task(struct task_struct *p);\n\nstatic int other(int x)\n{\n\treturn x;\n}\n\n";

    fn file(function: &str, call: &str) -> String {
        format!(
            "{HEAD}{function}\n{{\n\tint x;\nrepeat:\n\tif (x)\n\t\tother(x);\n\t{call}\n}}\n\nstatic void last(void)\n{{\n}}\n"
        )
    }

    #[test]
    fn the_caller_tells() {
        let call = "seccomp_filter_release(p);";
        let cases = [
            ("void release_task(struct task_struct *p)", Some(FiltersFreed::WithTask)),
            ("void __noreturn do_exit(long code)", Some(FiltersFreed::AtExit)),
            ("static void exit_mm(void)", None),
        ];
        for (function, expected) in cases {
            assert_eq!(filters_freed(&file(function, call)), expected, "{function}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_answer() {
        let reaping = file("void release_task(struct task_struct *p)", "seccomp_filter_release(p);");
        let exiting = file("void do_exit(long code)", "seccomp_filter_release(tsk);");
        assert_eq!(filters_freed(&(reaping.clone() + &exiting)), None);
        assert_eq!(filters_freed(&(reaping.clone() + &reaping)), Some(FiltersFreed::WithTask));
        for text in ["", "\tseccomp_filter_release(p);\n", HEAD] {
            assert_eq!(filters_freed(text), None, "{text:?}");
        }
        // A comment that names it is no call.
        let told = file("void do_exit(long code)", "/* seccomp_filter_release() comes later */");
        assert_eq!(filters_freed(&told), None);
    }
}
