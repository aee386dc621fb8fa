//! `queue serve`.

use crate::end::{End, say};
use crate::open::Opened;
use crate::report;
use crate::signals::Stop;
use clap::Args;
use queue_any::Queue;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

/// Makes a queue with a name, and keeps it alive until Ctrl-C.
///
/// Ctrl-C (or SIGTERM) closes it, and waits until what is inside is taken; a second one does not wait.
/// It ends, too, when somebody else has closed the queue and all is taken.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The queue, such as pipe://jobs?capacity=100.
    url: String,
    /// Says when the queue is there, and what is left in the end, as lines of JSON.
    #[arg(long)]
    json: bool,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), End> {
        let stop = Arc::new(Stop::default());
        // Before the queue is there: who sees it may send a signal.
        let told = stop.on_signals(|_| {});
        told.map_err(|error| End::Failed(format!("cannot wait for signals: {error}")))?;
        let served = Opened::new(&self.url)?;
        let queue = &served.queue;
        if self.json {
            report::json(&json!({ "event": "ready", "url": self.url }))?;
        } else if io::stderr().is_terminal() {
            say(&format!("serves {} until Ctrl-C", self.url));
        }
        let pause = Duration::from_millis(100);
        while !(queue.is_closed() && served.is_done()) && stop.sleep(pause) {}
        queue.close();
        if !served.is_done() {
            let left = queue.len();
            say(&format!(
                "closed; waits until all is taken (once more drops it): {left}"
            ));
        }
        while !served.is_done() && stop.signals() < 2 {
            std::thread::sleep(pause);
        }
        let left = queue.close_now().len();
        let ended = match left {
            0 => Ok(()),
            _ => Err(End::Failed(format!("dropped: {left}"))),
        };
        let event = json!({ "event": "ended", "left": left });
        match self.json {
            // It is written in any case. That nobody reads it hides no loss.
            true => ended.and(report::json(&event).map_err(End::from)),
            false => ended,
        }
    }
}
