//! EnvHub, which describes environments: the image, the defaults of its deployment.
//!
//! Asked only when something is to be created through the CLI's routes; its answers are remembered for seconds, and
//! equal questions share one fetch. What an answer lacks and what cannot be had are told apart.

use crate::aenv::environment::Document;
use crate::call::{Call, Failure};
use crate::memo::{self, Key, Memo, Memorable, ReadOptions};
use crate::syntax::LabelValue;
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::ACCEPT};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use std::sync::Arc;
use tokio::time::{Duration, timeout, timeout_at};

/// Time that a description is remembered: long enough for a burst of creates, short enough that a new push is seen.
pub(crate) const FRESH: Duration = Duration::from_secs(5);

/// The longest that EnvHub may take; it is one look-up in its store.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest that connecting takes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The largest description that is read.
const MAX_BYTES: usize = 1 << 20;

/// The most characters of EnvHub's own message that are passed on.
const MESSAGE_SHOWN: usize = 200;

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// EnvHub has no such environment.
    #[error("Environment not found: {0}")]
    NotFound(String),
    /// EnvHub took too long.
    #[error("EnvHub did not answer within {}s", PATIENCE.as_secs())]
    TimedOut,
    /// No connection, or it was cut.
    #[error("EnvHub cannot be reached: {0}")]
    Unreachable(String),
    /// EnvHub answered with a failure of its own.
    #[error("EnvHub answered {0}: {1}")]
    Answered(StatusCode, String),
    /// EnvHub's answer is not what it should be.
    #[error("EnvHub's answer cannot be read: {0}")]
    Unreadable(String),
}

/// Nothing is created from a description that may not be so any more.
impl Failure for Error {
    fn is_outage(&self) -> bool {
        false
    }
}

/// The description of an environment, as EnvHub has it.
#[derive(Debug)]
pub(crate) struct Description {
    pub fields: Document,
    bytes: usize,
}

impl Memorable for Description {
    fn narrow(&self, _: &Key) -> Option<Self> {
        None
    }

    fn bytes(&self) -> usize {
        // A parsed value takes a few times the room of its text.
        4 * self.bytes
    }
}

/// EnvHub at an address.
pub(crate) struct EnvHub {
    http: Arc<Http>,
    memo: Memo<Description, Error>,
}

struct Http {
    client: Transport,
    url: String,
}

/// Plain HTTP needs no certificates; an image may have none.
enum Transport {
    Plain(Client<HttpConnector, Empty<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>),
}

impl EnvHub {
    /// EnvHub at `url`, without a slash at its end; its answers are remembered in `memo`. Makes no connection.
    ///
    /// # Errors
    /// If `url` is one of HTTPS and the machine's root certificates cannot be loaded.
    pub(crate) fn new(url: &str, memo: Memo<Description, Error>) -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new());
        let client = if url.starts_with("https:") {
            tcp.enforce_http(false);
            let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_only().enable_http1();
            Transport::Tls(client.build(connector.wrap_connector(tcp)))
        } else {
            Transport::Plain(client.build(tcp))
        };
        Ok(Self { http: Arc::new(Http { client, url: url.trim_end_matches('/').to_owned() }), memo })
    }

    /// The description of the environment `name` in `version`.
    ///
    /// # Errors
    /// [`Error`], shared by all who asked for it at the same time.
    pub(crate) async fn describe(
        &self,
        name: &LabelValue,
        version: &LabelValue,
        options: ReadOptions,
    ) -> Result<Arc<memo::Answer<Description>>, memo::Error<Error>> {
        let http = Arc::clone(&self.http);
        let (id, path) = (format!("{name}@{version}"), format!("/env/{name}/{version}"));
        let key = id.clone();
        let found =
            self.memo.read_one(&key, options, move |call| async move { http.fetch(&id, &path, &call).await }).await?;
        Ok(found.answer)
    }
}

impl Http {
    async fn fetch(&self, id: &str, path: &str, call: &Call) -> Result<Description, Error> {
        let exchange = timeout_at(call.deadline(), self.get(path));
        let (status, body) =
            timeout(PATIENCE, exchange).await.map_err(|_| Error::TimedOut)?.map_err(|_| Error::TimedOut)??;
        let told = serde_json::from_slice::<Envelope>(&body);
        match (status, told) {
            (StatusCode::NOT_FOUND, _) => Err(Error::NotFound(id.to_owned())),
            (StatusCode::OK, Ok(Envelope { success: true, data: Some(fields), .. })) => {
                Ok(Description { fields, bytes: body.len() })
            }
            (StatusCode::OK, Ok(Envelope { success: true, data: None, .. })) => Err(Error::NotFound(id.to_owned())),
            (StatusCode::OK, Err(error)) => Err(Error::Unreadable(error.to_string())),
            (status, told) => {
                let message = told.ok().and_then(|told| told.message).unwrap_or_default();
                Err(Error::Answered(status, message.chars().take(MESSAGE_SHOWN).collect()))
            }
        }
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Error> {
        let unreachable = |error: &(dyn std::error::Error + 'static)| {
            let innermost = std::iter::successors(Some(error), |&error| error.source()).last();
            Error::Unreachable(innermost.map(ToString::to_string).unwrap_or_default())
        };
        let uri: Uri = format!("{}{path}", self.url).parse().map_err(|error| unreachable(&error))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, http::HeaderValue::from_static("application/json"));
        let response = match &self.client {
            Transport::Plain(client) => client.request(request).await,
            Transport::Tls(client) => client.request(request).await,
        };
        let (head, body) = response.map_err(|error| unreachable(&error))?.into_parts();
        let body = Limited::new(body, MAX_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return Error::Unreadable(format!("it is larger than {MAX_BYTES} bytes"));
            }
            unreachable(&*error)
        })?;
        Ok((head.status, body.to_bytes()))
    }
}

/// EnvHub's envelope.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    success: bool,
    message: Option<String>,
    data: Option<Document>,
}
