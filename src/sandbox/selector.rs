//! Label and field selectors, parsed and matched as the API server does, its error words included.

use std::collections::BTreeMap;

use super::names;
use super::resource::Resource;
use super::status::ApiError;

/// A label selector: every requirement must hold. The empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    GreaterThan(i64),
    LessThan(i64),
}

impl LabelSelector {
    /// # Errors
    /// 400 in the API server's words.
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        Parser::new(text).selector().map_err(ApiError::bad_request)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| requirement.operator.holds(labels.get(&requirement.key)))
    }
}

impl Operator {
    fn holds(&self, value: Option<&String>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
            Self::GreaterThan(bound) => number().is_some_and(|number| number > *bound),
            Self::LessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    next: usize,
}

/// Symbols of the grammar; a word is anything else.
const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "<", ">", "(", ")", ","];

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let end = SYMBOLS
                .iter()
                .find(|symbol| rest.starts_with(**symbol))
                .map_or_else(|| word_length(rest), |symbol| symbol.len());
            tokens.push(&rest[..end]);
            rest = rest[end..].trim_start();
        }
        Self { tokens, next: 0 }
    }

    /// Empty at the end.
    fn peek(&self) -> &'a str {
        self.tokens.get(self.next).copied().unwrap_or_default()
    }

    fn take(&mut self) -> &'a str {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn selector(mut self) -> Result<LabelSelector, String> {
        let mut requirements = Vec::new();
        if self.peek().is_empty() {
            return Ok(LabelSelector::default());
        }
        loop {
            let first = self.peek();
            if first != "!" && !is_word(first) {
                return Err(format!("found '{first}', expected: !, identifier, or 'end of string'"));
            }
            requirements.push(self.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
            match self.take() {
                "" => return Ok(LabelSelector(requirements)),
                "," => {}
                other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
            }
            let after = self.peek();
            if after != "!" && !is_word(after) {
                return Err(format!("found '{after}', expected: identifier after ','"));
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == "!";
        if absent {
            self.take();
        }
        let key = self.take();
        if !is_word(key) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        if let Some(why) = names::qualified_name(key).first() {
            return Err(format!("invalid label key {key:?}: {why}"));
        }
        let operator = if absent {
            Operator::DoesNotExist
        } else if matches!(self.peek(), "" | ",") {
            Operator::Exists
        } else {
            self.operator(key)?
        };
        Ok(Requirement { key: key.to_owned(), operator })
    }

    fn operator(&mut self, key: &str) -> Result<Operator, String> {
        match self.take() {
            "=" | "==" => Ok(Operator::In(vec![self.value(key)?])),
            "!=" => Ok(Operator::NotIn(vec![self.value(key)?])),
            "in" => Ok(Operator::In(self.values(key)?)),
            "notin" => Ok(Operator::NotIn(self.values(key)?)),
            ">" => Ok(Operator::GreaterThan(self.bound()?)),
            "<" => Ok(Operator::LessThan(self.bound()?)),
            other => Err(format!("found '{other}', expected: '=', '!=', '==', 'in', notin'")),
        }
    }

    /// One value; none at all is the empty one.
    fn value(&mut self, key: &str) -> Result<String, String> {
        match self.peek() {
            "" | "," => Ok(String::new()),
            word if is_word(word) => {
                self.take();
                checked(key, word)
            }
            other => Err(format!("found '{other}', expected: identifier")),
        }
    }

    fn values(&mut self, key: &str) -> Result<Vec<String>, String> {
        match self.take() {
            "(" => {}
            other => return Err(format!("found '{other}' expected: '('")),
        }
        let mut values = Vec::new();
        loop {
            let word = self.peek();
            if is_word(word) {
                self.take();
                values.push(checked(key, word)?);
            } else {
                values.push(String::new());
            }
            match self.take() {
                "," => {}
                ")" => return Ok(values),
                other => return Err(format!("found '{other}', expected: ',' or ')'")),
            }
        }
    }

    fn bound(&mut self) -> Result<i64, String> {
        self.take().parse().map_err(|_| "for 'Gt', 'Lt' operators, the value must be an integer".to_owned())
    }
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || "=!<>(),".contains(c)).unwrap_or(text.len())
}

fn is_word(token: &str) -> bool {
    !token.is_empty() && !SYMBOLS.contains(&token)
}

fn checked(key: &str, value: &str) -> Result<String, String> {
    match names::label_value(value).first() {
        None => Ok(value.to_owned()),
        Some(why) => Err(format!("invalid label value: {value:?}: at key: {key:?}: {why}")),
    }
}

/// A field selector over the few fields that the API server indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSelector(Vec<FieldRequirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRequirement {
    field: &'static str,
    equal: bool,
    value: String,
}

impl FieldSelector {
    /// # Errors
    /// 400 for what is no selector and for a field that `resource` does not index.
    pub(super) fn parse(resource: Resource, text: &str) -> Result<Self, ApiError> {
        split_unescaped(text)
            .into_iter()
            .filter(|term| !term.is_empty())
            .map(|term| FieldRequirement::parse(resource, term))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value_of` gives the value of a field, empty if it is not set.
    pub(super) fn matches<'a>(&self, value_of: impl Fn(&str) -> &'a str) -> bool {
        self.0.iter().all(|requirement| (value_of(requirement.field) == requirement.value) == requirement.equal)
    }
}

impl FieldRequirement {
    fn parse(resource: Resource, term: &str) -> Result<Self, ApiError> {
        let (field, equal, value) = [("!=", false), ("==", true), ("=", true)]
            .into_iter()
            .filter_map(|(symbol, equal)| {
                let (field, value) = term.split_once(symbol)?;
                Some((field, equal, value))
            })
            .min_by_key(|(field, _, _)| field.len())
            .ok_or_else(|| ApiError::bad_request(format!("invalid selector: '{term}'; can't understand '{term}'")))?;
        let known = resource
            .field_labels()
            .iter()
            .find(|known| **known == field)
            .ok_or_else(|| unknown_field(resource, field))?;
        Ok(Self { field: known, equal, value: unescape(value) })
    }
}

fn unknown_field(resource: Resource, field: &str) -> ApiError {
    ApiError::bad_request(match resource {
        Resource::Pods => format!("field label not supported: {field}"),
        _ => format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    })
}

/// Splits at the commas that no backslash precedes.
fn split_unescaped(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if c == ',' && !escaped {
            terms.push(&text[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    terms.push(&text[start..]);
    terms
}

fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        plain.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn message(text: &str) -> String {
        let error = LabelSelector::parse(text).unwrap_err();
        error.to_document()["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_operator_matches_as_on_a_real_server() {
        let given = labels(&[("a", "b"), ("n", "5"), ("business/aenv-name", "weather")]);
        for (selector, expected) in [
            ("", true),
            ("a", true),
            ("!a", false),
            ("!c", true),
            ("a=b", true),
            (" a == b ", true),
            ("a!=b", false),
            ("c!=b", true),
            ("a=", false),
            ("a!=", true),
            ("a in (b,x)", true),
            ("a in (b,)", true),
            ("a in ()", false),
            ("a notin (b),!c", false),
            ("c notin (b)", true),
            ("n>4,n<6", true),
            ("a>4", false),
            ("business/aenv-name=weather,a", true),
            ("business/aenv-name=weather,a=x", false),
            ("in", false),
            ("a=in", false),
        ] {
            assert_eq!(LabelSelector::parse(selector).unwrap().matches(&given), expected, "{selector}");
        }
    }

    #[test]
    fn broken_selectors_are_refused_in_the_servers_words() {
        for (selector, expected) in [
            (",", "found ',', expected: !, identifier, or 'end of string'"),
            ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
            ("a,,b", "found ',', expected: identifier after ','"),
            ("a=b,", "found '', expected: identifier after ','"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("a b", "unable to parse requirement: found 'b', expected: '=', '!=', '==', 'in', notin'"),
            ("a===b", "unable to parse requirement: found '=', expected: identifier"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
            ("a>x", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer"),
        ] {
            assert_eq!(message(selector), expected, "{selector}");
        }
        assert!(
            message("a=b@c").starts_with("unable to parse requirement: invalid label value: \"b@c\": at key: \"a\": ")
        );
    }

    #[test]
    fn field_selectors_know_only_indexed_fields() {
        let selector =
            FieldSelector::parse(Resource::Pods, ",status.phase!=Running,metadata.name==a\\,b,spec.nodeName=").unwrap();
        let matches = |phase: &'static str| {
            selector.matches(|field| match field {
                "metadata.name" => "a,b",
                "status.phase" => phase,
                _ => "",
            })
        };
        assert!(matches("Pending"));
        assert!(!matches("Running"));
        for (resource, text) in
            [(Resource::Pods, "spec.foo=1"), (Resource::Pods, "foo"), (Resource::Services, "spec.type=ClusterIP")]
        {
            assert_eq!(FieldSelector::parse(resource, text).unwrap_err().code, 400);
        }
    }
}
