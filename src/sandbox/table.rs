//! Lists as `kubectl get` shows them: the server prints the columns, the client only aligns them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resource::Resource;

/// Object that each row carries beside its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowObject {
    Metadata,
    Object,
    None,
}

impl RowObject {
    /// From the query parameter `includeObject`; anything unknown is the default.
    pub(super) fn from_parameter(parameter: Option<&str>) -> Self {
        match parameter {
            Some("Object") => Self::Object,
            Some("None") => Self::None,
            _ => Self::Metadata,
        }
    }
}

/// The name of a column, and whether only `-o wide` shows it.
type Column = (&'static str, bool);

/// A `Table` of whole documents.
pub(super) fn document(
    resource: Resource,
    metadata: &Value,
    documents: impl Iterator<Item = Value>,
    with: RowObject,
    now: Timestamp,
) -> Value {
    let columns: Vec<Value> = columns(resource)
        .iter()
        .map(|(name, wide)| {
            json!({
                "name": name,
                "type": if *name == "Restarts" { "integer" } else { "string" },
                "format": if *name == "Name" { "name" } else { "" },
                "description": "",
                "priority": i32::from(*wide),
            })
        })
        .collect();
    let rows: Vec<Value> = documents
        .map(|document| {
            let mut row = json!({"cells": cells(resource, &document, now)});
            match with {
                RowObject::None => {}
                RowObject::Object => row["object"] = document,
                RowObject::Metadata => {
                    row["object"] = json!({
                        "kind": "PartialObjectMetadata",
                        "apiVersion": "meta.k8s.io/v1",
                        "metadata": document["metadata"],
                    });
                }
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

fn columns(resource: Resource) -> &'static [Column] {
    match resource {
        Resource::Deployments => &[
            ("Name", false),
            ("Ready", false),
            ("Up-to-date", false),
            ("Available", false),
            ("Age", false),
            ("Containers", true),
            ("Images", true),
            ("Selector", true),
        ],
        Resource::Services => &[
            ("Name", false),
            ("Type", false),
            ("Cluster-IP", false),
            ("External-IP", false),
            ("Port(s)", false),
            ("Age", false),
            ("Selector", true),
        ],
        Resource::Pods => &[
            ("Name", false),
            ("Ready", false),
            ("Status", false),
            ("Restarts", false),
            ("Age", false),
            ("IP", true),
            ("Node", true),
            ("Nominated Node", true),
            ("Readiness Gates", true),
        ],
        Resource::PersistentVolumeClaims => &[
            ("Name", false),
            ("Status", false),
            ("Volume", false),
            ("Capacity", false),
            ("Access Modes", false),
            ("StorageClass", false),
            ("Age", false),
            ("VolumeMode", true),
        ],
        Resource::Namespaces => &[("Name", false), ("Status", false), ("Age", false)],
    }
}

fn cells(resource: Resource, document: &Value, now: Timestamp) -> Value {
    let (metadata, spec, status) = (&document["metadata"], &document["spec"], &document["status"]);
    let name = &metadata["name"];
    let age = age(metadata, now);
    match resource {
        Resource::Deployments => {
            let count = |name: &str| status[name].as_u64().unwrap_or_default();
            let containers = &spec["template"]["spec"]["containers"];
            json!([
                name,
                format!("{}/{}", count("readyReplicas"), spec["replicas"]),
                count("updatedReplicas"),
                count("availableReplicas"),
                age,
                each(containers, |container| text(&container["name"])),
                each(containers, |container| text(&container["image"])),
                pairs(&spec["selector"]["matchLabels"]),
            ])
        }
        Resource::Services => {
            let ports = each(&spec["ports"], |port| format!("{}/{}", port["port"], text(&port["protocol"])));
            json!([
                name,
                spec["type"],
                or_none(&spec["clusterIP"]),
                "<none>",
                if ports.is_empty() { "<none>".to_owned() } else { ports },
                age,
                pairs(&spec["selector"]),
            ])
        }
        Resource::Pods => {
            let statuses = status["containerStatuses"].as_array().map_or(&[][..], Vec::as_slice);
            let ready = statuses.iter().filter(|container| container["ready"] == true).count();
            let restarts: u64 = statuses.iter().filter_map(|container| container["restartCount"].as_u64()).sum();
            json!([
                name,
                format!("{ready}/{}", spec["containers"].as_array().map_or(0, Vec::len)),
                pod_status(document),
                restarts,
                age,
                or_none(&status["podIP"]),
                or_none(&spec["nodeName"]),
                "<none>",
                "<none>",
            ])
        }
        Resource::PersistentVolumeClaims => {
            let phase = if metadata.get("deletionTimestamp").is_some() {
                "Terminating".to_owned()
            } else {
                text(&status["phase"])
            };
            let modes = each(&status["accessModes"], |mode| match text(mode).as_str() {
                "ReadWriteOnce" => "RWO".to_owned(),
                "ReadOnlyMany" => "ROX".to_owned(),
                "ReadWriteMany" => "RWX".to_owned(),
                other => other.to_owned(),
            });
            json!([
                name,
                phase,
                text(&spec["volumeName"]),
                text(&status["capacity"]["storage"]),
                modes,
                text(&spec["storageClassName"]),
                age,
                text(&spec["volumeMode"]),
            ])
        }
        Resource::Namespaces => json!([name, status["phase"], age]),
    }
}

/// The word for a pod's state: its phase, unless a container has something more precise to say.
fn pod_status(pod: &Value) -> String {
    if pod["metadata"].get("deletionTimestamp").is_some() {
        return "Terminating".to_owned();
    }
    let reasons = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let reason = reasons
        .filter_map(|container| {
            let state = &container["state"];
            state["waiting"]["reason"].as_str().or_else(|| state["terminated"]["reason"].as_str())
        })
        .next_back();
    reason.map_or_else(|| text(&pod["status"]["phase"]), str::to_owned)
}

fn age(metadata: &Value, now: Timestamp) -> String {
    let created: Option<Timestamp> = metadata["creationTimestamp"].as_str().and_then(|time| time.parse().ok());
    created
        .map_or_else(|| "<unknown>".to_owned(), |created| human_duration(now.duration_since(created).as_secs().max(0)))
}

/// A length of time in two units at most, as kubectl writes it.
fn human_duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{small_unit}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        _ => two(days / 365, "y", days % 365, "d"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn or_none(value: &Value) -> &str {
    value.as_str().unwrap_or("<none>")
}

fn each(list: &Value, show: impl Fn(&Value) -> String) -> String {
    let shown: Vec<String> = list.as_array().into_iter().flatten().map(show).collect();
    shown.join(",")
}

fn pairs(labels: &Value) -> String {
    let pairs: Vec<String> =
        labels.as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", text(value))).collect();
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_in_kubectl() {
        for (seconds, shown) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (152, "2m32s"),
            (3_600, "60m"),
            (10_860, "3h1m"),
            (86_400, "24h"),
            (180_000, "2d2h"),
            (864_000, "10d"),
        ] {
            assert_eq!(human_duration(seconds), shown);
        }
    }

    #[test]
    fn a_pod_shows_what_its_container_waits_for() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{}]}, "status": {
            "phase": "Pending",
            "containerStatuses": [{"ready": false, "restartCount": 2, "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        }});
        let cells = cells(Resource::Pods, &pod, Timestamp::UNIX_EPOCH);
        assert_eq!(
            cells,
            json!(["p", "0/1", "ImagePullBackOff", 2, "<unknown>", "<none>", "<none>", "<none>", "<none>"])
        );
    }
}
