//! Work that outlives its worker: an item is lent as a [`Delivery`] and comes back unless it is
//! settled.
//!
//! [`WorkQueue`] is what programs call; [`Lend`] is what the author of a kind gives for it, and
//! [`Returned`], [`Lease`] and [`Idle`] are what the kinds inside a process build it from.

mod deliveries;
mod delivery;
mod halves;
mod idle;
mod join;
mod lend;
mod returned;
mod work_queue;

pub use deliveries::Deliveries;
pub use delivery::Delivery;
pub use idle::{Idle, IdleListener};
pub use lend::{Lend, Loan, Settlement};
pub use returned::{Lease, Returned};
pub use work_queue::WorkQueue;
