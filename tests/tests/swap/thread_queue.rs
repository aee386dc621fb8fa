pub(crate) type Kind<T> = queue_thread::ThreadQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;
