pub(crate) type Kind<T> = queue_process::IpcQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;
