//! An API server of a few lines: objects by name, lists in pages, and how long each call takes.

use crate::call::{Call, Failure, Operation};
use crate::memo::{Key, Listed, Memorable, Origin, Size};
use crate::syntax::{ListFilter, ObjectName};
use crate::throttle::{Outcome, Permit, Throttle};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::time::{Duration, sleep};

/// Objects of a page.
const PAGE: usize = 500;

/// A list, or one object, each with its version.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Objects {
    Many(BTreeMap<String, u64>),
    One(String, u64),
}

/// The environment of an object: the first letter of its name.
fn is_of(name: &str, filter: &ListFilter) -> bool {
    filter.env.as_ref().is_none_or(|env| name.starts_with(env.as_str()))
}

impl Memorable for Objects {
    fn narrow(&self, key: &Key) -> Option<Self> {
        let Self::Many(objects) = self else { return None };
        match key {
            Key::One(name) => Some(Self::One(name.to_string(), *objects.get(&**name)?)),
            Key::List(filter) => {
                let part = objects.iter().filter(|(name, _)| is_of(name, filter));
                Some(Self::Many(part.map(|(name, version)| (name.clone(), *version)).collect()))
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Many(objects) => 100 * objects.len(),
            Self::One(..) => 100,
        }
    }

    fn laid_over(&self, filter: &ListFilter, written: &[(&str, Option<&Self>)]) -> Option<Self> {
        let Self::Many(objects) = self else { return None };
        let mut objects = objects.clone();
        for (name, written) in written {
            match written {
                Some(Self::One(_, version)) if is_of(name, filter) => {
                    objects.insert((*name).to_owned(), *version);
                }
                _ => {
                    objects.remove(*name);
                }
            }
        }
        Some(Self::Many(objects))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failed {
    NotFound(String),
    Down,
    Denied,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Failure for Failed {
    fn is_outage(&self) -> bool {
        *self == Self::Down
    }

    fn is_absence(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }
}

#[derive(Clone)]
pub(super) struct Server(Arc<State>);

pub(super) struct State {
    pub(super) objects: Mutex<BTreeMap<String, u64>>,
    /// Time that a read of one object takes, and each page of a list.
    pub(super) call_takes: Mutex<(Duration, Duration)>,
    pub(super) gets: AtomicUsize,
    pub(super) lists: AtomicUsize,
    pub(super) pages: AtomicUsize,
    /// Questions for the size of the list.
    pub(super) sizes: AtomicUsize,
    /// Failure of lists.
    pub(super) lists_fail: Mutex<Option<Failed>>,
    pub(super) lags: Mutex<bool>,
    /// The throttle before it.
    throttle: Option<Throttle>,
}

impl std::ops::Deref for Server {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl Server {
    /// With `count` objects, `p-0` and so on; calls take 5 ms, pages 60.
    pub(super) fn with(count: usize) -> Self {
        Self::behind(None, count)
    }

    /// The same, behind a throttle.
    pub(super) fn behind(throttle: Option<Throttle>, count: usize) -> Self {
        let objects = (0..count).map(|n| (format!("p-{n}"), 0)).collect();
        Self(Arc::new(State {
            objects: Mutex::new(objects),
            call_takes: Mutex::new((Duration::from_millis(5), Duration::from_millis(60))),
            gets: AtomicUsize::default(),
            lists: AtomicUsize::default(),
            pages: AtomicUsize::default(),
            sizes: AtomicUsize::default(),
            lists_fail: Mutex::default(),
            lags: Mutex::default(),
            throttle,
        }))
    }

    /// Reads of one object and lists so far.
    pub(super) fn asked(&self) -> (usize, usize) {
        (self.gets.load(Ordering::SeqCst), self.lists.load(Ordering::SeqCst))
    }

    /// Calls so far.
    pub(super) fn calls(&self) -> usize {
        [&self.gets, &self.pages, &self.sizes].map(|calls| calls.load(Ordering::SeqCst)).iter().sum()
    }

    async fn leave(&self, verb: &'static str, call: &Call) -> Result<Option<Permit>, Failed> {
        let Some(throttle) = &self.throttle else { return Ok(None) };
        match throttle.admit(call, Operation { verb, resource: "pods" }).await {
            Ok(permit) => Ok(Some(permit)),
            Err(_) => Err(Failed::Down),
        }
    }

    pub(super) fn set(&self, name: &str, version: u64) {
        self.objects.lock().unwrap().insert(name.to_owned(), version);
    }

    pub(super) fn remove(&self, name: &str) {
        self.objects.lock().unwrap().remove(name);
    }
}

fn answered(permit: Option<Permit>) {
    if let Some(mut permit) = permit {
        permit.ended(Outcome::Answered { status: 200, retry_after: None });
    }
}

impl Origin for Server {
    type Value = Objects;
    type Error = Failed;

    async fn get(&self, name: &ObjectName, call: &Call) -> Result<Objects, Failed> {
        let permit = self.leave("get", call).await?;
        self.gets.fetch_add(1, Ordering::SeqCst);
        let takes = self.call_takes.lock().unwrap().0;
        sleep(takes / 2).await;
        let found = self.objects.lock().unwrap().get(name.as_str()).copied();
        sleep(takes / 2).await;
        answered(permit);
        found.map(|version| Objects::One(name.to_string(), version)).ok_or_else(|| self.not_found(name))
    }

    async fn list(&self, filter: &ListFilter, gathered: bool, call: &Call) -> Result<Listed<Objects>, Failed> {
        let first = if gathered { call.clone().with_all_pages_in_lane() } else { call.clone() };
        let further = first.for_further_pages();
        let mut permit = self.leave("list", &first).await?;
        self.lists.fetch_add(1, Ordering::SeqCst);
        let takes = self.call_takes.lock().unwrap().1;
        sleep(takes / 2).await;
        let all = Objects::Many(self.objects.lock().unwrap().clone());
        let value = all.narrow(&Key::List(filter.clone())).unwrap();
        let Objects::Many(objects) = &value else { unreachable!() };
        let (objects, calls) = (objects.len(), objects.len().div_ceil(PAGE).max(1));
        for page in 0..calls {
            if page > 0 {
                permit = self.leave("list", &further).await?;
            }
            self.pages.fetch_add(1, Ordering::SeqCst);
            sleep(takes).await;
            answered(permit.take());
        }
        if let Some(error) = self.lists_fail.lock().unwrap().clone() {
            return Err(error);
        }
        let proves_absence = !*self.lags.lock().unwrap();
        Ok(Listed { value, objects, calls, proves_absence })
    }

    async fn size(&self, call: &Call) -> Result<Option<Size>, Failed> {
        let permit = self.leave("list", call).await?;
        self.sizes.fetch_add(1, Ordering::SeqCst);
        let takes = self.call_takes.lock().unwrap().0;
        sleep(takes).await;
        answered(permit);
        if let Some(error) = self.lists_fail.lock().unwrap().clone() {
            return Err(error);
        }
        let objects = self.objects.lock().unwrap().len();
        Ok(Some(Size { objects, calls: objects.div_ceil(PAGE).max(1) }))
    }

    fn not_found(&self, name: &ObjectName) -> Failed {
        Failed::NotFound(name.to_string())
    }
}
