//! Unsent part of an answer: the rest of its head, and of its body.
//!
//! The body of an answer to a [repeated](super::repeat) request is sent from its file, where there is one. Those of the answers
//! that actix gives have none: connections on which the first answer was sent from a file stayed at half of the requests of
//! others, for a reason that was not found.

use super::tls::Transport;
use crate::aenv::rows::{Body, TextFile};
use bytes::{Buf as _, Bytes};
use std::io::{self, Cursor, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// Bytes on their way to a caller. The body is shared by all who are sent it.
pub(super) struct Unsent {
    head: Cursor<Vec<u8>>,
    body: Bytes,
    file: Option<Part>,
}

/// The part of a file that is the unsent body once more.
struct Part {
    file: Arc<TextFile>,
    from: u64,
}

impl Unsent {
    /// `head`, and `body` behind it.
    pub(super) fn new(head: Vec<u8>, body: Body) -> Self {
        Self { head: Cursor::new(head), body: body.bytes, file: body.file.map(|file| Part { file, from: 0 }) }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.head.has_remaining() && self.body.is_empty()
    }

    /// The rest of its body.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Sends some of it; the count is to be told to [`Self::advance`].
    pub(super) fn poll_send<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        S: AsyncWrite + Transport + Unpin,
    {
        if let (Some(part), Some(stream)) = (&self.file, stream.plain()) {
            let sent = ready!(poll_send_file(stream, self.head.chunk(), part, self.body.len(), cx));
            if !sent.as_ref().is_err_and(is_impossible) {
                return Poll::Ready(sent);
            }
            self.file = None;
        }
        let pieces = [IoSlice::new(self.head.chunk()), IoSlice::new(&self.body)];
        Pin::new(stream).poll_write_vectored(cx, &pieces)
    }

    /// `count` bytes of it have been sent.
    pub(super) fn advance(&mut self, count: usize) {
        let of_head = count.min(self.head.remaining());
        self.head.advance(of_head);
        self.body.advance(count - of_head);
        if let Some(part) = &mut self.file {
            part.from += (count - of_head) as u64;
        }
    }
}

/// Sends some of `head`, or if there is none some of the next `count` bytes of the file.
#[cfg(target_os = "linux")]
fn poll_send_file(
    stream: &TcpStream,
    head: &[u8],
    part: &Part,
    count: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    use rustix::fs::sendfile;
    use rustix::net::{SendFlags, send};
    use tokio::io::Interest;
    let mut from = part.from;
    loop {
        ready!(stream.poll_write_ready(cx))?;
        let sent = stream.try_io(Interest::WRITABLE, || {
            Ok(match head {
                [] => sendfile(stream, part.file.file(), Some(&mut from), count)?,
                // In one packet with what follows: on its own it would wake the caller once more.
                head => send(stream, head, SendFlags::MORE | SendFlags::NOSIGNAL)?,
            })
        });
        // The system takes nothing at the moment, and its readiness has been withdrawn.
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            continue;
        }
        return Poll::Ready(sent);
    }
}

#[cfg(not(target_os = "linux"))]
fn poll_send_file(_: &TcpStream, _: &[u8], _: &Part, _: usize, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
    Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
}

/// True if the system sends no files, as under a filter of system calls.
fn is_impossible(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aenv::rows::{Coding, Rendering};
    use crate::http::tls::Wire;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio_util::either::Either;

    /// Bytes of `unsent` that reach a caller.
    async fn received(mut unsent: Unsent) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream: Wire = Either::Left(listener.accept().await.unwrap().0);
        let sends = async {
            while !unsent.is_empty() {
                let count = poll_fn(|cx| unsent.poll_send(&mut stream, cx)).await.unwrap();
                unsent.advance(count);
            }
            drop(stream);
        };
        let mut received = Vec::new();
        let (_, read) = tokio::join!(sends, caller.read_to_end(&mut received));
        read.unwrap();
        received
    }

    #[tokio::test]
    async fn head_and_body_arrive_as_one_whether_they_are_written_or_sent_from_a_file() {
        let text = (0..500_000).map(|n| b'a' + (n % 23) as u8).collect::<Vec<_>>();
        let body = Rendering::document(text.clone()).encoded(Coding::Identity).await.unwrap();
        assert_eq!(body.file.is_some(), cfg!(target_os = "linux"));
        let expected = [b"head".as_slice(), &text].concat();
        for body in [body.clone(), body.bytes.into()] {
            assert!(received(Unsent::new(b"head".to_vec(), body.clone())).await == expected);
            assert!(received(Unsent::new(Vec::new(), body)).await == text);
        }
    }

    #[tokio::test]
    async fn where_no_file_can_be_sent_the_bytes_are_written() {
        let bytes = Bytes::from(vec![b'x'; 200_000]);
        let file = Some(Arc::new(TextFile::unsendable()));
        let expected = [b"head".as_slice(), &bytes].concat();
        assert!(received(Unsent::new(b"head".to_vec(), Body { bytes, file })).await == expected);
    }
}
