//! Identity of a caller, for fairness: its token, else its address.
//!
//! Behind a proxy all callers have the proxy's address. What it says of them in `X-Forwarded-For` counts only if it is one
//! of `server.trusted_proxies`: everybody can send that header.

use crate::call::CallerKey;
use crate::credentials::Caller;
use crate::syntax::Network;
use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR};
use actix_web::{HttpMessage as _, HttpRequest};
use std::net::IpAddr;

/// The key of the request's caller: of its token, if that has a name, else of its address.
pub(super) fn caller_key(request: &HttpRequest, trusted_proxies: &[Network]) -> CallerKey {
    let token = request.extensions().get::<Caller>().and_then(|caller| caller.name.clone());
    if let Some(name) = token {
        return CallerKey::of(("token", name.as_str()));
    }
    let Some(peer) = request.peer_addr() else { return CallerKey::default() };
    CallerKey::of(("address", address(peer.ip(), request.headers(), trusted_proxies)))
}

/// The address that the nearest trusted proxy names. Each proxy appends the address that it was asked from, so that the
/// header is read from its end, as long as the one who wrote is trusted.
fn address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    let mut address = peer.to_canonical();
    if trusted_proxies.is_empty() || !is_trusted(address) {
        return address;
    }
    let values: Vec<_> = headers.get_all(X_FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
    for told in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Ok(told) = told.trim().parse::<IpAddr>() else { break };
        address = told.to_canonical();
        if !is_trusted(address) {
            break;
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn told(peer: &str, forwarded: &[&'static str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        forwarded.iter().for_each(|value| headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value)));
        let proxies: Vec<_> = proxies.iter().map(|network| network.parse().unwrap()).collect();
        address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy() {
        assert_eq!(told("198.51.100.7", &["203.0.113.1"], &[]), "198.51.100.7");
        assert_eq!(told("198.51.100.7", &["203.0.113.1"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(told("10.1.1.1", &["203.0.113.1"], &["10.0.0.0/8"]), "203.0.113.1");
        assert_eq!(told("::ffff:10.1.1.1", &["203.0.113.1"], &["10.0.0.0/8"]), "203.0.113.1");
    }

    #[test]
    fn forged_forwarded_addresses_are_ignored() {
        let proxies = &["10.0.0.0/8"];
        assert_eq!(told("10.1.1.1", &["1.1.1.1, 203.0.113.1, 10.2.2.2"], proxies), "203.0.113.1");
        assert_eq!(told("10.1.1.1", &["1.1.1.1", "203.0.113.1"], proxies), "203.0.113.1");
        assert_eq!(told("10.1.1.1", &["1.1.1.1, junk"], proxies), "10.1.1.1");
        assert_eq!(told("10.1.1.1", &[], proxies), "10.1.1.1");
    }
}
