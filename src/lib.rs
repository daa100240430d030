//! aenv-controller.

#[cfg(feature = "sandbox")]
pub mod sandbox;
