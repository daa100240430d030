//! Text formats that Kubernetes and Go define: names, label values, selectors, quantities, durations. And what they are
//! read from and answered with: the value tree of JSON and YAML, and faults.
//!
//! Every value here is checked when it is made, so that a selector, a path or an object never holds unchecked text.
//! Imports nothing of the crate.

mod cut;
mod faults;
mod go_duration;
mod host_pattern;
mod label_selector;
mod list_filter;
mod names;
mod network;
mod quantity;
mod value;

pub(crate) use cut::cut;
pub(crate) use faults::{Fault, Faults};
pub(crate) use go_duration::{format_go_duration, parse_go_duration};
pub(crate) use host_pattern::HostPattern;
pub(crate) use label_selector::LabelSelector;
pub use list_filter::ListFilter;
pub(crate) use list_filter::{ENV_NAME, ENV_VERSION, OWNER, Phase, TTL};
pub use names::ObjectName;
pub(crate) use names::{Invalid, LabelValue, NamePrefix, TemplateName, check_label_key};
pub(crate) use network::Network;
pub(crate) use quantity::Quantity;
pub(crate) use value::{Node, Object, Place, Value};
