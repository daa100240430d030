//! Value tree of JSON and YAML, as somebody has written them.
//!
//! `serde_json::Value` takes the last of two equal keys silently; here two equal keys are a fault, because the author meant
//! one of them and nobody knows which. A tree of YAML knows the place of every key, for messages.

use super::cut;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Number;
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Members of an object, by their keys.
pub(crate) type Object = BTreeMap<String, Node>;

/// A value in its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The place of a member is that of its key. `None`: it is not known.
    pub place: Option<Place>,
    /// The bytes of the YAML text that say it, those of its definition if they are elsewhere. Empty: they are not known.
    pub written: Range<usize>,
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Object),
}

/// A line and a column, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    line: u64,
    column: u64,
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Node {
    /// Reads YAML, with the places.
    pub(crate) fn from_yaml(text: &str) -> Result<Self, serde_saphyr::Error> {
        serde_saphyr::from_str(text).map(Self::placed)
    }

    fn placed(Spanned { value: Placed(value), referenced, defined }: Spanned<Placed>) -> Self {
        let span = defined.span();
        let bound = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let written = bound(span.byte_offset()).zip(bound(span.byte_len()));
        let written = written.map_or(0..0, |(start, length)| start..start + length);
        Self { place: Some(referenced.into()), written, value }
    }

    /// The same under a key.
    fn under(self, key: Option<Place>) -> Self {
        Self { place: key, ..self }
    }
}

impl Value {
    /// Type of the value, for a message that does not tell it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Its JSON text.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a tree of JSON has string keys and its serializer does not fail")
    }

    /// True for a zero value of Go in some field: null, zero, or the empty text or object.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Number(number) => number.as_f64() == Some(0.0),
            Self::Text(text) => text.is_empty(),
            Self::Object(members) => members.is_empty(),
            Self::Bool(_) | Self::List(_) => false,
        }
    }

    /// True if it is more than an empty placeholder.
    pub(crate) fn says_something(&self) -> bool {
        match self {
            Self::Null => false,
            Self::List(items) => !items.is_empty(),
            Self::Object(members) => !members.is_empty(),
            Self::Bool(_) | Self::Number(_) | Self::Text(_) => true,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items.iter().map(|item| &item.value)),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(key, member)| (key, &member.value))),
        }
    }
}

/// For messages.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{}\"", cut(text)),
            Self::Null | Self::List(_) | Self::Object(_) => f.write_str(self.kind()),
        }
    }
}

/// Without places, from any format.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(Reader { with_places: false })?;
        Ok(Self { place: None, written: 0..0, value })
    }
}

/// A value whose descendants know their places, from YAML.
struct Placed(Value);

impl<'de> Deserialize<'de> for Placed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader { with_places: true }).map(Self)
    }
}

#[derive(Clone, Copy)]
struct Reader {
    with_places: bool,
}

impl Reader {
    fn item<'de, A: SeqAccess<'de>>(self, items: &mut A) -> Result<Option<Node>, A::Error> {
        if !self.with_places {
            return items.next_element();
        }
        Ok(items.next_element()?.map(Node::placed))
    }

    fn member<'de, A: MapAccess<'de>>(self, members: &mut A) -> Result<Option<(String, Option<Place>)>, A::Error> {
        if !self.with_places {
            return Ok(members.next_key()?.map(|key| (key, None)));
        }
        let key = members.next_key::<Spanned<String>>()?;
        Ok(key.map(|key| (key.value, Some(key.referenced.into()))))
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.with_places { "YAML" } else { "JSON" })
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    /// YAML has infinities, which JSON has not.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| Value::Text(value.to_string()), Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = self.item(&mut items)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some((key, place)) = self.member(&mut members)? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key \"{}\" is given twice", cut(&key))));
            }
            let member = if self.with_places { Node::placed(members.next_value()?) } else { members.next_value()? };
            object.insert(key, member.under(place));
        }
        Ok(Value::Object(object))
    }
}
