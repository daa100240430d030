//! The HTTP edge: which verb a request is, what befalls it by way of faults, and what it is answered.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::Api;
use super::calls::Counters;
use super::discovery;
use super::faults::{Call, Control, Outcome};
use super::list::{ContinueToken, Query};
use super::resource::{Subresource, Target};
use super::review;
use super::status::ApiError;
use super::table::{self, RowObject};

/// As the API server has it.
const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;
const TOO_MANY_REQUESTS: &str = "Too many requests, please try again later.\n";

/// Everything that the handlers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) api: Api,
    pub(super) counters: Counters,
    pub(super) control: Control,
}

/// Answers everything that is not one of the sandbox's own routes.
pub(super) async fn serve(request: HttpRequest, payload: Payload, shared: web::Data<Shared>) -> HttpResponse {
    let request = Request::read(&request, payload).await;
    if request.is_review() {
        let call = Call { verb: "create", resource: review::PLURAL, name: None, page: None };
        return serve_call("create", &call, &shared, || request.answer_review(&shared.control)).await;
    }
    let verb = request.verb();
    let Some((target, verb)) = request.target.as_ref().zip(verb) else {
        return serve_uncounted(&request, &shared).await;
    };
    let resource = match target.subresource {
        None => target.resource.plural().to_owned(),
        Some(Subresource::Status) => format!("{}/status", target.resource.plural()),
        Some(Subresource::Scale) => format!("{}/scale", target.resource.plural()),
    };
    let name = request.name();
    let call =
        Call { verb, resource: &resource, name: name.as_deref(), page: (verb == "list").then(|| request.page()) };
    serve_call(verb, &call, &shared, || request.answer(target, verb, &shared.api)).await
}

/// Counts a call, lets befall it what has to, and carries it out.
async fn serve_call(
    verb: &'static str,
    call: &Call<'_>,
    shared: &Shared,
    carry_out: impl Fn() -> HttpResponse,
) -> HttpResponse {
    let under_way = shared.counters.begin(verb, call.resource.to_owned());
    tokio::time::sleep(shared.control.latency()).await;
    let release = shared.control.release();
    let fault = shared.control.judge(Some(call), Instant::now());
    let Some(fault) = fault else {
        let response = carry_out();
        under_way.answered(response.status().as_u16());
        return response;
    };
    let done = fault.after.then(&carry_out);
    let response = match fault.outcome {
        Outcome::Cut => return cut(),
        Outcome::Hang => {
            release.wait().await;
            done.unwrap_or_else(carry_out)
        }
        Outcome::Answer { status, retry_after, reason } => injected(status, retry_after, reason.as_deref()),
    };
    under_way.answered(response.status().as_u16());
    response
}

/// Discovery, health checks, and what no resource answers to. Only a hang or an outage befalls these.
async fn serve_uncounted(request: &Request, shared: &Shared) -> HttpResponse {
    let release = shared.control.release();
    match shared.control.judge(None, Instant::now()).map(|fault| fault.outcome) {
        Some(Outcome::Cut) => return cut(),
        Some(Outcome::Hang) => release.wait().await,
        Some(Outcome::Answer { .. }) | None => {}
    }
    if request.target.is_some() {
        let message = "the server does not allow this method on the requested resource";
        return failure(&ApiError::method_not_allowed(message));
    }
    if discovery::is_health_check(&request.path) {
        return HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok");
    }
    match discovery::document(&request.path) {
        Some(document) => json_response(200, document.to_string()),
        None => failure(&ApiError::no_such_path()),
    }
}

/// The parts of a request that matter here.
struct Request {
    method: Method,
    path: String,
    target: Option<Target>,
    query: Query,
    media_type: String,
    wants_table: bool,
    /// An error if it was too large or broke off.
    body: Result<Bytes, ApiError>,
}

impl Request {
    async fn read(request: &HttpRequest, payload: Payload) -> Self {
        let header = |name| {
            let value = request.headers().get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let media_type = header(header::CONTENT_TYPE).split(';').next().unwrap_or_default();
        let media_type = media_type.trim().to_owned();
        let wants_table = header(header::ACCEPT).contains("as=Table");
        let path = request.path().to_owned();
        let query = web::Query::<Query>::from_query(request.query_string());
        let body = payload.to_bytes_limited(MAX_BODY_BYTES).await;
        Self {
            method: request.method().clone(),
            target: Target::parse(&path),
            path,
            query: query.map(web::Query::into_inner).unwrap_or_default(),
            media_type,
            wants_table,
            body: match body {
                Ok(Ok(body)) => Ok(body),
                Ok(Err(error)) => Err(ApiError::bad_request(error.to_string())),
                Err(_) => Err(ApiError::too_large(MAX_BODY_BYTES)),
            },
        }
    }

    fn is_review(&self) -> bool {
        self.method == Method::POST && self.path == review::PATH
    }

    /// `None`: the target has no such verb.
    fn verb(&self) -> Option<&'static str> {
        let target = self.target.as_ref()?;
        let watch = self.query.get("watch").is_some_and(|watch| !matches!(watch.as_str(), "" | "0" | "false"));
        match (&self.method, &target.name, target.subresource) {
            (&Method::GET, None, _) if watch => Some("watch"),
            (&Method::GET, None, _) => Some("list"),
            (&Method::GET, Some(_), _) => Some("get"),
            (&Method::POST, None, _) if target.namespace.is_some() == target.resource.namespaced() => Some("create"),
            (&Method::PUT, Some(_), _) => Some("update"),
            (&Method::PATCH, Some(_), _) => Some("patch"),
            (&Method::DELETE, Some(_), None) => Some("delete"),
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

    fn answer(&self, target: &Target, verb: &str, api: &Api) -> HttpResponse {
        match self.carry_out(target, verb, api) {
            Ok(body) => json_response(if verb == "create" { 201 } else { 200 }, body),
            Err(error) => failure(&error),
        }
    }

    fn answer_review(&self, control: &Control) -> HttpResponse {
        let reviewed = self.body.as_ref().map_err(Clone::clone).and_then(|body| review::answer(body, control));
        match reviewed {
            Ok(review) => json_response(201, review.to_string()),
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
                let metadata = json!({"resourceVersion": document["metadata"]["resourceVersion"]});
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
        Bytes::from(table::document(target.resource, metadata, documents, with, Timestamp::now()).to_string())
    }
}

fn json_response(code: u16, body: impl MessageBody + 'static) -> HttpResponse {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(code).content_type("application/json").body(body)
}

fn failure(error: &ApiError) -> HttpResponse {
    json_response(error.code, error.to_document().to_string())
}

fn injected(status: u16, retry_after: Option<u64>, reason: Option<&str>) -> HttpResponse {
    let mut response = if status == 429 {
        HttpResponse::TooManyRequests()
            .content_type("text/plain; charset=utf-8")
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(TOO_MANY_REQUESTS)
    } else {
        failure(&ApiError::injected(status, reason))
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A response that cannot be written: the connection breaks before its first byte.
fn cut() -> HttpResponse {
    HttpResponse::Ok().body(BrokenBody)
}

struct BrokenBody;

impl MessageBody for BrokenBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(1)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}
