//! Time-outs of a connection: heads that do not come, answers that are not read.
//!
//! actix times the first request head of a connection only: a caller could begin a second one, stop in the middle and
//! hold its connection for ever, and so could one whose answer came before the end of its chunked body. So each stream
//! is wrapped in [`Paced`], which times every head itself, and actix's own timers of heads and of idle connections are
//! off. [`keep_pace`] tells the stream when a request is being answered; until then, and from the end of its answer on,
//! the clock runs. A caller that reads its answer too slowly is hung up on, too, and the next of its requests is begun only
//! when the system has taken all of the answer before: unread answers would pile up in actix's buffer. actix takes apart
//! every request that it has been given, and each is kilobytes then: so it is given little of what a caller sends ahead.
//!
//! The stream also sends the large bodies that answers put into the connection's [`Outbox`].

use super::error::ApiError;
use super::outbox::Outbox;
use super::readiness::Readiness;
use super::reading::Reading;
use super::tls::Abort;
use crate::aenv::envelope::Envelope;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError};
use bytes::{Buf as _, Bytes};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
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
    /// Reading the next portion of an answer.
    pub(super) write: Duration,
}

/// How often a write that makes no progress is looked at: its time gets shorter when the replica stops.
const TICK: Duration = Duration::from_secs(1);

/// Bytes that are read at once, and of what follows a request while that is answered. Nearly all heads fit.
const PIECE: usize = 2 * 1024;

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
struct Pace {
    phase: Cell<(Phase, Instant)>,
    /// True if a part of an answer may still be unwritten.
    unflushed: Cell<bool>,
    /// Bytes that may still be read before others have their turn, or, while `busy`, before the answer has ended.
    allowance: Cell<usize>,
    /// True while a request is answered of which nothing more is to be read.
    busy: Cell<bool>,
    /// The connection's task, if it waits for one of these to change.
    task: RefCell<Option<Waker>>,
}

impl Pace {
    fn enter(&self, phase: Phase) {
        self.phase.set((phase, Instant::now()));
    }

    fn phase(&self) -> Phase {
        self.phase.get().0
    }

    fn flushed(&self) {
        self.unflushed.set(false);
        self.wake();
    }

    /// The next request may have been read already: more is read only when none is answered. One byte is, to see the
    /// caller hang up.
    fn set_busy(&self, busy: bool) {
        self.busy.set(busy);
        if busy {
            self.allowance.set(self.allowance.get().max(1));
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    fn wait(&self, cx: &mut Context<'_>) {
        self.task.replace(Some(cx.waker().clone()));
    }

    fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.unflushed.get() {
            return Poll::Ready(());
        }
        self.wait(cx);
        Poll::Pending
    }

    fn deadline(&self, patience: Patience) -> Option<Instant> {
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

/// A stream that ends when its other side takes too long.
pub(super) struct Paced<S> {
    stream: S,
    pace: Rc<Pace>,
    outbox: Rc<Outbox>,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    reading: Reading,
    read_timer: Option<Pin<Box<Sleep>>>,
    readiness: Readiness,
}

impl<S: AsyncWrite + Abort + Unpin> Paced<S> {
    /// The stream of a new connection, whose first head is due.
    pub(super) fn new(stream: S, patience: Patience, readiness: Readiness) -> Self {
        let now = Instant::now();
        Self {
            stream,
            pace: Rc::new(Pace {
                phase: Cell::new((Phase::Head, now)),
                unflushed: Cell::new(false),
                allowance: Cell::new(PIECE),
                busy: Cell::new(false),
                task: RefCell::default(),
            }),
            outbox: Rc::default(),
            patience,
            timer: Box::pin(sleep_until(now + patience.head)),
            reading: Reading::default(),
            read_timer: None,
            readiness,
        }
    }

    /// Counts what has been `written`. If the system takes nothing at the moment, waits until it does.
    fn in_time(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = written else { return self.poll_blocked(cx) };
        self.reading.took(*written.as_ref().unwrap_or(&0));
        Poll::Ready(written)
    }

    /// Waits until the system takes more, unless the caller has read too little for too long. A replica that stops waits
    /// no longer than for a farewell.
    fn poll_blocked<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let now = Instant::now();
        let since = self.reading.blocked(now);
        let Patience { write, farewell, .. } = self.patience;
        let end = since + if self.readiness.is_ready() { write } else { write.min(farewell) };
        if now >= end {
            self.stream.abort();
            let why = "the caller reads its answer too slowly (server.write_timeout_ms)";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
        }
        let look = end.min(now + TICK);
        let timer = self.read_timer.get_or_insert_with(|| Box::pin(sleep_until(look)));
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
        let written = self.in_time(written, cx);
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
        if matches!(self.pace.phase(), Phase::Head) && !self.pace.unflushed.get() {
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

impl<S: AsyncRead + AsyncWrite + Abort + Unpin> Paced<S> {
    /// Reads no more than is allowed at the moment.
    fn poll_piece(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let pace = &self.pace;
        if pace.allowance.get() == 0 {
            if pace.busy.get() {
                pace.wait(cx);
            } else {
                pace.allowance.set(PIECE);
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let mut piece = [0; PIECE];
        let most = pace.allowance.get().min(buf.remaining());
        let mut piece = ReadBuf::new(&mut piece[..most]);
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut piece) else {
            if !pace.busy.get() {
                pace.allowance.set(PIECE);
            }
            return Poll::Pending;
        };
        read?;
        buf.put_slice(piece.filled());
        pace.allowance.set(pace.allowance.get() - piece.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Abort + Unpin> AsyncRead for Paced<S> {
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

impl<S: AsyncWrite + Abort + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.pace.unflushed.set(true);
        match self.outbox.take() {
            Some(body) => self.poll_write_with(buf, body, cx),
            None => {
                let written = Pin::new(&mut self.stream).poll_write(cx, buf);
                self.in_time(written, cx)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty_outbox(cx))?;
        let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx) else { return self.poll_blocked(cx) };
        flushed?;
        if !matches!(self.pace.phase(), Phase::Answering) {
            self.reading.ended();
        }
        self.pace.flushed();
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

/// Stops the connection's clock while `request` is answered, and until the answer has been handed over. A request waits
/// for the answer to the one before.
pub(super) async fn keep_pace(
    request: ServiceRequest,
    next: Next<impl MessageBody + Unpin>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut turn = Turn { pace: request.conn_data().cloned(), then: Phase::Idle };
    turn.begin(has_body(request.headers())).await;
    let answered = next.call(request).await?;
    if !answered.response().keep_alive() {
        turn.then = Phase::Farewell;
    }
    Ok(answered.map_body(|_, body| PacedBody { body, _turn: turn }))
}

fn has_body(headers: &HeaderMap) -> bool {
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    !is_empty || headers.contains_key(TRANSFER_ENCODING)
}

/// Tells the connection of `request` that its whole body has come.
pub(super) fn body_has_come(request: &HttpRequest) {
    if let Some(pace) = request.conn_data::<Rc<Pace>>() {
        pace.set_busy(true);
    }
}

/// The answering of one request. `None` where there is no connection, as in tests of handlers.
struct Turn {
    pace: Option<Rc<Pace>>,
    then: Phase,
}

impl Turn {
    /// Waits until the answer before is on its way.
    async fn begin(&self, has_body: bool) {
        if let Some(pace) = &self.pace {
            pace.set_busy(true);
            poll_fn(|cx| pace.poll_flushed(cx)).await;
            pace.set_busy(!has_body);
            pace.enter(Phase::Answering);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(pace) = &self.pace {
            pace.enter(self.then);
            pace.unflushed.set(true);
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::sleep;

    impl Abort for DuplexStream {
        fn abort(&self) {}
    }

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        farewell: Duration::from_secs(1),
        write: Duration::from_secs(10),
    };

    /// An answer of 200 kB that is written to a caller who reads `bytes` at a time with `pause` in between.
    async fn answer_to(bytes: usize, pause: Duration) -> io::Result<()> {
        let (near, mut far) = duplex(4096);
        let reader = tokio::spawn(async move {
            let mut some = vec![0; bytes];
            while far.read_exact(&mut some).await.is_ok() {
                sleep(pause).await;
            }
        });
        let mut paced = Paced::new(near, PATIENCE, Readiness::ready());
        paced.pace.enter(Phase::Answering);
        let written = paced.write_all(&[b'x'; 200_000]).await;
        reader.abort();
        written
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_reads_a_byte_now_and_then_is_hung_up_on() {
        let began = Instant::now();
        let cut = answer_to(1, Duration::from_secs(9)).await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() <= PATIENCE.write + TICK, "{:?}", began.elapsed());
        assert!(answer_to(1024, Duration::from_secs(1)).await.is_err(), "a kilobyte a second");
    }

    #[tokio::test]
    async fn little_is_read_of_what_a_caller_sends_ahead_of_its_answer() {
        let (near, mut far) = duplex(100_000);
        far.write_all(&[b'x'; 50_000]).await.unwrap();
        let mut paced = Paced::new(near, PATIENCE, Readiness::ready());
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
        assert_eq!(go_on(&mut paced).await, PIECE);
        assert_eq!(go_on(&mut paced).await, PIECE, "nothing more while it is answered");
        for _ in 0..100 {
            pace.set_busy(false);
            pace.set_busy(true);
        }
        assert_eq!(go_on(&mut paced).await, PIECE + 1, "nor from one request to the next that has been read");
        pace.set_busy(false);
        assert_eq!(go_on(&mut paced).await, 50_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_caller_who_goes_on_reading_is_given_all_of_it() {
        let began = Instant::now();
        answer_to(2000, Duration::from_secs(1)).await.unwrap();
        assert!(began.elapsed() > 5 * PATIENCE.write);
    }
}
