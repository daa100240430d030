//! Access: the sites whose pages may ask, and bearer tokens (RFC 6750) where there is a file of them.
//!
//! A request is judged by its method, path and headers alone, before anything is read or asked for it, so that one that
//! is refused costs the API server nothing. New routes are guarded without being named here; open ones are named.

use super::api::Api;
use super::error::ApiError;
use super::refusal::Refusal;
use crate::credentials::{Caller, Scope, Tokens};
use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;

/// Paths that need no token: they say how to ask, and nothing of the cluster.
const OPEN: [&str; 2] = ["/", "/openapi.json"];

/// Lets `request` in if no page of another site sends it and its caller may ask for it; notes who that is.
pub(super) async fn authorize(request: &ServiceRequest) -> Result<(), ApiError> {
    let api = request.app_data::<Data<Api>>().expect("every route of the API is given it");
    api.allowed_hosts.check(request.method(), request.uri(), request.headers())?;
    let Some(tokens) = &api.guard else { return Ok(()) };
    let needed = scope_of(request.method());
    if !(needed == Scope::Read && OPEN.contains(&request.path())) {
        let caller = caller(&*tokens.current().await, request.headers(), needed)?;
        request.extensions_mut().insert(caller);
    }
    Ok(())
}

fn scope_of(method: &Method) -> Scope {
    if matches!(*method, Method::GET | Method::HEAD) { Scope::Read } else { Scope::Write }
}

/// The caller, if it may ask.
pub(super) fn caller(tokens: &Tokens, headers: &HeaderMap, needed: Scope) -> Result<Caller, Refusal> {
    let token = bearer_token(headers).ok_or(Refusal::NoToken)?;
    let caller = tokens.caller(token).ok_or(Refusal::UnknownToken)?;
    if caller.scope < needed { Err(Refusal::ScopeTooSmall { needed }) } else { Ok(caller.clone()) }
}

/// The token of the one `Authorization` header. Of several nobody can say which one is meant.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn the_scheme_is_bearer_in_any_case_and_said_once() {
        let token = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| headers.append(AUTHORIZATION, HeaderValue::from_static(value)));
            bearer_token(&headers).map(str::to_owned)
        };
        for given in ["Bearer x", "bearer x", "BEARER  x "] {
            assert_eq!(token(&[given]).as_deref(), Some("x"), "{given:?}");
        }
        for other in [&["x"][..], &["Basic x"], &["Bearer"], &["Bearer x", "Bearer x"], &[]] {
            assert_eq!(token(other), None, "{other:?}");
        }
    }

    #[test]
    fn only_questions_need_no_more_than_reading() {
        for (method, needed) in [("GET", Scope::Read), ("HEAD", Scope::Read), ("OPTIONS", Scope::Write)] {
            assert_eq!(scope_of(&method.parse().unwrap()), needed, "{method}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "BREW"] {
            assert_eq!(scope_of(&method.parse().unwrap()), Scope::Write, "{method}");
        }
    }
}
