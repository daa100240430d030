//! A row of the service list, and the shapes in which clients read it.

use crate::aenv::gateway::Env;
use crate::aenv::labels::KEPT_LABELS;
use crate::aenv::rows::{Interner, ReadAt, Row, RowLabels, Text, TextMap};
use crate::cluster::slim::Deployment;
use crate::syntax::ListFilter;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Most bytes of environment variables in a row: a list keeps all of its rows in memory, and an object of the API
/// server may have a megabyte of them.
const VARIABLES_MAX: usize = 64 * 1024;

/// Why nobody reaches a service without a Service.
const NO_SERVICE: &str = "its Service does not exist: create the service again under this name, or delete it";

/// Status of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[schema(as = ServiceStatus)]
pub(crate) enum Status {
    /// No replica is available yet.
    Creating,
    /// Some replicas are available.
    Updating,
    /// All replicas are available.
    Running,
    /// The rollout has failed.
    Failed,
    /// Its Service does not exist, so nobody reaches it: a create that was cut off. The same create completes it.
    Incomplete,
}

impl Status {
    /// Every status, in the order of a service's life.
    pub(crate) const ALL: [Self; 5] = [Self::Creating, Self::Updating, Self::Running, Self::Failed, Self::Incomplete];

    /// As it stands in a row.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::Running => "Running",
            Self::Failed => "Failed",
            Self::Incomplete => "Incomplete",
        }
    }

    fn of(deployment: &Deployment) -> Self {
        let available = deployment.available_replicas();
        if available == 0 {
            Self::Creating
        } else if available < deployment.replicas() {
            Self::Updating
        } else {
            Self::Running
        }
    }
}

/// A service, as lists and single answers show it.
#[derive(Debug, Clone, Hash, Serialize, ToSchema)]
#[schema(as = Service)]
pub(crate) struct ServiceRow {
    /// The name of its Deployment, and of its Service.
    #[schema(example = "weather-main")]
    id: String,
    status: Status,
    /// Its address within the cluster; empty if its Service is missing.
    #[schema(example = "weather-main.aenv-sandbox.svc.cluster.local:9000")]
    service_url: String,
    /// Number of pods that are wanted.
    #[schema(example = 2)]
    replicas: u32,
    /// Number of them that are available.
    #[schema(example = 2)]
    available_replicas: u32,
    /// Empty if nobody is named.
    #[schema(value_type = String, example = "jun")]
    owner: Text,
    /// The environment's name; empty if it is not known.
    #[schema(value_type = String, example = "weather")]
    envname: Text,
    /// The environment's version; empty if it is not known.
    #[schema(value_type = String, example = "1.0.2")]
    version: Text,
    /// The claim that it mounts; empty if it has no storage.
    #[schema(example = "weather-data")]
    pvc_name: String,
    /// In UTC; empty if it is not known.
    #[schema(value_type = String, pattern = r"^([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})?$", example = "2026-11-23 07:45:42")]
    #[serde(serialize_with = "date_time")]
    created_at: Option<Timestamp>,
    /// When this was read from the API server, in UTC.
    #[schema(value_type = String, pattern = r"^([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})?$", example = "2026-11-23 08:00:00")]
    #[serde(serialize_with = "read_at")]
    updated_at: ReadAt,
    /// Those that are plain values, up to 64 KiB of them: those beyond are left out. Not in the answers to writes.
    #[serde(skip_serializing_if = "TextMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    environment_variables: TextMap,
    /// Labels of the caller's own; left out if there are none.
    #[serde(skip_serializing_if = "RowLabels::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    labels: RowLabels,
    /// Why it does not run, in one word of Kubernetes; left out if nothing is wrong.
    #[serde(skip_serializing_if = "is_empty")]
    #[schema(value_type = String, example = "ProgressDeadlineExceeded")]
    reason: Text,
    /// Why it does not run, in a sentence; left out if nothing is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    /// True if `envname` is the label's, which selectors see, and not guessed from the name.
    #[serde(skip)]
    env_labelled: bool,
}

impl ServiceRow {
    /// The row of `deployment`, as it was at `read`. Its Service has the address `service_url`; `None`: there is no
    /// Service. Texts that it has in common with other rows of its list are shared by `texts`.
    pub(crate) fn new(
        mut deployment: Deployment,
        service_url: Option<String>,
        read: Timestamp,
        texts: &mut Interner,
    ) -> Self {
        let labels = deployment.metadata.take_labels();
        let env = labels.env.filter(|env| !env.is_empty());
        let env_labelled = env.is_some();
        let guessed = || deployment.metadata.name.split_once("-svc-").map(|(env, _)| env.to_owned());
        let (status, reason, message) = match deployment.failure() {
            Some(failure) => (Status::Failed, failure.reason(), failure.message().to_owned()),
            None => (Status::of(&deployment), "", String::new()),
        };
        let row = Self {
            status,
            reason: texts.share(Some(reason.to_owned())),
            message,
            labels: RowLabels::new(labels.others, deployment.metadata.annotation(KEPT_LABELS), texts),
            service_url: String::new(),
            replicas: deployment.replicas(),
            available_replicas: deployment.available_replicas(),
            owner: texts.share(labels.owner),
            envname: texts.share(env.or_else(guessed)),
            version: texts.share(labels.version),
            pvc_name: deployment.claim_name().unwrap_or_default().to_owned(),
            created_at: deployment.metadata.created_at(),
            updated_at: ReadAt(read),
            environment_variables: TextMap::new(bounded(deployment.plain_variables()), texts),
            env_labelled,
            id: deployment.metadata.name,
        };
        row.reached_at(service_url)
    }

    /// The same with the address of its Service; `None`: there is no Service.
    pub(crate) fn reached_at(self, service_url: Option<String>) -> Self {
        let Some(service_url) = service_url else {
            let reason = Interner::default().share(Some("ServiceMissing".to_owned()));
            return Self { status: Status::Incomplete, reason, message: NO_SERVICE.to_owned(), ..self };
        };
        Self { service_url, ..self }
    }

    /// The same without environment variables, as the answers to writes show it.
    pub(crate) fn without_variables(self) -> Self {
        Self { environment_variables: TextMap::default(), ..self }
    }

    /// The same, being updated: the status of the Deployment does not know yet of the change just made.
    pub(crate) fn updating(self) -> Self {
        if self.status == Status::Incomplete { self } else { Self { status: Status::Updating, ..self } }
    }

    /// Its status.
    pub(crate) fn status(&self) -> Status {
        self.status
    }
}

fn is_empty(text: &Text) -> bool {
    text.is_empty()
}

/// The variables that fit into [`VARIABLES_MAX`], in the order of the container.
fn bounded<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<&'a str, &'a str> {
    let mut room = VARIABLES_MAX;
    let fitting = variables.take_while(|(name, value)| {
        let left = room.checked_sub(name.len() + value.len());
        room = left.unwrap_or(0);
        left.is_some()
    });
    fitting.collect()
}

/// `YYYY-MM-DD hh:mm:ss` in UTC, as clients of this route parse it; empty if there is none.
fn date_time<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(&at.strftime("%Y-%m-%d %H:%M:%S")),
        None => serializer.serialize_str(""),
    }
}

fn read_at<S: Serializer>(at: &ReadAt, serializer: S) -> Result<S::Ok, S::Error> {
    date_time(&Some(at.0), serializer)
}

impl Row for ServiceRow {
    const ITEM_OVERHEAD: usize = 340;
    const GATEWAY_OVERHEAD: usize = 640;

    fn name(&self) -> &str {
        &self.id
    }

    fn env(&self) -> &str {
        if self.env_labelled { &self.envname } else { "" }
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn matches(&self, filter: &ListFilter) -> bool {
        let ListFilter { env, version, owner, phase, with_ttl, labels } = filter;
        env.as_ref().is_none_or(|env| self.env() == env.as_str())
            && version.as_ref().is_none_or(|version| &*self.version == version.as_str())
            && owner.as_ref().is_none_or(|owner| &*self.owner == owner.as_str())
            && phase.is_none()
            && !with_ttl
            && labels.matches(|key| self.labels.get(key))
    }

    fn text_bytes(&self) -> usize {
        let texts = [&*self.id, &self.service_url, &self.owner, &self.envname, &self.version, &self.pvc_name];
        let variables = self.environment_variables.iter().map(|(name, value)| name.len() + value.len());
        let shown = self.labels.text_bytes() + self.reason.len() + self.message.len();
        texts.iter().map(|text| text.len()).sum::<usize>() + variables.sum::<usize>() + shown
    }

    fn item(&self) -> impl Serialize + '_ {
        self
    }

    fn detail(&self) -> impl Serialize + '_ {
        self
    }

    fn gateway(&self) -> impl Serialize + '_ {
        EnvService { row: self, env: Env::new(&self.envname, &self.version) }
    }
}

/// `EnvService` of the `aenv` CLI and SDK: the row, with the environment as an object.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnvService<'a> {
    #[serde(flatten)]
    row: &'a ServiceRow,
    env: Env<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aenv::rows::{Coding, ListShape, Listing, One, OneShape, Rows};
    use crate::memo::Memorable;
    use crate::syntax::{LabelSelector, LabelValue};
    use serde_json::{from_value, json, to_value};

    fn row(name: &str, labels: serde_json::Value, status: serde_json::Value) -> ServiceRow {
        let deployment = json!({
            "metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-11-23T07:45:42Z"},
            "spec": {"replicas": 2, "template": {"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "wdata"}}]}}},
            "status": status
        });
        let read = "2026-11-23T08:00:00.987Z".parse().unwrap();
        ServiceRow::new(from_value(deployment).unwrap(), Some(String::new()), read, &mut Interner::default())
    }

    #[test]
    fn a_row_has_the_recorded_fields() {
        let labels =
            json!({"business/aenv-name": "weather", "business/aenv-version": "1.0.2", "business/aenv-owner": "jun"});
        let shown = to_value(row("weather-main", labels, json!({"availableReplicas": 1})).item()).unwrap();
        assert_eq!(
            shown,
            json!({
                "id": "weather-main", "status": "Updating", "service_url": "", "replicas": 2, "available_replicas": 1,
                "owner": "jun", "envname": "weather", "version": "1.0.2", "pvc_name": "wdata",
                "created_at": "2026-11-23 07:45:42", "updated_at": "2026-11-23 08:00:00"
            })
        );
    }

    #[tokio::test]
    async fn the_weight_of_a_list_covers_its_longest_renderings() {
        let rows = Rows::new((0..100).map(|_| row("weather-main", json!({}), json!({}))));
        let longest = rows.rendering(ListShape::Gateway).await.unwrap().body().len();
        assert!(Listing::Many(rows).bytes() > 2 * longest);
    }

    #[test]
    fn a_row_that_is_read_again_has_the_same_tag() {
        let deployment = |replicas| from_value(json!({"metadata": {"name": "x"}, "spec": {"replicas": replicas}}));
        let etag = |replicas, read: &str| {
            let deployment: Deployment = deployment(replicas).unwrap();
            let row = ServiceRow::new(deployment, Some(String::new()), read.parse().unwrap(), &mut Interner::default());
            One::new(row).render(OneShape::Detail).etag(Coding::Identity).to_owned()
        };
        let first = etag(1, "2026-11-23T08:00:00Z");
        assert_eq!(first, etag(1, "2026-11-23T08:00:02Z"));
        assert_ne!(first, etag(2, "2026-11-23T08:00:00Z"));
        assert!(first.starts_with("W/"), "two texts share it, so it is a weak one");
    }

    #[test]
    fn variables_without_end_are_left_out_of_a_row() {
        let value = "x".repeat(VARIABLES_MAX / 2);
        let shown = bounded([("A", &*value), ("B", ""), ("C", &*value), ("D", "")].into_iter());
        assert_eq!(shown.into_keys().collect::<Vec<_>>(), ["A", "B"]);
    }

    #[test]
    fn the_status_follows_the_replicas_and_the_rollout() {
        let status = |status| row("x", json!({}), status).status();
        assert_eq!(status(json!({})), Status::Creating);
        assert_eq!(status(json!({"availableReplicas": 1})), Status::Updating);
        assert_eq!(status(json!({"availableReplicas": 2})), Status::Running);
        let failed = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        assert_eq!(status(json!({"availableReplicas": 1, "conditions": failed})), Status::Failed);
    }

    #[test]
    fn a_deployment_without_a_service_is_incomplete_whatever_it_runs() {
        let deployment = json!({"metadata": {"name": "w"}, "status": {"availableReplicas": 1}});
        let read = "2026-11-23T08:00:00Z".parse().unwrap();
        let row = ServiceRow::new(from_value(deployment).unwrap(), None, read, &mut Interner::default());
        let shown = to_value(row.updating().item()).unwrap();
        assert_eq!((&shown["status"], &shown["reason"]), (&json!("Incomplete"), &json!("ServiceMissing")));
        assert_eq!(shown["service_url"], "");
    }

    #[test]
    fn a_failed_rollout_says_why_and_labels_of_the_caller_come_back() {
        let failed = json!({"conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods"}
        ]});
        let labels = json!({"business/aenv-name": "weather", "team": "red", "app.kubernetes.io/name": "aenv-service"});
        let row = row("w", labels, failed);
        let shown = to_value(row.detail()).unwrap();
        assert_eq!((&shown["status"], &shown["reason"]), (&json!("Failed"), &json!("FailedCreate")));
        assert_eq!((&shown["message"], &shown["labels"]), (&json!("exceeded quota: pods"), &json!({"team": "red"})));
        let with = |labels: &str| ListFilter { labels: LabelSelector::parse(labels).unwrap(), ..ListFilter::default() };
        assert!(row.matches(&with("team=red")) && !row.matches(&with("team!=red")));
    }

    #[test]
    fn without_a_label_the_environment_is_guessed_but_not_selected() {
        let guessed = row("swe-bench-svc-x1y2z3", json!(null), json!(null));
        assert_eq!(&*guessed.envname, "swe-bench");
        let filter = ListFilter { env: LabelValue::new("swe-bench").ok(), ..ListFilter::default() };
        assert!(!guessed.matches(&filter), "the API server's selector would not find it either");
        assert!(row("x", json!({"business/aenv-name": "swe-bench"}), json!(null)).matches(&filter));
    }

    #[test]
    fn the_gateway_shows_the_environment_as_an_object() {
        let labels = json!({"business/aenv-name": "weather", "business/aenv-version": "1.0.2"});
        let shown = to_value(row("w", labels, json!({})).gateway()).unwrap();
        assert_eq!(shown["env"]["name"], "weather");
        assert_eq!(shown["env"]["version"], "1.0.2");
        assert_eq!(shown["id"], "w");
    }
}
