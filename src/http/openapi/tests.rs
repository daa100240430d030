//! The description is complete, and refers to nothing that is not in it.

use super::super::route_table;
use super::*;
use serde_json::{Value, to_value};
use std::collections::BTreeSet;

fn described() -> Value {
    to_value(document()).unwrap()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = described();
    let paths = document["paths"].as_object().unwrap().iter();
    let described: BTreeSet<_> = paths
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routes = route_table();
    let routed: BTreeSet<_> = routes
        .iter()
        .flat_map(|route| route.operations())
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(described, routed);
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
