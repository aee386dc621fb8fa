//! [`Item`]: what the suite sends through a queue. [`DropProbe`]: an item whose drops are counted.

use std::sync::{Arc, Mutex};

/// A number in a form that a queue can carry: all that the suite needs of its items.
///
/// Implement it for a type of your own to run the suite with items that are special to
/// your kind.
///
/// ```
/// use queue_core::contract::Item;
/// /// An item larger than a page.
/// struct Large(u64, [u8; 5000]);
///
/// impl Item for Large {
///     fn new(number: u64) -> Self {
///         Self(number, [number as u8; 5000])
///     }
///     fn number(&self) -> u64 {
///         assert!(self.1.iter().all(|&byte| byte == self.0 as u8), "torn");
///         self.0
///     }
/// }
/// ```
pub trait Item: Send + 'static {
    /// The item that stands for `number`.
    fn new(number: u64) -> Self;

    /// The number it stands for.
    fn number(&self) -> u64;
}

impl Item for u64 {
    fn new(number: u64) -> Self {
        number
    }
    fn number(&self) -> u64 {
        *self
    }
}

impl Item for (u32, u32) {
    fn new(number: u64) -> Self {
        ((number >> 32) as u32, number as u32)
    }
    fn number(&self) -> u64 {
        (u64::from(self.0) << 32) | u64::from(self.1)
    }
}

impl Item for String {
    fn new(number: u64) -> Self {
        number.to_string()
    }
    fn number(&self) -> u64 {
        self.parse().expect("a number as it was pushed")
    }
}

impl Item for Box<u64> {
    fn new(number: u64) -> Self {
        Self::new(number)
    }
    fn number(&self) -> u64 {
        **self
    }
}

/// Eight bytes of number, and a tail of 0 to 499 bytes that follows from it. So torn and mixed items
/// are noticed.
impl Item for Vec<u8> {
    fn new(number: u64) -> Self {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.resize(8 + (number % 500) as usize, number as u8);
        bytes
    }
    fn number(&self) -> u64 {
        let head = self.first_chunk().expect("eight bytes at least");
        let number = u64::from_le_bytes(*head);
        assert!(
            *self == <Self as Item>::new(number),
            "item {number} is torn"
        );
        number
    }
}

/// An item whose drops are counted, and that can panic when it is dropped. It is for kinds that
/// carry any type.
///
/// A clone counts as the same item. So a queue that clones its items is seen to drop one twice.
#[derive(Clone, Debug)]
pub struct DropProbe {
    number: u64,
    counter: Option<Arc<DropCounter>>,
    panics_on_drop: bool,
}

impl Item for DropProbe {
    fn new(number: u64) -> Self {
        Self {
            number,
            counter: None,
            panics_on_drop: false,
        }
    }
    fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for DropProbe {
    fn drop(&mut self) {
        if let Some(counter) = &self.counter {
            let mut drops = counter.drops.lock().unwrap_or_else(|e| e.into_inner());
            drops[self.number as usize] += 1;
        }
        if self.panics_on_drop && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("an item panicked in its drop"));
        }
    }
}

/// How often each [`DropProbe`] was dropped.
#[derive(Debug, Default)]
pub(super) struct DropCounter {
    drops: Mutex<Vec<u32>>,
}

impl DropCounter {
    /// The next probe: 0, 1, 2, ...
    pub(super) fn probe(self: &Arc<Self>) -> DropProbe {
        let mut drops = self.drops.lock().unwrap_or_else(|e| e.into_inner());
        drops.push(0);
        DropProbe {
            number: drops.len() as u64 - 1,
            counter: Some(self.clone()),
            panics_on_drop: false,
        }
    }

    /// The next probe, one that panics when it is dropped.
    pub(super) fn panicking_probe(self: &Arc<Self>) -> DropProbe {
        let mut probe = self.probe();
        probe.panics_on_drop = true;
        probe
    }

    /// How many were dropped so far.
    pub(super) fn dropped(&self) -> usize {
        let drops = self.drops.lock().unwrap_or_else(|e| e.into_inner());
        drops.iter().filter(|&&times| times > 0).count()
    }

    /// Fails unless every probe was dropped exactly once.
    pub(super) fn check(&self, when: &str) {
        let drops = self.drops.lock().unwrap_or_else(|e| e.into_inner());
        for (number, &times) in drops.iter().enumerate() {
            assert_eq!(times, 1, "item {number} was dropped {times} times {when}");
        }
    }
}
