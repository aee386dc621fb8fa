//! [`End`]: how a command ends that has not done all it should.

use queue_any::{Failure, FailureKind};
use std::io;
use std::process::ExitCode;

/// Why a command ends early. The status is documented in `queue --help`.
#[derive(Debug)]
pub(crate) enum End {
    /// Something failed: 1.
    Failed(String),
    /// The arguments make no sense: 2.
    Usage(String),
    /// The time was over, or the queue closed: 3. Without a text it goes without saying.
    NoMore(Option<String>),
    /// Nobody reads what we write any more. That is no fault.
    Unread,
}

impl End {
    /// Says why, in one line, and gives the exit status.
    pub(crate) fn tell(self) -> ExitCode {
        let (status, text) = match self {
            Self::Failed(text) => (1, Some(text)),
            Self::Usage(text) => (2, Some(text)),
            Self::NoMore(text) => (3, text),
            Self::Unread => (0, None),
        };
        if let Some(text) = text {
            say(&text);
        }
        ExitCode::from(status)
    }
}

/// Writes one line to standard error.
pub(crate) fn say(text: &str) {
    use io::Write;
    // One write, so that lines of several processes do not mix.
    let line = format!("queue: {}\n", text.replace('\n', " "));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// What cannot be done by such a URL is the command line's fault.
impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        let text = format!("{failure:#}");
        match failure.kind() {
            FailureKind::Unsupported => Self::Usage(text),
            _ => Self::Failed(text),
        }
    }
}

/// Of writing to standard output.
impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Failed(format!("cannot write: {error}")),
        }
    }
}
