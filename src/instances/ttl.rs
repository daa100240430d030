//! An instance's time to live: a Go duration, counted from the Pod's creation.

use fundu::{CustomDurationParser, CustomTimeUnit, TimeUnit};
use jiff::{SignedDuration, Timestamp};
use std::sync::LazyLock;
use tokio::time::Duration;

/// Go's units, <https://pkg.go.dev/time#ParseDuration>. Zero without a unit is the one number without one.
static PARSER: LazyLock<CustomDurationParser<'static>> = LazyLock::new(|| {
    let unit = |unit, names| CustomTimeUnit::with_default(unit, names);
    CustomDurationParser::builder()
        .time_units(&[
            unit(TimeUnit::NanoSecond, &["ns"]),
            unit(TimeUnit::MicroSecond, &["us", "µs", "μs"]),
            unit(TimeUnit::MilliSecond, &["ms"]),
            unit(TimeUnit::Second, &["s"]),
            unit(TimeUnit::Minute, &["m"]),
            unit(TimeUnit::Hour, &["h"]),
        ])
        .parse_multiple(None)
        .disable_exponent()
        .disable_infinity()
        .build()
});

/// Reads a time to live such as `30m`, `1h30m`, `1.5h` or `300ms`; `None` if it is not one.
pub(super) fn parse_ttl(text: &str) -> Option<Duration> {
    let digits_end_in_a_unit = text == "0" || text.ends_with(char::is_alphabetic);
    if !digits_end_in_a_unit {
        return None;
    }
    PARSER.parse(text).ok()?.try_into().ok()
}

/// Whether an object made at `created` has outlived `ttl` at `now`. What is no duration never expires: deleting
/// by a guess would be worse.
pub(super) fn has_expired(ttl: &str, created: Timestamp, now: Timestamp) -> bool {
    let Some(ttl) = parse_ttl(ttl).and_then(|ttl| SignedDuration::try_from(ttl).ok()) else { return false };
    now.duration_since(created) > ttl
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        let millis = Duration::from_millis;
        for (text, expected) in [
            ("30m", millis(1_800_000)),
            ("1h30m", millis(5_400_000)),
            ("1.5h", millis(5_400_000)),
            ("1.5h30m", millis(7_200_000)),
            ("300ms", millis(300)),
            ("1s", millis(1000)),
            ("0", Duration::ZERO),
            ("0s", Duration::ZERO),
            ("2us", Duration::from_micros(2)),
            ("1h1m1s1ms1us1ns", Duration::new(3661, 1_001_001)),
        ] {
            assert_eq!(parse_ttl(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_go_duration_is_none_and_nothing_panics() {
        for text in
            ["", "1", "30", "-", "h", "1d", "1w", "1h-5m", "-5m", "forever", "inf", "1e400h", "1 h", "nan", "..s"]
        {
            assert_eq!(parse_ttl(text), None, "{text:?}");
        }
        let _ = parse_ttl(&format!("{}h", "9".repeat(60)));
    }

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
