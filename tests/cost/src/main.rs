//! Counts what our own kinds in a process cost, and compares it with what they cost before. (Those
//! between processes look by the clock whether their peers live: the bench shows them.)

use clap::Parser;
use family_cost::{Subject, Table, table};
use queue_async::AsyncQueue;
use queue_core::{Capacity, Queue, WithCapacity, WorkQueue};
use queue_thread::{LockFreeQueue, ThreadQueue};
use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
struct Options {
    /// Write what was counted here.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Fail if anything has grown since this was written.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

fn main() -> ExitCode {
    let told = table(&subjects()).and_then(tell);
    told.map_or_else(
        |why| {
            eprintln!("{why}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn tell(table: Table) -> Result<(), String> {
    let options = Options::parse();
    print!("{}", table.markdown());
    options.save.map_or(Ok(()), |file| table.save(&file))?;
    options.check.map_or(Ok(()), |file| table.check(&file))
}

fn subjects() -> Vec<Subject> {
    let mut all = Vec::new();
    for bound in [Capacity::bounded(1024), Capacity::Unbounded] {
        all.push(popped::<ThreadQueue<u64>>("ThreadQueue", bound));
        all.push(popped::<LockFreeQueue<u64>>("LockFreeQueue", bound));
        all.push(popped::<AsyncQueue<u64>>("AsyncQueue", bound));
        all.push(acked::<ThreadQueue<u64>>("ThreadQueue", bound));
        all.push(acked::<LockFreeQueue<u64>>("LockFreeQueue", bound));
        all.push(acked::<AsyncQueue<u64>>("AsyncQueue", bound));
    }
    all
}

fn popped<Q: Queue<Item = u64> + WithCapacity>(who: &str, bound: Capacity) -> Subject {
    subject(who, "push + pop", bound, |queue: &Q| queue.pop().ok())
}

fn acked<Q: WorkQueue<Item = u64> + WithCapacity>(who: &str, bound: Capacity) -> Subject {
    subject(who, "push + receive + ack", bound, |queue: &Q| {
        let delivery = queue.receive().ok()?;
        let item = *delivery;
        delivery.ack().ok().map(|()| item)
    })
}

fn subject<Q: Queue<Item = u64> + WithCapacity>(
    who: &str,
    verbs: &str,
    bound: Capacity,
    take: impl Fn(&Q) -> Option<u64> + 'static,
) -> Subject {
    let bounds = (bound.capacity()).map_or("unbounded".to_owned(), |n| format!("capacity {n}"));
    Subject {
        what: format!("{verbs}, {bounds}"),
        who: who.to_owned(),
        run: Box::new(move |times| {
            let queue = Q::try_with_capacity(bound).map_err(|failure| failure.to_string())?;
            for number in 0..times {
                let pushed = queue.push(black_box(number));
                pushed.map_err(|error| error.to_string())?;
                if take(&queue) != Some(number) {
                    return Err(format!("item {number} did not come out"));
                }
            }
            Ok(())
        }),
    }
}
