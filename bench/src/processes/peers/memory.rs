//! Peers in shared memory: ipmpsc, promisqs, shaq, cloudtoid-interprocess.

use super::super::link::{Link, Result, Rx, Tx, Way, until, words};
use crate::cell::Shape;
use serde::{Serialize, Serializer};
use std::fs::File;
use std::ptr::NonNull;

/// ipmpsc: many producers, one consumer, a mutex of glibc's in a mapped file.
pub struct Ipmpsc;

/// Bytes that serde hands over in one piece.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

fn path(way: &Way) -> String {
    way.file().to_string_lossy().into_owned()
}

impl Link for Ipmpsc {
    const NAME: &'static str = "ipmpsc";
    type Host = ipmpsc::SharedRingBuffer;
    type Tx = ipmpsc::Sender;
    type Rx = ipmpsc::Receiver;

    fn supports(shape: &Shape, _: usize) -> bool {
        shape.consumers == 1
    }

    fn host(way: &Way) -> Result<Self::Host> {
        let bytes = way.capacity() * (way.size + 16) + 64;
        ipmpsc::SharedRingBuffer::create(&path(way), bytes as u32).map_err(words)
    }

    fn tx(way: &Way) -> Result<Self::Tx> {
        let ring = ipmpsc::SharedRingBuffer::open(&path(way)).map_err(words)?;
        Ok(ipmpsc::Sender::new(ring))
    }

    fn rx(way: &Way) -> Result<Self::Rx> {
        let ring = ipmpsc::SharedRingBuffer::open(&path(way)).map_err(words)?;
        Ok(ipmpsc::Receiver::new(ring))
    }
}

impl Tx for ipmpsc::Sender {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        ipmpsc::Sender::send(self, &Bytes(item)).map_err(words)
    }
}

impl Rx for ipmpsc::Receiver {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        let mut context = self.zero_copy_context();
        let bytes: &[u8] = context.recv().map_err(words)?;
        item.clear();
        item.extend_from_slice(bytes);
        Ok(())
    }
}

/// promisqs: a ring under a spinlock. It never waits; `until` does.
pub struct Promisqs<const SIZE: usize>;

type PromisqsQueue<const SIZE: usize> = promisqs::ShmemQueue<'static, [u8; SIZE]>;

impl<const SIZE: usize> Link for Promisqs<SIZE> {
    const NAME: &'static str = "promisqs (spins)";
    type Host = PromisqsQueue<SIZE>;
    type Tx = PromisqsQueue<SIZE>;
    type Rx = PromisqsQueue<SIZE>;

    fn supports(_: &Shape, size: usize) -> bool {
        size == SIZE
    }

    fn host(way: &Way) -> Result<Self::Host> {
        PromisqsQueue::create(way.file(), way.capacity()).map_err(|error| format!("{error:?}"))
    }

    fn tx(way: &Way) -> Result<Self::Tx> {
        PromisqsQueue::open(way.file()).map_err(|error| format!("{error:?}"))
    }

    fn rx(way: &Way) -> Result<Self::Rx> {
        Self::tx(way)
    }
}

impl<const SIZE: usize> Tx for PromisqsQueue<SIZE> {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        let item: &[u8; SIZE] = item.try_into().map_err(words)?;
        until(|| Ok(self.push(item).ok()))
    }
}

impl<const SIZE: usize> Rx for PromisqsQueue<SIZE> {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        let bytes = until(|| Ok(self.pop()))?;
        item.clear();
        item.extend_from_slice(&bytes);
        Ok(())
    }
}

/// shaq with one producer and one consumer. It never waits by itself. From 4 on it needs
/// a newer compiler than ours, so it is version 3.
pub struct ShaqOne<const SIZE: usize>;

/// shaq with many.
pub struct ShaqMany<const SIZE: usize>;

fn open(way: &Way) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(way.file()).map_err(words)
}

/// The size of a whole number of pages that holds `bytes`.
fn pages(bytes: usize) -> usize {
    bytes.next_multiple_of(4096)
}

macro_rules! shaq {
    ($kind:ident, $module:ident, $name:literal, $many:literal) => {
        impl<const SIZE: usize> Link for $kind<SIZE> {
            const NAME: &'static str = $name;
            type Host = File;
            type Tx = shaq::$module::Producer<[u8; SIZE]>;
            type Rx = shaq::$module::Consumer<[u8; SIZE]>;

            fn supports(shape: &Shape, size: usize) -> bool {
                let many = (shape.producers, shape.consumers) != (1, 1);
                size == SIZE && many == $many
            }

            fn host(way: &Way) -> Result<File> {
                let file = open(way)?;
                let size = shaq::$module::minimum_file_size::<[u8; SIZE]>(way.capacity());
                // SAFETY: the coordinator alone initialises the file, before any worker
                // starts, and keeps no half: the one made here goes at once.
                let made =
                    unsafe { shaq::$module::Producer::<[u8; SIZE]>::create(&file, pages(size)) };
                made.map(|_| file).map_err(|error| format!("{error:?}"))
            }

            fn tx(way: &Way) -> Result<Self::Tx> {
                // SAFETY: plain bytes of one size on both sides; no more halves of a
                // kind than the shape allows.
                unsafe { Self::Tx::join(&open(way)?) }.map_err(|error| format!("{error:?}"))
            }

            fn rx(way: &Way) -> Result<Self::Rx> {
                // SAFETY: as above.
                unsafe { Self::Rx::join(&open(way)?) }.map_err(|error| format!("{error:?}"))
            }
        }
    };
}

shaq!(ShaqOne, spsc, "shaq 3 (spins)", false);
shaq!(ShaqMany, mpmc, "shaq 3 (spins)", true);

/// Copies a whole item to its place in the queue.
fn fill<const SIZE: usize>(place: NonNull<[u8; SIZE]>, item: &[u8]) {
    assert_eq!(item.len(), SIZE);
    // SAFETY: both are SIZE bytes long; the place is reserved for this, and not the item's.
    unsafe { std::ptr::copy_nonoverlapping(item.as_ptr(), place.as_ptr().cast(), SIZE) };
}

impl<const SIZE: usize> Tx for shaq::spsc::Producer<[u8; SIZE]> {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        until(|| {
            // SAFETY: a reserved place is filled before it is committed.
            let place = unsafe { self.reserve() };
            place.map_or_else(|| self.sync(), |place| fill(place, item));
            Ok(place.map(drop))
        })?;
        self.commit();
        Ok(())
    }
}

impl<const SIZE: usize> Tx for shaq::mpmc::Producer<[u8; SIZE]> {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        until(|| {
            // SAFETY: the place is filled before the guard is dropped, which commits it.
            let guard = unsafe { self.reserve_write() };
            Ok(guard.map(|mut guard| {
                fill(NonNull::new(guard.as_mut_ptr()).expect("a place"), item);
            }))
        })
    }
}

impl<const SIZE: usize> Rx for shaq::spsc::Consumer<[u8; SIZE]> {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        until(|| {
            let there = self.try_read().map(|bytes| {
                item.clear();
                item.extend_from_slice(bytes);
            });
            if there.is_none() {
                self.sync();
            }
            Ok(there)
        })?;
        self.finalize();
        Ok(())
    }
}

impl<const SIZE: usize> Rx for shaq::mpmc::Consumer<[u8; SIZE]> {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        until(|| {
            Ok(self.reserve_read().map(|guard| {
                item.clear();
                // SAFETY: the guard keeps the place, which holds a whole item of bytes.
                item.extend_from_slice(unsafe { &*guard.as_ptr() });
            }))
        })
    }
}

/// cloudtoid-interprocess: a ring of records. Publishers never wait by themselves.
pub struct Cloudtoid;

impl Cloudtoid {
    fn options(way: &Way) -> cloudtoid_interprocess::Options {
        let bytes = way.capacity() * (way.size + 32).next_multiple_of(8);
        let options = cloudtoid_interprocess::Options::new(way.name.clone(), bytes);
        options.with_path(&way.directory)
    }
}

impl Link for Cloudtoid {
    const NAME: &'static str = "cloudtoid-interprocess";
    type Host = cloudtoid_interprocess::Publisher;
    type Tx = cloudtoid_interprocess::Publisher;
    type Rx = cloudtoid_interprocess::Subscriber;

    fn supports(_: &Shape, _: usize) -> bool {
        true
    }

    fn host(way: &Way) -> Result<Self::Host> {
        Self::tx(way)
    }

    fn tx(way: &Way) -> Result<Self::Tx> {
        cloudtoid_interprocess::Publisher::open(&Self::options(way)).map_err(words)
    }

    fn rx(way: &Way) -> Result<Self::Rx> {
        cloudtoid_interprocess::Subscriber::open(&Self::options(way)).map_err(words)
    }
}

impl Tx for cloudtoid_interprocess::Publisher {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        until(|| match self.try_send(item) {
            Ok(()) => Ok(Some(())),
            Err(error) if error.is_full() => Ok(None),
            Err(error) => Err(words(error)),
        })
    }

    fn send_many(&mut self, numbers: &[u64]) -> Result<()> {
        let items: Vec<[u8; 8]> = numbers.iter().map(|number| number.to_le_bytes()).collect();
        let items: Vec<&[u8]> = items.iter().map(|item| item.as_slice()).collect();
        let mut sent = 0;
        until(|| match self.try_send_batch(&items[sent..]) {
            Ok(count) => {
                sent += count;
                Ok((sent == items.len()).then_some(()))
            }
            Err(error) if error.is_full() => Ok(None),
            Err(error) => Err(words(error)),
        })
    }
}

impl Rx for cloudtoid_interprocess::Subscriber {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        *item = cloudtoid_interprocess::Subscriber::recv(self).map_err(words)?;
        Ok(())
    }
}
