//! A request of the CLI or the SDK to create a service or an instance of an environment that EnvHub describes.
//!
//! It names the environment and overrides some of its deploy settings, under names of its own ([`super::settings`]). It is
//! checked before EnvHub is asked, and once more together with EnvHub's description.

use super::document::Document;
use crate::syntax::{Fault, Faults, LabelValue, Object, Value, cut};

/// The environment and the settings that a request asks for.
#[derive(Debug)]
pub(crate) struct CreateRequest {
    /// The environment's name.
    pub name: LabelValue,
    pub version: LabelValue,
    body: Document,
}

impl CreateRequest {
    /// Reads the body of a request. Its settings are checked by whoever makes a spec of it.
    ///
    /// # Errors
    /// Faults of the body as such, of `envName`, or of `datasource`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Faults> {
        let body = Document::parse(body)?;
        let wrong = |problem: String| Faults::from(Fault::at("envName", problem));
        let label = |text| LabelValue::new(text).map_err(|why| wrong(format!("\"{}\" {why}", cut(text))));
        let named = match body.member("envName") {
            Some(Value::Text(env)) => env.split_once('@'),
            _ => None,
        };
        let missing = || wrong("an environment with its version is needed, as in weather@1.0.2".to_owned());
        let (name, version) = named.ok_or_else(missing)?;
        let (name, version) = (label(name)?, label(version)?);
        match body.member("datasource") {
            None | Some(Value::Null | Value::Text(_)) => Ok(Self { name, version, body }),
            Some(_) => Err(Fault::at("datasource", "a text is needed").into()),
        }
    }

    pub(super) fn fields(&self) -> &Object {
        self.body.members()
    }

    /// The tag of the second container's image.
    pub(super) fn datasource(&self) -> Option<&str> {
        let Value::Text(datasource) = self.body.member("datasource")? else { return None };
        Some(datasource.as_str()).filter(|datasource| !datasource.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{known_service, refused};
    use super::*;
    use crate::aenv::environment::{ServiceSpec, Source};
    use serde_json::{Value, json};

    fn request(body: &Value) -> CreateRequest {
        CreateRequest::parse(body.to_string().as_bytes()).unwrap()
    }

    fn described(request: &CreateRequest, description: &Value) -> ServiceSpec {
        let description = Document::parse(description.to_string().as_bytes()).unwrap();
        ServiceSpec::parse(Source::described(request, &description), known_service()).unwrap().0
    }

    #[test]
    fn a_request_overrides_what_the_environment_says() {
        let request =
            request(&json!({"envName": "weather@1.0.2", "replicas": 2, "owner": "jun", "port": null, "cpu_limit": ""}));
        let description = json!({
            "name": "other", "artifacts": [{"type": "image", "content": "i:1"}],
            "deploy_config": {"replicas": 1, "cpuLimit": "2", "owner": "kim", "port": 7000}
        });
        let spec = described(&request, &description);
        assert_eq!((spec.env.as_str(), spec.version.unwrap().as_str()), ("weather", "1.0.2"));
        assert_eq!((spec.replicas, spec.owner.unwrap().as_str(), spec.port), (2, "jun", Some(7000)));
        assert_eq!(spec.resources.cpu.limit.unwrap().to_string(), "2");
    }

    #[test]
    fn zero_values_of_go_say_nothing() {
        let request = request(&json!({"envName": "weather@1", "replicas": 0, "port": 0, "environment_variables": {}}));
        let environment =
            json!({"name": "weather", "deployConfig": {"port": 7000, "environment_variables": {"A": "1"}}});
        let spec = described(&request, &environment);
        assert_eq!((spec.replicas, spec.port, spec.variables.len()), (1, Some(7000), 1));
    }

    #[test]
    fn faults_speak_of_the_fields_that_the_caller_wrote() {
        let request = request(&json!({"envName": "weather@1", "memory_limit": "-1", "mount_path": "here"}));
        let faults = refused(ServiceSpec::parse(Source::request(&request), known_service()));
        assert!(faults.contains("memory_limit: ") && faults.contains("mount_path: "), "{faults}");
        assert!(!faults.contains("deployConfig"), "{faults}");
    }

    #[test]
    fn an_amount_alone_may_fit_what_the_environment_says() {
        for amount in [json!({"cpu_limit": "700m"}), json!({"memory_request": "64Gi"})] {
            let mut body = json!({"envName": "weather@1"});
            body.as_object_mut().unwrap().extend(amount.as_object().unwrap().clone());
            assert!(ServiceSpec::parse(Source::request(&request(&body)), known_service()).is_ok(), "{body}");
        }
        let body = json!({"envName": "weather@1", "cpu_limit": "700m", "cpu_request": "2"});
        let faults = refused(ServiceSpec::parse(Source::request(&request(&body)), known_service()));
        assert!(faults.starts_with("cpu_request: 2 is more than cpu_limit"), "{faults}");
    }

    #[test]
    fn an_environment_without_a_version_is_refused() {
        for body in [
            json!({}),
            json!({"envName": "weather"}),
            json!({"envName": 1}),
            json!({"envName": "@1"}),
            json!({"envName": "a@b@c"}),
        ] {
            let message = refused(CreateRequest::parse(body.to_string().as_bytes()));
            assert!(message.starts_with("envName: "), "{message}");
        }
        assert!(refused(CreateRequest::parse(b"[1")).starts_with("Invalid request body: "));
    }
}
