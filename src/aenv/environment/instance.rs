//! What a new environment instance is to be.

use super::body::Section;
use super::document::Json;
use super::faults::{Fault, Faults};
use super::rules;
use crate::syntax::Quantity;
use crate::syntax::{LabelValue, NamePrefix, ObjectName, TemplateName};
use std::collections::BTreeMap;

/// The template, unless one is given.
const DEFAULT_TEMPLATE: &str = "singleContainer";

/// What a new environment instance is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceSpec {
    /// The environment's name.
    pub env: LabelValue,
    /// The environment's version.
    pub version: Option<LabelValue>,
    /// Who it belongs to.
    pub owner: Option<LabelValue>,
    /// How long it may live, a Go duration. `None`: for ever.
    pub ttl: Option<LabelValue>,
    /// How its name begins.
    pub name: NamePrefix,
    /// Which pod it is made from; one of those that are known.
    pub template: TemplateName,
    /// The image of every container.
    pub image: String,
    /// The image of the second container, if that is to have another.
    pub second_image: Option<String>,
    /// What every container's arguments end with.
    pub arguments: Vec<String>,
    /// The environment variables of every container.
    pub variables: BTreeMap<String, String>,
    /// Resources instead of the template's.
    pub autoscale: Option<Autoscale>,
    /// Further labels of the pod; none of them is a reserved one.
    pub labels: BTreeMap<String, String>,
}

/// What each container asks for and may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoscale {
    /// Processor time.
    pub cpu: Quantity,
    /// Memory.
    pub memory: Quantity,
}

/// What a body may speak of because the templates have it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The pod templates.
    pub pod_templates: &'a [TemplateName],
    /// The label keys by which Services find their pods. An instance with one of them could take a Service's traffic.
    pub selector_keys: &'a [String],
}

impl InstanceSpec {
    /// Reads the body of a create.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(body: &[u8], known: Known<'_>) -> Result<Self, Faults> {
        let document = Json::parse(body)?;
        let mut top = Section::of_body(&document);
        let mut deploy = top.deploy_settings();

        let env = top.require("name", "give the environment's name", rules::label_value);
        let name = env.as_ref().and_then(|env| name_prefix(&mut top, env));
        let version = top.read("version", rules::label_value);
        let image = top.require("artifacts", "give one of type \"image\"", rules::image_artifact);
        let owner = deploy.read("owner", rules::label_value);
        let ttl = deploy.read("ttl", rules::ttl);
        let template = template(&mut deploy, known.pod_templates);
        let second_image = deploy.read("secondImageName", rules::image);
        let arguments = deploy.read_or("arguments", Vec::new(), rules::arguments);
        let variables = deploy.read_or("environment_variables", BTreeMap::new(), rules::variables);
        let autoscale = autoscale(&mut deploy);
        let labels = deploy.read_or("labels", BTreeMap::new(), |field| rules::labels(field, known.selector_keys));

        let mut faults = top.into_faults();
        faults.extend(deploy.into_faults());
        let spec = || {
            Some(Self {
                env: env?,
                version,
                owner,
                ttl,
                name: name?,
                template: template?,
                image: image?,
                second_image,
                arguments: arguments?,
                variables: variables?,
                autoscale,
                labels: labels?,
            })
        };
        if faults.is_empty() { spec().ok_or(faults) } else { Err(faults) }
    }
}

fn name_prefix(top: &mut Section<'_>, env: &LabelValue) -> Option<NamePrefix> {
    let prefix = NamePrefix::new(&format!("{env}-"), ObjectName::new);
    let refused = |why| top.refuse(Fault::at("name", format!("\"{env}\" with '-' and six characters {why}")));
    prefix.map_err(refused).ok()
}

fn template(deploy: &mut Section<'_>, known: &[TemplateName]) -> Option<TemplateName> {
    let default = TemplateName::new(DEFAULT_TEMPLATE).expect("the default is a name");
    deploy.read_or("podTemplate", default, |field| {
        let name = rules::template_name(field)?;
        if known.contains(&name) {
            return Ok(name);
        }
        let names = known.iter().map(TemplateName::as_str).collect::<Vec<_>>().join(", ");
        Err(field.refused(format_args!("is no pod template, there are {names}")).into())
    })
}

/// The resources, if they are asked for. Otherwise `cpu` and `memory` describe the environment in words of its own,
/// such as `1C`, and nobody reads them.
fn autoscale(deploy: &mut Section<'_>) -> Option<Autoscale> {
    if deploy.read("resource", rules::text)? != "autoscale" {
        return None;
    }
    let hint = "a resource of \"autoscale\" needs it";
    let cpu = deploy.require("cpu", hint, rules::quantity);
    let memory = deploy.require("memory", hint, rules::quantity);
    Some(Autoscale { cpu: cpu?, memory: memory? })
}
