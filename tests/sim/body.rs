//! Bodies of answers that come in pieces, late, or not to their end.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Duration, Sleep, sleep};

/// A body, with what has to be kept until it has been read.
pub(crate) struct Pieces<G> {
    pieces: VecDeque<(Duration, io::Result<Bytes>)>,
    pause: Option<Pin<Box<Sleep>>>,
    _guard: G,
}

impl<G> Pieces<G> {
    /// Each piece comes so long after the one before.
    pub(crate) fn new(pieces: impl IntoIterator<Item = (Duration, io::Result<Bytes>)>, guard: G) -> Self {
        Self { pieces: pieces.into_iter().collect(), pause: None, _guard: guard }
    }
}

impl<G: Unpin> Body for Pieces<G> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some((delay, _)) = self.pieces.front() else { return Poll::Ready(None) };
        if !delay.is_zero() {
            let delay = *delay;
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(delay)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let piece = self.pieces.pop_front().map(|(_, piece)| piece.map(Frame::data));
        Poll::Ready(piece)
    }
}
