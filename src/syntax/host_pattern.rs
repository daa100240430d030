//! Host patterns: names of hosts, as a setting lists them.

use super::ObjectName;
use std::fmt;
use std::str::FromStr;

/// One host (`aenv.example.com`), all hosts below one (`*.example.com`), or every host (`*`). Case makes no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// The hosts below this one, not itself.
    Below(String),
    /// This host.
    Exactly(String),
}

/// A text that is no host pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host name such as aenv.example.com, nor *.example.com, nor *")]
pub struct BadHostPattern;

impl HostPattern {
    /// True if `host`, in lower case and without a port, fits.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.strip_suffix(domain.as_str()).is_some_and(|below| below.ends_with('.')),
            Self::Exactly(name) => host == name,
        }
    }
}

impl FromStr for HostPattern {
    type Err = BadHostPattern;

    fn from_str(text: &str) -> Result<Self, BadHostPattern> {
        let text = text.to_ascii_lowercase();
        let name = |text: &str| match ObjectName::new(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err(BadHostPattern),
        };
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            Some(domain) => name(domain).map(Self::Below),
            None => name(&text).map(Self::Exactly),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(domain) => write!(f, "*.{domain}"),
            Self::Exactly(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_host_or_those_below_it() {
        for (pattern, host, fits) in [
            ("aenv.example.com", "aenv.example.com", true),
            ("AENV.example.com", "aenv.example.com", true),
            ("aenv.example.com", "x.aenv.example.com", false),
            ("aenv.example.com", "aenv.example.com.evil.net", false),
            ("*.example.com", "aenv.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "notexample.com", false),
            ("*", "anything", true),
        ] {
            assert_eq!(pattern.parse::<HostPattern>().unwrap().matches(host), fits, "{pattern} {host}");
        }
    }

    #[test]
    fn addresses_with_scheme_port_or_path_are_no_patterns() {
        for text in ["", "https://aenv.example.com", "aenv.example.com:443", "a/b", "*x", "a.*.b", "a b"] {
            assert_eq!(text.parse::<HostPattern>(), Err(BadHostPattern), "{text}");
        }
        for text in ["*", "*.example.com", "aenv.example.com"] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
        }
    }
}
