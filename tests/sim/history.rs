//! History: every state of every object, from which each answer has to be explained.

use crate::world::ReplicaId;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Pod,
    Deployment,
    Service,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Pod, Self::Deployment, Self::Service];

    /// Where the API server has them.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Pod => "/api/v1/namespaces/aenv-sandbox/pods",
            Self::Deployment => "/apis/apps/v1/namespaces/aenv-sandbox/deployments",
            Self::Service => "/api/v1/namespaces/aenv-sandbox/services",
        }
    }
}

/// A state of one object, as far as answers show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) env: String,
    pub(crate) phase: String,
    /// The fields that a row shows, as text.
    pub(crate) shown: String,
    /// True if it has been deleted and something holds it back, which no row shows.
    pub(crate) deleting: bool,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl State {
    /// The state of an object as the API server has it.
    pub(crate) fn of_object(kind: Kind, object: &Value) -> Self {
        let labels = &object["metadata"]["labels"];
        let phase = text(&object["status"]["phase"]).to_owned();
        let owner = text(&labels["business/aenv-owner"]);
        let shown = match kind {
            Kind::Pod => format!("{phase} owner={owner}; ttl={};", text(&labels["business/aenv-ttl"])),
            Kind::Deployment => {
                let env = object["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
                let version = env.into_iter().flatten().find(|variable| variable["name"] == "V");
                let version = version.map_or("", |version| text(&version["value"]));
                format!("owner={owner}; V={version}; replicas={};", object["spec"]["replicas"])
            }
            Kind::Service => String::new(),
        };
        let deleting = object["metadata"]["deletionTimestamp"].is_string();
        Self { env: text(&labels["business/aenv-name"]).to_owned(), phase, shown, deleting }
    }

    /// The same text of a row.
    pub(crate) fn shown_in_row(kind: Kind, row: &Value) -> String {
        let owner = text(&row["owner"]);
        match kind {
            Kind::Pod => format!("{} owner={owner}; ttl={};", text(&row["status"]), text(&row["ttl"])),
            Kind::Deployment => {
                let version = text(&row["environment_variables"]["V"]);
                format!("owner={owner}; V={version}; replicas={};", row["replicas"])
            }
            Kind::Service => String::new(),
        }
    }
}

/// A change of one object.
struct Change {
    at: Instant,
    /// `None`: it does not exist.
    state: Option<State>,
    /// The replica that made it; `None`: somebody else.
    by: Option<ReplicaId>,
    /// When that replica had the answer for its caller. Until then it may be newer than a list that began before.
    settled: Option<Instant>,
}

/// The part of an object's past that may explain an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    /// The replica that has answered.
    pub(crate) of: ReplicaId,
}

/// The newest states that each replica has told its callers of, by the number of the change.
pub(crate) type Told = BTreeMap<(Kind, String), usize>;

/// All changes of all objects.
#[derive(Default)]
pub(crate) struct History {
    changes: BTreeMap<(Kind, String), Vec<Change>>,
    told: [Told; 2],
    doomed: BTreeSet<(Kind, String)>,
}

impl History {
    /// The object has been looked at after a write by `by`.
    pub(crate) fn saw(&mut self, kind: Kind, name: &str, state: Option<State>, by: Option<ReplicaId>) {
        let changes = self.changes.entry((kind, name.to_owned())).or_default();
        let last = changes.last().and_then(|change| change.state.as_ref());
        if last != state.as_ref() {
            changes.push(Change { at: Instant::now(), state, by, settled: None });
        }
    }

    /// Somebody asks for the object to be deleted.
    pub(crate) fn doom(&mut self, kind: Kind, name: &str) {
        self.doomed.insert((kind, name.to_owned()));
    }

    /// True if the object exists, or somebody has asked for its deletion.
    pub(crate) fn is_or_was_deleted(&self, kind: Kind, name: &str) -> bool {
        self.now(kind, name).is_some() || self.doomed.contains(&(kind, name.to_owned()))
    }

    /// The objects of a kind that have ever existed.
    pub(crate) fn names(&self, kind: Kind) -> Vec<String> {
        self.changes.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect()
    }

    /// The object as it is now.
    pub(crate) fn now(&self, kind: Kind, name: &str) -> Option<&State> {
        self.of(kind, name).last()?.state.as_ref()
    }

    /// The names of the objects that exist and in whose row this stands.
    pub(crate) fn existing_with(&self, kind: Kind, mark: &str) -> Vec<String> {
        let names = self.names(kind);
        let has_it = |name: &String| self.now(kind, name).is_some_and(|state| state.shown.contains(mark));
        names.into_iter().filter(has_it).collect()
    }

    fn of(&self, kind: Kind, name: &str) -> &[Change] {
        self.changes.get(&(kind, name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// What `replica` has told so far.
    pub(crate) fn told(&self, replica: ReplicaId) -> Told {
        self.told[replica].clone()
    }

    /// A caller of `replica` has been told of a write that began at `began`: of the first state since then in whose row
    /// `mark` stands; `None`: of an absence, or of an object that is about to go. False if there was no such state.
    pub(crate) fn tell(
        &mut self,
        replica: ReplicaId,
        (kind, name): (Kind, &str),
        mark: Option<&str>,
        began: Instant,
    ) -> bool {
        let is_it = |change: &Change| match (&change.state, mark) {
            (Some(state), Some(mark)) => state.shown.contains(mark),
            (state, None) => state.as_ref().is_none_or(|state| state.deleting),
            _ => false,
        };
        let changes = self.changes.entry((kind, name.to_owned())).or_default();
        let since = changes.iter().position(|change| change.at >= began && is_it(change));
        // An absence that has lasted; or a repeated create, which finds the first one's object.
        let before = || if mark.is_none() { changes.iter().rposition(is_it) } else { changes.iter().position(is_it) };
        let Some(number) = since.or_else(before) else {
            return mark.is_none() && changes.first().is_none_or(|first| first.at >= began);
        };
        let change = &mut changes[number];
        change.settled.get_or_insert_with(Instant::now);
        let told = self.told[replica].entry((kind, name.to_owned())).or_default();
        *told = (*told).max(number);
        true
    }

    /// A write whose caller has not been told is over by `at`.
    pub(crate) fn settle(&mut self, kind: Kind, mark: &str, at: Instant) {
        for ((of, _), changes) in &mut self.changes {
            for change in changes.iter_mut().filter(|_| *of == kind) {
                if change.state.as_ref().is_some_and(|state| state.shown.contains(mark)) {
                    change.settled.get_or_insert(at);
                }
            }
        }
    }

    /// The states of an object that an answer may show, those before the change `told` excluded.
    pub(crate) fn possible(&self, kind: Kind, name: &str, told: &Told, window: Window) -> Vec<Option<&State>> {
        let changes = self.of(kind, name);
        let floor = told.get(&(kind, name.to_owned())).copied();
        let mut possible = Vec::new();
        // Before its first change it did not exist.
        if floor.is_none() && changes.first().is_none_or(|first| first.at >= window.from) {
            possible.push(None);
        }
        for (number, change) in changes.iter().enumerate() {
            let next = changes.get(number + 1).map_or(window.to, |next| next.at);
            let own = change.by == Some(window.of) && change.settled.is_none_or(|settled| settled >= window.from);
            let is_inside = change.at <= window.to && (next >= window.from || own);
            if is_inside && floor.is_none_or(|floor| number >= floor) {
                possible.push(change.state.as_ref());
            }
        }
        possible
    }
}
