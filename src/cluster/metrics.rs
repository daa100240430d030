//! Cluster metrics: retries, and answers by priority level.

use crate::telemetry::metrics::{Counters, Label, Registry};
use http::HeaderMap;
use prometheus::IntCounterVec;
use std::sync::{Arc, Mutex, PoisonError};

/// The header that names the level of an answer.
pub(crate) const PRIORITY_LEVEL_HEADER: &str = "x-kubernetes-pf-prioritylevel-uid";

/// The most levels that are counted apart. A controller's calls come under one or two; a level that is made anew has
/// another uid.
const LEVELS_MAX: usize = 8;

/// The longest uid. Those of the API server are UUIDs.
const UID_MAX: usize = 64;

/// API Priority and Fairness is off, or a proxy strips its headers.
const NONE: &str = "none";

/// A level beyond those that are counted apart, or one whose uid is none.
const OTHER: &str = "other";

/// The metrics of the API server client. Cheap to clone; clones share the counters.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(super) retries: Counters<Retry>,
    pub(super) priority_levels: PriorityLevels,
}

impl Metrics {
    /// The metrics, registered in `registry`.
    pub(crate) fn new(registry: &Registry) -> Self {
        let help = "Failed attempts that may be made again; outcome: made, or withheld by the retry budget.";
        Self {
            retries: registry.counters("aenv_controller_retries_total", help, "outcome"),
            priority_levels: PriorityLevels::new(registry),
        }
    }
}

/// Outcome of a retry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Retry {
    Made,
    Withheld,
}

impl Label for Retry {
    const ALL: &'static [Self] = &[Self::Made, Self::Withheld];

    fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Withheld => "withheld",
        }
    }
}

/// Answers by priority level of API Priority and Fairness. Cheap to clone; clones share the counters.
///
/// Answers, rejections included, name their level by its uid alone, see
/// <https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#diagnostics>. Its name would take a call, and
/// a right, that nothing else needs; so the uid is the label.
#[derive(Debug, Clone)]
pub(super) struct PriorityLevels {
    answers: IntCounterVec,
    /// Uids that are counted apart.
    known: Arc<Mutex<Vec<String>>>,
}

impl PriorityLevels {
    pub(super) fn new(registry: &Registry) -> Self {
        let help = "Answers of the API server by the uid of the priority level of API Priority and Fairness that they came under; none: it named no level, other: one beyond the first eight.";
        let answers = registry.counter_vec("aenv_controller_api_priority_level_answers_total", help, &["uid"]);
        Self { answers, known: Arc::default() }
    }

    /// Counts the answer with these headers.
    pub(super) fn count(&self, headers: &HeaderMap) {
        let uid = headers.get(PRIORITY_LEVEL_HEADER).map_or(NONE, |uid| self.label(uid.as_bytes()));
        self.answers.with_label_values(&[uid]).inc();
    }

    fn label<'a>(&self, uid: &'a [u8]) -> &'a str {
        let is_uid = |uid: &&str| {
            (1..=UID_MAX).contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let Some(uid) = str::from_utf8(uid).ok().filter(is_uid) else { return OTHER };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|known| known == uid) {
            if known.len() == LEVELS_MAX {
                return OTHER;
            }
            known.push(uid.to_owned());
        }
        uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::totals;
    use http::HeaderValue;

    #[test]
    fn the_levels_that_are_counted_apart_are_bounded() {
        let levels = PriorityLevels::new(&Registry::new());
        let count =
            |uid: HeaderValue| levels.count(&[(PRIORITY_LEVEL_HEADER.parse().unwrap(), uid)].into_iter().collect());
        for number in [0, 0].into_iter().chain(0..20) {
            count(HeaderValue::from_str(&format!("0000-{number}")).unwrap());
        }
        for hostile in [&b""[..], b"a\"b", b"\xff", &[b'x'; UID_MAX + 1]] {
            count(HeaderValue::from_bytes(hostile).unwrap());
        }
        levels.count(&HeaderMap::new());
        let totals = totals(&levels.answers, "uid");
        assert_eq!(totals.len(), LEVELS_MAX + 2, "{totals:?}");
        assert_eq!((totals["0000-0"], totals["0000-7"], totals[OTHER], totals[NONE]), (3, 1, 12 + 4, 1));
    }
}
