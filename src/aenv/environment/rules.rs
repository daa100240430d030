//! What each field may be: the rules that Kubernetes itself applies, so that it has nothing left to refuse.

use super::body::Field;
use super::faults::{Fault, Faults, cut};
use crate::syntax::Quantity;
use crate::syntax::parse_go_duration;
use crate::syntax::{Invalid, LabelValue, ObjectName, TemplateName, check_label_key};
use std::collections::BTreeMap;

/// As many pods as Kubernetes is built for in a whole cluster:
/// <https://kubernetes.io/docs/setup/best-practices/cluster-large/>.
const REPLICAS_MAX: i32 = 150_000;

const NO_VARIABLE_NAME: &str = "is not the name of an environment variable: letters, digits, '_', '-' or '.', not beginning with a digit (and neither '.' nor '..…')";

/// A name or a value that becomes a label.
pub(super) fn label_value(field: &Field<'_>) -> Result<LabelValue, Faults> {
    word(field, LabelValue::new)
}

/// The name of a Service and its Deployment.
pub(super) fn service_name(field: &Field<'_>) -> Result<ObjectName, Faults> {
    word(field, ObjectName::for_service)
}

/// The name of an object.
pub(super) fn object_name(field: &Field<'_>) -> Result<ObjectName, Faults> {
    word(field, ObjectName::new)
}

/// The name of a template.
pub(super) fn template_name(field: &Field<'_>) -> Result<TemplateName, Faults> {
    word(field, TemplateName::new)
}

fn word<T>(field: &Field<'_>, check: impl FnOnce(&str) -> Result<T, Invalid>) -> Result<T, Faults> {
    Ok(check(field.text()?).map_err(|why| field.refused(why))?)
}

/// Any text.
pub(super) fn text<'a>(field: &Field<'a>) -> Result<&'a str, Faults> {
    Ok(field.text()?)
}

/// How many pods: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/#DeploymentSpec>.
pub(super) fn replicas(field: &Field<'_>) -> Result<i32, Faults> {
    let number = field.whole(0..=REPLICAS_MAX.into())?;
    Ok(i32::try_from(number).unwrap_or(REPLICAS_MAX))
}

/// A port: <https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/#ServiceSpec>.
pub(super) fn port(field: &Field<'_>) -> Result<u16, Faults> {
    let number = field.whole(1..=u16::MAX.into())?;
    Ok(u16::try_from(number).unwrap_or(u16::MAX))
}

/// A quantity of which there can be so much, or nothing:
/// <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#resource-units-in-kubernetes>.
pub(super) fn quantity(field: &Field<'_>) -> Result<Quantity, Faults> {
    let quantity =
        Quantity::parse(field.text()?).ok_or_else(|| field.refused("is not a quantity, such as 500m or 2Gi"))?;
    if quantity.milli() < 0 {
        return Err(field.refused("is negative, give a quantity of zero or more").into());
    }
    Ok(quantity)
}

/// The size of a volume: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims>.
pub(super) fn storage_size(field: &Field<'_>) -> Result<Quantity, Faults> {
    let size = quantity(field)?;
    if size.milli() == 0 { Err(field.refused("is no size, give a quantity above zero").into()) } else { Ok(size) }
}

/// A time to live, kept as it was given: it becomes a label, and its readers parse it again.
pub(super) fn ttl(field: &Field<'_>) -> Result<LabelValue, Faults> {
    let text = field.text()?;
    let lasts = parse_go_duration(text).is_some_and(|ttl| !ttl.is_zero());
    let ttl = LabelValue::new(text).ok().filter(|_| lasts);
    Ok(ttl.ok_or_else(|| field.refused("is not a time to live, such as 30m, 1h30m or 300ms"))?)
}

/// A container image. Kubernetes takes almost anything, but a name with white space in it would never be pulled:
/// <https://kubernetes.io/docs/concepts/containers/images/#image-names>.
pub(super) fn image(field: &Field<'_>) -> Result<String, Faults> {
    let image = field.text()?;
    if image.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(field.refused("is not the name of an image: there is white space in it").into());
    }
    Ok(image.to_owned())
}

/// The image among the artifacts: the first of that type, in upper or lower case, as EnvHub finds it.
pub(super) fn image_artifact(field: &Field<'_>) -> Result<String, Faults> {
    for artifact in field.items()? {
        let members = artifact.members()?;
        let Some(kind) = members.get("type").map(|json| artifact.member("type", json)) else { continue };
        if kind.is_absent() || !kind.text()?.eq_ignore_ascii_case("image") {
            continue;
        }
        let content = members.get("content").map(|json| artifact.member("content", json));
        let Some(content) = content.filter(|content| !content.is_absent()) else {
            return Err(artifact.wrong("has no content, give the name of the image").into());
        };
        return image(&content);
    }
    Err(field.wrong("has no image, give one of type \"image\"").into())
}

/// Where a volume is mounted: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#volumes-1>.
pub(super) fn mount_path(field: &Field<'_>) -> Result<String, Faults> {
    let path = field.text()?;
    if !path.starts_with('/') || path.contains(|c: char| c == ':' || c.is_control()) {
        return Err(field.refused("is not a mount path: it begins with '/' and has no ':'").into());
    }
    Ok(path.to_owned())
}

/// Environment variables. Their names follow
/// <https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/> as every version
/// of Kubernetes takes it; their values are texts that no message tells.
pub(super) fn variables(field: &Field<'_>) -> Result<BTreeMap<String, String>, Faults> {
    let mut variables = BTreeMap::new();
    let mut faults = Faults::default();
    for (name, json) in field.members()? {
        let variable = field.member(name, json);
        if !is_variable_name(name) {
            faults.push(not_a_key(field, name, NO_VARIABLE_NAME));
        } else if !variable.is_null() {
            match variable.text() {
                Ok(value) => {
                    variables.insert(name.clone(), value.to_owned());
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    if faults.is_empty() { Ok(variables) } else { Err(faults) }
}

fn is_variable_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let begins = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    begins && name.bytes().all(inner) && name != "." && !name.starts_with("..")
}

/// Arguments for the containers.
pub(super) fn arguments(field: &Field<'_>) -> Result<Vec<String>, Faults> {
    let mut arguments = Vec::new();
    let mut faults = Faults::default();
    for argument in field.items()? {
        match argument.text() {
            Ok(text) => arguments.push(text.to_owned()),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(arguments) } else { Err(faults) }
}

/// Labels of the caller's own: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>. A key that
/// means something to Kubernetes, to AEnvironment or, being one of `reserved`, to a selector, is not the caller's.
pub(super) fn labels(field: &Field<'_>, reserved: &[String]) -> Result<BTreeMap<String, String>, Faults> {
    let mut labels = BTreeMap::new();
    let mut faults = Faults::default();
    for (key, json) in field.members()? {
        let label = field.member(key, json);
        if let Err(why) = check_label_key(key) {
            faults.push(not_a_key(field, key, &why.to_string()));
        } else if is_reserved(key) || reserved.contains(key) {
            faults.push(not_a_key(field, key, "is reserved, give the label another key"));
        } else if !label.is_null() {
            match own_label(&label) {
                Ok(value) => {
                    labels.insert(key.clone(), value);
                }
                Err(wrong) => faults.extend(wrong),
            }
        }
    }
    if faults.is_empty() { Ok(labels) } else { Err(faults) }
}

/// The value of a label, which may be empty.
fn own_label(field: &Field<'_>) -> Result<String, Faults> {
    if field.text()?.is_empty() { Ok(String::new()) } else { Ok(label_value(field)?.to_string()) }
}

/// Whether a label key belongs to AEnvironment, to its templates or to Kubernetes.
fn is_reserved(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let within = |domain: &str| prefix.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
    key == "template-type" || key.starts_with("business/aenv-") || within("kubernetes.io") || within("k8s.io")
}

fn not_a_key(field: &Field<'_>, key: &str, why: &str) -> Fault {
    field.wrong(format!("\"{}\" {why}", cut(key)))
}
