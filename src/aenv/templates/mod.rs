//! Templates of new objects: pods, Deployment, Service and PersistentVolumeClaim.
//!
//! A complete set is built in. A folder, usually a mounted ConfigMap, may replace any of it and add pod templates: one
//! YAML file per template, `singleContainer.yaml`, `deployment.yaml`, …; every name but `deployment`, `service` and
//! `pvc` is that of a pod. The legacy files of the Go controller come before the built-in templates, and after the
//! folder. [`Templates`] are one such set, [`TemplateStore`] keeps a set up to date.
//!
//! A broken file costs its template: creates that need it are refused, the others are served. Keys that no type knows are
//! ignored with a warning, as the Go controller ignores them.
//!
//! `folder` reads files, `yaml` and `key_path` know the place of every key, `typed` and `object` make a Kubernetes object
//! of it, `check` finds what of an object would never work, `selectors` completes what selectors need.

mod check;
mod folder;
mod key_path;
mod object;
mod selectors;
mod store;
#[cfg(test)]
mod tests;
mod typed;
mod yaml;

pub(crate) use store::TemplateStore;

use crate::aenv::environment::Rejected;
use crate::syntax::{Fault, Faults, TemplateName};
use check::Template;
use folder::{File, Folder};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// The pod template that instances have unless they name another; its namespace is that of all objects.
const SINGLE_CONTAINER: &str = "singleContainer";
const DUAL_CONTAINER: &str = "dualContainer";
const WINDOWS: &str = "win64";
const DEPLOYMENT: &str = "deployment";
const SERVICE: &str = "service";
const CLAIM: &str = "pvc";

/// Names by which the documentation of AEnvironment, and the Go controller's own defaults, call pod templates.
const DOCUMENTED: [(&str, &str); 5] = [
    ("Default", SINGLE_CONTAINER),
    ("linux", SINGLE_CONTAINER),
    ("amd64", SINGLE_CONTAINER),
    ("Terminal", DUAL_CONTAINER),
    ("windows", WINDOWS),
];

/// The templates that there are without a folder.
const BUILT_IN: [(&str, &str); 5] = [
    (SINGLE_CONTAINER, include_str!("defaults/singleContainer.yaml")),
    (DUAL_CONTAINER, include_str!("defaults/dualContainer.yaml")),
    (DEPLOYMENT, include_str!("defaults/deployment.yaml")),
    (SERVICE, include_str!("defaults/service.yaml")),
    (CLAIM, include_str!("defaults/pvc.yaml")),
];

/// A complete set of templates that fit each other. Their server-set fields are gone.
///
/// A template whose file is broken is not there; in the place of a broken one of Deployment, Service or claim stands the
/// built-in one, which nothing is made of: [`Templates::check`] refuses that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Templates {
    pods: BTreeMap<TemplateName, Pod>,
    pod_names: Vec<TemplateName>,
    deployment: Deployment,
    service: Service,
    claim: PersistentVolumeClaim,
    selector_keys: Vec<String>,
    /// The namespace of all objects according to a broken template of instances.
    broken_namespace: Option<String>,
    findings: Findings,
}

/// Findings in the files besides templates.
#[derive(Debug, Clone, Default, PartialEq)]
struct Findings {
    /// The faults of each broken template, by its name.
    broken: BTreeMap<String, Faults>,
    /// The faults of files whose templates are those of before.
    kept: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Findings {
    /// The value, or a note that the template `name` is broken.
    fn keep<T>(&mut self, name: &str, read: Result<T, Faults>) -> Option<T> {
        read.map_err(|faults| self.broken.insert(name.to_owned(), faults)).ok()
    }
}

impl Templates {
    /// The built-in templates, with those of `dir` in the place of the ones of the same name. `None`, and a folder
    /// that is not there: the built-in ones alone, or those of the legacy paths.
    ///
    /// # Errors
    /// If the folder cannot be read. A broken file costs its template alone.
    pub(crate) fn load(dir: Option<&Path>) -> Result<Self, Faults> {
        Self::from_folder(&dir.map_or(Folder::Missing, Folder::read))
    }

    /// The same, if none of them is broken.
    pub(crate) fn if_sound(self) -> Result<Self, Faults> {
        self.faults().cloned().collect::<Faults>().none_or(self)
    }

    /// With the last good version of each template that is broken now.
    fn keeping(mut self, last: &Self) -> Self {
        let broken = &mut self.findings.broken;
        let pods: Vec<_> = last.pods.iter().filter(|(name, _)| broken.contains_key(name.as_str())).collect();
        let mut kept: Vec<_> = pods.iter().map(|(name, _)| name.as_str()).collect();
        self.pods.extend(pods.into_iter().map(|(name, pod)| (name.clone(), pod.clone())));
        // The selectors of these two fit each other.
        let pair = [DEPLOYMENT, SERVICE];
        let sound = |name: &&str| !last.findings.broken.contains_key(*name);
        if pair.iter().any(|name| broken.contains_key(*name)) && pair.iter().all(sound) {
            self.deployment = last.deployment.clone();
            self.service = last.service.clone();
            self.selector_keys.clone_from(&last.selector_keys);
            kept.extend(pair);
        }
        if broken.contains_key(CLAIM) && sound(&CLAIM) {
            self.claim = last.claim.clone();
            kept.push(CLAIM);
        }
        let faults = kept.into_iter().filter_map(|name| broken.remove(name)).flatten();
        self.findings.kept = faults.collect();
        self.pod_names = self.pods.keys().cloned().collect();
        self
    }

    fn from_folder(folder: &Folder) -> Result<Self, Faults> {
        match folder {
            Folder::Missing => Ok(Self::default()),
            Folder::Unreadable(path, why) => Err(Fault::of_file(path, why).into()),
            Folder::Files(given) => Ok(Self::from_files(built_in().chain(given.clone()).collect())),
        }
    }

    /// Templates of `files` by name, the built-in ones among them; what is of no other type is a pod.
    fn from_files(mut files: BTreeMap<String, File>) -> Self {
        let mut findings = Findings::default();
        let mut deployment: Deployment = take(&mut files, DEPLOYMENT, &mut findings);
        let mut service: Service = take(&mut files, SERVICE, &mut findings);
        let claim = take(&mut files, CLAIM, &mut findings);
        selectors::complete(&mut deployment, &mut service);
        let mut broken_namespace = None;
        let mut pods = BTreeMap::new();
        for (name, file) in &files {
            let template = match TemplateName::new(name) {
                Ok(template) => template,
                Err(why) => {
                    let warning = Fault::of_file(&file.path, format!("is ignored, its name {why}"));
                    findings.warnings.push(warning);
                    continue;
                }
            };
            if let Some((pod, warnings)) = findings.keep(name, object::read(file)) {
                findings.warnings.extend(warnings);
                pods.insert(template, pod);
            } else if name == SINGLE_CONTAINER {
                broken_namespace = object::namespace(file);
            }
        }
        let pod_names = pods.keys().cloned().collect();
        let selector_keys = deployment.spec.selector.match_labels.iter().flat_map(BTreeMap::keys).cloned().collect();
        Self { pods, pod_names, deployment, service, claim, selector_keys, broken_namespace, findings }
    }

    /// Checks that these templates can be used.
    ///
    /// # Errors
    /// [`Rejected::Template`] for the first that is broken.
    pub(crate) fn check<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), Rejected> {
        let mut broken = names.into_iter().filter_map(|name| Some((name, self.findings.broken.get(name)?)));
        let rejected =
            |(name, faults): (&str, &Faults)| Rejected::Template { name: name.to_owned(), faults: faults.to_string() };
        broken.next().map_or(Ok(()), |broken| Err(rejected(broken)))
    }

    /// The same for the templates of a service, with or without storage.
    pub(crate) fn check_for_service(&self, storage: bool) -> Result<(), Rejected> {
        self.check([DEPLOYMENT, SERVICE].into_iter().chain(storage.then_some(CLAIM)))
    }

    /// The faults of all broken templates.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.findings.broken.values().flat_map(Faults::iter)
    }

    /// The faults of files whose templates are those of before.
    fn kept(&self) -> impl Iterator<Item = &Fault> {
        self.findings.kept.iter()
    }

    /// Keys and files that are ignored.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &Fault> {
        self.findings.warnings.iter()
    }

    /// The pod template that `name` means, broken or not: the one of that name, the only one that has it in another case,
    /// or one that the documentation of AEnvironment calls so.
    pub(crate) fn find_pod(&self, name: &TemplateName) -> Option<TemplateName> {
        let pods = self.findings.broken.keys().filter(|name| ![DEPLOYMENT, SERVICE, CLAIM].contains(&&***name));
        let broken = pods.filter_map(|name| TemplateName::new(name).ok());
        let known: Vec<_> = self.pod_names.iter().cloned().chain(broken).collect();
        if known.contains(name) {
            return Some(name.clone());
        }
        let called = |wanted: &str| {
            let mut alike = known.iter().filter(|known| known.as_str().eq_ignore_ascii_case(wanted));
            alike.next().filter(|_| alike.next().is_none()).cloned()
        };
        let documented = || {
            let (_, meant) = DOCUMENTED.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(name.as_str()))?;
            called(meant)
        };
        called(name.as_str()).or_else(documented)
    }

    /// The pod template of that name.
    pub(crate) fn pod(&self, name: &TemplateName) -> Option<&Pod> {
        self.pods.get(name)
    }

    /// The names of the pod templates, in order.
    pub(crate) fn pod_names(&self) -> &[TemplateName] {
        &self.pod_names
    }

    /// The template of a service's Deployment. Its selector has one key at least, and its pods have those labels.
    pub(crate) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// True if every container of a service has an image of its own.
    pub(crate) fn has_images(&self) -> bool {
        let containers = self.deployment.spec.template.spec.iter().flat_map(|pod| &pod.containers);
        containers.into_iter().all(|container| container.image.as_ref().is_some_and(|image| !image.is_empty()))
    }

    /// The template of a service's Service. It has one port at least, and no selector key that the Deployment has not.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// The template of a service's PersistentVolumeClaim.
    pub(crate) fn claim(&self) -> &PersistentVolumeClaim {
        &self.claim
    }

    /// The label keys by which Deployments and Services find their pods.
    pub(crate) fn selector_keys(&self) -> &[String] {
        &self.selector_keys
    }

    /// The namespace that the `singleContainer` template names. The built-in one names none.
    pub(crate) fn namespace(&self) -> Option<&str> {
        match self.pods.iter().find(|(name, _)| name.as_str() == SINGLE_CONTAINER) {
            Some((_, pod)) => pod.metadata.namespace.as_deref(),
            None => self.broken_namespace.as_deref(),
        }
    }
}

/// The built-in templates, parsed once.
impl Default for Templates {
    fn default() -> Self {
        static PARSED: LazyLock<Templates> = LazyLock::new(|| Templates::from_files(built_in().collect()));
        PARSED.clone()
    }
}

fn built_in() -> impl Iterator<Item = (String, File)> {
    BUILT_IN.into_iter().map(|(name, text)| (name.to_owned(), File::built_in(name, text)))
}

/// Takes a template out of `files`; the built-in one if it is broken.
fn take<T>(files: &mut BTreeMap<String, File>, name: &str, findings: &mut Findings) -> T
where
    T: Template + DeserializeOwned,
{
    let file = files.remove(name).expect("it is built in");
    if let Some((object, warnings)) = findings.keep(name, object::read(&file)) {
        findings.warnings.extend(warnings);
        return object;
    }
    let built_in = BUILT_IN.iter().find(|(known, _)| *known == name).map(|(name, text)| File::built_in(name, text));
    object::read(&built_in.expect("it is built in")).expect("the built-in templates are sound").0
}
