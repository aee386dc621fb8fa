//! `queue`: the family of queues from a shell.
//!
//! Items are lines: each queue that it opens is one of `String`, in the default codec. So any program
//! takes part that does `queue_any::open::<String>(url)`.
//!
//! One file for each command; [`open`] finds the queue, [`end`] says how a command ends.

#![forbid(unsafe_code)]

mod close;
mod end;
mod gc;
mod input;
mod job;
mod list;
mod open;
mod pop;
mod push;
mod report;
mod serve;
mod signals;
mod stat;
mod work;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Queues between processes, from a shell.
///
/// A URL such as pipe://jobs or shm://jobs?capacity=100 names a queue. All programs of one user can
/// open it, as long as one of them keeps it alive: `queue serve`, or the first `queue work`. Items are
/// lines of text.
#[derive(Debug, Parser)]
#[command(name = "queue", version, about, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
URLs:
  pipe://NAME, shm://NAME   a queue between processes, in the kernel or in shared memory (Linux)
  nats://HOST:4222/NAME     a queue on a NATS server, for all machines, until `queue rm` (feature nats)
  inherit:NAME              what the parent process shared under that name
  ?capacity=64              it takes 64 items, and a push waits while it is full (default: no bound)
  ?mode=open                it must be there; create: it must not; open_or_create: either will do

Exit status:
  0  all is done
  1  something failed, or a job was given up
  2  the command line makes no sense
  3  the time was over, or the queue was closed, before all items had come or gone";

#[derive(Debug, Subcommand)]
enum Command {
    Push(push::Push),
    Pop(pop::Pop),
    Work(work::Work),
    Stat(stat::Stat),
    #[command(visible_alias = "list")]
    Ls(list::List),
    Serve(serve::Serve),
    Close(close::Close),
    Rm(close::Remove),
    Gc(gc::Collect),
    #[cfg(target_os = "linux")]
    #[command(hide = true, name = job::GUARD)]
    Guard(job::Guard),
}

fn main() -> ExitCode {
    // Exits with 2 if the arguments make no sense.
    let ended = match Arguments::parse().command {
        Command::Push(push) => push.run(),
        Command::Pop(pop) => pop.run(),
        Command::Work(work) => work.run(),
        Command::Stat(stat) => stat.run(),
        Command::Ls(list) => list.run(),
        Command::Serve(serve) => serve.run(),
        Command::Close(close) => close.run(),
        Command::Rm(remove) => remove.run(),
        Command::Gc(collect) => collect.run(),
        #[cfg(target_os = "linux")]
        Command::Guard(guard) => return guard.run(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => end.tell(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
