//! Whether an item comes back from its bytes as it went in: looked at in debug builds, whenever
//! an item has a part that none of its type had before in this thread.
//!
//! serde counts the variants of an enum by other rules as it writes and as it reads, if
//! attributes skip some of them; and `tag` and `untagged` want to be told what comes next, which
//! a format without names cannot. Neither can be seen from the writing alone.

use super::checked::{Checked, take_reason};
use queue_core::{Failure, FailureKind};
use serde::Serialize;

/// The error of a format.
pub(super) type Unwritten = Box<dyn std::error::Error + Send + Sync>;

/// A step from a value to a part of it.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) enum Step {
    Some,
    /// Of whatever has parts without a name.
    Element,
    Key,
    Field(&'static str),
    /// Of an enum of this name, the variant with this number and name.
    Variant(&'static str, u32, &'static str),
}

/// Where in an item a part of it is; in release builds, nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path(#[cfg(debug_assertions)] u64);

/// What a codec does, for this page to call: in release builds, only `write`.
#[cfg_attr(not(debug_assertions), allow(dead_code))]
pub(super) trait Format<T> {
    /// Its name.
    const NAME: &'static str;

    /// The bytes of `item`, behind what is in `into`.
    fn write(item: Checked<&T>, into: &mut Vec<u8>) -> Result<(), Unwritten>;

    /// The item whose bytes these are.
    fn read(bytes: &[u8]) -> Result<T, Failure>;

    /// Whether reading failed because it was asked what comes next.
    fn wants_description(failure: &Failure) -> bool;
}

/// Appends the bytes of `item` to `into`.
///
/// # Errors
/// `Codec` if it does not serialize, or (some of it in debug builds alone) would not come back
/// as what it is.
#[inline(always)]
pub(super) fn encode<T: Serialize, F: Format<T>>(
    item: &T,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    #[cfg(debug_assertions)]
    return traced::encode::<T, F>(item, into);
    #[cfg(not(debug_assertions))]
    return F::write(Checked::new(item, Path()), into).map_err(does_not_serialize);
}

#[cold]
fn does_not_serialize(error: Unwritten) -> Failure {
    match take_reason() {
        None => Failure::caused(FailureKind::Codec, "the item does not serialize", error),
        Some(why) => {
            let message = format!("the item does not serialize: {why}");
            Failure::caused(FailureKind::Codec, message, error)
        }
    }
}

#[cfg(not(debug_assertions))]
impl Path {
    #[inline(always)]
    pub(super) fn step(self, _: Step) -> Self {
        self
    }
}

#[cfg(debug_assertions)]
mod traced {
    use super::{Format, Path, Step, does_not_serialize};
    use crate::codec::checked::Checked;
    use crate::foreign::guarded;
    use queue_core::{Failure, FailureKind};
    use serde::Serialize;
    use std::cell::RefCell;
    use std::collections::HashSet;
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::mem;

    /// More parts than this are not remembered: lists and trees have ever new ones.
    const MOST: usize = 1 << 16;

    /// What was noted of the item that is being serialized.
    #[derive(Default)]
    struct Trace {
        /// Its parts that are new.
        new: Vec<u64>,
        /// All variants in it.
        variants: Vec<(&'static str, u32, &'static str)>,
    }

    #[derive(Default)]
    struct State {
        now: Trace,
        /// Parts of items that came back.
        known: HashSet<u64>,
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

    impl Path {
        /// The way to an item of type `T` itself.
        fn root<T>(format: &str) -> Self {
            let root = Self(0);
            root.hashed((std::any::type_name::<T>(), format))
        }

        fn hashed(self, step: impl Hash) -> Self {
            let mut hasher = DefaultHasher::new();
            (self.0, step).hash(&mut hasher);
            let path = hasher.finish();
            with(|state| {
                if !state.known.contains(&path) && state.known.len() < MOST {
                    state.now.new.push(path);
                }
            });
            Self(path)
        }

        pub(in super::super) fn step(self, step: Step) -> Self {
            if let Step::Variant(name, index, variant) = step {
                with(|state| state.now.variants.push((name, index, variant)));
            }
            self.hashed(step)
        }
    }

    /// What goes on meanwhile with the item in whose code this one is serialized.
    struct Outer(Trace);

    impl Outer {
        fn begin() -> Self {
            Self(with(|state| mem::take(&mut state.now)))
        }

        fn trace(&self) -> Trace {
            with(|state| mem::take(&mut state.now))
        }
    }

    impl Drop for Outer {
        fn drop(&mut self) {
            with(|state| state.now = mem::take(&mut self.0));
        }
    }

    pub(super) fn encode<T: Serialize, F: Format<T>>(
        item: &T,
        into: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let outer = Outer::begin();
        let start = into.len();
        let root = Path::root::<T>(F::NAME);
        F::write(Checked::new(item, root), into).map_err(does_not_serialize)?;
        let mut trace = outer.trace();
        if trace.new.is_empty() {
            return Ok(());
        }
        let back = guarded(|| {
            let back = match F::read(&into[start..]) {
                Ok(back) => back,
                Err(failure) if F::wants_description(&failure) => return Err(untold::<T>(F::NAME)),
                // It may be this very item that its own code refuses: not for us to say.
                Err(_) => return Ok(None),
            };
            let again = F::write(Checked::new(&back, root), &mut Vec::new());
            Ok(again.is_ok().then(|| outer.trace().variants))
        });
        // Its own code panicked: that is for whoever pops it.
        let Some(Some(mut variants)) = back.transpose()? else {
            return Ok(());
        };
        // A map or a set may come back in another order.
        trace.variants.sort_unstable();
        variants.sort_unstable();
        if trace.variants != variants {
            return Err(another::<T>(F::NAME, &trace.variants, &variants));
        }
        with(|state| state.known.extend(trace.new));
        Ok(())
    }

    #[cold]
    fn untold<T>(format: &str) -> Failure {
        let message = format!(
            "an item of type `{}` does not come back from {format}, which does not say what comes \
             next: types with `#[serde(tag)]` or `#[serde(untagged)]`, and such as a JSON value, \
             want to know; remove the attribute, or serialize that part to text or bytes first",
            std::any::type_name::<T>()
        );
        Failure::new(FailureKind::Codec, message)
    }

    #[cold]
    fn another<T>(format: &str, went: &[(&str, u32, &str)], came: &[(&str, u32, &str)]) -> Failure {
        let first = |of: &[(&str, u32, &str)], but: &[(&str, u32, &str)]| {
            let differs = of.iter().find(|variant| !but.contains(variant));
            differs.map_or_else(
                || "nothing".into(),
                |(name, _, variant)| format!("`{name}::{variant}`"),
            )
        };
        let message = format!(
            "an item of type `{}` comes back from {format} as another: {} as {}; `#[serde(skip)]` and \
             its like on a variant shift those behind it: move it to the end of the enum",
            std::any::type_name::<T>(),
            first(went, came),
            first(came, went),
        );
        Failure::new(FailureKind::Codec, message)
    }
}
