//! Feeder and collector: one run over one kind of queue.

use crate::report::Progress;
use crate::tally::{Collector, Job, Part, Tally, count};
use crate::worlds::{Carries, World};
use queue_core::{Capacity, WithCapacity};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What is to be done.
pub(crate) struct Plan {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) workers: usize,
    pub(crate) capacity: usize,
    /// How many workers are killed, where they are processes: one after each of the first files.
    pub(crate) kills: usize,
}

impl Plan {
    fn jobs(&self) -> impl Iterator<Item = Job> {
        let files = self.files.iter().cloned().enumerate();
        files.map(|(number, path)| Job { number, path })
    }
}

/// What it came to.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Files and parts that went through the queues.
    pub(crate) items: usize,
    /// How many workers were killed.
    pub(crate) killed: usize,
    /// How many files were counted again for it.
    pub(crate) repeated: usize,
    pub(crate) time: Duration,
}

/// Why a run gave no outcome.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Counts with the workers of `W`, over new queues of the kinds `J` and `P`.
pub(crate) fn over<W, J, P>(name: &'static str, plan: &Plan) -> Result<Outcome, Trouble>
where
    W: World<J, P>,
    J: Carries<Job> + WithCapacity,
    P: Carries<Part> + WithCapacity,
{
    let bound = Capacity::bounded(plan.capacity);
    let (jobs, parts) = (J::try_with_capacity(bound)?, P::try_with_capacity(bound)?);
    over_queues::<W, J, P>(name, plan, jobs, parts)
}

/// Counts with the workers of `W`, over whatever kinds of queue.
///
/// Nobody says "stop": the feeder drops the last producer of files, so the workers drain
/// what is left and end; the workers drop the last producers of parts, so the collector
/// drains what is left and ends. What a worker had in hand that was killed is left too.
pub(crate) fn over_queues<W, J, P>(
    name: &str,
    plan: &Plan,
    jobs: J,
    parts: P,
) -> Result<Outcome, Trouble>
where
    W: World<J, P>,
    J: Carries<Job>,
    P: Carries<Part>,
{
    let started = Instant::now();
    let (feed, jobs) = jobs.into_ends();
    let (parts, collected) = parts.into_ends();
    let mut workers = W::start(name, plan.workers, jobs, parts)?;
    let kills = plan.kills.min(plan.files.len());
    if kills == 0 {
        workers.last_kill_was();
    }

    let progress = Progress::new(name, plan.files.len());
    let (mut collector, mut items, mut killed) = (Collector::default(), plan.files.len(), 0);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || {
            for job in plan.jobs() {
                if let Err(error) = feed.push(job) {
                    return Err(Trouble::from(format!("{error:#}")));
                }
            }
            Ok(())
        });
        let mut collect = || {
            for part in collected.results() {
                items += 1;
                if !collector.add(part?) {
                    continue;
                }
                progress.show();
                if collector.finished() <= kills {
                    killed += usize::from(workers.kill()?);
                }
                if collector.finished() == kills {
                    workers.last_kill_was();
                }
            }
            Ok(())
        };
        let result: Result<(), Trouble> = collect();
        if result.is_err() {
            // Who waits to push a part is told that nobody takes it; so the workers end, and
            // then the feeder.
            collected.close();
            workers.last_kill_was();
        }
        result.and(feeder.join().expect("the feeder does not panic"))
    })?;
    workers.join()?;
    Ok(Outcome {
        repeated: collector.repeated(),
        tally: collector.tally,
        items,
        killed,
        time: started.elapsed(),
    })
}

/// Counts in a plain loop: what every kind must agree with.
pub(crate) fn without_queue(plan: &Plan) -> Outcome {
    let started = Instant::now();
    let (mut collector, mut items) = (Collector::default(), plan.files.len());
    for part in plan.jobs().flat_map(|job| count(&job, 1)) {
        collector.add(part);
        items += 1;
    }
    Outcome {
        tally: collector.tally,
        items,
        killed: 0,
        repeated: 0,
        time: started.elapsed(),
    }
}
