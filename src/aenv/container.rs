//! Changes that services and instances make to the containers of their templates.

use k8s_openapi::api::core::v1::{Container, EnvVar};
use std::collections::{BTreeMap, HashMap};

/// Sets the environment variables of `container`: one that the template has is replaced, not doubled.
pub(crate) fn set_variables(container: &mut Container, variables: &BTreeMap<String, String>) {
    if variables.is_empty() {
        return;
    }
    let env = container.env.get_or_insert_default();
    let known: HashMap<_, _> = env.iter().enumerate().map(|(place, known)| (known.name.clone(), place)).collect();
    for (name, value) in variables {
        let variable = EnvVar { name: name.clone(), value: Some(value.clone()), value_from: None };
        match known.get(name) {
            Some(place) => env[*place] = variable,
            None => env.push(variable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_the_template_is_replaced_and_a_new_one_is_added() {
        let variable =
            |name: &str, value: &str| EnvVar { name: name.into(), value: Some(value.into()), value_from: None };
        let mut container =
            Container { env: Some(vec![variable("A", "1"), variable("B", "2")]), ..Container::default() };
        set_variables(&mut container, &BTreeMap::from([("B".into(), "3".into()), ("C".into(), "4".into())]));
        assert_eq!(container.env, Some(vec![variable("A", "1"), variable("B", "3"), variable("C", "4")]));
        let mut bare = Container::default();
        set_variables(&mut bare, &BTreeMap::new());
        assert_eq!(bare.env, None);
    }
}
