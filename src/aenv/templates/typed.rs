//! Object of a Kubernetes type, made from the tree of a YAML file.
//!
//! A type asks for a value as what it is meant to be: a text keeps its spelling without quotes, as `cpu: 0.5`, and a number
//! or a boolean may stand in quotes. There is one deserializer for all types, and it is small, because every type is compiled
//! with it.

use super::key_path::{KeyPath, Step};
use crate::syntax::{Node, Value, cut};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use std::collections::btree_map;
use std::{fmt, slice};

/// The object that `root`, read from `text`, describes, and the path of every key that says something and that the type
/// ignores.
pub(super) fn read<T: DeserializeOwned>(root: &Node, text: &str) -> Result<(T, Vec<KeyPath>), Misfit> {
    let mut reading = Reading { text, path: KeyPath::default(), ignored: Vec::new() };
    match T::deserialize(Typed { node: root, reading: &mut reading }) {
        Ok(object) => Ok((object, reading.ignored)),
        Err(Problem(problem)) => Err(Misfit { path: reading.path, problem }),
    }
}

/// A value that does not fit its type.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) path: KeyPath,
    pub(super) problem: String,
}

/// A file while it is read.
struct Reading<'a> {
    text: &'a str,
    /// The way to the value that is read; after a failure, to the one that does not fit.
    path: KeyPath,
    ignored: Vec<KeyPath>,
}

impl<'a> Reading<'a> {
    /// Reads what stands one step further.
    fn enter<S: DeserializeSeed<'a>>(&mut self, step: Step, node: &'a Node, seed: S) -> Result<S::Value, Problem> {
        self.path.enter(step);
        let value = seed.deserialize(Typed { node, reading: self })?;
        self.path.leave();
        Ok(value)
    }
}

/// A value that a type asks for.
struct Typed<'a, 'r> {
    node: &'a Node,
    reading: &'r mut Reading<'a>,
}

impl<'a> Typed<'a, '_> {
    /// The value as a text: a boolean and a number as they are spelt.
    fn as_text(&self) -> Unexpected<'a> {
        let found = found(&self.node.value);
        if !matches!(self.node.value, Value::Bool(_) | Value::Number(_)) {
            return found;
        }
        // In quotes it is no text only because of a tag that says so, as `!!int "5"`.
        let in_quotes = |spelling: &&str| spelling.starts_with(['"', '\'', '|', '>']);
        let spelling = self.reading.text.get(self.node.written.clone()).filter(|spelling| !spelling.is_empty());
        spelling.filter(|spelling| !in_quotes(spelling)).map_or(found, Unexpected::Str)
    }

    /// The value as a boolean or a number: a text as if it had no quotes.
    fn as_plain(&self) -> Unexpected<'a> {
        let Value::Text(text) = &self.node.value else { return found(&self.node.value) };
        match Node::from_yaml(text).map(|node| node.value) {
            Ok(Value::Bool(value)) => Unexpected::Bool(value),
            Ok(Value::Number(number)) => found_number(&number),
            _ => Unexpected::Str(text),
        }
    }
}

/// The value as serde tells it to a type.
fn found(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => found_number(number),
        Value::Text(text) => Unexpected::Str(text),
        Value::List(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

fn found_number(number: &serde_json::Number) -> Unexpected<'static> {
    if let Some(number) = number.as_u64() {
        Unexpected::Unsigned(number)
    } else if let Some(number) = number.as_i64() {
        Unexpected::Signed(number)
    } else {
        Unexpected::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// Shows a type what there is.
fn visit<'a, V: Visitor<'a>>(found: Unexpected<'a>, visitor: V) -> Result<V::Value, Problem> {
    match found {
        Unexpected::Unit => visitor.visit_unit(),
        Unexpected::Bool(value) => visitor.visit_bool(value),
        Unexpected::Unsigned(number) => visitor.visit_u64(number),
        Unexpected::Signed(number) => visitor.visit_i64(number),
        Unexpected::Float(number) => visitor.visit_f64(number),
        Unexpected::Str(text) => visitor.visit_borrowed_str(text),
        other => Err(de::Error::invalid_type(other, &visitor)),
    }
}

/// Several types of serde that are asked for in the same way.
macro_rules! as_plain {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
            visit(self.as_plain(), visitor)
        })*
    };
}

impl<'a> Deserializer<'a> for Typed<'a, '_> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items { items: items.iter().enumerate(), reading: self.reading }),
            Value::Object(members) => {
                visitor.visit_map(Members { members: members.iter(), member: None, reading: self.reading })
            }
            scalar => visit(found(scalar), visitor),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        visit(self.as_text(), visitor)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_string(visitor)
    }

    as_plain! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.node.value == Value::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.node.value.says_something() {
            self.reading.ignored.push(self.reading.path.clone());
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// The items of a list.
struct Items<'a, 'r> {
    items: std::iter::Enumerate<slice::Iter<'a, Node>>,
    reading: &'r mut Reading<'a>,
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = Problem;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Problem> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        self.reading.enter(Step::Index(index), item, seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The members of an object.
struct Members<'a, 'r> {
    members: btree_map::Iter<'a, String, Node>,
    /// The one whose key has been read.
    member: Option<(&'a String, &'a Node)>,
    reading: &'r mut Reading<'a>,
}

impl<'a> MapAccess<'a> for Members<'a, '_> {
    type Error = Problem;

    fn next_key_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Problem> {
        self.member = self.members.next();
        let Some((key, _)) = self.member else { return Ok(None) };
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Problem> {
        let (key, member) =
            self.member.take().ok_or_else(|| Problem("a value is asked for before its key".to_owned()))?;
        self.reading.enter(Step::Key(key.clone()), member, seed)
    }
}

/// Description of a misfit.
#[derive(Debug)]
struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self(problem.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("{}, expected {expected}", said(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

/// In few words.
fn said(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) => format!("\"{}\"", cut(text)),
        Unexpected::Unit => "null".to_owned(),
        other => other.to_string(),
    }
}
