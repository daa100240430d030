//! The label keys of AEnvironment's objects, and what may stand in a label value, in an object's name and in a
//! narrowing.
//!
//! Everything that becomes part of a selector or of a path is one of these types, so that an unchecked string
//! cannot reach the API server. Rules: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
//! and <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>.

use std::fmt;
use std::sync::Arc;

/// Label that carries the environment's name.
pub const ENV_NAME: &str = "business/aenv-name";
/// Label that carries the environment's version.
pub const ENV_VERSION: &str = "business/aenv-version";
/// Label that carries the owner.
pub const OWNER: &str = "business/aenv-owner";
/// Label that carries an instance's time to live, a Go duration counted from its creation.
pub const TTL: &str = "business/aenv-ttl";

/// The longest label value that Kubernetes takes, in bytes.
const LABEL_VALUE_MAX: usize = 63;
/// The longest DNS-1123 subdomain, in bytes.
const NAME_MAX: usize = 253;

/// Why a text is not what it should be; says the rule, not the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not a label value.
    #[error(
        "is not a label value: at most 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit"
    )]
    LabelValue,
    /// Not a DNS-1123 subdomain.
    #[error(
        "is not a DNS-1123 subdomain: at most 253 lower-case letters, digits, '-' or '.', each part between dots beginning and ending with a letter or digit"
    )]
    Name,
}

/// A checked, non-empty label value, safe to stand in a label selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelValue(Arc<str>);

impl LabelValue {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Invalid::LabelValue`] if Kubernetes would refuse it as a label value, or if it is empty: an empty value
    /// narrows nothing that a user means.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let bytes = text.as_bytes();
        let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let ok = bytes.len() <= LABEL_VALUE_MAX && bytes.iter().all(inner) && ends(bytes.first()) && ends(bytes.last());
        if ok { Ok(Self(text.into())) } else { Err(Invalid::LabelValue) }
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A checked object name (DNS-1123 subdomain), safe to stand in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectName(Arc<str>);

impl ObjectName {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Invalid::Name`] if no object could have that name.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let part =
            |part: &str| !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-');
        if text.len() <= NAME_MAX && text.split('.').all(part) { Ok(Self(text.into())) } else { Err(Invalid::Name) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The phase of a pod, as the API server names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Accepted, not all containers run yet.
    Pending,
    /// At least one container runs.
    Running,
    /// All containers ended with success.
    Succeeded,
    /// All containers ended, one of them in failure.
    Failed,
    /// The node does not answer.
    Unknown,
}

impl Phase {
    /// Every phase, in the order of a pod's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Unknown];

    /// The API server's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// What of a list is asked for. `None` and `false` narrow nothing; the default asks for everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Narrowing {
    /// Only objects of this environment.
    pub env: Option<LabelValue>,
    /// Only objects of this version of their environment.
    pub version: Option<LabelValue>,
    /// Only objects of this owner.
    pub owner: Option<LabelValue>,
    /// Only pods in this phase.
    pub phase: Option<Phase>,
    /// Only objects that carry a time to live.
    pub with_ttl: bool,
}

impl Narrowing {
    /// The label selector that says the same; `None` if every object is meant.
    #[must_use]
    pub fn label_selector(&self) -> Option<String> {
        let equal = [(ENV_NAME, &self.env), (ENV_VERSION, &self.version), (OWNER, &self.owner)];
        let terms = equal
            .into_iter()
            .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={value}")))
            .chain(self.with_ttl.then(|| TTL.to_owned()))
            .collect::<Vec<_>>();
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// The field selector that says the same; `None` if every object is meant.
    #[must_use]
    pub fn field_selector(&self) -> Option<String> {
        self.phase.map(|phase| format!("status.phase={}", phase.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_follow_kubernetes_rules() {
        for good in ["a", "1.0.2", "swe-bench", "A_b.c-9", &"x".repeat(63)] {
            assert!(LabelValue::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", ".a", "a b", "a,b=c", "a=b", "ü", "a\n", "a/b", "*", &"x".repeat(64)] {
            assert_eq!(LabelValue::new(bad), Err(Invalid::LabelValue), "{bad:?}");
        }
    }

    #[test]
    fn names_are_dns_subdomains() {
        for good in ["a", "weather-svc-xk6k44", "a.b.c", "0a", &"x".repeat(253)] {
            assert!(ObjectName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "a/b", "..", "a%2f", "é", &"x".repeat(254)] {
            assert_eq!(ObjectName::new(bad), Err(Invalid::Name), "{bad:?}");
        }
    }

    #[test]
    fn a_narrowing_is_one_selector() {
        assert_eq!(Narrowing::default().label_selector(), None);
        assert_eq!(Narrowing::default().field_selector(), None);
        let narrowing = Narrowing {
            env: LabelValue::new("weather").ok(),
            owner: LabelValue::new("jun").ok(),
            phase: Some(Phase::Running),
            with_ttl: true,
            ..Narrowing::default()
        };
        assert_eq!(
            narrowing.label_selector().as_deref(),
            Some("business/aenv-name=weather,business/aenv-owner=jun,business/aenv-ttl")
        );
        assert_eq!(narrowing.field_selector().as_deref(), Some("status.phase=Running"));
    }
}
