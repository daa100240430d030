//! JSON lists, cut into items while they arrive.
//!
//! A state machine follows the outermost object and finds where each element of its `items` ends: it counts brackets
//! outside of strings. serde_json then reads that element alone, and is the judge of its syntax.

use super::piece::{Piece, unreadable};
use crate::cluster::error::Error;

/// The longest key of the outermost object; those of a list have at most ten bytes.
const KEY_MAX: usize = 256;

pub(super) struct JsonList {
    /// Bytes that have come and belong to no complete value yet.
    held: Vec<u8>,
    max_item: usize,
    state: State,
    key: Key,
    had_items: bool,
}

/// The next thing to come; white space may come before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// A key of the outermost object, or its end.
    Key {
        may_end: bool,
    },
    Colon,
    /// The value of the last key.
    Value(Extent),
    /// A comma, or the end of the outermost object.
    Comma,
    /// An item, or the end of the items.
    Item {
        extent: Extent,
        may_end: bool,
    },
    /// A comma, or the end of the items.
    ItemComma,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Items,
    Metadata,
    Other,
}

/// Extent to which a value has been followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Extent {
    /// Bytes that are known to belong to it.
    bytes: usize,
    /// Objects and arrays that are open.
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Extent {
    /// Follows the value that `input` begins with; its length once its end is there.
    fn follow(&mut self, input: &[u8]) -> Option<usize> {
        while let Some(&byte) = input.get(self.bytes) {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                self.bytes += 1;
                if !self.in_string && self.depth == 0 {
                    return Some(self.bytes);
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                // A number or a literal ends before what follows it.
                b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 => return Some(self.bytes),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(self.bytes + 1);
                    }
                }
                _ => {}
            }
            self.bytes += 1;
        }
        None
    }
}

impl JsonList {
    pub(super) fn new(max_item: usize) -> Self {
        Self { held: Vec::new(), max_item, state: State::Start, key: Key::Other, had_items: false }
    }

    pub(super) fn feed(
        &mut self,
        chunk: &[u8],
        each: &mut impl FnMut(Piece<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(chunk);
        let mut at = 0;
        loop {
            let in_value = matches!(self.state, State::Value(extent) | State::Item { extent, .. } if extent.bytes > 0);
            if !in_value {
                at += held[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            }
            if at == held.len() {
                break;
            }
            match self.step(&held[at..], each)? {
                Some(bytes) => at += bytes,
                None => break,
            }
        }
        held.drain(..at);
        self.held = held;
        Ok(())
    }

    /// Takes one token or value that `input` begins with; how many bytes that were, or `None` if more are needed.
    fn step(
        &mut self,
        input: &[u8],
        each: &mut impl FnMut(Piece<'_>) -> Result<(), Error>,
    ) -> Result<Option<usize>, Error> {
        let first = input[0];
        let (next, bytes) = match self.state {
            State::Start if first == b'{' => (State::Key { may_end: true }, 1),
            State::Key { may_end: true } if first == b'}' => (State::End, 1),
            State::Key { .. } if first == b'"' => {
                let Some(bytes) = Extent::default().follow(&input[..input.len().min(KEY_MAX)]) else {
                    return if input.len() < KEY_MAX { Ok(None) } else { Err(unreadable("it is no JSON list")) };
                };
                self.key = self.named(&input[..bytes])?;
                (State::Colon, bytes)
            }
            State::Colon if first == b':' => (State::Value(Extent::default()), 1),
            State::Value(_) if self.key == Key::Items && first == b'[' => {
                (State::Item { extent: Extent::default(), may_end: true }, 1)
            }
            State::Value(mut extent) => {
                let Some(bytes) = self.bounded(extent.follow(input), input.len())? else {
                    self.state = State::Value(extent);
                    return Ok(None);
                };
                match (self.key, &input[..bytes]) {
                    // Go writes an empty list as null.
                    (Key::Other, _) | (Key::Items, b"null") => {}
                    (Key::Items, _) => return Err(unreadable("its items are no list")),
                    (Key::Metadata, value) => each(Piece::Metadata(value))?,
                }
                (State::Comma, bytes)
            }
            State::Comma if first == b',' => (State::Key { may_end: false }, 1),
            State::Comma if first == b'}' => (State::End, 1),
            State::Item { extent, may_end: true } if extent.bytes == 0 && first == b']' => (State::Comma, 1),
            State::Item { mut extent, may_end } => {
                let Some(bytes) = self.bounded(extent.follow(input), input.len())? else {
                    self.state = State::Item { extent, may_end };
                    return Ok(None);
                };
                each(Piece::Item(&input[..bytes]))?;
                (State::ItemComma, bytes)
            }
            State::ItemComma if first == b',' => (State::Item { extent: Extent::default(), may_end: false }, 1),
            State::ItemComma if first == b']' => (State::Comma, 1),
            State::Start | State::Key { .. } | State::Colon | State::Comma | State::ItemComma | State::End => {
                return Err(unreadable("it is no JSON list"));
            }
        };
        self.state = next;
        Ok(Some(bytes))
    }

    /// The length of a value, or of what has come of it, if it is not too long.
    fn bounded(&self, length: Option<usize>, come: usize) -> Result<Option<usize>, Error> {
        match length.unwrap_or(come) > self.max_item {
            true => Err(Error::too_large("largest item", self.max_item)),
            false => Ok(length),
        }
    }

    fn named(&mut self, key: &[u8]) -> Result<Key, Error> {
        match key {
            br#""items""# if self.had_items => Err(unreadable("it has items twice")),
            br#""items""# => {
                self.had_items = true;
                Ok(Key::Items)
            }
            br#""metadata""# => Ok(Key::Metadata),
            _ => Ok(Key::Other),
        }
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        match (self.state, self.had_items) {
            (State::End, true) => Ok(()),
            // Something else than a list is not an empty list.
            (State::End, false) => Err(unreadable("it has no items")),
            _ => Err(unreadable("the JSON ends too early")),
        }
    }
}
