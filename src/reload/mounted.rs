//! Mounted files: read again when somebody needs what was made of them, at most once a second.
//!
//! The files are compared with what they were before. There is no watch, so that an idle replica does nothing and no
//! way of changing a file can be missed: kubelet's swap of a link, an editor, a copy. (A mount with `subPath` never
//! changes.) Files that turn bad take nothing down: the last good value stays, and each new state of the files is
//! reported once.

use crate::call::ambient::blocking;
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};
use tokio::time::{Duration, Instant, timeout};

/// Shortest time between two looks at the files. kubelet takes a minute to bring a change to the node.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Longest wait of a caller for a look at the files. A volume that does not answer must not stop requests.
const PATIENCE: Duration = Duration::from_millis(500);

/// Files, and what is made of them.
pub(crate) trait Source: Send + Sync + 'static {
    /// The contents of the files, or the reason why there are none.
    type Contents;
    /// Fingerprint of a state of the files.
    type Fingerprint: PartialEq + Send;
    /// The value that is made of the contents.
    type Value: Send + Sync + 'static;
    /// Everything that is wrong with the contents.
    type Faults;

    /// Reads the files.
    fn read(&self) -> Self::Contents;

    /// The fingerprint of `contents`.
    fn fingerprint(contents: &Self::Contents) -> Self::Fingerprint;

    /// Makes the value. `last` is the last good one, `None` at the start.
    fn make(&self, contents: &Self::Contents, last: Option<&Self::Value>) -> Result<Self::Value, Self::Faults>;

    /// Reports what came of files that have changed: to the log, and to the metrics.
    fn reloaded(&self, outcome: Result<&Self::Value, &Self::Faults>);
}

/// A value that is made again when its files change. Cheap to clone; clones share it.
pub(crate) struct Mounted<S: Source>(Arc<Inner<S>>);

struct Inner<S: Source> {
    source: S,
    value: RwLock<Arc<S::Value>>,
    looked: Mutex<Instant>,
    /// The files when they were last looked at; the value may be from before. Held during a look.
    seen: Mutex<S::Fingerprint>,
}

impl<S: Source> Clone for Mounted<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Source> Mounted<S> {
    /// Reads the files, and makes the first value.
    pub(crate) fn open(source: S) -> Result<Self, S::Faults> {
        let contents = source.read();
        let value = RwLock::new(Arc::new(source.make(&contents, None)?));
        let seen = Mutex::new(S::fingerprint(&contents));
        Ok(Self(Arc::new(Inner { source, value, looked: Mutex::new(Instant::now()), seen })))
    }

    /// The last good value, without a look at the files.
    pub(crate) fn last(&self) -> Arc<S::Value> {
        Arc::clone(&self.0.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The value of the files as they are now, or the last good one. The files are read on a thread for blocking work;
    /// if that takes long, the last good value is given.
    pub(crate) async fn current(&self) -> Arc<S::Value> {
        if self.0.is_due(Instant::now()) {
            let inner = Arc::clone(&self.0);
            let look = blocking(move || inner.look());
            if timeout(PATIENCE, look).await.is_err() {
                log::debug!("mounted files are slow to read; the last good ones are used");
            }
        }
        self.last()
    }
}

impl<S: Source> Inner<S> {
    /// True if it is time for a look; then the next one is due after [`LOOK_AGAIN`].
    fn is_due(&self, now: Instant) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now.saturating_duration_since(*looked) >= LOOK_AGAIN;
        if due {
            *looked = now;
        }
        due
    }

    /// Looks at the files, unless somebody else does, whose look may hang.
    fn look(&self) {
        let mut seen = match self.seen.try_lock() {
            Ok(seen) => seen,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let contents = self.source.read();
        let fingerprint = S::fingerprint(&contents);
        if fingerprint == *seen {
            return;
        }
        *seen = fingerprint;
        let last = Arc::clone(&self.value.read().unwrap_or_else(PoisonError::into_inner));
        let made = self.source.make(&contents, Some(&last));
        self.source.reloaded(made.as_ref());
        if let Ok(value) = made {
            *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tokio::time::advance;

    /// A file that a test writes by hand; what is odd cannot be used.
    #[derive(Default)]
    struct Number {
        file: Mutex<u32>,
        reads: AtomicUsize,
        reported: Mutex<Vec<Result<u32, u32>>>,
        hangs: AtomicBool,
    }

    impl Source for Arc<Number> {
        type Contents = u32;
        type Fingerprint = u32;
        type Value = u32;
        type Faults = u32;

        fn read(&self) -> u32 {
            self.reads.fetch_add(1, Ordering::Relaxed);
            while self.hangs.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
            }
            *self.file.lock().unwrap()
        }

        fn fingerprint(contents: &u32) -> u32 {
            *contents
        }

        fn make(&self, contents: &u32, _: Option<&u32>) -> Result<u32, u32> {
            if contents.is_multiple_of(2) { Ok(*contents) } else { Err(*contents) }
        }

        fn reloaded(&self, outcome: Result<&u32, &u32>) {
            self.reported.lock().unwrap().push(outcome.copied().map_err(|fault| *fault));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_read_once_a_second_and_only_if_somebody_asks() {
        let number = Arc::new(Number::default());
        let mounted = Mounted::open(Arc::clone(&number)).unwrap();
        *number.file.lock().unwrap() = 2;
        assert_eq!(*mounted.current().await, 0);
        advance(LOOK_AGAIN).await;
        assert_eq!(*mounted.last(), 0);
        for _ in 0..3 {
            assert_eq!(*mounted.current().await, 2);
        }
        assert_eq!(number.reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_state_is_reported_once_and_the_last_good_value_stays() {
        let number = Arc::new(Number::default());
        let mounted = Mounted::open(Arc::clone(&number)).unwrap();
        for state in [1, 1, 3, 4] {
            *number.file.lock().unwrap() = state;
            advance(LOOK_AGAIN).await;
            assert_eq!(*mounted.current().await, if state == 4 { 4 } else { 0 });
        }
        assert_eq!(*number.reported.lock().unwrap(), [Err(1), Err(3), Ok(4)]);
    }

    #[tokio::test]
    async fn a_read_that_hangs_holds_nobody_up_for_long_and_occupies_one_thread() {
        let number = Arc::new(Number::default());
        let mounted = Mounted::open(Arc::clone(&number)).unwrap();
        number.hangs.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            *mounted.0.looked.lock().unwrap() = Instant::now().checked_sub(LOOK_AGAIN).unwrap();
            assert_eq!(*mounted.current().await, 0);
        }
        assert_eq!(number.reads.load(Ordering::Relaxed), 2, "the first, and the one that hangs");
        number.hangs.store(false, Ordering::Relaxed);
    }
}
