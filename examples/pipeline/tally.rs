//! What was counted.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// What a worker is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Which of the files it is.
    pub(crate) number: usize,
    pub(crate) path: PathBuf,
}

/// What a worker sends back: the words of (a part of) one file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The number of the job.
    pub(crate) job: usize,
    /// The how manyth worker tries it: those before were killed.
    pub(crate) attempt: u32,
    /// How often each word stands in it.
    pub(crate) words: Vec<(String, u64)>,
    /// Set in the last part of a file.
    pub(crate) end: Option<End>,
}

/// How reading a file ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum End {
    /// All of it was text.
    Text,
    /// It is not text, so nothing was counted.
    NotText,
    /// It could not be read.
    Unreadable,
}

/// The words of all files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    words: HashMap<String, u64>,
    /// Files read, passed over, and refused.
    pub(crate) text: u64,
    pub(crate) not_text: u64,
    pub(crate) unreadable: u64,
}

impl Tally {
    fn add_words(&mut self, words: impl IntoIterator<Item = (String, u64)>) {
        for (word, count) in words {
            *self.words.entry(word).or_default() += count;
        }
    }

    fn add(&mut self, part: Part) {
        self.add_words(part.words);
        match part.end {
            Some(End::Text) => self.text += 1,
            Some(End::NotText) => self.not_text += 1,
            Some(End::Unreadable) => self.unreadable += 1,
            None => {}
        }
    }

    fn merge(&mut self, other: Self) {
        self.add_words(other.words);
        self.text += other.text;
        self.not_text += other.not_text;
        self.unreadable += other.unreadable;
    }

    pub(crate) fn total(&self) -> u64 {
        self.words.values().sum()
    }

    pub(crate) fn distinct(&self) -> usize {
        self.words.len()
    }

    /// The `n` most frequent words, and how often they stand.
    pub(crate) fn top(&self, n: usize) -> Vec<(&str, u64)> {
        let mut words: Vec<_> = self.words.iter().map(|(w, n)| (w.as_str(), *n)).collect();
        words.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        words.truncate(n);
        words
    }
}

/// Adds up the parts of workers that may be killed in the middle of a file: another one begins it
/// anew then, and it counts once.
#[derive(Default)]
pub(crate) struct Collector {
    pub(crate) tally: Tally,
    /// What has come of each file so far, by attempts.
    begun: HashMap<(usize, u32), Tally>,
    finished: HashSet<usize>,
    repeated: HashSet<usize>,
}

impl Collector {
    /// Whether this finishes a file. The second end of one does not: its worker was killed
    /// between the last part and the ack.
    pub(crate) fn add(&mut self, part: Part) -> bool {
        let (attempt, ends) = ((part.job, part.attempt), part.end.is_some());
        if part.attempt > 1 {
            self.repeated.insert(part.job);
        }
        self.begun.entry(attempt).or_default().add(part);
        if !ends || !self.finished.insert(attempt.0) {
            return false;
        }
        let file = self.begun.remove(&attempt);
        file.into_iter().for_each(|file| self.tally.merge(file));
        true
    }

    /// How many files are finished.
    pub(crate) fn finished(&self) -> usize {
        self.finished.len()
    }

    /// How many files came back from a worker that was killed.
    pub(crate) fn repeated(&self) -> usize {
        self.repeated.len()
    }
}

/// Counts one file, in parts small enough for any queue.
pub(crate) fn count(job: &Job, attempt: u32) -> Vec<Part> {
    /// Longer runs of letters are data rather than words.
    const LONGEST: usize = 64;
    const WORDS_IN_A_PART: usize = 256;

    let part = |words, end| Part {
        job: job.number,
        attempt,
        words,
        end,
    };
    let Ok(bytes) = std::fs::read(&job.path) else {
        return vec![part(Vec::new(), Some(End::Unreadable))];
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return vec![part(Vec::new(), Some(End::NotText))];
    };
    let mut words: HashMap<String, u64> = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if (1..=LONGEST).contains(&word.len()) {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let mut words = words.into_iter();
    let mut parts = Vec::new();
    loop {
        let words: Vec<_> = words.by_ref().take(WORDS_IN_A_PART).collect();
        let full = words.len() == WORDS_IN_A_PART;
        let end = (!full).then_some(End::Text);
        parts.push(part(words, end));
        if !full {
            return parts;
        }
    }
}
