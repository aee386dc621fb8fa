//! Which models and tests could notice a mutant, the cheapest and nearest first.

use crate::mutant::Mutant;
use family_tests::models::{self, Depth};
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Command;

/// Tests of one package that are built and run by one call of cargo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The package.
    pub package: String,
    /// Whether they are loom models.
    pub models: bool,
    /// The names of the test targets; `lib` stands for the unit tests.
    pub targets: Vec<String>,
    /// What the tests are told beside which of them to run.
    pub arguments: &'static [&'static str],
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.package, self.targets.join(" "))
    }
}

/// The unit tests.
const LIB: &str = "lib";

/// Who is built on queue-core.
const ABOVE_CORE: &[&str] = &["queue-thread", "queue-async", "queue-process"];

/// Tests that judge no queue, or take long for what they could find here.
const NOT_ASKED: &[&str] = &["codec", "mutations", "tidiness", "pipeline", "peers"];

/// Processes killed at random: fewer than by default.
const CHAOS: &[&str] = &["--kills", "40"];

impl Step {
    fn of(package: &str, models: bool, targets: Vec<String>) -> Option<Self> {
        (!targets.is_empty()).then(|| Self {
            package: package.to_string(),
            models,
            targets,
            arguments: &[],
        })
    }

    /// The same with one target alone.
    pub(super) fn only(&self, target: &str) -> Self {
        Self {
            targets: vec![target.to_string()],
            ..self.clone()
        }
    }

    /// Its targets, each by itself.
    pub(super) fn each(&self) -> impl Iterator<Item = Self> + '_ {
        self.targets.iter().map(|target| self.only(target))
    }

    /// Cargo, to run it over `tree`, built into `std`, or `loom` if it is of models.
    pub(super) fn command(&self, tree: &Path, std: &Path, loom: &Path, tests: &[&str]) -> Command {
        let mut cargo = if self.models {
            models::cargo_test(tree, loom, Depth::Bounded)
        } else {
            let mut cargo = Command::new(models::cargo());
            cargo
                .arg("test")
                .current_dir(tree)
                .env("CARGO_TARGET_DIR", std);
            cargo.arg("--all-features");
            cargo
        };
        cargo.args(["-p", &self.package]);
        for target in &self.targets {
            match target.as_str() {
                LIB => cargo.arg("--lib"),
                test => cargo.args(["--test", test]),
            };
        }
        // Each change is a new build: the faster the better.
        cargo
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
            .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        cargo.arg("--").args(self.arguments).args(tests);
        if self.models {
            // A model that panics does so for good, and says so at once.
            cargo.arg("--nocapture");
        }
        limited(&cargo)
    }
}

/// `command` with a limit on memory: a queue that is never full takes all there is. The limit is on
/// memory of its own: a shared one reserves more addresses than it ever fills.
fn limited(command: &Command) -> Command {
    const KIBIBYTES: u64 = 10 << 20;
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("ulimit -d {KIBIBYTES}; exec \"$0\" \"$@\""))
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        shell.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// The steps for `mutant` in the tree at `tree`; `modelled` says whether models contain its file.
pub(super) fn find(tree: &Path, mutant: &Mutant, modelled: bool) -> io::Result<Vec<Step>> {
    let mut steps = of_file(tree, &mutant.file, modelled)?;
    if matches!(mutant.operator, "ordering" | "fence") {
        // Common processors keep a stronger one, so tests hardly see these.
        steps.sort_by_key(|step| !step.models);
    }
    Ok(steps)
}

fn of_file(tree: &Path, file: &str, modelled: bool) -> io::Result<Vec<Step>> {
    let (package, _) = file.split_once('/').unwrap_or((file, ""));
    let all = test_files(tree, package)?;
    let near = |test: &String| {
        // `pipe/push.rs` is the business of `pipe`, and everything is that of the contract: it takes
        // seconds, and a model some more to build alone.
        let mut parts = file.split(['/', '.', '_']);
        test == "contract" || parts.any(|part| test.split('_').any(|word| word == part))
    };
    let (near, far): (Vec<_>, Vec<_>) = all.into_iter().partition(near);
    let mut steps = vec![
        Step::of(
            package,
            false,
            std::iter::once(LIB.to_string()).chain(near).collect(),
        ),
        Step::of(package, true, models_of(tree, package, modelled)?),
        Step::of(package, false, far),
    ];
    if package == "queue-core" {
        for above in ABOVE_CORE {
            let near = ["lib", "contract"].map(str::to_string).to_vec();
            steps.push(Step::of(above, false, near));
        }
        for above in ABOVE_CORE {
            steps.push(Step::of(above, true, models_of(tree, above, modelled)?));
        }
    }
    let mut family = test_files(tree, "tests")?;
    let kills = package == "queue-process" && family.iter().any(|test| test == "chaos");
    family.retain(|test| test != "chaos");
    steps.push(Step::of("family-tests", false, family));
    if kills {
        let chaos = Step::of("family-tests", false, vec!["chaos".to_string()]);
        steps.extend(chaos.map(|chaos| {
            Some(Step {
                arguments: CHAOS,
                ..chaos
            })
        }));
    }
    Ok(steps.into_iter().flatten().collect())
}

fn models_of(tree: &Path, package: &str, modelled: bool) -> io::Result<Vec<String>> {
    let own = models::find(tree)?
        .into_iter()
        .filter(|model| model.package == package);
    Ok(own.filter(|_| modelled).map(|model| model.target).collect())
}

/// The names of a package's test targets that are no models, but those that are not asked.
fn test_files(tree: &Path, package: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(tree.join(package).join("tests"))? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_file = path.extension().is_some_and(|e| e == "rs") && !name.starts_with("loom_");
        if (is_file || path.join("main.rs").is_file()) && !NOT_ASKED.contains(&&*name) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_the_family_last() {
        let root = family_tests::root();
        for package in crate::sources::PACKAGES {
            let steps = of_file(&root, &format!("{package}/src/lib.rs"), true).unwrap();
            assert_eq!(steps[0].package, *package);
            assert_eq!(steps[0].targets[0], LIB);
            assert!(
                steps
                    .iter()
                    .any(|step| step.models && step.package == *package)
            );
            assert!(
                steps
                    .iter()
                    .any(|step| step.targets.contains(&"contract".to_string()))
            );
            assert_eq!(steps.last().unwrap().package, "family-tests");
            let without = of_file(&root, &format!("{package}/src/lib.rs"), false).unwrap();
            assert!(without.iter().all(|step| !step.models));
        }
        let above = of_file(&root, "queue-core/src/event/mod.rs", true).unwrap();
        assert!(ABOVE_CORE.iter().all(|above_core| {
            [true, false].iter().all(|models| {
                above
                    .iter()
                    .any(|step| step.package == *above_core && step.models == *models)
            })
        }));
    }

    #[test]
    fn models_are_the_first_to_judge_an_ordering() {
        let root = family_tests::root();
        let text = "fn f() { if a { x.load(Ordering::Acquire); } }";
        for mutant in crate::operators::scan("queue-core/src/event/mod.rs", text).unwrap() {
            let steps = find(&root, &mutant, true).unwrap();
            assert_eq!(
                steps[0].models,
                mutant.operator == "ordering",
                "{}",
                mutant.id()
            );
            let all = of_file(&root, &mutant.file, true).unwrap();
            assert_eq!(steps.len(), all.len());
        }
    }

    #[test]
    fn loom_is_for_models_alone() {
        let root = family_tests::root();
        let steps = of_file(&root, "queue-thread/src/lib.rs", true).unwrap();
        for step in steps {
            let command = step.command(&root, Path::new("std"), Path::new("loom"), &[]);
            let flags = command.get_envs().any(|(name, value)| {
                name == "RUSTFLAGS" && value.is_some_and(|value| value == "--cfg loom")
            });
            assert_eq!(flags, step.models, "{step}");
        }
    }
}
