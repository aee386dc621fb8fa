//! [`Kind`]: a queue between processes, and [`Item`]: what goes through it.

use super::worker::{Half, Role};
use fastrand::Rng;
use queue_core::{Consumer, Producer, Queue, WithCapacity};
use queue_process::{Handover, IpcQueue, PipeQueue, ShmQueue};
use serde::{Deserialize, Serialize};

/// A number that is unique in its run, and bytes that follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) number: u64,
    bytes: Vec<u8>,
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

    /// A few bytes, so that few instructions go into making them.
    pub(crate) fn small(number: u64) -> Self {
        let bytes = (0..8).map(|n| Self::byte(number, n)).collect();
        Self { number, bytes }
    }

    fn byte(number: u64, n: u64) -> u8 {
        (number.wrapping_mul(31).wrapping_add(n) >> 3) as u8
    }

    /// Whether it came out as it went in.
    pub(crate) fn is_whole(&self) -> bool {
        let mut bytes = (0..).zip(&self.bytes);
        bytes.all(|(n, &byte)| byte == Self::byte(self.number, n))
    }
}

/// A kind of queue that is tried.
pub(crate) trait Kind: Queue<Item = Item> + WithCapacity + Clone + 'static {
    const NAME: &'static str;

    /// Whether an item that a killed consumer was about to get may come out later than
    /// items that went in after it: in that kind it comes back.
    const GIVES_BACK: bool = false;

    /// Whether a child that is killed before it has taken its half is missed only much
    /// later.
    const MISSES_THE_UNBORN: bool = false;

    /// This process's half, from its parent.
    fn half(role: Role) -> Half<Self>;

    /// Shares a half with a worker.
    fn share_half(half: &Half<Self>, command: &mut std::process::Command);

    /// The whole queue, from this process's parent.
    fn whole() -> Self;

    /// Shares the whole queue with a worker.
    fn share(&self, command: &mut std::process::Command);
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
kind!(IpcQueue, "ipc", GIVES_BACK, MISSES_THE_UNBORN);
