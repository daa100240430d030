//! Minimal rate at which a caller has to read its answer. Pure.
//!
//! A time-out of silence would begin anew with each byte, so that a caller could hold its connection for ever by reading
//! one now and then. Counted are portions: from the moment in which the system takes no more for a caller, that one has a
//! time for the next [`PORTION`] of its answer.

use tokio::time::Instant;

/// Bytes that have to be read within the time-out. Two kilobytes a second by default: slower than any network that carries
/// an API, and fast enough that a large list has an end.
pub(super) const PORTION: usize = 16 * 1024;

/// The portion that is due, if one is.
#[derive(Debug, Default)]
pub(super) struct Reading(Option<Portion>);

#[derive(Debug)]
struct Portion {
    since: Instant,
    taken: usize,
}

impl Reading {
    /// The caller has taken `bytes` more.
    pub(super) fn took(&mut self, bytes: usize) {
        if let Some(portion) = &mut self.0 {
            portion.taken += bytes;
            if portion.taken >= PORTION {
                self.0 = None;
            }
        }
    }

    /// The caller takes no more at the moment; since when a portion is due.
    pub(super) fn blocked(&mut self, now: Instant) -> Instant {
        self.0.get_or_insert(Portion { since: now, taken: 0 }).since
    }

    /// The whole answer has been taken.
    pub(super) fn ended(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Duration;

    #[test]
    fn a_portion_is_due_since_the_first_stop_until_all_of_it_is_taken() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut reading = Reading::default();
        reading.took(1_000_000);
        assert_eq!(reading.blocked(after(1)), after(1));
        reading.took(1);
        reading.took(PORTION - 2);
        assert_eq!(reading.blocked(after(9)), after(1), "a byte is missing");
        reading.took(1);
        assert_eq!(reading.blocked(after(10)), after(10));
        reading.ended();
        assert_eq!(reading.blocked(after(70)), after(70), "another answer");
    }
}
