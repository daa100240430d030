//! Rules for names, label keys and label values, in the API server's words.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME_PART: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Complaints about a value; none if it is fine.
pub(super) type Complaints = Vec<String>;

/// The name of most objects.
pub(super) fn subdomain(name: &str) -> Complaints {
    check(name, 253, name.split('.').all(is_dns_label), SUBDOMAIN)
}

/// The name of a container or a volume.
pub(super) fn dns_label(name: &str) -> Complaints {
    check(name, 63, is_dns_label(name), LABEL)
}

/// The name of a Service.
pub(super) fn dns_1035_label(name: &str) -> Complaints {
    let fits = is_dns_label(name) && name.starts_with(|first: char| first.is_ascii_lowercase());
    check(name, 63, fits, DNS_1035)
}

pub(super) fn label_value(value: &str) -> Complaints {
    check(value, 63, value.is_empty() || is_name_part(value), LABEL_VALUE)
}

/// The key of a label or an annotation: `name` or `prefix/name`.
pub(super) fn qualified_name(key: &str) -> Complaints {
    let mut complaints = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                complaints.push("prefix part must be non-empty".to_owned());
            } else {
                complaints.extend(subdomain(prefix).into_iter().map(|why| format!("prefix part {why}")));
            }
            *name
        }
        _ => {
            return vec![format!(
                "a qualified name {NAME_PART} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        complaints.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        complaints.push("name part must be no more than 63 characters".to_owned());
    }
    if !is_name_part(name) {
        complaints.push(format!("name part {NAME_PART}"));
    }
    complaints
}

fn check(value: &str, longest: usize, fits: bool, rule: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.len() > longest {
        complaints.push(format!("must be no more than {longest} characters"));
    }
    if !fits {
        complaints.push(rule.to_owned());
    }
    complaints
}

fn is_dns_label(label: &str) -> bool {
    framed(label, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(), b"-")
}

fn is_name_part(part: &str) -> bool {
    framed(part, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

/// True if `word` begins and ends with an `edge` byte and has only those and `inner` ones between.
fn framed(word: &str, edge: impl Fn(&u8) -> bool, inner: &[u8]) -> bool {
    let bytes = word.as_bytes();
    bytes.first().is_some_and(&edge)
        && bytes.last().is_some_and(&edge)
        && bytes.iter().all(|byte| edge(byte) || inner.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_their_type() {
        assert!(subdomain("weather-svc-a1.b").is_empty());
        assert!(dns_1035_label("weather-1").is_empty());
        for bad in ["", "-a", "a-", "a..b", "A", "a_b", "a b"] {
            assert_eq!(subdomain(bad), [SUBDOMAIN], "{bad}");
        }
        assert_eq!(dns_1035_label("1a"), [DNS_1035]);
        assert_eq!(subdomain(&"x".repeat(254)), ["must be no more than 253 characters"]);
    }

    #[test]
    fn label_values_may_be_empty_but_keys_may_not() {
        assert!(label_value("").is_empty());
        assert_eq!(label_value("a b"), [LABEL_VALUE]);
        assert!(qualified_name("business/aenv-name").is_empty());
        assert_eq!(qualified_name("/x"), ["prefix part must be non-empty"]);
        assert_eq!(qualified_name("").len(), 2);
        assert_eq!(qualified_name("a/b/c").len(), 1);
    }
}
