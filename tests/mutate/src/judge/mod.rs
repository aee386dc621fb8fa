//! Trying mutants: in copies of the sources, against the models and tests that could notice,
//! the cheapest first, until one does.

mod copy;
mod group;
mod reach;
mod steps;

use crate::mutant::Mutant;
use crate::results::{Fate, Results, Row, seconds};
use copy::Copy;
use group::{ABORTED, End, Group};
use reach::Reach;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use steps::Step;

/// Copies of the tree, and what is known of its unchanged sources.
#[derive(Debug)]
pub struct Bench {
    copies: Vec<Copy>,
    /// How long each target takes, by package and target.
    times: HashMap<(String, String), Duration>,
    /// Where those are kept.
    baseline: PathBuf,
    /// Which of them reach a function.
    reach: Reach,
    /// Where that is kept.
    reaches: PathBuf,
    sources: String,
    commit: String,
}

impl Bench {
    /// Makes `jobs` copies of `root` in `home`, that is `target/mutate`.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn new(root: &Path, home: &Path, jobs: usize) -> io::Result<Self> {
        let sources = copy::sources(root)?;
        let baseline = home.join("baseline.tsv");
        let mut bench = Self {
            copies: Vec::new(),
            times: HashMap::new(),
            baseline,
            reach: Reach::read(&home.join("reach.tsv"), &sources),
            reaches: home.join("reach.tsv"),
            sources,
            commit: commit(root),
        };
        bench.copies.push(Copy::new(root, &home.join("1"), None)?);
        for n in 2..=jobs {
            let copy = Copy::new(root, &home.join(n.to_string()), bench.copies.first())?;
            bench.copies.push(copy);
        }
        let known = std::fs::read_to_string(&bench.baseline).unwrap_or_default();
        for line in known.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            if let [sources, package, target, millis] = fields[..]
                && sources == bench.sources
                && let Ok(millis) = millis.parse()
            {
                let key = (package.to_string(), target.to_string());
                bench.times.insert(key, Duration::from_millis(millis));
            }
        }
        Ok(bench)
    }

    /// Which sources these are.
    pub fn sources(&self) -> &str {
        &self.sources
    }

    /// Runs all that could notice one of `mutants` over the unchanged sources, unless that was done
    /// before: what does not pass now cannot notice anything.
    ///
    /// # Errors
    /// In words, if something does not pass.
    pub fn check_baseline(&mut self, mutants: &[&Mutant]) -> io::Result<()> {
        let steps = self.all_steps(mutants, |bench, step| {
            let key = (step.package.clone(), step.targets[0].clone());
            bench.times.contains_key(&key)
        })?;
        if steps.iter().any(|step| step.models) {
            self.copies[0].forget_models()?;
        }
        for step in steps {
            let started = Instant::now();
            let fault = match self.run(&self.copies[0], &step, &[])? {
                End::Passed(times) => {
                    self.note(&step, times)?;
                    let took = started.elapsed().as_secs();
                    println!("unchanged: {step}: passes, {took} s with its build");
                    continue;
                }
                End::Failed(target, test) => format!("{target}: {test} fails"),
                End::OutOfTime(target) => format!("{target} runs over its time"),
                End::NotBuilt(error) => format!("does not build: {error}"),
            };
            return Err(io::Error::other(format!("unchanged: {step}: {fault}")));
        }
        Ok(())
    }

    /// Finds out which functions are reached by all that could notice one of `mutants`, unless that
    /// was done before. What never enters a function is not asked about it.
    ///
    /// # Errors
    /// If a copy cannot be changed or cargo cannot be run.
    pub fn learn_reach(&mut self, root: &Path, mutants: &[&Mutant]) -> io::Result<()> {
        let steps = self.all_steps(mutants, |bench, step| bench.reach.knows(step))?;
        if steps.is_empty() {
            return Ok(());
        }
        let copy = &self.copies[0];
        let folder = copy.tree.with_file_name("reach");
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.reaches)?;
        reach::marked(copy, &crate::sources::find(root)?, || {
            for target in steps.iter().flat_map(Step::each) {
                let mut command = target.command(&copy.tree, &copy.std, &copy.loom, &[]);
                reach::note_in(&mut command, &folder)?;
                // One that fails for being slower, or for the files that are open, is asked always.
                if let End::Passed(_) = self.end(command, &target)? {
                    let lines = reach::noted(&folder, &target)?;
                    println!("{target}: reaches {} functions", lines.len() - 1);
                    for line in lines {
                        writeln!(file, "{}\t{line}", self.sources)?;
                    }
                } else {
                    println!("{target}: not known what it reaches");
                }
            }
            Ok(())
        })?;
        self.reach = Reach::read(&self.reaches, &self.sources);
        Ok(())
    }

    /// All that could notice one of `mutants`, each target once, but those that are known.
    fn all_steps(
        &self,
        mutants: &[&Mutant],
        is_known: impl Fn(&Self, &Step) -> bool,
    ) -> io::Result<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::new();
        for mutant in mutants {
            for mut step in steps::find(&self.copies[0].tree, mutant, true)? {
                step.targets.retain(|target| {
                    let of = |known: &Step| {
                        known.package == step.package && known.targets.contains(target)
                    };
                    !steps.iter().any(of)
                });
                step.targets = (step.each().filter(|one| !is_known(self, one)))
                    .flat_map(|one| one.targets)
                    .collect();
                if !step.targets.is_empty() {
                    steps.push(step);
                }
            }
        }
        Ok(steps)
    }

    fn note(&mut self, step: &Step, times: Vec<(String, Duration)>) -> io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.baseline)?;
        for (target, time) in times {
            let (sources, package, millis) = (&self.sources, &step.package, time.as_millis());
            writeln!(file, "{sources}\t{package}\t{target}\t{millis}")?;
            self.times.insert((package.clone(), target), time);
        }
        Ok(())
    }

    /// Tries `mutants`, in each copy one at a time, and notes in `results` what became of each.
    /// Who noticed one before is asked first. Calls `tell` for each.
    ///
    /// # Errors
    /// If a copy cannot be changed or cargo cannot be run.
    pub fn try_all(
        &self,
        mutants: &[&Mutant],
        results: &mut Results,
        tell: &(dyn Fn(&Row) + Sync),
    ) -> io::Result<()> {
        let hints = mutants
            .iter()
            .map(|mutant| results.get(&mutant.id()).map(|row| row.fate.clone()));
        let queue: VecDeque<_> = mutants.iter().zip(hints.collect::<Vec<_>>()).collect();
        let (queue, results) = (Mutex::new(queue), Mutex::new(results));
        let next = || queue.lock().map_or(None, |mut queue| queue.pop_front());
        std::thread::scope(|scope| {
            let workers: Vec<_> = self
                .copies
                .iter()
                .map(|copy| {
                    scope.spawn(|| -> io::Result<()> {
                        while let Some((mutant, hint)) = next() {
                            let started = Instant::now();
                            let fate =
                                copy.with(mutant, || self.judge(copy, mutant, hint.as_ref()));
                            let row = Row {
                                id: mutant.id(),
                                fate: fate
                                    .inspect_err(|_| queue.lock().map_or((), |mut q| q.clear()))?,
                                seconds: seconds(started.elapsed()),
                                sources: self.sources.clone(),
                                commit: self.commit.clone(),
                            };
                            tell(&row);
                            let results = results.lock();
                            results
                                .map_err(|_| io::Error::other("a worker panicked"))?
                                .add(row)?;
                        }
                        Ok(())
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
            })
        })
    }

    fn judge(&self, copy: &Copy, mutant: &Mutant, hint: Option<&Fate>) -> io::Result<Fate> {
        let steps = steps::find(&copy.tree, mutant, copy.is_modelled(&mutant.file)?)?;
        let unchanged = copy.without(mutant, || {
            std::fs::read_to_string(copy.tree.join(&mutant.file))
        })?;
        let steps = self.reach.prune(steps, mutant, &unchanged)?;
        // A model may run over its time for having more to go through. So that alone is only the
        // last word.
        let mut hung = None;
        if let Some(Fate::Noticed(by, test)) = hint
            && let Some((package, target)) = by.split_once('/')
            && let Some(step) = steps
                .iter()
                .find(|step| step.package == package && step.targets.iter().any(|t| t == target))
        {
            let tests: &[&str] = if test == ABORTED {
                &[]
            } else {
                &["--exact", test]
            };
            let fate = self.ask((copy, mutant), &step.only(target), tests, &mut hung)?;
            if fate.is_some() {
                return Ok(fate.unwrap_or(Fate::Survived));
            }
        }
        for step in &steps {
            if let Some(fate) = self.ask((copy, mutant), step, &[], &mut hung)? {
                return Ok(fate);
            }
        }
        Ok(hung.map_or(Fate::Survived, Fate::Hung))
    }

    /// What `step` has to say.
    fn ask(
        &self,
        (copy, mutant): (&Copy, &Mutant),
        step: &Step,
        tests: &[&str],
        hung: &mut Option<String>,
    ) -> io::Result<Option<Fate>> {
        let mut tests = tests.to_vec();
        let mut unsure: Vec<String> = Vec::new();
        loop {
            let told: Vec<&str> = tests
                .iter()
                .copied()
                .chain(unsure.iter().flat_map(|test| ["--skip", test.as_str()]))
                .collect();
            let by = |target: String| format!("{}/{target}", step.package);
            match self.run(copy, step, &told)? {
                End::Passed(_) => return Ok(None),
                End::NotBuilt(error) => return Ok(Some(Fate::NotBuilt(error))),
                End::OutOfTime(target) if step.models => {
                    hung.get_or_insert(by(target));
                    return Ok(None);
                }
                End::OutOfTime(target) => return Ok(Some(Fate::Hung(by(target)))),
                End::Failed(target, test) => {
                    if self.is_sure(copy, mutant, (step, &target, &test))? {
                        return Ok(Some(Fate::Noticed(by(target), test)));
                    }
                    if test == ABORTED || unsure.len() > 3 {
                        return Ok(None);
                    }
                    // The others have not been asked yet.
                    unsure.push(test);
                    tests.retain(|word| *word != "--exact");
                }
            }
        }
    }

    /// Whether it was the change that made `test` fail. A model fails always or never. Another one
    /// may fail because the machine is busy: so it is asked again, alone. If it fails twice more, it
    /// was the change. If it fails but once of twice, it must fail a third time, and never without
    /// the change.
    fn is_sure(&self, copy: &Copy, mutant: &Mutant, ask: (&Step, &str, &str)) -> io::Result<bool> {
        let (step, target, test) = ask;
        if step.models {
            return Ok(true);
        }
        let alone = step.only(target);
        let is_known = step.targets.iter().any(|known| known == target);
        let step = if is_known { &alone } else { step };
        let tests: &[&str] = if test == ABORTED {
            &[]
        } else {
            &["--exact", test]
        };
        let fails = || Ok::<_, io::Error>(!matches!(self.run(copy, step, tests)?, End::Passed(_)));
        match [fails()?, fails()?] {
            [true, true] => Ok(true),
            [false, false] => Ok(false),
            _ => Ok(fails()? && !copy.without(mutant, || Ok(fails()? || fails()?))?),
        }
    }

    fn run(&self, copy: &Copy, step: &Step, tests: &[&str]) -> io::Result<End> {
        self.end(step.command(&copy.tree, &copy.std, &copy.loom, tests), step)
    }

    fn end(&self, command: Command, step: &Step) -> io::Result<End> {
        let limit = |target: &str| {
            let key = (step.package.clone(), target.to_string());
            limit(step.models, self.times.get(&key).copied())
        };
        match Group::start(command)?.end(step.models, &limit)? {
            End::OutOfTime(target) if target == "build" => {
                Err(io::Error::other(format!("{step}: cargo does not end")))
            }
            end => Ok(end),
        }
    }
}

/// How long a target may take that takes `known` for the unchanged sources.
fn limit(models: bool, known: Option<Duration>) -> Duration {
    let seconds = Duration::from_secs;
    match (models, known) {
        (true, None) => seconds(300),
        (false, None) => seconds(120),
        (true, Some(known)) => (known * 3 + seconds(20)).min(seconds(240)),
        (false, Some(known)) => (known * 4 + seconds(20)).min(seconds(180)),
    }
}

/// The commit at `root`, and a `+` if the files are not those of it.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(root)
            .args(arguments)
            .output();
        let output = output.ok().filter(|output| output.status.success());
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let hash = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|| "unknown".to_string());
    let changed = git(&["status", "--porcelain", "--", "*.rs", "*.toml"]);
    let is_clean = changed.is_some_and(|changed| changed.is_empty());
    format!("{hash}{}", if is_clean { "" } else { "+" })
}
