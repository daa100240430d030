//! Query strings and path segments, checked before the API server is asked anything.
//!
//! A parameter that a route does not know is ignored with a warning, as the Go controller ignores it. A known one whose
//! value cannot be used is refused: a list that is wider than asked for would be worse.

use super::ask::Ask;
use super::error::ApiError;
use super::warning::warn;
use crate::aenv::services::Status;
use crate::aenv::warnings::Warnings;
use crate::syntax::{LabelSelector, LabelValue, ListFilter, ObjectName, Phase, cut};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::ops::Deref;
use utoipa::IntoParams;

/// The query string of a request, read as `T`.
#[derive(Debug)]
pub(super) struct Query<T>(T);

/// The parameters that `T` knows, and the others.
#[derive(Deserialize)]
struct Parameters<T> {
    #[serde(flatten)]
    known: T,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

impl<T: DeserializeOwned> Query<T> {
    fn read(text: &str) -> Result<(Self, Warnings), ApiError> {
        let read = web::Query::<Parameters<T>>::from_query(text).map_err(|error| ApiError::query(&error))?;
        let Parameters { known, unknown } = read.into_inner();
        let mut warnings = Warnings::default();
        for name in unknown.keys() {
            warnings.push(format!("unknown query parameter \"{}\" is ignored", cut(name)));
        }
        Ok((Self(known), warnings))
    }
}

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = Self::read(request.query_string());
        ready(read.map(|(query, warnings)| {
            warn(request, warnings);
            query
        }))
    }
}

/// The query of the service lists. An empty value is as good as none.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ServicesQuery {
    /// Only those of this environment.
    #[param(value_type = Option<LabelValue>, example = "weather")]
    env_name: Option<String>,
    /// Only those that belong to this owner.
    #[param(value_type = Option<LabelValue>, example = "jun")]
    owner: Option<String>,
    /// Only those of this version of their environment.
    #[param(value_type = Option<LabelValue>, example = "1.0.2")]
    version: Option<String>,
    /// Only those with this status, in any case. `Pending` stands for `Creating`, as the SDK calls it.
    #[param(value_type = Option<Status>, example = "Running")]
    status: Option<String>,
    /// Only those whose labels are selected, such as `team=red,tier!=db,stage in (dev,test),!spot`.
    #[param(example = "team=red")]
    labels: Option<String>,
}

/// The query of the instance lists. An empty value is as good as none.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct PodsQuery {
    /// Only those of this environment.
    #[param(value_type = Option<LabelValue>, example = "weather")]
    env_name: Option<String>,
    /// Only those that belong to this owner.
    #[param(value_type = Option<LabelValue>, example = "jun")]
    owner: Option<String>,
    /// Only those of this version of their environment.
    #[param(value_type = Option<LabelValue>, example = "1.0.2")]
    version: Option<String>,
    /// Only those in this phase, in any case. `Creating` stands for `Pending` and `Terminated` for `Succeeded`, as
    /// the SDK calls them.
    #[param(value_type = Option<Phase>, example = "Running")]
    status: Option<String>,
    /// `expired`: only those whose time to live has passed.
    #[param(example = "expired")]
    filter: Option<String>,
    /// Only those whose labels are selected, such as `team=red,tier!=db,stage in (dev,test),!spot`.
    #[param(example = "team=red")]
    labels: Option<String>,
}

/// The query of a route that knows no parameter.
#[derive(Debug, Deserialize)]
pub(super) struct NoQuery {}

/// The query of a deletion.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// True if the claim that it mounts is to go too.
    #[param(value_type = Option<bool>, default = false)]
    delete_storage: Option<String>,
}

impl DeleteQuery {
    /// True if the storage is to go too.
    pub(super) fn storage(&self) -> Result<bool, ApiError> {
        match self.delete_storage.as_deref() {
            None | Some("" | "false") => Ok(false),
            Some("true") => Ok(true),
            // To the Go controller it means false, to whoever wrote it probably true: storage is no matter of guesses.
            Some(other) => Err(ApiError::bad_value("deleteStorage", other, "is not one of: false, true")),
        }
    }
}

impl ServicesQuery {
    pub(super) fn filter(&self) -> Result<ListFilter, ApiError> {
        let filter = filter(self.env_name.as_deref(), self.owner.as_deref(), self.version.as_deref())?;
        Ok(ListFilter { labels: selector(self.labels.as_deref())?, ..filter })
    }

    pub(super) fn status(&self) -> Result<Option<Status>, ApiError> {
        let pending = |text: &&str| "Pending".eq_ignore_ascii_case(text);
        let status = self.status.as_deref();
        let status = if status.as_ref().is_some_and(pending) { Some(Status::Creating.as_str()) } else { status };
        one_of("status", status, Status::ALL, Status::as_str)
    }
}

impl PodsQuery {
    /// A query that says this.
    pub(super) fn narrowed(
        env_name: Option<String>,
        owner: Option<String>,
        version: Option<String>,
        status: Option<String>,
        labels: Option<String>,
    ) -> Self {
        Self { env_name, owner, version, status, filter: None, labels }
    }

    pub(super) fn filter(&self) -> Result<ListFilter, ApiError> {
        let filter = filter(self.env_name.as_deref(), self.owner.as_deref(), self.version.as_deref())?;
        let status = self.status.as_deref().map(|text| sdk_phase(text).unwrap_or(text));
        let phase = one_of("status", status, Phase::ALL, Phase::as_str)?;
        Ok(ListFilter { phase, labels: selector(self.labels.as_deref())?, ..filter })
    }

    /// True if only expired instances are asked for. Any other filter means all instances, with a warning.
    pub(super) fn expired(&self, ask: &Ask) -> bool {
        let (expired, warnings) = self.is_expired();
        ask.warn(warnings);
        expired
    }

    fn is_expired(&self) -> (bool, Warnings) {
        let mut warnings = Warnings::default();
        let filter = self.filter.as_deref().unwrap_or_default();
        if !matches!(filter, "" | "expired") {
            warnings.push(format!("filter: \"{}\" is ignored, the only filter is expired", cut(filter)));
        }
        (filter == "expired", warnings)
    }
}

/// The phase that the SDK's word for a status means, if it has a word of its own for it.
fn sdk_phase(text: &str) -> Option<&'static str> {
    let words = [("Creating", Phase::Pending), ("Terminated", Phase::Succeeded)];
    words.into_iter().find_map(|(word, phase)| word.eq_ignore_ascii_case(text).then(|| phase.as_str()))
}

/// The environment of a path such as `/env-service/weather@1.0.2/list`: a name, `name@version`, or `*` for all.
/// The filter for the environment of the path, which wins; only `*` leaves it to the query.
pub(super) fn in_env(filter: ListFilter, env: &str) -> Result<ListFilter, ApiError> {
    if env == "*" {
        return Ok(filter);
    }
    let (name, version) = env.split_once('@').unwrap_or((env, ""));
    let (name, version) = (label("environment", Some(name))?, label("version", Some(version))?);
    if name.is_none() {
        return Err(ApiError::BadRequest("environment: a name, name@version or * is needed".to_owned()));
    }
    Ok(ListFilter { env: name, version: version.or(filter.version), ..filter })
}

/// The name of an object in a path.
pub(super) fn object_name(field: &str, text: &str) -> Result<ObjectName, ApiError> {
    ObjectName::new(text).map_err(|why| ApiError::bad_value(field, text, &why.to_string()))
}

fn filter(env: Option<&str>, owner: Option<&str>, version: Option<&str>) -> Result<ListFilter, ApiError> {
    Ok(ListFilter {
        env: label("envName", env)?,
        owner: label("owner", owner)?,
        version: label("version", version)?,
        ..ListFilter::default()
    })
}

fn selector(text: Option<&str>) -> Result<LabelSelector, ApiError> {
    let text = text.unwrap_or_default();
    LabelSelector::parse(text).map_err(|why| ApiError::BadRequest(format!("labels: {why}")))
}

fn label(field: &str, text: Option<&str>) -> Result<Option<LabelValue>, ApiError> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| LabelValue::new(text).map_err(|why| ApiError::bad_value(field, text, &why.to_string()))).transpose()
}

pub(super) fn one_of<T: Copy, const N: usize>(
    field: &str,
    text: Option<&str>,
    all: [T; N],
    word: fn(T) -> &'static str,
) -> Result<Option<T>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let found = all.into_iter().find(|one| word(*one).eq_ignore_ascii_case(text));
    found.map(Some).ok_or_else(|| {
        let words = all.map(word).join(", ");
        ApiError::bad_value(field, text, &format!("is not one of: {words}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{ENV_NAME, ENV_VERSION, OWNER};
    use proptest::prelude::*;

    /// A query string, some of whose parameters are known.
    fn any_query() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            4 => prop::sample::select(vec!["envName", "owner", "version", "status", "filter", "labels", "deleteStorage"])
                .prop_map(str::to_owned),
            1 => "[^&=]{0,6}"
        ];
        let value = prop_oneof!["[a-z0-9.]{0,8}", "\\PC{0,8}", "(%[0-9a-fA-F]{0,2}|[a-z=,()!+ ]){0,8}"];
        prop::collection::vec((key, value), 0..4).prop_map(|pairs| {
            pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
        })
    }

    #[test]
    fn any_query_is_refused_or_asks_for_no_more_than_its_parameters_say() {
        let known = [ENV_NAME, OWNER, ENV_VERSION].map(|key| format!("{key}="));
        proptest!(|(text in any_query())| {
            let _ = Query::<DeleteQuery>::read(&text).map(|(query, _)| query.storage());
            let _ = Query::<ServicesQuery>::read(&text).map(|(query, _)| (query.filter().is_ok(), query.status().is_ok()));
            let Ok((query, _)) = Query::<PodsQuery>::read(&text) else { return Ok(()) };
            let Ok(filter) = query.filter() else { return Ok(()) };
            let given = [&query.env_name, &query.owner, &query.version, &query.labels];
            let given = given.into_iter().flatten().filter(|value| !value.trim().is_empty()).count();
            prop_assert_eq!(filter.label_selector().is_some(), given > 0, "{}: {:?}", text, filter);
            if query.labels.is_none() {
                let selector = filter.label_selector().unwrap_or_default();
                let terms = selector.split(',').filter(|term| !term.is_empty());
                prop_assert_eq!(terms.filter(|term| known.iter().any(|key| term.starts_with(key.as_str()))).count(), given);
            }
        });
    }

    fn message(error: ApiError) -> String {
        error.to_string()
    }

    #[test]
    fn a_selector_cannot_be_widened() {
        let query = ServicesQuery { env_name: Some("weather,business/aenv-owner=jun".into()), ..Default::default() };
        let message = message(query.filter().unwrap_err());
        assert!(message.starts_with(r#"envName: "weather,business/aenv-owner=jun" is not a label value"#), "{message}");
    }

    #[test]
    fn empty_values_narrow_nothing() {
        let query = PodsQuery { env_name: Some(String::new()), status: Some(String::new()), ..Default::default() };
        assert_eq!(query.filter().unwrap(), ListFilter::default());
        assert_eq!(query.is_expired(), (false, Warnings::default()));
    }

    #[test]
    fn unknown_parameters_and_filters_are_ignored_with_a_warning() {
        let (query, warnings) = Query::<PodsQuery>::read("dryRun=All&envName=weather&filter=all&limit=5").unwrap();
        let told: Vec<_> = warnings.iter().collect();
        assert_eq!(
            told,
            [r#"unknown query parameter "dryRun" is ignored"#, r#"unknown query parameter "limit" is ignored"#]
        );
        assert_eq!(query.filter().unwrap().env, LabelValue::new("weather").ok());
        let (expired, warnings) = query.is_expired();
        assert!(!expired && warnings.iter().eq([r#"filter: "all" is ignored, the only filter is expired"#]));
        assert!(Query::<PodsQuery>::read("envName=a&envName=b").is_err(), "one of two values cannot be chosen");
    }

    #[test]
    fn labels_are_a_selector_and_no_way_into_another() {
        let query = |labels: &str| PodsQuery { labels: Some(labels.into()), ..Default::default() };
        let filter = query("team=red,!spot").filter().unwrap();
        assert_eq!(filter.label_selector().as_deref(), Some("!spot,team=red"));
        for bad in ["team=red&x", "a b", "business/aenv-owner=jun", "team=red,"] {
            assert!(message(query(bad).filter().unwrap_err()).starts_with("labels: "), "{bad}");
        }
    }

    #[test]
    fn the_words_of_the_sdk_are_understood() {
        for (word, phase) in
            [("CREATING", Phase::Pending), ("terminated", Phase::Succeeded), ("running", Phase::Running)]
        {
            let query = PodsQuery { status: Some(word.into()), ..Default::default() };
            assert_eq!(query.filter().unwrap().phase, Some(phase), "{word}");
        }
        let query = ServicesQuery { status: Some("pending".into()), ..Default::default() };
        assert_eq!(query.status().unwrap(), Some(Status::Creating));
    }

    #[test]
    fn a_word_that_is_not_known_is_answered_with_those_that_are() {
        let query = ServicesQuery { status: Some("runing".into()), ..Default::default() };
        assert_eq!(
            message(query.status().unwrap_err()),
            r#"status: "runing" is not one of: Creating, Updating, Running, Failed, Incomplete"#
        );
    }

    #[test]
    fn an_environment_may_carry_its_version() {
        let of = |env| in_env(ListFilter::default(), env).unwrap().label_selector();
        assert_eq!(of("*"), None);
        assert_eq!(of("weather").as_deref(), Some("business/aenv-name=weather"));
        assert_eq!(of("weather@").as_deref(), Some("business/aenv-name=weather"));
        assert_eq!(of("weather@1.0.2").as_deref(), Some("business/aenv-name=weather,business/aenv-version=1.0.2"));
        for bad in ["@1.0.2", "a b", "weather@1@2", "**"] {
            assert!(in_env(ListFilter::default(), bad).is_err(), "{bad}");
        }
    }
}
