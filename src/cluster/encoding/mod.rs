//! Encodings of answers: protobuf as first choice and JSON as second, told apart by the answer's `Content-Type`.
//!
//! Protobuf costs the API server half of what JSON costs it. An answer of protobuf is `k8s\0` followed by a
//! `runtime.Unknown` that wraps the object (`k8s.io/apimachinery/pkg/runtime/generated.proto`). Lists are cut into
//! their items while they arrive ([`json_list`], [`protobuf_list`]), so that memory holds one item and not the body.

mod json_list;
mod piece;
mod protobuf_list;
#[cfg(test)]
mod tests;

use super::error::Error;
use super::slim::{self, Slim};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use json_list::JsonList;
use piece::{MAGIC, Piece, no_envelope, unreadable};
use protobuf_list::ProtobufList;
use serde::Deserialize;

/// The encodings that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Protobuf, or JSON from a server that knows nothing else.
    Auto,
    /// JSON alone, for proxies that look into the answers.
    Json,
}

impl Encoding {
    /// `Accept` of a read.
    pub(super) fn accept(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Auto => "application/vnd.kubernetes.protobuf, application/json;q=0.9",
            Self::Json => "application/json",
        })
    }
}

/// The encoding of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON, and everything that does not say that it is protobuf.
    Json,
    Protobuf,
}

impl Format {
    /// The encoding that the headers of an answer name.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let is_protobuf = headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/vnd.kubernetes.protobuf"));
        if is_protobuf { Self::Protobuf } else { Self::Json }
    }

    /// One object.
    pub(super) fn object<T: Slim>(self, body: Bytes) -> Result<T, Error> {
        let object: T = match self {
            Self::Json => serde_json::from_slice(&body).map_err(Error::not_json)?,
            Self::Protobuf => message(unwrapped(body)?)?,
        };
        named(object)
    }

    /// The `Status` object of a failure; `None` if the body is none.
    pub(super) fn status(self, body: &[u8]) -> Option<Status> {
        let status: Status = match self {
            Self::Json => serde_json::from_slice(body).ok()?,
            Self::Protobuf => message(unwrapped(Bytes::copy_from_slice(body)).ok()?).ok()?,
        };
        Some(status).filter(|status| !status.message.is_empty())
    }

    /// A reader of the one list that an answer holds.
    pub(super) fn list(self, max_item: usize) -> ListReader {
        let cutter = match self {
            Self::Json => Cutter::Json(JsonList::new(max_item)),
            Self::Protobuf => Cutter::Protobuf(ProtobufList::new(max_item)),
        };
        ListReader { format: self, cutter, metadata: ListMeta::default() }
    }
}

/// A `Status` object (`k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`).
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
pub(super) struct Status {
    /// Words for people.
    #[prost(string, tag = "3")]
    #[serde(default, deserialize_with = "slim::nullable")]
    pub(super) message: String,
    /// One word for programs.
    #[prost(string, tag = "4")]
    #[serde(default, deserialize_with = "slim::nullable")]
    pub(super) reason: String,
}

/// `ListMeta` (`k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`).
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
pub(super) struct ListMeta {
    /// The token of the next page; empty on the last.
    #[prost(string, tag = "3")]
    #[serde(default, deserialize_with = "slim::nullable")]
    pub(super) r#continue: String,
    /// Number of objects on the pages after this one, if the API server knows it.
    #[prost(int64, optional, tag = "4")]
    #[serde(rename = "remainingItemCount")]
    pub(super) remaining_item_count: Option<i64>,
}

enum Cutter {
    Json(JsonList),
    Protobuf(ProtobufList),
}

/// A list that is read while it arrives.
pub(super) struct ListReader {
    format: Format,
    cutter: Cutter,
    metadata: ListMeta,
}

impl ListReader {
    /// Takes the next piece of the body, and gives each item whose last byte has come to `each`.
    ///
    /// # Errors
    /// [`Error::Unreadable`], and that of `each`.
    pub(super) fn feed<T: Slim>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (format, metadata) = (self.format, &mut self.metadata);
        let mut take = |piece: Piece<'_>| match piece {
            Piece::Item(item) => each(named(decoded(format, item)?)?),
            Piece::Metadata(meta) => decoded(format, meta).map(|meta| *metadata = meta),
        };
        match &mut self.cutter {
            Cutter::Json(list) => list.feed(chunk, &mut take),
            Cutter::Protobuf(list) => list.feed(chunk, &mut take),
        }
    }

    /// The metadata, once the body has ended.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it was not a whole list.
    pub(super) fn finish(self) -> Result<ListMeta, Error> {
        match self.cutter {
            Cutter::Json(list) => list.finish()?,
            Cutter::Protobuf(list) => list.finish()?,
        }
        Ok(self.metadata)
    }
}

fn decoded<T: prost::Message + Default + for<'de> Deserialize<'de>>(format: Format, part: &[u8]) -> Result<T, Error> {
    match format {
        Format::Json => serde_json::from_slice(part).map_err(Error::not_json),
        Format::Protobuf => message(part),
    }
}

fn message<T: prost::Message + Default>(encoded: impl bytes::Buf) -> Result<T, Error> {
    T::decode(encoded).map_err(|_| unreadable("a protobuf message is malformed"))
}

/// Every object of the API server has a name; what has none is no object.
fn named<T: Slim>(object: T) -> Result<T, Error> {
    match object.metadata().name.is_empty() {
        true => Err(unreadable("an object has no name")),
        false => Ok(object),
    }
}

/// The object within the envelope.
fn unwrapped(body: Bytes) -> Result<Bytes, Error> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Unknown {
        #[prost(bytes = "bytes", optional, tag = "2")]
        raw: Option<Bytes>,
    }

    if !body.starts_with(MAGIC) {
        return Err(no_envelope());
    }
    message::<Unknown>(body.slice(MAGIC.len()..))?.raw.ok_or_else(no_envelope)
}
