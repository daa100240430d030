//! A value as somebody gave it, before the key that it is meant for has looked at it.

use ::config::ValueKind;
use std::fmt;
use std::path::PathBuf;

/// The most characters of a given value that a message repeats.
const SHOWN: usize = 80;

/// Source of a value. A stronger one is greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A settings file.
    File(PathBuf),
    /// An environment variable, by name.
    Variable(String),
    /// A flag, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One value of one source, under the path that it was given for, which may not be that of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) path: String,
    pub(super) given: Given,
}

/// A value as it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// By YAML, which has decided already whether it is a number or a text.
    Yaml(ValueKind),
    /// By a variable or a flag: characters, which mean what the key takes them for.
    Text(String),
}

impl Given {
    /// True if the file says `~` or nothing at all, which leaves the key to weaker sources.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Yaml(ValueKind::Nil))
    }

    pub(super) fn whole(&self) -> Option<u64> {
        match self {
            Self::Yaml(ValueKind::I64(number)) => u64::try_from(*number).ok(),
            Self::Text(text) => text.parse().ok(),
            Self::Yaml(_) => None,
        }
    }

    pub(super) fn real(&self) -> Option<f64> {
        match self {
            Self::Yaml(ValueKind::Float(number)) => Some(*number),
            Self::Yaml(ValueKind::I64(number)) => i32::try_from(*number).ok().map(f64::from),
            Self::Text(text) => text.parse().ok(),
            Self::Yaml(_) => None,
        }
    }

    pub(super) fn switch(&self) -> Option<bool> {
        match self {
            Self::Yaml(ValueKind::Boolean(on)) => Some(*on),
            Self::Text(text) => text.parse().ok(),
            Self::Yaml(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Yaml(ValueKind::String(text)) | Self::Text(text) => Some(text),
            Self::Yaml(_) => None,
        }
    }

    /// The other reading of a YAML value, as if its quotes were left out or put in, and how one would say so.
    pub(super) fn requoted(&self) -> Option<(Self, &'static str)> {
        match self {
            Self::Yaml(ValueKind::String(text)) => Some((Self::Text(text.clone()), "without quotes")),
            Self::Yaml(kind @ (ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::Float(_))) => {
                Some((Self::Yaml(ValueKind::String(kind.to_string())), "in quotes"))
            }
            _ => None,
        }
    }
}

/// For messages: one line, of bounded length, without what stands before an `@`, as a URL's password does.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yaml(ValueKind::Table(_)) => f.write_str("a mapping"),
            Self::Yaml(ValueKind::Array(_)) => f.write_str("a list"),
            Self::Yaml(ValueKind::String(text)) | Self::Text(text) => {
                let open = text.rsplit_once('@').map_or_else(|| text.clone(), |(_, host)| format!("***@{host}"));
                let shown: String = open.chars().take(SHOWN).collect();
                write!(f, "{shown:?}{}", if shown.len() < open.len() { "…" } else { "" })
            }
            Self::Yaml(scalar) => write!(f, "{scalar}"),
        }
    }
}
