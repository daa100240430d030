//! One exchange: which verb a request is, what befalls it by way of faults, and what it is answered. No connection is needed.

use actix_web::web;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::call::ambient;

use super::api::Api;
use super::calls::Counters;
use super::discovery;
use super::faults::{Call, Control, Faults, Outcome};
use super::list::{ContinueToken, Query};
use super::options::Options;
use super::resource::{Subresource, Target};
use super::review;
use super::seed::Seed;
use super::status::ApiError;
use super::table::{self, RowObject};

const TEXT: &str = "text/plain; charset=utf-8";
const TOO_MANY_REQUESTS: &str = "Too many requests, please try again later.\n";

/// Everything that the exchanges share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) api: Api,
    pub(super) counters: Counters,
    pub(super) control: Control,
}

impl Shared {
    pub(super) fn new(options: &Options) -> Self {
        let &Options { services, pods, qps, latency, ref namespace, rollout, .. } = options;
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let store = Seed { services, pods, namespace, rollout, now: ambient::now() }.plant();
        Self {
            api: Api::new(store, rollout),
            counters: Counters::default(),
            control: Control::new(Faults { latency_ms, qps, ..Faults::default() }),
        }
    }
}

/// The parts of a request's head that matter here; empty for what it lacks.
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) content_type: &'a str,
    pub(super) accept: &'a str,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// In seconds.
    pub(super) retry_after: Option<u64>,
    pub(super) body: Bytes,
}

/// The connection is cut instead of an answer.
pub(super) struct Cut;

/// Answers everything that is not one of the sandbox's own routes. A body is an error if it was too large or broke off.
pub(super) async fn exchange(head: Head<'_>, body: Result<Bytes, ApiError>, shared: &Shared) -> Result<Answer, Cut> {
    let request = Request::read(head, body);
    if request.is_review() {
        let call = Call { verb: "create", resource: review::PLURAL, name: None, page: None };
        return exchange_call("create", &call, shared, || request.answer_review(&shared.control)).await;
    }
    let verb = request.verb();
    let Some((target, verb)) = request.target.as_ref().zip(verb) else {
        return exchange_uncounted(&request, shared).await;
    };
    let resource = match target.subresource {
        None => target.resource.plural().to_owned(),
        Some(Subresource::Status) => format!("{}/status", target.resource.plural()),
        Some(Subresource::Scale) => format!("{}/scale", target.resource.plural()),
    };
    let name = request.name();
    let call =
        Call { verb, resource: &resource, name: name.as_deref(), page: (verb == "list").then(|| request.page()) };
    exchange_call(verb, &call, shared, || request.answer(target, verb, &shared.api)).await
}

/// Counts a call, lets befall it what has to, and carries it out.
async fn exchange_call(
    verb: &'static str,
    call: &Call<'_>,
    shared: &Shared,
    carry_out: impl Fn() -> Answer,
) -> Result<Answer, Cut> {
    let under_way = shared.counters.begin(verb, call.resource.to_owned());
    // Without a latency it is one step, in which nothing else happens.
    if !shared.control.latency().is_zero() {
        tokio::time::sleep(shared.control.latency()).await;
    }
    let release = shared.control.release();
    let fault = shared.control.judge(Some(call), Instant::now());
    let Some(fault) = fault else {
        let answer = carry_out();
        under_way.answered(answer.status);
        return Ok(answer);
    };
    let done = fault.after.then(&carry_out);
    let answer = match fault.outcome {
        Outcome::Cut => return Err(Cut),
        Outcome::Hang => {
            release.wait().await;
            done.unwrap_or_else(carry_out)
        }
        Outcome::Answer { status, retry_after, reason } => injected(status, retry_after, reason.as_deref()),
    };
    under_way.answered(answer.status);
    Ok(answer)
}

/// Discovery, health checks, and what no resource answers to. Only a hang or an outage befalls these.
async fn exchange_uncounted(request: &Request, shared: &Shared) -> Result<Answer, Cut> {
    let release = shared.control.release();
    match shared.control.judge(None, Instant::now()).map(|fault| fault.outcome) {
        Some(Outcome::Cut) => return Err(Cut),
        Some(Outcome::Hang) => release.wait().await,
        Some(Outcome::Answer { .. }) | None => {}
    }
    if request.target.is_some() {
        let message = "the server does not allow this method on the requested resource";
        return Ok(failure(&ApiError::method_not_allowed(message)));
    }
    if discovery::is_health_check(&request.path) {
        return Ok(answer(200, TEXT, "ok"));
    }
    Ok(match discovery::document(&request.path) {
        Some(document) => json(200, document.to_string()),
        None => failure(&ApiError::no_such_path()),
    })
}

/// The parts of a request that matter here.
struct Request {
    method: String,
    path: String,
    target: Option<Target>,
    query: Query,
    media_type: String,
    wants_table: bool,
    /// An error if it was too large or broke off.
    body: Result<Bytes, ApiError>,
}

impl Request {
    fn read(head: Head<'_>, body: Result<Bytes, ApiError>) -> Self {
        let media_type = head.content_type.split(';').next().unwrap_or_default();
        let query = web::Query::<Query>::from_query(head.query);
        Self {
            method: head.method.to_owned(),
            path: head.path.to_owned(),
            target: Target::parse(head.path),
            query: query.map(web::Query::into_inner).unwrap_or_default(),
            media_type: media_type.trim().to_owned(),
            wants_table: head.accept.contains("as=Table"),
            body,
        }
    }

    fn is_review(&self) -> bool {
        self.method == "POST" && self.path == review::PATH
    }

    /// `None`: the target has no such verb.
    fn verb(&self) -> Option<&'static str> {
        let target = self.target.as_ref()?;
        let watch = self.query.get("watch").is_some_and(|watch| !matches!(watch.as_str(), "" | "0" | "false"));
        match (self.method.as_str(), &target.name, target.subresource) {
            ("GET", None, _) if watch => Some("watch"),
            ("GET", None, _) => Some("list"),
            ("GET", Some(_), _) => Some("get"),
            ("POST", None, _) if target.namespace.is_some() == target.resource.namespaced() => Some("create"),
            ("PUT", Some(_), _) => Some("update"),
            ("PATCH", Some(_), _) => Some("patch"),
            ("DELETE", Some(_), None) => Some("delete"),
            _ => None,
        }
    }

    /// The name of the object, also of one that is to be created.
    fn name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            metadata: Name,
        }
        #[derive(Deserialize)]
        struct Name {
            name: String,
        }
        let target = self.target.as_ref()?;
        target.name.clone().or_else(|| {
            let body = self.body.as_ref().ok()?;
            let document: Named = serde_json::from_slice(body).ok()?;
            Some(document.metadata.name)
        })
    }

    fn page(&self) -> u32 {
        let token = self.query.get("continue").filter(|token| !token.is_empty());
        token.and_then(|token| token.parse::<ContinueToken>().ok()).map_or(1, |token| token.page)
    }

    fn answer(&self, target: &Target, verb: &str, api: &Api) -> Answer {
        match self.carry_out(target, verb, api) {
            Ok(body) => json(if verb == "create" { 201 } else { 200 }, body),
            Err(error) => failure(&error),
        }
    }

    fn answer_review(&self, control: &Control) -> Answer {
        let reviewed = self.body.as_ref().map_err(Clone::clone).and_then(|body| review::answer(body, control));
        match reviewed {
            Ok(review) => json(201, review.to_string()),
            Err(error) => failure(&error),
        }
    }

    fn carry_out(&self, target: &Target, verb: &str, api: &Api) -> Result<Bytes, ApiError> {
        let body = self.body.as_ref().map_err(Clone::clone)?;
        let (query, media_type) = (&self.query, self.media_type.as_str());
        match verb {
            "list" => {
                let page = api.list(target, query)?;
                if !self.wants_table {
                    return Ok(page.document());
                }
                let documents = page.items.iter().map(|item| item.value());
                Ok(self.table(target, &page.metadata(), documents))
            }
            "get" => {
                let document = api.get(target, query)?;
                if !self.wants_table || target.subresource.is_some() {
                    return Ok(Bytes::from(document.to_string()));
                }
                let metadata = serde_json::json!({"resourceVersion": document["metadata"]["resourceVersion"]});
                Ok(self.table(target, &metadata, std::iter::once(document)))
            }
            "create" => api.create(target, query, media_type, body),
            "update" => api.update(target, query, media_type, body),
            "patch" => api.patch(target, query, media_type, body),
            "delete" => api.delete(target, query, body),
            _ => Err(ApiError::method_not_allowed("the sandbox does not serve watches")),
        }
    }

    fn table(&self, target: &Target, metadata: &Value, documents: impl Iterator<Item = Value>) -> Bytes {
        let with = RowObject::from_parameter(self.query.get("includeObject").map(String::as_str));
        Bytes::from(table::document(target.resource, metadata, documents, with, ambient::now()).to_string())
    }
}

fn answer(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    Answer { status, content_type, retry_after: None, body: body.into() }
}

fn json(status: u16, body: impl Into<Bytes>) -> Answer {
    answer(status, "application/json", body)
}

fn failure(error: &ApiError) -> Answer {
    json(error.code, error.to_document().to_string())
}

fn injected(status: u16, retry_after: Option<u64>, reason: Option<&str>) -> Answer {
    let answer = match status {
        429 => answer(status, TEXT, TOO_MANY_REQUESTS),
        _ => failure(&ApiError::injected(status, reason)),
    };
    Answer { retry_after, ..answer }
}
