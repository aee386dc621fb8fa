//! What goes through the queues, and how it is checked on the other side.

use serde::{Deserialize, Serialize};

/// A numbered item.
pub trait Item: Copy + Default + Send + Sync + Unpin + 'static {
    /// The item of this number.
    fn new(number: u64) -> Self;
    /// Its number, or one that spoils the sum if the item came out damaged.
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

/// 256 bytes that begin and end with the number.
#[derive(Clone, Copy, Default)]
pub struct Block([u64; 32]);

impl Item for Block {
    fn new(number: u64) -> Self {
        let mut words = [number; 32];
        words[1] = !number;
        Self(words)
    }

    fn number(&self) -> u64 {
        if self.0[0] == self.0[31] && self.0[0] == !self.0[1] {
            self.0[0]
        } else {
            u64::MAX / 3
        }
    }
}

/// The numbers that the `which`-th of `producers` sends, of `items` in all.
pub fn share(items: u64, producers: usize, which: usize) -> std::ops::Range<u64> {
    let (producers, which) = (producers as u64, which as u64);
    items * which / producers..items * (which + 1) / producers
}

/// What one consumer saw.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Tally {
    count: u64,
    sum: u64,
    last: Option<u64>,
    ordered: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0,
            last: None,
            ordered: true,
        }
    }
}

impl Tally {
    /// Notes one item.
    #[inline]
    pub fn note(&mut self, number: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(number);
        self.ordered &= self.last < Some(number);
        self.last = Some(number);
    }

    /// How many it noted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the consumers together saw each of `items` once; and, if one producer
    /// sent them, in order.
    pub fn check(tallies: &[Self], items: u64, producers: usize) -> Result<(), String> {
        let count: u64 = tallies.iter().map(|tally| tally.count).sum();
        let sum = tallies.iter().fold(0u64, |sum, t| sum.wrapping_add(t.sum));
        let expected = (0..items).fold(0u64, u64::wrapping_add);
        if count < items {
            Err(format!("lost {} of {items} items", items - count))
        } else if count > items {
            Err(format!("{} items too many of {items}", count - items))
        } else if sum != expected {
            Err(format!("damaged or doubled items among {items}"))
        } else if producers == 1 && !tallies.iter().all(|tally| tally.ordered) {
            Err("items of one producer out of order".to_owned())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(numbers: &[u64]) -> Tally {
        let mut tally = Tally::default();
        numbers.iter().for_each(|n| tally.note(*n));
        tally
    }

    #[test]
    fn shares_cover_all_numbers_once() {
        let all: Vec<u64> = (0..4).flat_map(|which| share(10, 4, which)).collect();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn each_fault_is_named() {
        let check = |tallies: &[Tally], producers| Tally::check(tallies, 4, producers);
        assert_eq!(check(&[tally(&[0, 2]), tally(&[1, 3])], 1), Ok(()));
        assert_eq!(check(&[tally(&[1, 0, 2, 3])], 2), Ok(()));
        assert!(
            check(&[tally(&[1, 0, 2, 3])], 1)
                .unwrap_err()
                .contains("order")
        );
        assert!(
            check(&[tally(&[0, 1, 2])], 1)
                .unwrap_err()
                .contains("lost 1")
        );
        assert!(
            check(&[tally(&[0, 1, 2, 3, 3])], 1)
                .unwrap_err()
                .contains("too many")
        );
        assert!(
            check(&[tally(&[0, 1, 1, 3])], 1)
                .unwrap_err()
                .contains("doubled")
        );
    }

    #[test]
    fn a_torn_block_spoils_the_sum() {
        let mut block = Block::new(7);
        assert_eq!(block.number(), 7);
        block.0[31] = 8;
        assert_ne!(block.number(), 7);
    }
}
