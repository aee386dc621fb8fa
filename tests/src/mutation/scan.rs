//! Finding the places: memory orderings, fences, notifications.

use super::places::{Line, closing, is_word, lines, receiver};
use super::{Mutation, number_repeated};

/// Whether a call of this name wakes somebody; `settle` is how `AsyncQueue` does.
fn is_wake(called: &str) -> bool {
    matches!(called, "wake" | "unpark" | "settle")
        || called.starts_with("notify")
        || (called.starts_with("wake_") && called != "wake_mut")
}

/// Every mutation of `file` that can be found by reading its `text`.
pub(super) fn scan(file: &str, text: &str) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    for line in lines(text) {
        for (place, change, replacement) in orderings(text, &line).into_iter().chain(wakes(&line)) {
            mutations.push(Mutation {
                id: format!("{file}: {}: {change}", line.function),
                file: file.to_string(),
                place: line.start + place.start..line.start + place.end,
                replacement,
            });
        }
    }
    number_repeated(&mut mutations);
    mutations
}

/// Where in the line, what the change is, and the new text.
type Found = (std::ops::Range<usize>, String, String);

/// Each ordering one step weaker; each fence also removed.
fn orderings(text: &str, line: &Line<'_>) -> Vec<Found> {
    const PATH: &str = "Ordering::";
    let mut found = Vec::new();
    for (at, _) in line.code.match_indices(PATH) {
        let name = at + PATH.len();
        let rest = &line.code[name..];
        let end = name + rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let ordering = &line.code[name..end];
        let before = line.code[..at].trim_end();
        let weaker: &[&str] = if before.ends_with("fence(") {
            let open = before.len() - 1;
            if let Some(close) = closing(line.code, open) {
                let start = receiver(line.code, open);
                let change = format!("fence({ordering}) removed");
                found.push((start..close, change, "()".to_string()));
            }
            match ordering {
                "SeqCst" => &["AcqRel"],
                "AcqRel" => &["Acquire", "Release"],
                _ => &[],
            }
        } else {
            weaker(ordering, &text[..line.start + at])
        };
        for weaker in weaker {
            let change = format!(
                "{} {ordering} to {weaker}",
                operation(&text[..line.start + at])
            );
            found.push((name..end, change, (*weaker).to_string()));
        }
    }
    found
}

/// One step weaker than `ordering`, for the operation that `before` ends in.
fn weaker(ordering: &str, before: &str) -> &'static [&'static str] {
    match (ordering, operation(before)) {
        ("Acquire" | "Release", _) => &["Relaxed"],
        ("AcqRel", _) => &["Acquire", "Release"],
        ("SeqCst", "load") => &["Acquire"],
        ("SeqCst", "store") => &["Release"],
        ("SeqCst", _) => &["AcqRel"],
        _ => &[],
    }
}

/// The atomic operation whose arguments `before` ends in; `replace` and `mark` are of
/// shared memory.
fn operation(before: &str) -> &str {
    const OPERATIONS: &[&str] = &[
        "load",
        "store",
        "swap",
        "replace",
        "mark(",
        "fetch_",
        "compare_exchange",
        "fence",
    ];
    let far = before.len().saturating_sub(300);
    let near = (far..before.len()).find(|n| before.is_char_boundary(*n));
    let near = &before[near.unwrap_or(before.len())..];
    OPERATIONS
        .iter()
        .filter_map(|operation| near.rfind(operation))
        .max()
        .map_or("", |at| {
            near[at..].split(|c| !is_word(c)).next().unwrap_or_default()
        })
}

/// Each call that wakes somebody dropped, and turned from all to one.
fn wakes(line: &Line<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (open, _) in line.code.match_indices('(') {
        let name = line.code[..open]
            .rfind(|c| !is_word(c))
            .map_or(0, |at| at + 1);
        let called = &line.code[name..open];
        let is_call = line.code[..name].ends_with(['.', ':']);
        let Some(close) = closing(line.code, open).filter(|_| is_wake(called) && is_call) else {
            continue;
        };
        let start = receiver(line.code, name);
        // Only as a statement or an arm, or as all of a closure: its value is nobody's, but for
        // that of `settle`.
        let before = line.code[..start].trim_end();
        let is_statement = before.is_empty()
            || before.ends_with(['{', ';', '}'])
            || before.ends_with("=>")
            || before.ends_with("(||") && called != "settle";
        if !is_statement {
            continue;
        }
        let call = &line.code[start..open];
        found.push((start..close, format!("{call} dropped"), "()".to_string()));
        if called == "notify_all" {
            let change = format!("{call} to one");
            found.push((name..open, change, "notify".to_string()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
use std::sync::atomic::{AtomicBool, Ordering, fence};

impl Event {
    fn listen(&self) {
        fence(Ordering::SeqCst); // fence(Ordering::SeqCst)
        self.flag
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed);
        let seen = self.flag.load(Ordering::Acquire) || self.flag.load(Ordering::Acquire);
    }

    pub(crate) fn close(&self) {
        self.events(1).items.notify_all();
        match x { Wake::Thread(thread) => thread.unpark(), }
        let wake = self.list.notify_first();
        calmly(|| self.list.notify_first());
    }
}

#[cfg(test)]
mod tests {
    fn f() { flag.load(Ordering::SeqCst); }
}
";

    #[test]
    fn finds_every_place_once() {
        let found = scan("x.rs", TEXT);
        let names: Vec<_> = found.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(
            names,
            [
                "x.rs: listen: fence(SeqCst) removed",
                "x.rs: listen: fence SeqCst to AcqRel",
                "x.rs: listen: compare_exchange AcqRel to Acquire",
                "x.rs: listen: compare_exchange AcqRel to Release",
                "x.rs: listen: load Acquire to Relaxed #1",
                "x.rs: listen: load Acquire to Relaxed #2",
                "x.rs: close: self.events(1).items.notify_all dropped",
                "x.rs: close: self.events(1).items.notify_all to one",
                "x.rs: close: thread.unpark dropped",
                "x.rs: close: self.list.notify_first dropped",
            ]
        );
    }

    #[test]
    fn changes_the_place_alone() {
        let found = scan("x.rs", TEXT);
        let line = |n: usize| {
            let changed = found[n].apply(TEXT);
            let differing = changed.lines().zip(TEXT.lines()).find(|(a, b)| a != b);
            differing.unwrap().0.trim().to_string()
        };
        assert_eq!(line(0), "(); // fence(Ordering::SeqCst)");
        assert_eq!(
            line(1),
            "fence(Ordering::AcqRel); // fence(Ordering::SeqCst)"
        );
        assert!(line(5).ends_with("load(Ordering::Acquire) || self.flag.load(Ordering::Relaxed);"));
        assert_eq!(line(6), "();");
        assert_eq!(line(7), "self.events(1).items.notify();");
        assert_eq!(line(8), "match x { Wake::Thread(thread) => (), }");
        assert_eq!(line(9), "calmly(|| ());");
    }
}
