//! What stands between a queue and those who wait for it: [`Line`], the order they came
//! in, and how they are woken.
//!
//! [`Event`](crate::event::Event) is built on it, and is what most kinds need. A kind whose
//! waiters stand in a line of its own, under its own lock, builds on this directly.

mod line;
mod wake;

pub use line::{Key, Line};
pub use wake::{park, thread_waker, wake_all};
