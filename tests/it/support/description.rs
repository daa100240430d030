//! The API description, as the measure of what is answered.

use super::controller::{Answer, Controller};
use jsonschema::Validator;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

/// The API description of `GET /openapi.json`.
pub(crate) struct Description(Value);

impl Description {
    pub(crate) async fn of(controller: &Controller) -> Self {
        let answer = controller.get("/openapi.json").await;
        assert_eq!(answer.status, StatusCode::OK);
        Self(answer.body)
    }

    /// Each method and path with what it is said to do.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (Method, &str, &Value)> {
        self.members("/paths").flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.to_uppercase().parse().unwrap(), &**path, operation))
        })
    }

    /// Checks that `answer` to a request for `path` is one that the description knows, to the last field.
    /// Gives what is said of the operation.
    #[track_caller]
    pub(crate) fn knows(&self, method: &Method, path: &str, answer: &Answer) -> &Value {
        let what = format!("{method} {path} {}", answer.status);
        let operation = self.operation(method, path).unwrap_or_else(|| panic!("{what}: no such operation"));
        let described = &operation["responses"][answer.status.as_str()];
        assert!(!described.is_null(), "{what}: no such status");
        let described = self.resolve(described);
        for (name, header) in described["headers"].as_object().into_iter().flatten() {
            let said = answer.header(name);
            // Sent only where there is something to warn of.
            if name == "Warning" && said.is_empty() {
                continue;
            }
            let value =
                if header["schema"]["type"] == "integer" { json!(said.parse::<u64>().ok()) } else { json!(said) };
            assert!(!said.is_empty() && self.validator(&header["schema"]).is_valid(&value), "{what}: {name}: {said:?}");
        }
        let Some(content) = described.get("content") else {
            assert_eq!(answer.body, Value::Null, "{what}: a body");
            return operation;
        };
        let schema = &content[answer.header("content-type")]["schema"];
        assert!(!schema.is_null(), "{what}: the content type is {:?}", answer.header("content-type"));
        let faults: Vec<_> = self.validator(schema).iter_errors(&answer.body).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{what}: {faults:#?} in {:#}", answer.body);
        operation
    }

    /// The path of an operation with its examples filled in, and the example of its body.
    pub(crate) fn example<'a>(&'a self, path: &str, operation: &'a Value) -> (String, Option<&'a Value>) {
        let parameters = operation["parameters"].as_array().unwrap().iter();
        let path = parameters.filter(|parameter| parameter["in"] == "path").fold(path.to_owned(), |path, parameter| {
            let name = parameter["name"].as_str().unwrap();
            path.replace(&format!("{{{name}}}"), parameter["example"].as_str().unwrap())
        });
        // The one operation that wants a query.
        let path = if operation["operationId"] == "sweep_pods" { path + "?filter=expired" } else { path };
        let body = operation.get("requestBody").map(|body| {
            let schema = self.resolve(&body["content"]["application/json"]["schema"]);
            schema.get("example").unwrap_or_else(|| &schema["examples"][0])
        });
        (path, body)
    }

    /// True if the body that a request may have is one that the description takes.
    pub(crate) fn takes(&self, operation: &Value, body: &Value) -> bool {
        self.validator(&operation["requestBody"]["content"]["application/json"]["schema"]).is_valid(body)
    }

    /// Target of a reference, or the value itself.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(to) => self.0.pointer(to.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{to} leads nowhere")),
            None => value,
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let asked: Vec<_> = path.split('?').next().unwrap().split('/').collect();
        let is_open = |part: &&str| part.starts_with('{');
        let fits = |template: &str| {
            let parts: Vec<_> = template.split('/').collect();
            parts.len() == asked.len() && parts.iter().zip(&asked).all(|(part, asked)| is_open(part) || part == asked)
        };
        let fitting = self.members("/paths").filter(|(template, _)| fits(template));
        let (_, item) = fitting.min_by_key(|(template, _)| template.split('/').filter(is_open).count())?;
        item.get(method.as_str().to_lowercase())
    }

    fn members(&self, pointer: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.0.pointer(pointer).and_then(Value::as_object).unwrap().iter()
    }

    fn validator(&self, schema: &Value) -> Validator {
        let components = self.0["components"]["schemas"].as_object().unwrap().iter();
        let components: Map<_, _> = components.map(|(name, schema)| (name.clone(), closed_within(schema))).collect();
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": {"schemas": components},
            "allOf": [closed(schema)],
        });
        jsonschema::validator_for(&whole).unwrap()
    }
}

/// The schema without room for fields that it does not name. (Clients must leave that room; we want to know.)
fn closed(schema: &Value) -> Value {
    let mut schema = closed_within(schema);
    if ["$ref", "allOf", "properties"].iter().any(|word| schema.get(word).is_some()) {
        schema["unevaluatedProperties"] = false.into();
    }
    schema
}

/// The same for what is below it alone: it may be one part of a whole.
fn closed_within(schema: &Value) -> Value {
    let mut schema = schema.clone();
    for property in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        *property = closed(property);
    }
    if let Some(items) = schema.get_mut("items") {
        *items = closed(items);
    }
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        *part = closed_within(part);
    }
    schema
}
