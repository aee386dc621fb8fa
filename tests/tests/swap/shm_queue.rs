pub(crate) use queue_process as home;
pub(crate) type Kind<T> = home::ShmQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;
