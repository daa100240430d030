//! Counters of the calls that reached the sandbox: what tests and the demo measure the controller by.
//!
//! Discovery and the sandbox's own routes are not calls. A call that got no answer has the code 0.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Calls that have ended.
    pub total: u64,
    /// The same, by verb, resource and code.
    pub by: Vec<CallCount>,
    /// Calls that are under way.
    pub in_flight: u64,
    /// The most calls that were under way at once.
    pub max_in_flight: u64,
}

/// Number of calls with one verb on one resource that ended with one code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallCount {
    /// `get`, `list`, `create`, `update`, `patch`, `delete` or `watch`.
    pub verb: String,
    /// `pods`, or `pods/status` for a part of one.
    pub resource: String,
    /// The HTTP status; 0 if there was no answer.
    pub code: u16,
    /// Number of calls.
    pub count: u64,
}

impl Calls {
    /// Number of calls of `verb` on `resource` that have ended, whatever the code.
    pub fn count(&self, verb: &str, resource: &str) -> u64 {
        self.sum(|call| call.verb == verb && call.resource == resource)
    }

    /// Number of calls that have ended with `code`.
    pub fn with_code(&self, code: u16) -> u64 {
        self.sum(|call| call.code == code)
    }

    fn sum(&self, which: impl Fn(&CallCount) -> bool) -> u64 {
        self.by.iter().filter(|call| which(call)).map(|call| call.count).sum()
    }
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    ended: BTreeMap<(&'static str, String, u16), u64>,
    in_flight: u64,
    max_in_flight: u64,
}

impl Counters {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("no holder of the lock panics")
    }

    pub(super) fn snapshot(&self) -> Calls {
        let counts = self.lock();
        Calls {
            total: counts.ended.values().sum(),
            by: counts
                .ended
                .iter()
                .map(|((verb, resource, code), count)| CallCount {
                    verb: (*verb).to_owned(),
                    resource: resource.clone(),
                    code: *code,
                    count: *count,
                })
                .collect(),
            in_flight: counts.in_flight,
            max_in_flight: counts.max_in_flight,
        }
    }

    /// Back to zero; calls that are under way stay so.
    pub(super) fn reset(&self) {
        let mut counts = self.lock();
        counts.ended.clear();
        counts.max_in_flight = counts.in_flight;
    }

    /// Notes that a call begins. It ends when the guard is dropped.
    pub(super) fn begin(&self, verb: &'static str, resource: String) -> UnderWay<'_> {
        let mut counts = self.lock();
        counts.in_flight += 1;
        counts.max_in_flight = counts.max_in_flight.max(counts.in_flight);
        UnderWay { counters: self, verb, resource, code: 0 }
    }
}

/// A call that has begun.
pub(super) struct UnderWay<'a> {
    counters: &'a Counters,
    verb: &'static str,
    resource: String,
    code: u16,
}

impl UnderWay<'_> {
    pub(super) fn answered(mut self, code: u16) {
        self.code = code;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut counts = self.counters.lock();
        counts.in_flight -= 1;
        let resource = std::mem::take(&mut self.resource);
        *counts.ended.entry((self.verb, resource, self.code)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_when_they_end() {
        let counters = Counters::default();
        let first = counters.begin("list", "pods".to_owned());
        let second = counters.begin("get", "pods".to_owned());
        assert_eq!(counters.snapshot().in_flight, 2);
        first.answered(200);
        drop(second);
        let calls = counters.snapshot();
        assert_eq!((calls.total, calls.in_flight, calls.max_in_flight), (2, 0, 2));
        assert_eq!(calls.count("list", "pods"), 1);
        assert_eq!((calls.with_code(200), calls.with_code(0)), (1, 1));
        counters.reset();
        assert_eq!(counters.snapshot(), Calls::default());
    }
}
