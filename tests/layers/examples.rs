//! The check itself, on small crates: what it must find and what it must let pass.

use std::collections::BTreeMap;

use crate::{
    rules::{ANY, Rules},
    source::{Source, undeclared},
    verdict,
};

const RULES: Rules = Rules {
    arrows: &[
        ("app", ANY),
        ("http", &["core", "core::rows"]),
        ("core", &["core::rows", "core::pods"]),
        ("core::pods", &["core::rows"]),
        ("core::rows", &[]),
    ],
    dependencies: &[("kube", &["src/core/pods.rs"]), ("actix_web", &["src/http"])],
    circles: &[],
};

const LIB: (&str, &str) = ("src/lib.rs", "mod app; mod core; mod http;");
const CORE: (&str, &str) = ("src/core/mod.rs", "pub mod pods; pub mod rows;");
const ROWS: (&str, &str) = ("src/core/rows.rs", "pub struct Row;");

fn sources(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
}

/// The broken arrows of a crate whose `core::rows` has this text.
fn arrows_of_rows(text: &str) -> Vec<String> {
    let others = [LIB, CORE, ("src/http.rs", ""), ("src/core/pods.rs", "pub struct Pod;"), ("src/app.rs", "")];
    let files = [&others[..], &[("src/core/rows.rs", text)]].concat();
    verdict::arrows(&Source::parse(&sources(&files)), &RULES)
}

#[track_caller]
fn assert_forbidden(text: &str, line: usize, target: &str) {
    assert_eq!(arrows_of_rows(text), [format!("src/core/rows.rs:{line}: `core::rows` must not name `{target}`")]);
}

#[track_caller]
fn assert_allowed(text: &str) {
    assert_eq!(arrows_of_rows(text), [""; 0]);
}

#[test]
fn a_forbidden_use_is_found_in_a_group() {
    assert_forbidden("use std::fmt;\nuse crate::{\n    core::{\n        pods::Pod}};", 4, "core::pods");
}

#[test]
fn a_forbidden_use_is_found_under_another_name() {
    assert_forbidden("use crate::core::pods as other;\nfn f() {}", 1, "core::pods");
}

#[test]
fn a_forbidden_path_is_found_in_a_function() {
    assert_forbidden("fn f() {\n    let _ = crate::core::pods::Pod;\n}", 2, "core::pods");
}

#[test]
fn a_forbidden_path_is_found_in_a_type_and_a_pattern() {
    assert_forbidden("fn f(_: &super::pods::Pod) {}", 1, "core::pods");
    assert_forbidden("fn f() { if let crate::http::State = g() {} }", 1, "http");
}

#[test]
fn a_forbidden_path_is_found_behind_a_module_that_use_names() {
    let found = arrows_of_rows("use crate::core as home;\nfn f() { home::pods::list() }");
    let message = |(line, target)| format!("src/core/rows.rs:{line}: `core::rows` must not name `{target}`");
    assert_eq!(found, [(1, "core"), (2, "core::pods")].map(message));
}

#[test]
fn a_forbidden_path_is_found_in_the_arguments_of_a_macro() {
    assert_forbidden("fn f() { println!(\"{}\", [crate::core::pods::LIMIT, 2]) }", 1, "core::pods");
    assert_forbidden("macro_rules! rows { () => { $crate::core::pods::list() } }", 1, "core::pods");
}

#[test]
fn a_forbidden_path_is_found_in_a_derive() {
    assert_forbidden("#[derive(crate::http::Answer)]\nstruct Row;", 1, "http");
}

#[test]
fn a_re_export_is_followed_to_where_the_thing_is_declared() {
    let core = ("src/core/mod.rs", "pub mod pods; pub mod rows; pub use pods::Pod;");
    let pods = ("src/core/pods.rs", "pub struct Pod;");
    let rows = ("src/core/rows.rs", "use crate::core::Pod;");
    let files = sources(&[LIB, core, pods, rows, ("src/app.rs", ""), ("src/http.rs", "")]);
    let found = verdict::arrows(&Source::parse(&files), &RULES);
    assert_eq!(found, ["src/core/rows.rs:1: `core::rows` must not name `core::pods`"]);
}

#[test]
fn tests_may_name_anything() {
    assert_allowed("#[cfg(test)]\nmod tests { use crate::http::State; fn f() { crate::core::pods::list() } }");
    assert_allowed("#[cfg(test)]\nuse crate::http::State;");
    assert_allowed("#[cfg(all(test, feature = \"sandbox\"))]\nfn f() { crate::core::pods::list() }");
}

#[test]
fn code_that_tests_do_not_see_counts() {
    assert_forbidden("#[cfg(not(test))]\nuse crate::http::State;", 2, "http");
    assert_forbidden("#[cfg(feature = \"test\")]\nuse crate::http::State;", 2, "http");
}

#[test]
fn comments_strings_fields_and_names_of_ones_own_are_no_imports() {
    assert_allowed("// crate::http::State\n/// [`crate::http::State`]\nfn f() { g(\"crate::http::State\") }");
    assert_allowed("fn f() { row.http::<u8>(); println!(\"{}\", row.http) }");
    assert_allowed("mod http { pub struct State; }\nuse http::State;");
}

#[test]
fn a_room_without_a_row_is_found() {
    let files = sources(&[("src/lib.rs", "mod http; mod new;"), ("src/http.rs", ""), ("src/new/mod.rs", "")]);
    let found = verdict::arrows(&Source::parse(&files), &RULES);
    assert_eq!(found, ["src/new/mod.rs:1: `new` has no row in the table of arrows"]);
}

#[test]
fn a_dependency_is_found_outside_of_its_places() {
    let pods = ("src/core/pods.rs", "use kube::Api; fn f() -> kube::Client { actix_web::web() }");
    let http = ("src/http.rs", "use ::{std::fmt, actix_web::web}; use kube; fn f() { web::get() }");
    let found = verdict::dependencies(&Source::parse(&sources(&[LIB, CORE, ROWS, pods, http])), &RULES);
    assert_eq!(
        found,
        [
            "src/core/pods.rs:1: `actix_web` belongs in src/http alone",
            "src/http.rs:1: `actix_web` belongs in src/http alone",
            "src/http.rs:1: `kube` belongs in src/core/pods.rs alone",
        ]
    );
}

#[test]
fn a_child_with_the_name_of_a_dependency_is_not_the_dependency() {
    let files =
        sources(&[LIB, CORE, ROWS, ("src/http/mod.rs", "mod kube; use kube::State;"), ("src/http/kube.rs", "")]);
    assert_eq!(verdict::dependencies(&Source::parse(&files), &RULES), [""; 0]);
}

fn circles_of(files: &[(&str, &str)], circles: &'static [(&'static str, &'static str)]) -> Vec<String> {
    let rules = Rules { circles, ..RULES };
    verdict::circles(&Source::parse(&sources(files)), &rules)
}

#[test]
fn a_circle_inside_a_room_is_found_with_its_places() {
    let files = [
        ("src/lib.rs", "mod http;"),
        ("src/http/mod.rs", "mod a; mod b; mod c;"),
        ("src/http/a.rs", "use super::b::B;"),
        ("src/http/b.rs", "use super::c::C;"),
        ("src/http/c.rs", "\nfn f() { crate::http::a::g() }"),
    ];
    let circle = "circle: http::a -> http::b -> http::c -> http::a \
                  (src/http/a.rs:1, src/http/b.rs:1, src/http/c.rs:2)";
    assert_eq!(circles_of(&files, &[]), [circle]);
    assert_eq!(circles_of(&files, &[("http::c", "http::a")]), [""; 0]);
}

#[test]
fn a_module_and_its_child_can_make_a_circle() {
    let files = [
        ("src/lib.rs", "mod http;"),
        ("src/http/mod.rs", "mod a; pub struct State; fn f() { a::g() }"),
        ("src/http/a.rs", "use super::State;"),
    ];
    assert_eq!(circles_of(&files, &[]), ["circle: http -> http::a -> http (src/http/mod.rs:1, src/http/a.rs:1)"]);
}

#[test]
fn re_exports_make_no_circle() {
    let files = [
        ("src/lib.rs", "mod http;"),
        ("src/http/mod.rs", "mod a; mod b; pub use a::A; pub(crate) use b::B;"),
        ("src/http/a.rs", "use super::B; pub struct A;"),
        ("src/http/b.rs", "pub struct B;"),
    ];
    assert_eq!(circles_of(&files, &[]), [""; 0]);
}

#[test]
fn an_exception_that_is_not_needed_any_more_is_found() {
    let found = circles_of(&[("src/lib.rs", "")], &[("http::a", "http::b")]);
    assert_eq!(found, ["`http::a` does not name `http::b` any more: remove the exception"]);
}

#[test]
fn a_circle_in_the_table_itself_is_found() {
    let rules = Rules { arrows: &[("core", &["http"]), ("http", &["core"])], ..RULES };
    let found = verdict::circles(&Source::parse(&sources(&[("src/lib.rs", "")])), &rules);
    assert_eq!(found, ["the table of arrows has a circle: core -> http -> core"]);
}

#[test]
fn a_file_that_nothing_declares_is_found() {
    let files = sources(&[
        ("src/lib.rs", "mod http; #[cfg(test)] mod tests; mod inline { mod deep; }"),
        ("src/http/mod.rs", "mod page;"),
        ("src/http/page.rs", ""),
        ("src/http/forgotten.rs", ""),
        ("src/inline/deep.rs", ""),
        ("src/tests.rs", "mod more;"),
        ("src/tests/more.rs", ""),
        ("tests/it/main.rs", "mod pods;"),
        ("tests/it/pods.rs", ""),
        ("tests/it/services.rs", ""),
        ("benches/reads.rs", ""),
    ]);
    let message = |file| format!("{file}: no `mod` declares this file, so nothing compiles it");
    assert_eq!(undeclared(&files), ["src/http/forgotten.rs", "tests/it/services.rs"].map(message));
}
