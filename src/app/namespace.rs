//! Namespace of all objects: chosen once at start, from the settings and the templates.

use crate::aenv::templates::Templates;
use crate::config::{DEFAULT_NAMESPACE, Settings};

/// The namespace of all objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Namespace {
    pub(super) name: String,
    /// The source of the name, for messages.
    pub(super) named_by: &'static str,
    /// A warning for the operator: `--namespace` was given, and is not the one.
    pub(super) warning: Option<String>,
}

impl Namespace {
    /// Chooses the namespace: `kubernetes.namespace`, else that of the `singleContainer` template if it comes from a
    /// folder, else `--namespace`, else [`DEFAULT_NAMESPACE`].
    ///
    /// The Go controller takes `--namespace` for the namespace of its leader election, and makes objects where the
    /// template says. So must a controller that is started with the same flags and templates.
    pub(super) fn choose(settings: &Settings, templates: &Templates) -> Self {
        let kubernetes = &settings.kubernetes;
        let flag = kubernetes.default_namespace.as_deref();
        let chosen = |name: &str, named_by| Self { name: name.to_owned(), named_by, warning: None };
        match (&kubernetes.namespace, templates.namespace(), flag) {
            (Some(name), ..) => chosen(name, "kubernetes.namespace"),
            (None, Some(name), _) => {
                let differs = flag.filter(|flag| *flag != name);
                let warning = differs.map(|flag| {
                    format!(
                        "all objects live in namespace {name}, which the singleContainer template names; --namespace \
                         {flag} does not move them: set kubernetes.namespace to choose another one"
                    )
                });
                Self { warning, ..chosen(name, "the singleContainer template") }
            }
            (None, None, Some(flag)) => chosen(flag, "--namespace"),
            (None, None, None) => chosen(DEFAULT_NAMESPACE, "the default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The choice of these settings, with a folder of templates whose singleContainer is in `template`, if that is given.
    fn choose(setting: Option<&str>, template: Option<&str>, flag: Option<&str>) -> Namespace {
        let dir = tempfile::tempdir().unwrap();
        if let Some(name) = template {
            let pod = format!("kind: Pod\nmetadata: {{namespace: {name}}}\nspec: {{containers: [{{name: main}}]}}\n");
            fs::write(dir.path().join("singleContainer.yaml"), pod).unwrap();
        }
        let mut settings = Settings::default();
        settings.kubernetes.namespace = setting.map(str::to_owned);
        settings.kubernetes.default_namespace = flag.map(str::to_owned);
        Namespace::choose(&settings, &Templates::load(Some(dir.path())).unwrap())
    }

    #[test]
    fn the_setting_wins_then_the_template_then_the_flag() {
        for (setting, template, flag, expected) in [
            (Some("mine"), Some("theirs"), Some("aenv"), "mine"),
            (None, Some("theirs"), Some("aenv"), "theirs"),
            (None, None, Some("aenv"), "aenv"),
            (None, None, None, DEFAULT_NAMESPACE),
        ] {
            assert_eq!(choose(setting, template, flag).name, expected);
        }
    }

    #[test]
    fn a_flag_that_does_not_decide_is_warned_of() {
        let warning = choose(None, Some("theirs"), Some("aenv")).warning.unwrap();
        for word in ["theirs", "--namespace aenv", "kubernetes.namespace"] {
            assert!(warning.contains(word), "{warning}");
        }
        for (setting, template, flag) in [
            (Some("mine"), Some("theirs"), Some("aenv")),
            (None, Some("aenv"), Some("aenv")),
            (None, None, Some("aenv")),
        ] {
            assert_eq!(choose(setting, template, flag).warning, None);
        }
    }
}
