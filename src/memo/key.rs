//! Key: one question. Equal questions share an answer, and a wider answer serves a narrower question.

use crate::syntax::{LabelSelector, ListFilter, ObjectName};
use std::sync::Arc;

/// A question about one resource in the sandbox namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The one object with this name.
    One(Arc<str>),
    /// All objects that the filter asks for.
    List(ListFilter),
}

impl Key {
    /// The object with this name.
    pub fn one(name: &ObjectName) -> Self {
        Self::One(name.as_str().into())
    }

    /// The list of all objects.
    pub fn everything() -> Self {
        Self::List(ListFilter::default())
    }

    /// The wider lists that hold the answer to this question, the widest first.
    pub(super) fn wider(&self) -> impl Iterator<Item = (Self, ListFilter)> {
        let filters = match self {
            Self::One(_) => vec![ListFilter::default()],
            Self::List(filter) => {
                let mut wider = vec![ListFilter::default()];
                if filter.env.is_some() {
                    wider.push(ListFilter { env: filter.env.clone(), ..ListFilter::default() });
                }
                if !filter.labels.is_empty() {
                    wider.push(ListFilter { labels: LabelSelector::default(), ..filter.clone() });
                }
                if filter.with_ttl {
                    wider.push(ListFilter { with_ttl: true, ..ListFilter::default() });
                }
                wider.retain(|wider| wider != filter);
                wider
            }
        };
        filters.into_iter().map(|filter| (Self::List(filter.clone()), filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::LabelValue;

    #[test]
    fn a_question_is_served_by_wider_ones_but_not_by_itself() {
        let env = LabelValue::new("weather").ok();
        let of_env = ListFilter { env: env.clone(), ..ListFilter::default() };
        let of_owner_in_env = ListFilter { owner: LabelValue::new("jun").ok(), ..of_env.clone() };
        let wider = |key: Key| key.wider().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(wider(Key::List(ListFilter::default())), []);
        assert_eq!(wider(Key::List(of_env.clone())), [Key::List(ListFilter::default())]);
        assert_eq!(wider(Key::List(of_owner_in_env)), [Key::List(ListFilter::default()), Key::List(of_env)]);
        assert_eq!(wider(Key::One("x".into())), [Key::List(ListFilter::default())]);
    }
}
