//! Stream of a connection: hung up on when its caller takes too long.
//!
//! actix times the first request head of a connection only: a caller could begin a second one, stop in the middle and
//! hold its connection for ever, and so could one whose answer came before the end of its chunked body. So each stream
//! is wrapped in [`Paced`], which times every head itself, at the connection's [pace](super::pace), and has the reading of
//! every answer timed by its [writer](super::writer); actix's own timers of heads and of idle connections are off.
//!
//! The stream also sends the large bodies that answers put into the connection's [`Outbox`], and answers requests that
//! are [repeated](super::repeat).

use super::error::ApiError;
use super::outbox::Outbox;
use super::pace::{PIECE, Pace, Patience, Phase};
use super::readiness::Readiness;
use super::repeat::Repeats;
use super::tls::Transport;
use super::unsent::Unsent;
use super::writer::Writer;
use crate::aenv::envelope::Envelope;
use actix_web::ResponseError;
use actix_web::dev::Extensions;
use bytes::Bytes;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream that ends when its other side takes too long.
pub(super) struct Paced<S> {
    writer: Writer<S>,
    pace: Rc<Pace>,
    outbox: Rc<Outbox>,
    repeats: Rc<Repeats>,
    /// Unsent part of an answer to a repeated request.
    reply: Option<Unsent>,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    /// Bytes that have been read and not been given to actix yet.
    ahead: Bytes,
    /// Kept as long as the connection.
    _send_buffer: Option<OwnedSemaphorePermit>,
}

impl<S: AsyncWrite + Transport + Unpin> Paced<S> {
    /// The stream of a new connection, whose first head is due.
    pub(super) fn new(
        stream: S,
        patience: Patience,
        readiness: Readiness,
        send_buffer: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let now = Instant::now();
        Self {
            writer: Writer::new(stream, patience, readiness),
            pace: Rc::new(Pace::new(now)),
            outbox: Rc::default(),
            repeats: Rc::default(),
            reply: None,
            patience,
            timer: Box::pin(sleep_until(now + patience.head)),
            ahead: Bytes::new(),
            _send_buffer: send_buffer,
        }
    }

    /// Makes the connection known to those who answer its requests.
    pub(super) fn introduce(&self, connection: &mut Extensions) {
        connection.insert(Rc::clone(&self.pace));
        connection.insert(Rc::clone(&self.outbox));
        connection.insert(Rc::clone(&self.repeats));
    }

    /// Sends the rest of the body in the outbox, if there is one.
    fn poll_empty_outbox(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut body) = self.outbox.take() else { return Poll::Ready(Ok(())) };
        let sent = self.writer.poll_send_all(&mut body, cx);
        self.outbox.put(body);
        ready!(sent)?;
        // So that the body is asked for more, and ends.
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    /// Sends what is unsent of an answer to a repeated request.
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut reply) = self.reply.take() else { return Poll::Ready(Ok(())) };
        let sent = self.writer.poll_send_all(&mut reply, cx);
        if sent.is_pending() {
            self.pace.enter(Phase::Answering);
            self.reply = Some(reply);
            return Poll::Pending;
        }
        self.pace.enter(Phase::Idle);
        self.writer.ended();
        sent
    }

    /// True if the time is over; if not, the task is woken when it is.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.pace.deadline(self.patience) else { return Poll::Pending };
        // From one request to the next it is put off: the timer follows when it goes off, not every time.
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Says why the connection ends, if the other side can have no doubt what this is the answer to.
    fn refuse(&mut self, cx: &mut Context<'_>) {
        if matches!(self.pace.phase(), Phase::Head) && !self.pace.has_unflushed() {
            // It ends in any case, so whether all of this is taken is not looked at.
            let _ = self.writer.stream().poll_write(cx, &slow_head());
        }
        self.pace.enter(Phase::Farewell);
    }
}

/// The whole answer to a head that took too long.
fn slow_head() -> Vec<u8> {
    let error = ApiError::SlowHead;
    let status = error.status_code();
    let body = Envelope::failure(status.as_u16(), &error.to_string()).to_json();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

impl<S: AsyncRead + AsyncWrite + Transport + Unpin> Paced<S> {
    /// Reads no more than is allowed at the moment, and nothing while an answer of the stream's own is unwritten.
    fn poll_piece(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = ready!(self.pace.poll_allowance(cx)).min(buf.remaining());
        if self.reply.is_some() {
            return Poll::Pending;
        }
        if !self.ahead.is_empty() {
            self.repeats.forget();
            let count = self.pace.give(&self.ahead[..most.min(self.ahead.len())]);
            buf.put_slice(&self.ahead.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let mut piece = [MaybeUninit::uninit(); PIECE];
        let mut piece = ReadBuf::uninit(&mut piece[..most]);
        let mut begins;
        // Ends with tokio's budget of a task, however fast the caller goes on.
        loop {
            let Poll::Ready(read) = self.writer.stream().poll_read(cx, &mut piece) else {
                self.pace.has_read_all();
                return Poll::Pending;
            };
            read?;
            begins = self.pace.is_between_requests();
            self.reply = if begins { self.repeats.answer(piece.filled()) } else { None };
            if self.reply.is_none() {
                break;
            }
            ready!(self.poll_reply(cx))?;
            piece.clear();
        }
        let (given, ahead) = piece.filled().split_at(self.pace.give(piece.filled()));
        if begins && ahead.is_empty() && given.ends_with(b"\r\n\r\n") {
            self.repeats.begin(given);
        } else {
            self.repeats.forget();
        }
        buf.put_slice(given);
        self.ahead = Bytes::copy_from_slice(ahead);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Transport + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = self.poll_piece(cx, buf) {
            if matches!(self.pace.phase(), Phase::Idle) {
                self.pace.enter(Phase::Head);
            }
            return Poll::Ready(read);
        }
        ready!(self.poll_late(cx));
        self.refuse(cx);
        // The end of the stream, for which actix closes the connection once all is written.
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Transport + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.pace.writes();
        let Some(mut body) = self.outbox.take() else { return self.writer.poll_write(buf, cx) };
        let written = self.writer.poll_write_with(buf, &mut body, cx);
        self.outbox.put(body);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty_outbox(cx))?;
        if self.reply.is_some() {
            ready!(self.poll_reply(cx))?;
            // So that the next request is read.
            cx.waker().wake_by_ref();
        }
        ready!(self.writer.poll_flush(cx))?;
        if !matches!(self.pace.phase(), Phase::Answering) {
            self.writer.ended();
        }
        self.pace.flushed();
        // An answer may just have ended, and nothing be read until the next request: the clock starts here.
        if self.poll_late(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.stream().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::repeat::Head;
    use actix_web::http::StatusCode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Duration;

    const PATIENCE: Patience = Patience::OF_TESTS;

    #[tokio::test]
    async fn little_is_read_of_what_a_caller_sends_ahead_of_its_answer() {
        let (near, mut far) = duplex(100_000);
        far.write_all(&[b'x'; 50_000]).await.unwrap();
        let mut paced = Paced::new(near, PATIENCE, Readiness::ready(), None);
        let pace = Rc::clone(&paced.pace);
        let mut read = 0;
        let mut go_on = async |paced: &mut Paced<DuplexStream>| {
            let mut some = [0; 8192];
            let reads = async {
                while let Ok(more @ 1..) = paced.read(&mut some).await {
                    read += more;
                }
            };
            let _ = tokio::time::timeout(Duration::from_millis(50), reads).await;
            read
        };
        pace.set_busy(true);
        assert_eq!(go_on(&mut paced).await, 1, "to see the caller hang up");
        assert_eq!(go_on(&mut paced).await, 1, "nothing more while it is answered");
        pace.set_busy(false);
        assert_eq!(go_on(&mut paced).await, 50_000);
    }

    #[tokio::test]
    async fn requests_that_arrive_together_are_given_one_by_one() {
        let (near, mut far) = duplex(100_000);
        let all = b"GET /pods HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
        far.write_all(&all).await.unwrap();
        let mut paced = Paced::new(near, PATIENCE, Readiness::ready(), None);
        let mut given: Vec<u8> = Vec::new();
        while given.len() < all.len() {
            let mut some = [0; 8192];
            let count = paced.read(&mut some).await.unwrap();
            let end = some[..count].windows(4).position(|bytes| bytes == b"\r\n\r\n");
            assert!(end.is_none_or(|end| end + 4 == count), "nothing comes with the end of a head");
            given.extend(&some[..count]);
        }
        assert_eq!(given, all);
    }

    const GET: &[u8] = b"GET /pods HTTP/1.1\r\nHost: x\r\n\r\n";

    /// Bytes that a connection gives to actix; none, while it waits for more.
    async fn given(paced: &mut Paced<DuplexStream>) -> Vec<u8> {
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        let reads = async {
            while let Ok(count @ 1..) = paced.read(&mut some).await {
                all.extend_from_slice(&some[..count]);
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(50), reads).await;
        all
    }

    /// A connection whose last request was `GET`, to be answered with `body` when it is repeated, and its other end. The
    /// system takes `room` bytes of an answer.
    async fn answered_once(body: &'static [u8], room: usize) -> (Paced<DuplexStream>, DuplexStream) {
        let (near, mut far) = duplex(room);
        let mut paced = Paced::new(near, PATIENCE, Readiness::ready(), None);
        paced.pace.enter(Phase::Idle);
        far.write_all(GET).await.unwrap();
        assert_eq!(given(&mut paced).await, GET);
        assert!(paced.repeats.compares());
        paced.repeats.keep(Box::new(|| Some(Head::new(StatusCode::OK).with(Some(Bytes::from_static(body).into())))));
        paced.pace.enter(Phase::Idle);
        (paced, far)
    }

    /// An answer with a body of `length` bytes.
    async fn read_answer(far: &mut DuplexStream, length: usize) -> (String, Vec<u8>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(far.read_u8().await.unwrap());
        }
        let mut body = vec![0; length];
        far.read_exact(&mut body).await.unwrap();
        (String::from_utf8(head).unwrap(), body)
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeated_request_is_answered_and_not_given_to_actix() {
        let (mut paced, mut far) = answered_once(b"rows", 4096).await;
        for _ in 0..3 {
            far.write_all(GET).await.unwrap();
            assert_eq!(given(&mut paced).await, b"");
            let (head, body) = read_answer(&mut far, 4).await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ndate: "), "{head}");
            assert_eq!(body, b"rows");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_a_repetition_is_given_to_actix_and_so_is_what_follows() {
        let longer = [b"GET /pods HTTP/1.1\r\nX: y\r\nHost: x\r\n\r\n", GET].concat();
        for other in [&GET[..GET.len() - 2], b"x", &longer, &GET.repeat(2), b"GET /pods HTTP/1.1\nHost: x\n\n"] {
            let (mut paced, mut far) = answered_once(b"rows", 4096).await;
            far.write_all(other).await.unwrap();
            assert_eq!(given(&mut paced).await, other);
            assert!(paced.repeats.answer(GET).is_none(), "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_answered_out_of_turn() {
        type Trouble = fn(&Pace);
        let out_of_turn: [Trouble; 3] =
            [|pace| pace.enter(Phase::Answering), |pace| pace.writes(), |pace| _ = pace.give(b"GET ")];
        for trouble in out_of_turn {
            let (mut paced, mut far) = answered_once(b"rows", 4096).await;
            trouble(&paced.pace);
            far.write_all(GET).await.unwrap();
            assert_eq!(given(&mut paced).await, GET);
        }
    }

    #[tokio::test]
    async fn the_next_request_is_read_when_all_of_the_answer_is_written() {
        static LARGE: [u8; 50_000] = [b'x'; 50_000];
        let (mut paced, mut far) = answered_once(&LARGE, 256).await;
        far.write_all(GET).await.unwrap();
        assert_eq!(given(&mut paced).await, b"");
        assert!(matches!(paced.pace.phase(), Phase::Answering));
        let (_, (_, body)) = tokio::join!(paced.flush(), read_answer(&mut far, LARGE.len()));
        assert_eq!(body, LARGE);
        far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(given(&mut paced).await, b"GET / HTTP/1.1\r\n\r\n");
    }
}
