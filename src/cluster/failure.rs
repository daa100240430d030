//! Answers of failure: a Status object in either encoding, or plain text as from API Priority and Fairness.

use super::encoding::Format;
use super::error::{Error, retry_after};
use super::slim::clipped;
use http::{HeaderMap, StatusCode};

/// The most bytes of a plain-text answer that are passed on as its message.
const PLAIN_TEXT_MAX: usize = 256;

/// The most bytes of a Status object's message that are passed on. A validation error of many fields has a few thousand.
const MESSAGE_MAX: usize = 8 * 1024;

impl Error {
    /// The failure that the API server answered: a Status object, or plain text as from API Priority and Fairness.
    pub(super) fn answered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let (reason, message) = match Format::of(headers).status(body) {
            Some(told) => {
                (clipped(&told.reason, PLAIN_TEXT_MAX).to_owned(), clipped(&told.message, MESSAGE_MAX).to_owned())
            }
            None => (String::new(), plain_text(status, body)),
        };
        Self::Answered { status, reason, message, retry_after: retry_after(headers) }
    }
}

fn plain_text(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(PLAIN_TEXT_MAX)]);
    match text.trim() {
        "" => status.to_string(),
        text => text.to_owned(),
    }
}
