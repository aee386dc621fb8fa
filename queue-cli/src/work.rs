//! `queue work`.

use crate::end::{End, say};
use crate::input::Input;
use crate::job::{Outcome, Program, Running};
use crate::open::{Lines, Opened, Patience, duration};
use crate::report;
use crate::signals::Stop;
use clap::Args;
use queue_any::{Delivery, PopError, PushTimeoutError, Queue, Side, ThreadQueue, WorkQueue};
use serde_json::json;
use std::future::{Future, poll_fn};
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a command for each job.
///
/// {} in the command is replaced by the job; without one the job is a line on the command's standard
/// input. A job is done when its command ends with status 0. Otherwise it goes back to the front of the
/// queue, and so it does if this process is killed; its command is killed with it.
///
/// Ctrl-C (or SIGTERM) takes no new jobs, and waits for those that run. A second one kills these, and
/// gives them back. It ends when the queue is closed and empty, and when nobody reads its output any
/// more and a command fails. The command finds in QUEUE_ATTEMPT how
/// often its job was tried, this time included.
#[derive(Args, Debug)]
pub(crate) struct Work {
    /// The queue, such as pipe://jobs, which is made if it is not there; or - for the lines of
    /// standard input.
    url: String,
    /// How many commands run at once.
    #[arg(short, long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// How often a job that failed is tried again. After that it goes to the queue of --dead, or is
    /// given up with a line on standard error.
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,
    /// How long to wait before the first retry of a job; doubles with each. Nobody else gets the job
    /// meanwhile, and it counts as one that runs.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    backoff: Duration,
    /// The queue for jobs that failed too often.
    #[arg(long, value_name = "URL")]
    dead: Option<String>,
    /// Ends when the queue is empty and all jobs are done, too.
    #[arg(long)]
    until_empty: bool,
    /// The command is a line for the shell `sh`, where {} is one word whatever the job says. Write
    /// {} without quotes.
    #[arg(short, long)]
    shell: bool,
    #[command(flatten)]
    patience: Patience,
    /// Tells what happens as lines of JSON, on standard error.
    #[arg(long)]
    json: bool,
    /// The command.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Work {
    pub(crate) fn run(self) -> Result<(), End> {
        let program = Program::new(self.command, self.shell)?;
        let dead = match &self.dead {
            Some(url) if *url == self.url => {
                let message = "a job that is set aside would be in front of us again: --dead is the queue of the jobs";
                return Err(End::Usage(message.into()));
            }
            Some(url) => Some(Opened::existing(url, Some(Side::Producers), self.patience)?),
            None => None,
        };
        let unread = Arc::default();
        let jobs = match &*self.url {
            "-" => Opened::own(standard_input(&unread)),
            url => Opened::made_if_missing(url, Side::Consumers, self.patience)?,
        };
        let worker = Arc::new(Worker {
            jobs,
            dead,
            program,
            attempts: self.retries.saturating_add(1),
            backoff: self.backoff,
            until_empty: self.until_empty,
            stop: Arc::default(),
            running: Running::default(),
            told: match self.json {
                true => Told::Json,
                false if io::stderr().is_terminal() => Told::Person,
                false => Told::Nobody,
            },
            done: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            unread,
            failed: Mutex::default(),
        });
        // Weak: it leaves the queue in order when the work has ended.
        let told = Arc::downgrade(&worker);
        let signals = worker.stop.on_signals(move |times| {
            if let Some(worker) = told.upgrade() {
                worker.on_signal(times);
            }
        });
        signals.map_err(|error| End::Failed(format!("cannot wait for signals: {error}")))?;
        worker.run(self.jobs.get())
    }
}

/// A queue of this process, of the lines of standard input; those that are `unread` are counted.
fn standard_input(unread: &Arc<AtomicU64>) -> Lines {
    let queue = Lines::new(ThreadQueue::bounded(1024));
    let (lines, unread) = (queue.clone(), unread.clone());
    thread::spawn(move || {
        for line in Input::stdin() {
            match line.map(|line| lines.push(line)) {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(why) => {
                    unread.fetch_add(1, Ordering::Relaxed);
                    say(&why);
                }
            }
        }
        // Pairs with the pop that sees the end: `unread` is final then.
        lines.close();
    });
    queue
}

struct Worker {
    jobs: Opened,
    dead: Option<Opened>,
    program: Program,
    /// How often a job is tried.
    attempts: u32,
    backoff: Duration,
    until_empty: bool,
    stop: Arc<Stop>,
    running: Running,
    told: Told,
    done: AtomicU64,
    given_up: AtomicU64,
    /// What could not be read, and so is no job: a line of standard input, or an item.
    unread: Arc<AtomicU64>,
    /// What ended the work.
    failed: Mutex<Option<End>>,
}

/// Who is told what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Json,
    Person,
    Nobody,
}

type Job = Delivery<Lines>;

impl Worker {
    fn run(&self, slots: usize) -> Result<(), End> {
        thread::scope(|scope| {
            for _ in 0..slots {
                scope.spawn(|| {
                    if let Err(end) = self.slot() {
                        self.fail(end);
                    }
                });
            }
        });
        let nobody_reads = match self.failed().take() {
            None => false,
            Some(End::Unread) => true,
            Some(end) => return Err(end),
        };
        let [done, given_up] = [&self.done, &self.given_up].map(|n| n.load(Ordering::Relaxed));
        // Where nobody reads, nobody misses what is left.
        if !nobody_reads {
            for queue in [Some(&self.jobs), self.dead.as_ref()].into_iter().flatten() {
                lost_with_us(queue)?;
            }
        }
        let unread = self.unread.load(Ordering::Relaxed);
        if unread > 0 {
            let why = format!("jobs that could not be read: {unread}");
            return Err(End::Failed(why));
        }
        match given_up {
            0 => {}
            _ if self.dead.is_some() => {}
            _ => return Err(End::Failed(format!("jobs given up: {given_up}"))),
        }
        if nobody_reads {
            return Err(End::Unread);
        }
        if self.told == Told::Person {
            say(&format!("jobs done: {done}, set aside: {given_up}"));
        }
        Ok(())
    }

    /// One job after the other.
    fn slot(&self) -> Result<(), End> {
        while let Some(Some(job)) = self.stop.or(self.next()) {
            match job {
                Ok(job) if self.stop.is_told() => return Ok(job.release()?),
                Ok(job) => self.one(job)?,
                Err(PopError::Closed) => return Ok(()),
                Err(PopError::Failed(failure)) if failure.consumed_item() => {
                    self.unread.fetch_add(1, Ordering::Relaxed);
                    say(&format!("a job is lost: {failure:#}"));
                }
                Err(PopError::Failed(failure)) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    /// The next job; `None` if there is none any more.
    async fn next(&self) -> Option<Result<Job, PopError>> {
        let queue = &self.jobs.queue;
        let mut receive = pin!(queue.receive_async());
        if !self.until_empty {
            return Some(receive.await);
        }
        let mut all_done: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
        poll_fn(|cx| {
            if let std::task::Poll::Ready(job) = receive.as_mut().poll(cx) {
                return std::task::Poll::Ready(Some(job));
            }
            let all_done = all_done.get_or_insert_with(|| Box::pin(queue.join_async()));
            all_done.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    fn one(&self, job: Job) -> Result<(), End> {
        let attempt = job.attempt();
        if attempt > self.attempts {
            return self.set_aside(job, "its workers died");
        }
        let begun = Instant::now();
        match self.program.run(&job, attempt, &self.running) {
            Outcome::Done => {
                self.done.fetch_add(1, Ordering::Relaxed);
                self.tell("done", &job, begun, None);
                job.ack()?;
            }
            Outcome::Stopped => {
                self.tell("given_back", &job, begun, None);
                job.release()?;
            }
            // Of course it failed, if it had something to say.
            Outcome::Failed(_) if report::is_unread() => {
                job.release()?;
                return Err(End::Unread);
            }
            Outcome::Failed(why) if attempt >= self.attempts => self.set_aside(job, &why)?,
            Outcome::Failed(why) => {
                self.tell("retry", &job, begun, Some(&why));
                // Whoever is told to stop does not wait for that.
                self.stop.sleep(backoff(self.backoff, attempt));
                job.nack()?;
            }
        }
        Ok(())
    }

    /// A job that failed too often: another queue has it before this one has not.
    fn set_aside(&self, job: Job, why: &str) -> Result<(), End> {
        let attempt = job.attempt();
        if let Some(dead) = &self.dead {
            let mut letter = String::clone(&job);
            loop {
                match dead.queue.push_timeout(letter, Duration::from_millis(250)) {
                    Ok(()) => break,
                    // Full: the job waits here, until a second signal at most.
                    Err(PushTimeoutError::Timeout(back)) if self.stop.signals() < 2 => {
                        letter = back
                    }
                    Err(error) => {
                        job.release()?;
                        return Err(End::Failed(format!("no dead letters can be sent: {error}")));
                    }
                }
            }
        }
        self.given_up.fetch_add(1, Ordering::Relaxed);
        match self.told {
            Told::Json => self.tell("given_up", &job, Instant::now(), Some(why)),
            _ => say(&format!("given up at attempt {attempt} ({why}): {}", &*job)),
        }
        Ok(job.ack()?)
    }

    fn on_signal(&self, times: u32) {
        let running = self.running.count();
        match times {
            1 => say(&format!(
                "no new jobs; waits for those that run (once more gives them back): {running}"
            )),
            2 => {
                say(&format!("gives back what runs: {running}"));
                self.fail(End::Failed("stopped before all jobs had ended".into()));
                self.running.stop();
            }
            _ => {}
        }
    }

    /// Ends the work, for the first reason that there is. That nobody reads is the least of them: it is no
    /// fault.
    fn fail(&self, end: End) {
        let mut failed = self.failed();
        if matches!(*failed, None | Some(End::Unread)) {
            *failed = Some(end);
        }
        drop(failed);
        self.stop.end();
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<End>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: &str, job: &Job, begun: Instant, why: Option<&str>) {
        let seconds = begun.elapsed().as_secs_f64();
        match self.told {
            Told::Json => {
                let event = json!({
                    "event": event, "job": &**job, "attempt": job.attempt(),
                    "seconds": (seconds * 1000.0).round() / 1000.0, "reason": why,
                });
                let _ = io::stderr().write_all(format!("{event}\n").as_bytes());
            }
            Told::Person => {
                let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                say(&format!("{event}{why} in {seconds:.1} s: {}", &**job));
            }
            Told::Nobody => {}
        }
    }
}

/// How long to wait before a job is tried again that failed at `attempt`.
fn backoff(first: Duration, attempt: u32) -> Duration {
    first.saturating_mul(1 << attempt.saturating_sub(1).min(20))
}

/// Fails if items are left in a queue that ends with this process.
pub(crate) fn lost_with_us(queue: &Opened) -> Result<(), End> {
    let others = queue.queue.stats().consumers.is_some_and(|n| n > 1);
    match queue.queue.len() {
        left if queue.created && !others && left > 0 => Err(End::Failed(format!(
            "left in the queue, which ends with this process: {left} (`queue serve URL` keeps one)"
        ))),
        _ => Ok(()),
    }
}
