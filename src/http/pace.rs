//! Time-outs of a connection: heads that do not come, answers that are not read.
//!
//! actix times the first request head of a connection only: a caller could begin a second one, stop in the middle and
//! hold its connection for ever, and so could one whose answer came before the end of its chunked body. So each stream
//! is wrapped in [`Paced`], which times every head itself, and actix's own timers of heads and of idle connections are
//! off. A caller that reads nothing more of its answer is hung up on, too. [`keep_pace`] tells the stream when a request
//! is being answered; until then, and from the end of its answer on, the clock runs.
//!
//! The stream also sends the large bodies that answers put into the connection's [`Outbox`].

use super::error::ApiError;
use super::outbox::Outbox;
use super::readiness::Readiness;
use crate::aenv::envelope::Envelope;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use bytes::{Buf as _, Bytes};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Instant, Sleep, sleep_until};

/// Time that a caller is given for each step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A whole request head, from its first byte or from the connection's first moment.
    pub(super) head: Duration,
    /// The first byte of another request.
    pub(super) idle: Duration,
    /// Reading an answer that is the last one.
    pub(super) farewell: Duration,
    /// Reading some more of an answer.
    pub(super) write: Duration,
}

/// How often a write that makes no progress is looked at: its time gets shorter when the replica stops.
const TICK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Between two requests.
    Idle,
    /// A part of a head has arrived, or could have.
    Head,
    /// Whoever answers has deadlines of its own.
    Answering,
    /// The last answer has been given.
    Farewell,
}

/// Where a connection stands, known to its stream and to those who answer its requests.
#[derive(Debug)]
struct Pace(Cell<(Phase, Instant)>);

impl Pace {
    fn enter(&self, phase: Phase) {
        self.0.set((phase, Instant::now()));
    }

    fn phase(&self) -> Phase {
        self.0.get().0
    }

    fn deadline(&self, patience: Patience) -> Option<Instant> {
        let (phase, since) = self.0.get();
        let patience = match phase {
            Phase::Idle => patience.idle,
            Phase::Head => patience.head,
            Phase::Answering => return None,
            Phase::Farewell => patience.farewell,
        };
        Some(since + patience)
    }
}

/// A stream that ends when its other side takes too long.
pub(super) struct Paced<S> {
    stream: S,
    pace: Rc<Pace>,
    outbox: Rc<Outbox>,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    /// True if a part of an answer may still be unwritten.
    unflushed: bool,
    /// Since when the other side has taken nothing.
    stalled: Option<Instant>,
    stall_timer: Option<Pin<Box<Sleep>>>,
    readiness: Readiness,
}

impl<S: AsyncWrite + Unpin> Paced<S> {
    /// The stream of a new connection, whose first head is due.
    pub(super) fn new(stream: S, patience: Patience, readiness: Readiness) -> Self {
        let now = Instant::now();
        Self {
            stream,
            pace: Rc::new(Pace(Cell::new((Phase::Head, now)))),
            outbox: Rc::default(),
            patience,
            timer: Box::pin(sleep_until(now + patience.head)),
            unflushed: false,
            stalled: None,
            stall_timer: None,
            readiness,
        }
    }

    /// `written`, unless the other side has taken nothing for too long. A replica that stops waits no longer than for a
    /// farewell.
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let now = Instant::now();
        let since = *self.stalled.get_or_insert(now);
        let Patience { write, farewell, .. } = self.patience;
        let end = since + if self.readiness.is_ready() { write } else { write.min(farewell) };
        if now >= end {
            let why = "the caller does not read its answer (server.write_timeout_ms)";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
        }
        let look = end.min(now + TICK);
        let timer = self.stall_timer.get_or_insert_with(|| Box::pin(sleep_until(look)));
        timer.as_mut().reset(look);
        if timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Makes the connection known to [`keep_pace`] and to answers.
    pub(super) fn introduce(&self, connection: &mut Extensions) {
        connection.insert(Rc::clone(&self.pace));
        connection.insert(Rc::clone(&self.outbox));
    }

    /// Writes `head` and the body behind it; the count is that of the head's bytes.
    fn poll_write_with(&mut self, head: &[u8], mut body: Bytes, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let pieces = [IoSlice::new(head), IoSlice::new(&body)];
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, &pieces);
        if let Poll::Ready(Ok(count)) = written {
            body.advance(count.saturating_sub(head.len()));
        }
        self.outbox.put(body);
        written.map_ok(|count| count.min(head.len()))
    }

    /// Writes the rest of the body in the outbox, if there is one.
    fn poll_empty_outbox(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut body) = self.outbox.take() else { return Poll::Ready(Ok(())) };
        let written = self.poll_write_all(&mut body, cx);
        self.outbox.put(body);
        ready!(written)?;
        // So that the body is asked for more, and ends.
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    fn poll_write_all(&mut self, body: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !body.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, body);
            match ready!(self.in_time(written, cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => body.advance(count),
            }
        }
        Poll::Ready(Ok(()))
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
        if matches!(self.pace.phase(), Phase::Head) && !self.unflushed {
            // It ends in any case, so whether all of this is taken is not looked at.
            let _ = Pin::new(&mut self.stream).poll_write(cx, &slow_head());
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        let written = match self.outbox.take() {
            Some(body) => self.poll_write_with(buf, body, cx),
            None => Pin::new(&mut self.stream).poll_write(cx, buf),
        };
        self.in_time(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty_outbox(cx))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        ready!(self.in_time(flushed, cx))?;
        self.unflushed = false;
        // An answer may just have ended, and nothing be read until the next request: the clock starts here.
        if self.poll_late(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Stops the connection's clock while `request` is answered, and until the answer has been handed over.
pub(super) async fn keep_pace(
    request: ServiceRequest,
    next: Next<impl MessageBody + Unpin>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut turn = Turn { pace: request.conn_data().cloned(), then: Phase::Idle };
    turn.enter(Phase::Answering);
    let answered = next.call(request).await?;
    if !answered.response().keep_alive() {
        turn.then = Phase::Farewell;
    }
    Ok(answered.map_body(|_, body| PacedBody { body, _turn: turn }))
}

/// The answering of one request. `None` where there is no connection, as in tests of handlers.
struct Turn {
    pace: Option<Rc<Pace>>,
    then: Phase,
}

impl Turn {
    fn enter(&self, phase: Phase) {
        if let Some(pace) = &self.pace {
            pace.enter(phase);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.enter(self.then);
    }
}

/// A body at whose end the turn is over.
struct PacedBody<B> {
    body: B,
    _turn: Turn,
}

impl<B: MessageBody + Unpin> MessageBody for PacedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
