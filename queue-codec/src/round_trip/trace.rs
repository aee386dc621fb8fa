//! [`Path`]: what is noted of an item as it is written, and as it is read back.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;

/// More parts than this are not remembered: lists and trees have ever new ones.
const MAX_KNOWN_PARTS: usize = 1 << 16;

/// A step from a value to a part of it.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Step {
    Some,
    /// Of a sequence or a map.
    Element,
    Key,
    /// Of what has parts without names.
    Nth(usize),
    Field(&'static str),
    /// Of an enum of this name, the variant with this number and name.
    Variant(&'static str, u32, &'static str),
}

/// A struct, or an enum with the variant it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) name: &'static str,
    /// Its number, and as it was written its name.
    pub(crate) variant: Option<(u32, &'static str)>,
    /// As it is read, the names that the enum's decoding knows, aliases too.
    pub(crate) names: &'static [&'static str],
}

impl Head {
    pub(super) fn new(name: &'static str, variant: Option<(u32, &'static str)>) -> Self {
        let names = &[];
        Self {
            name,
            variant,
            names,
        }
    }
}

/// What happens with an item, in the order of its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Open(Head),
    /// The next part of what was opened last.
    Part,
    /// Something that has bytes.
    Leaf,
    Close,
    /// Decoding does not know the variant of this number of the enum of this name.
    Unknown(&'static str, u32),
}

/// What was noted of the item that is being written or read.
#[derive(Default)]
pub(crate) struct Trace {
    /// Its parts that are new.
    pub(crate) new: Vec<u64>,
    pub(crate) events: Vec<Event>,
    /// Whether its bytes can be read only once: that is for whoever pops it.
    pub(crate) once: bool,
}

#[derive(Default)]
struct State {
    now: Trace,
    /// Parts of items that came back.
    known: HashSet<u64>,
    /// Types whose code panicked as it read.
    panicked: HashSet<u64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<R: Default>(f: impl FnOnce(&mut State) -> R) -> R {
    // A thread that is about to end looks no more.
    STATE
        .try_with(|state| f(&mut state.borrow_mut()))
        .unwrap_or_default()
}

pub(crate) fn note(event: Event) {
    with(|state| {
        let events = &mut state.now.events;
        if !matches!((event, events.last()), (Event::Leaf, Some(Event::Leaf))) {
            events.push(event);
        }
    });
}

/// These parts are not looked at again.
pub(crate) fn remember(parts: Vec<u64>) {
    with(|state| state.known.extend(parts));
}

/// What goes on meanwhile with the item in whose code this one is written.
pub(crate) struct Outer(Trace);

impl Outer {
    pub(crate) fn begin() -> Self {
        Self(with(|state| mem::take(&mut state.now)))
    }

    /// What was noted since the last time.
    pub(crate) fn trace(&self) -> Trace {
        with(|state| mem::take(&mut state.now))
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        with(|state| state.now = mem::take(&mut self.0));
    }
}

/// Where in an item a part of it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    at: u64,
    /// That there are bytes here was noted with the length of the sequence.
    counted: bool,
    /// Of its parts that have no names, so many came by.
    count: usize,
    /// The way to its elements and to its keys, once there was one.
    element: u64,
    key: u64,
}

impl Path {
    const fn at(at: u64) -> Self {
        Self {
            at,
            counted: false,
            count: 0,
            element: 0,
            key: 0,
        }
    }

    const fn counted(at: u64) -> Self {
        Self {
            counted: true,
            ..Self::at(at)
        }
    }

    /// The way to an item of type `T` itself.
    pub(crate) fn root<T>(format: &str) -> Self {
        Self::at(0).hashed((std::any::type_name::<T>(), format))
    }

    fn hashed(self, step: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.at, step).hash(&mut hasher);
        let path = hasher.finish();
        with(|state| {
            if !state.known.contains(&path) && state.known.len() < MAX_KNOWN_PARTS {
                state.now.new.push(path);
            }
        });
        Self::at(path)
    }

    /// Whether the code of the type at this root panicked before.
    pub(crate) fn panicked(self) -> bool {
        with(|state| state.panicked.contains(&self.at))
    }

    pub(crate) fn set_panicked(self) {
        with(|state| state.panicked.insert(self.at));
    }

    /// A number, a text, or a length.
    pub(crate) fn leaf(self) -> Self {
        if !self.counted {
            note(Event::Leaf);
        }
        self
    }

    pub(crate) fn some(self) -> Self {
        self.leaf();
        self.hashed(Step::Some)
    }

    /// Something that can be read only once.
    pub(crate) fn once(self) {
        with(|state| state.now.once = true);
    }

    pub(crate) fn open(self, name: &'static str) -> Self {
        note(Event::Open(Head::new(name, None)));
        self
    }

    pub(crate) fn variant(self, name: &'static str, index: u32, variant: &'static str) -> Self {
        self.leaf();
        note(Event::Open(Head::new(name, Some((index, variant)))));
        self.hashed(Step::Variant(name, index, variant))
    }

    /// The only part of what was opened.
    pub(crate) fn part(self) -> Self {
        note(Event::Part);
        self
    }

    pub(crate) fn field(&mut self, key: &'static str) -> Self {
        self.part().hashed(Step::Field(key))
    }

    pub(crate) fn nth_field(&mut self) -> Self {
        self.part();
        self.nth()
    }

    pub(crate) fn nth(&mut self) -> Self {
        self.count += 1;
        self.hashed(Step::Nth(self.count))
    }

    pub(crate) fn key(&mut self) -> Self {
        if self.key == 0 {
            self.key = self.hashed(Step::Key).at;
        }
        Self::counted(self.key)
    }

    pub(crate) fn element(&mut self) -> Self {
        if self.element == 0 {
            self.element = self.hashed(Step::Element).at;
        }
        Self::counted(self.element)
    }

    pub(crate) fn close(self) {
        note(Event::Close);
    }
}

/// A struct or variant that went by.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) head: Head,
    /// How many of its parts have bytes.
    pub(crate) parts: usize,
    /// Whether it was gone through to its end.
    pub(crate) closed: bool,
}

/// The structs and variants in what happened, in order.
pub(crate) fn records(events: &[Event]) -> Vec<Record> {
    /// One that is not closed yet.
    struct Open {
        record: usize,
        bytes_in_part: bool,
        bytes: bool,
    }
    let mut records: Vec<Record> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let end_part = |records: &mut [Record], open: &mut Open| {
        records[open.record].parts += usize::from(mem::take(&mut open.bytes_in_part));
    };
    let leaf = |open: &mut [Open]| {
        if let Some(open) = open.last_mut() {
            (open.bytes_in_part, open.bytes) = (true, true);
        }
    };
    let close = |records: &mut [Record], open: &mut Vec<Open>, closed| {
        let Some(mut last) = open.pop() else { return };
        end_part(records, &mut last);
        records[last.record].closed = closed;
        if last.bytes {
            leaf(open);
        }
    };
    for event in events {
        match *event {
            Event::Open(head) => {
                open.push(Open {
                    record: records.len(),
                    bytes_in_part: false,
                    bytes: false,
                });
                records.push(Record {
                    head,
                    parts: 0,
                    closed: false,
                });
            }
            Event::Part => {
                if let Some(open) = open.last_mut() {
                    end_part(&mut records, open);
                }
            }
            Event::Leaf => leaf(&mut open),
            Event::Close => close(&mut records, &mut open, true),
            Event::Unknown(..) => {}
        }
    }
    while !open.is_empty() {
        close(&mut records, &mut open, false);
    }
    records
}
