//! The history checker against histories whose judgement is known: forged ones, one
//! for each pattern, and thousands of small random ones that a slow but plain search
//! judges as well.

#![cfg(not(loom))]

use OpKind::*;
use fastrand::Rng;
use queue_core::contract::history::{History, NEVER, OpKind, Operation, Violation};
use std::collections::VecDeque;

/// A history of (start, end, kind).
fn history(capacity: Option<usize>, operations: &[(u64, u64, OpKind)]) -> History {
    let mut history = History::new(capacity);
    operations
        .iter()
        .for_each(|&(start, end, kind)| history.add(start, end, kind));
    history
}

/// Fails unless the history shows this pattern.
macro_rules! forged {
    ($($name:ident: $capacity:expr, [$(($start:expr, $end:expr, $kind:expr)),* $(,)?] => $pattern:pat),* $(,)?) => {$(
        #[test]
        fn $name() {
            let found = history($capacity, &[$(($start, $end, $kind)),*]).violations();
            assert!(found.iter().any(|violation| matches!(violation, $pattern)), "{found:?}");
        }
    )*};
}

forged! {
    popped_but_never_pushed: None, [(0, 1, Popped(1))] => Violation::Fresh(1),
    popped_before_pushed: None, [(0, 1, Popped(1)), (2, 3, Pushed(1))] => Violation::Fresh(1),
    popped_twice: None, [(0, 1, Pushed(1)), (2, 3, Popped(1)), (4, 5, Popped(1))]
        => Violation::Repeated(1),
    popped_though_refused: Some(1), [(0, 1, Full(1)), (2, 3, Popped(1))] => Violation::Refused(1),
    popped_though_closed: None,
        [(0, 1, Closed(true)), (2, 3, PushClosed(1)), (4, 5, Popped(1))] => Violation::Refused(1),
    overtaken: None,
        [(0, 1, Pushed(1)), (2, 3, Pushed(2)), (4, 5, Popped(2)), (6, 7, Popped(1))]
        => Violation::Order { first: 1, second: 2 },
    overtaken_and_left_behind: None, [(0, 1, Pushed(1)), (2, 3, Pushed(2)), (4, 5, Popped(2))]
        => Violation::Order { first: 1, second: 2 },
    overtaken_by_one_cut_off: None,
        [(0, 1, Pushed(1)), (2, NEVER, PushCut(2)), (4, 5, Popped(2)), (6, 7, Popped(1))]
        => Violation::Order { first: 1, second: 2 },
    empty_with_an_item: None, [(0, 1, Pushed(1)), (2, 3, Empty), (4, 5, Popped(1))]
        => Violation::Empty(_),
    empty_under_two_that_overlap: None,
        [(0, 1, Pushed(1)), (2, 3, Pushed(2)), (4, 9, Empty), (5, 6, Popped(1)), (10, 11, Popped(2))]
        => Violation::Empty(_),
    full_with_a_slot: Some(2), [(0, 1, Pushed(1)), (2, 3, Full(2))] => Violation::Full(_),
    full_after_a_pop: Some(1), [(0, 1, Pushed(1)), (2, 3, Popped(1)), (4, 5, Full(2))]
        => Violation::Full(_),
    full_without_a_bound: None, [(0, 1, Full(1))] => Violation::Full(_),
    one_too_many: Some(1), [(0, 1, Pushed(1)), (2, 3, Pushed(2)), (4, 5, Popped(1))]
        => Violation::Capacity(2),
    pushed_after_close: None, [(0, 1, Closed(true)), (2, 3, Pushed(1))]
        => Violation::PushAfterClose(_),
    full_after_close: Some(1), [(0, 1, Pushed(1)), (2, 3, Closed(true)), (4, 5, Full(2))]
        => Violation::PushAfterClose(_),
    empty_after_close: None, [(0, 1, Closed(true)), (2, 3, Empty)]
        => Violation::EmptyAfterClose(_),
    refused_before_close: None, [(0, 1, PushClosed(1)), (2, 3, Closed(true))]
        => Violation::ClosedEarly(_),
    drained_without_close: None, [(0, 1, Drained)] => Violation::ClosedEarly(_),
    drained_with_an_item: None,
        [(0, 1, Pushed(1)), (2, 3, Closed(true)), (4, 5, Drained), (6, 7, Popped(1))]
        => Violation::DrainedEarly(_),
    item_after_drained: None,
        [(0, 9, Pushed(1)), (2, 3, Closed(true)), (4, 5, Drained), (6, 7, Popped(1))]
        => Violation::DrainedEarly(_),
    lost: None, [(0, 1, Pushed(1)), (2, 3, Closed(true)), (4, 5, Drained)] => Violation::Lost(1),
    lost_beyond_the_killed: None,
        [(0, 1, Pushed(1)), (0, 1, Pushed(2)), (2, NEVER, PopCut), (5, 6, Closed(true)), (7, 8, Drained)]
        => Violation::Lost(2),
    two_closed_it: None, [(0, 1, Closed(true)), (2, 3, Closed(true))] => Violation::Closers(2),
    nobody_closed_it: None, [(0, 1, Closed(false))] => Violation::Closers(0),
}

/// Histories that are as near to a pattern as a good one may be.
#[test]
fn good_ones_pass() {
    type Forged<'a> = (Option<usize>, &'a [(u64, u64, OpKind)]);
    let good: &[Forged] = &[
        (None, &[]),
        // Pushes that overlap may be popped in either order.
        (
            None,
            &[
                (0, 3, Pushed(1)),
                (2, 5, Pushed(2)),
                (6, 7, Popped(2)),
                (8, 9, Popped(1)),
            ],
        ),
        // And so may pops that overlap.
        (
            None,
            &[
                (0, 1, Pushed(1)),
                (2, 3, Pushed(2)),
                (4, 7, Popped(2)),
                (5, 8, Popped(1)),
            ],
        ),
        // Empty at the one moment between the pop of one and the push of the other.
        (
            None,
            &[
                (0, 1, Pushed(1)),
                (3, 6, Empty),
                (5, 6, Popped(1)),
                (5, 8, Pushed(2)),
            ],
        ),
        // A pop may begin before its push, and end after it began.
        (None, &[(0, 3, Popped(1)), (2, 4, Pushed(1))]),
        // Full for a moment; a timeout sees the queue as it was at some moment.
        (
            Some(1),
            &[(0, 1, Pushed(1)), (0, 9, Full(2)), (3, 4, Popped(1))],
        ),
        (
            Some(1),
            &[(0, 1, Pushed(1)), (2, 5, Popped(1)), (4, 7, Pushed(2))],
        ),
        // Cut off: in, or never in.
        (
            None,
            &[(0, 1, PushCut(1)), (2, 3, Pushed(2)), (4, 5, Popped(2))],
        ),
        (
            None,
            &[
                (0, 1, PushCut(1)),
                (2, 3, Pushed(2)),
                (4, 5, Popped(1)),
                (6, 7, Popped(2)),
            ],
        ),
        // A killed popper takes one with it, and the next overtakes nobody.
        (
            None,
            &[
                (0, 1, Pushed(1)),
                (2, 3, Pushed(2)),
                (4, NEVER, PopCut),
                (6, 7, Popped(2)),
                (8, 9, Closed(true)),
                (10, 11, Drained),
            ],
        ),
        // A slot is kept for a push that waits, and hears of the close before it uses it.
        (
            Some(2),
            &[
                (0, 1, Pushed(1)),
                (2, 9, PushClosed(2)),
                (4, 5, Full(3)),
                (6, 9, Closed(true)),
            ],
        ),
        // Closed at the same time as everything else.
        (
            Some(1),
            &[
                (0, 9, Closed(true)),
                (0, 9, Closed(false)),
                (1, 2, Pushed(1)),
                (3, 4, PushClosed(2)),
                (5, 6, Popped(1)),
                (7, 8, Drained),
            ],
        ),
    ];
    for (capacity, operations) in good {
        let found = history(*capacity, operations).violations();
        assert!(found.is_empty(), "{operations:?}: {found:?}");
    }
}

/// The specification, run: whether the queue answers like this, and what it is then.
fn answers(
    state: &(VecDeque<u64>, bool),
    capacity: Option<usize>,
    kind: OpKind,
) -> Option<(VecDeque<u64>, bool)> {
    let (mut inside, closed) = state.clone();
    let full = capacity == Some(inside.len());
    let fits = match kind {
        Pushed(item) => {
            inside.push_back(item);
            !closed && !full
        }
        Full(_) => full && !closed,
        PushClosed(_) => closed,
        Popped(item) => inside.pop_front() == Some(item),
        Empty => inside.is_empty() && !closed,
        Drained => inside.is_empty() && closed,
        Closed(first) => return (first != closed).then_some((inside, true)),
        PushCut(_) | PopCut => unreachable!("not forged here"),
    };
    fits.then_some((inside, closed))
}

/// Whether some order of the operations that keeps real time is one the specification
/// answers: tried one after another, which only a few operations allow.
fn linearizable(
    left: &[Operation],
    state: &(VecDeque<u64>, bool),
    capacity: Option<usize>,
) -> bool {
    let first_end = left.iter().map(|operation| operation.end).min();
    left.is_empty()
        || left.iter().enumerate().any(|(i, operation)| {
            let may_be_first = Some(operation.start) <= first_end;
            may_be_first
                && answers(state, capacity, operation.kind).is_some_and(|state| {
                    let mut rest = left.to_vec();
                    rest.swap_remove(i);
                    linearizable(&rest, &state, capacity)
                })
        })
}

/// A small random history: a good run with its times blurred, and then, mostly, one
/// answer or one time changed.
fn random(rng: &mut Rng, capacity: Option<usize>, close: bool) -> Vec<(u64, u64, OpKind)> {
    let mut state = (VecDeque::new(), false);
    let mut operations: Vec<(u64, u64, OpKind)> = Vec::new();
    for step in 0..5 + rng.u64(..3) {
        let kind = match rng.u8(..if close { 9 } else { 8 }) {
            0..4 => [Pushed(step), Full(step), PushClosed(step)],
            4..8 => [Popped(*state.0.front().unwrap_or(&99)), Empty, Drained],
            _ => [Closed(true), Closed(false), Closed(false)],
        };
        let next = kind
            .iter()
            .find_map(|&kind| Some((kind, answers(&state, capacity, kind)?)));
        let (kind, next) = next.expect("one of the answers fits");
        state = next;
        let moment = 10 * step + 10;
        operations.push((
            moment - rng.u64(..16).min(moment),
            moment + rng.u64(..16),
            kind,
        ));
    }
    if rng.u8(..4) > 0 {
        let (i, j) = (rng.usize(..operations.len()), rng.usize(..operations.len()));
        match rng.u8(..3) {
            0 => {
                let (a, b) = (operations[i].2, operations[j].2);
                (operations[i].2, operations[j].2) = (b, a);
            }
            1 => operations[i].2 = [Empty, Drained, Full(50), PushClosed(51)][rng.usize(..4)],
            _ => operations[i].1 = operations[i].0,
        }
    }
    operations
}

/// Without capacity and close the checker and the search agree on every history; with
/// them, what the checker refuses the search refuses as well.
#[test]
fn agrees_with_a_plain_search() {
    let mut rng = Rng::with_seed(7);
    let (mut bad, mut missed, mut all) = (0, 0, 0);
    for round in 0..30_000 {
        let (capacity, close) = match round % 3 {
            0 => (None, false),
            1 => (Some(1 + rng.usize(..2)), false),
            _ => (Some(2), true),
        };
        let operations = random(&mut rng, capacity, close);
        // A change may have closed what is never closed: then the search is the judge.
        let touched = operations
            .iter()
            .any(|o| matches!(o.2, Full(_) | PushClosed(_) | Drained));
        let history = history(capacity, &operations);
        let good = linearizable(history.operations(), &(VecDeque::new(), false), capacity);
        let found = history.violations();
        all += 1;
        bad += usize::from(!good);
        if good {
            assert!(
                found.is_empty(),
                "refused a good one: {operations:?}: {found:?}"
            );
        } else if capacity.is_none() && !touched {
            assert!(!found.is_empty(), "passed a bad one: {operations:?}");
        } else if found.is_empty() {
            missed += 1;
        }
    }
    println!("{all} histories, {bad} bad, {missed} of the bad ones with capacity or close passed");
    assert!(
        bad > all / 10,
        "too few bad histories to say anything: {bad} of {all}"
    );
    assert!(missed * 5 < bad, "{missed} of {bad} bad histories passed");
}

/// Time grows with the length and hardly more.
#[test]
fn a_long_history() {
    let mut long = History::new(Some(100));
    for n in 0..30_000 {
        long.add(10 * n, 10 * n + 12, Pushed(n));
        long.add(10 * n + 9, 10 * n + 25, Popped(n));
        long.add(10 * n + 3, 10 * n + 9, Empty);
    }
    assert_eq!(long.check(), Ok(()));
}
