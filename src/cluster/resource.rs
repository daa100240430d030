//! The resources that the controller reads, and where the API server has them.

use k8s_openapi::api::{apps, core};
use kube::core::{Request, Resource as Kind};

/// A kind of object in the sandbox namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `apps/v1` Deployments.
    Deployments,
    /// `v1` Services.
    Services,
    /// `v1` Pods.
    Pods,
}

impl Resource {
    /// The plural as it stands in paths and metric labels.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Deployments => "deployments",
            Self::Services => "services",
            Self::Pods => "pods",
        }
    }

    /// The request builder for this resource's collection in `namespace`.
    pub(super) fn requests(self, namespace: &str) -> Request {
        let namespace = Some(namespace);
        Request::new(match self {
            Self::Deployments => apps::v1::Deployment::url_path(&(), namespace),
            Self::Services => core::v1::Service::url_path(&(), namespace),
            Self::Pods => core::v1::Pod::url_path(&(), namespace),
        })
    }
}
