//! Source of a create: a body of its own, or a request of the CLI together with EnvHub's description.

use super::document::Document;
use super::request::CreateRequest;
use super::section::Section;
use super::settings::{ARTIFACTS, NAME, VERSION};
use crate::syntax::LabelValue;

/// Source of a spec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    document: Option<&'a Document>,
    request: Option<&'a CreateRequest>,
}

impl<'a> Source<'a> {
    /// The body of a create.
    pub(crate) fn body(document: &'a Document) -> Self {
        Self { document: Some(document), request: None }
    }

    /// A request of the CLI alone, to check it before EnvHub is asked. The environment may say whatever is missing.
    pub(crate) fn request(request: &'a CreateRequest) -> Self {
        Self { document: None, request: Some(request) }
    }

    /// The environment that `description` describes, with the settings of `request` in the place of its own.
    pub(crate) fn described(request: &'a CreateRequest, description: &'a Document) -> Self {
        Self { document: Some(description), request: Some(request) }
    }

    /// The environment itself, and its deploy settings.
    pub(super) fn sections(self) -> (Section<'a>, Section<'a>) {
        let mut top = self.document.map(Section::of_body).unwrap_or_default();
        let deploy = top.deploy_settings().overridden_by(self.request.map(CreateRequest::fields));
        (top, deploy)
    }

    /// True if the environment is not known yet.
    pub(super) fn is_partial(self) -> bool {
        self.document.is_none()
    }

    /// The tag of the second container's image.
    pub(super) fn datasource(self) -> Option<&'a str> {
        self.request?.datasource()
    }

    /// The environment's name; the caller spelled it in the field [`Source::name_field`].
    pub(super) fn name(self, top: &mut Section<'_>) -> Option<LabelValue> {
        match self.request {
            Some(request) => Some(request.name.clone()),
            None => top.require(&NAME, "give the environment's name"),
        }
    }

    /// The environment's version.
    pub(super) fn version(self, top: &mut Section<'_>) -> Option<LabelValue> {
        match self.request {
            Some(request) => Some(request.version.clone()),
            None => top.read(&VERSION),
        }
    }

    pub(super) fn name_field(self) -> &'static str {
        if self.request.is_some() { "envName" } else { NAME.name }
    }

    /// The environment's image. `None`: it has none, or it is wrong.
    pub(super) fn image(self, top: &mut Section<'_>) -> Option<Option<String>> {
        top.read_or(&ARTIFACTS, None)
    }
}
