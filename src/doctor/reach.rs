//! Reach of the API server: its answer, its version, and the namespace.

use super::patient::Patient;
use super::probe::Probe;
use super::report::{Finding, Report, millis};
use crate::cluster::Error;
use crate::cluster::inspect::Exchange;
use http::StatusCode;
use serde::Deserialize;
use std::io;
use tokio::time::Duration;

/// `/version` costs the API server next to nothing: a longer round trip, connecting included, is the network, a proxy,
/// or a queue, and every page and every write pays for it again.
const SLOW_ROUND_TRIP: Duration = Duration::from_millis(500);

const LABEL: &str = "API server";

/// Asks for the version. False if nothing else can be asked either.
pub(super) async fn examine(patient: &Patient, probe: &Probe<'_>, report: &mut Report<'_>) -> io::Result<bool> {
    let outcome = probe.get("version", "/version").await;
    let Judged { text, findings, goes_on } = judge(&outcome, patient);
    report.step(LABEL, &text, findings)?;
    Ok(goes_on)
}

/// Judgement of the question for the version.
struct Judged {
    text: String,
    findings: Vec<Finding>,
    goes_on: bool,
}

fn judge(outcome: &Result<Exchange, Error>, patient: &Patient) -> Judged {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        git_version: String,
    }

    let exchange = match outcome {
        Ok(exchange) => exchange,
        Err(error) => return stopped("no answer", unreachable(error, patient)),
    };
    let (status, took) = (exchange.status, exchange.took);
    if let Some(failure) = exchange.failure() {
        let goes_on = status == StatusCode::FORBIDDEN || failure.is_transient();
        return Judged { goes_on, ..stopped(&status.to_string(), refused(status, &failure, patient)) };
    }
    let Ok(Version { git_version }) = serde_json::from_slice(&exchange.body) else {
        let finding = Finding::wrong(
            format!("What answers at {} is no Kubernetes API server: its /version names none.", patient.address),
            "Change the address of the cluster in the kubeconfig.",
        );
        return stopped(&status.to_string(), finding);
    };
    let findings = (took > SLOW_ROUND_TRIP).then(|| {
        Finding::warning(
            format!("The API server takes {} for its /version, which costs it nothing.", millis(took)),
            "Look at the network, a proxy in between, or the load of the API server. Settings do not mend it.",
        )
    });
    let text = format!("{git_version}, first answer after {}, connecting included", millis(took));
    Judged { text, findings: findings.into_iter().collect(), goes_on: true }
}

fn stopped(text: &str, finding: Finding) -> Judged {
    Judged { text: text.to_owned(), findings: vec![finding], goes_on: false }
}

/// Finding from an answer of failure to a harmless question.
fn refused(status: StatusCode, failure: &Error, patient: &Patient) -> Finding {
    match status.as_u16() {
        401 => credentials(),
        403 => Finding::note(format!("/version may not be read: {failure}"), ""),
        400 if failure.to_string().contains("HTTPS") => Finding::wrong(
            format!("{} is spoken to in plain HTTP and wants TLS.", patient.address),
            "Write https:// in the address of the cluster in the kubeconfig.",
        ),
        429 | 500..=599 => Finding::wrong(
            format!("The API server answers {status} even to /version: {failure}"),
            "It is overloaded or not ready. Look at its own health (/readyz) and at etcd before any setting here.",
        ),
        _ => Finding::wrong(
            format!("{} answers {status} to /version: {failure}", patient.address),
            "Is it the API server? Change the address of the cluster in the kubeconfig.",
        ),
    }
}

/// The API server does not know who we are.
pub(super) fn credentials() -> Finding {
    Finding::wrong(
        "The API server does not accept the credentials (401): the token or client certificate is wrong or has expired.",
        "Renew the credentials in the kubeconfig. In a Pod: is the ServiceAccount's token mounted, and of this cluster?",
    )
}

/// Why there was no answer, from the words of the innermost cause.
fn unreachable(error: &Error, patient: &Patient) -> Finding {
    let address = &patient.address;
    match error {
        Error::Unconnected(cause) => unconnected(cause, patient),
        Error::TimedOut(_) | Error::Deadline => {
            let (key, limit) = if matches!(error, Error::Deadline) {
                ("server.request_deadline_ms", patient.request_deadline)
            } else {
                ("kubernetes.read_timeout_ms", patient.read_timeout)
            };
            Finding::wrong(
                format!("{address} takes the connection and does not answer within {} ({key}).", millis(limit)),
                "The API server, or a load balancer before it, hangs: look at its health and at etcd. A longer time-out \
                 only waits longer.",
            )
        }
        Error::Cut(cause) => Finding::wrong(
            format!("{address} takes the connection and cuts it before it has answered: {cause}"),
            "The API server restarts, or a proxy in between refuses us. Is the address (http or https, port) the right one?",
        ),
        Error::Answered { .. } | Error::Settling(_) | Error::Refused(_) | Error::Unreadable(_) | Error::Internal(_) => {
            Finding::wrong(format!("{address} could not be asked: {error}"), "")
        }
    }
}

fn unconnected(cause: &str, patient: &Patient) -> Finding {
    let Patient { address, connect_timeout, .. } = patient;
    let lower = cause.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["refused"]) {
        return Finding::wrong(
            format!("Nothing listens at {address}: connection refused."),
            "Does the API server run, and is the address of the cluster in the kubeconfig (host and port) the right one?",
        );
    }
    if says(&["lookup", "resolve", "name or service", "dns"]) {
        return Finding::wrong(
            format!("The host's name in {address} does not resolve: {cause}"),
            "Change the address of the cluster in the kubeconfig, or mend DNS (in a Pod: /etc/resolv.conf, CoreDNS).",
        );
    }
    if says(&["certificate", "issuer"]) {
        return Finding::wrong(
            format!("TLS: the certificate of {address} is not accepted: {cause}"),
            "Change certificate-authority(-data) in the kubeconfig to the cluster's, or the address to a name that the \
             certificate has.",
        );
    }
    if says(&["corrupt message", "tls", "handshake"]) {
        return Finding::wrong(
            format!("TLS: {address} does not speak it as it should: {cause}"),
            "Is the port the API server's, and is it https that is spoken there?",
        );
    }
    if says(&["timed out", "deadline", "elapsed"]) {
        return Finding::wrong(
            format!("{address} does not take a connection within {}.", millis(*connect_timeout)),
            "A firewall, a NetworkPolicy or a wrong address swallows it. If the cluster is just far away: raise \
             kubernetes.connect_timeout_ms.",
        );
    }
    Finding::wrong(
        format!("{address} cannot be reached: {cause}"),
        "Check the address of the cluster in the kubeconfig, and the network to it.",
    )
}

/// Looks whether the namespace exists. False if that may not be read, which the controller itself does not need.
pub(super) async fn examine_namespace(
    patient: &Patient,
    probe: &Probe<'_>,
    report: &mut Report<'_>,
) -> io::Result<bool> {
    let outcome = probe.get("namespaces", &format!("/api/v1/namespaces/{}", patient.namespace)).await;
    let failure = match outcome {
        Ok(exchange) => exchange.failure(),
        Err(error) => Some(error),
    };
    let (text, finding) = judge_namespace(failure.as_ref(), patient);
    report.step("namespace", &text, finding.into_iter().collect())?;
    Ok(failure.is_none_or(|error| error.has_status(StatusCode::NOT_FOUND)))
}

fn judge_namespace(failure: Option<&Error>, patient: &Patient) -> (String, Option<Finding>) {
    let name = &patient.namespace;
    let Some(error) = failure else { return (format!("{name} exists"), None) };
    if error.has_status(StatusCode::FORBIDDEN) {
        return (format!("{name}; whether it exists may not be read, and need not be"), None);
    }
    if error.has_status(StatusCode::NOT_FOUND) {
        let finding = Finding::wrong(
            format!("There is no namespace {name}: lists are empty and every create fails."),
            format!("Change kubernetes.namespace (--namespace), or: kubectl create namespace {name}"),
        );
        return (format!("{name} does not exist"), Some(finding));
    }
    let finding = Finding::warning(
        format!("Whether namespace {name} exists is not known: {error}"),
        "Run this again when the API server answers.",
    );
    (format!("{name}; whether it exists is not known"), Some(finding))
}

/// A namespace that cannot be looked at and in which there is nothing: the API server lists nothing in one that does
/// not exist, without a word.
pub(super) fn perhaps_no_namespace(patient: &Patient) -> Finding {
    Finding::warning(
        format!("Nothing at all is in namespace {}, and whether it exists may not be read.", patient.namespace),
        "If objects are missed: is kubernetes.namespace (--namespace) the right one?",
    )
}

#[cfg(test)]
mod tests {
    use super::super::patient::tests::patient;
    use super::super::report::Severity;
    use super::*;
    use bytes::Bytes;
    use http::HeaderMap;

    fn answered(status: u16, body: &'static str, millis: u64) -> Judged {
        let status = StatusCode::from_u16(status).unwrap();
        let took = Duration::from_millis(millis);
        judge(&Ok(Exchange { status, headers: HeaderMap::new(), body: Bytes::from(body), took }), &patient())
    }

    #[test]
    fn a_quick_version_is_fine_and_a_slow_one_a_warning() {
        let quick = answered(200, r#"{"gitVersion":"v1.31.2"}"#, 4);
        assert!(
            quick.goes_on && quick.findings.is_empty() && quick.text.starts_with("v1.31.2, first answer after 4 ms")
        );
        let slow = answered(200, r#"{"gitVersion":"v1.31.2"}"#, 1_200);
        assert!(slow.goes_on);
        assert_eq!(slow.findings[0].severity, Severity::Warning);
    }

    #[test]
    fn answers_of_failure_end_it_unless_another_question_may_fare_better() {
        for (status, goes_on, severity) in [
            (401, false, Severity::Wrong),
            (403, true, Severity::Note),
            (404, false, Severity::Wrong),
            (429, true, Severity::Wrong),
            (503, true, Severity::Wrong),
        ] {
            let judged = answered(status, "", 1);
            assert_eq!((judged.goes_on, judged.findings[0].severity), (goes_on, severity), "{status}");
        }
        assert!(!answered(200, "<html>", 1).goes_on);
        let plain = answered(400, "Client sent an HTTP request to an HTTPS server.\n", 1);
        assert!(plain.findings[0].change.contains("https://"));
    }

    #[test]
    fn only_a_namespace_that_is_certainly_missing_is_wrong() {
        let severity = |status: StatusCode| {
            let error = Error::Answered { status, reason: String::new(), message: String::new(), retry_after: None };
            judge_namespace(Some(&error), &patient()).1.map(|finding| finding.severity)
        };
        assert_eq!(judge_namespace(None, &patient()), ("aenv-sandbox exists".to_owned(), None));
        assert_eq!(severity(StatusCode::NOT_FOUND), Some(Severity::Wrong));
        assert_eq!(severity(StatusCode::FORBIDDEN), None);
        assert_eq!(severity(StatusCode::TOO_MANY_REQUESTS), Some(Severity::Warning));
    }

    #[test]
    fn causes_are_told_in_plain_words() {
        let unconnected = |cause: &str| Error::Unconnected(cause.to_owned());
        for (error, words) in [
            (unconnected("Connection refused (os error 111)"), "Nothing listens"),
            (unconnected("failed to lookup address information: Name or service not known"), "does not resolve"),
            (unconnected("invalid peer certificate: UnknownIssuer"), "certificate of"),
            (unconnected("received corrupt message of type InvalidContentType"), "does not speak it"),
            (unconnected("deadline has elapsed"), "does not take a connection within 3.0 s"),
            (unconnected("No route to host"), "No route to host"),
            (Error::TimedOut(String::new()), "kubernetes.read_timeout_ms"),
            (Error::Deadline, "25.0 s (server.request_deadline_ms)"),
            (Error::Cut("reset".to_owned()), "cuts it"),
        ] {
            let Judged { findings, goes_on, .. } = judge(&Err(error), &patient());
            assert!(!goes_on && findings[0].what.contains(words), "{words}: {}", findings[0].what);
        }
    }
}
