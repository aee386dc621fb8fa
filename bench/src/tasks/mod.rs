//! Queues between tasks.

mod channel;
mod crossfire;
mod drive;
mod family;
mod peers;

use crate::cell::Cell;
use crate::subject::{Role, Subject};
use channel::Channel;

/// Ours first, then the peers.
pub fn subjects() -> Vec<Subject> {
    let mut all = family::subjects();
    all.extend(peers::subjects());
    all.extend(crate::threads::yardsticks());
    all
}

/// A channel as a subject of the harness.
fn subject<C: Channel>(role: Role) -> Subject {
    Subject {
        name: C::NAME,
        role,
        supports: |cell: &Cell| C::supports(&cell.shape) || drive::spreads::<C>(cell),
        run: drive::run::<C>,
    }
}
