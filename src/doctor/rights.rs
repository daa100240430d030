//! Rights of the controller's account, by one access review for each verb on each resource.
//!
//! See <https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access>. A review leaves
//! nothing behind. The first that gets no answer is the last: an API server in trouble is not asked the other seventeen.

use super::patient::Patient;
use super::probe::Probe;
use super::reach;
use super::report::{Finding, RESOURCE_WIDTH, Report, Severity};
use crate::cluster::{Error, Resource};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::fmt::Write as _;
use std::io;

/// Every verb that `services`, `instances` and `cluster` use, and none besides.
const NEEDED: [(Resource, &[&str]); 4] = [
    (Resource::Deployments, &["get", "list", "create", "update", "patch", "delete"]),
    (Resource::Services, &["get", "list", "create", "patch", "delete"]),
    (Resource::Pods, &["get", "list", "create", "patch", "delete"]),
    (Resource::Claims, &["get", "create", "patch", "delete"]),
];

/// Rights that nothing here uses, the widest first: verb, API group, resource, and how to say it.
const TOO_MUCH: [(&str, &str, &str, &str); 2] =
    [("*", "*", "*", "everything in the namespace"), ("watch", "", "secrets", "to watch the namespace's secrets")];

const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Reviews all rights, a line for each resource.
pub(super) async fn examine(patient: &Patient, probe: &Probe<'_>, report: &mut Report<'_>) -> io::Result<()> {
    let mut missing = Vec::new();
    for (resource, verbs) in NEEDED {
        let mut refused = Vec::new();
        for verb in verbs {
            match review(verb, resource.group(), resource.plural(), patient, probe).await {
                Ok(true) => {}
                Ok(false) => refused.push(*verb),
                Err(error) => {
                    report.step("rights", "not known", vec![unknown(&error)])?;
                    report.keep(judge(&missing, patient));
                    return Ok(());
                }
            }
        }
        let severity = if refused.is_empty() { Severity::Fine } else { Severity::Wrong };
        report.line(severity, "rights", &format!("{:<RESOURCE_WIDTH$}{}", resource.plural(), tell(verbs, &refused)))?;
        if !refused.is_empty() {
            missing.push((resource, refused));
        }
    }
    report.keep(judge(&missing, patient));
    for (verb, group, resource, words) in TOO_MUCH {
        // It is only a note, so no answer is as good as a no.
        if let Ok(true) = review(verb, group, resource, patient, probe).await {
            report.step("rights", &format!("more than needed: {words}"), vec![excess(words)])?;
            break;
        }
    }
    Ok(())
}

async fn review(verb: &str, group: &str, resource: &str, patient: &Patient, probe: &Probe<'_>) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        allowed: bool,
    }

    let attributes = json!({"namespace": patient.namespace, "verb": verb, "group": group, "resource": resource});
    let document = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    });
    let exchange = probe.create("selfsubjectaccessreviews", PATH, &document).await?;
    if let Some(failure) = exchange.failure() {
        return Err(failure);
    }
    let Review { status } = serde_json::from_slice(&exchange.body).map_err(Error::not_json)?;
    Ok(status.allowed)
}

fn tell(verbs: &[&str], refused: &[&str]) -> String {
    let may: Vec<_> = verbs.iter().filter(|verb| !refused.contains(*verb)).copied().collect();
    match (may.as_slice(), refused) {
        (_, []) => may.join(", "),
        ([], _) => format!("nothing; needs {}", refused.join(", ")),
        _ => format!("{}, but not {}", may.join(", "), refused.join(", ")),
    }
}

/// Missing rights, with the rules that would grant them, to be pasted into the Role.
fn judge(missing: &[(Resource, Vec<&str>)], patient: &Patient) -> Option<Finding> {
    if missing.is_empty() {
        return None;
    }
    let all: Vec<_> = missing
        .iter()
        .map(|(resource, verbs)| {
            let verbs = verbs.join(", ");
            match resource.group() {
                "" => format!("{verbs} {}", resource.plural()),
                group => format!("{verbs} {}.{group}", resource.plural()),
            }
        })
        .collect();
    let mut change = format!(
        "Add to the rules of the controller's Role in namespace {namespace}, or (AEnvironment's own chart, which grants only \
         pods) kubectl apply --namespace {namespace} -f k8s/drop-in/rights:\n",
        namespace = patient.namespace
    );
    for (resource, verbs) in missing {
        let verbs: Vec<_> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
        write!(
            change,
            "  - apiGroups: [{:?}]\n    resources: [{:?}]\n    verbs: [{}]\n",
            resource.group(),
            resource.plural(),
            verbs.join(", ")
        )
        .expect("a String takes everything");
    }
    Some(Finding::wrong(
        format!("Rights are missing; the requests that need them are answered with 502: {}.", all.join("; ")),
        change,
    ))
}

fn unknown(error: &Error) -> Finding {
    if error.has_status(StatusCode::UNAUTHORIZED) {
        return reach::credentials();
    }
    let change = match error {
        Error::Answered { status: StatusCode::FORBIDDEN, .. } => {
            "Every user that is logged in may ask this, unless the ClusterRoleBinding system:basic-user is gone. Does the \
             kubeconfig have credentials at all?"
        }
        _ => "Run this again when the API server answers.",
    };
    Finding::warning(format!("Which rights there are is not known: {error}"), change)
}

fn excess(words: &str) -> Finding {
    Finding::note(
        format!("The credentials may do more than the controller needs: {words}."),
        "Not a fault. In production give it a ServiceAccount with a Role of just the rights above.",
    )
}

#[cfg(test)]
mod tests {
    use super::super::patient::tests::patient;
    use super::*;

    #[test]
    fn missing_rights_come_with_the_rules_that_grant_them() {
        assert_eq!(judge(&[], &patient()), None);
        let missing = [(Resource::Deployments, vec!["create", "update"]), (Resource::Pods, vec!["list"])];
        let finding = judge(&missing, &patient()).unwrap();
        assert_eq!(finding.severity, Severity::Wrong);
        assert!(finding.what.ends_with("create, update deployments.apps; list pods."), "{}", finding.what);
        assert_eq!(
            finding.change,
            "Add to the rules of the controller's Role in namespace aenv-sandbox, or (AEnvironment's own chart, which grants \
             only pods) kubectl apply --namespace aenv-sandbox -f k8s/drop-in/rights:
  - apiGroups: [\"apps\"]
    resources: [\"deployments\"]
    verbs: [\"create\", \"update\"]
  - apiGroups: [\"\"]
    resources: [\"pods\"]
    verbs: [\"list\"]
"
        );
    }

    #[test]
    fn a_line_tells_what_may_be_done_and_what_not() {
        let verbs = ["get", "list"];
        assert_eq!(tell(&verbs, &[]), "get, list");
        assert_eq!(tell(&verbs, &["list"]), "get, but not list");
        assert_eq!(tell(&verbs, &["get", "list"]), "nothing; needs get, list");
    }

    #[test]
    fn a_review_without_an_answer_is_a_warning_unless_the_credentials_are_at_fault() {
        assert_eq!(unknown(&Error::Deadline).severity, Severity::Warning);
        let answered =
            |status| Error::Answered { status, reason: String::new(), message: String::new(), retry_after: None };
        assert_eq!(unknown(&answered(StatusCode::UNAUTHORIZED)).severity, Severity::Wrong);
        assert!(unknown(&answered(StatusCode::FORBIDDEN)).change.contains("system:basic-user"));
    }
}
