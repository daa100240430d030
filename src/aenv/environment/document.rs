//! Document: a JSON object, parsed once for each body.

use crate::syntax::{Fault, Faults, Node, Object, Value};
use serde::de::{Deserialize, Deserializer, Error};

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
        match serde_json::from_slice::<Node>(text).map(|node| node.value) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(other) => Err(unreadable(format!("it is {}, give a JSON object", other.kind()))),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    pub(super) fn members(&self) -> &Object {
        &self.0
    }

    pub(super) fn member(&self, key: &str) -> Option<&Value> {
        self.0.get(key).map(|member| &member.value)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Node::deserialize(deserializer)?.value {
            Value::Object(members) => Ok(Self(members)),
            other => Err(D::Error::custom(format_args!("it is {}, not an object", other.kind()))),
        }
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
