//! Verdicts: where the source and the rules differ, a line for each place.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    circles::{self, Graph},
    rules::{ANY, Rules},
    source::{Import, Source, Target},
};

/// Imports between rooms that no arrow allows.
pub(crate) fn arrows(source: &Source, rules: &Rules) -> Vec<String> {
    let mut broken = BTreeSet::new();
    for (module, file) in &source.files {
        if !module.is_empty() && rules.room_of(module).is_none() {
            broken.insert(format!("{file}:1: `{}` has no row in the table of arrows", module.join("::")));
        }
    }
    for import in source.imports() {
        let Some((from, to)) = rooms(&import, rules) else { continue };
        let allowed = rules.arrows.iter().find(|(room, _)| *room == from).map_or(&[][..], |(_, allowed)| *allowed);
        if from != to && !allowed.contains(&to) && allowed != ANY {
            broken.insert(format!("{}:{}: `{from}` must not name `{to}`", import.file, import.line));
        }
    }
    broken.into_iter().collect()
}

/// Dependencies that are named outside of their places.
pub(crate) fn dependencies(source: &Source, rules: &Rules) -> Vec<String> {
    let mut broken = BTreeSet::new();
    for Import { file, line, to, .. } in source.imports() {
        let Target::Dependency(root) = to else { continue };
        let Some((_, places)) = rules.dependencies.iter().find(|(name, _)| *name == root) else { continue };
        let is_inside = |place: &str| match place.strip_prefix('*') {
            Some(end) => file.ends_with(end),
            None => file == place || file.starts_with(&format!("{place}/")),
        };
        if !places.iter().any(|place| is_inside(place)) {
            broken.insert(format!("{file}:{line}: `{root}` belongs in {} alone", places.join(" and ")));
        }
    }
    broken.into_iter().collect()
}

/// Circles in the table of arrows and among the modules of each room, and exceptions that are not needed any more.
pub(crate) fn circles(source: &Source, rules: &Rules) -> Vec<String> {
    let table = rules.arrows.iter().filter(|(_, allowed)| *allowed != ANY);
    let table = table.map(|(room, allowed)| ((*room).to_owned(), allowed.iter().map(|to| (*to).to_owned()).collect()));
    let between = circles::find(&table.collect());
    let mut broken: Vec<_> =
        between.iter().map(|circle| format!("the table of arrows has a circle: {}", round(circle))).collect();

    let imports = imports_inside_rooms(source);
    let mut graph = Graph::new();
    for (from, to) in imports.keys() {
        graph.entry(from.clone()).or_default().insert(to.clone());
    }
    for (from, to) in rules.circles {
        let there = graph.get_mut(*from).is_some_and(|targets| targets.remove(*to));
        if !there {
            broken.push(format!("`{from}` does not name `{to}` any more: remove the exception"));
        }
    }
    for circle in circles::find(&graph) {
        let next = circle.iter().skip(1).chain(&circle[..1]);
        let places = circle.iter().zip(next).map(|(from, to)| imports[&(from.clone(), to.clone())].as_str());
        broken.push(format!("circle: {} ({})", round(&circle), places.collect::<Vec<_>>().join(", ")));
    }
    broken
}

/// Imports from one module of a top room to another of the same, each with the first place that makes it. A re-export
/// makes none: a name leads to the module that declares the thing.
fn imports_inside_rooms(source: &Source) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for import in source.imports() {
        let Target::Module(to) = &import.to else { continue };
        if !import.exported && !to.is_empty() && import.from.first() == to.first() {
            let place = format!("{}:{}", import.file, import.line);
            found.entry((import.from.join("::"), to.join("::"))).or_insert(place);
        }
    }
    found
}

fn rooms<'a>(import: &Import, rules: &'a Rules) -> Option<(&'a str, &'a str)> {
    let Target::Module(to) = &import.to else { return None };
    Some((rules.room_of(&import.from)?, rules.room_of(to)?))
}

fn round(circle: &[String]) -> String {
    let closed = circle.iter().chain(&circle[..1]);
    closed.map(String::as_str).collect::<Vec<_>>().join(" -> ")
}
