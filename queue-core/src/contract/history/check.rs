//! The forbidden patterns.

use super::bounds::Level;
use super::intervals::Cover;
use super::{NEVER, Operation, What};
use std::collections::HashMap;
use std::fmt;

/// A pattern that no FIFO queue produces.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// An item was popped that nobody had begun to push.
    Fresh(u64),
    /// An item was popped, or pushed, twice.
    Repeated(u64),
    /// An item was popped although it had been refused.
    Refused(u64),
    /// `first` went in before `second` was tried, and `second` came out before
    /// anybody tried to take `first`, or `first` never came out.
    Order {
        /// The item that was overtaken.
        first: u64,
        /// The item that overtook it.
        second: u64,
    },
    /// "Empty" was answered while at every moment an item was surely inside.
    Empty(Operation),
    /// "Full" was answered while at every moment a slot was surely left.
    Full(Operation),
    /// More items were surely inside than the capacity allows.
    Capacity(usize),
    /// A push that began after the queue was closed was not refused as closed.
    PushAfterClose(Operation),
    /// A pop that began after the queue was closed found it empty, and not closed.
    EmptyAfterClose(Operation),
    /// "Closed" was answered before anybody had begun to close.
    ClosedEarly(Operation),
    /// A pop was told "closed and drained" while an item was surely inside, or an item
    /// came out after that.
    DrainedEarly(Operation),
    /// The queue was drained to its end, and an accepted item never came out.
    Lost(u64),
    /// Not exactly one of those who closed was told to be the first.
    Closers(usize),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh(item) => write!(f, "item {item} came out before it was pushed"),
            Self::Repeated(item) => write!(f, "item {item} came out twice"),
            Self::Refused(item) => write!(f, "item {item} came out although it was refused"),
            Self::Order { first, second } => {
                write!(
                    f,
                    "item {second} overtook item {first}, which had gone in before"
                )
            }
            Self::Empty(operation) => write!(f, "an item was inside all through {operation:?}"),
            Self::Full(operation) => write!(f, "a slot was left all through {operation:?}"),
            Self::Capacity(count) => write!(f, "{count} items were inside at once"),
            Self::PushAfterClose(operation) => write!(f, "not refused as closed: {operation:?}"),
            Self::EmptyAfterClose(operation) => write!(f, "not told closed: {operation:?}"),
            Self::ClosedEarly(operation) => write!(f, "nobody had closed yet: {operation:?}"),
            Self::DrainedEarly(operation) => write!(f, "an item was left after {operation:?}"),
            Self::Lost(item) => write!(f, "item {item} went in and never came out"),
            Self::Closers(count) => write!(f, "{count} calls were told they closed the queue"),
        }
    }
}

impl std::error::Error for Violation {}

/// One accepted item: its push, and its pop where there was one.
struct Life {
    item: u64,
    push: (u64, u64),
    pop: Option<(u64, u64)>,
    /// From when on somebody may have taken it: `NEVER` if nobody could have.
    taken: u64,
}

/// One example of every pattern that is there.
pub(super) fn violations(capacity: Option<usize>, operations: &[Operation]) -> Vec<Violation> {
    let mut found = Vec::new();
    let lives = lives(operations, &mut found);
    found.extend(order(&lives));
    let inside = Cover::new(lives.iter().map(|life| (life.push.1, life.taken)).collect());
    found.extend(operations.iter().find_map(|&operation| {
        let covered = inside.covers(operation.start, operation.end);
        (covered && operation.what == What::Empty).then_some(Violation::Empty(operation))
    }));
    slots(capacity, operations, &lives, &mut found);
    closing(operations, &lives, &inside, &mut found);
    found
}

/// Puts the pushes and pops of every item together.
fn lives(operations: &[Operation], found: &mut Vec<Violation>) -> Vec<Life> {
    let (mut pops, mut refused) = (HashMap::new(), HashMap::new());
    let mut repeated = None;
    for operation in operations {
        match operation.what {
            What::Popped(item) => {
                let again = pops.insert(item, (operation.start, operation.end));
                repeated = repeated.or(again.map(|_| Violation::Repeated(item)));
            }
            What::Full(item) | What::PushClosed(item) => {
                refused.insert(item, ());
            }
            _ => {}
        }
    }
    // Who was killed while popping may have taken an item, from the earliest on.
    let first_cut = operations
        .iter()
        .filter(|operation| operation.what == What::PopCut)
        .map(|operation| operation.start)
        .min();
    let mut lives = Vec::new();
    for operation in operations {
        let (item, cut) = match operation.what {
            What::Pushed(item) => (item, false),
            What::PushCut(item) => (item, true),
            _ => continue,
        };
        let pop = pops.remove(&item);
        if pop.is_none() && cut {
            continue;
        }
        let taken = match (pop, first_cut) {
            (Some((start, _)), _) => start,
            (None, Some(start)) => start.max(operation.start),
            (None, None) => NEVER,
        };
        let push = (operation.start, operation.end);
        if pop.is_some_and(|(_, end)| end < push.0) {
            found.push(Violation::Fresh(item));
        }
        lives.push(Life {
            item,
            push,
            pop,
            taken,
        });
    }
    // What is left was popped without a push that accepted it (or was pushed twice).
    let stray = pops.keys().min().map(|&item| {
        if lives.iter().any(|life| life.item == item) {
            Violation::Repeated(item)
        } else if refused.contains_key(&item) {
            Violation::Refused(item)
        } else {
            Violation::Fresh(item)
        }
    });
    found.extend(repeated);
    found.extend(stray);
    lives
}

/// Looks for an item that overtook another.
fn order(lives: &[Life]) -> Option<Violation> {
    let mut by_end: Vec<&Life> = lives.iter().collect();
    by_end.sort_unstable_by_key(|life| life.push.1);
    let mut by_start: Vec<&Life> = lives.iter().filter(|life| life.pop.is_some()).collect();
    by_start.sort_unstable_by_key(|life| life.push.0);
    let mut earlier = by_end.into_iter().peekable();
    // Among those that went in before `second` was tried, the one taken last.
    let mut last: Option<&Life> = None;
    for second in by_start {
        while let Some(first) = earlier.next_if(|first| first.push.1 < second.push.0) {
            if last.is_none_or(|last| last.taken < first.taken) {
                last = Some(first);
            }
        }
        let (_, popped) = second.pop.expect("only the popped are here");
        if let Some(first) = last.filter(|first| popped < first.taken) {
            return Some(Violation::Order {
                first: first.item,
                second: second.item,
            });
        }
    }
    None
}

/// Checks `Full` and the capacity.
fn slots(
    capacity: Option<usize>,
    operations: &[Operation],
    lives: &[Life],
    found: &mut Vec<Violation>,
) {
    let fulls = || {
        operations
            .iter()
            .filter(|o| matches!(o.what, What::Full(_)))
    };
    let Some(capacity) = capacity else {
        found.extend(fulls().next().map(|&operation| Violation::Full(operation)));
        return;
    };
    // At most so many inside: from the beginning of the push to the end of the pop. A
    // push that was cut and never seen may have filled a slot, too.
    let mut most = Vec::new();
    // At least so many inside: from the end of the push to the beginning of the pop.
    let mut least = Vec::new();
    for life in lives {
        most.push((life.push.0, 0, 1));
        if let Some((_, end)) = life.pop {
            most.push((end, 1, -1));
        }
        least.push((life.push.1, 1, 1));
        least.push((life.taken, 0, -1));
    }
    for operation in operations {
        if matches!(operation.what, What::PushCut(_)) {
            most.push((operation.start, 0, 1));
        }
    }
    let most = Level::new(most);
    found.extend(fulls().find_map(|&operation| {
        let highest = most.highest_in(operation.start, operation.end);
        (highest < capacity as i64).then_some(Violation::Full(operation))
    }));
    // An item that died with its popper is counted out too early above: only weaker.
    let highest = Level::new(least).highest() as usize;
    if highest > capacity {
        found.push(Violation::Capacity(highest));
    }
}

/// Checks what closing brings with it.
fn closing(operations: &[Operation], lives: &[Life], inside: &Cover, found: &mut Vec<Violation>) {
    let closes = || {
        operations
            .iter()
            .filter(|o| matches!(o.what, What::Closed(_)))
    };
    let began = closes().map(|o| o.start).min().unwrap_or(NEVER);
    let closed = closes().map(|o| o.end).min().unwrap_or(NEVER);
    let firsts = closes().filter(|o| o.what == What::Closed(true)).count();
    if closes().count() > 0 && firsts != 1 {
        found.push(Violation::Closers(firsts));
    }
    let first = |test: &dyn Fn(&Operation) -> bool| operations.iter().copied().find(|o| test(o));
    found.extend(
        first(&|o| matches!(o.what, What::Pushed(_) | What::Full(_)) && o.start > closed)
            .map(Violation::PushAfterClose),
    );
    // While a push that began before the close is under way, "empty" is honest.
    let under_way = lives.iter().map(|life| life.push.1).max().unwrap_or(0);
    found.extend(
        first(&|o| o.what == What::Empty && o.start > closed && o.start > under_way)
            .map(Violation::EmptyAfterClose),
    );
    found.extend(
        first(&|o| matches!(o.what, What::PushClosed(_) | What::Drained) && o.end < began)
            .map(Violation::ClosedEarly),
    );
    let drains = || operations.iter().filter(|o| o.what == What::Drained);
    let Some(drained) = drains().min_by_key(|o| o.end).copied() else {
        return;
    };
    let popped_later = lives
        .iter()
        .any(|l| l.pop.is_some_and(|(start, _)| start > drained.end));
    let left = drains().find(|o| inside.covers(o.start, o.end)).copied();
    if popped_later {
        found.push(Violation::DrainedEarly(drained));
    } else {
        found.extend(left.map(Violation::DrainedEarly));
    }
    // Each killed popper may have taken one item with it.
    let cuts = operations.iter().filter(|o| o.what == What::PopCut).count();
    let lost = lives.iter().filter(|life| life.pop.is_none());
    found.extend(lost.map(|life| Violation::Lost(life.item)).nth(cuts));
}
