//! A new environment service, as its create describes it.

use super::section::Section;
use super::settings::{
    ARTIFACTS, CLAIM_NAME, CPU_LIMIT, CPU_REQUEST, EPHEMERAL_STORAGE_LIMIT, EPHEMERAL_STORAGE_REQUEST, LABELS,
    MEMORY_LIMIT, MEMORY_REQUEST, MOUNT_PATH, OWNER, PORT, REPLICAS, SERVICE_NAME, STORAGE_SIZE, Setting, VARIABLES,
};
use super::source::Source;
use crate::aenv::labels::CallerLabels;
use crate::aenv::warnings::Warnings;
use crate::syntax::{Fault, Faults, LabelValue, NamePrefix, ObjectName, Quantity};
use std::collections::BTreeMap;

/// The port, unless one is given.
const DEFAULT_PORT: u16 = 8080;
/// The mount path, unless one is given.
const DEFAULT_MOUNT_PATH: &str = "/home/admin/data";
/// A claim is mounted by one node; callers look for these very words.
const ONE_REPLICA: &str = "When creating PVC (storageSize specified), replicas must be 1";

/// A new environment service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServiceSpec {
    /// The environment's name.
    pub env: LabelValue,
    /// The environment's version.
    pub version: Option<LabelValue>,
    /// The person or team that it belongs to.
    pub owner: Option<LabelValue>,
    /// The name of all of its objects but the claim.
    pub name: ServiceName,
    /// The image of every container. `None`: the template's.
    pub image: Option<String>,
    /// Number of pods; not negative.
    pub replicas: i32,
    /// The Service's port, and the one that it leads to. `None`: the template's.
    pub port: Option<u16>,
    /// The environment variables of every container.
    pub variables: BTreeMap<String, String>,
    /// The resources of every container.
    pub resources: Resources,
    /// Mount path of the volume called `data`.
    pub mount_path: String,
    /// The claim behind that volume. `None`: there is none, and the template's is left out.
    pub storage: Option<Storage>,
    /// Labels of the caller's own.
    pub labels: CallerLabels,
}

/// Facts about the templates of a service, as far as a body may do without them or must respect them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceTemplate<'a> {
    /// True if every container has an image.
    pub has_images: bool,
    /// The label keys by which Services find their pods.
    pub selector_keys: &'a [String],
}

/// The name of a new service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceName {
    /// The caller's.
    Given(ObjectName),
    /// One to be made up.
    Generated(NamePrefix),
}

/// The resources of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resources {
    pub cpu: Amount,
    pub memory: Amount,
    /// Disk space that goes with the pod.
    pub ephemeral_storage: Amount,
}

/// A request, and a limit that is no less. `None`: the template's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    /// The amount that is set aside.
    pub request: Option<Quantity>,
    /// The amount that is not exceeded.
    pub limit: Option<Quantity>,
}

/// Storage that outlives the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Storage {
    /// The name of the claim.
    pub claim: ObjectName,
    /// Its size, if it has to be created; more than zero. `None`: the template's.
    pub size: Option<Quantity>,
}

impl ServiceSpec {
    /// Reads a create.
    pub(crate) fn parse(source: Source<'_>, template: ServiceTemplate<'_>) -> Result<(Self, Warnings), Faults> {
        let (mut top, mut deploy) = source.sections();
        let env = source.name(&mut top);
        let version = source.version(&mut top);
        let image = image(source, &mut top, template);
        let owner = deploy.read(&OWNER);
        let name = service_name(source, &mut top, &mut deploy, env.as_ref());
        let replicas = deploy.read_or(&REPLICAS, 1);
        let port = deploy.read_or(&PORT, Some(DEFAULT_PORT));
        let variables = deploy.read(&VARIABLES).unwrap_or_default();
        let resources = resources(&mut deploy, source);
        let mount_path = deploy.read_or(&MOUNT_PATH, DEFAULT_MOUNT_PATH.to_owned());
        let storage = storage(source, &mut top, &mut deploy, env.as_ref());
        if deploy.has(&STORAGE_SIZE) && replicas.is_some_and(|replicas| replicas != 1) {
            deploy.refuse(Fault::new(ONE_REPLICA));
        }
        let labels = deploy.read_labels(&LABELS, template.selector_keys);

        Section::conclude([top, deploy], || {
            Some(Self {
                env: env?,
                version,
                owner,
                name: name?,
                image,
                replicas: replicas?,
                port: port?,
                variables,
                resources: resources?,
                mount_path: mount_path?,
                storage,
                labels,
            })
        })
    }
}

/// The environment's image. Without one the template's stays, if it has any.
fn image(source: Source<'_>, top: &mut Section<'_>, template: ServiceTemplate<'_>) -> Option<String> {
    let image = source.image(top)?;
    if image.is_some() || source.is_partial() {
        return image;
    }
    if template.has_images {
        top.warn(&ARTIFACTS, "there is no image, the template's stays");
    } else {
        top.refuse(Fault::at(top.path(&ARTIFACTS), "has no image, give one of type \"image\""));
    }
    None
}

/// The given name, or one that begins with the environment's.
fn service_name(
    source: Source<'_>,
    top: &mut Section<'_>,
    deploy: &mut Section<'_>,
    env: Option<&LabelValue>,
) -> Option<ServiceName> {
    if deploy.has(&SERVICE_NAME) {
        return deploy.read(&SERVICE_NAME).map(ServiceName::Given);
    }
    let env = env?;
    let prefix = NamePrefix::new(&format!("{env}-svc-"), ObjectName::for_service).map_err(|why| {
        let instead = deploy.path(&SERVICE_NAME);
        let problem = format!("\"{env}\" with \"-svc-\" and six characters {why}; give {instead}");
        top.refuse(Fault::at(source.name_field(), problem));
    });
    prefix.map(ServiceName::Generated).ok()
}

fn resources(deploy: &mut Section<'_>, source: Source<'_>) -> Option<Resources> {
    let mut amount = |settings, default| amount(deploy, source, settings, default);
    let cpu = amount([&CPU_REQUEST, &CPU_LIMIT], "1");
    let memory = amount([&MEMORY_REQUEST, &MEMORY_LIMIT], "2Gi");
    let ephemeral_storage = amount([&EPHEMERAL_STORAGE_REQUEST, &EPHEMERAL_STORAGE_LIMIT], "10Gi");
    Some(Resources { cpu: cpu?, memory: memory?, ephemeral_storage: ephemeral_storage? })
}

/// A request must not exceed its limit:
/// <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits>.
fn amount(
    deploy: &mut Section<'_>,
    source: Source<'_>,
    [request, limit]: [&Setting<Option<Quantity>>; 2],
    default: &str,
) -> Option<Amount> {
    // An environment that is not known yet may say an amount that fits.
    let default = Quantity::parse(default).filter(|_| !source.is_partial());
    let amount = Amount { request: deploy.read_or(request, default)?, limit: deploy.read_or(limit, default)? };
    let (Some(asked), Some(most)) = (amount.request, amount.limit) else { return Some(amount) };
    if asked.milli() <= most.milli() {
        return Some(amount);
    }
    let by_default = |setting| if deploy.has(setting) { "" } else { " by default" };
    let fault = if deploy.has(request) {
        let problem = format!("{asked} is more than {}, which is {most}{}", deploy.path(limit), by_default(limit));
        Fault::at(deploy.path(request), problem)
    } else {
        let problem = format!("{most} is less than {}, which is {asked} by default", deploy.path(request));
        Fault::at(deploy.path(limit), problem)
    };
    deploy.refuse(fault);
    None
}

/// The claim, if a size is given. Its name is checked all the same.
fn storage(
    source: Source<'_>,
    top: &mut Section<'_>,
    deploy: &mut Section<'_>,
    env: Option<&LabelValue>,
) -> Option<Storage> {
    let size = deploy.read(&STORAGE_SIZE);
    if deploy.has(&CLAIM_NAME) {
        let claim = deploy.read(&CLAIM_NAME);
        return Some(Storage { claim: claim?, size: size? });
    }
    let (size, env) = (size?, env?);
    let claim = ObjectName::new(env.as_str()).map_err(|why| {
        top.refuse(Fault::at(source.name_field(), format!("\"{env}\" {why}; give {}", deploy.path(&CLAIM_NAME))));
    });
    Some(Storage { claim: claim.ok()?, size })
}
