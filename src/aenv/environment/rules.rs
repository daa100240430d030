//! The rules of the fields: Kubernetes' own, so that it has nothing left to refuse, and the leniency of the Go controller.
//!
//! A value that cannot be meant is a fault. One that the Go controller would pass over, or whose meaning is clear although
//! its type is another, is read with a warning. Both name the field; neither tells the value of an environment variable.

use super::field::Field;
use crate::aenv::warnings::Warnings;
use crate::syntax::{Fault, Faults, Invalid, LabelValue, ObjectName, Quantity, TemplateName, cut, parse_go_duration};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// As many pods as Kubernetes is built for in a whole cluster:
/// <https://kubernetes.io/docs/setup/best-practices/cluster-large/>.
const REPLICAS_MAX: i32 = 150_000;

/// More environment variables than any image reads. Each is compared with those of the template.
pub(super) const MAX_VARIABLES: usize = 4_096;
/// Their names and values: a quarter of what Linux passes to a program by default, and an object that etcd stores.
pub(super) const MAX_VARIABLES_BYTES: usize = 512 * 1024;
/// More arguments than any command line has.
pub(super) const MAX_ARGUMENTS: usize = 1_024;
/// As much as Linux takes as one argument.
pub(super) const MAX_ARGUMENTS_BYTES: usize = 128 * 1024;
/// More labels than anybody selects by.
pub(super) const MAX_LABELS: usize = 256;
/// A quarter of what Kubernetes takes as annotations of an object, and what a row shows of them.
pub(super) const MAX_LABELS_BYTES: usize = 48 * 1024;

const NO_VARIABLE_NAME: &str = "is not the name of an environment variable: letters, digits, '_', '-' or '.', not beginning with a digit (and neither '.' nor '..…')";

/// The size of the members of a field, held to a bound while they are read.
struct Size {
    most: usize,
    bytes: usize,
}

impl Size {
    /// Refuses `field` at once if it has more than `count` members; `most` bounds their size in bytes.
    fn of(field: &Field<'_>, members: usize, count: usize, most: usize) -> Result<Self, Fault> {
        if members > count {
            return Err(field.wrong(format!("has {members} members, give at most {count}")));
        }
        Ok(Self { most, bytes: 0 })
    }

    /// Counts a member of this size.
    fn add(&mut self, field: &Field<'_>, bytes: usize) -> Result<(), Fault> {
        self.bytes += bytes;
        if self.bytes > self.most {
            return Err(field.wrong(format!("is too large, give at most {} bytes in all", self.most)));
        }
        Ok(())
    }
}

/// A name or a value that becomes a label.
pub(super) fn label_value(field: &Field<'_>, _: &mut Warnings) -> Result<LabelValue, Faults> {
    word(field, LabelValue::new)
}

/// The name of a Service and its Deployment.
pub(super) fn service_name(field: &Field<'_>, _: &mut Warnings) -> Result<ObjectName, Faults> {
    word(field, ObjectName::for_service)
}

/// The name of an object.
pub(super) fn object_name(field: &Field<'_>, _: &mut Warnings) -> Result<ObjectName, Faults> {
    word(field, ObjectName::new)
}

/// The name of a template.
pub(super) fn template_name(field: &Field<'_>, _: &mut Warnings) -> Result<TemplateName, Faults> {
    word(field, TemplateName::new)
}

fn word<T>(field: &Field<'_>, check: impl FnOnce(&str) -> Result<T, Invalid>) -> Result<T, Faults> {
    Ok(check(field.text()?).map_err(|why| field.refused(why))?)
}

/// Number of pods: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/#DeploymentSpec>.
pub(super) fn replicas(field: &Field<'_>, warnings: &mut Warnings) -> Result<i32, Faults> {
    let number = field.whole(0..=REPLICAS_MAX.into(), warnings)?;
    Ok(i32::try_from(number).unwrap_or(REPLICAS_MAX))
}

/// A port: <https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/#ServiceSpec>. Zero and less
/// mean the template's port, as for the Go controller.
pub(super) fn port(field: &Field<'_>, warnings: &mut Warnings) -> Result<Option<u16>, Faults> {
    let number = field.whole(i32::MIN.into()..=u16::MAX.into(), warnings)?;
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    if port.is_none() {
        warnings.push(field.told("is no port, the template's stays"));
    }
    Ok(port)
}

/// An amount that a container asks for or is limited to:
/// <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#resource-units-in-kubernetes>.
/// `None` means the template's: the Go controller warns of what it cannot parse, such as `1C`, and skips it.
pub(super) fn quantity(field: &Field<'_>, warnings: &mut Warnings) -> Result<Option<Quantity>, Faults> {
    let Some(quantity) = Quantity::parse(&field.text_or_number()?) else {
        warnings.push(field.told("is not a quantity such as 500m or 2Gi, the template's value stays"));
        return Ok(None);
    };
    if quantity.milli() < 0 {
        return Err(field.refused("is negative, give a quantity of zero or more").into());
    }
    Ok(Some(quantity))
}

/// The size of a volume: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims>.
pub(super) fn storage_size(field: &Field<'_>, warnings: &mut Warnings) -> Result<Option<Quantity>, Faults> {
    let size = quantity(field, warnings)?;
    if size.is_some_and(|size| size.milli() == 0) {
        return Err(field.refused("is no size, give a quantity above zero").into());
    }
    Ok(size)
}

/// Mode of resources. Only the word `autoscale` means something.
pub(super) fn resource(field: &Field<'_>, warnings: &mut Warnings) -> Result<String, Faults> {
    Ok(field.text().map(str::to_owned).unwrap_or_else(|_| {
        warnings.push(field.told("is ignored, the only word that means something is \"autoscale\""));
        String::new()
    }))
}

/// A time to live, kept as it was given: it becomes a label, and its readers parse it again.
pub(super) fn ttl(field: &Field<'_>, _: &mut Warnings) -> Result<LabelValue, Faults> {
    let text = field.text()?;
    let lasts = parse_go_duration(text).is_some_and(|ttl| !ttl.is_zero());
    let ttl = LabelValue::new(text).ok().filter(|_| lasts);
    Ok(ttl.ok_or_else(|| field.refused("is not a time to live, such as 30m, 1h30m or 300ms"))?)
}

/// A container image. Kubernetes takes almost anything, but a name with white space in it would never be pulled:
/// <https://kubernetes.io/docs/concepts/containers/images/#image-names>.
pub(super) fn image(field: &Field<'_>, _: &mut Warnings) -> Result<String, Faults> {
    let image = field.text()?;
    if !is_image(image) {
        return Err(field.refused("is not the name of an image: there is white space in it").into());
    }
    Ok(image.to_owned())
}

/// True if an image could be pulled by that name.
pub(super) fn is_image(name: &str) -> bool {
    !name.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The image among the artifacts: the first of that type, in upper or lower case, as EnvHub finds it. `None`: there is
/// none, or it has no content.
pub(super) fn image_artifact(field: &Field<'_>, warnings: &mut Warnings) -> Result<Option<String>, Faults> {
    for artifact in field.items()? {
        let members = artifact.members()?;
        let Some(kind) = members.get("type").map(|kind| artifact.member("type", kind)) else { continue };
        if kind.is_absent() || !kind.text()?.eq_ignore_ascii_case("image") {
            continue;
        }
        let content = members.get("content").map(|content| artifact.member("content", content));
        return match content.filter(|content| !content.is_absent()) {
            Some(content) => image(&content, warnings).map(Some),
            None => Ok(None),
        };
    }
    Ok(None)
}

/// Mount path of a volume: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#volumes-1>.
pub(super) fn mount_path(field: &Field<'_>, _: &mut Warnings) -> Result<String, Faults> {
    let path = field.text()?;
    if !path.starts_with('/') || path.contains(|c: char| c == ':' || c.is_control()) {
        return Err(field.refused("is not a mount path: it begins with '/' and has no ':'").into());
    }
    Ok(path.to_owned())
}

/// Environment variables. Their names follow
/// <https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/> as every version
/// of Kubernetes takes it; their values are texts that no message tells.
pub(super) fn variables(field: &Field<'_>, warnings: &mut Warnings) -> Result<BTreeMap<String, String>, Faults> {
    let members = field.members()?;
    let mut size = Size::of(field, members.len(), MAX_VARIABLES, MAX_VARIABLES_BYTES)?;
    let mut variables = BTreeMap::new();
    let mut faults = Faults::default();
    for (name, member) in members {
        let variable = field.member(name, member);
        if !is_variable_name(name) {
            faults.push(not_a_key(field, name, NO_VARIABLE_NAME));
        } else if !variable.is_null() {
            let value = passed(&variable, warnings)?;
            size.add(field, name.len() + value.len())?;
            variables.insert(name.clone(), value.into_owned());
        }
    }
    faults.none_or(variables)
}

fn is_variable_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let begins = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    begins && name.bytes().all(inner) && name != "." && !name.starts_with("..")
}

/// Arguments for the containers.
pub(super) fn arguments(field: &Field<'_>, warnings: &mut Warnings) -> Result<Vec<String>, Faults> {
    let items = field.items()?;
    let mut size = Size::of(field, items.len(), MAX_ARGUMENTS, MAX_ARGUMENTS_BYTES)?;
    let mut arguments = Vec::new();
    for argument in items {
        if argument.is_null() {
            return Err(argument.wrong("is null, give a text").into());
        }
        let text = passed(&argument, warnings)?;
        size.add(field, text.len())?;
        arguments.push(text.into_owned());
    }
    Ok(arguments)
}

/// A text that a program gets. It ends at the first NUL, so that with one in it the container never starts.
fn passed<'a>(field: &Field<'a>, warnings: &mut Warnings) -> Result<Cow<'a, str>, Fault> {
    let text = field.as_text(warnings);
    if text.contains('\0') { Err(field.wrong("has a NUL character, which no program can be given")) } else { Ok(text) }
}

/// Labels of the caller's own, as they were given; [`crate::aenv::labels`] says what becomes of each.
pub(super) fn labels(field: &Field<'_>, warnings: &mut Warnings) -> Result<BTreeMap<String, String>, Faults> {
    let members = field.members()?;
    let mut size = Size::of(field, members.len(), MAX_LABELS, MAX_LABELS_BYTES)?;
    let mut labels = BTreeMap::new();
    for (key, member) in members {
        let label = field.member(key, member);
        if !label.is_null() {
            let value = label.as_text(warnings);
            size.add(field, key.len() + value.len())?;
            labels.insert(key.clone(), value.into_owned());
        }
    }
    Ok(labels)
}

fn not_a_key(field: &Field<'_>, key: &str, why: &str) -> Fault {
    field.wrong(format!("\"{}\" {why}", cut(key)))
}
