//! A section of a body: finds the fields of one object, and collects faults and warnings about them.

use super::document::Document;
use super::field::Field;
use super::settings::Setting;
use crate::aenv::labels::CallerLabels;
use crate::aenv::warnings::Warnings;
use crate::syntax::{Fault, Faults, Object, cut};
use std::collections::BTreeMap;
use std::fmt;

/// Keys under which EnvHub's clients put the deploy settings; the first one that is there counts.
const DEPLOY_SETTINGS: [&str; 2] = ["deployConfig", "deploy_config"];

/// The fields of one object of the body, the faults found in them, and the warnings about them.
#[derive(Debug, Default)]
pub(super) struct Section<'a> {
    /// Prefix of the fields' names.
    prefix: &'static str,
    members: Option<&'a Object>,
    /// The fields of a request of the CLI, which come before those of `members`.
    request: Option<&'a Object>,
    faults: Faults,
    warnings: Warnings,
}

impl<'a> Section<'a> {
    /// The body itself.
    pub(super) fn of_body(document: &'a Document) -> Self {
        Self { members: Some(document.members()), ..Self::default() }
    }

    /// The deploy settings of this body.
    pub(super) fn deploy_settings(&mut self) -> Self {
        let given = DEPLOY_SETTINGS.into_iter().find(|key| self.given(key).is_some());
        let members = given.and_then(|key| {
            let members = self.given(key)?.members();
            members.map_err(|fault| self.refuse(fault)).ok()
        });
        Self { prefix: given.unwrap_or(DEPLOY_SETTINGS[0]), members, ..Self::default() }
    }

    /// The same, with the fields of a request of the CLI before its own.
    pub(super) fn overridden_by(self, request: Option<&'a Object>) -> Self {
        Self { request, ..self }
    }

    /// The path of a field as the caller spelled it, or would have to.
    pub(super) fn path<T>(&self, setting: &Setting<T>) -> String {
        if let Some(field) = self.field(setting) {
            return field.into_path();
        }
        match setting.cli.filter(|_| self.request.is_some()) {
            Some(name) => name.to_owned(),
            None => self.own_path(setting.name),
        }
    }

    /// True if the field was given.
    pub(super) fn has<T>(&self, setting: &Setting<T>) -> bool {
        self.field(setting).is_some()
    }

    /// The text of a field that only EnvHub's description has.
    pub(super) fn own_text(&self, key: &str) -> Option<&'a str> {
        self.given(key)?.text().ok()
    }

    /// The value of a field. `None`: it is absent, or it is wrong, which is remembered.
    pub(super) fn read<T>(&mut self, setting: &Setting<T>) -> Option<T> {
        let field = self.field(setting)?;
        (setting.rule)(&field, &mut self.warnings).map_err(|faults| self.faults.append(faults)).ok()
    }

    /// The value of a field, or `default` if it is absent. `None`: it is wrong.
    pub(super) fn read_or<T>(&mut self, setting: &Setting<T>, default: T) -> Option<T> {
        if self.has(setting) { self.read(setting) } else { Some(default) }
    }

    /// The value of a field that must be given; `hint` goes on after `is missing`. `None`: it is absent or wrong.
    pub(super) fn require<T>(&mut self, setting: &Setting<T>, hint: &str) -> Option<T> {
        if !self.has(setting) {
            self.refuse(Fault::at(self.path(setting), format!("is missing, {hint}")));
        }
        self.read(setting)
    }

    /// The labels of the caller's own, those that cannot be labels with a warning.
    pub(super) fn read_labels(
        &mut self,
        setting: &Setting<BTreeMap<String, String>>,
        selector_keys: &[String],
    ) -> CallerLabels {
        let labels = self.read(setting).unwrap_or_default();
        let (path, warnings) = (self.path(setting), &mut self.warnings);
        CallerLabels::sort(labels, selector_keys, |key, why| {
            warnings.push(format!("{path}: \"{}\" is kept in an annotation: {why}", cut(key)));
        })
    }

    /// Remembers a fault.
    pub(super) fn refuse(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Remembers a warning about a field.
    pub(super) fn warn<T>(&mut self, setting: &Setting<T>, what: impl fmt::Display) {
        self.warnings.push(format!("{}: {what}", self.path(setting)));
    }

    /// The value that was made of these sections, with the warnings about their fields. `None` comes with a fault.
    pub(super) fn conclude<T>(
        sections: impl IntoIterator<Item = Self>,
        value: impl FnOnce() -> Option<T>,
    ) -> Result<(T, Warnings), Faults> {
        let (mut faults, mut warnings) = (Faults::default(), Warnings::default());
        for section in sections {
            faults.append(section.faults);
            warnings.extend(section.warnings);
        }
        match value() {
            Some(value) => faults.none_or((value, warnings)),
            None => Err(faults),
        }
    }

    fn field<T>(&self, setting: &Setting<T>) -> Option<Field<'a>> {
        self.requested(setting).or_else(|| self.given(setting.name))
    }

    /// The field as a request of the CLI has it. In such a request the zero values of Go say nothing, since
    /// `api-service` cannot tell them from fields that are absent.
    fn requested<T>(&self, setting: &Setting<T>) -> Option<Field<'a>> {
        let name = setting.cli?;
        let value = self.request?.get(name).map(|member| &member.value).filter(|value| !value.is_zero())?;
        Some(Field::new(name.to_owned(), value))
    }

    fn given(&self, key: &str) -> Option<Field<'a>> {
        let value = &self.members?.get(key)?.value;
        Some(Field::new(self.own_path(key), value)).filter(|field| !field.is_absent())
    }

    fn own_path(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}.{key}", self.prefix) }
    }
}
