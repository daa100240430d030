//! The description is complete, and refers to nothing that is not in it.

use super::super::routes::paths;
use super::*;
use serde_json::{Value, to_value};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn described() -> Value {
    to_value(document(paths())).unwrap()
}

/// The committed description. With `UPDATE=1` in the environment it is written instead of compared.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

#[test]
fn the_committed_description_is_the_one_that_is_served() {
    let mut served = serde_json::to_string_pretty(&document(paths())).unwrap();
    served.push('\n');
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(Path::new(COMMITTED).parent().unwrap()).unwrap();
        fs::write(COMMITTED, &served).unwrap();
    }
    let committed = fs::read_to_string(COMMITTED).unwrap();
    let differs = committed.lines().zip(served.lines()).enumerate().find(|(_, (old, new))| old != new);
    assert!(committed == served, "docs/openapi.json is stale (UPDATE=1 cargo test openapi writes it), at {differs:?}");
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = described();
    let items = document["paths"].as_object().unwrap().values();
    let names: Vec<_> = items
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = described();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    let components = ["schemas", "responses"].into_iter().flat_map(|kind| {
        let named = document["components"][kind].as_object().unwrap().keys();
        named.map(move |name| format!("#/components/{kind}/{name}"))
    });
    assert_eq!(references, components.collect());
}

fn collect_references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}
