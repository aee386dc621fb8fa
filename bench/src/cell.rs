//! A cell of the tables: one place, one load, one shape.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Between whom the items go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// Threads of one process.
    Threads,
    /// Tasks of a tokio runtime with two workers.
    Tasks,
    /// Tasks of tokio's current-thread runtime.
    Local,
    /// Processes.
    Processes,
}

impl Place {
    /// As it stands in a cell's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Tasks => "tasks",
            Self::Local => "tasks-local",
            Self::Processes => "processes",
        }
    }

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Threads => "Between threads",
            Self::Tasks => "Between tasks, tokio with 2 workers",
            Self::Local => "Between tasks, tokio's current-thread runtime",
            Self::Processes => "Between processes",
        }
    }
}

/// What is done with the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Load {
    /// Items one by one, as fast as they go.
    Stream,
    /// The same in batches of 32 on both sides.
    Batch,
    /// One item there and one back, over two queues that hold one item.
    PingPong,
    /// Push and pop in one thread or task, nobody else there.
    Alone,
    /// Push, receive and ack in one thread, nobody else there.
    Work,
    /// Push to one of two in turn, and pop from whichever has an item, in one thread.
    Select,
    /// 64 waiters for one second on empty queues.
    Idle,
    /// Heap of an empty queue.
    Empty,
    /// Heap of each of 100,000 queued items.
    Queued,
    /// Heap that stays after a million items came and went.
    Burst,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Batch => "batch32",
            Self::PingPong => "ping-pong",
            Self::Alone => "alone",
            Self::Work => "work-alone",
            Self::Select => "select-alone",
            Self::Idle => "idle64",
            Self::Empty => "heap-empty",
            Self::Queued => "heap-per-item",
            Self::Burst => "heap-after-burst",
        }
    }

    /// The unit of the value, and whether more is better.
    pub fn unit(self) -> (&'static str, bool) {
        match self {
            Self::Stream | Self::Batch => ("M items/s", true),
            Self::PingPong | Self::Alone | Self::Work | Self::Select => ("ns", false),
            Self::Idle => ("CPU ms", false),
            Self::Empty | Self::Queued | Self::Burst => ("bytes", false),
        }
    }

    /// Below this a difference means nothing; it is added to both sides of a ratio.
    pub fn floor(self) -> f64 {
        match self {
            Self::Idle => 1.0,
            Self::Burst => 1024.0,
            _ => 0.0,
        }
    }

    /// Whether more items make the run longer, so that their number is calibrated.
    pub fn is_timed(self) -> bool {
        matches!(
            self,
            Self::Stream | Self::Batch | Self::PingPong | Self::Alone | Self::Work | Self::Select
        )
    }
}

/// How many there are on each side, and how much the queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shape {
    /// How many push.
    pub producers: usize,
    /// How many pop.
    pub consumers: usize,
    /// How many items it holds, `None` without a bound.
    pub capacity: Option<usize>,
}

impl Shape {
    /// A shape of so many producers and consumers over so much capacity.
    pub const fn new(producers: usize, consumers: usize, capacity: Option<usize>) -> Self {
        Self {
            producers,
            consumers,
            capacity,
        }
    }

    /// The capacity as it stands in a cell's name.
    pub fn capacity_name(&self) -> String {
        self.capacity
            .map_or("unbounded".to_owned(), |capacity| capacity.to_string())
    }
}

/// One row of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Between whom.
    pub place: Place,
    /// What is done.
    pub load: Load,
    /// How many, how much.
    pub shape: Shape,
    /// Bytes of an item.
    pub size: usize,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape {
            producers,
            consumers,
            ..
        } = self.shape;
        write!(
            f,
            "{}/{}/{producers}x{consumers}/{}/{}B",
            self.place.name(),
            self.load.name(),
            self.shape.capacity_name(),
            self.size
        )
    }
}

impl Cell {
    /// Whether items go from core to core: then it matters how far apart these are.
    pub fn crosses_cores(&self) -> bool {
        self.place != Place::Local
            && matches!(self.load, Load::Stream | Load::Batch | Load::PingPong)
    }

    /// Whether one of `filters` fits: all `+`-separated parts of it stand in the name
    /// between slashes. No filter fits every cell.
    pub fn fits(&self, filters: &[String]) -> bool {
        let name = self.to_string();
        let has = |part: &str| name.split('/').any(|piece| piece == part) || name == part;
        filters.is_empty() || filters.iter().any(|filter| filter.split('+').all(has))
    }
}

/// How many producers and consumers there are, unless something else is asked for.
pub const SIDES: [(usize, usize); 4] = [(1, 1), (4, 1), (1, 4), (4, 4)];
const CAPACITIES: [Option<usize>; 4] = [Some(1), Some(64), Some(1024), None];
/// How many tasks wait on one queue in the cells of the crowd.
const CROWD: usize = 10_000;

/// Every cell of a place, for so many on each of the `sides`; `quick` leaves out what takes long.
pub fn cells(place: Place, quick: bool, sides: &[(usize, usize)]) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut add = |load, shape, size| {
        cells.push(Cell {
            place,
            load,
            shape,
            size,
        });
    };
    let one = |capacity| Shape::new(1, 1, capacity);
    if place == Place::Processes {
        let sizes: &[usize] = if quick {
            &[8]
        } else {
            &[8, 256, 4096, 1 << 20]
        };
        for &size in sizes {
            for &(producers, consumers) in sides {
                let capacity = if size > 4096 { 64 } else { 1024 };
                add(
                    Load::Stream,
                    Shape::new(producers, consumers, Some(capacity)),
                    size,
                );
            }
        }
        if !quick {
            add(Load::Batch, one(Some(1024)), 8);
            add(Load::Batch, Shape::new(4, 4, Some(1024)), 8);
        }
        add(Load::PingPong, one(Some(1)), 8);
        add(Load::Alone, one(Some(1024)), 8);
        add(Load::Work, one(Some(1024)), 8);
        return cells;
    }
    let sizes: &[usize] = if quick { &[8] } else { &[8, 256] };
    for &size in sizes {
        for &(producers, consumers) in sides {
            for capacity in CAPACITIES {
                add(
                    Load::Stream,
                    Shape::new(producers, consumers, capacity),
                    size,
                );
            }
        }
    }
    add(Load::Batch, one(Some(1024)), 8);
    add(Load::Batch, Shape::new(4, 4, Some(1024)), 8);
    add(Load::PingPong, one(Some(1)), 8);
    add(Load::Alone, one(Some(1024)), 8);
    if place == Place::Threads {
        add(Load::Work, one(Some(1024)), 8);
        add(Load::Select, one(Some(1024)), 8);
    }
    if quick {
        return cells;
    }
    add(Load::Alone, one(None), 8);
    if place == Place::Threads {
        add(Load::Work, one(None), 8);
    }
    if place != Place::Threads {
        add(Load::Stream, Shape::new(1, CROWD, Some(64)), 8);
        add(Load::Stream, Shape::new(CROWD, 1, Some(64)), 8);
    }
    add(Load::Idle, Shape::new(1, 64, Some(1024)), 8);
    if place != Place::Local {
        add(Load::Empty, one(Some(64)), 8);
        add(Load::Empty, one(None), 8);
        add(Load::Queued, one(None), 8);
        add(Load::Burst, one(None), 8);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_filters_fit_whole_parts() {
        let all: Vec<Cell> = [Place::Threads, Place::Tasks, Place::Local, Place::Processes]
            .into_iter()
            .flat_map(|place| cells(place, false, &SIDES))
            .collect();
        let names: std::collections::HashSet<String> = all.iter().map(Cell::to_string).collect();
        assert_eq!(names.len(), all.len());
        let cell = Cell {
            place: Place::Threads,
            load: Load::Stream,
            shape: Shape::new(4, 1, Some(64)),
            size: 8,
        };
        assert_eq!(cell.to_string(), "threads/stream/4x1/64/8B");
        let fits = |filter: &str| cell.fits(&[filter.to_owned()]);
        assert!(cell.fits(&[]) && fits("4x1") && fits("64+8B"));
        assert!(!fits("1") && !fits("4x1+256B"));
    }
}
