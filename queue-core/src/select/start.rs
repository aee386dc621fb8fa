//! [`first`]: which queue is tried first, so that a busy one does not hide the others.

/// The first of `count` to try: the one of index 0 if `biased`, or else any of them, by chance.
pub(super) fn first(count: usize, biased: bool) -> usize {
    if biased || count < 2 {
        0
    } else {
        by_chance(count)
    }
}

/// Chance, and not a turn: of two selects that alternate in a loop each would always have the same
/// turn.
#[cfg(not(loom))]
fn by_chance(count: usize) -> usize {
    use std::cell::Cell;
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    // splitmix64, by Steele, Lea and Flood: good enough, and two multiplications.
    let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    // The upper half of a product of 32 by 32 bits is below `count`.
    let count = u64::try_from(count)
        .unwrap_or(u64::MAX)
        .min(u64::from(u32::MAX));
    (((mixed >> 32) * count) >> 32) as usize
}

/// A model has no chance in it: it explores every order by the interleaving alone.
#[cfg(loom)]
fn by_chance(_: usize) -> usize {
    0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::first;

    #[test]
    fn every_queue_is_first_as_often() {
        for count in 2..5 {
            let mut times = vec![0; count];
            (0..1000 * count).for_each(|_| times[first(count, false)] += 1);
            assert!(times.iter().all(|n| (800..1200).contains(n)), "{times:?}");
        }
    }

    #[test]
    fn two_selects_that_alternate_do_not_share_the_turns() {
        let mut times = [[0; 2]; 2];
        for round in 0..2000 {
            times[round % 2][first(2, false)] += 1;
        }
        assert!(times.as_flattened().iter().all(|n| *n > 400), "{times:?}");
    }

    #[test]
    fn a_biased_select_begins_with_the_first() {
        assert!((0..100).all(|count| first(count, true) == 0));
        assert_eq!((first(0, false), first(1, false)), (0, 0));
    }
}
