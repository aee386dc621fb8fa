//! Lending, broken in its ways.

use super::*;
use queue_core::work::{Idle, IdleListener, Lease, Lend, Returned, Settlement};

/// What a queue knows of items that are lent.
pub(super) struct Lending<T> {
    pub(super) returned: Returned<T>,
    pub(super) lent: usize,
    number: u64,
}

impl<T> Lending<T> {
    pub(super) fn new() -> Self {
        Self {
            returned: Returned::new(),
            lent: 0,
            number: 0,
        }
    }
}

impl<T: Sample, F: Broken> Simple<T, F> {
    /// Slots that are taken by what is lent and what came back.
    pub(super) fn held(state: &State<T>) -> usize {
        let lent = match F::FAULT {
            Fault::LentFreesSlot => 0,
            _ => state.lending.lent,
        };
        lent + state.lending.returned.len()
    }

    /// Whether nothing comes any more once nothing is left.
    pub(super) fn has_ended(state: &State<T>) -> bool {
        state.closed && (state.lending.lent == 0 || F::FAULT == Fault::ClosedInFlight)
    }

    /// Tells those who join, if there is nothing left to be done.
    pub(super) fn idle_if_done(&self) {
        if F::FAULT != Fault::JoinersNotTold && self.shared.idle.has_waiting() && self.is_idle() {
            self.shared.idle.notify();
        }
    }
}

impl<T: Sample, F: Broken> Lend for Simple<T, F> {
    /// With a copy of the item, for `AckedComesBack`.
    type Lease = (Lease, Option<T>);
    type IdleListener<'a>
        = IdleListener<'a>
    where
        Self: 'a;

    fn try_lend(&self) -> Result<(T, Self::Lease), TryPopError> {
        let mut state = self.state();
        let lent = state.lending.returned.lend();
        let (item, lease) = match lent {
            Some(lent) => lent,
            None => {
                let Some(item) = state.inside.pop_front() else {
                    return Err(match Self::has_ended(&state) {
                        true => TryPopError::Closed,
                        false => TryPopError::Empty,
                    });
                };
                state.lending.number += 1;
                (item, Lease::first(state.lending.number))
            }
        };
        state.lending.lent += 1;
        let copy = (F::FAULT == Fault::AckedComesBack).then(|| item.clone());
        Ok((item, (lease, copy)))
    }

    fn attempt((lease, _): &Self::Lease) -> u32 {
        match F::FAULT {
            Fault::CountsNoAttempt => 1,
            _ => lease.attempt(),
        }
    }

    fn settle(&self, lease: Self::Lease, how: Settlement<T>) -> Result<(), Failure> {
        let (lease, copy) = lease;
        let mut state = self.state();
        state.lending.lent -= 1;
        let back = matches!(how, Settlement::Back { .. });
        match (how, copy) {
            (Settlement::Back { .. }, _) if F::FAULT == Fault::BackIsLost => {}
            (Settlement::Back { item, .. }, _) if F::FAULT == Fault::BackGoesLast => {
                state.inside.push_back(item);
            }
            (Settlement::Back { item, counted }, _) => {
                let counted = counted || F::FAULT == Fault::ReleaseCounts;
                state.lending.returned.insert(lease, item, counted);
            }
            (Settlement::Done, Some(copy)) => state.lending.returned.insert(lease, copy, false),
            (Settlement::Done, None) => {}
        }
        let last = state.closed && state.lending.lent == 0;
        drop(state);
        match F::FAULT {
            Fault::BackTellsNobody if back => {}
            Fault::AckTellsNobody if !back => {}
            _ if back => self.shared.items.notify(),
            _ => self.shared.slots.notify(),
        }
        if last && F::FAULT != Fault::LastTellsNobody {
            self.shared.items.notify_all();
        }
        self.idle_if_done();
        Ok(())
    }

    fn leases(&self) -> usize {
        self.state().lending.lent
    }

    fn is_idle(&self) -> bool {
        let state = self.state();
        let lent = match F::FAULT {
            Fault::JoinForgetsLent => 0,
            _ => state.lending.lent,
        };
        state.inside.is_empty() && state.lending.returned.is_empty() && lent == 0
    }

    fn listen_idle(&self) -> IdleListener<'_> {
        self.shared.idle.listen()
    }
}
