//! Writing side of a connection: hung up on when its caller [reads](super::reading) too slowly.

use super::pace::Patience;
use super::readiness::Readiness;
use super::reading::Reading;
use super::tls::Transport;
use super::unsent::Unsent;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::time::{Duration, Instant, Sleep, sleep_until};

/// Longest pause between two looks at a write that makes no progress: its time gets shorter when the replica stops.
const TICK: Duration = Duration::from_secs(1);

/// A stream on which every answer is taken in time.
pub(super) struct Writer<S> {
    stream: S,
    reading: Reading,
    timer: Option<Pin<Box<Sleep>>>,
    patience: Patience,
    readiness: Readiness,
}

impl<S: AsyncWrite + Transport + Unpin> Writer<S> {
    /// That of a new connection.
    pub(super) fn new(stream: S, patience: Patience, readiness: Readiness) -> Self {
        Self { stream, reading: Reading::default(), timer: None, patience, readiness }
    }

    /// The stream itself.
    pub(super) fn stream(&mut self) -> Pin<&mut S> {
        Pin::new(&mut self.stream)
    }

    pub(super) fn poll_write(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write(cx, bytes);
        self.in_time(written, cx)
    }

    /// Writes `head` and the body behind it; the count is that of the head's bytes.
    pub(super) fn poll_write_with(
        &mut self,
        head: &[u8],
        body: &mut Unsent,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let pieces = [IoSlice::new(head), IoSlice::new(body.body())];
        let written = self.stream().poll_write_vectored(cx, &pieces);
        let written = self.in_time(written, cx);
        if let Poll::Ready(Ok(count)) = written {
            body.advance(count.saturating_sub(head.len()));
        }
        written.map_ok(|count| count.min(head.len()))
    }

    pub(super) fn poll_send_all(&mut self, unsent: &mut Unsent, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !unsent.is_empty() {
            let sent = unsent.poll_send(&mut self.stream, cx);
            match ready!(self.in_time(sent, cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => unsent.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream().poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed),
            Poll::Pending => self.poll_blocked(cx),
        }
    }

    /// The whole answer has been taken.
    pub(super) fn ended(&mut self) {
        self.reading.ended();
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
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(look)));
        timer.as_mut().reset(look);
        if timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::time::sleep;

    const PATIENCE: Patience = Patience::OF_TESTS;

    /// An answer of 200 kB that is written to a caller who reads `bytes` at a time with `pause` in between.
    async fn answer_to(bytes: usize, pause: Duration) -> io::Result<()> {
        let (near, mut far) = duplex(4096);
        let reader = tokio::spawn(async move {
            let mut some = vec![0; bytes];
            while far.read_exact(&mut some).await.is_ok() {
                sleep(pause).await;
            }
        });
        let mut writer = Writer::new(near, PATIENCE, Readiness::ready());
        let mut answer = Unsent::new(Vec::new(), Bytes::from(vec![b'x'; 200_000]).into());
        let written = poll_fn(|cx| writer.poll_send_all(&mut answer, cx)).await;
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

    #[tokio::test(start_paused = true)]
    async fn a_slow_caller_who_goes_on_reading_is_given_all_of_it() {
        let began = Instant::now();
        answer_to(2000, Duration::from_secs(1)).await.unwrap();
        assert!(began.elapsed() > 5 * PATIENCE.write);
    }
}
