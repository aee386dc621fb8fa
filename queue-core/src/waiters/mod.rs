//! The parts of waiting: [`WaitList`], the waiters in the order they came, and the functions that
//! put a thread to sleep and wake waiters.
//!
//! [`Event`](crate::event::Event) is built on these, and is what most kinds need. A kind that keeps
//! its wait list under a lock of its own uses them directly.

mod park;
mod wait_list;

pub use park::{ignore_panic, park, thread_waker, wake, wake_all};
pub use wait_list::{WaitList, WaiterId};
