//! What the kernel offers: pipes, message queues.

use super::link::{Half, Link, Result, Rx, Tx, Way, number, words};
use super::{Entry, entry};
use crate::cell::Shape;
use crate::subject::Role::Peer;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::Command;

pub fn entries() -> Vec<Entry> {
    vec![entry::<RawPipe>(Peer), entry::<MessageQueue>(Peer)]
}

/// -1 as the error that it stands for.
fn checked(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 {
        Err(words(io::Error::last_os_error()))
    } else {
        Ok(result)
    }
}

/// A pipe of records of one size. Up to 4,096 bytes the kernel keeps each in one piece,
/// whoever reads and writes besides; a larger one needs the pipe for itself.
pub struct RawPipe;

/// Both ends, which every worker inherits.
pub struct Ends(OwnedFd, OwnedFd);

/// One end in a worker, for records of so many bytes.
pub struct End(OwnedFd, usize);

impl Link for RawPipe {
    const NAME: &'static str = "raw pipe";
    type Host = Ends;
    type Tx = End;
    type Rx = End;

    fn supports(shape: &Shape, size: usize) -> bool {
        size <= libc::PIPE_BUF || (shape.producers, shape.consumers) == (1, 1)
    }

    fn host(way: &Way) -> Result<Ends> {
        let mut ends = [0; 2];
        // Not close-on-exec: the workers are to have them.
        // SAFETY: `ends` has room for the two descriptors, which nobody else owns yet.
        let ends = unsafe {
            checked(libc::pipe(ends.as_mut_ptr()))?;
            Ends(OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
        };
        let bytes = (way.size * way.capacity()).clamp(4096, 1 << 20);
        // SAFETY: a plain system call. A refusal leaves the pipe at its usual size.
        unsafe { libc::fcntl(ends.1.as_raw_fd(), libc::F_SETPIPE_SZ, bytes as libc::c_int) };
        Ok(ends)
    }

    fn hand(host: &mut Ends, way: &Way, half: Half, worker: &mut Command) -> Result<()> {
        let end = if half == Half::Tx { &host.1 } else { &host.0 };
        worker.env(&way.name, end.as_raw_fd().to_string());
        Ok(())
    }

    fn tx(way: &Way) -> Result<End> {
        Ok(End(inherited(way)?, way.size))
    }

    fn rx(way: &Way) -> Result<End> {
        Ok(End(inherited(way)?, way.size))
    }
}

/// The descriptor that the coordinator left for this worker.
fn inherited(way: &Way) -> Result<OwnedFd> {
    let number: RawFd = way.left()?.parse().map_err(words)?;
    // SAFETY: inherited open for this, and nothing else in this process knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

impl End {
    fn write(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            // SAFETY: the pointer and length are those of `bytes`.
            let written =
                unsafe { libc::write(self.0.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
            match written {
                ..0 => return Err(words(io::Error::last_os_error())),
                written => bytes = &bytes[written as usize..],
            }
        }
        Ok(())
    }

    /// Reads at least one record, and as many more whole ones as come with it.
    fn read(&self, bytes: &mut [u8]) -> Result<usize> {
        let mut filled = 0usize;
        while filled == 0 || !filled.is_multiple_of(self.1) {
            let rest = &mut bytes[filled..];
            // SAFETY: the pointer and length are those of `rest`.
            let read =
                unsafe { libc::read(self.0.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len()) };
            match read {
                ..0 => return Err(words(io::Error::last_os_error())),
                0 => return Err("the pipe ended".to_owned()),
                read => filled += read as usize,
            }
        }
        Ok(filled)
    }
}

impl Tx for End {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        self.write(item)
    }

    fn send_many(&mut self, numbers: &[u64]) -> Result<()> {
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        self.write(&bytes)
    }
}

impl Rx for End {
    const GULP: usize = 32;

    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        item.resize(self.1, 0);
        self.read(item).map(drop)
    }

    fn recv_many(&mut self, into: &mut Vec<u64>, max: usize) -> Result<()> {
        let mut bytes = [0; 8 * Self::GULP];
        let filled = self.read(&mut bytes[..8 * max.min(Self::GULP)])?;
        into.extend(bytes[..filled].chunks(8).map(number));
        Ok(())
    }
}

/// A POSIX message queue: by default ten messages deep, of up to 8,192 bytes.
pub struct MessageQueue;

/// The queue in a worker, for messages of so many bytes.
pub struct Messages(OwnedFd, usize);

impl Link for MessageQueue {
    const NAME: &'static str = "POSIX mq (10 deep)";
    type Host = OwnedFd;
    type Tx = Messages;
    type Rx = Messages;

    fn supports(_: &Shape, size: usize) -> bool {
        size <= 8192
    }

    fn host(way: &Way) -> Result<OwnedFd> {
        let name = CString::new(format!("/{}", way.name)).map_err(words)?;
        // SAFETY: `attributes` is plain data, `name` ends with a zero; the descriptor is
        // new and ours. The name goes at once: the workers inherit the descriptor.
        unsafe {
            let mut attributes: libc::mq_attr = std::mem::zeroed();
            attributes.mq_maxmsg = way.capacity().min(10) as _;
            attributes.mq_msgsize = way.size as _;
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
            let queue = checked(libc::mq_open(name.as_ptr(), flags, 0o600, &mut attributes))?;
            checked(libc::mq_unlink(name.as_ptr()))?;
            checked(libc::fcntl(queue, libc::F_SETFD, 0))?;
            Ok(OwnedFd::from_raw_fd(queue))
        }
    }

    fn hand(host: &mut OwnedFd, way: &Way, _: Half, worker: &mut Command) -> Result<()> {
        worker.env(&way.name, host.as_raw_fd().to_string());
        Ok(())
    }

    fn tx(way: &Way) -> Result<Messages> {
        Ok(Messages(inherited(way)?, way.size))
    }

    fn rx(way: &Way) -> Result<Messages> {
        Ok(Messages(inherited(way)?, way.size))
    }
}

impl Tx for Messages {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        // SAFETY: the pointer and length are those of `item`.
        checked(unsafe { libc::mq_send(self.0.as_raw_fd(), item.as_ptr().cast(), item.len(), 0) })
            .map(drop)
    }
}

impl Rx for Messages {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        item.resize(self.1, 0);
        let (queue, to) = (self.0.as_raw_fd(), item.as_mut_ptr().cast());
        // SAFETY: the pointer and length are those of `item`; no priority is asked for.
        let read = unsafe { libc::mq_receive(queue, to, item.len(), std::ptr::null_mut()) };
        if read < 0 {
            Err(words(io::Error::last_os_error()))
        } else {
            Ok(())
        }
    }
}
