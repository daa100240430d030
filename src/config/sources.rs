//! Sources of settings: the chart's variable, the file, the environment, the flags.
//!
//! The sources are kept side by side rather than merged into one tree: a merged value hides the weaker one's faults and
//! no longer knows which variable or flag it came from.

use super::cli::{Flags, GoSetting};
use super::given::{Entry, Given, Source};
use super::yaml;
use crate::reload::read_text;
use crate::syntax::Fault;
use ::config::{Value, ValueKind};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The beginning of a variable's name that stands for a key. Two underscores: Kubernetes injects variables with one
/// for each Service (`AENV_CONTROLLER_PORT`).
const VARIABLE_PREFIX: &str = "AENV_CONTROLLER__";

/// The variable by which AEnvironment's Helm chart sets `services.domain_suffix`. As any variable it is stronger than the
/// file, which in the image names every key; the key's own variable is stronger still.
const CHART_VARIABLE: &str = "SERVICE_DOMAIN_SUFFIX";

/// The largest settings file, which is as large as a ConfigMap can be: 1 MiB.
const MAX_BYTES: usize = 1 << 20;

/// A fault, and the source that it was found in.
pub(super) type Found = (Source, Fault);

/// Everything that was given, the weakest first, and what is wrong with the sources themselves.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) entries: Vec<Entry>,
    pub(super) faults: Vec<Found>,
}

impl Sources {
    /// Collects all sources. `standard_file` is read if the flags name no file, and may be missing.
    pub(super) fn collect(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
        standard_file: &Path,
    ) -> Self {
        // An empty variable is one that a template left empty: as good as none.
        let given = environment.into_iter().map(|(name, value)| (name, value.trim().to_owned()));
        let environment: BTreeMap<_, _> = given.filter(|(_, value)| !value.is_empty()).collect();
        let mut sources = Self::default();
        match &flags.config {
            Some(path) => sources.file(path, true),
            None => sources.file(standard_file, false),
        }
        sources.chart_variable(&environment);
        sources.variables(&environment);
        sources.flags(flags);
        sources
    }

    fn push(&mut self, source: Source, path: String, given: Given) {
        self.entries.push(Entry { source, path, given });
    }

    fn chart_variable(&mut self, environment: &BTreeMap<String, String>) {
        if let Some(suffix) = environment.get(CHART_VARIABLE) {
            let source = Source::Variable(CHART_VARIABLE.to_owned());
            self.push(source, "services.domain_suffix".to_owned(), Given::Text(suffix.clone()));
        }
    }

    fn variables(&mut self, environment: &BTreeMap<String, String>) {
        for (name, value) in environment {
            if let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) {
                let path = rest.to_ascii_lowercase().replace("__", ".");
                self.push(Source::Variable(name.clone()), path, Given::Text(value.clone()));
            }
        }
    }

    fn flags(&mut self, flags: &Flags) {
        for GoSetting { flag, path, value } in &flags.go {
            match value {
                Ok(value) => self.push(Source::Flag(flag), (*path).to_owned(), Given::Text(value.clone())),
                Err(problem) => self.faults.push((Source::Flag(flag), Fault::at(*path, problem))),
            }
        }
        for (flag, path, value) in flags.settings() {
            self.push(Source::Flag(flag), path.to_owned(), Given::Text(value.to_owned()));
        }
    }

    fn file(&mut self, path: &Path, required: bool) {
        let source = Source::File(path.to_owned());
        let sections = match read_text(path, MAX_BYTES) {
            Ok(text) => yaml::sections(&text),
            Err(error) if error.kind() == ErrorKind::NotFound && !required => return,
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        match sections {
            Ok(sections) => sections.into_iter().for_each(|(name, value)| self.section(&source, &name, value)),
            Err(problem) => self.faults.push((source, Fault::new(problem))),
        }
    }

    fn section(&mut self, source: &Source, name: &str, value: Value) {
        match value.kind {
            ValueKind::Table(keys) if !keys.is_empty() => {
                for (key, value) in keys.into_iter().collect::<BTreeMap<_, _>>() {
                    self.push(source.clone(), format!("{name}.{key}"), Given::Yaml(value.kind));
                }
            }
            _ if name.contains('.') => {
                let problem = "a key stands beneath the name of its section, not behind it";
                self.faults.push((source.clone(), Fault::at(name, problem)));
            }
            ValueKind::Table(_) => self.push(source.clone(), name.to_owned(), Given::Yaml(ValueKind::Nil)),
            value => self.push(source.clone(), name.to_owned(), Given::Yaml(value)),
        }
    }
}
