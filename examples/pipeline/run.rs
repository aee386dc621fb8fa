//! Feeder and collector: one run over one kind of queue.

use crate::report::Progress;
use crate::tally::{Part, Tally, count};
use crate::worlds::{Carries, World};
use queue_core::Capacity;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What is to be done.
pub(crate) struct Plan {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) workers: usize,
    pub(crate) capacity: usize,
}

/// What it came to.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Paths and parts that went through the queues.
    pub(crate) items: usize,
    pub(crate) time: Duration,
}

/// Why a run gave no outcome.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Counts with the workers of `W`, over whatever kinds of queue.
///
/// Nobody says "stop": the feeder drops the last producer of paths, so the workers drain
/// what is left and end; the workers drop the last producers of parts, so the collector
/// drains what is left and ends.
pub(crate) fn over<W, J, P>(name: &'static str, plan: &Plan) -> Result<Outcome, Trouble>
where
    W: World<J, P>,
    J: Carries<PathBuf>,
    P: Carries<Part>,
{
    let started = Instant::now();
    let bound = Capacity::bounded(plan.capacity);
    let (feed, jobs) = J::try_with_capacity(bound)?.into_ends();
    let (parts, collected) = P::try_with_capacity(bound)?.into_ends();
    let workers = W::start(name, plan.workers, jobs, parts)?;

    let progress = Progress::new(name, plan.files.len());
    let (mut tally, mut items) = (Tally::default(), plan.files.len());
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || {
            for file in &plan.files {
                if let Err(error) = feed.push(file.clone()) {
                    return Err(Trouble::from(format!("{error:#}")));
                }
            }
            Ok(())
        });
        for part in collected.results() {
            let part = part.inspect_err(|_| {
                // Who waits to push a part is told that nobody takes it; so the workers end,
                // and then the feeder.
                collected.close();
            })?;
            progress.show(&part);
            tally.add(part);
            items += 1;
        }
        feeder.join().expect("the feeder does not panic")
    })?;
    workers.join()?;
    Ok(Outcome {
        tally,
        items,
        time: started.elapsed(),
    })
}

/// Counts in a plain loop: what every kind must agree with.
pub(crate) fn without_queue(plan: &Plan) -> Outcome {
    let started = Instant::now();
    let (mut tally, mut items) = (Tally::default(), plan.files.len());
    for part in plan.files.iter().flat_map(|file| count(file)) {
        tally.add(part);
        items += 1;
    }
    Outcome {
        tally,
        items,
        time: started.elapsed(),
    }
}
