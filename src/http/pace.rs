//! Pace of a connection: the time that its caller has for each step, and the bytes that are read of it meanwhile.
//!
//! A [`Turn`] tells the connection's [stream](super::stream) that a request is being answered; until then, and from the end
//! of its answer on, the clock runs. The next request is begun only when the system has taken all of the answer before:
//! unread answers would pile up in actix's buffer. Of what a caller sends ahead actix is given [one part](super::parts) at
//! a time.

use super::parts::Part;
use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::time::{Duration, Instant};

/// Time that a caller is given for each step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A whole request head, from its first byte or from the connection's first moment.
    pub(super) head: Duration,
    /// The first byte of another request.
    pub(super) idle: Duration,
    /// Reading an answer that is the last one.
    pub(super) farewell: Duration,
    /// Reading the next portion of an answer.
    pub(super) write: Duration,
}

#[cfg(test)]
impl Patience {
    pub(super) const OF_TESTS: Self = Self {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        farewell: Duration::from_secs(1),
        write: Duration::from_secs(10),
    };
}

/// Bytes that are read at once. Nearly all heads fit.
pub(super) const PIECE: usize = 2 * 1024;

#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    /// Between two requests.
    Idle,
    /// A part of a head has arrived, or could have.
    Head,
    /// Whoever answers has deadlines of its own.
    Answering,
    /// The last answer has been given.
    Farewell,
}

/// State of a connection, shared by its stream and those who answer its requests.
#[derive(Debug)]
pub(super) struct Pace {
    phase: Cell<(Phase, Instant)>,
    /// True if a part of an answer may still be unwritten.
    unflushed: Cell<bool>,
    /// Bytes that actix may still be given before others have their turn, or, while `busy`, before the answer has ended.
    allowance: Cell<usize>,
    /// True while a request is answered of which nothing more is to be read.
    busy: Cell<bool>,
    part: Cell<Part>,
    /// The connection's task, if it waits for one of these to change.
    task: RefCell<Option<Waker>>,
}

impl Pace {
    /// That of a new connection, whose first head is due.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Cell::new((Phase::Head, now)),
            unflushed: Cell::new(false),
            allowance: Cell::new(PIECE),
            busy: Cell::new(false),
            part: Cell::new(Part::HEAD),
            task: RefCell::default(),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set((phase, Instant::now()));
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get().0
    }

    /// True if nothing of the next request has come, and all of the answer before it is with the system.
    pub(super) fn is_between_requests(&self) -> bool {
        let is_idle = matches!(self.phase(), Phase::Idle) && !self.busy.get() && !self.unflushed.get();
        is_idle && self.part.get() == Part::HEAD
    }

    pub(super) fn has_unflushed(&self) -> bool {
        self.unflushed.get()
    }

    /// A part of an answer may be unwritten from now on.
    pub(super) fn writes(&self) {
        self.unflushed.set(true);
    }

    /// All has been written.
    pub(super) fn flushed(&self) {
        self.unflushed.set(false);
        self.wake();
    }

    fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.unflushed.get() {
            return Poll::Ready(());
        }
        self.wait(cx);
        Poll::Pending
    }

    /// The most bytes that actix may be given now.
    pub(super) fn poll_allowance(&self, cx: &mut Context<'_>) -> Poll<usize> {
        match self.allowance.get() {
            0 if self.busy.get() => self.wait(cx),
            0 => {
                self.allowance.set(PIECE);
                cx.waker().wake_by_ref();
            }
            allowance => return Poll::Ready(allowance),
        }
        Poll::Pending
    }

    /// Number of the first of these bytes that actix is given now. If more comes after a head, actix looks at that first.
    pub(super) fn give(&self, bytes: &[u8]) -> usize {
        let (count, next) = self.part.get().take(bytes);
        self.part.set(next);
        self.allowance.set(if count < bytes.len() { 0 } else { self.allowance.get().saturating_sub(count) });
        count
    }

    /// The caller has sent nothing more.
    pub(super) fn has_read_all(&self) {
        if !self.busy.get() {
            self.allowance.set(PIECE);
        }
    }

    /// While a request is answered nothing more is read. One byte is, to see the caller hang up.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.set(busy);
        self.allowance.set(if busy { 1 } else { PIECE });
        self.wake();
    }

    /// Ends a chunked body with the answer: a head comes next. The rest of a body whose length is known still comes.
    fn ends_chunks(&self) {
        if self.part.get() == Part::Chunked {
            self.part.set(Part::HEAD);
        }
    }

    fn wake(&self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    fn wait(&self, cx: &mut Context<'_>) {
        self.task.replace(Some(cx.waker().clone()));
    }

    /// The end of the caller's time for this step; `None`: it is not the caller who is waited for.
    pub(super) fn deadline(&self, patience: Patience) -> Option<Instant> {
        let (phase, since) = self.phase.get();
        let patience = match phase {
            Phase::Idle => patience.idle,
            Phase::Head => patience.head,
            Phase::Answering => return None,
            Phase::Farewell => patience.farewell,
        };
        Some(since + patience)
    }
}

/// Tells the connection of `request` that its whole body has come.
pub(super) fn body_has_come(request: &HttpRequest) {
    if let Some(pace) = request.conn_data::<Rc<Pace>>() {
        pace.set_busy(true);
    }
}

/// The answering of one request: the connection's clock stands still until the answer has been handed over. `None` where
/// there is no connection, as in tests of handlers.
pub(super) struct Turn {
    pace: Option<Rc<Pace>>,
    then: Phase,
}

impl Turn {
    /// Waits until the answer to the request before is on its way, and then, if there is a body, has it read.
    pub(super) async fn begin(request: &ServiceRequest) -> Self {
        let turn = Self { pace: request.conn_data().cloned(), then: Phase::Idle };
        if let Some(pace) = &turn.pace {
            let next = Part::after(request.headers());
            pace.part.set(next);
            pace.set_busy(true);
            poll_fn(|cx| pace.poll_flushed(cx)).await;
            pace.set_busy(next == Part::HEAD);
            pace.enter(Phase::Answering);
        }
        turn
    }

    /// Ends with the body of the answer.
    pub(super) fn end_with<B: MessageBody + Unpin>(
        mut self,
        answered: ServiceResponse<B>,
    ) -> ServiceResponse<impl MessageBody> {
        if !answered.response().keep_alive() {
            self.then = Phase::Farewell;
        }
        answered.map_body(|_, body| PacedBody { body, _turn: self })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(pace) = &self.pace {
            pace.enter(self.then);
            pace.writes();
            pace.ends_chunks();
            pace.set_busy(false);
        }
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
