//! `queue pop`.

use crate::end::{End, say};
use crate::open::{Lines, Opened, Patience, duration};
use crate::report;
use clap::Args;
use queue_any::{Delivery, PopTimeoutError, Side, WorkQueue};
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
        let (lost, ended) = self.write_all()?;
        match ended {
            Ok(()) | Err(End::NoMore(_)) if lost > 0 => Err(Self::lost(lost)),
            ended => ended,
        }
    }

    pub(crate) fn lost(items: u64) -> End {
        End::Failed(format!("items that could not be read: {items}"))
    }

    /// Writes what comes: how many items could not be read, and how it ended.
    pub(crate) fn write_all(&self) -> Result<(u64, Result<(), End>), End> {
        let opened = Opened::existing(&self.url, Some(Side::Consumers), self.patience)?;
        let queue = &opened.queue;
        let progress = report::counter("popped", io::stdout().is_terminal());
        let mut lost = 0;
        let mut left = if self.follow { u64::MAX } else { self.n };
        let ended = loop {
            if left == 0 {
                break Ok(());
            }
            let received = match self.timeout {
                Some(timeout) => queue.receive_timeout(timeout),
                None => queue.receive().map_err(PopTimeoutError::from),
            };
            match received {
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
                    lost += 1;
                    say(&format!("an item is lost: {failure:#}"));
                }
                Err(PopTimeoutError::Failed(failure)) => break Err(failure.into()),
            }
        };
        progress.finish();
        Ok((lost, ended))
    }

    fn write(&self, item: Delivery<Lines>) -> Result<(), End> {
        let written = match self.json {
            true => report::json(&json!({ "item": &*item, "attempt": item.attempt() })),
            false => report::line(&item),
        };
        match written {
            Ok(()) => Ok(item.ack()?),
            // It keeps its place, and was not tried.
            Err(error) => {
                item.release()?;
                Err(error.into())
            }
        }
    }
}
