//! What new objects are made from: pod, deployment, service and claim templates.
//!
//! A complete set is built in. A folder, usually a mounted ConfigMap, may replace any of it and add pod templates: one
//! YAML file per template, `singleContainer.yaml`, `deployment.yaml`, …; every name but `deployment`, `service` and
//! `pvc` is that of a pod. [`Templates`] are one such set, read and checked as a whole, [`TemplateStore`] keeps a set
//! up to date.
//!
//! `folder` reads files, `yaml` and `tree` know the place of every key, `object` makes a Kubernetes object of it,
//! `check` says what of an object would never work.

mod check;
mod fault;
mod folder;
mod object;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod yaml;

pub use fault::{TemplateFault, TemplateFaults};
pub use store::TemplateStore;

use crate::syntax::TemplateName;
use folder::{File, Folder};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use std::collections::BTreeMap;
use std::path::Path;
use yaml::KeyPath;

/// The pod template that instances have unless they name another; its namespace is that of all objects.
const SINGLE_CONTAINER: &str = "singleContainer";
const DUAL_CONTAINER: &str = "dualContainer";
const DEPLOYMENT: &str = "deployment";
const SERVICE: &str = "service";
const CLAIM: &str = "pvc";

/// What there is without a folder.
const BUILT_IN: [(&str, &str); 5] = [
    (SINGLE_CONTAINER, include_str!("defaults/singleContainer.yaml")),
    (DUAL_CONTAINER, include_str!("defaults/dualContainer.yaml")),
    (DEPLOYMENT, include_str!("defaults/deployment.yaml")),
    (SERVICE, include_str!("defaults/service.yaml")),
    (CLAIM, include_str!("defaults/pvc.yaml")),
];

/// A complete set of templates that fit each other. Their server-set fields are gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Templates {
    pods: BTreeMap<TemplateName, Pod>,
    pod_names: Vec<TemplateName>,
    deployment: Deployment,
    service: Service,
    claim: PersistentVolumeClaim,
    selector_keys: Vec<String>,
}

impl Templates {
    /// The built-in templates, with those of `dir` in the place of the ones of the same name. `None`, and a folder
    /// that is not there: the built-in ones alone.
    ///
    /// # Errors
    /// Everything that is wrong with the folder's files.
    pub fn load(dir: Option<&Path>) -> Result<Self, TemplateFaults> {
        Self::from_folder(&dir.map_or(Folder::Missing, Folder::read))
    }

    fn from_folder(folder: &Folder) -> Result<Self, TemplateFaults> {
        let built_in = BUILT_IN.into_iter().map(|(name, text)| (name.to_owned(), File::built_in(name, text)));
        let mut files = built_in.collect::<BTreeMap<_, _>>();
        match folder {
            Folder::Missing => {}
            Folder::Unreadable(path, why) => return Err(TemplateFault::of_file(path, why).into()),
            Folder::Files(given) => files.extend(given.clone()),
        }
        Self::from_files(files)
    }

    /// Templates of `files` by name, the built-in ones among them; what is of no other type is a pod.
    fn from_files(mut files: BTreeMap<String, File>) -> Result<Self, TemplateFaults> {
        let mut take = |name| files.remove(name).expect("it is built in");
        let (deployment, service, claim) = (take(DEPLOYMENT), take(SERVICE), take(CLAIM));
        let mut faults = Vec::new();
        let deployment = keep(object::read::<Deployment>(&deployment), &mut faults);
        let service = keep(object::read::<Service>(&service), &mut faults);
        let claim = keep(object::read::<PersistentVolumeClaim>(&claim), &mut faults);
        let pods = files.iter().filter_map(|(name, file)| keep(read_pod(name, file), &mut faults)).collect();
        if let (Some((deployment, _)), Some((service, document))) = (&deployment, &service) {
            faults.extend(strangers(deployment, service).map(|key| document.fault(&key, STRANGER)));
        }
        match (deployment, service, claim) {
            (Some((deployment, _)), Some((service, _)), Some((claim, _))) if faults.is_empty() => {
                Ok(Self::new(pods, deployment, service, claim))
            }
            _ => Err(TemplateFaults(faults)),
        }
    }

    fn new(
        pods: BTreeMap<TemplateName, Pod>,
        deployment: Deployment,
        service: Service,
        claim: PersistentVolumeClaim,
    ) -> Self {
        let pod_names = pods.keys().cloned().collect();
        let selector_keys = selector_keys(&deployment).cloned().collect();
        Self { pods, pod_names, deployment, service, claim, selector_keys }
    }

    /// The pod template of that name.
    #[must_use]
    pub fn pod(&self, name: &TemplateName) -> Option<&Pod> {
        self.pods.get(name)
    }

    /// The names of the pod templates, in order.
    #[must_use]
    pub fn pod_names(&self) -> &[TemplateName] {
        &self.pod_names
    }

    /// The template of a service's Deployment. Its selector has one key at least, and its pods have those labels.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The template of a service's Service. It has one port at least, and no selector key that the Deployment has not.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The template of a service's PersistentVolumeClaim.
    #[must_use]
    pub fn claim(&self) -> &PersistentVolumeClaim {
        &self.claim
    }

    /// The label keys by which Deployments and Services find their pods.
    #[must_use]
    pub fn selector_keys(&self) -> &[String] {
        &self.selector_keys
    }

    /// The namespace that the `singleContainer` template names. The built-in one names none.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let (_, pod) = self.pods.iter().find(|(name, _)| name.as_str() == SINGLE_CONTAINER)?;
        pod.metadata.namespace.as_deref()
    }
}

/// The built-in templates.
impl Default for Templates {
    fn default() -> Self {
        Self::from_folder(&Folder::Missing).expect("the built-in templates are sound")
    }
}

fn read_pod(name: &str, file: &File) -> Result<(TemplateName, Pod), TemplateFaults> {
    let name = TemplateName::new(name).map_err(|why| TemplateFault::of_file(&file.path, format!("its name {why}")))?;
    object::read(file).map(|(pod, _)| (name, pod))
}

fn keep<T>(read: Result<T, TemplateFaults>, faults: &mut Vec<TemplateFault>) -> Option<T> {
    read.map_err(|wrong| faults.extend(wrong.0)).ok()
}

const STRANGER: &str = "is not in spec.selector.matchLabels of the deployment, so a service would find no pod";

/// The selector keys of a Service that no Deployment's pods have.
fn strangers(deployment: &Deployment, service: &Service) -> impl Iterator<Item = KeyPath> {
    let selector = service.spec.iter().filter_map(|spec| spec.selector.as_ref()).flat_map(BTreeMap::keys);
    let strange = selector.filter(|key| !selector_keys(deployment).any(|known| known == *key));
    strange.map(|key| KeyPath::of("spec.selector").key(key))
}

fn selector_keys(deployment: &Deployment) -> impl Iterator<Item = &String> {
    deployment.spec.selector.match_labels.iter().flat_map(BTreeMap::keys)
}
