//! A new environment instance, as its create describes it.

use super::rules;
use super::section::Section;
use super::settings::{
    ARGUMENTS, ARTIFACTS, CPU, LABELS, MEMORY, OWNER, POD_TEMPLATE, RESOURCE, SECOND_IMAGE, TTL, VARIABLES,
};
use super::source::Source;
use crate::aenv::labels::CallerLabels;
use crate::aenv::warnings::Warnings;
use crate::syntax::{Fault, Faults, LabelValue, NamePrefix, ObjectName, Quantity, TemplateName};
use std::collections::BTreeMap;

/// The template, unless one is given.
const DEFAULT_TEMPLATE: &str = "singleContainer";

/// The image that a datasource is a tag of, unless the environment names another one (`imagePrefix`).
const DATASOURCE_IMAGE: &str = "docker.io/library/aenv";

/// A new environment instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InstanceSpec {
    /// The environment's name.
    pub env: LabelValue,
    /// The environment's version.
    pub version: Option<LabelValue>,
    /// The person or team that it belongs to.
    pub owner: Option<LabelValue>,
    /// Time to live, a Go duration. `None`: for ever.
    pub ttl: Option<LabelValue>,
    /// Beginning of its name.
    pub name: NamePrefix,
    /// The template of its pod; one of those that are known.
    pub template: TemplateName,
    /// The image of every container.
    pub image: String,
    /// The image of the second container, if that is to have another.
    pub second_image: Option<String>,
    /// Arguments that are appended to those of every container.
    pub arguments: Vec<String>,
    /// The environment variables of every container.
    pub variables: BTreeMap<String, String>,
    /// Resources instead of the template's.
    pub autoscale: Option<Autoscale>,
    /// Labels of the caller's own.
    pub labels: CallerLabels,
}

/// Requests and limits of every container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Autoscale {
    pub cpu: Quantity,
    pub memory: Quantity,
}

/// The names that a body may use, or must not use, because the templates have them.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The pod template that a name means.
    pub find_pod: &'a dyn Fn(&TemplateName) -> Option<TemplateName>,
    /// The names of the pod templates.
    pub pod_templates: &'a [TemplateName],
    /// The label keys by which Services find their pods. An instance with one of them could take a Service's traffic.
    pub selector_keys: &'a [String],
}

impl InstanceSpec {
    /// Reads a create.
    pub(crate) fn parse(source: Source<'_>, known: Known<'_>) -> Result<(Self, Warnings), Faults> {
        let (mut top, mut deploy) = source.sections();
        let env = source.name(&mut top);
        let name = env.as_ref().and_then(|env| name_prefix(source, &mut top, env));
        let version = source.version(&mut top);
        let image = image(source, &mut top);
        let owner = deploy.read(&OWNER);
        let ttl = deploy.read(&TTL);
        let template = template(&mut deploy, known);
        let second_image = second_image(source, &mut deploy);
        let arguments = deploy.read(&ARGUMENTS).unwrap_or_default();
        let variables = deploy.read(&VARIABLES).unwrap_or_default();
        let autoscale = autoscale(&mut deploy);
        let labels = deploy.read_labels(&LABELS, known.selector_keys);

        Section::conclude([top, deploy], || {
            Some(Self {
                env: env?,
                version,
                owner,
                ttl,
                name: name?,
                template: template?,
                image: image?,
                second_image,
                arguments,
                variables,
                autoscale,
                labels,
            })
        })
    }
}

/// The environment's image, which a pod cannot do without.
fn image(source: Source<'_>, top: &mut Section<'_>) -> Option<String> {
    let image = source.image(top)?;
    if source.is_partial() {
        return Some(String::new());
    }
    if image.is_none() {
        let problem = if top.has(&ARTIFACTS) { "has no image" } else { "is missing" };
        top.refuse(Fault::at(top.path(&ARTIFACTS), format!("{problem}, give one of type \"image\"")));
    }
    image
}

fn name_prefix(source: Source<'_>, top: &mut Section<'_>, env: &LabelValue) -> Option<NamePrefix> {
    let prefix = NamePrefix::new(&format!("{env}-"), ObjectName::new);
    let refused =
        |why| top.refuse(Fault::at(source.name_field(), format!("\"{env}\" with '-' and six characters {why}")));
    prefix.map_err(refused).ok()
}

fn template(deploy: &mut Section<'_>, known: Known<'_>) -> Option<TemplateName> {
    let default = TemplateName::new(DEFAULT_TEMPLATE).expect("the default is a name");
    let name = deploy.read_or(&POD_TEMPLATE, default)?;
    let found = (known.find_pod)(&name);
    if found.is_none() {
        let names = known.pod_templates.iter().map(TemplateName::as_str).collect::<Vec<_>>().join(", ");
        let problem = format!("\"{name}\" is no pod template, there are {names}");
        deploy.refuse(Fault::at(deploy.path(&POD_TEMPLATE), problem));
    }
    found
}

/// The image of the second container: for a datasource a tag of the environment's `imagePrefix`, as `api-service` has it.
fn second_image(source: Source<'_>, deploy: &mut Section<'_>) -> Option<String> {
    let Some(tag) = source.datasource() else { return deploy.read(&SECOND_IMAGE) };
    let prefix = deploy.own_text("imagePrefix").unwrap_or(DATASOURCE_IMAGE);
    let image = format!("{prefix}:{tag}");
    if rules::is_image(&image) {
        return Some(image);
    }
    deploy.refuse(Fault::at("datasource", "makes no name of an image: there is white space in it"));
    None
}

/// The resources, if they are asked for. Otherwise `cpu` and `memory` describe the environment in words of their own,
/// such as `1C`, and are ignored. One without the other changes nothing, as for the Go controller.
fn autoscale(deploy: &mut Section<'_>) -> Option<Autoscale> {
    if deploy.read(&RESOURCE)? != "autoscale" {
        return None;
    }
    let (cpu, memory) = (deploy.read(&CPU).flatten(), deploy.read(&MEMORY).flatten());
    if cpu.is_none() || memory.is_none() {
        deploy.warn(&RESOURCE, "\"autoscale\" needs both cpu and memory, the template's resources stay");
    }
    Some(Autoscale { cpu: cpu?, memory: memory? })
}
