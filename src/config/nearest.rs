//! Nearest key: a suggestion for one that does not exist.

/// The known path whose key is spelled most like that of `unknown`; among equals, the one in the section spelled
/// most alike, so that a key at the wrong level is found too. `None` if none is close.
pub(super) fn nearest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    let (section, key) = split(unknown);
    let allowed = (key.chars().count() / 3).max(1);
    known
        .iter()
        .map(|path| {
            let (its_section, its_key) = split(path);
            (edits(key, its_key).min(edits(unknown, path)), edits(section, its_section), *path)
        })
        .filter(|(edits, ..)| *edits <= allowed)
        .min()
        .map(|(.., path)| path)
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
/// See <https://en.wikipedia.org/wiki/Damerau%E2%80%93Levenshtein_distance>.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::{edits, nearest};

    const KNOWN: &[&str] =
        &["server.port", "server.readiness_port", "throttle.qps", "throttle.min_qps", "retry.max_ms"];

    #[test]
    fn edits_are_counted_with_swaps_as_one() {
        for (from, to, expected) in [("", "", 0), ("", "qps", 3), ("qps", "qsp", 1), ("qps", "qp", 1), ("a", "b", 1)] {
            assert_eq!(edits(from, to), expected, "{from} to {to}");
            assert_eq!(edits(to, from), expected, "{to} to {from}");
        }
    }

    #[test]
    fn a_slip_a_wrong_section_and_a_wrong_level_find_the_key_that_was_meant() {
        for (unknown, meant) in [
            ("throttle.qsp", "throttle.qps"),
            ("thottle.qps", "throttle.qps"),
            ("qps", "throttle.qps"),
            ("throttle_qps", "throttle.qps"),
            ("server.readinessPort", "server.readiness_port"),
            ("throttle.port", "server.port"),
        ] {
            assert_eq!(nearest(unknown, KNOWN), Some(meant), "{unknown}");
        }
    }

    #[test]
    fn unlike_keys_get_no_suggestion() {
        for unknown in ["throttle.foo", "apiVersion", "", ".", "throttle."] {
            assert_eq!(nearest(unknown, KNOWN), None, "{unknown}");
        }
    }
}
