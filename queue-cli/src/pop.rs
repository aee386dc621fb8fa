//! `queue pop`.

use crate::end::{End, say};
use crate::open::{Lines, Opened, Patience, duration};
use crate::report;
use clap::Args;
use queue_any::{Delivery, Failure, FailureKind, PopTimeoutError, Queue, Side, WorkQueue};
use serde_json::json;
use std::io;
use std::io::IsTerminal;
use std::time::Duration;

/// Pops items, and writes each as a line to standard output.
///
/// An item leaves the queue when it is written: one whose writing fails, or during which this
/// process is killed, goes back. Ends quietly when nobody reads its output any more.
#[derive(Args, Debug)]
pub(crate) struct Pop {
    /// The queue, such as pipe://jobs.
    url: String,
    /// How many items; waits until they have come.
    #[arg(short, value_name = "N", default_value_t = 1)]
    n: u64,
    /// Goes on until the queue is closed and empty.
    #[arg(short, long, conflicts_with = "n")]
    follow: bool,
    /// How long to wait for each item; then ends with status 3. 0s takes what is there.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    patience: Patience,
    /// Writes each item as a line of JSON: its text, and the attempt that this is.
    #[arg(long)]
    json: bool,
}

impl Pop {
    /// Takes all that is there, without waiting for more.
    pub(crate) fn all_of(url: String) -> Self {
        Self {
            url,
            n: 1,
            follow: true,
            timeout: Some(Duration::ZERO),
            patience: Patience::NONE,
            json: false,
        }
    }

    pub(crate) fn run(self) -> Result<(), End> {
        let opened = Opened::existing(&self.url, Some(Side::Consumers), self.patience)?;
        let queue = &opened.queue;
        let progress = report::counter("popped", io::stdout().is_terminal());
        let mut left = if self.follow { u64::MAX } else { self.n };
        let ended = loop {
            if left == 0 {
                break Ok(());
            }
            match next(queue, self.timeout) {
                Ok(item) => {
                    if let Err(end) = self.write(item) {
                        break Err(end);
                    }
                    progress.inc(1);
                    left -= 1;
                }
                Err(PopTimeoutError::Closed) if self.follow => break Ok(()),
                Err(PopTimeoutError::Closed) => {
                    let text = "the queue is closed and empty";
                    break Err(End::NoMore(Some(text.into())));
                }
                Err(PopTimeoutError::Timeout) => break Err(End::NoMore(None)),
                Err(PopTimeoutError::Failed(failure)) if failure.consumed_item() => {
                    say(&format!("an item is lost: {failure:#}"));
                }
                Err(PopTimeoutError::Failed(failure)) => break Err(failure.into()),
            }
        };
        progress.finish();
        ended
    }

    fn write(&self, item: Item) -> Result<(), End> {
        let text = item.text();
        let written = match self.json {
            true => report::json(&json!({ "item": text, "attempt": item.attempt() })),
            false => report::line(text),
        };
        match written {
            Ok(()) => Ok(item.done()?),
            Err(error) => {
                item.give_back()?;
                Err(error.into())
            }
        }
    }
}

/// An item, until it is written.
enum Item {
    Lent(Delivery<Lines>),
    /// Of a kind that does not lend.
    Given(String, Lines),
}

fn next(queue: &Lines, timeout: Option<Duration>) -> Result<Item, PopTimeoutError> {
    let lent = match timeout {
        Some(timeout) => queue.receive_timeout(timeout),
        None => queue.receive().map_err(PopTimeoutError::from),
    };
    match lent {
        Err(PopTimeoutError::Failed(failure)) if failure.kind() == FailureKind::Unsupported => {
            let given = match timeout {
                Some(timeout) => queue.pop_timeout(timeout)?,
                None => queue.pop().map_err(PopTimeoutError::from)?,
            };
            Ok(Item::Given(given, queue.clone()))
        }
        lent => Ok(Item::Lent(lent?)),
    }
}

impl Item {
    fn text(&self) -> &str {
        match self {
            Self::Lent(job) => job,
            Self::Given(text, _) => text,
        }
    }

    fn attempt(&self) -> Option<u32> {
        match self {
            Self::Lent(job) => Some(job.attempt()),
            Self::Given(..) => None,
        }
    }

    fn done(self) -> Result<(), Failure> {
        match self {
            Self::Lent(job) => job.ack(),
            Self::Given(..) => Ok(()),
        }
    }

    /// It was not written: a lent one goes back to its place. Another one can only be pushed again.
    fn give_back(self) -> Result<(), End> {
        match self {
            Self::Lent(job) => Ok(job.release()?),
            Self::Given(text, queue) => queue.try_push(text).map_err(|error| {
                let text = error.into_item();
                End::Failed(format!("an item could not be given back: {text}"))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_is_not_written_keeps_its_place() {
        let queue = queue_any::open::<String>("thread:").unwrap();
        for text in ["one", "two"] {
            queue.push(text.into()).unwrap();
        }
        let item = next(&queue, None).unwrap();
        assert_eq!((item.text(), item.attempt()), ("one", Some(1)));
        item.give_back().unwrap();
        for text in ["one", "two"] {
            let item = next(&queue, Some(Duration::ZERO)).unwrap();
            assert_eq!((item.text(), item.attempt()), (text, Some(1)));
            item.done().unwrap();
        }
        assert!(matches!(
            next(&queue, Some(Duration::ZERO)),
            Err(PopTimeoutError::Timeout)
        ));
        queue.close();
        assert!(matches!(next(&queue, None), Err(PopTimeoutError::Closed)));
    }

    #[test]
    fn a_kind_that_does_not_lend_gives() {
        let queue = Lines::without_deliveries(queue_any::ThreadQueue::unbounded());
        queue.push("one".into()).unwrap();
        let item = next(&queue, None).unwrap();
        assert_eq!((item.text(), item.attempt()), ("one", None));
        item.give_back().unwrap();
        let item = next(&queue, Some(Duration::ZERO)).unwrap();
        item.done().unwrap();
        assert!(queue.is_empty());
    }
}
