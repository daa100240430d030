//! List filter: the label selector and field selector of a list, made of checked values.

use super::label_selector::LabelSelector;
use super::names::LabelValue;

/// Label that carries the environment's name.
pub(crate) const ENV_NAME: &str = "business/aenv-name";
/// Label that carries the environment's version.
pub(crate) const ENV_VERSION: &str = "business/aenv-version";
/// Label that carries the owner.
pub(crate) const OWNER: &str = "business/aenv-owner";
/// Label that carries an instance's time to live, a Go duration counted from its creation.
pub(crate) const TTL: &str = "business/aenv-ttl";

/// The phase of a pod, as the API server names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Accepted, not all containers run yet.
    Pending,
    /// At least one container runs.
    Running,
    /// All containers ended with success.
    Succeeded,
    /// All containers ended, one of them in failure.
    Failed,
    /// The node does not answer.
    Unknown,
}

impl Phase {
    /// Every phase, in the order of a pod's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Unknown];

    /// The API server's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// Filter of a list. `None` and `false` narrow nothing; the default asks for everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ListFilter {
    /// Only objects of this environment.
    pub env: Option<LabelValue>,
    /// Only objects of this version of their environment.
    pub version: Option<LabelValue>,
    /// Only objects of this owner.
    pub owner: Option<LabelValue>,
    /// Only pods in this phase.
    pub phase: Option<Phase>,
    /// Only objects that carry a time to live.
    pub with_ttl: bool,
    /// Only objects whose labels of the caller's own are selected.
    pub labels: LabelSelector,
}

impl ListFilter {
    /// The label selector that says the same; `None` if every object is meant.
    pub fn label_selector(&self) -> Option<String> {
        let equal = [(ENV_NAME, &self.env), (ENV_VERSION, &self.version), (OWNER, &self.owner)];
        let terms = equal
            .into_iter()
            .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={value}")))
            .chain(self.with_ttl.then(|| TTL.to_owned()))
            .chain((!self.labels.is_empty()).then(|| self.labels.to_string()))
            .collect::<Vec<_>>();
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// The field selector that says the same; `None` if every object is meant.
    pub fn field_selector(&self) -> Option<String> {
        self.phase.map(|phase| format!("status.phase={}", phase.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrowing_is_one_selector() {
        assert_eq!(ListFilter::default().label_selector(), None);
        assert_eq!(ListFilter::default().field_selector(), None);
        let filter = ListFilter {
            env: LabelValue::new("weather").ok(),
            owner: LabelValue::new("jun").ok(),
            phase: Some(Phase::Running),
            with_ttl: true,
            labels: LabelSelector::parse("team=red,!spot").unwrap(),
            ..ListFilter::default()
        };
        assert_eq!(
            filter.label_selector().as_deref(),
            Some("business/aenv-name=weather,business/aenv-owner=jun,business/aenv-ttl,!spot,team=red")
        );
        assert_eq!(filter.field_selector().as_deref(), Some("status.phase=Running"));
    }
}
