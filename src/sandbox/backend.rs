//! The API server without connections: each exchange is one call of a function, on whatever clock the runtime has.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};

use super::exchange::{Answer, Cut, Head, Shared, exchange};
use super::options::Options;

/// An API server in memory that does not listen. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Backend(Arc<Shared>);

/// The connection was cut instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Broken {}

impl Backend {
    /// With what `options` ask for; their port is not used.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self(Arc::new(Shared::new(options)))
    }

    /// Answers one request.
    ///
    /// # Errors
    /// If a fault in force cuts the connection.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let (head, body) = request.into_parts();
        let header = |name: HeaderName| {
            let value = head.headers.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let head = Head {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            content_type: header(CONTENT_TYPE),
            accept: header(ACCEPT),
        };
        exchange(head, Ok(body), &self.0).await.map(response).map_err(|Cut| Broken)
    }

    /// Forgets old versions, as [`ApiServer::compact`](super::ApiServer::compact) does.
    pub fn compact(&self) {
        self.0.api.compact();
    }
}

fn response(Answer { status, content_type, retry_after, body }: Answer) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
