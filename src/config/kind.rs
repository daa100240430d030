//! Kinds of keys: how a given value is read, how a value is written back as YAML, and how a message says what
//! is allowed. The unit belongs to the kind, so that behind it there are only plain values.

use super::given::Given;
use crate::syntax::ObjectName;
use crate::telemetry::logger::Directives;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The longest namespace, in bytes: a namespace is a DNS label, not a whole DNS name.
const DNS_LABEL_MAX: usize = 63;

type Read<T> = Box<dyn Fn(&Given) -> Option<T>>;
type Write<T> = Box<dyn Fn(&T) -> String>;

/// The values that a key takes.
pub(super) struct Kind<T> {
    allowed: String,
    read: Read<T>,
    write: Write<T>,
}

/// A kind with the value that holds when nobody gives one.
pub(super) struct Key<T> {
    pub(super) kind: Kind<T>,
    pub(super) default: T,
}

impl<T: 'static> Kind<T> {
    fn new(
        allowed: String,
        read: impl Fn(&Given) -> Option<T> + 'static,
        write: impl Fn(&T) -> String + 'static,
    ) -> Self {
        Self { allowed, read: Box::new(read), write: Box::new(write) }
    }

    /// Allowed values, for a message.
    pub(super) fn allowed(&self) -> &str {
        &self.allowed
    }

    /// The value, or `None` if it is not allowed.
    pub(super) fn read(&self, given: &Given) -> Option<T> {
        (self.read)(given)
    }

    /// The value as a YAML scalar that [`Kind::read`] takes back.
    pub(super) fn write(&self, value: &T) -> String {
        (self.write)(value)
    }

    fn map<U: 'static>(self, to: impl Fn(T) -> U + 'static, from: impl Fn(&U) -> T + 'static) -> Kind<U> {
        let Self { allowed, read, write } = self;
        Kind::new(allowed, move |given| read(given).map(&to), move |value| write(&from(value)))
    }

    /// A key whose default is spelled as in the file.
    ///
    /// # Panics
    /// If the kind does not allow the default.
    pub(super) fn default(self, default: impl Display) -> Key<T> {
        let default = self.read(&Given::Text(default.to_string())).expect("a default is an allowed value");
        Key { kind: self, default }
    }

    /// The same, with more to say about what is allowed.
    pub(super) fn note(mut self, note: &str) -> Self {
        self.allowed = format!("{} ({note})", self.allowed);
        self
    }

    /// A key that may be left open.
    pub(super) fn optional(self) -> Key<Option<T>> {
        let Self { allowed, read, write } = self;
        let kind = Kind::new(
            allowed,
            move |given| read(given).map(Some),
            move |value: &Option<T>| value.as_ref().map_or_else(|| "~".to_owned(), &write),
        );
        Key { kind, default: None }
    }
}

/// A whole number; `what` names the thing counted.
fn whole<T: FromStr + Display + 'static>(range: RangeInclusive<u64>, what: &str) -> Kind<T> {
    Kind::new(
        format!("{what}: {} to {}", range.start(), range.end()),
        move |given| given.whole().filter(|number| range.contains(number))?.to_string().parse().ok(),
        T::to_string,
    )
}

/// A number of things.
pub(super) fn count<T: FromStr + Display + 'static>(range: RangeInclusive<u64>) -> Kind<T> {
    whole(range, "a whole number")
}

/// A port to listen on.
pub(super) fn port() -> Kind<u16> {
    whole(0..=65_535, "a port number (0: any free one)")
}

/// A size in bytes.
pub(super) fn bytes<T: FromStr + Display + 'static>(range: RangeInclusive<u64>) -> Kind<T> {
    whole(range, "a whole number of bytes")
}

/// A time in milliseconds.
pub(super) fn millis(range: RangeInclusive<u64>) -> Kind<Duration> {
    whole::<u64>(range, "a whole number of milliseconds")
        .map(Duration::from_millis, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A rate, not necessarily whole.
pub(super) fn calls_per_second(range: RangeInclusive<f64>) -> Kind<f64> {
    Kind::new(
        format!("a number of calls per second: {} to {}", range.start(), range.end()),
        move |given| given.real().filter(|rate| range.contains(rate)),
        f64::to_string,
    )
}

/// On or off.
pub(super) fn switch() -> Kind<bool> {
    Kind::new("true or false".to_owned(), Given::switch, bool::to_string)
}

/// One of a few words.
pub(super) fn choice<T: Copy + PartialEq + 'static>(choices: &'static [(&'static str, T)]) -> Kind<T> {
    Kind::new(
        choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or "),
        |given| choices.iter().find(|(word, _)| given.text() == Some(word)).map(|(_, value)| *value),
        |value| choices.iter().find(|(_, choice)| choice == value).map_or_else(String::new, |(word, _)| quote(word)),
    )
}

/// Several of `what`, separated by commas.
pub(super) fn list<T: FromStr + Display + 'static>(what: &str) -> Kind<Vec<T>> {
    Kind::new(
        format!("{what}, separated by commas"),
        |given| {
            given.text()?.split(',').map(str::trim).filter(|one| !one.is_empty()).map(|one| one.parse().ok()).collect()
        },
        |all: &Vec<T>| quote(&all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")),
    )
}

/// An address to listen on, without a port.
pub(super) fn address() -> Kind<IpAddr> {
    Kind::new(
        "an IP address, such as 0.0.0.0 or ::".to_owned(),
        |given| given.text()?.parse().ok(),
        |address: &IpAddr| quote(&address.to_string()),
    )
}

/// An address and a port to listen on; Go's `:8088` means every IPv4 address, and `localhost` is 127.0.0.1.
pub(super) fn socket_address() -> Kind<SocketAddr> {
    fn parse(text: &str) -> Option<SocketAddr> {
        let (address, port) = text.rsplit_once(':')?;
        match address {
            "" => Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.parse().ok()?))),
            "localhost" => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?))),
            _ => text.parse().ok(),
        }
    }
    Kind::new(
        "an IP address and a port, such as 0.0.0.0:8088, :8088 or [::]:8088".to_owned(),
        |given| parse(given.text()?),
        |address: &SocketAddr| quote(&address.to_string()),
    )
}

/// A text that passes `check`.
fn text(what: &str, check: impl Fn(&str) -> bool + 'static) -> Kind<String> {
    Kind::new(
        what.to_owned(),
        move |given| given.text().filter(|text| check(text)).map(str::to_owned),
        |text| quote(text),
    )
}

/// A text of one line that is not empty; `what` says whose.
pub(super) fn line(what: &str) -> Kind<String> {
    text(what, |text| !text.trim().is_empty() && !text.contains(char::is_control))
}

/// A file or folder; whether it is there is for its reader to find out.
pub(super) fn path(what: &str) -> Kind<PathBuf> {
    line(what).map(PathBuf::from, |path| path.display().to_string())
}

/// A namespace's name.
pub(super) fn namespace() -> Kind<String> {
    text("a namespace: at most 63 lower-case letters, digits or '-', with a letter or digit at both ends", |text| {
        text.len() <= DNS_LABEL_MAX && !text.contains('.') && ObjectName::new(text).is_ok()
    })
}

/// The end of a DNS name.
pub(super) fn domain() -> Kind<String> {
    text("a domain name in lower case, without a dot at either end, such as svc.cluster.local", |text| {
        ObjectName::new(text).is_ok()
    })
}

/// Text that a `User-Agent` header can hold.
pub(super) fn user_agent() -> Kind<String> {
    text("1 to 256 printable ASCII characters without a space at either end", |text| {
        (1..=256).contains(&text.len()) && text.trim() == text && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    })
}

/// URL of a service. Credentials are refused, a query too, which may hold some: a URL ends up in logs.
pub(super) fn url() -> Kind<String> {
    text("an http or https URL without credentials or query, such as http://envhub:8080", |text| {
        text.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
                && !text.contains('@')
                && uri.query().is_none()
        })
    })
}

/// Log levels, by module.
pub(super) fn directives() -> Kind<Directives> {
    Kind::new(
        "off, error, warn, info, debug or trace, and others for some modules, such as info,aenv_controller::memo=debug"
            .to_owned(),
        |given| given.text()?.parse().ok(),
        |directives: &Directives| quote(&directives.to_string()),
    )
}

/// A YAML text in double quotes; JSON's are the same.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
