//! Queues between threads.

mod channel;
mod crossfire;
mod drive;
mod family;
mod locks;
mod peers;
mod ring;
mod select;
mod yardstick;

use crate::cell::Cell;
use crate::subject::{Role, Subject};
use channel::Channel;

/// Ours first, then the peers.
pub fn subjects() -> Vec<Subject> {
    let mut all = family::subjects();
    all.extend(family::lenders());
    all.extend(peers::subjects());
    all.extend(select::subjects());
    all.extend(yardsticks());
    all
}

/// The yardsticks of queues between threads, and between tasks.
pub fn yardsticks() -> Vec<Subject> {
    let mut all = yardstick::crossing();
    all.push(yardstick::alone());
    all
}

/// A channel as a subject of the harness.
fn subject<C: Channel>(role: Role) -> Subject {
    Subject {
        name: C::NAME,
        role,
        supports: |cell: &Cell| C::supports(&cell.shape) && drive::supports::<C>(cell),
        run: drive::run::<C>,
    }
}
