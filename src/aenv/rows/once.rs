//! A value made once, however many ask for it at the same time and however many of them give up.

use crate::call::ambient::blocking;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Notify, Semaphore};

/// Most large values that are made at the same time. More would only take turns on the CPU that hits need, and each
/// takes memory meanwhile.
const AT_ONCE: usize = 2;

static MAKERS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Place where a value is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// Here and now: less than a thread would cost.
    Small,
    /// On a thread of its own, so that other requests of this worker go on.
    Large,
}

/// A value that is made when it is first asked for. Clones share it.
#[derive(Debug)]
pub(super) struct Once<T>(Arc<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    value: OnceLock<T>,
    begun: AtomicBool,
    ended: Notify,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Arc::new(Slot { value: OnceLock::new(), begun: AtomicBool::new(false), ended: Notify::new() }))
    }
}

impl<T: Clone + Send + Sync + 'static> Once<T> {
    /// The value, if it has been made.
    pub(super) fn made(&self) -> Option<T> {
        self.0.value.get().cloned()
    }

    /// The value, which `make` makes if nobody has asked before. `None`: the making panicked.
    ///
    /// A large value is made to its end even if this future is dropped, and all who ask meanwhile wait for it.
    pub(super) async fn get(&self, effort: Effort, make: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if let Some(value) = self.made() {
            return Some(value);
        }
        match effort {
            Effort::Small => Some(self.0.value.get_or_init(make).clone()),
            // Boxed, so that the future of a value that has been made stays small.
            Effort::Large => Box::pin(self.made_apart(make)).await,
        }
    }

    async fn made_apart(&self, make: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let slot = &self.0;
        // Registered before the look at the value, so that its end is not missed.
        let ended = slot.ended.notified();
        if !slot.begun.swap(true, Ordering::AcqRel) {
            tokio::spawn(Making(Arc::clone(slot)).run(make));
        }
        if slot.value.get().is_none() {
            ended.await;
        }
        self.made()
    }
}

/// The making of a large value: whoever waits is woken at its end, also if it panics.
struct Making<T>(Arc<Slot<T>>);

impl<T: Send + Sync + 'static> Making<T> {
    async fn run(self, make: impl FnOnce() -> T + Send + 'static) {
        let _permit = MAKERS.acquire().await;
        if let Some(value) = blocking(make).await {
            let _made_by_a_small_effort = self.0.value.set(value);
        }
    }
}

impl<T> Drop for Making<T> {
    fn drop(&mut self) {
        if self.0.value.get().is_none() {
            self.0.begun.store(false, Ordering::Release);
        }
        self.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio::time::{Duration, timeout};

    #[tokio::test]
    async fn a_large_value_is_made_once_though_its_first_caller_gave_up() {
        let (once, made) = (Once::default(), Arc::new(AtomicUsize::new(0)));
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let count = Arc::clone(&made);
        let first = once.get(Effort::Large, move || {
            hold.recv().ok();
            count.fetch_add(1, Ordering::Relaxed)
        });
        assert!(timeout(Duration::from_millis(1), first).await.is_err());
        let second = once.get(Effort::Large, || unreachable!("it is being made"));
        release.send(()).unwrap();
        assert_eq!(second.await, Some(0));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_panic_leaves_nobody_waiting() {
        let once = Once::<u8>::default();
        assert_eq!(once.get(Effort::Large, || panic!("as a test has it")).await, None);
        assert_eq!(once.get(Effort::Large, || 1).await, Some(1));
    }
}
