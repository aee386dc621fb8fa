//! Which models and tests could notice a mutant, and how they are run.

use super::copy::Copy;
use family_tests::models::{self, Depth};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of tests or models, which is a program of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    /// The package.
    pub package: String,
    /// Whether it is of loom models.
    pub models: bool,
    /// The name of the test target; `lib` stands for the unit tests.
    pub name: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.name)
    }
}

/// The unit tests.
const LIB: &str = "lib";

/// The package in `tests`.
const FAMILY: &str = "family-tests";

/// Who is built on queue-core.
const ABOVE_CORE: &[&str] = &["queue-thread", "queue-async", "queue-process"];

/// Tests that judge no queue, or take long for what they could find here.
const NOT_ASKED: &[&str] = &[
    "codec",
    "mutations",
    "tidiness",
    "pipeline",
    "peers",
    "arrows",
];

/// Those that do without the test harness: they run as a whole.
const WHOLE: &[&str] = &["fork", "chaos"];

/// Processes killed at random: fewer than by default.
const KILLS: &[&str] = &["--kills", "40"];

/// Tests at a time, as in .cargo/config.toml: most wait for something.
const THREADS: (&str, &str) = ("RUST_TEST_THREADS", "8");

impl Target {
    fn new(package: &str, models: bool, name: String) -> Self {
        Self {
            package: package.to_string(),
            models,
            name,
        }
    }

    /// Whether its tests cannot be told apart.
    pub(super) fn is_whole(&self) -> bool {
        WHOLE.contains(&&*self.name)
    }

    /// Cargo, to build it in `copy` and to run `tests` of it, or all.
    pub(super) fn cargo(&self, copy: &Copy, tests: &[String]) -> Command {
        let mut cargo = cargo(copy, &[self]);
        cargo.arg("--");
        self.choose(&mut cargo, tests);
        limited(&cargo)
    }

    /// It itself, which was built there in `copy`, to run `tests` of it, or all.
    pub(super) fn program(&self, built: &Path, copy: &Copy, tests: &[String]) -> Command {
        let mut program = Command::new(built);
        let folder = match self.package.as_str() {
            FAMILY => "tests",
            package => package,
        };
        program.current_dir(copy.tree.join(folder));
        program.env(THREADS.0, THREADS.1);
        self.choose(&mut program, tests);
        limited(&program)
    }

    fn choose(&self, command: &mut Command, tests: &[String]) {
        if self.name == "chaos" {
            command.args(KILLS);
        }
        if !tests.is_empty() && !self.is_whole() {
            command.arg("--exact").args(tests);
        }
        if self.models {
            // A model that panics does so for good, and says so at once.
            command.arg("--nocapture");
        }
    }

    /// The names of the tests of the program that was built there.
    pub(super) fn tests(&self, built: &Path) -> io::Result<Vec<String>> {
        if self.is_whole() {
            return Ok(vec![String::new()]);
        }
        let listed = Command::new(built)
            .args(["--list", "--format", "terse"])
            .output()?;
        let listed = String::from_utf8_lossy(&listed.stdout);
        let names = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_string).collect())
    }
}

/// Builds `targets` in `copy`: where each lies, or the compiler's errors.
pub(super) fn build(
    copy: &Copy,
    targets: &[Target],
) -> io::Result<Result<HashMap<Target, PathBuf>, String>> {
    let mut built = HashMap::new();
    let mut left: Vec<&Target> = targets.iter().collect();
    while let Some(first) = left.first().copied() {
        let is_beside = |t: &&Target| t.package == first.package && t.models == first.models;
        let (now, later): (Vec<_>, _) = left.into_iter().partition(is_beside);
        let output = cargo(copy, &now).arg("--no-run").output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Ok(Err(said.into_owned()));
        }
        for line in said.lines() {
            let Some((name, path)) = named(line, "Executable ") else {
                continue;
            };
            let target = Target::new(&first.package, first.models, name.to_string());
            built.insert(target, copy.tree.join(path));
        }
        left = later;
    }
    Ok(Ok(built))
}

/// The target of which cargo says in this `line` that it `does` something, and its program:
/// `contract` of `Running tests/contract.rs (..)`, `handover` of `Running tests/handover/main.rs (..)`.
pub(super) fn named<'a>(line: &'a str, does: &str) -> Option<(&'a str, &'a str)> {
    // Not "running": some tests have no harness that says so.
    let path = line.trim_start().strip_prefix(does)?;
    let path = path.strip_prefix("unittests ").unwrap_or(path);
    let (path, program) = path.split_once(' ')?;
    let path = path.strip_suffix(".rs")?;
    let name = path
        .strip_suffix("/main")
        .unwrap_or(path)
        .rsplit('/')
        .next()?;
    Some((name, program.strip_prefix('(')?.strip_suffix(')')?))
}

/// Cargo, to test `targets` of one package in `copy`.
fn cargo(copy: &Copy, targets: &[&Target]) -> Command {
    let Copy { tree, std, loom } = copy;
    let mut cargo = if targets[0].models {
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
    cargo.args(["-p", &targets[0].package]);
    for target in targets {
        match target.name.as_str() {
            LIB => cargo.arg("--lib"),
            test => cargo.args(["--test", test]),
        };
    }
    // Built anew for other mutants: the faster the better.
    cargo
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
        .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    cargo
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

/// Who could notice a mutant of `file` in the tree at `tree`: the crate's own, those of the crates
/// that are built on it, the family's.
pub(super) fn find(tree: &Path, file: &str) -> io::Result<Vec<Target>> {
    let (package, _) = file.split_once('/').unwrap_or((file, ""));
    let mut packages = vec![package];
    if package == "queue-core" {
        packages.extend(ABOVE_CORE);
    }
    let mut targets = Vec::new();
    let mut ask = |package: &str, models, names: Vec<String>| {
        let new = |name| Target::new(package, models, name);
        targets.extend(names.into_iter().map(new));
    };
    for package in packages {
        if tree.join(package).join("src/lib.rs").is_file() {
            ask(package, false, vec![LIB.to_string()]);
        }
        ask(package, false, test_files(tree, package)?);
        ask(package, true, models_of(tree, package)?);
    }
    let mut family = test_files(tree, "tests")?;
    family.retain(|test| package == "queue-process" || test != "chaos");
    ask(FAMILY, false, family);
    Ok(targets)
}

fn models_of(tree: &Path, package: &str) -> io::Result<Vec<String>> {
    let all = models::find(tree)?.into_iter();
    let own = all.filter(|model| model.package == package);
    Ok(own.map(|model| model.target).collect())
}

/// The names of a package's test targets that are no models, but those that are not asked.
fn test_files(tree: &Path, package: &str) -> io::Result<Vec<String>> {
    let (mut found, folder) = (Vec::new(), tree.join(package).join("tests"));
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)? {
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

    fn of_file(file: &str) -> Vec<Target> {
        find(&family_tests::root(), file).unwrap()
    }

    #[test]
    fn its_own_are_asked_and_those_above_and_the_family() {
        for package in crate::sources::PACKAGES {
            let targets = of_file(&format!("{package}/src/lib.rs"));
            let asks = |package: &str, models: bool, name: &str| {
                targets.iter().any(|target| {
                    target.package == package
                        && target.models == models
                        && target.name.starts_with(name)
                })
            };
            assert!(asks(package, false, LIB) && asks(package, false, "contract"));
            assert!(asks(package, true, "loom_"));
            assert!(asks(FAMILY, false, "suites"));
            assert_eq!(asks(FAMILY, false, "chaos"), *package == "queue-process");
            for above in ABOVE_CORE.iter().filter(|above| *above != package) {
                let is_core = *package == "queue-core";
                assert_eq!(asks(above, false, LIB), is_core, "{above} of {package}");
                assert_eq!(asks(above, true, "loom_"), is_core, "{above} of {package}");
            }
        }
    }

    #[test]
    fn a_crate_may_be_a_program_or_have_unit_tests_alone() {
        let asked = |file: &str| {
            let own = of_file(file).into_iter().filter(|t| t.package != FAMILY);
            own.map(|target| target.name).collect::<Vec<_>>()
        };
        assert_eq!(asked("queue-cli/src/main.rs"), ["commands"]);
        assert_eq!(asked("queue-codec/src/lib.rs"), [LIB]);
    }

    #[test]
    fn loom_is_for_models_alone() {
        let copy = Copy {
            tree: family_tests::root(),
            std: "std".into(),
            loom: "loom".into(),
        };
        for target in of_file("queue-thread/src/lib.rs") {
            let command = target.cargo(&copy, &[]);
            let flags = command.get_envs().any(|(name, value)| {
                name == "RUSTFLAGS" && value.is_some_and(|value| value == "--cfg loom")
            });
            assert_eq!(flags, target.models, "{target}");
        }
    }

    #[test]
    fn what_cargo_says_names_a_target_and_its_program() {
        let name = |line| named(line, "Running ");
        let lib = "     Running unittests src/lib.rs (target/debug/deps/a-1)";
        assert_eq!(name(lib), Some(("lib", "target/debug/deps/a-1")));
        let folder = "     Running tests/handover/main.rs (/t/handover-2)";
        assert_eq!(name(folder), Some(("handover", "/t/handover-2")));
        assert_eq!(name("running 3 tests"), None);
        let built = named("  Executable tests/shm.rs (/t/shm-3)", "Executable ");
        assert_eq!(built, Some(("shm", "/t/shm-3")));
    }
}
