//! `?timeout=`: tells the API server how long an answer is of use, so that it neither queues nor works for longer (its
//! `--request-timeout` caps it, <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>).

use http::Request;
use http::uri::{PathAndQuery, Uri};
use tokio::time::Duration;

/// A request that is given less would be refused by the API server before it has looked at it.
const SHORTEST: Duration = Duration::from_millis(1);

/// The request with the parameter. `remaining` is the time left when it leaves.
pub(super) fn with_timeout<B>(mut request: Request<B>, remaining: Duration) -> Request<B> {
    if let Some(uri) = add(request.uri(), remaining.max(SHORTEST)) {
        *request.uri_mut() = uri;
    }
    request
}

fn add(uri: &Uri, timeout: Duration) -> Option<Uri> {
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
        let told = |uri: &str| {
            let request = Request::get(uri).body(()).unwrap();
            with_timeout(request, Duration::from_millis(1500)).uri().to_string()
        };
        assert_eq!(told("https://api/apis/apps/v1?limit=5"), "https://api/apis/apps/v1?limit=5&timeout=1500ms");
        assert_eq!(told("/api/v1/pods"), "/api/v1/pods?timeout=1500ms");
    }
}
