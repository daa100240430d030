//! Access reviews: whether the caller may do something. The sandbox knows no users and says yes, except to what a
//! rule of the faults answers with 403 at the moment.

use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Call, Control};
use super::status::ApiError;

/// Path of access reviews.
pub(super) const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// As in a rule and in the counters.
pub(super) const PLURAL: &str = "selfsubjectaccessreviews";

#[derive(Deserialize)]
struct Review {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    resource_attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Attributes {
    verb: String,
    resource: String,
    name: Option<String>,
}

/// The review in `body` with its answer.
pub(super) fn answer(body: &[u8], control: &Control) -> Result<Value, ApiError> {
    let refused = |error: serde_json::Error| ApiError::bad_request(error.to_string());
    let Review { spec: Spec { resource_attributes: asked } } = serde_json::from_slice(body).map_err(refused)?;
    let page = (asked.verb == "list").then_some(1);
    let call = Call { verb: &asked.verb, resource: &asked.resource, name: asked.name.as_deref(), page };
    let allowed = !control.forbids(&call);
    let mut review: Value = serde_json::from_slice(body).map_err(refused)?;
    review["status"] = json!({"allowed": allowed});
    Ok(review)
}

#[cfg(test)]
mod tests {
    use super::super::faults::Faults;
    use super::*;

    fn allowed(control: &Control, verb: &str, resource: &str) -> Value {
        let attributes = json!({"namespace": "ns", "verb": verb, "group": "", "resource": resource});
        let body = json!({"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}).to_string();
        answer(body.as_bytes(), control).unwrap()["status"]["allowed"].clone()
    }

    #[test]
    fn access_reviews_follow_fault_rules_without_using_them_up() {
        let faults = r#"{"rules": [{"verb": "list", "status": 429}, {"resource": "pods", "status": 403, "times": 1}]}"#;
        let control = Control::new(Faults::parse(faults.as_bytes()).unwrap());
        for _ in 0..2 {
            assert_eq!(allowed(&control, "create", "pods"), false);
        }
        assert_eq!(allowed(&control, "create", "services"), true);
        assert_eq!(allowed(&control, "list", "services"), true, "an overload is no matter of rights");
        assert!(answer(b"{}", &control).is_err());
    }
}
