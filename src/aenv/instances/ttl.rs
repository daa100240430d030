//! An instance's time to live: a Go duration, counted from the Pod's creation.

use crate::syntax::parse_go_duration;
use jiff::{SignedDuration, Timestamp};

/// True if an object made at `created` has outlived `ttl` at `now`. What is no duration never expires: deleting
/// by a guess would be worse.
pub(super) fn has_expired(ttl: &str, created: Timestamp, now: Timestamp) -> bool {
    let Some(ttl) = parse_go_duration(ttl).and_then(|ttl| SignedDuration::try_from(ttl).ok()) else { return false };
    now.duration_since(created) > ttl
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_counts_from_creation() {
        let created: Timestamp = "2026-11-23T07:00:00Z".parse().unwrap();
        let at = |seconds| created + SignedDuration::from_secs(seconds);
        assert!(!has_expired("1m", created, at(60)));
        assert!(has_expired("1m", created, at(61)));
        assert!(!has_expired("soon", created, at(1_000_000)));
        assert!(!has_expired("", created, at(1_000_000)));
        assert!(!has_expired("99999999999999h", created, at(1_000_000)));
    }
}
