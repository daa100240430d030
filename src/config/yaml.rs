//! YAML of a settings file, parsed by the crate `config`.
//!
//! That crate copies the value behind each alias and follows nesting by recursion: a file of some hundred bytes could
//! take all memory. So the parser's events are checked first, one by one.

use config::{ConfigError, FileFormat, Format, Map, Value};
use std::collections::BTreeMap;
use yaml_rust2::Event;
use yaml_rust2::parser::Parser;

/// The deepest nesting: settings have two levels, and lists of values a third.
const MAX_DEPTH: usize = 16;

/// The sections of a file, in a lasting order. A file without anything but comments has none.
pub(super) fn sections(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let is_blank = |line: &str| matches!(line.trim(), "" | "---" | "...") || line.trim_start().starts_with('#');
    if text.lines().all(is_blank) {
        return Ok(BTreeMap::new());
    }
    check_events(text)?;
    let sections: Map<_, _> = FileFormat::Yaml.parse(None, text).map_err(|error| {
        // Then it is valid YAML of another shape, which the error would repeat: somebody's token file, perhaps.
        if error.is::<Box<ConfigError>>() {
            "is not a settings file: there is no mapping of sections at its top level".to_owned()
        } else {
            format!("is not valid YAML: {error}")
        }
    })?;
    Ok(sections.into_iter().collect())
}

/// Refuses aliases and deep nesting. Faults of syntax are left to the parser proper.
fn check_events(text: &str) -> Result<(), String> {
    let mut parser = Parser::new_from_str(text);
    let mut depth = 0_usize;
    while let Ok((event, mark)) = parser.next_token() {
        match event {
            Event::Alias(_) => {
                return Err(format!("line {}: YAML aliases (*name) are not allowed, write the value out", mark.line()));
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            Event::StreamEnd => break,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!("line {}: nested more than {MAX_DEPTH} levels deep", mark.line()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::sections;

    /// Nine lists, each of which has the one before it nine times: 387 million items.
    fn laughs() -> String {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "));
        }
        text
    }

    #[test]
    fn aliases_are_refused_before_they_are_expanded() {
        let text = laughs();
        assert!(text.len() < 1_000);
        let refused = sections(&text).unwrap_err();
        assert_eq!(refused, "line 2: YAML aliases (*name) are not allowed, write the value out");
        assert!(sections("a: &once {b: 1}\n").is_ok(), "an anchor alone does no harm");
    }

    #[test]
    fn nesting_is_bounded_whatever_comes_after_it() {
        for deep in ["[".repeat(300_000), "{a: ".repeat(300_000), "- ".repeat(300_000)] {
            let refused = sections(&deep).unwrap_err();
            // The scanner has a bound of its own for brackets.
            let told = ["nested more than 16 levels deep", "recursion limit exceeded"];
            assert!(told.iter().any(|words| refused.contains(words)), "{refused}");
        }
        assert!(sections("a: {b: [[c]]}\n").is_ok());
    }
}
