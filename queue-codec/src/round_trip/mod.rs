//! Whether an item comes back from its bytes as it went in. Debug builds check that, whenever
//! an item has a part that none of its type had before in this thread.
//!
//! serde counts the variants of an enum by other rules as it writes and as it reads, if
//! attributes skip some of them; an attribute may skip a field one way only; and `tag` and
//! `untagged` want to be told what comes next, which a format without names cannot. None of it
//! can be seen from the writing alone.

mod reading;
pub(super) mod trace;

use crate::convert::{Checked, Format, UNTOLD, Unread, decode, does_not_serialize, take_reason};
use queue_core::{Failure, FailureKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use reading::Traced;
use trace::{Event, Outer, Path, Record, records, remember};

/// A larger item is not read back: without optimization that takes seconds.
const LARGEST_READ_BACK: usize = 1 << 20;

type Variant = (&'static str, u32, &'static str);

pub(super) fn encode<T: Serialize + DeserializeOwned, F: Format>(
    format: &str,
    item: &T,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    let outer = Outer::begin();
    let start = into.len();
    let root = Path::root::<T>(format);
    F::write(Checked::new(item, root), into).map_err(does_not_serialize)?;
    let written = outer.trace();
    let bytes = &into[start..];
    let is_large = bytes.len() > LARGEST_READ_BACK;
    if written.new.is_empty() || written.once || is_large || root.panicked() {
        return Ok(());
    }
    let read = AssertUnwindSafe(|| read_back::<T, F>(&outer, root, bytes));
    let Ok(back) = catch_unwind(read) else {
        // Its own code panicked: that is for whoever pops it. It shall not be told again.
        root.set_panicked();
        return Ok(());
    };
    let why = match back {
        Back::Same => None,
        Back::Unwritten => return Ok(()),
        Back::Other { read, again } => {
            let (went, came) = (variants(&written.events), variants(&again));
            differs(went, came).or_else(|| fields(&written.events, &read))
        }
        Back::Unread { read, failure } => {
            let why = (unknown(&written.events, &read))
                .or_else(|| misnamed(&written.events, &read))
                .or_else(|| fields(&written.events, &read));
            let error = failure.source().and_then(|source| source.downcast_ref());
            match (why, error.map_or(Unread::Bytes, F::unread)) {
                (_, Unread::Description) => Some(UNTOLD.into()),
                (Some(why), _) => Some(why),
                // It may be this very item that its own code refuses: not for us to say.
                (None, Unread::Item) => return Ok(()),
                (None, Unread::Bytes) => Some(format!(
                    "it is read otherwise than it was written, as `#[serde(skip_serializing)]` \
                     without the other makes it ({failure:#})"
                )),
            }
        }
    };
    match why {
        Some(why) => {
            let name = std::any::type_name::<T>();
            let message =
                format!("an item of type `{name}` does not come back from {format}: {why}");
            Err(Failure::new(FailureKind::Codec, message))
        }
        None => {
            remember(written.new);
            Ok(())
        }
    }
}

/// What came of it.
enum Back {
    /// It has the same bytes.
    Same,
    /// It has not: a map or a set may come back in another order.
    Other {
        read: Vec<Event>,
        again: Vec<Event>,
    },
    /// What came back has no bytes.
    Unwritten,
    Unread {
        read: Vec<Event>,
        failure: Failure,
    },
}

fn read_back<T: Serialize + DeserializeOwned, F: Format>(
    outer: &Outer,
    root: Path,
    bytes: &[u8],
) -> Back {
    let back = decode::<_, F>(bytes);
    let read = outer.trace().events;
    let Traced(back): Traced<T> = match back {
        Ok(back) => back,
        Err(failure) => return Back::Unread { read, failure },
    };
    let mut again = Vec::new();
    if F::write(Checked::new(&back, root), &mut again).is_err() {
        take_reason();
        return Back::Unwritten;
    }
    match again == bytes {
        true => Back::Same,
        false => Back::Other {
            read,
            again: outer.trace().events,
        },
    }
}

/// All variants in an item that was written.
fn variants(written: &[Event]) -> Vec<Variant> {
    let mut all: Vec<_> = (written.iter())
        .filter_map(|event| match event {
            Event::Open(head) => head
                .variant
                .map(|(index, variant)| (head.name, index, variant)),
            _ => None,
        })
        .collect();
    all.sort_unstable();
    all
}

#[cold]
fn shifted(went: &str, came: &str) -> String {
    format!(
        "{went} as {came}; `#[serde(skip)]` and its like on a variant shift those behind it: \
         move it to the end of the enum"
    )
}

/// What came back has other variants.
fn differs(went: Vec<Variant>, came: Vec<Variant>) -> Option<String> {
    let first = |of: &[Variant], but: &[Variant]| {
        let differs = of.iter().find(|variant| !but.contains(variant));
        differs.map_or_else(
            || "nothing".into(),
            |(name, _, variant)| format!("`{name}::{variant}`"),
        )
    };
    (went != came).then(|| shifted(&first(&went, &came), &first(&came, &went)))
}

/// The number of a variant was looked up, and is none.
fn unknown(written: &[Event], read: &[Event]) -> Option<String> {
    let Some(&Event::Unknown(name, index)) = read.last() else {
        return None;
    };
    let went = (variants(written).into_iter()).find(|went| (went.0, went.1) == (name, index));
    let variant = went.map_or("?", |went| went.2);
    let came = format!("variant {index}, which decoding does not know");
    Some(shifted(&format!("`{name}::{variant}`"), &came))
}

/// What was written beside what was read of it, as long as they are of the same kind.
fn pairs<'a>(
    written: &'a [Record],
    read: &'a [Record],
) -> impl Iterator<Item = (&'a Record, &'a Record)> {
    let index = |record: &Record| record.head.variant.map(|(index, _)| index);
    (written.iter().zip(read)).take_while(move |(went, came)| {
        (went.head.name, index(went)) == (came.head.name, index(came))
    })
}

/// Other fields are read than were written.
fn fields(written: &[Event], read: &[Event]) -> Option<String> {
    let (written, read) = (records(written), records(read));
    let (went, came) = pairs(&written, &read)
        .find(|(went, came)| came.parts > went.parts || came.closed && came.parts < went.parts)?;
    let variant =
        (went.head.variant).map_or_else(String::new, |(_, variant)| format!("::{variant}"));
    Some(format!(
        "of `{}{variant}`, {} fields are written and {} or more read; `#[serde(skip_serializing)]` \
         and `#[serde(skip_deserializing)]` must go together: say `#[serde(skip)]`",
        went.head.name, went.parts, came.parts,
    ))
}

/// A variant has another place among the names that decoding knows: aliases may move it
/// behind its number, but nothing moves it before that.
fn misnamed(written: &[Event], read: &[Event]) -> Option<String> {
    let (written, read) = (records(written), records(read));
    pairs(&written, &read).find_map(|(went, came)| {
        let (index, variant) = went.head.variant?;
        let place = came.head.names.iter().position(|name| *name == variant)?;
        let name = went.head.name;
        (place < index as usize).then(|| {
            let came = format!("variant {index}, where decoding has it as {place}");
            shifted(&format!("`{name}::{variant}`"), &came)
        })
    })
}
