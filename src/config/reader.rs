//! Reader: looks the declared keys up in what was given, and remembers what it found: the faults, which keys exist, and
//! which source decided each. What no key has asked for in the end is unknown.

use super::given::{Entry, Source};
use super::kind::{Key, Kind};
use super::nearest::nearest;
use super::sources::Found;
use crate::syntax::{Fault, Faults};
use std::collections::BTreeMap;

/// One reading of all keys.
#[derive(Default)]
pub(super) struct Reader {
    /// The weakest first.
    entries: Vec<Entry>,
    faults: Vec<Found>,
    known: Vec<&'static str>,
    decided: BTreeMap<&'static str, Source>,
}

impl Reader {
    /// A reader of `entries`, the weakest first, which has `faults` already.
    pub(super) fn new(entries: Vec<Entry>, faults: Vec<Found>) -> Self {
        Self { entries, faults, ..Self::default() }
    }

    /// The strongest value given for the key at `path`, or its default. Values that a stronger one hides are
    /// checked as well: they would come to light when that is taken away.
    pub(super) fn read<T: 'static>(&mut self, path: &'static str, key: Key<T>) -> T {
        self.known.push(path);
        let mut value = key.default;
        for entry in self.entries.iter().filter(|entry| entry.path == path && !entry.given.is_null()) {
            if let Some(read) = key.kind.read(&entry.given) {
                value = read;
                self.decided.insert(path, entry.source.clone());
            } else {
                self.faults.push((entry.source.clone(), refused(entry, &key.kind)));
            }
        }
        value
    }

    /// Adds a fault if two keys do not `agree`, unless it is uncertain what either of them should have been.
    pub(super) fn expect(&mut self, agree: bool, [path, other]: [&'static str; 2], problem: impl FnOnce() -> String) {
        let doubtful = |(_, fault): &Found| fault.key().is_none_or(|at| at == path || at == other);
        if agree || self.faults.iter().any(doubtful) {
            return;
        }
        let source = self.decided.get(path).max(self.decided.get(other)).expect("the defaults agree with each other");
        self.faults.push((source.clone(), Fault::at(path, problem())));
    }

    /// Every key that has been asked for, in that order.
    #[cfg(test)]
    pub(super) fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All faults, the weakest source first, what no key has asked for included.
    pub(super) fn finish(mut self) -> Result<(), Faults> {
        let unknown: Vec<_> = self.entries.iter().filter_map(|entry| self.unknown(entry)).collect();
        self.faults.extend(unknown);
        self.faults.sort_by(|(one, _), (other, _)| one.cmp(other));
        let faults = self.faults.into_iter().map(|(source, fault)| fault.within(source));
        faults.collect::<Faults>().none_or(())
    }

    /// The fault of an entry whose path is unknown. The value is not repeated: it could be anything.
    fn unknown(&self, entry: &Entry) -> Option<Found> {
        let path = entry.path.as_str();
        let is_section = !self.keys_of(path).is_empty();
        if self.known.contains(&path) || is_section && entry.given.is_null() {
            return None;
        }
        let keys = self.keys_of(path.split_once('.').map_or(path, |(section, _)| section));
        let problem = if is_section {
            format!("is a section, give a mapping with any of the keys {}", keys.join(", "))
        } else if let Some(meant) = nearest(path, &self.known) {
            format!("unknown key, did you mean `{meant}`?")
        } else if keys.is_empty() {
            format!("unknown section, there are {}", self.sections().join(", "))
        } else {
            format!("unknown key, there are {}", keys.join(", "))
        };
        Some((entry.source.clone(), Fault::at(path, problem)))
    }

    /// The keys of a section, none if there is no such section.
    fn keys_of(&self, section: &str) -> Vec<&'static str> {
        self.known
            .iter()
            .filter_map(|path| path.split_once('.').filter(|(of, _)| *of == section))
            .map(|(_, key)| key)
            .collect()
    }

    fn sections(&self) -> Vec<&'static str> {
        let sections = self.known.iter().filter_map(|path| path.split_once('.'));
        let mut sections: Vec<_> = sections.map(|(section, _)| section).collect();
        sections.dedup();
        sections
    }
}

/// A value that its key does not take.
fn refused<T: 'static>(entry: &Entry, kind: &Kind<T>) -> Fault {
    let requoted = entry.given.requoted().filter(|(given, _)| kind.read(given).is_some());
    let hint = requoted.map(|(_, how)| format!(", {how}")).unwrap_or_default();
    let problem = format!("{} is not allowed, give {}{hint}", entry.given, kind.allowed());
    Fault::at(entry.path.as_str(), problem)
}
