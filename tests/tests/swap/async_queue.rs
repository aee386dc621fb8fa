pub(crate) type Kind<T> = queue_async::AsyncQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;
