//! Description of one operation.

use crate::aenv::envelope::success_schema;
use actix_web::http::StatusCode;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Required, ResponseBuilder, SecurityRequirement,
};
use utoipa::{IntoParams, ToSchema};

/// The name of the security scheme.
pub(super) const TOKEN: &str = "token";

/// The header of every answer, and what it says.
pub(super) const REQUEST_ID: (&str, &str) = (
    "X-Request-Id",
    "The request's own `X-Request-Id`, or one that was made up; every line of the log about it has it.",
);

/// The header of an answer whose request was read leniently, and what it says.
pub(super) const WARNING: (&str, &str) =
    ("Warning", "What of the request is ignored or read leniently: `299 - \"text\"`, one for each.");

/// Failures that every operation may have.
const ALWAYS: [StatusCode; 6] = [
    StatusCode::BAD_REQUEST,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// An operation that is being described.
pub(in super::super) struct Described {
    operation: OperationBuilder,
    headers: Headers,
}

/// The headers of its answers of success, besides the request's id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Headers {
    None,
    /// The entity tag.
    Tag,
    /// The entity tag, and where the answer came from.
    TagAndSource,
}

impl Described {
    /// One that reads. Its answer may come from memory.
    pub(in super::super) fn read(id: &str, tag: &str) -> Self {
        Self::new(id, tag, Headers::TagAndSource)
            .guarded("read")
            .header(
                "Cache-Control",
                "`no-cache` asks for an answer that is read now, `max-age=<seconds>` for one that is not older; \
                 `stale-if-error=<seconds>` bounds the age of one that stands in for an answer that cannot be had.",
            )
            .conditional()
    }

    /// One that gives a document which stays as it is. Anybody may read it.
    pub(in super::super) fn document(id: &str, tag: &str) -> Self {
        Self::new(id, tag, Headers::Tag).conditional()
    }

    /// One that tells how something is now. Its answer is not kept.
    pub(in super::super) fn now(id: &str, tag: &str) -> Self {
        Self::new(id, tag, Headers::None).guarded("read")
    }

    /// One that writes.
    pub(in super::super) fn write(id: &str, tag: &str) -> Self {
        Self::new(id, tag, Headers::None).guarded("write")
    }

    fn new(id: &str, tag: &str, headers: Headers) -> Self {
        let operation = OperationBuilder::new().operation_id(Some(id)).tag(tag);
        Self { operation, headers }
            .header(
                "X-Request-Id",
                "How this request is called in the log; at most 64 letters, digits, `-`, `_`, `.`, `:` or `/`.",
            )
            .header(
                "env-instance-trace-id",
                "How the caller follows a request through its services; it reaches the log.",
            )
            .fails(ALWAYS)
    }

    /// One that may wait for a state.
    pub(in super::super) fn waits(self) -> Self {
        self.header("Prefer", "`wait=<seconds>`: how long to wait for the state of `wait_for` (RFC 7240).")
    }

    /// One that takes a key, so that it can be repeated.
    pub(in super::super) fn once_only(self) -> Self {
        self.header(
            "Idempotency-Key",
            "A create that is repeated with the same key finds its first object, and says so: `Idempotent-Replay: true`.",
        )
    }

    fn guarded(self, scope: &str) -> Self {
        let tokens = [SecurityRequirement::default(), SecurityRequirement::new(TOKEN, [scope])];
        self.with(|operation| operation.securities(Some(tokens)))
            .fails([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN])
    }

    /// Its line in a table of contents.
    pub(in super::super) fn summary(self, summary: &str) -> Self {
        self.with(|operation| operation.summary(Some(summary)))
    }

    /// A paragraph about it.
    pub(in super::super) fn about(self, description: &str) -> Self {
        self.with(|operation| operation.description(Some(description)))
    }

    /// The part `name` of its path.
    pub(in super::super) fn path(
        self,
        name: &str,
        description: &str,
        schema: impl Into<RefOr<Schema>>,
        example: &str,
    ) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(schema))
            .example(Some(example.into()));
        self.with(|operation| operation.parameter(parameter))
    }

    /// The object that its path names.
    pub(in super::super) fn named<T: ToSchema>(self, name: &str, example: &str) -> Self {
        self.path(name, "The name of the object.", to::<T>(), example).fails([StatusCode::NOT_FOUND])
    }

    /// Parameters of its query.
    pub(in super::super) fn query<Q: IntoParams>(self) -> Self {
        let parameters: Vec<Parameter> = Q::into_params(|| Some(ParameterIn::Query));
        self.with(|operation| parameters.into_iter().fold(operation, OperationBuilder::parameter))
    }

    /// Its body: the schema of this name.
    pub(in super::super) fn body(self, schema: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
        let body = RequestBodyBuilder::new()
            .description(Some("JSON, whatever its content type is said to be."))
            .required(Some(Required::True))
            .content("application/json", content)
            .build();
        self.with(|operation| operation.request_body(Some(body))).fails([StatusCode::PAYLOAD_TOO_LARGE])
    }

    /// Its failures, besides those that every operation may have.
    pub(in super::super) fn fails<const N: usize>(self, statuses: [StatusCode; N]) -> Self {
        self.with(|operation| {
            statuses
                .into_iter()
                .fold(operation, |operation, status| operation.response(status.as_str(), reference(status)))
        })
    }

    /// Its answer: `data`, in the envelope.
    pub(in super::super) fn answers(
        self,
        status: StatusCode,
        about: &str,
        data: impl Into<RefOr<Schema>>,
    ) -> Operation {
        let response = ResponseBuilder::new()
            .description(about)
            .content("application/json", ContentBuilder::new().schema(Some(success_schema(data))).build());
        self.ends(status, response)
    }

    /// Its answer.
    pub(in super::super) fn ends(self, status: StatusCode, response: ResponseBuilder) -> Operation {
        let response = self.headed(response).build();
        self.operation.response(status.as_str(), response).build()
    }

    fn conditional(self) -> Self {
        let response = self.headed(ResponseBuilder::new().description("The caller has it already.")).build();
        self.header("If-None-Match", "The entity tag of an answer that the caller has: if it is still so, 304.")
            .with(|operation| operation.response("304", response))
    }

    /// With the headers of every answer of success.
    fn headed(&self, response: ResponseBuilder) -> ResponseBuilder {
        let response = [REQUEST_ID, WARNING]
            .into_iter()
            .fold(response, |response, (name, about)| response.header(name, header(Type::String, about)));
        if self.headers == Headers::None {
            return response;
        }
        let response = response.header("ETag", header(Type::String, "The entity tag of this answer."));
        if self.headers == Headers::Tag {
            return response;
        }
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        response.header("Age", described(seconds, "How many seconds ago it was read from the API server.")).header(
            "Cache-Status",
            header(Type::String, "Where it came from (RFC 9211): `hit`, `fwd=miss`, `fwd=request` or `fwd=stale`."),
        )
    }

    fn header(self, name: &str, description: &str) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        self.with(|operation| operation.parameter(parameter))
    }

    fn with(self, more: impl FnOnce(OperationBuilder) -> OperationBuilder) -> Self {
        Self { operation: more(self.operation), ..self }
    }
}

/// A reference to the schema of `T`.
pub(in super::super) fn to<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// A list of `T`.
pub(in super::super) fn list_of<T: ToSchema>() -> ArrayBuilder {
    ArrayBuilder::new().items(to::<T>())
}

/// A header of this type.
pub(super) fn header(of: Type, description: &str) -> Header {
    described(ObjectBuilder::new().schema_type(of), description)
}

/// A header with this schema.
pub(super) fn described(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new().schema(schema).description(Some(description)).build()
}

/// A reference to the answer of failure with this status.
fn reference(status: StatusCode) -> Ref {
    Ref::from_response_name(name_of(status))
}

/// The name of the answer of failure with this status: `BadGateway` of 502.
pub(super) fn name_of(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().split(' ').collect()
}
