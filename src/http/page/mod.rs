//! `/`: one page for a browser, with the services, the instances and how this replica and the API server get along.
//!
//! The page is compiled in and needs nothing else. It asks `/services`, `/pods` and `/status` of the listener that it
//! came from, and nobody else: its policy lets the browser run and load nothing that is not in the file.

use super::answer::answer_document;
use super::ask::Answer;
use crate::aenv::rows::Rendering;
use actix_web::HttpRequest;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
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
    include_str!("views.js"),
    include_str!("picture.js"),
    include_str!("main.js"),
    "</script>\n</body>\n</html>\n",
);

/// Content security policy of the page. The hashes are those of its style and its script; `.ci/page` says what they
/// have to be.
const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-s8iTz64dTewyXJZSana9Hd1CK2VU6hWJyJa1Bfc78LQ='; ",
    "script-src 'sha256-kaXntogZVGpN70H7evN6vnlwUiVFBqJ0saOy/Jcbk+Y='; ",
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ",
    // Text stays text: no string can become markup or code.
    "require-trusted-types-for 'script'; trusted-types 'none'",
);

pub(super) async fn show_page(request: HttpRequest) -> Answer {
    // The policy belongs to the page, and so does its tag.
    static DOCUMENT: LazyLock<Rendering> = LazyLock::new(|| Rendering::document_of(&(PAGE, POLICY), PAGE));
    let headers = [
        // Kept, but asked for again each time: a new replica may bring a new page.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    answer_document(&request, &DOCUMENT, "text/html; charset=utf-8", &headers).await
}
