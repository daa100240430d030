//! A rendering: the JSON text of an answer, with its entity tag.

use bytes::Bytes;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A rendered answer. Clones share it.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// The JSON text.
    pub body: Bytes,
    /// The entity tag, quotes included (RFC 9110, section 8.8.3).
    pub etag: String,
}

impl Rendering {
    /// A document that stays as it is, with a strong tag.
    #[must_use]
    pub fn document(json: Vec<u8>) -> Self {
        Self { etag: tag("", &json), body: json.into() }
    }

    /// Rows rendered as `json`. Their tag is made of `content`, which leaves out when they were read; so it is a weak
    /// one.
    pub(super) fn of_rows(content: &impl Hash, json: Vec<u8>) -> Self {
        Self { etag: tag("W/", content), body: json.into_boxed_slice().into() }
    }
}

fn tag(weakness: &str, content: &impl Hash) -> String {
    // Its keys are fixed, so that replicas of one build agree.
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{weakness}\"{:016x}\"", hasher.finish())
}
