//! What a query string or a path may say. Everything is checked here, before the API server is asked anything.

use super::error::ApiError;
use crate::aenv::services::Status;
use crate::syntax::{LabelValue, ListFilter, ObjectName, Phase};
use serde::Deserialize;
use utoipa::IntoParams;

/// The query of the service lists. An empty value is as good as none.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
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
    /// Only those with this status.
    #[param(value_type = Option<Status>, example = "Running")]
    status: Option<String>,
}

/// The query of the instance lists. An empty value is as good as none.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
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
    /// Only those in this phase.
    #[param(value_type = Option<Phase>, example = "Running")]
    status: Option<String>,
    /// `expired`: only those whose time to live has passed.
    #[param(pattern = "^expired$", example = "expired")]
    filter: Option<String>,
}

/// A query that may say nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

/// The query of a deletion.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// Whether the claim that it mounts is to go too.
    #[param(value_type = Option<bool>, default = false)]
    delete_storage: Option<String>,
}

impl DeleteQuery {
    /// Whether the storage is to go too.
    pub(super) fn storage(&self) -> Result<bool, ApiError> {
        let word = |yes| if yes { "true" } else { "false" };
        Ok(one_of("deleteStorage", self.delete_storage.as_deref(), [false, true], word)?.unwrap_or(false))
    }
}

impl ServicesQuery {
    pub(super) fn filter(&self) -> Result<ListFilter, ApiError> {
        filter(self.env_name.as_deref(), self.owner.as_deref(), self.version.as_deref())
    }

    pub(super) fn status(&self) -> Result<Option<Status>, ApiError> {
        one_of("status", self.status.as_deref(), Status::ALL, Status::as_str)
    }
}

impl PodsQuery {
    pub(super) fn filter(&self) -> Result<ListFilter, ApiError> {
        let filter = filter(self.env_name.as_deref(), self.owner.as_deref(), self.version.as_deref())?;
        let phase = one_of("status", self.status.as_deref(), Phase::ALL, Phase::as_str)?;
        Ok(ListFilter { phase, ..filter })
    }

    /// Whether only expired instances are asked for.
    pub(super) fn expired(&self) -> Result<bool, ApiError> {
        Ok(one_of("filter", self.filter.as_deref(), [()], |()| "expired")?.is_some())
    }
}

/// The environment of a path such as `/env-service/weather@1.0.2/list`: a name, `name@version`, or `*` for all.
/// What the path says wins; only `*` leaves it to the query.
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

fn label(field: &str, text: Option<&str>) -> Result<Option<LabelValue>, ApiError> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| LabelValue::new(text).map_err(|why| ApiError::bad_value(field, text, &why.to_string()))).transpose()
}

fn one_of<T: Copy, const N: usize>(
    field: &str,
    text: Option<&str>,
    all: [T; N],
    word: fn(T) -> &'static str,
) -> Result<Option<T>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let found = all.into_iter().find(|one| word(*one) == text);
    found.map(Some).ok_or_else(|| {
        let words = all.map(word).join(", ");
        ApiError::bad_value(field, text, &format!("is not one of: {words}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(!query.expired().unwrap());
    }

    #[test]
    fn a_word_that_is_not_known_is_answered_with_those_that_are() {
        let query = PodsQuery { filter: Some("old".into()), ..Default::default() };
        assert_eq!(message(query.expired().unwrap_err()), r#"filter: "old" is not one of: expired"#);
        let query = ServicesQuery { status: Some("running".into()), ..Default::default() };
        assert_eq!(
            message(query.status().unwrap_err()),
            r#"status: "running" is not one of: Creating, Updating, Running, Failed"#
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
