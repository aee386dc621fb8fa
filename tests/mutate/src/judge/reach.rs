//! Which functions each model and test reaches: one that never enters a function cannot notice
//! what becomes of it, and is not asked.

use super::copy::Copy;
use super::steps::Step;
use crate::mutant::Mutant;
use crate::operators;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

/// The variable that names the folder where marked functions note that they were entered.
const FOLDER: &str = "MUTATE_REACH";

/// What is known, for one state of the sources.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// By file and function: the targets that enter it.
    targets: HashMap<(String, String), HashSet<Target>>,
    /// The targets that were looked at.
    known: HashSet<Target>,
}

/// The package, whether it is of models, and the name.
type Target = (String, bool, String);

fn targets_of(step: &Step) -> impl Iterator<Item = Target> + '_ {
    (step.targets.iter()).map(|target| (step.package.clone(), step.models, target.clone()))
}

impl Reach {
    /// Reads what was written down for these `sources`.
    pub(super) fn read(path: &Path, sources: &str) -> Self {
        let mut reach = Self::default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for line in text.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            if let [of, package, models, target, file, function] = fields[..]
                && of == sources
            {
                let target = (package.to_string(), models == "model", target.to_string());
                reach.known.insert(target.clone());
                let function = (file.to_string(), function.to_string());
                reach.targets.entry(function).or_default().insert(target);
            }
        }
        reach
    }

    /// Whether all of `step` were looked at.
    pub(super) fn knows(&self, step: &Step) -> bool {
        targets_of(step).all(|target| self.known.contains(&target))
    }

    /// `steps` without the targets that do not reach `mutant`, as far as that is known.
    pub(super) fn prune(
        &self,
        steps: Vec<Step>,
        mutant: &Mutant,
        text: &str,
    ) -> io::Result<Vec<Step>> {
        let functions = operators::functions(text)?;
        let function = functions
            .into_iter()
            .find(|(_, block)| block.contains(&mutant.place.start));
        let Some((function, _)) = function else {
            return Ok(steps);
        };
        let Some(reaching) = self.targets.get(&(mutant.file.clone(), function)) else {
            return Ok(steps);
        };
        let pruned = steps.into_iter().map(|mut step| {
            let (package, models) = (step.package.clone(), step.models);
            step.targets.retain(|target| {
                let target = (package.clone(), models, target.clone());
                reaching.contains(&target) || !self.known.contains(&target)
            });
            step
        });
        Ok(pruned.filter(|step| !step.targets.is_empty()).collect())
    }
}

/// Has every function of `files` note when it is first entered, while `work` is done.
pub(super) fn marked<R>(
    copy: &Copy,
    files: &BTreeMap<String, String>,
    work: impl FnOnce() -> io::Result<R>,
) -> io::Result<R> {
    let mut result = Ok(());
    for (file, text) in files {
        let marked = mark(file, text);
        result = result.and(marked.and_then(|text| std::fs::write(copy.tree.join(file), text)));
    }
    let result = result.and_then(|()| work());
    for (file, text) in files {
        std::fs::write(copy.tree.join(file), text)?;
    }
    result
}

/// `text`, whose functions note that they are entered.
fn mark(file: &str, text: &str) -> io::Result<String> {
    let mut marked = text.to_string();
    let mut places = operators::functions(text)?;
    // From the last one: the places before it stay where they are.
    places.sort_by_key(|(_, block)| std::cmp::Reverse(block.start));
    for (name, block) in places {
        // In one line, and with full names: it stands in anybody's scope.
        let note = format!(
            "{{ static ENTERED: ::std::sync::atomic::AtomicBool = ::std::sync::atomic::AtomicBool::new(false); \
             if !ENTERED.swap(true, ::std::sync::atomic::Ordering::Relaxed) {{ \
             if let (::std::option::Option::Some(folder), ::std::result::Result::Ok(program)) = \
             (::std::env::var_os(\"{FOLDER}\"), ::std::env::current_exe()) {{ \
             let path = ::std::path::Path::new(&folder).join(program.file_name().unwrap_or_default()); \
             if let ::std::result::Result::Ok(mut file) = \
             ::std::fs::OpenOptions::new().create(true).append(true).open(path) {{ \
             let _ = ::std::io::Write::write_all(&mut file, b\"{file}\\t{name}\\n\"); }} }} }} }}"
        );
        marked.insert_str(block.start + 1, &note);
    }
    Ok(marked)
}

/// What the marked functions noted in `folder` while `step`, of one target, ran: lines to
/// [read](Reach::read), but for the sources.
pub(super) fn noted(folder: &Path, step: &Step) -> io::Result<BTreeSet<String>> {
    let Step {
        package,
        models,
        targets,
        ..
    } = step;
    let target = &targets[0];
    let models = if *models { "model" } else { "test" };
    // That it is known, whatever it reaches.
    let mut noted = BTreeSet::from([format!("{package}\t{models}\t{target}\t\t")]);
    for program in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(program?.path())?;
        let lines = text.lines();
        noted.extend(lines.map(|line| format!("{package}\t{models}\t{target}\t{line}")));
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
                        fn free() { if d > e { f(); } }";

    fn step(models: bool, targets: &[&str]) -> Step {
        Step {
            package: "queue-core".to_string(),
            models,
            targets: targets.iter().map(ToString::to_string).collect(),
            arguments: &[],
        }
    }

    #[test]
    fn a_marked_function_notes_that_it_is_entered() {
        let marked = mark("a.rs", TEXT).unwrap();
        assert!(syn::parse_file(&marked).is_ok());
        let body = |name: &str| {
            let text = marked.split(name).nth(1).unwrap();
            text.split("if ").next().unwrap().to_string()
        };
        assert!(!body("fn fixed").contains("ENTERED"), "it cannot");
        assert!(body("fn open").contains("ENTERED"));
        assert!(marked.contains("b\"a.rs\\tA::open\\n\""));
        assert_eq!(marked.matches("static ENTERED").count(), 2);
    }

    #[test]
    fn who_does_not_reach_it_is_not_asked() {
        let home = std::env::temp_dir().join(format!("family-mutate-reach-{}", std::process::id()));
        let text = "now\tqueue-core\ttest\tlib\ta.rs\tA::open
                    now\tqueue-core\ttest\tlib\t\t
                    now\tqueue-core\ttest\tunwind\t\t
                    now\tqueue-core\tmodel\tloom_event\ta.rs\tfree
                    old\tqueue-core\ttest\tplain\t\t\n";
        let lines: Vec<_> = text.lines().map(|line| line.trim_matches(' ')).collect();
        std::fs::write(&home, lines.join("\n")).unwrap();
        let reach = Reach::read(&home, "now");
        std::fs::remove_file(&home).unwrap();
        assert!(reach.knows(&step(false, &["lib", "unwind"])));
        assert!(!reach.knows(&step(false, &["plain"])), "of other sources");
        assert!(!reach.knows(&step(true, &["lib"])), "it is no model");

        let all = vec![
            step(false, &["lib", "unwind", "plain"]),
            step(true, &["loom_event"]),
        ];
        let of = |function: &str| {
            let mutants = operators::scan("a.rs", TEXT).unwrap();
            let found = mutants.iter().find(|m| m.function == function);
            reach.prune(all.clone(), found.unwrap(), TEXT).unwrap()
        };
        // Who is not known is asked, and so is everybody about what nobody is known to reach.
        assert_eq!(of("A::open"), [step(false, &["lib", "plain"])]);
        assert_eq!(
            of("free"),
            [step(false, &["plain"]), step(true, &["loom_event"])]
        );
        assert_eq!(of("fixed"), all);
    }
}
