//! Custom resource definitions: their number, which is a load on the API server that nobody sees in our lists.
//!
//! One list of a single item tells how many remain. The controller needs no right to it: without one nothing is said.

use super::probe::Probe;
use super::report::{Finding, Report, Severity, worst};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io;

const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=1";

/// Each definition has its own handler, watch cache and part of the OpenAPI document, all in the API server's memory,
/// and discovery grows with it. A few operators bring dozens.
const MANY: u64 = 200;

/// Kubernetes is tested with no more:
/// <https://github.com/kubernetes/community/blob/main/sig-scalability/configs-and-limits/thresholds.md>.
const TOO_MANY: u64 = 500;

#[derive(Deserialize)]
struct Page {
    metadata: Metadata,
    items: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    remaining_item_count: Option<u64>,
}

/// Counts them, if that may be read.
pub(super) async fn examine(probe: &Probe<'_>, report: &mut Report<'_>) -> io::Result<()> {
    let Ok(exchange) = probe.get("customresourcedefinitions", PATH).await else { return Ok(()) };
    let page = exchange.status.is_success().then(|| serde_json::from_slice::<Page>(&exchange.body).ok()).flatten();
    let Some(Page { metadata, items }) = page else { return Ok(()) };
    let number = items.len() as u64 + metadata.remaining_item_count.unwrap_or(0);
    let findings: Vec<_> = judge(number).into_iter().collect();
    report.line(worst(&findings).min(Severity::Warning), "CRDs", &format!("{number} custom resource definitions"))?;
    report.keep(findings);
    Ok(())
}

fn judge(number: u64) -> Option<Finding> {
    let what = format!(
        "The cluster has {number} custom resource definitions: they take memory and CPU of the API server, which our calls \
         share with them."
    );
    let change = "Remove those whose operators are gone (kubectl get crd), before the API server is given more memory.";
    match number {
        0..MANY => None,
        MANY..=TOO_MANY => Some(Finding::note(what, change)),
        _ => Some(Finding::warning(what, change)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundreds_are_worth_a_word_and_more_than_kubernetes_is_tested_with_a_warning() {
        let severity = |number| judge(number).map(|finding| finding.severity);
        assert_eq!(severity(0), None);
        assert_eq!(severity(199), None);
        assert_eq!(severity(200), Some(Severity::Note));
        assert_eq!(severity(500), Some(Severity::Note));
        assert_eq!(severity(501), Some(Severity::Warning));
        assert!(judge(340).unwrap().what.contains("340 custom resource definitions"));
    }
}
