//! Finds the fields of a body, and collects what is wrong with them.

use super::document::{Json, Object};
use super::faults::{Fault, Faults, cut};
use std::fmt;
use std::ops::RangeInclusive;

/// Where EnvHub's clients put the deploy settings; the first one that is there counts.
const DEPLOY_SETTINGS: [&str; 2] = ["deployConfig", "deploy_config"];

/// A field that was given, with its path as the caller spelled it.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    path: String,
    json: &'a Json,
}

impl<'a> Field<'a> {
    /// The member `key` of this object; its name may be anything.
    pub(super) fn member(&self, key: &str, json: &'a Json) -> Self {
        Self { path: format!("{}.{}", self.path, cut(key)), json }
    }

    /// A fault that tells the value.
    pub(super) fn refused(&self, why: impl fmt::Display) -> Fault {
        Fault::at(self.path.clone(), format!("{} {why}", self.json))
    }

    /// A fault that does not tell the value.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> Fault {
        Fault::at(self.path.clone(), problem)
    }

    /// The value, if it is a text; the fault does not tell it.
    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        match self.json {
            Json::Text(text) => Ok(text),
            Json::Bool(_) | Json::Number(_) => Err(self.wrong(format!("is {}, put it in quotes", self.json.kind()))),
            Json::Null | Json::List(_) | Json::Object(_) => Err(self.is_no("a text")),
        }
    }

    /// The value, if it is a whole number within `range`, however JSON spells it: `8080`, `8080.0`, `8.08e3`.
    pub(super) fn whole(&self, range: RangeInclusive<i64>) -> Result<i64, Fault> {
        let number = match self.json {
            Json::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            _ => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.refused(format_args!("is not a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// The members, if it is an object.
    pub(super) fn members(&self) -> Result<&'a Object, Fault> {
        if let Json::Object(members) = self.json { Ok(members) } else { Err(self.is_no("an object")) }
    }

    /// The items, if it is a list.
    pub(super) fn items(&self) -> Result<impl Iterator<Item = Field<'a>>, Fault> {
        let Json::List(items) = self.json else { return Err(self.is_no("a list")) };
        let path = self.path.clone();
        Ok(items.iter().enumerate().map(move |(number, json)| Field { path: format!("{path}[{number}]"), json }))
    }

    /// Whether it is null.
    pub(super) fn is_null(&self) -> bool {
        *self.json == Json::Null
    }

    /// Whether it is as good as not given.
    pub(super) fn is_absent(&self) -> bool {
        self.is_null() || matches!(self.json, Json::Text(text) if text.is_empty())
    }

    fn is_no(&self, wanted: &str) -> Fault {
        self.wrong(format!("is {}, give {wanted}", self.json.kind()))
    }
}

/// The number, if it has no fraction and an `i64` can hold it.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok()).flatten()
}

/// The fields of one object of the body, and the faults found in them.
#[derive(Debug, Default)]
pub(super) struct Section<'a> {
    /// What stands before the names of the fields.
    prefix: &'static str,
    members: Option<&'a Object>,
    faults: Faults,
}

impl<'a> Section<'a> {
    /// The body itself.
    pub(super) fn of_body(document: &'a Json) -> Self {
        let members = if let Json::Object(members) = document { Some(members) } else { None };
        Self { members, ..Self::default() }
    }

    /// The deploy settings of this body.
    pub(super) fn deploy_settings(&mut self) -> Self {
        let given = DEPLOY_SETTINGS.into_iter().find(|key| self.has(key));
        let members = given.and_then(|key| self.read(key, |field| Ok(field.members()?)));
        Self { prefix: given.unwrap_or(DEPLOY_SETTINGS[0]), members, ..Self::default() }
    }

    /// The path of the field `key`.
    pub(super) fn path(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}.{key}", self.prefix) }
    }

    /// Whether the field was given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    /// The value of `key`. `None`: it is absent, or it is wrong, which is remembered.
    pub(super) fn read<T>(&mut self, key: &str, rule: impl FnOnce(&Field<'a>) -> Result<T, Faults>) -> Option<T> {
        let read = rule(&self.field(key)?);
        read.map_err(|faults| self.faults.extend(faults)).ok()
    }

    /// The value of `key`, or `default` if it is absent. `None`: it is wrong.
    pub(super) fn read_or<T>(
        &mut self,
        key: &str,
        default: T,
        rule: impl FnOnce(&Field<'a>) -> Result<T, Faults>,
    ) -> Option<T> {
        if self.has(key) { self.read(key, rule) } else { Some(default) }
    }

    /// The value of `key`, which must be given; `hint` goes on after `is missing`. `None`: it is absent or wrong.
    pub(super) fn require<T>(
        &mut self,
        key: &str,
        hint: &str,
        rule: impl FnOnce(&Field<'a>) -> Result<T, Faults>,
    ) -> Option<T> {
        if !self.has(key) {
            self.refuse(Fault::at(self.path(key), format!("is missing, {hint}")));
        }
        self.read(key, rule)
    }

    /// Remembers a fault.
    pub(super) fn refuse(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// What is wrong with the fields that were read.
    pub(super) fn into_faults(self) -> Faults {
        self.faults
    }

    fn field(&self, key: &str) -> Option<Field<'a>> {
        let json = self.members?.get(key)?;
        Some(Field { path: self.path(key), json }).filter(|field| !field.is_absent())
    }
}
