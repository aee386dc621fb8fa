//! Which functions each test reaches, and how long it takes: one that never enters a function
//! cannot notice what becomes of it, and is not asked.

use super::target::Target;
use crate::mutant::Mutant;
use crate::operators;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The variable that names the folder where functions note that they were entered.
const FOLDER: &str = "MUTATE_REACH";

/// What is known, for one state of the sources.
#[derive(Debug, Default)]
pub(super) struct Reach {
    tests: Vec<Test>,
    /// The targets all of whose tests are known.
    known: HashSet<Target>,
}

/// A test, or a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) target: Target,
    /// Empty for a target that runs as a whole.
    pub(super) name: String,
    pub(super) time: Duration,
    /// Which functions it enters: each as [`noted`] says it.
    pub(super) functions: HashSet<String>,
}

/// What of a target is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) target: Target,
    /// The names of the tests; none stands for all.
    pub(super) tests: Vec<String>,
    /// How long the slowest of them takes, and how long all do one after the other.
    pub(super) times: Option<(Duration, Duration)>,
}

impl Question {
    /// Everything.
    pub(super) fn all(target: Target) -> Self {
        Self {
            target,
            tests: Vec::new(),
            times: None,
        }
    }

    /// That of these.
    fn of(target: Target, tests: &[&Test]) -> Self {
        let times = tests.iter().map(|test| test.time);
        Self {
            target,
            tests: tests.iter().map(|test| test.name.clone()).collect(),
            times: Some((times.clone().max().unwrap_or_default(), times.sum())),
        }
    }
}

impl Test {
    fn line(&self, sources: &str) -> String {
        let Target {
            package,
            models,
            name,
        } = &self.target;
        let models = if *models { "model" } else { "test" };
        let functions: Vec<_> = self.functions.iter().map(String::as_str).collect();
        let (millis, functions) = (self.time.as_millis(), functions.join(" "));
        let test = &self.name;
        format!("{sources}\t{package}\t{models}\t{name}\t{test}\t{millis}\t{functions}\n")
    }

    fn read(line: &str, sources: &str) -> Option<Self> {
        let fields: Vec<_> = line.split('\t').collect();
        let [of, package, models, target, name, millis, functions] = fields[..] else {
            return None;
        };
        (of == sources).then_some(())?;
        Some(Self {
            target: Target {
                package: package.to_string(),
                models: models == "model",
                name: target.to_string(),
            },
            name: name.to_string(),
            time: Duration::from_millis(millis.parse().ok()?),
            functions: functions.split_whitespace().map(str::to_string).collect(),
        })
    }
}

impl Reach {
    /// Reads what was written down for these `sources`.
    pub(super) fn read(path: &Path, sources: &str) -> Self {
        let mut reach = Self::default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let tests = text.lines().filter_map(|line| Test::read(line, sources));
        reach.add(tests.collect());
        reach
    }

    /// Notes `tests`, all of one target, also in the file at `path`.
    pub(super) fn keep(&mut self, path: &Path, sources: &str, tests: Vec<Test>) -> io::Result<()> {
        let lines: String = tests.iter().map(|test| test.line(sources)).collect();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(path)?;
        // All at once: a target is known whole or not at all.
        io::Write::write_all(&mut file, lines.as_bytes())?;
        self.add(tests);
        Ok(())
    }

    fn add(&mut self, tests: Vec<Test>) {
        self.known
            .extend(tests.iter().map(|test| test.target.clone()));
        self.tests.extend(tests);
    }

    /// Whether `target` was looked at.
    pub(super) fn knows(&self, target: &Target) -> bool {
        self.known.contains(target)
    }

    /// What to ask `targets` about `mutant` of the file that holds `text`: those tests that reach
    /// it, as far as that is known, the quickest first. But an ordering is asked of models first:
    /// common processors keep a stronger one, so tests hardly see it.
    pub(super) fn questions(
        &self,
        targets: Vec<Target>,
        mutant: &Mutant,
        text: &str,
    ) -> io::Result<Vec<Question>> {
        let mut bodies = operators::bodies(text)?.into_iter();
        let body = bodies.find(|body| body.place.contains(&mutant.place.start));
        let function = body.map(|body| function(&mutant.file, &body.function));
        let reaching: Vec<&Test> = (self.tests.iter())
            .filter(|test| {
                function
                    .as_ref()
                    .is_some_and(|f| test.functions.contains(f))
            })
            .collect();
        let mut questions: Vec<_> = (targets.into_iter())
            .filter_map(|target| {
                if reaching.is_empty() || !self.knows(&target) {
                    return Some(Question::all(target));
                }
                let own = reaching.iter().filter(|test| test.target == target);
                let own: Vec<_> = own.copied().collect();
                (!own.is_empty()).then(|| Question::of(target, &own))
            })
            .collect();
        let is_ordering = matches!(mutant.operator, "ordering" | "fence");
        questions.sort_by_key(|question| {
            let sum = question.times.map(|(_, sum)| sum);
            (is_ordering && !question.target.models, sum)
        });
        Ok(questions)
    }
}

/// How `function` of `file` is noted down.
fn function(file: &str, function: &str) -> String {
    format!("{file}:{function}")
}

/// A statement at the start of `function` of `file`: it notes when that is first entered.
pub(super) fn note(file: &str, function: &str) -> String {
    // In one line, and with full names: it stands in anybody's scope.
    format!(
        "{{ static ENTERED: ::std::sync::atomic::AtomicBool = ::std::sync::atomic::AtomicBool::new(false); \
         if !ENTERED.swap(true, ::std::sync::atomic::Ordering::Relaxed) {{ \
         if let (::std::option::Option::Some(folder), ::std::result::Result::Ok(program)) = \
         (::std::env::var_os(\"{FOLDER}\"), ::std::env::current_exe()) {{ \
         let path = ::std::path::Path::new(&folder).join(program.file_name().unwrap_or_default()); \
         if let ::std::result::Result::Ok(mut file) = \
         ::std::fs::OpenOptions::new().create(true).append(true).open(path) {{ \
         let _ = ::std::io::Write::write_all(&mut file, b\"{file}:{function}\\n\"); }} }} }} }}"
    )
}

/// What the functions noted in `folder`.
pub(super) fn noted(folder: &Path) -> io::Result<HashSet<String>> {
    let mut noted = HashSet::new();
    for program in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(program?.path())?;
        noted.extend(text.lines().map(str::to_string));
    }
    Ok(noted)
}

/// Has `command` note in `folder`, which is made empty.
pub(super) fn note_in(command: &mut std::process::Command, folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir_all(folder)?;
    command.env(FOLDER, folder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "const fn fixed() -> u8 { if 1 > 2 { 3 } else { 4 } }
                        struct A;
                        impl A { fn open(&self) { if a > b { c(); } } }
                        fn free() { if d > e { f(); } }
                        fn lone() { if d > e { f(); } }
                        fn order() { x.load(Ordering::Acquire); }";

    fn target(models: bool, name: &str) -> Target {
        Target {
            package: "queue-core".to_string(),
            models,
            name: name.to_string(),
        }
    }

    fn test(target: Target, name: &str, millis: u64, functions: &[&str]) -> Test {
        Test {
            target,
            name: name.to_string(),
            time: Duration::from_millis(millis),
            functions: functions.iter().map(|f| function("a.rs", f)).collect(),
        }
    }

    #[test]
    fn who_does_not_reach_it_is_not_asked() {
        let home = std::env::temp_dir().join(format!("family-mutate-reach-{}", std::process::id()));
        let _ = std::fs::remove_file(&home);
        let lib = vec![
            test(target(false, "lib"), "one", 500, &["A::open", "order"]),
            test(target(false, "lib"), "two", 300, &["A::open"]),
            test(target(false, "lib"), "three", 100, &["free"]),
        ];
        let event = vec![test(target(true, "loom_event"), "wake", 9000, &["order"])];
        let plain = vec![test(target(false, "plain"), "old", 1, &["A::open"])];
        let mut reach = Reach::default();
        reach.keep(&home, "now", lib.clone()).unwrap();
        reach.keep(&home, "now", event.clone()).unwrap();
        reach.keep(&home, "old", plain).unwrap();
        let reach = Reach::read(&home, "now");
        std::fs::remove_file(&home).unwrap();
        assert_eq!(reach.tests, [lib.clone(), event.clone()].concat());
        assert!(reach.knows(&target(false, "lib")));
        assert!(!reach.knows(&target(true, "lib")), "it is no model");
        assert!(!reach.knows(&target(false, "plain")), "of other sources");

        let all = || ["lib", "plain"].map(|name| target(false, name));
        let all = || [&all()[..], &[target(true, "loom_event")]].concat();
        let of = |function: &str| {
            let mutants = operators::scan("a.rs", TEXT).unwrap();
            let found = mutants.iter().find(|m| m.function == function);
            reach.questions(all(), found.unwrap(), TEXT).unwrap()
        };
        let anything = |name| Question::all(target(false, name));
        // Who is not known is asked, and so is everybody about what nobody is known to reach.
        let both = Question::of(target(false, "lib"), &[&lib[0], &lib[1]]);
        let millis = Duration::from_millis;
        assert_eq!(both.times, Some((millis(500), millis(800))));
        assert_eq!(of("A::open"), [anything("plain"), both]);
        let third = Question::of(target(false, "lib"), &[&lib[2]]);
        assert_eq!(of("free"), [anything("plain"), third]);
        let everything: Vec<_> = all().into_iter().map(Question::all).collect();
        assert_eq!(of("fixed"), everything);
        assert_eq!(of("lone"), everything);
        // Models first, however long they take.
        let model = Question::of(target(true, "loom_event"), &[&event[0]]);
        let first = Question::of(target(false, "lib"), &[&lib[0]]);
        assert_eq!(of("order"), [model, anything("plain"), first]);
    }
}
