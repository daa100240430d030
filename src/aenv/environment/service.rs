//! What a new environment service is to be.

use super::body::Section;
use super::document::Json;
use super::faults::{Fault, Faults};
use super::rules;
use crate::syntax::Quantity;
use crate::syntax::{LabelValue, NamePrefix, ObjectName};
use std::collections::BTreeMap;

/// The port, unless one is given.
const DEFAULT_PORT: u16 = 8080;
/// The mount path, unless one is given.
const DEFAULT_MOUNT_PATH: &str = "/home/admin/data";
/// A claim is mounted by one node; callers look for these very words.
const ONE_REPLICA: &str = "When creating PVC (storageSize specified), replicas must be 1";

/// What a new environment service is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// The environment's name.
    pub env: LabelValue,
    /// The environment's version.
    pub version: Option<LabelValue>,
    /// Who it belongs to.
    pub owner: Option<LabelValue>,
    /// The name of all of its objects but the claim.
    pub name: ServiceName,
    /// The image of every container.
    pub image: String,
    /// How many pods; not negative.
    pub replicas: i32,
    /// The Service's port, and the one that it leads to.
    pub port: u16,
    /// The environment variables of every container.
    pub variables: BTreeMap<String, String>,
    /// The resources of every container.
    pub resources: Resources,
    /// Where the volume called `data` is mounted.
    pub mount_path: String,
    /// The claim behind that volume. `None`: there is none, and the template's is left out.
    pub storage: Option<Storage>,
}

/// The name of a new service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceName {
    /// The caller's.
    Given(ObjectName),
    /// One to be made up.
    Generated(NamePrefix),
}

/// What a container asks for, and what it may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Processor time.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
    /// Disk space that goes with the pod.
    pub ephemeral_storage: Amount,
}

/// A request, and a limit that is no less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// What is set aside.
    pub request: Quantity,
    /// What is not exceeded.
    pub limit: Quantity,
}

/// Storage that outlives the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The name of the claim.
    pub claim: ObjectName,
    /// Its size, if it has to be created; more than zero.
    pub size: Quantity,
}

impl ServiceSpec {
    /// Reads the body of a create.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, Faults> {
        let document = Json::parse(body)?;
        let mut top = Section::of_body(&document);
        let mut deploy = top.deploy_settings();

        let env = top.require("name", "give the environment's name", rules::label_value);
        let version = top.read("version", rules::label_value);
        let image = top.require("artifacts", "give one of type \"image\"", rules::image_artifact);
        let owner = deploy.read("owner", rules::label_value);
        let name = service_name(&mut top, &mut deploy, env.as_ref());
        let replicas = deploy.read_or("replicas", 1, rules::replicas);
        let port = deploy.read_or("port", DEFAULT_PORT, rules::port);
        let variables = deploy.read_or("environment_variables", BTreeMap::new(), rules::variables);
        let resources = resources(&mut deploy);
        let mount_path = deploy.read_or("mountPath", DEFAULT_MOUNT_PATH.to_owned(), rules::mount_path);
        let storage = storage(&mut top, &mut deploy, env.as_ref());
        if deploy.has("storageSize") && replicas.is_some_and(|replicas| replicas != 1) {
            deploy.refuse(Fault::of_body(ONE_REPLICA));
        }

        let mut faults = top.into_faults();
        faults.extend(deploy.into_faults());
        let spec = || {
            Some(Self {
                env: env?,
                version,
                owner,
                name: name?,
                image: image?,
                replicas: replicas?,
                port: port?,
                variables: variables?,
                resources: resources?,
                mount_path: mount_path?,
                storage,
            })
        };
        if faults.is_empty() { spec().ok_or(faults) } else { Err(faults) }
    }
}

/// The given name, or one that begins with the environment's.
fn service_name(top: &mut Section<'_>, deploy: &mut Section<'_>, env: Option<&LabelValue>) -> Option<ServiceName> {
    if deploy.has("serviceName") {
        return deploy.read("serviceName", rules::service_name).map(ServiceName::Given);
    }
    let env = env?;
    let prefix = NamePrefix::new(&format!("{env}-svc-"), ObjectName::for_service).map_err(|why| {
        let instead = deploy.path("serviceName");
        top.refuse(Fault::at("name", format!("\"{env}\" with \"-svc-\" and six characters {why}; give {instead}")));
    });
    prefix.map(ServiceName::Generated).ok()
}

fn resources(deploy: &mut Section<'_>) -> Option<Resources> {
    let cpu = amount(deploy, ["cpuRequest", "cpuLimit"], "1");
    let memory = amount(deploy, ["memoryRequest", "memoryLimit"], "2Gi");
    let ephemeral_storage = amount(deploy, ["ephemeralStorageRequest", "ephemeralStorageLimit"], "10Gi");
    Some(Resources { cpu: cpu?, memory: memory?, ephemeral_storage: ephemeral_storage? })
}

/// A request must not exceed its limit:
/// <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits>.
fn amount(deploy: &mut Section<'_>, [request_key, limit_key]: [&str; 2], default: &str) -> Option<Amount> {
    let default = Quantity::parse(default).expect("a default is a quantity");
    let request = deploy.read_or(request_key, default, rules::quantity);
    let limit = deploy.read_or(limit_key, default, rules::quantity);
    let (request, limit) = (request?, limit?);
    if request.milli() <= limit.milli() {
        return Some(Amount { request, limit });
    }
    let by_default = |key| if deploy.has(key) { "" } else { " by default" };
    let fault = if deploy.has(request_key) {
        let problem =
            format!("{request} is more than {}, which is {limit}{}", deploy.path(limit_key), by_default(limit_key));
        Fault::at(deploy.path(request_key), problem)
    } else {
        let problem = format!("{limit} is less than {}, which is {request} by default", deploy.path(request_key));
        Fault::at(deploy.path(limit_key), problem)
    };
    deploy.refuse(fault);
    None
}

/// The claim, if a size is given. Its name is checked all the same.
fn storage(top: &mut Section<'_>, deploy: &mut Section<'_>, env: Option<&LabelValue>) -> Option<Storage> {
    let size = deploy.read("storageSize", rules::storage_size);
    if deploy.has("pvcName") {
        let claim = deploy.read("pvcName", rules::object_name);
        return Some(Storage { claim: claim?, size: size? });
    }
    let (size, env) = (size?, env?);
    let claim = ObjectName::new(env.as_str()).map_err(|why| {
        top.refuse(Fault::at("name", format!("\"{env}\" {why}; give {}", deploy.path("pvcName"))));
    });
    Some(Storage { claim: claim.ok()?, size })
}
