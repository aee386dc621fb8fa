//! Where the queues are, if a URL says it.

use crate::run::{self, Outcome, Plan, Trouble};
use crate::tally::{Job, Part};
use crate::worlds::{Opened, Processes, Threads};
use queue_any::{Address, DynQueue, Failure, Queue};

/// The URLs of the two queues.
pub(crate) struct Places {
    jobs: String,
    parts: String,
}

/// `url` with something behind its name, if it has one, and with this parameter.
fn with(url: &str, suffix: &str, parameter: Option<(&str, &str)>) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let suffix = if place.ends_with(':') { "" } else { suffix };
    let own = |pair: &&str| parameter.is_none_or(|(name, _)| pair.split('=').next() != Some(name));
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(own)
        .collect();
    let said = parameter.map(|(name, value)| format!("{name}={value}"));
    pairs.extend(said.as_deref());
    match pairs.is_empty() {
        true => format!("{place}{suffix}"),
        false => format!("{place}{suffix}?{}", pairs.join("&")),
    }
}

impl Places {
    /// The files go to the queue at `url`, and the parts come from the one with this name and `-parts`.
    pub(crate) fn of(url: &str) -> Self {
        Self {
            jobs: with(url, "", None),
            parts: with(url, "-parts", None),
        }
    }

    pub(crate) fn open(
        &self,
        mode: Option<&str>,
    ) -> Result<(DynQueue<Job>, DynQueue<Part>), Failure> {
        let mode = mode.map(|mode| ("mode", mode));
        let jobs = queue_any::open(&with(&self.jobs, "", mode))?;
        let parts = queue_any::open(&with(&self.parts, "", mode))?;
        Ok((jobs, parts))
    }

    fn remove(&self) -> Result<(), Failure> {
        queue_any::remove(&self.jobs)?;
        queue_any::remove(&self.parts)?;
        Ok(())
    }
}

/// Counts over the queues at `url`: with threads, where only this process can open them, and else with
/// processes.
pub(crate) fn count_at(url: &str, plan: &Plan) -> Result<Outcome, Trouble> {
    let places = Places::of(url);
    let (jobs, parts) = places.open(None)?;
    if jobs.is_closed() || parts.is_closed() {
        return Err(
            "these queues are closed: an earlier run has left them; take another name".into(),
        );
    }
    let address = Address::parse(url)?;
    // Without a password.
    let shown = &address.to_string();
    let outcome = match address.scheme() {
        "thread" | "lockfree" | "async" => {
            run::over_queues::<Threads, DynQueue<Job>, DynQueue<Part>>(shown, plan, jobs, parts)
        }
        _ => run::over_queues::<Processes<_, _, Opened>, DynQueue<Job>, DynQueue<Part>>(
            shown, plan, jobs, parts,
        ),
    };
    places.remove()?;
    outcome
}
