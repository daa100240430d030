//! Names in one file: every path that its shipped code writes, with the module it is written in.
//!
//! Nothing is resolved here. Paths come from `use` trees, from expressions, types and patterns, and from the tokens
//! of macros and attributes, whose grammar is their own: there, `a::b` is taken for a path wherever it stands.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, Path, UseTree, Visibility, visit, visit::Visit};

/// A path as it was written, with `crate`, `self` and `super` in it.
#[derive(Debug)]
pub(crate) struct Name {
    /// The module that it is written in: that of the file, and the inline modules around it.
    pub(crate) scope: Vec<String>,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) kind: NameKind,
}

#[derive(Debug, PartialEq)]
pub(crate) enum NameKind {
    /// `use path as alias`. It is a re-export where it is not private.
    Use { alias: String, exported: bool },
    /// `use path::*`.
    Glob,
    /// Anything else.
    Mention,
}

/// Names of one file.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) names: Vec<Name>,
    /// Modules with a body of their own in this file, by their full path.
    pub(crate) inline_modules: Vec<Vec<String>>,
    /// Modules that live in another file, by their full path; the flag says that only tests see them.
    pub(crate) declared: Vec<(Vec<String>, bool)>,
}

impl Names {
    /// Reads the file of the module `scope`.
    pub(crate) fn read(scope: Vec<String>, file: &syn::File) -> Self {
        let mut reader = Reader { scope, in_test: false, found: Self::default() };
        reader.visit_file(file);
        reader.found
    }
}

struct Reader {
    scope: Vec<String>,
    /// Inside code that only tests see, where nothing counts but the files it declares.
    in_test: bool,
    found: Names,
}

impl Reader {
    fn add(&mut self, path: Vec<String>, at: Span, kind: NameKind) {
        if !self.in_test {
            self.found.names.push(Name { scope: self.scope.clone(), path, line: at.start().line, kind });
        }
    }

    fn add_use(&mut self, stem: &[String], tree: &UseTree, exported: bool) {
        let joined = |ident: &syn::Ident| [stem, &[plain(ident)]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&joined(&path.ident), &path.tree, exported),
            UseTree::Name(name) => {
                let path = if name.ident == "self" { stem.to_vec() } else { joined(&name.ident) };
                let alias = path.last().cloned().unwrap_or_default();
                self.add(path, name.ident.span(), NameKind::Use { alias, exported });
            }
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { stem.to_vec() } else { joined(&rename.ident) };
                let alias = plain(&rename.rename);
                self.add(path, rename.ident.span(), NameKind::Use { alias, exported });
            }
            UseTree::Glob(glob) => self.add(stem.to_vec(), glob.star_token.spans[0], NameKind::Glob),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(stem, tree, exported)),
        }
    }

    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        // How many colons stand behind the last name, and whether a dot stands before the next: `x.y::<T>()`.
        let (mut colons, mut field) = (0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons < 2 {
                        field &= path.is_empty();
                        self.flush(&mut path, start, field);
                        start = ident.span();
                    }
                    path.push(plain(&ident));
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Punct(punct) => {
                    self.flush(&mut path, start, field);
                    (colons, field) = (0, punct.as_char() == '.');
                }
                TokenTree::Group(group) => {
                    self.flush(&mut path, start, field);
                    (colons, field) = (0, false);
                    self.add_tokens(group.stream());
                }
                TokenTree::Literal(_) => {
                    self.flush(&mut path, start, field);
                    (colons, field) = (0, false);
                }
            }
        }
        self.flush(&mut path, start, field);
    }

    fn flush(&mut self, path: &mut Vec<String>, start: Span, field: bool) {
        let path = std::mem::take(path);
        if !path.is_empty() && !field {
            self.add(path, start, NameKind::Mention);
        }
    }

    fn inside(&mut self, in_test: bool, walk: impl FnOnce(&mut Self)) {
        let before = self.in_test;
        self.in_test |= in_test;
        walk(self);
        self.in_test = before;
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        self.inside(is_test(attributes_of(item)), |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(item) => &item.attrs[..],
            syn::ImplItem::Const(item) => &item.attrs,
            _ => &[],
        };
        self.inside(is_test(attributes), |reader| visit::visit_impl_item(reader, item));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let path = [&self.scope[..], &[plain(&item.ident)]].concat();
        if item.content.is_none() {
            self.found.declared.push((path, self.in_test));
            return;
        }
        if !self.in_test {
            self.found.inline_modules.push(path.clone());
        }
        let outer = std::mem::replace(&mut self.scope, path);
        visit::visit_item_mod(self, item);
        self.scope = outer;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_use(&[], &item.tree, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
        let at = path.segments[0].ident.span();
        self.add(names, at, NameKind::Mention);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        if called.path.segments.len() > 1 {
            self.visit_path(&called.path);
        }
        self.add_tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().segments.len() > 1 {
            self.visit_path(attribute.path());
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
        }
    }

    /// `pub(super)` names nothing that is used.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// True if the item is compiled for tests alone: `#[cfg(test)]`, also as one of `all(…)`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition = attribute.meta.require_list().unwrap().tokens.to_string().replace(' ', "");
        condition == "test" || condition.starts_with("all(test,") || condition.contains(",test,")
    })
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name without `r#`.
fn plain(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}
