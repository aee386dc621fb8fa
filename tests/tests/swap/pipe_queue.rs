pub(crate) type Kind<T> = queue_process::PipeQueue<T>;

#[path = "program.rs"]
mod program;
pub(crate) use program::program;
