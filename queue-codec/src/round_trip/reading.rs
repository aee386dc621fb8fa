//! [`Traced`]: an item on its way out of a format: what is asked of the format
//! is noted, to be compared with what was written.

use super::trace::{Event, Head, note};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use std::fmt;

/// A value, or whatever of serde's leads to one, whose parts are noted.
pub(super) struct Traced<V>(pub(super) V);

/// The same, of a struct or variant: its parts are counted.
struct Counted<V>(V);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Traced<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Traced(deserializer)).map(Self)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Traced<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Traced(deserializer))
    }
}

/// What follows is a struct or a variant, until `read` is through with it.
fn record<R, E>(head: Head, read: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
    note(Event::Open(head));
    closed(read())
}

/// What was read of a struct or a variant, which ends here unless that failed.
fn closed<R, E>(read: Result<R, E>) -> Result<R, E> {
    read.inspect(|_| note(Event::Close))
}

/// Hands the verbs of a deserializer through.
macro_rules! ask {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $note:expr)?;)*) => {$(
        fn $name<V: Visitor<'de>>(self $(, $arg: $type)*, visitor: V) -> Result<V::Value, D::Error> {
            $(note($note);)?
            self.0.$name($($arg,)* Traced(visitor))
        }
    )*};
}

/// The same for those that read a struct.
macro_rules! records {
    ($($name:ident($parts:ident: $type:ty);)*) => {$(
        fn $name<V: Visitor<'de>>(
            self,
            name: &'static str,
            $parts: $type,
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let read = || self.0.$name(name, $parts, Counted(visitor));
            record(Head::new(name, None), read)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Traced<D> {
    type Error = D::Error;

    ask! {
        deserialize_any() -> Event::Leaf;
        deserialize_bool() -> Event::Leaf;
        deserialize_i8() -> Event::Leaf;
        deserialize_i16() -> Event::Leaf;
        deserialize_i32() -> Event::Leaf;
        deserialize_i64() -> Event::Leaf;
        deserialize_i128() -> Event::Leaf;
        deserialize_u8() -> Event::Leaf;
        deserialize_u16() -> Event::Leaf;
        deserialize_u32() -> Event::Leaf;
        deserialize_u64() -> Event::Leaf;
        deserialize_u128() -> Event::Leaf;
        deserialize_f32() -> Event::Leaf;
        deserialize_f64() -> Event::Leaf;
        deserialize_char() -> Event::Leaf;
        deserialize_str() -> Event::Leaf;
        deserialize_string() -> Event::Leaf;
        deserialize_bytes() -> Event::Leaf;
        deserialize_byte_buf() -> Event::Leaf;
        deserialize_option() -> Event::Leaf;
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq() -> Event::Leaf;
        deserialize_tuple(len: usize);
        deserialize_map() -> Event::Leaf;
        deserialize_identifier() -> Event::Leaf;
        deserialize_ignored_any() -> Event::Leaf;
    }

    records! {
        deserialize_tuple_struct(len: usize);
        deserialize_struct(fields: &'static [&'static str]);
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        note(Event::Leaf);
        let visitor = Choice {
            inner: visitor,
            name,
            names,
        };
        self.0.deserialize_enum(name, names, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// Hands what a visitor is given through.
macro_rules! give {
    ($($name:ident($($v:ident: $type:ty)?);)*) => {$(
        fn $name<E: de::Error>(self $(, $v: $type)?) -> Result<V::Value, E> {
            self.0.$name($($v)?)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Traced<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    give! {
        visit_bool(v: bool);
        visit_i8(v: i8);
        visit_i16(v: i16);
        visit_i32(v: i32);
        visit_i64(v: i64);
        visit_i128(v: i128);
        visit_u8(v: u8);
        visit_u16(v: u16);
        visit_u32(v: u32);
        visit_u64(v: u64);
        visit_u128(v: u128);
        visit_f32(v: f32);
        visit_f64(v: f64);
        visit_char(v: char);
        visit_str(v: &str);
        visit_borrowed_str(v: &'de str);
        visit_string(v: String);
        visit_bytes(v: &[u8]);
        visit_borrowed_bytes(v: &'de [u8]);
        visit_byte_buf(v: Vec<u8>);
        visit_none();
        visit_unit();
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Traced(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Traced(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Traced(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Traced(parts))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, choice: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(choice)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Counted<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Counted(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Traced(parts))
    }
}

/// Sequences whose elements are read.
macro_rules! sequences {
    ($($sequence:ident $(-> $note:expr)?;)*) => {$(
        impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for $sequence<A> {
            type Error = A::Error;

            fn next_element_seed<S: DeserializeSeed<'de>>(
                &mut self,
                seed: S,
            ) -> Result<Option<S::Value>, A::Error> {
                $(note($note);)?
                self.0.next_element_seed(Traced(seed))
            }

            fn size_hint(&self) -> Option<usize> {
                self.0.size_hint()
            }
        }
    )*};
}

sequences! {
    Traced;
    Counted -> Event::Part;
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Traced<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Traced(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Traced(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

/// Which variant of an enum it is: its visitor, what it is given, and who looks the number up.
#[derive(Clone, Copy)]
struct Choice<V> {
    inner: V,
    name: &'static str,
    names: &'static [&'static str],
}

impl<V> Choice<V> {
    fn with<U>(&self, inner: U) -> Choice<U> {
        Choice {
            inner,
            name: self.name,
            names: self.names,
        }
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Choice<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, choice: A) -> Result<V::Value, A::Error> {
        let choice = self.with(choice);
        self.inner.visit_enum(choice)
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Choice<A> {
    type Error = A::Error;
    type Variant = Counted<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let seed = self.with(seed);
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Counted(variant)))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Choice<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, number: D) -> Result<S::Value, D::Error> {
        let index = u32::deserialize(number)?;
        note(Event::Open(Head {
            name: self.name,
            variant: Some((index, "")),
            names: self.names,
        }));
        (self.inner.deserialize(index.into_deserializer()))
            .inspect_err(|_: &D::Error| note(Event::Unknown(self.name, index)))
    }
}

/// The variant whose `Open` was noted as its number was read.
impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Counted<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        closed(self.0.unit_variant())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        note(Event::Part);
        closed(self.0.newtype_variant_seed(Traced(seed)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        closed(self.0.tuple_variant(len, Counted(visitor)))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        closed(self.0.struct_variant(fields, Counted(visitor)))
    }
}
