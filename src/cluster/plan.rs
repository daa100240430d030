//! List plan: how a list is asked for, by what it costs the API server's version.
//!
//! | version | first page | further pages | whole list, no version | `resourceVersion=0` |
//! | --- | --- | --- | --- | --- |
//! | up to 1.30 | etcd; 2 · limit or N + limit objects | etcd, the same again | etcd, N objects at once | memory, N objects, may lag |
//! | 1.31 to 1.33 | memory, newest state | etcd; 2 · limit or N + limit objects | memory, newest state, N objects | memory, may lag |
//! | from 1.34 on | memory, newest state; at most 10 seats | charged like etcd: a third of a priority level for 500 pods with a selector | memory, newest state; at most 10 seats for any length | memory, may lag |
//!
//! Objects are counted in the whole cluster, 100 to a seat and at most 10 seats up to 1.33. Sources: KEP-2340 (consistent
//! reads from memory), KEP-4988 (continued pages from memory), and
//! `k8s.io/apiserver/pkg/util/flowcontrol/request/list_work_estimator.go` for the seats. Lists are encoded as a stream
//! from 1.33 on, so that a whole list does not cost the API server its length in memory.
//!
//! So `auto` means pages up to 1.33 and whole lists, with a limit that only guards, from 1.34 on. Both show the newest
//! state: what they lack does not exist. `resourceVersion=0` may lag behind by any time and is never chosen by itself.
//!
//! Managed fields, a third of a pod, come with every list: `;drop=metadata.managedFields` in `Accept` (KEP-5958) is an alpha
//! feature of 1.37, off by default, and earlier versions pass over it.

use super::error::Error;
use serde::Deserialize;
use std::sync::{Mutex, PoisonError};
use tokio::time::{Duration, Instant};

/// The first minor version of Kubernetes 1 whose whole lists cost less than its pages.
const WHOLE_FROM: u32 = 34;

/// Time that a version counts: a control plane is not upgraded twice within an hour.
const KNOWN_FOR: Duration = Duration::from_secs(60 * 60);

/// Time that a version that could not be had is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// The longest that the first list waits for the version; then it is asked for in pages.
pub(super) const ASK_FOR: Duration = Duration::from_secs(2);

/// Plan of lists: the part of the API server that serves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListPlan {
    /// By the API server's version; the default.
    Auto,
    /// Pages of the newest state.
    Paged,
    /// One call from the API server's memory (`resourceVersion=0`), which may be a little old and knows no pages.
    WatchCache,
}

/// Way of asking for one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Pages,
    Whole,
    Memory,
}

impl Way {
    /// True if the list shows the newest state, so that what it lacks does not exist.
    pub(super) fn is_consistent(self) -> bool {
        matches!(self, Self::Pages | Self::Whole)
    }
}

/// Known version of the API server.
#[derive(Debug, Default)]
pub(super) struct KnownVersion {
    known: Mutex<Known>,
    /// Held by the one who asks.
    pub(super) asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    minor: Option<u32>,
    until: Option<Instant>,
}

impl KnownVersion {
    /// The way that the version calls for; `None` if it has to be asked for first.
    pub(super) fn way(&self) -> Option<Way> {
        let Known { minor, until } = *self.known();
        until.filter(|&until| Instant::now() < until)?;
        Some(if minor.is_some_and(|minor| minor >= WHOLE_FROM) { Way::Whole } else { Way::Pages })
    }

    /// Takes what `/version` has answered.
    pub(super) fn learn(&self, answer: Result<&[u8], &Error>) {
        let minor = answer.ok().and_then(minor_of);
        // A server that answers and names no version, or lets us not read it, will not do so in ten seconds either.
        let lasts = minor.is_some()
            || answer.err().is_none_or(|error| matches!(error, Error::Answered { .. }) && !error.is_transient());
        let until = Instant::now() + if lasts { KNOWN_FOR } else { UNKNOWN_FOR };
        *self.known() = Known { minor, until: Some(until) };
    }

    /// The API server did not answer: it may be another one when it is back.
    pub(super) fn doubt(&self) {
        let mut known = self.known();
        if known.minor.take().is_some() {
            known.until = None;
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The minor version; `None` if it is none of Kubernetes 1.
fn minor_of(body: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Version {
        major: String,
        minor: String,
    }

    let Version { major, minor } = serde_json::from_slice(body).ok()?;
    // Providers write "34+".
    let digits = minor.bytes().take_while(u8::is_ascii_digit).count();
    minor[..digits].parse().ok().filter(|_| major == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(minor: &str) -> Vec<u8> {
        format!(r#"{{"major":"1","minor":"{minor}","gitVersion":"v1.{minor}.0"}}"#).into_bytes()
    }

    #[test]
    fn the_way_follows_the_version() {
        let way = |minor: &str| {
            let known = KnownVersion::default();
            known.learn(Ok(&version(minor)));
            known.way()
        };
        for minor in ["20", "30", "31+", "33", "", "x", "99999999999"] {
            assert_eq!(way(minor), Some(Way::Pages), "{minor}");
        }
        for minor in ["34", "34+", "36", "40"] {
            assert_eq!(way(minor), Some(Way::Whole), "{minor}");
        }
        assert_eq!(KnownVersion::default().way(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_is_asked_for_again_after_an_hour_an_unknown_one_after_seconds() {
        let known = KnownVersion::default();
        known.learn(Ok(&version("36")));
        tokio::time::advance(KNOWN_FOR - Duration::from_secs(1)).await;
        assert_eq!(known.way(), Some(Way::Whole));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(known.way(), None);
        known.learn(Err(&Error::Cut("reset".into())));
        assert_eq!(known.way(), Some(Way::Pages));
        tokio::time::advance(UNKNOWN_FOR).await;
        assert_eq!(known.way(), None);
        known.learn(Ok(b"<html>"));
        tokio::time::advance(UNKNOWN_FOR).await;
        assert_eq!(known.way(), Some(Way::Pages));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_puts_a_version_in_doubt_but_not_the_lack_of_one() {
        let known = KnownVersion::default();
        known.learn(Ok(&version("36")));
        known.doubt();
        assert_eq!(known.way(), None);
        known.learn(Err(&Error::Cut("reset".into())));
        known.doubt();
        assert_eq!(known.way(), Some(Way::Pages), "it is not asked for with every list of an outage");
    }
}
