//! Go's durations, in which times to live are given: `30m`, `1h30m`, `1.5h`, `300ms`.
//!
//! A leaf. The grammar and its bounds are those of <https://pkg.go.dev/time#ParseDuration>, without signs: a negative
//! duration means nothing here.

use fundu::{CustomDurationParser, CustomTimeUnit, TimeUnit};
use std::sync::LazyLock;
use std::time::Duration;

/// The longest duration that Go holds, about 292 years: 2^63-1 nanoseconds.
const LONGEST: Duration = Duration::from_nanos(i64::MAX.unsigned_abs());

/// Go's units. Zero without a unit is the one number without one.
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

/// Reads a duration; `None` if Go would not take it for one, or if it is signed.
pub(crate) fn parse_go_duration(text: &str) -> Option<Duration> {
    let digits_end_in_a_unit = text == "0" || text.ends_with(char::is_alphabetic);
    if !digits_end_in_a_unit {
        return None;
    }
    let duration: Duration = PARSER.parse(text).ok()?.try_into().ok()?;
    (duration <= LONGEST).then_some(duration)
}

/// The duration in whole seconds as Go prints it: `2h0m5s`, `45s`. Parts of a second are left out.
pub(crate) fn format_go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_printed_duration_is_read_back() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m0s"), (3605, "1h0m5s"), (360_000, "100h0m0s")] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(format_go_duration(duration), text);
            assert_eq!(parse_go_duration(text), Some(duration));
        }
    }

    #[test]
    fn any_text_is_a_duration_that_go_holds_or_none_and_whole_seconds_are_read_back() {
        proptest!(|(text in "[0-9.]{0,22}(ns|us|µs|ms|s|m|h|d)?[0-9.]{0,3}[a-z]{0,2}|\\PC{0,12}")| {
            prop_assert!(parse_go_duration(&text).is_none_or(|duration| duration <= LONGEST), "{}", text);
        });
        proptest!(|(seconds in 0..LONGEST.as_secs())| {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse_go_duration(&format_go_duration(duration)), Some(duration));
        });
    }

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
            assert_eq!(parse_go_duration(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn malformed_go_durations_are_none() {
        for text in [
            "", "1", "30", "-", "h", "1d", "1w", "1h-5m", "-5m", "forever", "inf", "1e400h", "1 h", "nan", "..s",
            "2562048h",
        ] {
            assert_eq!(parse_go_duration(text), None, "{text:?}");
        }
        let _ = parse_go_duration(&format!("{}h", "9".repeat(60)));
    }
}
