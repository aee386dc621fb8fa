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
    /// All of it.
    pub(super) fn all(target: Target) -> Self {
        Self {
            target,
            tests: Vec::new(),
            times: None,
        }
    }

    /// One test of those that are asked, or all of them.
    pub(super) fn only(&self, test: Option<&str>) -> Self {
        match test {
            Some(test) => Self {
                tests: vec![test.to_string()],
                ..self.clone()
            },
            None => self.clone(),
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
        let functions: Vec<_> = self.functions.iter().map(String::as_str).collect();
        let (millis, functions) = (self.time.as_millis(), functions.join(" "));
        let (target, test) = (self.target.fields(), &self.name);
        format!("{sources}\t{target}\t{test}\t{millis}\t{functions}\n")
    }
}

impl Target {
    fn fields(&self) -> String {
        let models = if self.models { "model" } else { "test" };
        format!("{}\t{models}\t{}", self.package, self.name)
    }

    fn read([package, models, name]: [&str; 3]) -> Self {
        Self {
            package: package.to_string(),
            models: models == "model",
            name: name.to_string(),
        }
    }
}

impl Reach {
    /// Reads what was written down for these `sources`.
    pub(super) fn read(path: &Path, sources: &str) -> Self {
        let mut reach = Self::default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for line in text.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                [of, package, models, name, "known"] if of == sources => {
                    reach.known.insert(Target::read([package, models, name]));
                }
                [of, package, models, name, test, millis, functions] if of == sources => {
                    reach.tests.push(Test {
                        target: Target::read([package, models, name]),
                        name: test.to_string(),
                        time: Duration::from_millis(millis.parse().unwrap_or(0)),
                        functions: functions.split_whitespace().map(str::to_string).collect(),
                    });
                }
                _ => {}
            }
        }
        reach
            .tests
            .retain(|test| reach.known.contains(&test.target));
        reach
    }

    /// Notes `tests`, all of `target`, also in the file at `path`.
    pub(super) fn keep(
        &mut self,
        path: &Path,
        sources: &str,
        target: Target,
        tests: Vec<Test>,
    ) -> io::Result<()> {
        let mut lines: String = tests.iter().map(|test| test.line(sources)).collect();
        // A target is known whole or not at all.
        lines += &format!("{sources}\t{}\tknown\n", target.fields());
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(path)?;
        io::Write::write_all(&mut file, lines.as_bytes())?;
        self.tests.extend(tests);
        self.known.insert(target);
        Ok(())
    }

    /// Whether `target` was looked at.
    pub(super) fn knows(&self, target: &Target) -> bool {
        self.known.contains(target)
    }

    /// What to ask `targets` about `mutant` of the file that holds `text`: those tests that reach
    /// it, as far as that is known; first those of whom it is not, then the quickest. But models
    /// are the first to be asked of an ordering: common processors keep a stronger one, so tests
    /// hardly see it.
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

/// A statement at the start of `function` of `file`: it notes when that is first entered. After that
/// it loads a word and no more: to store one would order what stands around it.
pub(super) fn note(file: &str, function: &str) -> String {
    // In one line, and with full names: it stands in anybody's scope. An empty file, for a test may
    // limit how much is written.
    let name = function_file(file, function);
    format!(
        "{{ static ENTERED: ::std::sync::atomic::AtomicBool = ::std::sync::atomic::AtomicBool::new(false); \
         if !ENTERED.load(::std::sync::atomic::Ordering::Relaxed) {{ \
         ENTERED.store(true, ::std::sync::atomic::Ordering::Relaxed); \
         if let ::std::option::Option::Some(folder) = ::std::env::var_os(\"{FOLDER}\") {{ \
         let _ = ::std::fs::File::create(::std::path::Path::new(&folder).join({name:?})); }} }} }}"
    )
}

/// The name of the file that says that `function` of `file` was entered.
fn function_file(file: &str, name: &str) -> String {
    function(file, name).replace('/', "\\")
}

/// What the functions noted in `folder`.
pub(super) fn noted(folder: &Path) -> io::Result<HashSet<String>> {
    std::fs::read_dir(folder)?
        .map(|file| Ok(file?.file_name().to_string_lossy().replace('\\', "/")))
        .collect()
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
        let mut keep = |of, target, tests| reach.keep(&home, of, target, tests).unwrap();
        keep("now", target(false, "lib"), lib.clone());
        keep("now", target(true, "loom_event"), event.clone());
        keep("old", target(false, "plain"), plain.clone());
        // One that was cut short.
        let cut = std::fs::OpenOptions::new().append(true).open(&home);
        let cut_short = plain[0].line("now");
        std::io::Write::write_all(&mut cut.unwrap(), cut_short.as_bytes()).unwrap();
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
