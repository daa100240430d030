//! What the `aenv` CLI and SDK say and read: requests to create something of an environment that EnvHub describes, and
//! the environment as an object in answers.

mod env;
mod request;

pub use env::Env;
pub use request::{CreateRequest, INSTANCE, Kind, SERVICE};
