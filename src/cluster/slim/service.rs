//! Services (`k8s.io/api/core/v1/generated.proto`).

use super::Metadata;
use serde::Deserialize;

/// A Service.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
pub struct Service {
    /// Its metadata.
    #[prost(message, required, tag = "1")]
    pub metadata: Metadata,
    #[prost(message, optional, tag = "2")]
    spec: Option<ServiceSpec>,
}

super::slim!(Service);

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct ServiceSpec {
    #[prost(message, repeated, tag = "1")]
    #[serde(default, deserialize_with = "super::nullable")]
    ports: Vec<ServicePort>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct ServicePort {
    #[prost(int32, optional, tag = "3")]
    port: Option<i32>,
}

impl Service {
    /// The first port; `None` if it has none.
    pub fn port(&self) -> Option<u16> {
        self.spec.as_ref()?.ports.first()?.port?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn the_first_port_counts() {
        let port = |spec| from_value::<Service>(json!({"metadata": {"name": "s"}, "spec": spec})).unwrap().port();
        assert_eq!(port(json!({})), None);
        assert_eq!(port(json!({"ports": null})), None);
        assert_eq!(port(json!({"ports": [{"port": 9000}, {"port": 1}]})), Some(9000));
    }
}
