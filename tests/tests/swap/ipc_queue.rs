pub(crate) use queue_process as home;
pub(crate) type Kind<T> = home::IpcQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;

#[path = "readme.rs"]
mod readme;
pub(crate) use readme::example;
