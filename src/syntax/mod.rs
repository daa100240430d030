//! Text formats that Kubernetes and Go define: names, label values, selectors, quantities, durations; and faults of
//! texts.
//!
//! Every value here is checked when it is made, so that a selector, a path or an object never holds unchecked text.
//! Imports nothing of the crate.

mod faults;
mod go_duration;
mod host_pattern;
mod label_selector;
mod list_filter;
mod names;
mod network;
mod quantity;

pub use faults::{Fault, Faults};
pub use go_duration::{format_go_duration, parse_go_duration};
pub use host_pattern::{BadHostPattern, HostPattern};
pub use label_selector::{InvalidSelector, LabelSelector};
pub use list_filter::{ENV_NAME, ENV_VERSION, ListFilter, OWNER, Phase, TTL};
pub use names::{Invalid, LabelValue, NamePrefix, ObjectName, TemplateName, check_label_key};
pub use network::{BadNetwork, Network};
pub use quantity::Quantity;
