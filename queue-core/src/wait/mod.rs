//! The waiting verbs, built once from the verbs that never wait.

mod blocking;
mod future;

pub(crate) use blocking::{pop_many_until, pop_until, push_many, push_until, until_popped};
pub(crate) use future::{
    poll_pop, pop_async, pop_many_async, push_async, push_many_async, until_popped_async,
};
