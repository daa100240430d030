//! `/`: one page for a browser, with the services and how this replica and the API server get along.
//!
//! The page is compiled in and needs nothing else. It asks `/services` and `/status` of the listener that it came from, and
//! nobody else: its policy lets the browser run and load nothing that is not in the file.

use super::answer::knows;
use super::ask::Answer;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, ETAG, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

/// One file for the browser, with one `<style>` and one `<script>`.
const PAGE: &str = concat!(
    include_str!("head.html"),
    "<style>",
    include_str!("page.css"),
    "</style>\n",
    include_str!("body.html"),
    "<script type=\"module\">",
    include_str!("ask.js"),
    include_str!("table.js"),
    include_str!("picture.js"),
    include_str!("main.js"),
    "</script>\n</body>\n</html>\n",
);

/// What the page may do. The hashes are those of its style and its script; `.ci/page` says what they have to be.
const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-Lq3xiY8ZD4a38dO/oA90LYVaKJsdtThwE+XaltJ+tHE='; ",
    "script-src 'sha256-WFfWLhy1Tq6sXb89E+pftTzYd2k58mmTekB0/WdhB2U='; ",
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ",
    // Text stays text: no string can become markup or code.
    "require-trusted-types-for 'script'; trusted-types 'none'",
);

/// A strong entity tag. The policy belongs to the page.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    hasher.write(PAGE.as_bytes());
    hasher.write(POLICY.as_bytes());
    format!("\"{:016x}\"", hasher.finish())
});

pub(super) async fn show_page(request: HttpRequest) -> Answer {
    let known = knows(request.headers(), &TAG);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, TAG.as_str()))
        // Kept, but asked for again each time: a new replica may bring a new page.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    Ok(if known { response.finish() } else { response.content_type(ContentType::html()).body(PAGE) })
}
