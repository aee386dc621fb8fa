//! [`Kind`]: a queue between processes, and [`Item`]: what goes through it.

use super::worker::{Half, Role};
use fastrand::Rng;
use queue_core::{Consumer, Producer, WithCapacity, WorkQueue};
use queue_process::{Handover, IpcQueue, PipeQueue, ShmQueue};
use serde::{Deserialize, Serialize};

/// From here on the bytes of an item are alike: they are made and looked at quickly.
const ALIKE: u64 = 10_000;

/// A number that is unique in its run, and bytes that follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) number: u64,
    #[serde(with = "as_bytes")]
    bytes: Vec<u8>,
}

/// Bytes in one piece: one by one they would take longer than the queue does.
mod as_bytes {
    use serde::{Deserializer, Serializer, de};
    use std::fmt;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        from.deserialize_bytes(Visitor)
    }
}

impl Item {
    /// Mostly small, now and then larger than a page.
    pub(crate) fn new(number: u64, random: &mut Rng) -> Self {
        let size = match random.u64(..8) {
            0..5 => 0,
            5..7 => random.u64(..300),
            _ => random.u64(..9_000),
        };
        let bytes = (0..size).map(|n| Self::byte(number, n)).collect();
        Self { number, bytes }
    }

    /// Now and then so large that it goes another way than small ones: in more than a page of a
    /// socket's buffer, and in memory of its own.
    pub(crate) fn of_any_size(number: u64, random: &mut Rng) -> Self {
        let mut item = Self::new(number, random);
        if random.u8(..24) == 0 {
            let size = [70_000, 500_000, 2_000_000][random.usize(..3)];
            item.bytes = (0..ALIKE).map(|n| Self::byte(number, n)).collect();
            item.bytes.resize(size, Self::byte(number, ALIKE));
        }
        item
    }

    /// A few bytes, so that few instructions go into making them.
    pub(crate) fn small(number: u64) -> Self {
        let bytes = (0..8).map(|n| Self::byte(number, n)).collect();
        Self { number, bytes }
    }

    fn byte(number: u64, n: u64) -> u8 {
        (number.wrapping_mul(31).wrapping_add(n.min(ALIKE)) >> 3) as u8
    }

    /// Whether it came out as it went in.
    pub(crate) fn is_whole(&self) -> bool {
        let (first, alike) = self.bytes.split_at(self.bytes.len().min(ALIKE as usize));
        let mut first = (0..).zip(first);
        first.all(|(n, &byte)| byte == Self::byte(self.number, n))
            && alike == vec![Self::byte(self.number, ALIKE); alike.len()]
    }
}

/// A kind of queue that is tried.
pub(crate) trait Kind: WorkQueue<Item = Item> + WithCapacity + Clone + 'static {
    const NAME: &'static str;

    /// Whether items may be large.
    const LARGE: bool = false;

    /// An item to push.
    fn item(number: u64, random: &mut Rng) -> Item {
        match Self::LARGE {
            true => Item::of_any_size(number, random),
            false => Item::new(number, random),
        }
    }

    /// This process's half, from its parent.
    fn half(role: Role) -> Half<Self>;

    /// Shares a half with a worker.
    fn share_half(half: &Half<Self>, command: &mut std::process::Command);

    /// The whole queue, from this process's parent.
    fn whole() -> Self;

    /// Shares the whole queue with a worker.
    fn share(&self, command: &mut std::process::Command);

    /// Waits until the queue knows of the deaths so far, where a thread of this process is told of them.
    fn know_of_deaths() {
        let tasks = || std::fs::read_dir("/proc/self/task").expect("threads");
        let serves = |task: std::io::Result<std::fs::DirEntry>| {
            let name = std::fs::read_to_string(task.expect("a thread").path().join("comm"));
            name.is_ok_and(|name| name.trim() == "queue-host")
        };
        while tasks().any(serves) {
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    }
}

macro_rules! kind {
    ($kind:ident, $name:literal $(, $flag:ident)*) => {
        impl Kind for $kind<Item> {
            const NAME: &'static str = $name;
            $(const $flag: bool = true;)*

            fn half(role: Role) -> Half<Self> {
                match role {
                    Role::Producer => Half::Producer(Producer::from_parent("Q").expect("a half")),
                    Role::Consumer => Half::Consumer(Consumer::from_parent("Q").expect("a half")),
                }
            }

            fn share_half(half: &Half<Self>, command: &mut std::process::Command) {
                let shared = match half {
                    Half::Producer(producer) => producer.share_with(command, "Q"),
                    Half::Consumer(consumer) => consumer.share_with(command, "Q"),
                };
                shared.expect("a half to share");
            }

            fn whole() -> Self {
                Self::from_parent("Q").expect("a queue")
            }

            fn share(&self, command: &mut std::process::Command) {
                self.share_with(command, "Q").expect("a queue to share");
            }

}
    };
}

kind!(ShmQueue, "shm");
kind!(PipeQueue, "pipe");
kind!(IpcQueue, "ipc", LARGE);
