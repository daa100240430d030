//! Content negotiation: the coding in which a caller wants a body (`Accept-Encoding`, RFC 9110, section 12.5.3).

use crate::aenv::rows::Coding;
use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap};

/// Those to choose from. Of equal weights the first is taken: gzip before zstd, since every client takes it, and a body
/// that all share is compressed once.
const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Zstd, Coding::Identity];

/// The coding that the caller prefers. A caller that says nothing gets the body as it is, and so does one that refuses
/// everything: that it can read at all.
pub(super) fn preferred(headers: &HeaderMap) -> Coding {
    let mut accepted = Accepted::default();
    for value in headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok()) {
        value.split(',').for_each(|entry| accepted.enter(entry));
    }
    let mut best = (Coding::Identity, 0);
    for coding in CODINGS {
        let weight = accepted.weight(coding);
        if weight > best.1 {
            best = (coding, weight);
        }
    }
    best.0
}

/// The weight of a coding that has none of its own, in thousandths.
const WHOLE: u16 = 1000;

/// Weights in thousandths; zero means: refused.
#[derive(Default)]
struct Accepted {
    gzip: Option<u16>,
    zstd: Option<u16>,
    identity: Option<u16>,
    others: Option<u16>,
}

impl Accepted {
    /// Reads `coding` or `coding;q=0.5`. A coding whose weight cannot be read is refused.
    fn enter(&mut self, entry: &str) {
        let (coding, weight) = match entry.split_once(';') {
            Some((coding, parameters)) => (coding.trim(), weight(parameters).unwrap_or(0)),
            None => (entry.trim(), WHOLE),
        };
        let is = |name: &str| coding.eq_ignore_ascii_case(name);
        let place = match coding {
            _ if is("gzip") || is("x-gzip") => &mut self.gzip,
            _ if is("zstd") => &mut self.zstd,
            _ if is("identity") => &mut self.identity,
            "*" => &mut self.others,
            _ => return,
        };
        *place = Some(weight);
    }

    fn weight(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Gzip => self.gzip.or(self.others).unwrap_or(0),
            Coding::Zstd => self.zstd.or(self.others).unwrap_or(0),
            // Acceptable unless refused, but after everything that is asked for.
            Coding::Identity => self.identity.or(self.others.filter(|weight| *weight == 0)).unwrap_or(1),
        }
    }
}

/// The weight of `q=0.5`, in thousandths.
fn weight(parameters: &str) -> Option<u16> {
    let number = parameters.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 3 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part = format!("{part:0<3}").parse::<u16>().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(WHOLE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[track_caller]
    fn assert_preferred(values: &[&'static str], coding: Coding) {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value)));
        assert_eq!(preferred(&headers), coding, "{values:?}");
    }

    #[test]
    fn clients_get_what_they_ask_for() {
        assert_preferred(&[], Coding::Identity);
        assert_preferred(&[""], Coding::Identity);
        // Go and curl, requests and httpx, browsers.
        assert_preferred(&["gzip"], Coding::Gzip);
        assert_preferred(&["gzip, deflate"], Coding::Gzip);
        assert_preferred(&["gzip, deflate, br, zstd"], Coding::Gzip);
        assert_preferred(&["zstd"], Coding::Zstd);
        assert_preferred(&["br", "GZIP"], Coding::Gzip);
        assert_preferred(&["*"], Coding::Gzip);
        assert_preferred(&["identity"], Coding::Identity);
        assert_preferred(&["br"], Coding::Identity);
    }

    #[test]
    fn weights_are_honoured() {
        assert_preferred(&["gzip;q=0.5, zstd"], Coding::Zstd);
        assert_preferred(&["gzip; q=0.501 ,zstd;Q=0.5"], Coding::Gzip);
        assert_preferred(&["gzip;q=0"], Coding::Identity);
        assert_preferred(&["gzip;q=0.000, *"], Coding::Zstd);
        assert_preferred(&["identity, gzip;q=0.9"], Coding::Identity);
        assert_preferred(&["gzip, identity;q=0"], Coding::Gzip);
        assert_preferred(&["identity;q=0"], Coding::Identity);
        assert_preferred(&["*;q=0"], Coding::Identity);
        assert_preferred(&["*;q=0, zstd;q=0.1"], Coding::Zstd);
    }

    #[test]
    fn a_weight_that_cannot_be_read_refuses_its_coding() {
        for bad in ["gzip;q=2", "gzip;q=", "gzip;q=0.1234", "gzip;q=x", "gzip;level=9", "gzip;q=1.5", "gzip;q=-1"] {
            assert_preferred(&[bad], Coding::Identity);
        }
    }
}
