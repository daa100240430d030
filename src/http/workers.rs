//! Worker heartbeats: each worker of the API's listener proves that it runs, for `/livez`.
//!
//! A worker whose thread is stuck answers nobody while the process looks well from outside. A worker that ends while the
//! replica is ready has crashed.

use super::readiness::Readiness;
use super::scheduling::Scheduling;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep};

/// Period in which a worker shows that it runs, and is scheduled by how busy it is.
const BEAT: Duration = Duration::from_millis(100);

/// The longest time that a worker may take for that. A busy one is late by milliseconds.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// The workers of one listener. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Workers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Instant,
    /// The last beat of each worker, in milliseconds after the start.
    beats: Mutex<Vec<Arc<AtomicU64>>>,
    crashed: Notify,
    readiness: Readiness,
}

impl Workers {
    /// None yet. Workers that end once `readiness` is withdrawn have not crashed.
    pub(crate) fn new(readiness: Readiness) -> Self {
        let (beats, crashed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { started: Instant::now(), beats, crashed, readiness }))
    }

    /// Adds the worker whose thread this is called in.
    pub(super) fn add(&self) {
        let beat = Arc::new(AtomicU64::new(self.now()));
        self.beats().push(Arc::clone(&beat));
        let heart = Heart { workers: self.clone(), beat };
        let mut scheduling = Scheduling::of_this_worker();
        tokio::task::spawn_local(async move {
            loop {
                scheduling.follow_load();
                heart.beat.store(heart.workers.now(), Ordering::Relaxed);
                sleep(BEAT).await;
            }
        });
    }

    /// Silence of a worker that is stuck. `None`: none is.
    pub(super) fn silence(&self) -> Option<Duration> {
        let now = self.now();
        let silent = |beat: &Arc<AtomicU64>| now.saturating_sub(beat.load(Ordering::Relaxed));
        let longest = self.beats().iter().map(silent).max().map_or(Duration::ZERO, Duration::from_millis);
        (longest > MAX_SILENCE).then_some(longest)
    }

    /// Waits until a worker has crashed.
    pub(crate) async fn crashed(&self) {
        self.0.crashed.notified().await;
    }

    fn now(&self) -> u64 {
        self.0.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn beats(&self) -> MutexGuard<'_, Vec<Arc<AtomicU64>>> {
        self.0.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Part of a worker: dropped with it.
struct Heart {
    workers: Workers,
    beat: Arc<AtomicU64>,
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.workers.beats().retain(|beat| !Arc::ptr_eq(beat, &self.beat));
        if self.workers.0.readiness.is_ready() {
            self.workers.0.crashed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;
    use tokio::time::{advance, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_does_not_run_is_told_from_one_that_does() {
        let workers = Workers::new(Readiness::ready());
        let runs = LocalSet::new();
        runs.run_until(async { workers.add() }).await;
        runs.run_until(sleep(MAX_SILENCE * 3)).await;
        assert_eq!(workers.silence(), None);
        // From here on nobody runs its tasks.
        advance(MAX_SILENCE + BEAT).await;
        assert!(workers.silence().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_ends_has_crashed_unless_the_replica_stops() {
        for (stops, crashed) in [(false, true), (true, false)] {
            let readiness = Readiness::ready();
            let workers = Workers::new(readiness.clone());
            let worker = LocalSet::new();
            worker.run_until(async { workers.add() }).await;
            if stops {
                readiness.withdraw();
            }
            drop(worker);
            assert_eq!(timeout(BEAT, workers.crashed()).await.is_ok(), crashed);
            assert_eq!(workers.silence(), None);
        }
    }
}
