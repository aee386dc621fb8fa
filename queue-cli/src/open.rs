//! Opening the queue that a URL names.

use crate::end::End;
use clap::Args;
use queue_any::{Address, Consumer, DynQueue, Failure, FailureKind, Producer, Queue, Side};
use std::thread;
use std::time::{Duration, Instant};

/// What goes through all queues of this program.
pub(crate) type Lines = DynQueue<String>;

/// A queue, and this process's part in it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) queue: Lines,
    /// Whether it is there because we made it, and ends with us.
    pub(crate) created: bool,
    _half: Half,
}

/// Which side of the queue this process counts on, beside its plain handle.
#[derive(Debug)]
enum Half {
    Whole,
    Producer { _half: Producer<Lines> },
    Consumer { _half: Consumer<Lines> },
    Neither,
}

/// What every command asks that opens a queue which should be there.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long to wait for the queue to be there, so that `queue serve URL &` may come a moment
    /// later.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) wait: Duration,
}

impl Patience {
    pub(crate) const NONE: Self = Self {
        wait: Duration::ZERO,
    };
}

/// A number and its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = units
        .iter()
        .find(|(unit, _)| *unit == &text[digits.len()..]);
    let seconds = digits
        .parse::<f64>()
        .ok()
        .zip(unit)
        .map(|(n, (_, unit))| n * unit);
    (seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
        .ok_or_else(|| "it is a number with a unit, such as 500ms, 5s, 2m or 1h".into())
}

impl Opened {
    /// A queue that must be there, unless a server keeps it and this process is to push. It counts on `side`
    /// alone, or on none, so that whoever is on the other side is not kept by it.
    pub(crate) fn existing(url: &str, side: Option<Side>, patience: Patience) -> Result<Self, End> {
        let address = shared(url)?;
        let (queue, created) = match address.get("mode") {
            Some("create" | "open_or_create") => open_or_create(url, &address)?,
            None if outlives_us(&address) && side == Some(Side::Producers) => {
                open_or_create(url, &address)?
            }
            _ => (wait_for(url, &address, patience)?, false),
        };
        Ok(Self::on_side(
            queue,
            created || outlives_us(&address),
            created,
            side,
        ))
    }

    /// One that is made if it is not there.
    pub(crate) fn made_if_missing(url: &str, side: Side, patience: Patience) -> Result<Self, End> {
        let address = shared(url)?;
        let (queue, created) = match address.get("mode") {
            Some("open") => (wait_for(url, &address, patience)?, false),
            _ => open_or_create(url, &address)?,
        };
        Ok(Self::on_side(
            queue,
            created || outlives_us(&address),
            created,
            Some(side),
        ))
    }

    /// One that must not be there yet.
    pub(crate) fn new(url: &str) -> Result<Self, End> {
        let address = shared(url)?;
        if outlives_us(&address) {
            let message = "its server serves it: the first `queue push` or `queue work` makes it";
            return Err(End::Usage(message.into()));
        }
        if !is_named(&address) || matches!(address.get("mode"), Some("open" | "open_or_create")) {
            let message = "only a queue that is made can be served: a URL such as pipe://jobs";
            return Err(End::Usage(message.into()));
        }
        let queue = queue_any::open(&with_mode(url, "create"))?;
        Ok(Self::on_side(queue, true, true, None))
    }

    /// One that this process has to itself.
    pub(crate) fn own(queue: Lines) -> Self {
        Self::on_side(queue, true, true, None)
    }

    fn on_side(queue: Lines, stays: bool, created: bool, side: Option<Side>) -> Self {
        // One that is there for all who come does not end with those on a side.
        let half = if stays {
            Half::Whole
        } else {
            let (producer, consumer) = queue.clone().into_ends();
            match side {
                Some(Side::Producers) => Half::Producer { _half: producer },
                Some(Side::Consumers) => Half::Consumer { _half: consumer },
                None => Half::Neither,
            }
        };
        Self {
            queue,
            created,
            _half: half,
        }
    }

    /// Whether nothing waits in it, and nothing that was taken may come back.
    pub(crate) fn is_done(&self) -> bool {
        use queue_any::WorkQueue;
        // Twice, for what is in flight may come back in between.
        self.queue.is_empty() && self.queue.in_flight() == 0 && self.queue.is_empty()
    }
}

/// The address, if other programs can open the same.
fn shared(url: &str) -> Result<Address, End> {
    let address = Address::parse(url)?;
    let nameless = matches!(address.scheme(), "pipe" | "shm") && address.name().is_none();
    if nameless || matches!(address.scheme(), "thread" | "lockfree" | "async" | "ipc") {
        let message = format!(
            "no other program can open \"{address}\": take a queue with a name, such as pipe://jobs"
        );
        return Err(End::Usage(message));
    }
    match address.get("mode") {
        None | Some("open" | "create" | "open_or_create") => Ok(address),
        // It says which there are.
        Some(_) => Ok(queue_any::open::<String>(url).map(|_| address)?),
    }
}

/// Whether a server keeps it, until somebody closes it.
fn outlives_us(address: &Address) -> bool {
    matches!(address.scheme(), "nats" | "nats+tls")
}

fn is_named(address: &Address) -> bool {
    matches!(address.scheme(), "pipe" | "shm")
}

/// `url` with another parameter `mode`.
fn with_mode(url: &str, mode: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let kept = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("mode="));
    let query: Vec<_> = kept
        .map(str::to_owned)
        .chain([format!("mode={mode}")])
        .collect();
    format!("{place}?{}", query.join("&"))
}

fn wait_for(url: &str, address: &Address, patience: Patience) -> Result<Lines, End> {
    let url = match is_named(address) || outlives_us(address) {
        true => with_mode(url, "open"),
        false => url.to_owned(),
    };
    let begun = Instant::now();
    loop {
        match queue_any::open(&url) {
            Err(failure) if failure.kind() == FailureKind::PeerGone => {
                if begun.elapsed() >= patience.wait {
                    return Err(missing(address, &failure));
                }
            }
            result => return Ok(result?),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn missing(address: &Address, failure: &Failure) -> End {
    let hint = match is_named(address) {
        true => format!(
            "; `queue serve {}:{}` makes one",
            address.scheme(),
            name(address)
        ),
        false => String::new(),
    };
    End::Failed(format!("{failure:#}{hint}"))
}

fn name(address: &Address) -> String {
    format!("//{}", address.name().unwrap_or_default())
}

/// The queue there, or a new one: then true.
fn open_or_create(url: &str, address: &Address) -> Result<(Lines, bool), End> {
    if !is_named(address) {
        return Ok((queue_any::open(url)?, false));
    }
    let must_create = address.get("mode") == Some("create");
    let begun = Instant::now();
    loop {
        if !must_create {
            match queue_any::open(&with_mode(url, "open")) {
                Ok(queue) => return Ok((queue, false)),
                Err(failure) if failure.kind() == FailureKind::PeerGone => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        match queue_any::open(&with_mode(url, "create")) {
            Ok(queue) => return Ok((queue, true)),
            // Somebody made it in between, or is there and does not answer.
            Err(failure) if failure.kind() == FailureKind::Denied && !must_create => {
                if begun.elapsed() > Duration::from_secs(1) {
                    return Err(failure.into());
                }
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "5", "s", "5 parsecs", "-1s", "5d", "infs", "1e999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mode_takes_the_place_of_another() {
        assert_eq!(with_mode("pipe://a", "open"), "pipe://a?mode=open");
        let url = "pipe://a?mode=create&capacity=2";
        assert_eq!(with_mode(url, "open"), "pipe://a?capacity=2&mode=open");
    }

    #[test]
    fn a_queue_that_nobody_else_can_open_is_refused() {
        for url in [
            "thread:",
            "thread://jobs",
            "async:",
            "ipc:",
            "pipe:",
            "shm:?capacity=4",
        ] {
            assert!(matches!(shared(url), Err(End::Usage(_))), "{url}");
        }
        assert!(shared("pipe://jobs").is_ok());
        assert!(shared("inherit:JOBS").is_ok());
    }
}
