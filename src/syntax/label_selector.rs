//! Label selector: Kubernetes' own syntax for narrowing a list by labels, checked and in canonical form.
//!
//! Equality-based and set-based requirements, as
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors> has them:
//! `team=red,tier!=db,stage in (dev,test),owner notin (kim),gpu,!spot`.

use super::names::{LabelValue, check_label_key};
use std::collections::BTreeSet;
use std::fmt;

/// The most requirements of a selector. Each is compared with each row of a kept list.
const MAX_REQUIREMENTS: usize = 32;
/// The most values of one requirement.
const MAX_VALUES: usize = 64;

/// Requirements that an object's labels meet, all of them. The order in which they were given makes no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LabelSelector(BTreeSet<Requirement>);

/// A condition on the label of one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Requirement {
    key: String,
    is: Is,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Is {
    /// There, with one of these values.
    In(BTreeSet<String>),
    /// Not there, or with none of these values.
    NotIn(BTreeSet<String>),
    Present,
    Absent,
}

/// Why a text is no label selector; says the part and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    /// A part that is none of the known forms.
    #[error("{0:?} is not a requirement such as key=value, key!=value, key in (a,b), key notin (a,b), key or !key")]
    Requirement(String),
    /// A key that could not be one.
    #[error("{0:?} is not a label key")]
    Key(String),
    /// A value that could not be one.
    #[error("{0:?} is not a label value")]
    Value(String),
    /// A key that has a parameter of its own.
    #[error("{0:?} has a parameter of its own: envName, version or owner")]
    Own(String),
    /// More of them than are compared with each object.
    #[error("there are too many requirements or values, give at most {MAX_REQUIREMENTS} with {MAX_VALUES} values each")]
    TooMany,
}

impl LabelSelector {
    /// Reads a selector. The empty text selects everything.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        let mut requirements = BTreeSet::new();
        for part in split(text).map(str::trim).filter(|_| !text.trim().is_empty()) {
            if requirements.len() == MAX_REQUIREMENTS {
                return Err(InvalidSelector::TooMany);
            }
            requirements.insert(Requirement::parse(part)?);
        }
        Ok(Self(requirements))
    }

    /// True if it selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if an object is selected whose label of a key `label` knows.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|requirement| match (&requirement.is, label(&requirement.key)) {
            (Is::In(values), Some(value)) => values.contains(value),
            (Is::NotIn(values), Some(value)) => !values.contains(value),
            (Is::Present, found) => found.is_some(),
            (Is::Absent, found) => found.is_none(),
            (Is::In(_), None) => false,
            (Is::NotIn(_), None) => true,
        })
    }
}

impl Requirement {
    fn parse(part: &str) -> Result<Self, InvalidSelector> {
        let unknown = || InvalidSelector::Requirement(part.chars().take(80).collect());
        if let Some(key) = part.strip_prefix('!') {
            return Ok(Self { key: checked_key(key)?, is: Is::Absent });
        }
        if let Some((key, set)) =
            part.split_once(|c: char| c.is_whitespace() || c == '(').filter(|_| part.ends_with(')'))
        {
            let (word, values) = set.trim_start().split_once('(').ok_or_else(unknown)?;
            let values = values.strip_suffix(')').ok_or_else(unknown)?.split(',');
            let values: BTreeSet<_> = values.map(checked_value).collect::<Result<_, _>>()?;
            if values.len() > MAX_VALUES {
                return Err(InvalidSelector::TooMany);
            }
            let is = match word.trim() {
                "in" => Is::In(values),
                "notin" => Is::NotIn(values),
                _ => return Err(unknown()),
            };
            return Ok(Self { key: checked_key(key)?, is });
        }
        let one = |value| checked_value(value).map(|value| BTreeSet::from([value]));
        let (key, is) = if let Some((key, value)) = part.split_once("!=") {
            (key, Is::NotIn(one(value)?))
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (key, Is::In(one(value)?))
        } else {
            (part, Is::Present)
        };
        Ok(Self { key: checked_key(key)?, is })
    }
}

/// The parts between commas that are not within parentheses.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn checked_key(text: &str) -> Result<String, InvalidSelector> {
    let key = text.trim();
    let shown = || key.chars().take(80).collect();
    if check_label_key(key).is_err() {
        return Err(InvalidSelector::Key(shown()));
    }
    if key.starts_with("business/aenv-") { Err(InvalidSelector::Own(shown())) } else { Ok(key.to_owned()) }
}

/// A value, which may be empty.
fn checked_value(text: &str) -> Result<String, InvalidSelector> {
    let value = text.trim();
    if value.is_empty() || LabelValue::new(value).is_ok() {
        Ok(value.to_owned())
    } else {
        Err(InvalidSelector::Value(value.chars().take(80).collect()))
    }
}

/// As the API server reads it.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Requirement { key, is }) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            let list = |values: &BTreeSet<String>| values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            match is {
                Is::In(values) if values.len() == 1 => write!(f, "{key}={}", list(values))?,
                Is::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", list(values))?,
                Is::In(values) => write!(f, "{key} in ({})", list(values))?,
                Is::NotIn(values) => write!(f, "{key} notin ({})", list(values))?,
                Is::Present => f.write_str(key)?,
                Is::Absent => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn any_text_is_refused_or_a_selector_that_reads_the_same_when_it_is_written() {
        let piece = "[!]?[ a-z./]{0,4}( in | notin |=|==|!=)?[(]?[a-z,]{0,4}[)]?";
        let text = prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.join(","));
        proptest!(|(text in prop_oneof![3 => text, 1 => "\\PC{0,20}"])| {
            if let Ok(selector) = LabelSelector::parse(&text) {
                let written = selector.to_string();
                prop_assert_eq!(LabelSelector::parse(&written).ok(), Some(selector), "{} as {}", text, written);
            }
        });
    }

    #[test]
    fn a_selector_is_written_in_one_way_however_it_was_given() {
        for (given, canonical) in [
            ("", ""),
            ("  ", ""),
            ("team=red", "team=red"),
            (" team == red ", "team=red"),
            ("b=2,a=1,b=2", "a=1,b=2"),
            ("tier!=db", "tier!=db"),
            ("stage in (test, dev,dev)", "stage in (dev,test)"),
            ("stage in (dev)", "stage=dev"),
            ("owner notin(kim,jun)", "owner notin (jun,kim)"),
            ("gpu,!spot", "gpu,!spot"),
            ("empty=", "empty="),
            ("example.com/a=b,x in (a,),y", "example.com/a=b,x in (,a),y"),
        ] {
            assert_eq!(LabelSelector::parse(given).unwrap().to_string(), canonical, "{given:?}");
        }
    }

    #[test]
    fn malformed_selectors_are_refused() {
        let many = ["a=b"; 10].join(",");
        assert!(LabelSelector::parse(&many).is_ok(), "equal requirements are one");
        let too_many = (0..40).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        for bad in [
            ",",
            "a=b,",
            "=b",
            "a b=c",
            "a=b c",
            "a in b",
            "a in (b",
            "a within (b)",
            "a=b)",
            "a==b==c",
            "!",
            "a>1",
            "a=b&c=d",
            "é=1",
            "a=b;c",
            "business/aenv-owner=jun",
            "a=(b,c)",
            &too_many,
        ] {
            assert!(LabelSelector::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn requirements_are_met_as_kubernetes_has_it() {
        let labels = BTreeMap::from([("team", "red"), ("empty", "")]);
        for (selector, selected) in [
            ("", true),
            ("team=red", true),
            ("team=blue", false),
            ("team!=blue", true),
            ("other!=blue", true),
            ("team in (blue,red)", true),
            ("other in (blue)", false),
            ("team notin (red)", false),
            ("other notin (red)", true),
            ("team", true),
            ("other", false),
            ("!other", true),
            ("!team", false),
            ("empty=", true),
            ("other=", false),
            ("team=red,!team", false),
        ] {
            let selects = LabelSelector::parse(selector).unwrap().matches(|key| labels.get(key).copied());
            assert_eq!(selects, selected, "{selector:?}");
        }
    }
}
