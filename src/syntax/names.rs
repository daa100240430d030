//! Names, label values and label keys, checked as Kubernetes checks them.
//!
//! Everything that becomes part of a selector or of a path is one of these types, so that an unchecked string
//! cannot reach the API server or the file system. Rules: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
//! and <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>.

use std::fmt;
use std::sync::Arc;

/// The longest label value that Kubernetes takes, in bytes; the longest name part of a label key too.
const LABEL_VALUE_MAX: usize = 63;
/// The longest DNS label, in bytes.
const DNS_LABEL_MAX: usize = 63;
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
    /// Not a DNS-1035 label.
    #[error(
        "is not a DNS-1035 label: at most 63 lower-case letters, digits or '-', beginning with a letter and ending with a letter or digit"
    )]
    ServiceName,
    /// Not a label key.
    #[error(
        "is not a label key: at most 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit, after an optional DNS name and '/'"
    )]
    LabelKey,
    /// Not the name of a template.
    #[error("is not a template's name: at most 63 letters, digits, '-', '_' or '.', beginning with a letter or digit")]
    TemplateName,
}

/// Checks the key of a label: a name part of the characters of a label value, behind an optional `prefix/`.
///
/// # Errors
/// [`Invalid::LabelKey`] if Kubernetes would refuse it.
pub(crate) fn check_label_key(text: &str) -> Result<(), Invalid> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let ok = LabelValue::new(name).is_ok() && prefix.is_none_or(|prefix| ObjectName::new(prefix).is_ok());
    if ok { Ok(()) } else { Err(Invalid::LabelKey) }
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

    /// Checks a name that a Service is to have, which may be less than most objects' names:
    /// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names>.
    ///
    /// # Errors
    /// [`Invalid::ServiceName`] if no Service could have that name.
    pub fn for_service(text: &str) -> Result<Self, Invalid> {
        let is_label = text.len() <= DNS_LABEL_MAX && !text.contains('.');
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        Self::new(text).ok().filter(|_| is_label && begins).ok_or(Invalid::ServiceName)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The beginning of a generated object name, such as `weather-`; random characters follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NamePrefix(Arc<str>);

impl NamePrefix {
    /// Alphabet of the random characters.
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    /// Number of characters that follow: two billion names, as the controller has always made them.
    const RANDOM: usize = 6;
    /// Number of characters that follow if they are derived: 3.7 * 10^15 names.
    const DERIVED: usize = 10;

    /// A prefix with which `check`, such as [`ObjectName::new`], takes every name.
    ///
    /// # Errors
    /// The verdict of `check` on the names.
    pub(crate) fn new(text: &str, check: impl FnOnce(&str) -> Result<ObjectName, Invalid>) -> Result<Self, Invalid> {
        check(&format!("{text}{}", "x".repeat(Self::RANDOM))).map(|_| Self(text.into()))
    }

    /// The name that the low bits of `random` choose.
    pub(crate) fn name(&self, random: u64) -> ObjectName {
        self.spelt(random, Self::RANDOM)
    }

    /// The name that `seed` stands for. It has more characters than a random one, if there is room for them in a DNS
    /// label: a random name that is taken is drawn again, but this one is the only one.
    pub(crate) fn derived_name(&self, seed: u64) -> ObjectName {
        let room = self.0.len() + Self::DERIVED <= DNS_LABEL_MAX;
        self.spelt(seed, if room { Self::DERIVED } else { Self::RANDOM })
    }

    fn spelt(&self, seed: u64, length: usize) -> ObjectName {
        let mut name = String::from(&*self.0);
        let mut rest = seed;
        for _ in 0..length {
            let (next, digit) = (rest / 36, rest % 36);
            name.push(usize::try_from(digit).map_or('x', |digit| char::from(Self::ALPHABET[digit])));
            rest = next;
        }
        ObjectName(name.into())
    }

    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The checked name of a template, safe to stand in a file's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TemplateName(Arc<str>);

impl TemplateName {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Invalid::TemplateName`] if it is anything but a plain name.
    pub(crate) fn new(text: &str) -> Result<Self, Invalid> {
        let bytes = text.as_bytes();
        let ok = bytes.len() <= LABEL_VALUE_MAX
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if ok { Ok(Self(text.into())) } else { Err(Invalid::TemplateName) }
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    fn a_service_needs_a_dns_1035_label() {
        for good in ["a", "weather-main", "w9", &"x".repeat(63)] {
            assert!(ObjectName::for_service(good).is_ok(), "{good}");
        }
        for bad in ["", "9a", "a.b", "A", "a-", "-a", "a_b", &"x".repeat(64)] {
            assert_eq!(ObjectName::for_service(bad), Err(Invalid::ServiceName), "{bad:?}");
        }
    }

    #[test]
    fn label_keys_have_a_name_and_perhaps_a_prefix() {
        for good in ["team", "a.b_c-D", "business/x", "example.com/cost-centre", &format!("a/{}", "x".repeat(63))] {
            assert_eq!(check_label_key(good), Ok(()), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a/b/c", "A.b/c", "a b", "é", "-a", "a=b", &"x".repeat(64)] {
            assert_eq!(check_label_key(bad), Err(Invalid::LabelKey), "{bad:?}");
        }
    }

    #[test]
    fn generated_names_are_names_whatever_the_random_number() {
        let prefix = NamePrefix::new("weather-svc-", ObjectName::for_service).unwrap();
        for random in [0, 1, 35, 36, u64::MAX, 0x5eed_5eed_5eed_5eed] {
            let name = prefix.name(random);
            assert_eq!(name.as_str().len(), prefix.as_str().len() + 6);
            assert_eq!(ObjectName::for_service(name.as_str()), Ok(name));
        }
        assert_ne!(prefix.name(1), prefix.name(2));
        let longest = format!("{}-svc-", "x".repeat(52));
        assert!(NamePrefix::new(&longest, ObjectName::for_service).is_ok());
        assert!(NamePrefix::new(&format!("x{longest}"), ObjectName::for_service).is_err());
    }

    #[test]
    fn template_names_are_names_and_no_paths() {
        for good in ["singleContainer", "win64", "a-", "9", "gpu_a100", "v1.2"] {
            assert!(TemplateName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "../../x", "a/b", ".hidden", "..", "-a", "_b", "a b", "a\0", "é", &"x".repeat(64)] {
            assert_eq!(TemplateName::new(bad), Err(Invalid::TemplateName), "{bad:?}");
        }
    }
}
