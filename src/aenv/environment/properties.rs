//! Properties of every body, whatever is in it.

use super::tests::{SECRET, instance, service, weather, with};
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

/// Keys that mean something somewhere in a body.
const KEYS: &str = "name version artifacts type content deployConfig deploy_config serviceName owner replicas port \
    environment_variables cpuRequest cpuLimit memoryLimit storageSize pvcName mountPath ttl podTemplate \
    secondImageName arguments resource cpu memory labels image";

/// Any JSON, with words that fields know among its texts.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,8}",
        any::<String>(),
        Just("autoscale".into()),
        Just("image".into()),
        "[a-z0-9]{1,70}",
        "-?[0-9]{1,20}(\\.[0-9]*)?([eE][0-9]{1,3}|[numkMGTPE]|[KMGTPE]i)?"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A key that may mean something.
fn key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(KEYS.split_whitespace().collect::<Vec<_>>());
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

/// The shortest of a few measurements of a body with so many variables, which are too many.
fn time_for(variables: usize) -> Duration {
    let variables: serde_json::Map<_, _> = (0..variables).map(|n| (format!("V{n}"), json!(""))).collect();
    let body = weather(&json!({"environment_variables": variables}));
    let measure = |_| {
        let began = Instant::now();
        service(&body).unwrap_err();
        began.elapsed()
    };
    (0..5).map(measure).min().unwrap()
}

#[test]
fn the_time_for_a_body_grows_no_faster_than_the_body() {
    let (few, many) = (time_for(10_000), time_for(40_000));
    assert!(many < 10 * few, "{few:?}, {many:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Document::parse(&body).is_err());
        prop_assert!(CreateRequest::parse(&body).is_err());
        prop_assert!(ServiceChange::parse(&body).is_err());
    }

    /// A body that is right but for two fields: it is read or refused in a short message, and never a panic.
    #[test]
    fn any_json_is_answered(top in (key(), any_json()), deploy in (key(), any_json()), change in any_json()) {
        let body = with(weather(&with(json!({}), &deploy.0, deploy.1)), &top.0, top.1);
        if let Err(faults) = service(&body) {
            prop_assert!(!faults.is_empty() && faults.sentence().len() < 20_000);
        }
        if let Err(faults) = instance(&body) {
            prop_assert!(!faults.is_empty() && faults.sentence().len() < 20_000);
        }
        if let Err(faults) = ServiceChange::parse(change.to_string().as_bytes()) {
            prop_assert!(!faults.is_empty());
        }
    }

    /// Whatever is wrong with an environment variable, its value is not told.
    #[test]
    fn values_of_environment_variables_are_never_told(name in any::<String>(), wrap in 0..3, port in any::<i64>()) {
        let value = match wrap { 0 => json!(SECRET), 1 => json!([SECRET]), _ => json!({"x": SECRET}) };
        let variables = json!({"environment_variables": {name: value}, "port": port, "replicas": SECRET.len()});
        let warned = [
            service(&weather(&variables)).map(|(_, warnings)| warnings),
            instance(&weather(&variables)).map(|(_, warnings)| warnings),
        ];
        for read in warned {
            let told = match read {
                Ok(warnings) => warnings.iter().collect::<Vec<_>>().join("; "),
                Err(faults) => faults.sentence(),
            };
            prop_assert!(!told.contains(SECRET));
        }
    }
}
