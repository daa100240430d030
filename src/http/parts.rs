//! Parts of what a caller sends: where a request's head ends, and its body.
//!
//! actix takes apart all the requests that it is given, and each is kilobytes then, though they are answered one by one.
//! So it is given one head at a time, and what follows when that has been taken up.

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use memchr::memchr_iter;

/// Most bytes of a chunked body that are given at once: its end is not known here, and a few requests may follow in them.
const CHUNKED_PIECE: usize = 256;

/// The part that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A head, up to its empty line.
    Head(Line),
    /// A body of which so many bytes are missing.
    Body(u64),
    /// A body whose end only actix sees.
    Chunked,
}

/// Progress of the present line of a head. A line may end without a carriage return (RFC 9112, section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The first of a head, of which nothing has come.
    First,
    Empty,
    /// Nothing but a carriage return.
    Returned,
    Begun,
}

impl Line {
    /// The same line once `more` of it has come.
    fn and(self, more: &[u8]) -> Self {
        match (self, more) {
            (_, []) => self,
            (Self::Empty, b"\r") => Self::Returned,
            _ => Self::Begun,
        }
    }
}

impl Part {
    /// The head of a request.
    pub(super) const HEAD: Self = Self::Head(Line::First);

    /// The part that follows a head with these `headers`.
    pub(super) fn after(headers: &HeaderMap) -> Self {
        if headers.contains_key(TRANSFER_ENCODING) {
            return Self::Chunked;
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        length.filter(|length| *length > 0).map_or(Self::HEAD, Self::Body)
    }

    /// Number of the first of `bytes` that may be given at once, and what comes after them.
    pub(super) fn take(self, bytes: &[u8]) -> (usize, Self) {
        match self {
            Self::Head(mut line) => {
                let mut begin = 0;
                for end in memchr_iter(b'\n', bytes) {
                    if matches!(line.and(&bytes[begin..end]), Line::Empty | Line::Returned) {
                        return (end + 1, Self::HEAD);
                    }
                    (begin, line) = (end + 1, Line::Empty);
                }
                (bytes.len(), Self::Head(line.and(&bytes[begin..])))
            }
            Self::Body(missing) => {
                let count = usize::try_from(missing).map_or(bytes.len(), |missing| missing.min(bytes.len()));
                let missing = missing - count as u64;
                (count, if missing == 0 { Self::HEAD } else { Self::Body(missing) })
            }
            Self::Chunked => (bytes.len().min(CHUNKED_PIECE), Self::Chunked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    /// The pieces that `bytes` are cut into, given as they come in pieces of `size`.
    fn heads(bytes: &str, size: usize) -> Vec<String> {
        let (mut part, mut heads) = (Part::HEAD, vec![String::new()]);
        for mut piece in bytes.as_bytes().chunks(size) {
            while !piece.is_empty() {
                let (count, next) = part.take(piece);
                heads.last_mut().unwrap().push_str(std::str::from_utf8(&piece[..count]).unwrap());
                if next == Part::HEAD && heads.last().unwrap().ends_with('\n') {
                    heads.push(String::new());
                }
                (part, piece) = (next, &piece[count..]);
            }
        }
        heads.retain(|head| !head.is_empty());
        heads
    }

    #[test]
    fn requests_are_cut_after_each_head_however_they_arrive() {
        let sent =
            ["GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /b HTTP/1.1\nHost: y\n\n", "GET /c HTTP/1.1\nA: \r\r\n\r\n"];
        for size in 1..90 {
            assert_eq!(heads(&sent.concat(), size), sent, "in pieces of {size}");
        }
    }

    #[test]
    fn a_body_is_as_long_as_its_head_says() {
        let after = |name, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            Part::after(&headers)
        };
        assert_eq!(Part::after(&HeaderMap::new()), Part::HEAD);
        assert_eq!(after(CONTENT_LENGTH, "0"), Part::HEAD);
        assert_eq!(after(TRANSFER_ENCODING, "chunked"), Part::Chunked);
        let body = after(CONTENT_LENGTH, "5");
        assert_eq!(body.take(b"a\n\n"), (3, Part::Body(2)));
        assert_eq!(body.take(b"a\n\nb\nGET"), (5, Part::HEAD));
        assert_eq!(after(CONTENT_LENGTH, "18446744073709551615").take(b"abc").0, 3);
    }
}
