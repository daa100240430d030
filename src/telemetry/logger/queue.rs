//! Log queue: bounded, between those who log and the one thread that writes.
//!
//! A reader of standard error that stalls (a full pipe, a stopped terminal) stalls that thread and nobody else. Lines
//! beyond the bound are dropped and counted; the next line that is written says how many. The thread is woken for the
//! first line of a burst only, and writes the others together.

use crate::telemetry::metrics::LOG_LINES_DROPPED;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most bytes of lines that wait to be written: some 8,000 lines of requests.
const MAX_BYTES: usize = 1 << 20;

/// Pause of the writer after it has written some lines, in which more gather. Waking it for every line would take as long as
/// answering a request from memory.
const GATHERING: Duration = Duration::from_millis(5);

/// The lines that wait. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything has been written.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// Dropped since the last line that said so.
    dropped: u64,
    /// True if the writer has lines in its hands.
    writing: bool,
    /// True if the writer waits to be woken.
    idle: bool,
}

impl Queue {
    /// Starts the thread that writes to `out`; `dropped_line` is the line that tells how many were dropped.
    ///
    /// # Errors
    /// If the system starts no more threads.
    pub(super) fn write_to(
        &self,
        out: impl Write + Send + 'static,
        dropped_line: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> io::Result<()> {
        let queue = self.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || queue.run(out, dropped_line)).map(drop)
    }

    /// Waits until everything has been written, but no longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let state = self.state();
        let unwritten = |state: &mut State| state.writing || !state.lines.is_empty();
        drop(self.0.drained.wait_timeout_while(state, patience, unwritten));
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.lines.len() + line.len() > MAX_BYTES {
            state.dropped += 1;
            LOG_LINES_DROPPED.inc();
        } else {
            state.lines.extend_from_slice(line);
            if std::mem::take(&mut state.idle) {
                self.0.filled.notify_one();
            }
        }
    }

    fn run(&self, mut out: impl Write, dropped_line: impl Fn(u64) -> Vec<u8>) {
        let mut lines = Vec::new();
        loop {
            let dropped = self.take(&mut lines);
            // Nobody is left to tell if standard error is closed.
            let _unwritten = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
            if dropped > 0 {
                // Behind the lines that were kept, as these came first.
                let _unwritten = out.write_all(&dropped_line(dropped));
            }
            self.written();
            thread::sleep(GATHERING);
        }
    }

    /// Waits for lines, and tells how many were dropped behind them.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        let mut state = self.state();
        while state.lines.is_empty() {
            state.idle = true;
            state = self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.lines, lines);
        (state.idle, state.writing) = (false, true);
        std::mem::take(&mut state.dropped)
    }

    fn written(&self) {
        let mut state = self.state();
        state.writing = false;
        if state.lines.is_empty() {
            self.0.drained.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record's line is given in one piece.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// A reader that takes nothing until it is told to.
    struct Stalled {
        go_on: Receiver<()>,
        taken: SyncSender<String>,
    }

    impl Write for Stalled {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ended = self.go_on.recv();
            let _ended = self.taken.send(String::from_utf8_lossy(text).into_owned());
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_lines_and_no_time_and_is_told_how_many() {
        const LINES: usize = 20_000;
        let (go_on, stalled) = sync_channel(0);
        let (taken, read) = sync_channel(1_000);
        let mut queue = Queue::default();
        queue
            .write_to(Stalled { go_on: stalled, taken }, |count| {
                format!("{count} log lines were dropped\n").into_bytes()
            })
            .unwrap();
        let before = LOG_LINES_DROPPED.get();
        let line = format!("{}\n", "x".repeat(199));
        // More than the queue and the writer's hands hold; none of these calls waits.
        (0..LINES).for_each(|_| queue.write_all(line.as_bytes()).unwrap());
        Queue::flush(&queue, Duration::from_millis(1));
        let dropped = LOG_LINES_DROPPED.get() - before;
        assert!(dropped > 0);
        drop(go_on);
        Queue::flush(&queue, Duration::from_secs(60));
        let text: String = read.try_iter().collect();
        let told: u64 = text
            .lines()
            .filter_map(|line| line.split(" log lines were dropped").next()?.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        let kept = text.lines().filter(|line| line.starts_with('x')).count() as u64;
        assert_eq!((told, kept), (dropped, LINES as u64 - dropped));
    }
}
