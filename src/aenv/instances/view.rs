//! A row of the instance list, and the shapes in which clients read it.

use super::trouble::Trouble;
use super::ttl;
use crate::aenv::gateway::Env;
use crate::aenv::labels::KEPT_LABELS;
use crate::aenv::rows::{Interner, ReadAt, Row, RowLabels, Text};
use crate::cluster::slim::Pod;
use crate::syntax::{ListFilter, Phase};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// An instance.
#[derive(Debug, Hash)]
pub struct InstanceRow {
    id: Box<str>,
    status: Text,
    ttl: Option<Text>,
    created_at: Option<Timestamp>,
    updated_at: ReadAt,
    envname: Text,
    version: Text,
    ip: Box<str>,
    owner: Text,
    labels: RowLabels,
    reason: Text,
    message: Box<str>,
    restarts: u32,
    node: Text,
    deleting: bool,
}

impl InstanceRow {
    /// The row of `pod`, as it was at `read`, which has `texts` in common with the others of its list.
    pub fn new(mut pod: Pod, read: Timestamp, texts: &mut Interner) -> Self {
        let labels = pod.metadata.take_labels();
        let Trouble { reason, message } = Trouble::of(&pod).unwrap_or_default();
        let node = texts.share(pod.node().map(str::to_owned));
        let status = pod.status.unwrap_or_default();
        Self {
            labels: RowLabels::new(labels.others, pod.metadata.annotation(KEPT_LABELS), texts),
            reason: texts.share(Some(reason)),
            message: message.into(),
            restarts: status.container_statuses.iter().map(|container| container.restarts()).sum(),
            node,
            status: texts.share(status.phase),
            ttl: labels.ttl.map(|ttl| texts.share(Some(ttl))),
            created_at: pod.metadata.created_at(),
            updated_at: ReadAt(read),
            envname: texts.share(labels.env),
            version: texts.share(labels.version),
            ip: status.pod_ip.unwrap_or_default().into(),
            owner: texts.share(labels.owner),
            deleting: pod.metadata.deleted_since().is_some(),
            id: pod.metadata.name.into(),
        }
    }

    /// The Pod's phase; empty if it has none yet.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// True if its time to live has passed at `now`, and it is not being deleted already.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        let created = self.created_at.filter(|_| !self.deleting);
        created.is_some_and(|created| ttl::has_expired(self.ttl(), created, now))
    }

    fn ttl(&self) -> &str {
        self.ttl.as_deref().unwrap_or_default()
    }

    fn particulars(&self) -> Particulars<'_> {
        Particulars {
            labels: &self.labels,
            reason: &self.reason,
            message: &self.message,
            restarts: self.restarts,
            node: &self.node,
        }
    }
}

impl Row for InstanceRow {
    const ITEM_OVERHEAD: usize = 230;
    const GATEWAY_OVERHEAD: usize = 530;

    fn name(&self) -> &str {
        &self.id
    }

    fn env(&self) -> &str {
        &self.envname
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn matches(&self, filter: &ListFilter) -> bool {
        let ListFilter { env, version, owner, phase, with_ttl, labels } = filter;
        env.as_ref().is_none_or(|env| &*self.envname == env.as_str())
            && version.as_ref().is_none_or(|version| &*self.version == version.as_str())
            && owner.as_ref().is_none_or(|owner| &*self.owner == owner.as_str())
            && phase.map(Phase::as_str).is_none_or(|phase| &*self.status == phase)
            && (!with_ttl || self.ttl.is_some())
            && labels.matches(|key| self.labels.get(key))
    }

    fn text_bytes(&self) -> usize {
        let texts = [&*self.id, &self.status, &self.envname, &self.version, &self.ip, &self.owner];
        let shown = self.labels.text_bytes() + self.reason.len() + self.message.len() + self.node.len();
        texts.iter().map(|text| text.len()).sum::<usize>() + self.ttl().len() + shown
    }

    fn item(&self) -> impl Serialize + '_ {
        Item {
            id: &self.id,
            status: &self.status,
            ttl: self.ttl(),
            created_at: rfc3339(self.created_at),
            envname: &self.envname,
            version: &self.version,
            ip: &self.ip,
            owner: &self.owner,
            particulars: self.particulars(),
        }
    }

    fn detail(&self) -> impl Serialize + '_ {
        Detail {
            id: &self.id,
            status: &self.status,
            ip: &self.ip,
            ttl: self.ttl(),
            owner: &self.owner,
            particulars: self.particulars(),
        }
    }

    fn gateway(&self) -> impl Serialize + '_ {
        EnvInstance {
            id: &self.id,
            env: Env::new(&self.envname, &self.version),
            status: &self.status,
            created_at: rfc3339(self.created_at),
            updated_at: rfc3339(Some(self.updated_at.0)),
            ip: &self.ip,
            ttl: self.ttl(),
            owner: &self.owner,
            particulars: self.particulars(),
        }
    }
}

/// A row of `GET /pods`.
#[derive(Serialize, ToSchema)]
#[schema(as = Instance)]
pub(crate) struct Item<'a> {
    /// The name of its Pod.
    #[schema(example = "weather-3ue90w")]
    id: &'a str,
    /// The Pod's phase: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`; empty if it has none yet.
    #[schema(example = "Running")]
    status: &'a str,
    /// Its time to live, a Go duration; empty if it may live for ever.
    #[schema(example = "30m")]
    ttl: &'a str,
    /// `0001-01-01T00:00:00Z` if it is not known.
    created_at: Rfc3339,
    /// The environment's name; empty if it is not known.
    #[schema(example = "weather")]
    envname: &'a str,
    /// The environment's version; empty if it is not known.
    #[schema(example = "1.0.2")]
    version: &'a str,
    /// Empty if it has none yet.
    #[schema(example = "10.0.0.7")]
    ip: &'a str,
    /// Empty if nobody is named.
    #[schema(example = "jun")]
    owner: &'a str,
    #[serde(flatten)]
    particulars: Particulars<'a>,
}

/// `GET /pods/{name}`.
#[derive(Serialize, ToSchema)]
#[schema(as = InstanceDetail)]
pub(crate) struct Detail<'a> {
    /// The name of its Pod.
    #[schema(example = "weather-3ue90w")]
    id: &'a str,
    /// The Pod's phase, as in a list.
    #[schema(example = "Running")]
    status: &'a str,
    /// Empty if it has none yet.
    #[schema(example = "10.0.0.7")]
    ip: &'a str,
    /// Its time to live, a Go duration; empty if it may live for ever.
    #[schema(example = "30m")]
    ttl: &'a str,
    /// Empty if nobody is named.
    #[schema(example = "jun")]
    owner: &'a str,
    #[serde(flatten)]
    particulars: Particulars<'a>,
}

/// `EnvInstance` of the `aenv` CLI and SDK.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnvInstance<'a> {
    /// The name of its Pod.
    #[schema(example = "weather-3ue90w")]
    id: &'a str,
    env: Env<'a>,
    /// The Pod's phase: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`; empty if it has none yet.
    #[schema(example = "Running")]
    status: &'a str,
    /// `0001-01-01T00:00:00Z` if it is not known.
    created_at: Rfc3339,
    /// When this was read from the API server.
    updated_at: Rfc3339,
    /// Empty if it has none yet.
    #[schema(example = "10.0.0.7")]
    ip: &'a str,
    /// Its time to live, a Go duration; empty if it may live for ever.
    #[schema(example = "30m")]
    ttl: &'a str,
    /// Empty if nobody is named.
    #[schema(example = "jun")]
    owner: &'a str,
    #[serde(flatten)]
    particulars: Particulars<'a>,
}

/// Fields of an answer beyond the Go controller's. One that has nothing to tell is left out.
#[derive(Serialize, ToSchema)]
#[schema(as = InstanceParticulars)]
pub(crate) struct Particulars<'a> {
    /// Labels of the caller's own.
    #[serde(skip_serializing_if = "RowLabels::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    labels: &'a RowLabels,
    /// Why it does not run, in one word of Kubernetes.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(example = "ImagePullBackOff")]
    reason: &'a str,
    /// Why it does not run, in the words of kubelet or the scheduler.
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    /// Number of times that its containers have been started again.
    #[serde(skip_serializing_if = "is_zero")]
    restarts: u32,
    /// The node that it runs on.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(example = "node-1")]
    node: &'a str,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A time to the second, in RFC 3339; Go's zero time if it is not known.
#[derive(ToSchema)]
#[schema(as = Time, value_type = String, format = DateTime, example = "2026-11-23T07:45:42Z")]
pub(crate) struct Rfc3339(Option<Timestamp>);

fn rfc3339(at: Option<Timestamp>) -> Rfc3339 {
    Rfc3339(at)
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(at) => serializer.collect_str(&at.strftime("%Y-%m-%dT%H:%M:%SZ")),
            None => serializer.serialize_str("0001-01-01T00:00:00Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aenv::rows::{ListShape, Listing, Rows};
    use crate::memo::Memorable;
    use crate::syntax::{LabelSelector, LabelValue};
    use serde_json::{from_value, json, to_value};

    fn row(pod: serde_json::Value) -> InstanceRow {
        InstanceRow::new(from_value(pod).unwrap(), "2026-11-23T08:00:00.9Z".parse().unwrap(), &mut Interner::default())
    }

    fn weather() -> serde_json::Value {
        json!({
            "metadata": {
                "name": "weather-3ue90w", "creationTimestamp": "2026-11-23T07:45:42Z",
                "labels": {"business/aenv-name": "weather", "business/aenv-version": "1.0.2", "business/aenv-owner": "jun", "business/aenv-ttl": "30m"}
            },
            "status": {"phase": "Running", "podIP": "10.0.0.7"}
        })
    }

    #[test]
    fn rows_have_the_recorded_fields() {
        assert_eq!(
            to_value(row(weather()).item()).unwrap(),
            json!({"id": "weather-3ue90w", "status": "Running", "ttl": "30m", "created_at": "2026-11-23T07:45:42Z",
                   "envname": "weather", "version": "1.0.2", "ip": "10.0.0.7", "owner": "jun"})
        );
        assert_eq!(
            to_value(row(weather()).detail()).unwrap(),
            json!({"id": "weather-3ue90w", "status": "Running", "ip": "10.0.0.7", "ttl": "30m", "owner": "jun"})
        );
        let gateway = to_value(row(weather()).gateway()).unwrap();
        assert_eq!(
            (&gateway["env"]["name"], &gateway["updated_at"]),
            (&json!("weather"), &json!("2026-11-23T08:00:00Z"))
        );
    }

    #[tokio::test]
    async fn the_weight_of_a_list_covers_its_longest_renderings() {
        let rows = Rows::new((0..100).map(|_| row(weather())));
        let longest = rows.rendering(ListShape::GatewayPage).await.unwrap().body().len();
        assert!(Listing::Many(rows).bytes() > 2 * longest);
    }

    #[test]
    fn an_answer_says_why_an_instance_does_not_run_and_gives_labels_back() {
        let mut pod = weather();
        pod["metadata"]["labels"]["team"] = json!("red");
        pod["metadata"]["annotations"] = json!({"aenv-controller/labels": r#"{"app":"chatbot"}"#});
        pod["spec"] = json!({"nodeName": "node-1"});
        pod["status"]["containerStatuses"] = json!([
            {"name": "main", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}
        ]);
        let row = row(pod);
        for shown in [to_value(row.item()), to_value(row.detail()), to_value(row.gateway())].map(Result::unwrap) {
            assert_eq!((&shown["reason"], &shown["restarts"]), (&json!("CrashLoopBackOff"), &json!(3)));
            assert_eq!((&shown["message"], &shown["node"]), (&json!("container main: back-off"), &json!("node-1")));
            assert_eq!(shown["labels"], json!({"app": "chatbot", "team": "red"}));
        }
        let with = |labels: &str| ListFilter { labels: LabelSelector::parse(labels).unwrap(), ..ListFilter::default() };
        assert!(row.matches(&with("team in (red,blue)")));
        assert!(!row.matches(&with("app=chatbot")), "an annotation is not selected by");
    }

    #[test]
    fn expired_means_old_enough_and_not_being_deleted() {
        let at = |text: &str| text.parse().unwrap();
        assert!(!row(weather()).has_expired(at("2026-11-23T08:15:00Z")));
        assert!(row(weather()).has_expired(at("2026-11-23T08:16:00Z")));
        let mut deleting = weather();
        deleting["metadata"]["deletionTimestamp"] = json!("2026-11-23T08:15:50Z");
        assert!(!row(deleting).has_expired(at("2026-11-23T08:16:00Z")));
        assert!(!row(json!({"metadata": {"name": "x"}})).has_expired(at("2026-11-23T08:16:00Z")));
    }

    #[test]
    fn a_row_matches_what_the_api_server_would_select() {
        let row = row(weather());
        let with = |env: &str, phase, with_ttl| ListFilter {
            env: LabelValue::new(env).ok(),
            phase,
            with_ttl,
            ..ListFilter::default()
        };
        assert!(row.matches(&with("weather", Some(Phase::Running), true)));
        assert!(!row.matches(&with("browser", None, false)));
        assert!(!row.matches(&with("weather", Some(Phase::Failed), false)));
    }
}
