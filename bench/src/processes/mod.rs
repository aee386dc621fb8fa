//! Queues between processes.

mod copies;
mod drive;
mod family;
mod kernel;
mod link;
#[cfg(feature = "process-peers")]
mod peers;
mod python;
mod work;

use crate::cell::{Cell, Load};
use crate::subject::{Role, Subject};
use link::Link;

pub use work::work;

/// Where the files of one sample lie; the harness removes it afterwards.
pub const DIRECTORY: &str = "FAMILY_BENCH_DIRECTORY";

/// Ours first, then the peers.
pub fn subjects() -> Vec<Subject> {
    entries().into_iter().map(|entry| entry.subject).collect()
}

/// A subject, and what a worker process of it does.
struct Entry {
    subject: Subject,
    work: fn(&work::Task) -> link::Result<()>,
}

fn entries() -> Vec<Entry> {
    let mut all = family::entries();
    all.extend(kernel::entries());
    #[cfg(feature = "process-peers")]
    all.extend(peers::entries());
    all.extend(python::entries());
    all.extend(copies::entries());
    all
}

/// A link as a subject of the harness.
fn entry<L: Link>(role: Role) -> Entry {
    Entry {
        subject: Subject {
            name: L::NAME,
            role,
            supports: |cell: &Cell| {
                matches!(cell.load, Load::Stream | Load::Batch | Load::PingPong)
                    && L::supports(&cell.shape, cell.size)
            },
            run: drive::run::<L>,
        },
        work: work::perform::<L>,
    }
}
