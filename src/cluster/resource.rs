//! The resources that the controller works on, and where the API server has them.

use k8s_openapi::api::{apps, core};
use kube::core::{Request, Resource as Kind};

/// A kind of object in the sandbox namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `apps/v1` Deployments.
    Deployments,
    /// `v1` Services.
    Services,
    /// `v1` Pods.
    Pods,
    /// `v1` PersistentVolumeClaims.
    Claims,
}

impl Resource {
    /// The plural as it stands in paths and metric labels.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Deployments => "deployments",
            Self::Services => "services",
            Self::Pods => "pods",
            Self::Claims => "persistentvolumeclaims",
        }
    }

    /// Its API group; empty for the core group.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Deployments => "apps",
            Self::Services | Self::Pods | Self::Claims => "",
        }
    }

    /// The plural with its API group, as the API server's messages have it.
    pub(super) fn qualified(self) -> &'static str {
        match self {
            Self::Deployments => "deployments.apps",
            Self::Services | Self::Pods | Self::Claims => self.plural(),
        }
    }

    /// The request builder for this resource's collection in `namespace`.
    pub(super) fn requests(self, namespace: &str) -> Request {
        let namespace = Some(namespace);
        Request::new(match self {
            Self::Deployments => apps::v1::Deployment::url_path(&(), namespace),
            Self::Services => core::v1::Service::url_path(&(), namespace),
            Self::Pods => core::v1::Pod::url_path(&(), namespace),
            Self::Claims => core::v1::PersistentVolumeClaim::url_path(&(), namespace),
        })
    }
}
