//! The leases of a queue: what is lent to a worker, where whoever comes after its death finds it.
//!
//! A [`Slot`](slot::Slot) of a table in shared memory holds one item that is lent, or that came
//! back. Its *state* is one word: free; being *taken* out of the queue; *held* by a member; or
//! *returned*. That word is the truth, and changes by one store. All else (the list of free slots,
//! that of returned ones, how many there are of each) follows from the states, and is made anew
//! from them when somebody died who was changing it: see [`table`].
//!
//! # What is lent, and when
//!
//! Everything here happens under the head lock.
//!
//! 1. A free slot becomes *taken*, with the number that the item has at the head.
//! 2. The item's bytes are copied into it.
//! 3. The head moves, as for a pop.
//! 4. The slot becomes *held* by the receiver.
//!
//! Whoever dies in between leaves a *taken* slot and a head that moved, or did not: then the item is
//! in the slot, and comes back, or it is still in the queue, and the slot is free. (A pipe gives its
//! record into the slot itself, and then the record says whether it was given:
//! [`Storage::was_lent`](crate::linux::engine::Storage::was_lent).)
//!
//! # Who may settle
//!
//! The word of a *held* slot has the holder's name, which nobody else ever has, not even after its
//! death, and how often the item was delivered. Whoever settles a lease compares all of that first.
//! So a holder whose lease was given to another can no longer settle it.
//!
//! # Order
//!
//! An item gets a number when it is first lent, and keeps it. Returned slots are listed by it, so of
//! what came back the older comes first, and all of it before what was never lent. Who gives many back
//! in order does not search the list for each of them: hints say where the last one went.

pub(crate) mod bytes;
#[cfg(not(loom))]
pub(crate) mod mapped;
pub(crate) mod slot;
pub(crate) mod table;
#[cfg(all(test, not(loom)))]
mod tests;
