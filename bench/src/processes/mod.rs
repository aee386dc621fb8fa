//! Queues between processes.

use crate::subject::Subject;
use std::process::ExitCode;

pub fn subjects() -> Vec<Subject> {
    Vec::new()
}

pub fn work(_: &str) -> ExitCode {
    ExitCode::FAILURE
}
