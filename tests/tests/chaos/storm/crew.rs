//! [`Crew`]: the worker processes of one run, and their notes.

use super::kind::Kind;
use super::log::{Log, Noted};
use super::worker::{Half, Orders, Role};
use fastrand::Rng;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// After this long a worker that should have ended hangs, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Worker {
    role: Role,
    child: Child,
    log: Log,
    path: PathBuf,
}

/// The workers that live, and what the others left.
pub(crate) struct Crew {
    workers: Vec<Worker>,
    directory: PathBuf,
    spawned: u64,
    pub(crate) notes: Vec<Noted>,
}

impl Drop for Crew {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
            let _ = fs::remove_file(&worker.path);
        }
    }
}

impl Crew {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            workers: Vec::new(),
            directory: directory.into(),
            spawned: 0,
            notes: Vec::new(),
        }
    }

    /// One more worker, on the side of `half`.
    pub(crate) fn spawn<K: Kind>(&mut self, half: &Half<K>, pace: u64, patient: bool, seed: u64) {
        self.spawned += 1;
        let role = match half {
            Half::Producer(_) => Role::Producer,
            Half::Consumer(_) => Role::Consumer,
        };
        let path = self.directory.join(format!("log-{}", self.spawned));
        let log = Log::open(&path);
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.stdin(Stdio::null());
        let orders = Orders {
            kind: K::NAME.into(),
            role,
            number: self.spawned,
            seed,
            pace,
            patient,
        };
        orders.write(&mut command, &path);
        K::share_half(half, &mut command);
        let child = command.spawn().expect("a worker");
        self.workers.push(Worker {
            role,
            child,
            log,
            path,
        });
    }

    /// Waits until every worker has begun to work.
    pub(crate) fn wait_for_all(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while !self.workers.iter().all(|worker| worker.log.has_begun()) {
            if Instant::now() > end {
                return Err("a worker never began to work".into());
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Kills one of those who work, if on its side another one works too: which side.
    pub(crate) fn kill_one(&mut self, random: &mut Rng) -> Option<Role> {
        let working = |role| {
            let of_role = self
                .workers
                .iter()
                .enumerate()
                .filter(move |(_, w)| w.role == role);
            of_role.filter(|(_, w)| w.log.has_begun()).map(|(at, _)| at)
        };
        let sides = [Role::Producer, Role::Consumer].map(|role| working(role).collect::<Vec<_>>());
        let all: Vec<usize> = sides
            .into_iter()
            .filter(|side| side.len() > 1)
            .flatten()
            .collect();
        if all.is_empty() {
            return None;
        }
        let victim = all[random.usize(..all.len())];
        Some(self.kill(victim))
    }

    fn kill(&mut self, at: usize) -> Role {
        let mut worker = self.workers.swap_remove(at);
        worker.child.kill().expect("a child can be killed");
        worker.child.wait().expect("a child can be waited for");
        self.keep(worker)
    }

    /// Kills all of a side: when that was done.
    pub(crate) fn kill_side(&mut self, role: Role) -> usize {
        let mut count = 0;
        // All are killed before the first is waited for.
        for worker in self.workers.iter_mut().filter(|worker| worker.role == role) {
            worker.child.kill().expect("a child can be killed");
        }
        while let Some(at) = self.workers.iter().position(|worker| worker.role == role) {
            self.kill(at);
            count += 1;
        }
        count
    }

    /// The sides of workers that ended since their notes were full; no worker ends
    /// otherwise.
    pub(crate) fn take_full(&mut self) -> Result<Vec<Role>, String> {
        let mut roles = Vec::new();
        for at in (0..self.workers.len()).rev() {
            if self.workers[at].log.is_full() {
                roles.push(self.wait(at)?);
            } else if let Ok(Some(status)) = self.workers[at].child.try_wait()
                && !self.workers[at].log.is_full()
            {
                let why = self.explain(&self.workers[at]);
                return Err(format!("a worker ended by itself: {status}{why}"));
            }
        }
        Ok(roles)
    }

    /// Tells those of a side to stop.
    pub(crate) fn stop(&self, role: Role) {
        let workers = self.workers.iter().filter(|worker| worker.role == role);
        workers.for_each(|worker| worker.log.stop());
    }

    /// Waits until all of a side have ended.
    pub(crate) fn wait_for(&mut self, role: Role) -> Result<(), String> {
        while let Some(at) = self.workers.iter().position(|worker| worker.role == role) {
            self.wait(at)?;
        }
        Ok(())
    }

    fn wait(&mut self, at: usize) -> Result<Role, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.workers[at]
                .child
                .try_wait()
                .expect("a child can be waited for")
            {
                Some(status) if status.success() => break,
                Some(status) => {
                    let why = self.explain(&self.workers[at]);
                    return Err(format!("a worker ended with {status}{why}"));
                }
                None if Instant::now() > end => {
                    let last = self.workers[at].log.read().pop();
                    let role = self.workers[at].role;
                    return Err(format!("a {role:?} hangs; its last operation: {last:?}"));
                }
                None => thread::sleep(Duration::from_micros(200)),
            }
        }
        let worker = self.workers.swap_remove(at);
        Ok(self.keep(worker))
    }

    /// Reads the notes of a worker that is gone.
    fn keep(&mut self, worker: Worker) -> Role {
        self.notes.extend(worker.log.read());
        let _ = fs::remove_file(&worker.path);
        worker.role
    }

    fn explain(&self, worker: &Worker) -> String {
        let path = format!("{}.failed", worker.path.display());
        fs::read_to_string(path).map_or(String::new(), |why| format!(" ({why})"))
    }
}
