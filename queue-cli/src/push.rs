//! `queue push`.

use crate::end::End;
use crate::input::Input;
use crate::open::{Opened, Patience, duration};
use crate::report;
use clap::Args;
use queue_any::{PushTimeoutError, Queue, Side};
use serde_json::json;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

/// Pushes items: the arguments, or each line of standard input.
///
/// Waits while the queue is full. A queue that the URL has it make (?mode=create) lasts until all
/// items are taken, and this waits for that.
#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The queue, such as pipe://jobs.
    url: String,
    /// What to push, in place of the lines of standard input.
    #[arg(value_name = "ITEM")]
    items: Vec<String>,
    /// How long to wait for a free slot, for each item; then ends with status 3.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    patience: Patience,
    /// Says how many were pushed, as a line of JSON on standard output.
    #[arg(long)]
    json: bool,
}

impl Push {
    pub(crate) fn run(self) -> Result<(), End> {
        let queue = Opened::existing(&self.url, Some(Side::Producers), self.patience)?;
        let typed = self.items.is_empty() && io::stdin().is_terminal();
        let progress = report::counter("pushed", self.json || typed);
        let mut pushed = 0;
        let each = |item: Result<String, String>| {
            let item = item.map_err(|why| End::Failed(format!("{why}; pushed: {pushed}")))?;
            push(&queue, item, self.timeout, pushed)?;
            pushed += 1;
            progress.inc(1);
            Ok(())
        };
        let ended = match self.items.is_empty() {
            true => Input::stdin().try_for_each(each),
            false => self.items.into_iter().map(Ok).try_for_each(each),
        };
        if ended.is_ok() && queue.created {
            progress.set_message("; waiting until all are taken");
            while !queue.is_done() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        progress.finish();
        match self.json {
            // It is written in any case. That nobody reads it hides no failure.
            true => ended.and(report::json(&json!({ "pushed": pushed })).map_err(End::from)),
            false => ended,
        }
    }
}

fn push(to: &Opened, item: String, timeout: Option<Duration>, before: u64) -> Result<(), End> {
    let pushed = match timeout {
        Some(timeout) => to.queue.push_timeout(item, timeout),
        None => to.queue.push(item).map_err(PushTimeoutError::from),
    };
    let no_more = |why| End::NoMore(Some(format!("{why}; pushed: {before}")));
    pushed.map_err(|error| match error {
        PushTimeoutError::Timeout(_) => no_more("the queue is still full"),
        PushTimeoutError::Closed(_) => no_more("the queue is closed"),
        PushTimeoutError::Failed(_, why) => End::Failed(format!("{why:#}; pushed: {before}")),
    })
}
