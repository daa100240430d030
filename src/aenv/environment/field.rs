//! A field of a body: its path and its value, read as one type or another.

use crate::aenv::warnings::Warnings;
use crate::syntax::{Fault, Node, Object, Value, cut};
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

/// A field that was given, with its path as the caller spelled it.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    /// The field at `path`.
    pub(super) fn new(path: String, value: &'a Value) -> Self {
        Self { path, value }
    }

    /// Its path as the caller spelled it.
    pub(super) fn into_path(self) -> String {
        self.path
    }

    /// The member `key` of this object; its name may be anything.
    pub(super) fn member(&self, key: &str, member: &'a Node) -> Self {
        Self { path: format!("{}.{}", self.path, cut(key)), value: &member.value }
    }

    /// A fault that tells the value.
    pub(super) fn refused(&self, why: impl fmt::Display) -> Fault {
        Fault::at(self.path.clone(), format!("{} {why}", self.value))
    }

    /// A fault that does not tell the value.
    pub(super) fn wrong(&self, problem: impl fmt::Display) -> Fault {
        Fault::at(self.path.clone(), problem)
    }

    /// The text of a warning that does not tell the value.
    pub(super) fn warning(&self, what: impl fmt::Display) -> String {
        format!("{}: {what}", self.path)
    }

    /// The text of a warning that tells the value.
    pub(super) fn told(&self, what: impl fmt::Display) -> String {
        format!("{}: {} {what}", self.path, self.value)
    }

    /// The value, if it is a text; the fault does not tell it.
    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        match self.value {
            Value::Text(text) => Ok(text),
            Value::Bool(_) | Value::Number(_) => Err(self.wrong(format!("is {}, put it in quotes", self.value.kind()))),
            Value::Null | Value::List(_) | Value::Object(_) => Err(self.is_no("a text")),
        }
    }

    /// The value as a text: that of a number is its digits. The fault does not tell it.
    pub(super) fn text_or_number(&self) -> Result<Cow<'a, str>, Fault> {
        if let Value::Number(number) = self.value {
            Ok(number.to_string().into())
        } else {
            self.text().map(Cow::Borrowed)
        }
    }

    /// The value as a text, whatever it is, with a warning if it is none.
    pub(super) fn as_text(&self, warnings: &mut Warnings) -> Cow<'a, str> {
        if let Value::Text(text) = self.value {
            return Cow::Borrowed(text);
        }
        warnings.push(self.warning(format_args!("is {}, its text is taken; put it in quotes", self.value.kind())));
        Cow::Owned(self.value.to_text())
    }

    /// The value, if it is a whole number within `range`, however JSON spells it: `8080`, `8080.0`, `8.08e3`; with a
    /// warning also as a text.
    pub(super) fn whole(&self, range: RangeInclusive<i64>, warnings: &mut Warnings) -> Result<i64, Fault> {
        let number = match self.value {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.refused(format_args!("is not a whole number from {} to {}", range.start(), range.end()))
        })?;
        if matches!(self.value, Value::Text(_)) {
            warnings.push(self.told("is a text, taken as the number; write it without quotes"));
        }
        Ok(number)
    }

    /// The members, if it is an object.
    pub(super) fn members(&self) -> Result<&'a Object, Fault> {
        if let Value::Object(members) = self.value { Ok(members) } else { Err(self.is_no("an object")) }
    }

    /// The items, if it is a list.
    pub(super) fn items(&self) -> Result<impl ExactSizeIterator<Item = Field<'a>>, Fault> {
        let Value::List(items) = self.value else { return Err(self.is_no("a list")) };
        let path = self.path.clone();
        Ok(items
            .iter()
            .enumerate()
            .map(move |(number, item)| Field { path: format!("{path}[{number}]"), value: &item.value }))
    }

    /// True for null.
    pub(super) fn is_null(&self) -> bool {
        *self.value == Value::Null
    }

    /// True if it is as good as not given.
    pub(super) fn is_absent(&self) -> bool {
        self.is_null() || matches!(self.value, Value::Text(text) if text.is_empty())
    }

    fn is_no(&self, wanted: &str) -> Fault {
        self.wrong(format!("is {}, give {wanted}", self.value.kind()))
    }
}

/// The number, if it has no fraction and an `i64` can hold it.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok()).flatten()
}
