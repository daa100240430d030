//! `DELETE /pods`: the removal of many instances at once, and `PUT /pods/{name}`: a new time to live.

use super::ask::{Answer, Ask};
use super::error::ApiError;
use super::query::{NoQuery, PodsQuery, Query, object_name};
use super::write::{Write, done, shown};
use crate::aenv::instances::{Sweep, Take};
use crate::aenv::rows::OneShape;
use crate::aenv::warnings::Warnings;
use crate::syntax::{ListFilter, cut, parse_go_duration};
use actix_web::http::StatusCode;
use actix_web::web::{self, Path, Payload};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The query of a deletion of many. Unlike that of a list it is refused if it says anything unknown: a slip must not
/// remove more than was meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct SweepQuery {
    /// Only those of this environment.
    #[param(example = "weather")]
    env_name: Option<String>,
    /// Only those that belong to this owner.
    #[param(example = "jun")]
    owner: Option<String>,
    /// Only those of this version of their environment.
    #[param(example = "1.0.2")]
    version: Option<String>,
    /// Only those in this phase.
    #[param(example = "Succeeded")]
    status: Option<String>,
    /// `expired`: only those whose time to live has passed.
    #[param(example = "expired")]
    filter: Option<String>,
    /// Only those whose labels are selected, such as `run=r7,tier!=db`.
    #[param(example = "run=r7")]
    labels: Option<String>,
    /// `true`: tell what would be removed, and remove nothing.
    #[param(value_type = Option<bool>, default = false)]
    dry_run: Option<String>,
}

impl SweepQuery {
    fn sweep(self) -> Result<Sweep, ApiError> {
        let take = match self.filter.as_deref() {
            None | Some("") => Take::All,
            Some("expired") => Take::Expired { finished_after: None },
            Some(other) => return Err(ApiError::bad_value("filter", other, "is not one of: expired")),
        };
        let dry_run = match self.dry_run.as_deref() {
            None | Some("" | "false") => false,
            Some("true") => true,
            Some(other) => return Err(ApiError::bad_value("dryRun", other, "is not one of: false, true")),
        };
        let Self { env_name, owner, version, status, labels, .. } = self;
        let filter = PodsQuery::narrowed(env_name, owner, version, status, labels).filter()?;
        if take == Take::All && filter == ListFilter::default() {
            let message =
                "this would remove every instance: filter=expired, envName, owner, version, status or labels is needed";
            return Err(ApiError::BadRequest(message.to_owned()));
        }
        Ok(Sweep { filter, take, dry_run })
    }
}

pub(super) async fn sweep_pods(ask: Ask) -> Answer {
    let query =
        web::Query::<SweepQuery>::from_query(ask.http.query_string()).map_err(|error| ApiError::query(&error))?;
    let sweep = query.into_inner().sweep()?;
    let verb = if sweep.dry_run { "sweep (dry run)" } else { "sweep" };
    let write = Write::begin(&ask, verb, "instances", None, sweep.filter.owner.clone());
    done(write.end(ask.api.instances.sweep_instances(sweep, ask.write()).await)?)
}

pub(super) async fn renew_pod(ask: Ask, name: Path<String>, _: Query<NoQuery>, body: Payload) -> Answer {
    let name = object_name("name", &name)?;
    let ttl = read_ttl(&ask, &ask.read(body).await?)?;
    let write = Write::begin(&ask, "renew", "instance", Some(name.clone()), None);
    let renewed = write.end(ask.api.instances.renew_instance(name, ttl, ask.write()).await)?;
    Ok(shown(StatusCode::OK, &renewed, OneShape::Detail))
}

/// The body of a renewal.
#[derive(ToSchema)]
#[schema(as = Renewal, example = json!({"ttl": "2h"}))]
#[expect(dead_code, reason = "the schema of a body that is read by hand, so that its faults name the field")]
pub(super) struct Renewal {
    /// The time to live from now on, a Go duration; `null` or empty: for ever.
    #[schema(required, example = "2h")]
    ttl: Option<String>,
}

fn read_ttl(ask: &Ask, body: &[u8]) -> Result<Option<Duration>, ApiError> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        ApiError::BadRequest(format!("Invalid request body: {error}; {{\"ttl\": \"2h\"}} is needed"))
    })?;
    let mut warnings = Warnings::default();
    for key in body.keys().filter(|key| *key != "ttl") {
        warnings.push(format!("unknown field \"{}\" is ignored", cut(key)));
    }
    ask.warn(warnings);
    match body.get("ttl") {
        Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => match parse_go_duration(text) {
            Some(ttl) if !ttl.is_zero() => Ok(Some(ttl)),
            _ => Err(ApiError::bad_value("ttl", text, "is not a Go duration above zero, such as 30m or 1h30m")),
        },
        Some(_) => Err(ApiError::BadRequest("ttl: a text is needed, a Go duration such as 30m".to_owned())),
        None => Err(ApiError::BadRequest("ttl: is missing; a Go duration such as 30m is needed".to_owned())),
    }
}
