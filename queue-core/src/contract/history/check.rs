//! The forbidden patterns.

use super::interval_set::IntervalSet;
use super::len_bounds::LenBounds;
use super::{NEVER, OpKind, Operation};
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
struct ItemSpan {
    item: u64,
    push: (u64, u64),
    pop: Option<(u64, u64)>,
    /// From when on somebody may have taken it: `NEVER` if nobody could have.
    taken: u64,
}

/// One example of every pattern that is there.
pub(super) fn violations(capacity: Option<usize>, operations: &[Operation]) -> Vec<Violation> {
    let mut found = Vec::new();
    let spans = spans(operations, &mut found);
    found.extend(order(&spans));
    let inside = IntervalSet::new(spans.iter().map(|span| (span.push.1, span.taken)).collect());
    found.extend(operations.iter().find_map(|&operation| {
        let covered = inside.covers(operation.start, operation.end);
        (covered && operation.kind == OpKind::Empty).then_some(Violation::Empty(operation))
    }));
    slots(capacity, operations, &spans, &mut found);
    closing(operations, &spans, &inside, &mut found);
    found
}

/// Puts the pushes and pops of every item together.
fn spans(operations: &[Operation], found: &mut Vec<Violation>) -> Vec<ItemSpan> {
    let (mut pops, mut refused) = (HashMap::new(), HashMap::new());
    let mut repeated = None;
    for operation in operations {
        match operation.kind {
            OpKind::Popped(item) => {
                let again = pops.insert(item, (operation.start, operation.end));
                repeated = repeated.or(again.map(|_| Violation::Repeated(item)));
            }
            OpKind::Full(item) | OpKind::PushClosed(item) => {
                refused.insert(item, ());
            }
            _ => {}
        }
    }
    // Who was killed while popping may have taken an item, from the earliest on.
    let first_cut = operations
        .iter()
        .filter(|operation| operation.kind == OpKind::PopCut)
        .map(|operation| operation.start)
        .min();
    let mut spans = Vec::new();
    for operation in operations {
        let (item, cut) = match operation.kind {
            OpKind::Pushed(item) => (item, false),
            OpKind::PushCut(item) => (item, true),
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
        spans.push(ItemSpan {
            item,
            push,
            pop,
            taken,
        });
    }
    // What is left was popped without a push that accepted it (or was pushed twice).
    let stray = pops.keys().min().map(|&item| {
        if spans.iter().any(|span| span.item == item) {
            Violation::Repeated(item)
        } else if refused.contains_key(&item) {
            Violation::Refused(item)
        } else {
            Violation::Fresh(item)
        }
    });
    found.extend(repeated);
    found.extend(stray);
    spans
}

/// Looks for an item that overtook another.
fn order(spans: &[ItemSpan]) -> Option<Violation> {
    let mut by_end: Vec<&ItemSpan> = spans.iter().collect();
    by_end.sort_unstable_by_key(|span| span.push.1);
    let mut by_start: Vec<&ItemSpan> = spans.iter().filter(|span| span.pop.is_some()).collect();
    by_start.sort_unstable_by_key(|span| span.push.0);
    let mut earlier = by_end.into_iter().peekable();
    // Among those that went in before `second` was tried, the one taken last.
    let mut last: Option<&ItemSpan> = None;
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
    spans: &[ItemSpan],
    found: &mut Vec<Violation>,
) {
    let fulls = || {
        operations
            .iter()
            .filter(|o| matches!(o.kind, OpKind::Full(_)))
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
    for span in spans {
        most.push((span.push.0, 0, 1));
        if let Some((_, end)) = span.pop {
            most.push((end, 1, -1));
        }
        least.push((span.push.1, 1, 1));
        least.push((span.taken, 0, -1));
    }
    for operation in operations {
        match operation.kind {
            OpKind::PushCut(_) => most.push((operation.start, 0, 1)),
            // One that waited may have had a slot kept for it, until the close came first.
            OpKind::PushClosed(_) => {
                most.push((operation.start, 0, 1));
                most.push((operation.end, 1, -1));
            }
            _ => {}
        }
    }
    let most = LenBounds::new(most);
    found.extend(fulls().find_map(|&operation| {
        let highest = most.highest_in(operation.start, operation.end);
        (highest < capacity as i64).then_some(Violation::Full(operation))
    }));
    // An item that died with its popper is counted out too early above: only weaker.
    let highest = LenBounds::new(least).highest() as usize;
    if highest > capacity {
        found.push(Violation::Capacity(highest));
    }
}

/// Checks what closing brings with it.
fn closing(
    operations: &[Operation],
    spans: &[ItemSpan],
    inside: &IntervalSet,
    found: &mut Vec<Violation>,
) {
    let closes = || {
        operations
            .iter()
            .filter(|o| matches!(o.kind, OpKind::Closed(_)))
    };
    let began = closes().map(|o| o.start).min().unwrap_or(NEVER);
    let closed = closes().map(|o| o.end).min().unwrap_or(NEVER);
    let firsts = closes().filter(|o| o.kind == OpKind::Closed(true)).count();
    if closes().count() > 0 && firsts != 1 {
        found.push(Violation::Closers(firsts));
    }
    let first = |test: &dyn Fn(&Operation) -> bool| operations.iter().copied().find(|o| test(o));
    found.extend(
        first(&|o| matches!(o.kind, OpKind::Pushed(_) | OpKind::Full(_)) && o.start > closed)
            .map(Violation::PushAfterClose),
    );
    // While a push that began before the close is under way, "empty" is honest.
    let under_way = spans.iter().map(|span| span.push.1).max().unwrap_or(0);
    found.extend(
        first(&|o| o.kind == OpKind::Empty && o.start > closed && o.start > under_way)
            .map(Violation::EmptyAfterClose),
    );
    found.extend(
        first(&|o| matches!(o.kind, OpKind::PushClosed(_) | OpKind::Drained) && o.end < began)
            .map(Violation::ClosedEarly),
    );
    let drains = || operations.iter().filter(|o| o.kind == OpKind::Drained);
    let Some(drained) = drains().min_by_key(|o| o.end).copied() else {
        return;
    };
    let popped_later = spans
        .iter()
        .any(|l| l.pop.is_some_and(|(start, _)| start > drained.end));
    let left = drains().find(|o| inside.covers(o.start, o.end)).copied();
    if popped_later {
        found.push(Violation::DrainedEarly(drained));
    } else {
        found.extend(left.map(Violation::DrainedEarly));
    }
    // Each killed popper may have taken one item with it.
    let cuts = operations
        .iter()
        .filter(|o| o.kind == OpKind::PopCut)
        .count();
    let lost = spans.iter().filter(|span| span.pop.is_none());
    found.extend(lost.map(|span| Violation::Lost(span.item)).nth(cuts));
}
