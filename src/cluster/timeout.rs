//! Tells the API server how long an answer is of use: `?timeout=`, from what is left of the call's deadline when the request
//! leaves, so that the API server neither queues nor works for longer (its `--request-timeout` caps it,
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>).

use crate::call::Call;
use http::Request;
use http::uri::{PathAndQuery, Uri};
use std::task::{Context, Poll};
use tokio::time::Duration;
use tower::Service;

/// A request that is given less would be refused by the API server before it has looked at it.
const SHORTEST: Duration = Duration::from_millis(1);

/// Adds the parameter to every request that carries a [`Call`]. Belongs beneath the throttle, where no waiting is left.
#[derive(Debug, Clone)]
pub(super) struct Timeouts<S>(pub(super) S);

impl<S, B> Service<Request<B>> for Timeouts<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(call) = request.extensions().get::<Call>()
            && let Some(uri) = with_timeout(request.uri(), call.remaining().max(SHORTEST))
        {
            *request.uri_mut() = uri;
        }
        self.0.call(request)
    }
}

fn with_timeout(uri: &Uri, timeout: Duration) -> Option<Uri> {
    let asked = uri.path_and_query()?;
    let separator = if asked.query().is_some() { '&' } else { '?' };
    let path_and_query = format!("{asked}{separator}timeout={}ms", timeout.as_millis());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_joins_the_parameters_that_are_there() {
        let told = |uri: &str| with_timeout(&uri.parse().unwrap(), Duration::from_millis(1500)).unwrap().to_string();
        assert_eq!(told("https://api/apis/apps/v1?limit=5"), "https://api/apis/apps/v1?limit=5&timeout=1500ms");
        assert_eq!(told("https://api/api/v1/pods"), "https://api/api/v1/pods?timeout=1500ms");
    }
}
