//! Priority level of API Priority and Fairness that our lists run under, and its meaning.
//!
//! Answers name the level and the flow schema by their uids, see
//! <https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#diagnostics>; their names have to be read.

use super::pages::Measured;
use super::probe::Probe;
use super::report::{Finding, Report, Severity, worst};
use crate::cluster::PRIORITY_LEVEL_HEADER;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io;

const GROUP: &str = "/apis/flowcontrol.apiserver.k8s.io";
const SCHEMA_HEADER: &str = "x-kubernetes-pf-flowschema-uid";

/// Kubernetes' own schemas `service-accounts` and `global-default`, which lead to the levels that all share, have the
/// precedences 9000 and 9900; the lower one wins.
const OWN_SCHEMA: &str = "Give the controller's ServiceAccount a FlowSchema of its own (matchingPrecedence below 9000) that leads to a \
     PriorityLevelConfiguration of its own.";

/// Limit of the API server on our lists.
#[derive(Debug, PartialEq, Eq)]
enum Priority {
    /// No list was answered.
    Unknown,
    /// Answers name no level.
    Off,
    /// The level and the flow schema.
    Level { level: Name, schema: Name },
}

/// A name, or the uid if the name cannot be read.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Read(String),
    Uid(String),
}

impl Name {
    fn read(&self) -> Option<&str> {
        match self {
            Self::Read(name) => Some(name),
            Self::Uid(_) => None,
        }
    }
}

/// Finds out the level of the lists that were measured.
pub(super) async fn examine(measured: &[Measured], probe: &Probe<'_>, report: &mut Report<'_>) -> io::Result<()> {
    let priority = match measured.iter().find_map(Measured::headers) {
        None => Priority::Unknown,
        Some(headers) => match uids(headers) {
            None => Priority::Off,
            Some((level, schema)) => named(level, schema, probe).await,
        },
    };
    let turned_away = measured.iter().filter(|list| list.is_turned_away()).count();
    let findings = judge(&priority, turned_away);
    let severity = worst(&findings).min(Severity::Warning);
    report.line(severity, "priority level", &tell(&priority))?;
    report.keep(findings);
    Ok(())
}

fn uids(headers: &HeaderMap) -> Option<(String, String)> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Some((text(PRIORITY_LEVEL_HEADER)?, text(SCHEMA_HEADER)?))
}

async fn named(level: String, schema: String, probe: &Probe<'_>) -> Priority {
    let group: Option<Group> = read(GROUP, probe).await;
    let mut names = Vec::new();
    if let Some(Group { preferred_version }) = group {
        for plural in ["prioritylevelconfigurations", "flowschemas"] {
            let found: Option<Named> = read(&format!("{GROUP}/{}/{plural}", preferred_version.version), probe).await;
            names.extend(found.map(|found| found.items).unwrap_or_default());
        }
    }
    let name = |uid: String| match names.iter().find(|object| object.metadata.uid == uid) {
        Some(object) => Name::Read(object.metadata.name.clone()),
        None => Name::Uid(uid),
    };
    Priority::Level { level: name(level), schema: name(schema) }
}

/// The object at `path`; `None` if it may not be read or is something else. A name is a convenience.
async fn read<T: DeserializeOwned>(path: &str, probe: &Probe<'_>) -> Option<T> {
    let exchange = probe.get("flowcontrol", path).await.ok()?;
    exchange.status.is_success().then(|| serde_json::from_slice(&exchange.body).ok())?
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    preferred_version: GroupVersion,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
}

#[derive(Deserialize)]
struct Named {
    items: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    uid: String,
}

fn tell(priority: &Priority) -> String {
    let Priority::Level { level, schema } = priority else {
        return match priority {
            Priority::Unknown => "not known: no list was answered",
            _ => "none named: API Priority and Fairness is off, or a proxy strips its headers",
        }
        .to_owned();
    };
    let word = |name: &Name| match name {
        Name::Read(name) => name.clone(),
        Name::Uid(uid) => format!("uid {uid}"),
    };
    let unread = matches!((level, schema), (Name::Uid(_), _) | (_, Name::Uid(_)));
    let why = if unread { " (the names may not be read, which the controller does not need)" } else { "" };
    format!("{}, by flow schema {}{why}", word(level), word(schema))
}

fn judge(priority: &Priority, turned_away: usize) -> Vec<Finding> {
    let level = match priority {
        Priority::Level { level, .. } => level.read(),
        Priority::Unknown | Priority::Off => None,
    };
    let mut findings = Vec::new();
    if turned_away > 0 {
        let place = match (priority, level) {
            (Priority::Off, _) => "the API server as a whole".to_owned(),
            (_, Some(level)) => format!("priority level {level}"),
            (_, None) => "its priority level".to_owned(),
        };
        let own = if *priority == Priority::Off { "" } else { OWN_SCHEMA };
        findings.push(Finding::wrong(
            format!("The API server turns calls away (429): {place} is full. Callers are told 503."),
            format!(
                "If replicas of this fill it: lower throttle.qps, raise memo.list_ttl_ms (both for each replica).\n\
                 If others fill it: {}",
                if own.is_empty() { "find out who; the API server's audit log and metrics tell." } else { own }
            ),
        ));
    }
    match level {
        Some("catch-all") => findings.push(Finding::warning(
            "The lists run under priority level catch-all, which has next to no room and no queue.",
            OWN_SCHEMA,
        )),
        Some("exempt") => findings.push(Finding::note(
            "The lists run under priority level exempt: nothing but throttle.qps protects the API server from them.",
            "Usual for an administrator's credentials; the controller itself should not have them.",
        )),
        Some(shared @ ("global-default" | "workload-low")) if turned_away == 0 => findings.push(Finding::note(
            format!("Priority level {shared} is shared with everybody who has no level of his own."),
            format!("Should 429 occur: {OWN_SCHEMA}"),
        )),
        _ => {}
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(name: &str) -> Priority {
        Priority::Level { level: Name::Read(name.to_owned()), schema: Name::Read("some".to_owned()) }
    }

    fn severities(priority: &Priority, turned_away: usize) -> Vec<Severity> {
        judge(priority, turned_away).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn a_shared_level_is_a_note_until_calls_are_turned_away() {
        assert_eq!(severities(&level("aenv"), 0), []);
        assert_eq!(severities(&level("workload-low"), 0), [Severity::Note]);
        assert_eq!(severities(&level("workload-low"), 1), [Severity::Wrong]);
        assert_eq!(severities(&level("catch-all"), 1), [Severity::Wrong, Severity::Warning]);
        let full = judge(&level("workload-low"), 3).remove(0);
        assert!(full.what.contains("priority level workload-low is full"), "{}", full.what);
        assert!(full.change.contains("throttle.qps") && full.change.contains("FlowSchema"), "{}", full.change);
    }

    #[test]
    fn without_priority_and_fairness_a_429_names_no_flow_schema() {
        assert_eq!(severities(&Priority::Off, 0), []);
        let full = judge(&Priority::Off, 1).remove(0);
        assert!(full.what.contains("as a whole") && !full.change.contains("FlowSchema"), "{full:?}");
    }

    #[test]
    fn a_name_that_may_not_be_read_is_shown_as_its_uid() {
        let priority = Priority::Level { level: Name::Uid("4711".to_owned()), schema: Name::Uid("4712".to_owned()) };
        assert!(tell(&priority).starts_with("uid 4711, by flow schema uid 4712 (the names may not be read"));
        assert_eq!(severities(&priority, 0), []);
        assert_eq!(tell(&level("workload-low")), "workload-low, by flow schema some");
        assert!(tell(&Priority::Off).contains("is off"));
    }
}
