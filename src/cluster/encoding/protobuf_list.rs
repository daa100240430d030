//! Protobuf lists, cut into items while they arrive.
//!
//! `k8s\0`, then a `runtime.Unknown` whose field 2 (`raw`) is the list: `ListMeta` as field 1 and each item as one
//! field 2. All fields at both levels are length-delimited, so that the end of each is known from its beginning.

use super::piece::{MAGIC, Piece, no_envelope, unreadable};
use crate::cluster::error::Error;
use prost::encoding::{WireType, decode_key, decode_varint};

/// `raw` of `runtime.Unknown`, and `items` of every list.
const RAW: u32 = 2;
const ITEMS: u32 = 2;
const METADATA: u32 = 1;

/// The most bytes that a varint takes.
const VARINT_MAX: usize = 10;

pub(super) struct ProtobufList {
    /// Bytes that have come and belong to no complete field yet.
    held: Vec<u8>,
    max_item: usize,
    level: Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Start,
    /// Between two fields of the envelope; whether the list has been there.
    Envelope {
        had_list: bool,
    },
    /// Between two fields of the list, of which so many bytes are still to come.
    List {
        left: usize,
    },
}

/// Key and length of a field.
struct Header {
    field: u32,
    bytes: usize,
    length: usize,
}

impl ProtobufList {
    pub(super) fn new(max_item: usize) -> Self {
        Self { held: Vec::new(), max_item, level: Level::Start }
    }

    pub(super) fn feed(
        &mut self,
        chunk: &[u8],
        each: &mut impl FnMut(Piece<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.held.extend_from_slice(chunk);
        let mut at = 0;
        while let Some(bytes) = self.step(at, each)? {
            at += bytes;
        }
        self.held.drain(..at);
        Ok(())
    }

    /// Takes one field, or the beginning of one, from `at` on; how many bytes that were, or `None` if more are needed.
    fn step(
        &mut self,
        at: usize,
        each: &mut impl FnMut(Piece<'_>) -> Result<(), Error>,
    ) -> Result<Option<usize>, Error> {
        let input = &self.held[at..];
        match self.level {
            Level::Start if input.len() < MAGIC.len() && MAGIC.starts_with(input) => Ok(None),
            Level::Start if !input.starts_with(MAGIC) => Err(no_envelope()),
            Level::Start => {
                self.level = Level::Envelope { had_list: false };
                Ok(Some(MAGIC.len()))
            }
            Level::Envelope { had_list } => {
                let Some(header) = header(input)? else { return Ok(None) };
                if header.field == RAW && !had_list {
                    self.level = Level::List { left: header.length };
                    return Ok(Some(header.bytes));
                }
                Ok(self.whole(input, &header)?.map(|_| header.bytes + header.length))
            }
            Level::List { left: 0 } => {
                self.level = Level::Envelope { had_list: true };
                Ok(Some(0))
            }
            Level::List { left } => {
                let Some(header) = header(input)? else { return Ok(None) };
                let bytes = header.bytes.saturating_add(header.length);
                let left = left.checked_sub(bytes).ok_or_else(|| unreadable("an item is longer than its list"))?;
                let Some(value) = self.whole(input, &header)? else { return Ok(None) };
                match header.field {
                    METADATA => each(Piece::Metadata(value))?,
                    ITEMS => each(Piece::Item(value))?,
                    _ => {}
                }
                self.level = Level::List { left };
                Ok(Some(bytes))
            }
        }
    }

    /// The value of the field that `input` begins with, once all of it has come.
    fn whole<'a>(&self, input: &'a [u8], header: &Header) -> Result<Option<&'a [u8]>, Error> {
        if header.length > self.max_item {
            return Err(Error::too_large("largest item", self.max_item));
        }
        Ok(input.get(header.bytes..header.bytes + header.length))
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        let is_whole = match self.level {
            Level::Envelope { had_list } => had_list && self.held.is_empty(),
            Level::Start | Level::List { .. } => false,
        };
        if is_whole { Ok(()) } else { Err(unreadable("the protobuf ends too early")) }
    }
}

/// `None` if more bytes are needed.
fn header(input: &[u8]) -> Result<Option<Header>, Error> {
    let mut rest = input;
    let malformed = || unreadable("a protobuf field is malformed");
    let (field, kind) = match decode_key(&mut rest) {
        Ok(key) => key,
        Err(_) if rest_may_follow(input) => return Ok(None),
        Err(_) => return Err(malformed()),
    };
    if kind != WireType::LengthDelimited {
        return Err(malformed());
    }
    let behind_key = rest;
    match decode_varint(&mut rest) {
        Ok(length) => {
            let length = usize::try_from(length).map_err(|_| malformed())?;
            Ok(Some(Header { field, bytes: input.len() - rest.len(), length }))
        }
        Err(_) if rest_may_follow(behind_key) => Ok(None),
        Err(_) => Err(malformed()),
    }
}

/// True if `varint` has no end: each byte says that another one follows.
fn rest_may_follow(varint: &[u8]) -> bool {
    varint.len() < VARINT_MAX && varint.iter().all(|byte| byte & 0x80 != 0)
}
