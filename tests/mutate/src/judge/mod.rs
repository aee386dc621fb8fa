//! Trying mutants against the models and tests that could notice, the cheapest first, until one
//! does: most in one program that holds them all, the others each in a program of its own.

mod copy;
mod group;
mod reach;
mod schema;
mod target;

use crate::mutant::Mutant;
use crate::results::{Fate, Results, Row, seconds};
use copy::Copy;
use group::{ABORTED, End, Group};
use reach::{Question, Reach, Test};
use schema::Schema;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use target::Target;

/// The file where it is kept what is known of each test. It has another name whenever something
/// else is noted: it is read as long as the sources stay the same.
const REACH: &str = "reach-2.tsv";

/// Copies of the tree, and what is known of its unchanged sources.
#[derive(Debug)]
pub struct Bench {
    /// Where the copies lie, and what is known.
    home: PathBuf,
    /// The first copy.
    copy: Copy,
    /// The sources, as they were copied.
    files: BTreeMap<String, String>,
    /// What is written in their place.
    schema: Schema,
    /// The programs that were built of it.
    programs: HashMap<Target, PathBuf>,
    /// What is known of each test.
    reach: Reach,
    sources: String,
    commit: String,
}

/// A mutant, and where it is tried.
#[derive(Clone, Copy)]
struct Trial<'a> {
    copy: &'a Copy,
    mutant: &'a Mutant,
    /// Whether the copy is a schema that holds it.
    is_woven: bool,
}

/// How mutants are tried.
struct Round<'a> {
    copies: &'a [&'a Copy],
    /// Whether the copies are schemas.
    is_woven: bool,
    /// Whether those are asked, too, that are not known to reach a mutant.
    asks_all: bool,
}

impl Bench {
    /// Copies `root` to `home`, that is `target/mutate`.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn new(root: &Path, home: &Path) -> io::Result<Self> {
        let sources = copy::sources(root)?;
        Ok(Self {
            home: home.to_path_buf(),
            copy: Copy::new(root, &home.join("1"), None)?,
            files: crate::sources::find(&home.join("1/tree"))?,
            schema: Schema::default(),
            programs: HashMap::new(),
            reach: Reach::read(&home.join(REACH), &sources),
            sources,
            commit: commit(root),
        })
    }

    /// Which sources these are.
    pub fn sources(&self) -> &str {
        &self.sources
    }

    /// Makes one program of all of `mutants` that can be in it.
    ///
    /// # Errors
    /// If the sources do not build without them.
    pub fn weave(&mut self, mutants: &[&Mutant]) -> io::Result<()> {
        let targets = self.targets(mutants)?;
        let mut left_out = BTreeSet::new();
        loop {
            self.schema = Schema::weave(&self.files, mutants, &left_out)?;
            self.copy.write(&self.schema.files)?;
            let errors = match target::build(&self.copy, &targets)? {
                Ok(programs) => {
                    self.programs = programs;
                    let woven = mutants.iter().filter(|mutant| self.schema.holds(mutant));
                    println!("{} of {} in one program", woven.count(), mutants.len());
                    return Ok(());
                }
                Err(errors) => errors,
            };
            let blamed = self.schema.blamed(&errors);
            if blamed.is_empty() {
                return Err(io::Error::other(errors));
            }
            left_out.extend(blamed);
        }
    }

    /// Runs each test that could notice one of `mutants` while none acts, `jobs` at a time, unless
    /// that was done before: what does not pass now cannot notice anything. Finds out how long
    /// each takes and which functions it reaches: what never enters a function is not asked
    /// about it.
    ///
    /// # Errors
    /// In words, if one does not pass.
    pub fn learn(&mut self, mutants: &[&Mutant], jobs: usize) -> io::Result<()> {
        for target in self.targets(mutants)? {
            if self.reach.knows(&target) {
                continue;
            }
            let built = self.built(&target)?;
            let (names, next) = (target.tests(built)?, AtomicUsize::new(0));
            let learn = |job: usize| -> io::Result<Vec<Test>> {
                let (mut tests, folder) = (Vec::new(), self.home.join(format!("entered-{job}")));
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    tests.push(self.learn_of(&target, built, name, &folder)?);
                }
                Ok(tests)
            };
            let learnt: Vec<_> = std::thread::scope(|scope| {
                let workers: Vec<_> = (0..jobs)
                    .map(|job| scope.spawn(move || learn(job)))
                    .collect();
                workers.into_iter().map(joined).collect::<io::Result<_>>()
            })?;
            let tests = learnt.concat();
            let time = tests.iter().map(|test| test.time).sum();
            println!("{target}: {} tests, {} s", tests.len(), seconds(time));
            let path = self.home.join(REACH);
            self.reach.keep(&path, &self.sources, target, tests)?;
        }
        Ok(())
    }

    fn learn_of(
        &self,
        target: &Target,
        built: &Path,
        name: &str,
        folder: &Path,
    ) -> io::Result<Test> {
        let mut tries = 0;
        loop {
            let mut command = target.program(built, &self.copy, &[name.to_string()]);
            reach::note_in(&mut command, folder)?;
            let end =
                Group::start(command, false)?.end(target.models, limit(target.models, None))?;
            tries += 1;
            match end {
                End::Passed(time) => {
                    return Ok(Test {
                        target: target.clone(),
                        name: name.to_string(),
                        time,
                        functions: reach::noted(folder)?,
                    });
                }
                // It may be that the machine was busy.
                _ if tries < 3 => {}
                end => {
                    let fault = format!("unchanged: {target}: {name}: {end:?}");
                    return Err(io::Error::other(fault));
                }
            }
        }
    }

    /// The schema's program.
    fn built(&self, target: &Target) -> io::Result<&Path> {
        let built = self.programs.get(target).map(PathBuf::as_path);
        built.ok_or_else(|| io::Error::other(format!("{target} was not built")))
    }

    /// All that could notice one of `mutants`.
    fn targets(&self, mutants: &[&Mutant]) -> io::Result<Vec<Target>> {
        let mut targets = Vec::new();
        for mutant in mutants {
            for target in target::find(&self.copy.tree, &mutant.file)? {
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        Ok(targets)
    }

    /// Tries `mutants`, `jobs` at a time, and notes in `results` what became of each. Who noticed
    /// one before is asked first. All that could notice them are asked of those that survived but
    /// are not `argued`: what a test reaches is not the same each time. Calls `tell` for each.
    ///
    /// # Errors
    /// If a copy cannot be changed or cargo cannot be run.
    pub fn try_all(
        &self,
        mutants: &[&Mutant],
        jobs: usize,
        results: &mut Results,
        argued: &dyn Fn(&Mutant) -> bool,
        tell: &(dyn Fn(&Row) + Sync),
    ) -> io::Result<()> {
        let (woven, alone): (Vec<_>, Vec<_>) =
            mutants.iter().partition(|mutant| self.schema.holds(mutant));
        self.try_twice(
            (&vec![&self.copy; jobs], true),
            &woven,
            results,
            argued,
            tell,
        )?;
        // The others as the sources are.
        self.copy.write(&self.files)?;
        let mut copies = Vec::new();
        for n in 2..=jobs.min(alone.len()) {
            let home = self.home.join(n.to_string());
            copies.push(Copy::new(&self.copy.tree, &home, Some(&self.copy))?);
        }
        let copies: Vec<_> = std::iter::once(&self.copy).chain(&copies).collect();
        self.try_twice((&copies, false), &alone, results, argued, tell)
    }

    /// Tries `mutants` in copies that are schemas, or are not; and once more those that survived.
    fn try_twice(
        &self,
        (copies, is_woven): (&[&Copy], bool),
        mutants: &[&Mutant],
        results: &mut Results,
        argued: &dyn Fn(&Mutant) -> bool,
        tell: &(dyn Fn(&Row) + Sync),
    ) -> io::Result<()> {
        let mut round = Round {
            copies,
            is_woven,
            asks_all: false,
        };
        self.try_in(&round, mutants, results, tell)?;
        let survived = |mutant: &&&Mutant| {
            let row = results.get(&mutant.id());
            row.is_some_and(|row| row.fate == Fate::Survived) && !argued(mutant)
        };
        let doubtful: Vec<_> = mutants.iter().filter(survived).copied().collect();
        round.asks_all = true;
        self.try_in(&round, &doubtful, results, tell)
    }

    /// Tries `mutants`, one at a time in each of the copies.
    fn try_in(
        &self,
        round: &Round<'_>,
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
        let work = |copy| -> io::Result<()> {
            while let Some((mutant, hint)) = next() {
                let started = Instant::now();
                let trial = Trial {
                    copy,
                    mutant,
                    is_woven: round.is_woven,
                };
                let fate = trial.with(|| self.judge(trial, hint.as_ref(), round.asks_all));
                let row = Row {
                    id: mutant.id(),
                    fate: fate.inspect_err(|_| queue.lock().map_or((), |mut q| q.clear()))?,
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
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (round.copies.iter())
                .map(|copy| scope.spawn(|| work(copy)))
                .collect();
            workers.into_iter().try_for_each(joined)
        })
    }

    fn judge(&self, trial: Trial<'_>, hint: Option<&Fate>, asks_all: bool) -> io::Result<Fate> {
        let mutant = trial.mutant;
        let targets = target::find(&trial.copy.tree, &mutant.file)?;
        let mut questions = match self.files.get(&mutant.file) {
            Some(unchanged) if !asks_all => self.reach.questions(targets, mutant, unchanged)?,
            _ => targets.into_iter().map(Question::all).collect(),
        };
        if let Some(Fate::Noticed(by, test)) = hint
            && let Some(asked) = questions.iter().find(|q| q.target.to_string() == *by)
        {
            let test = Some(test.as_str()).filter(|test| *test != ABORTED);
            questions.insert(0, asked.only(test));
        }
        // A model may run over its time for having more to go through. So that alone is only the
        // last word.
        let mut hung = None;
        for question in questions {
            if let Some(fate) = self.ask(trial, question, &mut hung)? {
                return Ok(fate);
            }
        }
        Ok(hung.map_or(Fate::Survived, Fate::Hung))
    }

    /// What the tests in `question` have to say.
    fn ask(
        &self,
        trial: Trial<'_>,
        mut question: Question,
        hung: &mut Option<String>,
    ) -> io::Result<Option<Fate>> {
        let by = question.target.to_string();
        // As often as there are tests that fail for other reasons, or some times.
        for _ in 0..question.tests.len().max(4) {
            match self.run(trial, &question, true)? {
                End::Passed(_) => return Ok(None),
                // Its tests may be built.
                End::NotBuilt(_) if question.target.models => return Ok(None),
                End::NotBuilt(error) => return Ok(Some(Fate::NotBuilt(error))),
                End::OutOfTime if question.target.models => {
                    hung.get_or_insert(by);
                    return Ok(None);
                }
                End::OutOfTime => {
                    // Or it was the machine.
                    if self.run(trial, &question, true)? == End::OutOfTime {
                        return Ok(Some(Fate::Hung(by)));
                    }
                }
                End::Failed(test) => {
                    if self.is_sure(trial, &question, &test)? {
                        return Ok(Some(Fate::Noticed(by, test)));
                    }
                    // The others have not been asked yet.
                    let is_last = question.tests == [test.as_str()];
                    if test == ABORTED || is_last {
                        return Ok(None);
                    }
                    question.tests.retain(|asked| *asked != test);
                }
            }
        }
        Ok(None)
    }

    /// Whether it was the change that made `test` fail. A model fails always or never. Another one
    /// may fail because the machine is busy: so it is asked again, alone. If it fails twice more, it
    /// was the change. If it fails but once of twice, it must fail a third time, and never without
    /// the change.
    fn is_sure(&self, trial: Trial<'_>, question: &Question, test: &str) -> io::Result<bool> {
        if question.target.models {
            return Ok(true);
        }
        let alone = question.only(Some(test).filter(|test| *test != ABORTED));
        let fails_if = |changed| {
            let end = self.run(trial, &alone, changed)?;
            Ok::<_, io::Error>(!matches!(end, End::Passed(_)))
        };
        let (fails, fails_unchanged) = (|| fails_if(true), || fails_if(false));
        match [fails()?, fails()?] {
            [true, true] => Ok(true),
            [false, false] => Ok(false),
            _ => Ok(fails()? && !trial.without(|| Ok(fails_unchanged()? || fails_unchanged()?))?),
        }
    }

    /// Runs the tests in `question`; if `changed`, the mutant acts.
    fn run(&self, trial: Trial<'_>, question: &Question, changed: bool) -> io::Result<End> {
        let Question {
            target,
            tests,
            times,
        } = question;
        let limit = limit(target.models, *times);
        if !trial.is_woven {
            let cargo = target.cargo(trial.copy, tests);
            return Group::start(cargo, true)?.end(target.models, limit);
        }
        let mut program = target.program(self.built(target)?, trial.copy, tests);
        if changed {
            schema::act(&mut program, trial.mutant);
        }
        Group::start(program, false)?.end(target.models, limit)
    }
}

impl Trial<'_> {
    /// Does `work` while the change is made, or may be chosen.
    fn with<R>(&self, work: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        match self.is_woven {
            true => work(),
            false => self.copy.with(self.mutant, work),
        }
    }

    /// Does `work`, within that of [`with`](Self::with), while it is not.
    fn without<R>(&self, work: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        match self.is_woven {
            true => work(),
            false => self.copy.without(self.mutant, work),
        }
    }
}

/// What a worker came to.
fn joined<T>(worker: std::thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    let panicked = |_| Err(io::Error::other("a worker panicked"));
    worker.join().unwrap_or_else(panicked)
}

/// How long tests may take of which it is known how long the slowest takes for the unchanged
/// sources, and all one after the other.
fn limit(models: bool, known: Option<(Duration, Duration)>) -> Duration {
    let floor = Duration::from_secs;
    match (models, known) {
        (true, None) => floor(300),
        (false, None) => floor(180),
        (true, Some((_, all))) => (all * 4 + floor(30)).min(floor(300)),
        (false, Some((slowest, all))) => (slowest * 4 + all + floor(15)).min(floor(180)),
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
