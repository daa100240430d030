//! Bounded words: pieces of a text, as far as messages repeat them.

/// The most characters of the caller's own words that a message repeats at once.
const WORDS_SHOWN: usize = 80;

/// The caller's words for a message: on one line, and not too many.
pub(crate) fn cut(words: &str) -> String {
    let shown = words.chars().take(WORDS_SHOWN).flat_map(char::escape_debug).collect::<String>();
    let more = if words.chars().nth(WORDS_SHOWN).is_some() { "…" } else { "" };
    format!("{shown}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_on_one_line_and_short() {
        assert_eq!(cut("a\n\"ü\""), r#"a\n\"ü\""#);
        assert_eq!(cut(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(cut(&"x".repeat(81)), format!("{}…", "x".repeat(80)));
    }
}
