//! The AEnvironment controller: a stateless API service that turns HTTP requests into Kubernetes objects.
//!
//! An *environment service* is a Deployment with a Service (and a PersistentVolumeClaim, if it has storage); an
//! *environment instance* is a Pod. Nothing is mirrored and nothing is watched: a request is answered by paginated,
//! selector-narrowed calls through one limited client, and the answer is remembered for seconds.
//!
//! ```text
//! http  ->  services | instances  ->  memo  ->  cluster  ->  throttle  ->  API server
//! (actix)   (what AEnvironment means) (moka)    (kube)       (tokens)
//! ```
//!
//! Imports point that way only; `just layers` holds them to it.
//!
//! | module | its job |
//! | --- | --- |
//! | [`cli`], [`settings`] | flags, file and environment, checked as a whole |
//! | [`app`] | the composition root: builds each layer, hands plain values down, serves, drains |
//! | [`doctor`] | looks for what is wrong with the cluster, the rights and the settings, and says what to change |
//! | [`http`] | routes, what a request may say, status codes; with the sandbox the only one that names actix |
//! | [`services`], [`instances`] | what AEnvironment means by a service and by an instance |
//! | [`environment`] | the body of a create or an update, checked in full before anything is asked |
//! | [`templates`] | what new objects are made from: built in, or from a folder that is re-read when it changes |
//! | [`gateway`], [`envhub`] | what the CLI and SDK say: an environment by its name, which EnvHub describes |
//! | [`envelope`], [`listing`] | what clients parse: the envelope, and rows rendered once |
//! | [`memo`] | answers kept for seconds, one fetch for all who ask; the only one that names moka |
//! | [`cluster`] | the API server: the one client, pages, retries, slim decoding; the only one that names kube |
//! | [`throttle`] | the token bucket around the transport |
//! | [`credentials`] | who may ask and with which certificate it is answered, from files that are re-read when they change |
//! | [`logger`] | lines for people or for collectors, from a level on that may change |
//! | [`watch`] | tells when a file may have changed; the only one that names notify |
//! | [`call`], [`labels`], [`quantity`], [`go_duration`], [`live`], [`metrics`], [`request_context`], [`sparingly`] | leaves that all may use: deadlines, checked words, amounts, times, settings that change, counters, whose work this is, log lines that would flood |
//!
//! A replica that nobody asks anything makes no call, and any replica can be killed at any time.

pub mod app;
pub mod call;
pub mod cli;
pub mod cluster;
pub mod container;
pub mod credentials;
pub mod doctor;
pub mod envelope;
pub mod envhub;
pub mod environment;
pub mod gateway;
pub mod go_duration;
pub mod http;
pub mod instances;
pub mod labels;
pub mod listing;
pub mod live;
pub mod logger;
pub mod memo;
pub mod metrics;
pub mod quantity;
pub mod request_context;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod services;
pub mod settings;
pub mod sparingly;
pub mod templates;
pub mod throttle;
pub mod watch;
