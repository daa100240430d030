//! The types that the sandbox holds, and how a request path names them.
//!
//! Spelling is the whole job: `deployments`, `Deployment`, `apps/v1`, `deployments.apps` all come from
//! here, so that every answer and every error uses the API server's own words.

/// One resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Resource {
    Deployments,
    Services,
    Pods,
    PersistentVolumeClaims,
    Namespaces,
}

impl Resource {
    pub(super) const ALL: [Self; 5] =
        [Self::Deployments, Self::Services, Self::Pods, Self::PersistentVolumeClaims, Self::Namespaces];

    /// As in a path: `deployments`.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Deployments => "deployments",
            Self::Services => "services",
            Self::Pods => "pods",
            Self::PersistentVolumeClaims => "persistentvolumeclaims",
            Self::Namespaces => "namespaces",
        }
    }

    /// As in a document: `Deployment`.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Deployments => "Deployment",
            Self::Services => "Service",
            Self::Pods => "Pod",
            Self::PersistentVolumeClaims => "PersistentVolumeClaim",
            Self::Namespaces => "Namespace",
        }
    }

    pub(super) fn short_name(self) -> &'static str {
        match self {
            Self::Deployments => "deploy",
            Self::Services => "svc",
            Self::Pods => "po",
            Self::PersistentVolumeClaims => "pvc",
            Self::Namespaces => "ns",
        }
    }

    /// The API group; empty for the core group.
    pub(super) fn group(self) -> &'static str {
        match self {
            Self::Deployments => "apps",
            _ => "",
        }
    }

    /// As in a document: `apps/v1`.
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::Deployments => "apps/v1",
            _ => "v1",
        }
    }

    pub(super) fn namespaced(self) -> bool {
        self != Self::Namespaces
    }

    /// As in an error about one object: `deployments.apps`.
    pub(super) fn qualified(self) -> String {
        with_group(self.plural(), self.group())
    }

    /// Fields that a field selector may name.
    pub(super) fn field_labels(self) -> &'static [&'static str] {
        match self {
            Self::Pods => &[
                "metadata.name",
                "metadata.namespace",
                "spec.nodeName",
                "spec.restartPolicy",
                "status.phase",
                "status.podIP",
            ],
            Self::Namespaces => &["metadata.name", "status.phase"],
            _ => &["metadata.name", "metadata.namespace"],
        }
    }

    fn from_plural(group: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.group() == group && resource.plural() == plural)
    }
}

/// A type in an error message: `deployments.apps`.
pub(super) fn with_group(word: &str, group: &str) -> String {
    if group.is_empty() { word.to_owned() } else { format!("{word}.{group}") }
}

/// The parts of an object that have a path of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subresource {
    Status,
    Scale,
}

/// Target of a request path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) resource: Resource,
    /// `None`: all namespaces, or a resource that has none.
    pub(super) namespace: Option<String>,
    /// `None`: the collection.
    pub(super) name: Option<String>,
    pub(super) subresource: Option<Subresource>,
}

impl Target {
    /// `None` for a path that no resource answers to. A segment that is still percent-encoded cannot be a
    /// name and is not one.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        if segments.iter().any(|segment| segment.is_empty() || segment.contains('%')) {
            return None;
        }
        let (group, rest) = match segments.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", "apps", "v1", rest @ ..] => ("apps", rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(*name), None),
            [plural, name, subresource] => (plural, Some(*name), Some(*subresource)),
            _ => return None,
        };
        let resource = Resource::from_plural(group, plural)?;
        if resource.namespaced() != namespace.is_some() && (name.is_some() || namespace.is_some()) {
            return None;
        }
        let subresource = match subresource {
            None => None,
            Some("status") => Some(Subresource::Status),
            Some("scale") if resource == Resource::Deployments => Some(Subresource::Scale),
            Some(_) => return None,
        };
        Some(Self { resource, namespace: namespace.map(str::to_owned), name: name.map(str::to_owned), subresource })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_collection_an_object_or_its_status() {
        let all = Target::parse("/api/v1/pods").unwrap();
        assert_eq!((all.resource, all.namespace, all.name), (Resource::Pods, None, None));
        let one = Target::parse("/apis/apps/v1/namespaces/ns/deployments/x/scale").unwrap();
        assert_eq!(one.resource, Resource::Deployments);
        assert_eq!(one.namespace.as_deref(), Some("ns"));
        assert_eq!(one.name.as_deref(), Some("x"));
        assert_eq!(one.subresource, Some(Subresource::Scale));
        let namespace = Target::parse("/api/v1/namespaces/ns").unwrap();
        assert_eq!(namespace.resource, Resource::Namespaces);
        assert_eq!(namespace.name.as_deref(), Some("ns"));
    }

    #[test]
    fn hostile_paths_name_nothing() {
        for path in [
            "",
            "/",
            "//api/v1/pods",
            "/api/v1/pods/x",
            "/api/v1/namespaces/ns/deployments",
            "/api/v1/namespaces//pods",
            "/api/v1/namespaces/ns/pods/x/scale",
            "/api/v1/namespaces/ns/pods/x/status/y",
            "/api/v1/namespaces/ns/pods/%2e%2e",
            "/apis/apps/v2/deployments",
        ] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }
}
