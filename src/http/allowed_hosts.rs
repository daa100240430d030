//! Cross-site requests: web pages of other sites neither write here nor, by DNS rebinding, read.
//!
//! A browser sends what any page asks it to send to any address that it can reach, a forwarded port on localhost
//! included. Two headers that no page can forge tell such requests apart: `Host`, the name under which the browser knows
//! this API, and `Origin` (or `Sec-Fetch-Site`), the site of the page. Clients that are no browsers are let through.

use super::cut::cut;
use super::refusal::CrossSite;
use crate::syntax::HostPattern;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER,
    UPGRADE_INSECURE_REQUESTS, USER_AGENT,
};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, Uri};
use std::net::{Ipv4Addr, Ipv6Addr};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that browsers send and other clients do not. Over plain HTTP there may be no `Sec-Fetch-*`, a `GET` of its own
/// site has no `Origin`, and some browsers let pages choose their `User-Agent`; `Accept-Language` is always there.
const OF_BROWSERS: [HeaderName; 8] = [
    ORIGIN,
    SEC_FETCH_SITE,
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-ch-ua"),
    ACCEPT_LANGUAGE,
    UPGRADE_INSECURE_REQUESTS,
    REFERER,
];

/// The most characters of a foreign name that are repeated to the caller.
const SHOWN: usize = 80;

/// The names under which browsers may ask this API.
///
/// Always allowed are names that no stranger's DNS can point here: IP addresses, `localhost` and names below it, names
/// without a dot, and those of Services in the cluster.
#[derive(Debug, Clone)]
pub(crate) struct AllowedHosts {
    configured: Vec<HostPattern>,
    /// The end of Services' names, as in `svc.cluster.local`.
    service_domain: String,
}

impl AllowedHosts {
    /// The names that are always allowed, and those that fit `configured`.
    pub(crate) fn new(configured: Vec<HostPattern>, service_domain: &str) -> Self {
        Self { configured, service_domain: service_domain.to_ascii_lowercase() }
    }

    /// True if `host`, in lower case, is a name of this API.
    fn allows(&self, host: &str) -> bool {
        let below = |domain: &str| host.strip_suffix(domain).is_some_and(|name| name.ends_with('.'));
        is_address(host)
            || !host.contains('.')
            || ["localhost", "svc", "svc.cluster.local", &self.service_domain].into_iter().any(below)
            || self.configured.iter().any(|pattern| pattern.matches(host))
    }

    /// True if pages of `host` belong to this API though it is asked under another name. Patterns do not say so: other
    /// people's pages may be below the same domain.
    fn is_home(&self, host: &str) -> bool {
        self.configured.iter().any(|pattern| matches!(pattern, HostPattern::Exactly(name) if name == host))
    }

    /// Lets through what is no browser's, and what a page of this API may ask.
    pub(super) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), CrossSite> {
        if !is_of_browser(headers) {
            return Ok(());
        }
        let target = uri.authority().map(Authority::as_str);
        let hosts: Vec<_> = headers.get_all(HOST).map(text).chain(target).collect();
        if let Some(foreign) = hosts.iter().find(|host| !host_of(host).is_some_and(|host| self.allows(&host))) {
            return Err(CrossSite::Host(cut(foreign, SHOWN).into_owned()));
        }
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        self.check_write(method, &hosts, headers)
    }

    fn check_write(&self, method: &Method, hosts: &[&str], headers: &HeaderMap) -> Result<(), CrossSite> {
        let site = headers.get(SEC_FETCH_SITE).map(text);
        let origins: Vec<_> = headers.get_all(ORIGIN).map(text).collect();
        let is_ours = |origin: &str| {
            let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
            site == Some("same-origin")
                || hosts.iter().any(|host| host.eq_ignore_ascii_case(authority))
                || host_of(authority).is_some_and(|host| self.is_home(&host))
        };
        if let Some(foreign) = origins.iter().find(|origin| !is_ours(origin)) {
            return Err(CrossSite::Origin(cut(foreign, SHOWN).into_owned()));
        }
        if site == Some("cross-site") || (site == Some("same-site") && origins.is_empty()) {
            return Err(CrossSite::Origin("another site".to_owned()));
        }
        let has_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
        if has_body && !origins.is_empty() && !is_json(headers) {
            return Err(CrossSite::NotJson);
        }
        Ok(())
    }
}

fn is_of_browser(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| OF_BROWSERS.contains(name))
        || headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let of_type = headers.get(CONTENT_TYPE).map_or("", text).split(';').next().unwrap_or_default();
    of_type.trim().eq_ignore_ascii_case("application/json")
}

/// A header's value; one that is no text is nothing that could be allowed.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

/// The host of `host:port`, in lower case. `None`: it is neither.
fn host_of(authority: &str) -> Option<String> {
    let parsed: Authority = authority.parse().ok().filter(|_| !authority.contains('@'))?;
    let host = parsed.host().trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

fn is_address(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.map_or_else(|| host.parse::<Ipv4Addr>().is_ok(), |inner| inner.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, given: &[(&str, &str)]) -> Result<(), CrossSite> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let configured = ["aenv.example.com", "*.corp.example"].map(|pattern| pattern.parse().unwrap());
        let hosts = AllowedHosts::new(configured.to_vec(), "svc.cluster.local");
        hosts.check(&method.parse().unwrap(), &Uri::from_static("/pods"), &headers)
    }

    #[test]
    fn a_browser_may_ask_only_under_a_name_of_this_api() {
        for host in [
            "localhost:8080",
            "LOCALHOST",
            "aenv.localhost:9",
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.0.0.7",
            "controller:8080",
            "controller.aenv.svc",
            "controller.aenv.svc.cluster.local:8080",
            "aenv.example.com",
            "Aenv.Example.Com.:443",
            "x.corp.example",
        ] {
            assert!(check("GET", &[("host", host), ("accept-language", "en")]).is_ok(), "{host}");
        }
        for host in [
            "rebind.evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "x.aenv.example.com",
            "corp.example",
            "svc.cluster.local.evil.example",
            "localhost@evil.example",
            "",
            "a b",
        ] {
            for sign in [("user-agent", "Mozilla/5.0"), ("accept-language", ""), ("sec-fetch-mode", "cors")] {
                let refused = check("GET", &[("host", host), sign]).unwrap_err().to_string();
                assert!(refused.contains("server.allowed_hosts"), "{host}: {refused}");
            }
            assert!(check("DELETE", &[("host", host), ("user-agent", "curl/8.5.0")]).is_ok(), "{host}: no browser");
        }
        let twice = [("host", "localhost"), ("host", "rebind.evil.example"), ("accept-language", "en")];
        assert!(check("GET", &twice).is_err());
    }

    #[test]
    fn a_page_may_write_only_to_where_it_came_from() {
        const HOST: (&str, &str) = ("host", "localhost:8080");
        const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
        for origin in ["http://localhost:8080", "https://LOCALHOST:8080", "https://aenv.example.com"] {
            assert!(check("POST", &[HOST, JSON, ("origin", origin)]).is_ok(), "{origin}");
        }
        for origin in [
            "https://evil.example",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "null",
            "",
            "https://x.corp.example",
        ] {
            for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
                let refused = check(method, &[HOST, JSON, ("origin", origin)]).unwrap_err();
                assert!(matches!(refused, CrossSite::Origin(_)), "{method} {origin}: {refused}");
            }
            assert!(check("GET", &[HOST, ("origin", origin)]).is_ok(), "the browser shows it no answer");
        }
        assert!(check("POST", &[HOST, JSON, ("origin", "http://localhost:8080"), ("origin", "null")]).is_err());
    }

    #[test]
    fn the_browser_says_it_also_without_an_origin() {
        let from = |site| check("DELETE", &[("host", "localhost"), ("sec-fetch-site", site)]);
        assert!(from("cross-site").is_err() && from("same-site").is_err());
        assert!(from("same-origin").is_ok() && from("none").is_ok());
        let both = [("host", "a:1"), ("origin", "http://a:1"), ("sec-fetch-site", "cross-site")];
        assert!(check("DELETE", &both).is_err());
        let behind_a_proxy = [("host", "controller"), ("origin", "https://a.b"), ("sec-fetch-site", "same-origin")];
        assert!(check("DELETE", &behind_a_proxy).is_ok(), "the proxy has replaced the host");
    }

    #[test]
    fn a_page_writes_json_or_nothing() {
        let send = |method, of_type: &str| {
            check(method, &[("host", "a:1"), ("origin", "http://a:1"), ("content-type", of_type)])
        };
        for of_type in ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", ""] {
            assert!(matches!(send("POST", of_type), Err(CrossSite::NotJson)), "{of_type}");
        }
        assert!(send("POST", "Application/JSON").is_ok());
        assert!(check("DELETE", &[("host", "a:1"), ("origin", "http://a:1")]).is_ok());
        assert!(check("POST", &[("host", "a:1"), ("content-type", "text/plain")]).is_ok(), "no browser");
    }
}
