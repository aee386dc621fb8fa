//! [`encode`] and [`decode`]: an item into the bytes of a format that has no names, [`Checked`] on its
//! way, and back.
//!
//! What serde's attributes leave out or move around would be read back as something else. A
//! field that is skipped says so as it is serialized, and is refused in every build. What cannot
//! be seen there, a [`round_trip`](super::round_trip) finds in debug builds.

#[cfg(debug_assertions)]
use super::round_trip::{self, trace::Path};
use queue_core::{Failure, FailureKind};
use serde::de::DeserializeOwned;
use serde::ser::{self, Error as _, Serialize, Serializer};
use std::cell::Cell;
use std::fmt::{self, Display};

/// The error of a format.
pub(super) type Unwritten = Box<dyn std::error::Error + Send + Sync>;

/// Why a format could not read what it had written.
pub(super) enum Unread {
    /// It was asked what comes next.
    Description,
    /// The item's own code refuses it.
    Item,
    /// They are not the bytes that were asked for.
    Bytes,
}

pub(super) const UNTOLD: &str = "the format does not say what comes next: types with `#[serde(tag)]` or \
    `#[serde(untagged)]`, and such as a JSON value, want to know; remove the attribute, or \
    serialize that part to text or bytes first";

/// What a codec of serde types does.
pub(super) trait Format {
    /// The bytes of `item`, behind what is in `into`.
    fn write<T: Serialize>(item: Checked<&T>, into: &mut Vec<u8>) -> Result<(), Unwritten>;

    /// Why bytes are not those of an item.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The item at the beginning of `bytes`, and how many bytes are left over behind it.
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), Self::Error>;

    /// Why reading failed.
    fn unread(error: &Self::Error) -> Unread;
}

/// Appends the bytes of `item` to `into`.
///
/// # Errors
/// `Codec` if it does not serialize, or (some of it in debug builds alone) would not come back
/// as what it is.
#[inline]
pub(super) fn encode<T: Serialize + DeserializeOwned, F: Format>(
    format: &str,
    item: &T,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    #[cfg(debug_assertions)]
    return round_trip::encode::<T, F>(format, item, into);
    #[cfg(not(debug_assertions))]
    {
        let _ = format;
        F::write(Checked::new(item, Path), into).map_err(does_not_serialize)
    }
}

/// The item whose bytes these are, all of them.
///
/// # Errors
/// `Codec` if they are not, or more.
#[inline]
pub(super) fn decode<T: DeserializeOwned, F: Format>(bytes: &[u8]) -> Result<T, Failure> {
    match F::read(bytes) {
        Ok((item, 0)) => Ok(item),
        Ok((_, left)) => {
            let message = format!("{left} bytes left over behind the item");
            Err(Failure::new(FailureKind::Codec, message))
        }
        Err(error) => {
            let item = std::any::type_name::<T>();
            let message = match (F::unread(&error), take_unread(bytes)) {
                (Unread::Description, _) => UNTOLD.to_owned(),
                (Unread::Item, Some(why)) => {
                    format!("a part of the item of type `{item}` cannot be had: {why}")
                }
                _ => format!("the bytes are not those of an item of type `{item}`"),
            };
            Err(Failure::caused(FailureKind::Codec, message, error))
        }
    }
}

#[cold]
pub(super) fn does_not_serialize(error: Unwritten) -> Failure {
    match take_reason() {
        None => Failure::caused(FailureKind::Codec, "the item does not serialize", error),
        Some(why) => {
            let message = format!("the item does not serialize: {why}");
            Failure::caused(FailureKind::Codec, message, error)
        }
    }
}

thread_local! {
    /// Why the last item of this thread was refused: the errors of the formats have no room
    /// for a text.
    static WHY: Cell<Option<String>> = const { Cell::new(None) };
    /// A part of an item that could not be read here, and why.
    static UNREAD: Cell<Option<(String, String)>> = const { Cell::new(None) };
}

/// Why an item was refused here, if it was.
pub(super) fn take_reason() -> Option<String> {
    WHY.take()
}

/// Keeps why the part of an item cannot be read that is this text among its bytes.
pub fn keep_unread(part: String, why: String) {
    // If the thread is ending, nobody is told.
    let _ = UNREAD.try_with(|unread| unread.set(Some((part, why))));
}

/// Why a part of the item could not be read whose bytes these are. What was kept may be of another, which
/// another format was reading.
fn take_unread(bytes: &[u8]) -> Option<String> {
    let (part, why) = UNREAD.try_with(Cell::take).ok()??;
    let mut windows = bytes.windows(part.len().max(1));
    windows.any(|some| some == part.as_bytes()).then_some(why)
}

/// The error of a format, which has no room for a text: that is kept for
/// [`take_reason`].
#[derive(Debug)]
pub(super) struct Told<E>(E);

impl<E: ser::Error> ser::Error for Told<E> {
    #[cold]
    fn custom<T: Display>(why: T) -> Self {
        WHY.set(Some(why.to_string()));
        Self(E::custom("refused"))
    }
}

impl<E: Display> Display for Told<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: std::error::Error> std::error::Error for Told<E> {}

/// The name by which a handle of an `IpcQueue` is known among the parts of an item.
pub const IPC_HANDLE: &str = "queue_process::IpcQueue";

/// The name by which a handle of a Linux kind is known there: its bytes can be read once.
pub const QUEUE_HANDLE: &str = "queue_process::LinuxQueue";

/// A value, or with a serializer in it that serializer, whose parts are checked.
#[derive(Clone, Copy)]
pub(super) struct Checked<V> {
    inner: V,
    path: Path,
}

impl<V> Checked<V> {
    pub(super) fn new(inner: V, path: Path) -> Self {
        Self { inner, path }
    }
}

impl<T: Serialize + ?Sized> Serialize for Checked<&T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let serializer = Checked::new(serializer, self.path);
        self.inner
            .serialize(serializer)
            .map_err(|Told(error)| error)
    }
}

/// Where in an item a part of it is; in release builds, nothing.
#[derive(Clone, Copy, Debug)]
#[cfg(not(debug_assertions))]
pub(super) struct Path;

/// Declares verbs that do nothing.
#[cfg(not(debug_assertions))]
macro_rules! nothing {
    ($($name:ident($($type:ty),*);)*) => {$(
        #[inline]
        fn $name(self $(, _: $type)*) -> Self {
            self
        }
    )*};
}

#[cfg(not(debug_assertions))]
impl Path {
    nothing! {
        leaf(); some(); part(); nth_field(); nth(); key(); element(); close(); once();
        open(&'static str); field(&'static str);
        variant(&'static str, u32, &'static str);
    }
}

/// Hands verbs without parts through.
macro_rules! plain {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $leaf:ident)?;)*) => {$(
        #[inline]
        fn $name(self $(, $arg: $type)*) -> Result<Self::Ok, Self::Error> {
            $(self.path.$leaf();)?
            self.inner.$name($($arg),*).map_err(Told)
        }
    )*};
}

/// Hands the verbs through that begin what has parts: `open` says where these are.
macro_rules! compounds {
    ($($name:ident($($arg:ident: $type:ty),*) -> $compound:ident: |$path:ident| $open:expr;)*) => {$(
        #[inline]
        fn $name(self, $($arg: $type),*) -> Result<Self::$compound, Self::Error> {
            let $path = self.path;
            let path = $open;
            Ok(Checked::new(self.inner.$name($($arg),*).map_err(Told)?, path))
        }
    )*};
}

impl<S: Serializer> Serializer for Checked<S> {
    type Ok = S::Ok;
    type Error = Told<S::Error>;
    type SerializeSeq = Checked<S::SerializeSeq>;
    type SerializeTuple = Checked<S::SerializeTuple>;
    type SerializeTupleStruct = Checked<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Checked<S::SerializeTupleVariant>;
    type SerializeMap = Checked<S::SerializeMap>;
    type SerializeStruct = Checked<S::SerializeStruct>;
    type SerializeStructVariant = Checked<S::SerializeStructVariant>;

    plain! {
        serialize_bool(v: bool) -> leaf;
        serialize_i8(v: i8) -> leaf;
        serialize_i16(v: i16) -> leaf;
        serialize_i32(v: i32) -> leaf;
        serialize_i64(v: i64) -> leaf;
        serialize_i128(v: i128) -> leaf;
        serialize_u8(v: u8) -> leaf;
        serialize_u16(v: u16) -> leaf;
        serialize_u32(v: u32) -> leaf;
        serialize_u64(v: u64) -> leaf;
        serialize_u128(v: u128) -> leaf;
        serialize_f32(v: f32) -> leaf;
        serialize_f64(v: f64) -> leaf;
        serialize_char(v: char) -> leaf;
        serialize_str(v: &str) -> leaf;
        serialize_bytes(v: &[u8]) -> leaf;
        serialize_none() -> leaf;
        serialize_unit();
        serialize_unit_struct(name: &'static str);
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Self::Ok, Self::Error> {
        let value = Checked::new(value, self.path.some());
        self.inner.serialize_some(&value).map_err(Told)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<Self::Ok, Self::Error> {
        self.path.variant(name, index, variant).close();
        self.inner
            .serialize_unit_variant(name, index, variant)
            .map_err(Told)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Self::Error> {
        // Before it is serialized: its parts would go along with what somebody sends next.
        if name == IPC_HANDLE {
            return Err(Told::custom(
                "an `IpcQueue` in it goes into messages of `ipc-channel` alone; a `PipeQueue` or \
                 `ShmQueue` can be part of an item",
            ));
        }
        if name == QUEUE_HANDLE {
            self.path.once();
        }
        let value = Checked::new(value, self.path);
        self.inner
            .serialize_newtype_struct(name, &value)
            .map_err(Told)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Self::Error> {
        let path = self.path.variant(name, index, variant).part();
        let value = Checked::new(value, path);
        let done = (self.inner)
            .serialize_newtype_variant(name, index, variant, &value)
            .map_err(Told)?;
        path.close();
        Ok(done)
    }

    compounds! {
        serialize_seq(len: Option<usize>) -> SerializeSeq: |path| counted(path, len, "sequence")?;
        serialize_tuple(len: usize) -> SerializeTuple: |path| path;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct:
            |path| path.open(name);
        serialize_tuple_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeTupleVariant: |path| path.variant(name, index, variant);
        serialize_map(len: Option<usize>) -> SerializeMap: |path| counted(path, len, "map")?;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct: |path| path.open(name);
        serialize_struct_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeStructVariant: |path| path.variant(name, index, variant);
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<Self::Ok, Self::Error> {
        self.inner.collect_str(value).map_err(Told)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The path of a sequence or map, which must say how many parts it has.
#[inline]
fn counted<E: ser::Error>(path: Path, len: Option<usize>, what: &str) -> Result<Path, Told<E>> {
    match len {
        Some(_) => Ok(path.leaf()),
        None => Err(unknown_length(what)),
    }
}

#[cold]
fn unknown_length<E: ser::Error>(what: &str) -> Told<E> {
    Told::custom(format!(
        "it has a {what} whose length is not known beforehand, as `#[serde(flatten)]` makes one: \
         this format needs it; put the inner struct into a field of its own, or collect first"
    ))
}

#[cold]
fn skipped<E: ser::Error>(field: &str) -> Told<E> {
    Told::custom(format!(
        "its field `{field}` is skipped, as by `#[serde(skip_serializing_if)]`: this format has no \
         names, and what comes behind would be taken for it; write the field always (a `None` is \
         one byte)"
    ))
}

/// Compounds whose parts come one by one.
macro_rules! parts {
    ($($compound:ident {
        $name:ident($($key:ident: $type:ty)?) -> $step:ident $(, $close:ident)? $(; $skips:ident)?
    })*) => {$(
        impl<S: ser::$compound> ser::$compound for Checked<S> {
            type Ok = S::Ok;
            type Error = Told<S::Error>;

            #[inline]
            fn $name<T: Serialize + ?Sized>(
                &mut self,
                $($key: $type,)?
                value: &T,
            ) -> Result<(), Self::Error> {
                let value = Checked::new(value, self.path.$step($($key)?));
                self.inner.$name($($key,)? &value).map_err(Told)
            }

            #[inline]
            fn end(self) -> Result<Self::Ok, Self::Error> {
                $(self.path.$close();)?
                self.inner.end().map_err(Told)
            }

            $(
            fn $skips(&mut self, key: &'static str) -> Result<(), Self::Error> {
                Err(skipped(key))
            })?
        }
    )*};
}

parts! {
    SerializeSeq { serialize_element() -> element }
    SerializeTuple { serialize_element() -> nth }
    SerializeTupleStruct { serialize_field() -> nth_field, close }
    SerializeTupleVariant { serialize_field() -> nth_field, close }
    SerializeStruct { serialize_field(key: &'static str) -> field, close; skip_field }
    SerializeStructVariant { serialize_field(key: &'static str) -> field, close; skip_field }
}

impl<S: ser::SerializeMap> ser::SerializeMap for Checked<S> {
    type Ok = S::Ok;
    type Error = Told<S::Error>;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Self::Error> {
        let key = Checked::new(key, self.path.key());
        self.inner.serialize_key(&key).map_err(Told)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        let value = Checked::new(value, self.path.element());
        self.inner.serialize_value(&value).map_err(Told)
    }

    #[inline]
    fn end(self) -> Result<Self::Ok, Self::Error> {
        self.inner.end().map_err(Told)
    }
}

#[cfg(test)]
mod tests {
    use super::keep_unread;
    use crate::{Codec, Postcard};
    use std::num::NonZero;

    type Item = (String, NonZero<u8>);

    #[test]
    fn a_reason_is_told_of_the_item_that_has_the_part() {
        let told = |part: &str| {
            keep_unread(part.into(), "it is late".into());
            let failure = <Postcard as Codec<Item>>::decode(b"\x03abc\0").unwrap_err();
            failure.to_string().contains("it is late")
        };
        assert!(told("abc"));
        assert!(!told("abd"));
        let failure = <Postcard as Codec<Item>>::decode(b"\x03abd\0").unwrap_err();
        assert!(!failure.to_string().contains("it is late"));
    }
}
