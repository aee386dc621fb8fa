//! `queue gc`.

use crate::end::End;
use crate::open::duration;
use crate::report;
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// Removes what killed programs left behind at a server: queues without a name that nobody uses.
///
/// Whoever has such a queue answers a question about it; one for which no answer comes in all of --wait is
/// removed, and its name written. Queues with a name stay until `queue rm`. On this machine nothing is
/// ever left behind: pipe:// and shm:// end with their processes, by kill -9 too.
#[derive(Args, Debug)]
pub(crate) struct Collect {
    /// The server, such as nats://localhost:4222.
    url: String,
    /// Who does not answer for so long is taken for dead: longer than an outage lasts.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    wait: Duration,
    /// Writes lines of JSON.
    #[arg(long)]
    json: bool,
}

impl Collect {
    pub(crate) fn run(self) -> Result<(), End> {
        for name in queue_any::remove_abandoned(&self.url, self.wait)? {
            match self.json {
                true => report::json(&json!({ "removed": name }))?,
                false => report::line(&name)?,
            }
        }
        Ok(())
    }
}
