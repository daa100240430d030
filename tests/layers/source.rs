//! Modules of the crate, and what each of them names.
//!
//! A name is followed to the module that declares the thing: through `use` in the same module, and through
//! re-exports in others. So `crate::cluster::Cluster` leads to `cluster::client`, where that type is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{Name, NameKind, Names};

/// The name by which the binary knows the library.
const LIBRARY: &str = "aenv_controller";

/// Most steps in which one name is followed: longer chains of re-exports do not exist.
const MOST_STEPS: usize = 16;

/// A crate's shipped code: the files that its roots reach outside of tests.
pub(crate) struct Source {
    /// The file of each module that has one, by the module's path; the library's root is the empty path.
    pub(crate) files: BTreeMap<Vec<String>, String>,
    /// Those and the inline ones.
    modules: BTreeSet<Vec<String>>,
    names: Vec<(String, Name)>,
    /// Names that `use` made known in a module, as they were written there.
    aliases: BTreeMap<(Vec<String>, String), Vec<String>>,
}

/// One module names another, or a dependency.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// The module of that file.
    pub(crate) from: Vec<String>,
    pub(crate) to: Target,
    /// It only passes the name on (`pub use`).
    pub(crate) exported: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// A module of the crate that has a file.
    Module(Vec<String>),
    /// The root of a path that leads out of the crate.
    Dependency(String),
}

impl Source {
    /// Reads what `src/lib.rs` and `src/main.rs` reach, out of `files` by path.
    pub(crate) fn parse(files: &BTreeMap<String, String>) -> Self {
        let mut source =
            Self { files: BTreeMap::new(), modules: BTreeSet::new(), names: Vec::new(), aliases: BTreeMap::new() };
        // The binary is a crate of its own; here it is the module `main`.
        let mut pending = vec![(vec![], "src/lib.rs".to_owned()), (vec!["main".to_owned()], "src/main.rs".to_owned())];
        while let Some((module, file)) = pending.pop() {
            let Some(text) = files.get(&file) else { continue };
            let parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("{file}: {e}"));
            let found = Names::read(module.clone(), &parsed);
            for (path, in_test) in found.declared {
                let place = file_of(&module, &file, &path, files);
                pending.extend(place.filter(|_| !in_test).map(|place| (path, place)));
            }
            source.modules.extend(found.inline_modules);
            source.modules.insert(module.clone());
            source.names.extend(found.names.into_iter().map(|name| (file.clone(), name)));
            source.files.insert(module, file);
        }
        for (_, name) in &source.names {
            if let NameKind::Use { alias, .. } = &name.kind {
                source.aliases.insert((name.scope.clone(), alias.clone()), name.path.clone());
            }
        }
        source
    }

    /// Every name that leads to another module's file or out of the crate.
    pub(crate) fn imports(&self) -> Vec<Import> {
        let found = self.names.iter().filter_map(|(file, name)| {
            let from = self.file_module(&name.scope);
            let to = self.resolve(name)?;
            let exported = matches!(name.kind, NameKind::Use { exported: true, .. });
            (to != Target::Module(from.clone())).then(|| Import {
                file: file.clone(),
                line: name.line,
                from,
                to,
                exported,
            })
        });
        found.collect()
    }

    fn resolve(&self, name: &Name) -> Option<Target> {
        // Alone, the name of a module is no use of it, and `use x` says where `x` comes from by its first part.
        let whole = name.path.len() > 1 || name.kind != NameKind::Mention;
        let path = match self.absolute(&name.scope, &name.path, whole, MOST_STEPS)? {
            Target::Dependency(root) => return Some(Target::Dependency(root)),
            Target::Module(path) => path,
        };
        Some(Target::Module(self.file_module(&path)))
    }

    /// The full path that `path` means in the module `scope`.
    fn absolute(&self, scope: &[String], path: &[String], whole: bool, steps: usize) -> Option<Target> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let in_binary = scope.first().is_some_and(|room| room == "main");
        match first.as_str() {
            "crate" if in_binary => self.follow([&scope[..1], rest].concat(), steps),
            "crate" => self.follow(rest.to_vec(), steps),
            LIBRARY => self.follow(rest.to_vec(), steps),
            "self" => self.follow([scope, rest].concat(), steps),
            "super" => {
                let parent = scope.split_last()?.1;
                match rest.first().map(String::as_str) {
                    Some("super") => self.absolute(parent, rest, true, steps),
                    _ => self.follow([parent, rest].concat(), steps),
                }
            }
            _ => {
                // `use fault::Fault` in a module with a child `fault`, or a name that `use` made known.
                let child = [scope, &path[..1]].concat();
                if let Some(known) = self.aliases.get(&(scope.to_vec(), first.clone()))
                    && known[..] != path[..1]
                    && known != path
                {
                    return self.absolute(scope, &[known, rest].concat(), true, steps);
                }
                if whole && self.modules.contains(&child) {
                    return self.follow([scope, path].concat(), steps);
                }
                let crate_like = first.starts_with(|first: char| first.is_ascii_lowercase());
                (whole && crate_like).then(|| Target::Dependency(first.clone()))
            }
        }
    }

    /// Goes through a re-export on the way, if there is one.
    fn follow(&self, path: Vec<String>, steps: usize) -> Option<Target> {
        let depth = (0..path.len()).rev().find(|depth| self.modules.contains(&path[..*depth]));
        if let Some(depth) = depth.filter(|_| !self.modules.contains(&path)) {
            let (module, rest) = path.split_at(depth);
            if let Some(known) = self.aliases.get(&(module.to_vec(), rest[0].clone())) {
                return self.absolute(module, &[known, &rest[1..]].concat(), true, steps);
            }
        }
        Some(Target::Module(path))
    }

    /// The innermost module with a file of its own around `path`.
    fn file_module(&self, path: &[String]) -> Vec<String> {
        let depths = (0..=path.len()).rev();
        let found = depths.map(|depth| &path[..depth]).find(|prefix| self.files.contains_key(*prefix));
        found.unwrap_or(&[]).to_vec()
    }
}

/// Files that nothing compiles, since no `mod` leads to them from a target's root; those for tests count, too.
pub(crate) fn undeclared(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut reached = BTreeSet::new();
    let mut pending: Vec<_> = files.keys().filter(|file| is_root(file)).cloned().collect();
    while let Some(file) = pending.pop() {
        let parsed = syn::parse_file(&files[&file]).unwrap_or_else(|e| panic!("{file}: {e}"));
        let declared = Names::read(vec![], &parsed).declared;
        pending.extend(declared.iter().filter_map(|(path, _)| file_of(&[], &file, path, files)));
        reached.insert(file);
    }
    let left_out = files.keys().filter(|file| !reached.contains(*file));
    left_out.map(|file| format!("{file}: no `mod` declares this file, so nothing compiles it")).collect()
}

/// True if cargo makes a target of the file by itself, or as the build script.
fn is_root(file: &str) -> bool {
    let parts: Vec<_> = file.split('/').collect();
    if parts == ["tests", "it", "build.rs"] {
        return true;
    }
    matches!(parts[..], ["src", "lib.rs" | "main.rs"] | ["tests" | "benches", _] | ["tests" | "benches", _, "main.rs"])
}

/// The file of the module `path`, which the file of `module` declares.
fn file_of(module: &[String], file: &str, path: &[String], files: &BTreeMap<String, String>) -> Option<String> {
    let (folder, name) = file.rsplit_once('/').unwrap();
    let is_home = is_root(file) || name == "mod.rs";
    let home = if is_home { folder.to_owned() } else { file.trim_end_matches(".rs").to_owned() };
    let below = path[module.len()..].join("/");
    [format!("{home}/{below}.rs"), format!("{home}/{below}/mod.rs")].into_iter().find(|place| files.contains_key(place))
}
