//! `queue close` and `queue rm`: ends of a queue.

use crate::end::End;
use crate::open::{Opened, Patience};
use crate::pop::Pop;
use clap::Args;
use queue_any::Queue;

/// Closes a queue: nothing more goes in, and its workers end when they have done what is inside.
#[derive(Args, Debug)]
pub(crate) struct Close {
    /// The queue, such as pipe://jobs.
    url: String,
    #[command(flatten)]
    patience: Patience,
}

impl Close {
    pub(crate) fn run(self) -> Result<(), End> {
        Opened::existing(&self.url, None, self.patience)?
            .queue
            .close();
        Ok(())
    }
}

/// Ends a queue: closes it, and writes what is inside to standard output, a line each.
///
/// What is in flight ends as it would. One on a server is removed there. Any other leaves no file behind,
/// and its name is free as soon as the process that made it ends, by kill -9 too.
#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The queue, such as pipe://jobs.
    url: String,
    #[command(flatten)]
    patience: Patience,
}

impl Remove {
    pub(crate) fn run(self) -> Result<(), End> {
        let removed = Opened::existing(&self.url, None, self.patience)?;
        removed.queue.close();
        let (lost, ended) = Pop::all_of(self.url.clone()).write_all()?;
        match ended {
            Ok(()) | Err(End::NoMore(_)) => {}
            Err(End::Unread) => {
                let left = removed.queue.len();
                let text = format!(
                    "nobody reads what is inside: the queue is closed, and {left} items are still there"
                );
                return Err(End::Failed(text));
            }
            ended => return ended,
        }
        queue_any::remove(&self.url)?;
        match lost {
            0 => Ok(()),
            lost => Err(Pop::lost(lost)),
        }
    }
}
