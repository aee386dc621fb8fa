//! What a command tells while it runs: to a person at a terminal, or as lines of JSON.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// A line of JSON on standard output.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    line(&value.to_string())
}

/// A line on standard output, which has it when this returns.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // One write, so that lines of several processes do not mix.
    out.write_all(format!("{text}\n").as_bytes())?;
    out.flush()
}

/// Whether nobody can read standard output any more.
pub(crate) fn is_unread() -> bool {
    #[cfg(unix)]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let out = io::stdout();
        let mut ends = [PollFd::new(&out, PollFlags::empty())];
        let now = Timespec::default();
        matches!(poll(&mut ends, Some(&now)), Ok(1)) && ends[0].revents().contains(PollFlags::ERR)
    }
    #[cfg(not(unix))]
    false
}

/// A counter on a terminal; nothing where there is none.
pub(crate) fn counter(verb: &'static str, quiet: bool) -> ProgressBar {
    // Lines that are typed, or printed, at the same terminal are progress enough.
    let shown = io::stderr().is_terminal() && !quiet;
    if !shown {
        return ProgressBar::hidden();
    }
    let template = format!("{{spinner}} {{human_pos}} {verb} in {{elapsed}}{{msg}}");
    let style = ProgressStyle::with_template(&template).expect("a template that is tested");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template("{spinner} {human_pos} x in {elapsed}{msg}").is_ok());
    }
}
