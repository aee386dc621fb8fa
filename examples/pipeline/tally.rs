//! What was counted.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// What a worker sends back: the words of (a part of) one file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Part {
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
    pub(crate) fn add(&mut self, part: Part) {
        for (word, count) in part.words {
            *self.words.entry(word).or_default() += count;
        }
        match part.end {
            Some(End::Text) => self.text += 1,
            Some(End::NotText) => self.not_text += 1,
            Some(End::Unreadable) => self.unreadable += 1,
            None => {}
        }
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

/// Counts one file, in parts small enough for any queue.
pub(crate) fn count(path: &Path) -> Vec<Part> {
    /// Longer runs of letters are data rather than words.
    const LONGEST: usize = 64;
    const WORDS_IN_A_PART: usize = 256;

    let nothing = |end| {
        vec![Part {
            words: Vec::new(),
            end: Some(end),
        }]
    };
    let Ok(bytes) = std::fs::read(path) else {
        return nothing(End::Unreadable);
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return nothing(End::NotText);
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
        parts.push(Part { words, end });
        if !full {
            return parts;
        }
    }
}
