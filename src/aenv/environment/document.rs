//! JSON as a tree, parsed once for each body.
//!
//! `serde_json::Value` takes the last of two equal keys silently; here two equal keys are a fault, because the caller
//! meant one of them and nobody knows which.

use super::cut::cut;
use crate::syntax::{Fault, Faults};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Number;
use std::collections::BTreeMap;
use std::fmt;

/// The members of an object.
pub(super) type Object = BTreeMap<String, Json>;

/// A JSON object: the body of a request, or EnvHub's description of an environment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document(Object);

impl Document {
    /// Reads one whole JSON text, whose depth is bounded by `serde_json`.
    ///
    /// # Errors
    /// Why it is not one object.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Faults> {
        let unreadable = |why: String| Fault::new(format!("Invalid request body: {why}")).into();
        if text.trim_ascii().is_empty() {
            return Err(unreadable("it is empty, give a JSON object".to_owned()));
        }
        match serde_json::from_slice(text) {
            Ok(Json::Object(members)) => Ok(Self(members)),
            Ok(other) => Err(unreadable(format!("it is {}, give a JSON object", other.kind()))),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    pub(super) fn members(&self) -> &Object {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Object(members) => Ok(Self(members)),
            other => Err(D::Error::custom(format_args!("it is {}, not an object", other.kind()))),
        }
    }
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

impl Json {
    /// Type of the value, for a message that does not tell it.
    pub(super) fn kind(&self) -> &'static str {
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
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a tree of JSON has string keys and its serializer does not fail")
    }

    /// True for a zero value of Go in some field: null, zero, or the empty text or object.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Number(number) => number.as_f64() == Some(0.0),
            Self::Text(text) => text.is_empty(),
            Self::Object(members) => members.is_empty(),
            Self::Bool(_) | Self::List(_) => false,
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
        }
    }
}

/// For messages.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{}\"", cut(text)),
            Self::Null | Self::List(_) | Self::Object(_) => f.write_str(self.kind()),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Object::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key \"{}\" is given twice", cut(&key))));
            }
            object.insert(key, members.next_value()?);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_bodies_are_refused_with_place_and_cause() {
        let deep = [b"{\"a\":".as_slice(), &b"[".repeat(100_000)].concat();
        let cases: [(&[u8], &str); 14] = [
            (b"", "it is empty, give a JSON object"),
            (b" \n", "it is empty, give a JSON object"),
            (b"[1]", "it is a list, give a JSON object"),
            (b"null", "it is null, give a JSON object"),
            (b"\"x\"", "it is a text, give a JSON object"),
            (b"{nope", "key must be a string at line 1 column 2"),
            (b"[1", "EOF while parsing a list at line 1 column 2"),
            (b"{\n \"a\": 1,\n}", "trailing comma at line 3 column 1"),
            (b"{} x", "trailing characters at line 1 column 4"),
            (b"{\"a\":1,\"b\":{\"c\":1,\n\"c\":2}}", "the key \"c\" is given twice at line 2 column 3"),
            (b"{\"a\":\"\xff\"}", "invalid unicode code point at line 1 column 7"),
            (b"{\"a\":1e999}", "number out of range at line 1 column 10"),
            (b"{\"a\":NaN}", "expected value at line 1 column 6"),
            (&deep, "recursion limit exceeded at line 1 column 132"),
        ];
        for (text, why) in cases {
            let told = Document::parse(text).unwrap_err().to_string();
            assert_eq!(told, format!("Invalid request body: {why}"), "{:?}", &text[..text.len().min(40)]);
        }
    }
}
