//! Refusals at the door: requests that are not looked at any further.

use crate::credentials::Scope;

/// A token that is missing, not known or too weak.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a token is needed: Authorization: Bearer <token> (auth.tokens_file)")]
    NoToken,
    /// A token that nobody has.
    #[error("the token is not known (auth.tokens_file)")]
    UnknownToken,
    /// A token that is good for less.
    #[error("the token is not good for this request, which needs the scope {} (auth.tokens_file)", .needed.as_str())]
    ScopeTooSmall {
        /// The scope that would do.
        needed: Scope,
    },
}

impl Refusal {
    /// The value of the header `WWW-Authenticate` (RFC 6750, section 3).
    pub(super) fn challenge(&self) -> String {
        match self {
            Self::NoToken => "Bearer".to_owned(),
            Self::UnknownToken => r#"Bearer error="invalid_token""#.to_owned(),
            Self::ScopeTooSmall { needed } => {
                format!(r#"Bearer error="insufficient_scope", scope="{}""#, needed.as_str())
            }
        }
    }
}

/// A browser's request that a page of another site may have sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CrossSite {
    /// The browser asked for another host.
    #[error(
        "a browser asked for the host {0:?}, which is not a name of this API; if it is one, add it to server.allowed_hosts"
    )]
    Host(String),
    /// A page of another site tries to write.
    #[error("a web page of {0} may not write here; if it is a page of this API, add its host to server.allowed_hosts")]
    Origin(String),
    /// A page sends something else than JSON, which browsers let any page do.
    #[error("a request with an Origin header needs the content type application/json")]
    NotJson,
}
