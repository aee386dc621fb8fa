//! What other libraries' suites check, asked of our kinds: the same scenarios, told anew
//! in our verbs. What the contract asks already is not repeated.
//!
//! Where a channel that somebody may come from behaves otherwise, a test here shows what
//! ours do instead:
//!
//! | elsewhere | here |
//! |---|---|
//! | kanal: closing drops what is inside | `close` leaves it to be popped; `close_now` returns it |
//! | tokio, kanal, std: the last receiver's end drops what is inside | it stays until the last handle goes, or one takes it |
//! | tokio: a permit taken before the close may still send | its push is `Closed`, with the item |
//! | tokio: the blocking verbs panic inside a runtime | they block that worker, as any blocking code would |
//! | kanal, crossbeam, std: a capacity of zero is a rendezvous; Python: no bound | it panics |
//! | Python: `shutdown(immediate=True)` throws the items away | `close_now` returns them |

#![cfg(not(loom))]

mod budget;
mod crossfire;
mod handles;
mod items;
mod kanal;
mod kinds;
mod multiprocessing;
mod polled;
mod python;
mod random;
mod std_mpsc;
mod tokio_mpsc;
mod wakers;
