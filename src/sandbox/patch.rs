//! The three patch formats: merge (RFC 7386), JSON Patch (RFC 6902) and Kubernetes' strategic merge.

use serde_json::{Map, Value};

use super::status::ApiError;

/// Format of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Merge,
    Strategic,
    Json,
}

impl Format {
    /// # Errors
    /// 415 for anything else, server-side apply included.
    pub(super) fn from_media_type(media_type: &str) -> Result<Self, ApiError> {
        match media_type {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/json-patch+json" => Ok(Self::Json),
            _ => Err(ApiError::unspecific(415, "UnsupportedMediaType", "415: Unsupported Media Type")),
        }
    }

    /// `document` after `patch`.
    ///
    /// # Errors
    /// 400 for a patch that cannot be read, 422 for a JSON Patch that does not fit the document.
    pub(super) fn apply(self, mut document: Value, patch: &[u8]) -> Result<Value, ApiError> {
        let patch: Value = serde_json::from_slice(patch)
            .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
        match (self, patch) {
            (Self::Json, Value::Array(operations)) => {
                for operation in &operations {
                    apply_operation(&mut document, operation).ok_or_else(does_not_fit)?;
                }
            }
            (Self::Merge, patch @ Value::Object(_)) => merge(&mut document, patch),
            (Self::Strategic, patch @ Value::Object(_)) => merge_strategically(&mut document, patch),
            _ => return Err(ApiError::bad_request("error decoding patch: not of the form that its media type says")),
        }
        Ok(document)
    }
}

fn does_not_fit() -> ApiError {
    ApiError::unspecific(422, "Invalid", "the server rejected our request due to an error in our request")
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    let members = as_object(target);
    for (key, value) in patch {
        if value.is_null() {
            members.remove(&key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), value);
        }
    }
}

fn merge_strategically(target: &mut Value, patch: Value) {
    let Value::Object(mut patch) = patch else {
        *target = patch;
        return;
    };
    if patch.remove("$patch").is_some_and(|directive| directive == "replace") {
        *target = Value::Object(patch);
        return;
    }
    let members = as_object(target);
    for (key, value) in patch {
        // Hints about the order of a list; the order of these lists carries no meaning.
        if key.starts_with("$setElementOrder/") || key.starts_with("$retainKeys") {
            continue;
        }
        match (value, merge_key(&key)) {
            (Value::Null, _) => {
                members.remove(&key);
            }
            (Value::Array(items), Some(merge_keys)) => {
                let list = members.entry(key).or_insert(Value::Null);
                merge_list(list, items, merge_keys);
            }
            (value, _) => merge_strategically(members.entry(key).or_insert(Value::Null), value),
        }
    }
}

/// Keys that identify an item of a list that is merged item by item; the first one that the item has counts.
fn merge_key(list: &str) -> Option<&'static [&'static str]> {
    match list {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => Some(&["name"]),
        "ports" => Some(&["containerPort", "port"]),
        "volumeMounts" => Some(&["mountPath"]),
        "conditions" => Some(&["type"]),
        "podIPs" => Some(&["ip"]),
        "ownerReferences" => Some(&["uid"]),
        _ => None,
    }
}

fn merge_list(list: &mut Value, items: Vec<Value>, merge_keys: &[&str]) {
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    let Value::Array(present) = list else { return };
    if items.iter().any(|item| item["$patch"] == "replace") {
        *present = items.into_iter().filter(|item| item["$patch"].is_null()).collect();
        return;
    }
    for item in items {
        let key = merge_keys.iter().find(|key| item.get(**key).is_some());
        let at = key.and_then(|key| present.iter().position(|other| other[*key] == item[*key]));
        match at {
            Some(at) if item["$patch"] == "delete" => {
                present.remove(at);
            }
            Some(at) => merge_strategically(&mut present[at], item),
            None if item["$patch"] == "delete" => {}
            None => present.push(item),
        }
    }
}

fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was just made an object")
}

/// `None` if the operation cannot be made.
fn apply_operation(document: &mut Value, operation: &Value) -> Option<()> {
    let path = operation["path"].as_str()?;
    let from = || operation["from"].as_str();
    match operation["op"].as_str()? {
        "add" => insert(document, path, operation.get("value")?.clone()),
        "replace" => {
            *document.pointer_mut(path)? = operation.get("value")?.clone();
            Some(())
        }
        "remove" => remove(document, path).map(drop),
        "test" => (document.pointer(path)? == operation.get("value")?).then_some(()),
        "move" => {
            let value = remove(document, from()?)?;
            insert(document, path, value)
        }
        "copy" => {
            let value = document.pointer(from()?)?.clone();
            insert(document, path, value)
        }
        _ => None,
    }
}

fn parent_and_key<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    Some((document.pointer_mut(parent)?, key.replace("~1", "/").replace("~0", "~")))
}

fn insert(document: &mut Value, path: &str, value: Value) -> Option<()> {
    match parent_and_key(document, path)? {
        (Value::Object(members), key) => {
            members.insert(key, value);
        }
        (Value::Array(items), key) => {
            let at = if key == "-" { items.len() } else { key.parse().ok()? };
            if at > items.len() {
                return None;
            }
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    match parent_and_key(document, path)? {
        (Value::Object(members), key) => members.remove(&key),
        (Value::Array(items), key) => {
            let at: usize = key.parse().ok()?;
            (at < items.len()).then(|| items.remove(at))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn patched(format: Format, document: Value, patch: &Value) -> Value {
        format.apply(document, patch.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_merge_patch_removes_with_null_and_replaces_lists() {
        let document = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
        let patch = json!({"a": {"b": null, "d": 3}, "l": [3]});
        assert_eq!(patched(Format::Merge, document, &patch), json!({"a": {"c": 2, "d": 3}, "l": [3]}));
    }

    #[test]
    fn a_strategic_patch_merges_containers_by_name() {
        let document =
            json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]});
        let patch = json!({
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]}, {"name": "b", "$patch": "delete"}],
        });
        assert_eq!(
            patched(Format::Strategic, document, &patch),
            json!({"containers": [{"name": "a", "image": "2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]})
        );
    }

    #[test]
    fn a_json_patch_that_does_not_fit_is_invalid() {
        let document = json!({"a": [1], "b~/": 1});
        let fits = json!([
            {"op": "test", "path": "/a/0", "value": 1},
            {"op": "add", "path": "/a/-", "value": 2},
            {"op": "move", "from": "/b~0~1", "path": "/c"},
        ]);
        assert_eq!(patched(Format::Json, document.clone(), &fits), json!({"a": [1, 2], "c": 1}));
        let missing = json!([{"op": "replace", "path": "/x/y", "value": 1}]).to_string();
        assert_eq!(Format::Json.apply(document, missing.as_bytes()).unwrap_err().code, 422);
    }
}
