//! `queue stat`.

use crate::end::End;
use crate::open::{Lines, Opened, Patience, duration};
use crate::report;
use clap::Args;
use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use queue_any::{Address, Queue, WorkQueue};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

/// Shows how a queue is: its depth, what is in flight, who takes part.
///
/// Who only looks is neither a producer nor a consumer, and keeps no queue open.
#[derive(Args, Debug)]
pub(crate) struct Stat {
    /// The queue, such as pipe://jobs.
    url: String,
    /// Goes on until Ctrl-C: a screen on a terminal, else a line each time, with rates.
    #[arg(short, long)]
    watch: bool,
    /// How long from one look to the next.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    every: Duration,
    #[command(flatten)]
    patience: Patience,
    /// Writes lines of JSON.
    #[arg(long)]
    json: bool,
}

/// One look at a queue.
#[derive(Clone, Debug)]
struct Look {
    at: Instant,
    depth: usize,
    in_flight: usize,
    capacity: Option<usize>,
    closed: bool,
    producers: Option<usize>,
    consumers: Option<usize>,
    passed: Option<[u32; 2]>,
    /// Items in and out for each second since the look before.
    rates: Option<[f64; 2]>,
}

impl Stat {
    pub(crate) fn run(self) -> Result<(), End> {
        let opened = Opened::existing(&self.url, None, self.patience)?;
        // Without a password.
        let url = &Address::parse(&self.url)?.to_string();
        let mut look = Look::at(&opened.queue);
        if !self.watch {
            match self.json {
                true => report::json(&look.json(url))?,
                false => {
                    for (what, value) in look.rows() {
                        report::line(&format!("{what:<10} {value}"))?;
                    }
                }
            }
            return Ok(());
        }
        let screen = (io::stdout().is_terminal() && !self.json).then(|| Screen::new(url));
        loop {
            match &screen {
                Some(screen) => screen.show(&look),
                None if self.json => report::json(&look.json(url))?,
                None => report::line(&look.line())?,
            }
            thread::sleep(self.every);
            look = Look::at(&opened.queue).since(&look);
        }
    }
}

impl Look {
    fn at(queue: &Lines) -> Self {
        let stats = queue.stats();
        Self {
            at: Instant::now(),
            depth: queue.len(),
            in_flight: queue.in_flight(),
            capacity: queue.capacity(),
            closed: queue.is_closed(),
            producers: stats.producers,
            consumers: stats.consumers,
            passed: stats.pushed.zip(stats.popped).map(<[u32; 2]>::from),
            rates: None,
        }
    }

    /// With the rates since an earlier one.
    fn since(mut self, before: &Self) -> Self {
        let seconds = (self.at - before.at).as_secs_f64().max(1e-3);
        let rate = |side: usize| {
            let passed = self.passed?[side].wrapping_sub(before.passed?[side]);
            Some(f64::from(passed) / seconds)
        };
        self.rates = rate(0).zip(rate(1)).map(<[f64; 2]>::from);
        self
    }

    fn json(&self, url: &str) -> Value {
        let rounded = |side: usize| self.rates.map(|rates| (rates[side] * 10.0).round() / 10.0);
        json!({
            "url": url,
            "depth": self.depth,
            "in_flight": self.in_flight,
            "capacity": self.capacity,
            "closed": self.closed,
            "producers": self.producers,
            "consumers": self.consumers,
            "pushed_per_second": rounded(0),
            "popped_per_second": rounded(1),
        })
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let count = |n: usize| HumanCount(n as u64).to_string();
        let known = |n: Option<usize>| n.map_or("not known".into(), count);
        let depth = match self.capacity {
            Some(capacity) => format!("{} of {}", count(self.depth), count(capacity)),
            None => count(self.depth),
        };
        let state = if self.closed { "closed" } else { "open" };
        let mut rows = vec![
            ("depth", depth),
            ("in flight", count(self.in_flight)),
            ("producers", known(self.producers)),
            ("consumers", known(self.consumers)),
            ("state", state.into()),
        ];
        if let Some([pushed, popped]) = self.rates {
            rows.push(("in", format!("{}/s", count(pushed.round() as usize))));
            rows.push(("out", format!("{}/s", count(popped.round() as usize))));
        }
        rows
    }

    fn line(&self) -> String {
        let rows: Vec<_> = self
            .rows()
            .iter()
            .map(|(what, value)| format!("{what} {value}"))
            .collect();
        rows.join(", ")
    }
}

/// A bar for the depth, how it was lately, and the rest.
struct Screen {
    /// The URL. It is shown as long as it is here.
    _head: ProgressBar,
    bar: ProgressBar,
    lines: [ProgressBar; 3],
    depths: std::cell::RefCell<VecDeque<usize>>,
    _all: MultiProgress,
}

/// How many looks back the screen shows.
const BACK: usize = 60;

impl Screen {
    fn new(url: &str) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let style = |template| ProgressStyle::with_template(template).expect("a tested template");
        let head = all.add(ProgressBar::new(0).with_style(style(TEMPLATES[0])));
        head.set_message(url.to_owned());
        let bar = all.add(ProgressBar::new(0).with_style(style(TEMPLATES[1])));
        let line = || all.add(ProgressBar::new(0).with_style(style(TEMPLATES[2])));
        head.tick();
        Self {
            _head: head,
            bar,
            lines: [line(), line(), line()],
            depths: Default::default(),
            _all: all,
        }
    }

    fn show(&self, look: &Look) {
        let mut depths = self.depths.borrow_mut();
        depths.push_back(look.depth);
        if depths.len() > BACK {
            depths.pop_front();
        }
        let most = depths.iter().copied().max().unwrap_or_default();
        let scale = look.capacity.unwrap_or(most).max(1);
        self.bar.set_length(scale as u64);
        self.bar.set_position(look.depth as u64);
        let rows: Vec<_> = look.rows();
        let some = |rows: &[(&str, String)]| {
            let words = rows.iter().map(|(what, value)| format!("{what} {value}"));
            words.collect::<Vec<_>>().join("   ")
        };
        self.bar.set_message(rows[0].1.clone());
        self.lines[0].set_message(sparkline(&depths, most));
        self.lines[1].set_message(some(&rows[5..]));
        self.lines[2].set_message(some(&rows[1..5]));
    }
}

const TEMPLATES: [&str; 3] = ["{msg:.bold}", "{bar:60.cyan/dim} {msg}", "{msg}"];

fn sparkline(depths: &VecDeque<usize>, most: usize) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let step = |depth: &usize| STEPS[(depth * 7).div_ceil(most.max(1)).min(7)];
    depths.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        let queue = queue_any::open::<String>("thread:?capacity=1000").unwrap();
        queue.push("one".into()).unwrap();
        Look::at(&queue)
    }

    #[test]
    fn a_look_says_what_is_known() {
        let mut look = look();
        assert_eq!(
            look.line(),
            "depth 1 of 1,000, in flight 0, producers not known, consumers not known, state open"
        );
        look.passed = Some([u32::MAX, 7]);
        let mut later = look.clone();
        later.passed = Some([9, 7]);
        later.at += Duration::from_secs(2);
        let later = later.since(&look);
        assert_eq!(later.rates, Some([5.0, 0.0]));
        assert!(
            later.line().ends_with("in 5/s, out 0/s"),
            "{}",
            later.line()
        );
        assert_eq!(later.json("x")["pushed_per_second"], 5.0);
        assert_eq!(look.json("x")["capacity"], 1000);
    }

    #[test]
    fn the_screen_can_be_drawn() {
        for template in TEMPLATES {
            ProgressStyle::with_template(template).unwrap();
        }
        assert_eq!(sparkline(&VecDeque::from([0, 1, 2, 4]), 4), "▁▃▅█");
        assert_eq!(sparkline(&VecDeque::from([0]), 0), "▁");
        let screen = Screen::new("thread:");
        let first = look();
        for _ in 0..2 * BACK {
            screen.show(&first);
        }
        assert_eq!(screen.depths.borrow().len(), BACK);
        assert_eq!(
            (screen.bar.length(), screen.bar.position()),
            (Some(1000), 1)
        );
    }
}
