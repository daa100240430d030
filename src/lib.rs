//! aenv-controller.
