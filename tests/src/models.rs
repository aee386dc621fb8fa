//! Finding the loom models, running them, and telling a pass from a run that was cut.
//!
//! A model that loom gave up on (a limit on time or on interleavings) looks like a
//! pass to the test harness. So each model says at its end how many interleavings it
//! completed, and [`judge`] asks that of every test.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// A file of models: `<package>/tests/<target>.rs`, where the target is `loom_*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelFile {
    /// The package that it models.
    pub package: String,
    /// The name of the test target.
    pub target: String,
}

impl fmt::Display for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/tests/{}.rs", self.package, self.target)
    }
}

/// All files of models below `root`, in order.
///
/// # Errors
/// If a directory cannot be read.
pub fn find(root: &Path) -> std::io::Result<Vec<ModelFile>> {
    let mut files = Vec::new();
    for package in std::fs::read_dir(root)? {
        let package = package?;
        let tests = package.path().join("tests");
        if !package.path().join("Cargo.toml").is_file() || !tests.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(tests)? {
            let name = file?.file_name().to_string_lossy().into_owned();
            if let Some(target) = name.strip_suffix(".rs").filter(|t| t.starts_with("loom_")) {
                files.push(ModelFile {
                    package: package.file_name().to_string_lossy().into_owned(),
                    target: target.to_string(),
                });
            }
        }
    }
    files.sort();
    Ok(files)
}

/// How far the models go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Within the preemption bounds that each model states: minutes in all.
    Bounded,
    /// With one preemption more than that: an hour or so.
    Long,
    /// Every interleaving there is. Not every model comes to its end.
    All,
}

/// The cargo that runs this program.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// `cargo test` for models in the workspace at `root`, which builds into `target_dir`.
///
/// What a user's environment holds of loom's own settings is taken out: some of them
/// end a run early, with success.
pub fn cargo_test(root: &Path, target_dir: &Path, depth: Depth) -> Command {
    let mut command = Command::new(cargo());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("LOOM_") || name.starts_with("QUEUE_LOOM_") {
            command.env_remove(name.as_ref());
        }
    }
    match depth {
        Depth::Bounded => {}
        Depth::Long => _ = command.env("QUEUE_LOOM_LONG", "1"),
        Depth::All => _ = command.env("QUEUE_LOOM_LONG", "all"),
    }
    command
        .arg("test")
        .arg("--release")
        .current_dir(root)
        .env("RUSTFLAGS", "--cfg loom")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", target_dir);
    command
}

/// What one file of models came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Each model that completed, and its interleavings.
    pub completed: Vec<(String, u64)>,
    /// What keeps this from being a pass, in words.
    pub faults: Vec<String>,
}

/// Reads what the test harness printed with `--show-output`.
///
/// Every test must have passed and must have said, in its own output, that a model
/// completed. A test marked `should_panic` shows a model that fails, so it passes
/// without. No test may be skipped, and there must be some.
pub fn judge(output: &str) -> Verdict {
    let mut verdict = Verdict::default();
    let mut tests = Vec::new();
    let mut section = None;
    for line in output.lines() {
        if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            section = Some(name.to_string());
        } else if let Some((name, result)) = test_line(line) {
            let shown_to_fail = name.ends_with(" - should panic");
            let name = name.trim_end_matches(" - should panic");
            match result {
                "ok" if shown_to_fail => {}
                "ok" => tests.push(name.to_string()),
                "FAILED" => verdict.faults.push(format!("{name} failed")),
                other => verdict.faults.push(format!("{name} was not run: {other}")),
            }
        } else if let Some((name, interleavings)) = completed_line(line) {
            match &section {
                Some(test) => verdict
                    .completed
                    .push((format!("{test}: {name}"), interleavings)),
                None => verdict
                    .faults
                    .push(format!("{name} completed outside of any test")),
            }
        }
    }
    if tests.is_empty() {
        verdict.faults.push("no model was run".to_string());
    }
    for test in tests {
        let own = format!("{test}: ");
        if !verdict
            .completed
            .iter()
            .any(|(name, _)| name.starts_with(&own))
        {
            verdict.faults.push(format!(
                "{test} passed without saying that a model completed"
            ));
        }
    }
    for (name, interleavings) in &mut verdict.completed {
        if *interleavings == 0 {
            verdict.faults.push(format!("{name} tried no interleaving"));
        }
        // A test of one model, both with the same name, needs it only once.
        if let Some((test, model)) = name.split_once(": ")
            && test == model
        {
            *name = model.to_string();
        }
    }
    verdict
}

/// `test NAME ... RESULT`
fn test_line(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name, result.split(", ").next().unwrap_or(result)))
}

/// `model NAME: completed in N iterations`
fn completed_line(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.strip_prefix("model ")?.split_once(": completed in ")?;
    let (count, rest) = rest.split_once(' ')?;
    rest.starts_with("iterations").then_some(())?;
    Some((name, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
running 2 tests
test close ... ok
test wake - should panic ... ok

successes:

---- close stdout ----
model close: completed in 4711 iterations


successes:
    close

test result: ok. 2 passed; 0 failed; 0 ignored
";

    #[test]
    fn a_completed_model_passes() {
        let verdict = judge(GOOD);
        assert_eq!(verdict.completed, [("close".to_string(), 4711)]);
        assert!(verdict.faults.is_empty(), "{:?}", verdict.faults);
    }

    #[test]
    fn whatever_is_not_complete_is_a_fault() {
        let cases = [
            (
                GOOD.replace("model close: completed in 4711 iterations", ""),
                "without saying",
            ),
            (
                GOOD.replace("completed in 4711", "stopped after 4711"),
                "without saying",
            ),
            (
                GOOD.replace("completed in 4711", "completed in 0"),
                "tried no interleaving",
            ),
            (
                GOOD.replace("test close ... ok", "test close ... FAILED"),
                "close failed",
            ),
            (
                GOOD.replace("test close ... ok", "test close ... ignored, later"),
                "not run: ignored",
            ),
            (String::new(), "no model was run"),
        ];
        for (output, fault) in cases {
            let verdict = judge(&output);
            assert!(
                verdict.faults.iter().any(|f| f.contains(fault)),
                "wanted {fault:?} in {:?}",
                verdict.faults
            );
        }
    }
}
