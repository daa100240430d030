//! Fair queue: first come, first served for each caller, and callers in turn (round robin). Pure.
//!
//! A caller with a hundred calls in the queue gets as many turns as one with a single call, so that nobody fills the queue
//! for all others. Calls that continue a request which has begun go ahead of all of that: a half-made service helps
//! nobody, and each of them follows a first call that had waited for its fair turn.

use crate::call::CallerKey;
use std::collections::{BTreeMap, HashMap};

/// A place in a queue, by which it can be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// `None`: among those that continue a request.
    caller: Option<CallerKey>,
    arrival: u64,
}

/// The waiters of one lane.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    continuing: BTreeMap<u64, T>,
    callers: HashMap<CallerKey, Waiting<T>>,
    /// Callers in the order of their turns.
    turns: BTreeMap<u64, CallerKey>,
    /// Counts arrivals and turns: each number is used once.
    counter: u64,
    len: usize,
}

/// The waiters of one caller; never empty.
#[derive(Debug)]
struct Waiting<T> {
    turn: u64,
    waiters: BTreeMap<u64, T>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        let (continuing, callers, turns) = (BTreeMap::new(), HashMap::new(), BTreeMap::new());
        Self { continuing, callers, turns, counter: 0, len: 0 }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Queues `waiter` behind the other calls of `caller`; with `None` behind those that continue a request.
    pub(super) fn enter(&mut self, caller: Option<CallerKey>, waiter: T) -> Place {
        self.counter += 1;
        self.len += 1;
        let arrival = self.counter;
        match caller {
            None => {
                self.continuing.insert(arrival, waiter);
            }
            Some(key) => {
                let turns = &mut self.turns;
                let waiting = self.callers.entry(key).or_insert_with(|| {
                    turns.insert(arrival, key);
                    Waiting { turn: arrival, waiters: BTreeMap::new() }
                });
                waiting.waiters.insert(arrival, waiter);
            }
        }
        Place { caller, arrival }
    }

    /// Gives a place up. False if its turn has come already.
    pub(super) fn leave(&mut self, place: Place) -> bool {
        let left = match place.caller {
            None => self.continuing.remove(&place.arrival).is_some(),
            Some(key) => {
                let Some(waiting) = self.callers.get_mut(&key) else { return false };
                let left = waiting.waiters.remove(&place.arrival).is_some();
                if waiting.waiters.is_empty() {
                    self.turns.remove(&waiting.turn);
                    self.callers.remove(&key);
                }
                left
            }
        };
        self.len -= usize::from(left);
        left
    }

    /// Takes out the waiter whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let waiter = match self.continuing.pop_first() {
            Some((_, waiter)) => waiter,
            None => {
                let (_, key) = self.turns.pop_first()?;
                let waiting = self.callers.get_mut(&key)?;
                let (_, waiter) = waiting.waiters.pop_first()?;
                if waiting.waiters.is_empty() {
                    self.callers.remove(&key);
                } else {
                    self.counter += 1;
                    waiting.turn = self.counter;
                    self.turns.insert(self.counter, key);
                }
                waiter
            }
        };
        self.len -= 1;
        Some(waiter)
    }

    /// Number of turns before that of a call that enters now, if nobody else comes. `caller` as for
    /// [`FairQueue::enter`].
    pub(super) fn ahead(&self, caller: Option<CallerKey>) -> usize {
        let Some(key) = caller else { return self.continuing.len() };
        let Some(own) = self.callers.get(&key) else { return self.continuing.len() + self.turns.len() };
        let rounds = own.waiters.len();
        let others = self.callers.iter().filter(|(other, _)| **other != key);
        let of_others =
            others.map(|(_, waiting)| waiting.waiters.len().min(rounds + usize::from(waiting.turn < own.turn)));
        self.continuing.len() + rounds + of_others.sum::<usize>()
    }

    /// Takes out all waiters of which `goes` says so.
    pub(super) fn extract(&mut self, mut goes: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut gone = take_out(&mut self.continuing, &mut goes);
        let turns = &mut self.turns;
        self.callers.retain(|_, waiting| {
            gone.extend(take_out(&mut waiting.waiters, &mut goes));
            if waiting.waiters.is_empty() {
                turns.remove(&waiting.turn);
            }
            !waiting.waiters.is_empty()
        });
        self.len -= gone.len();
        gone
    }
}

fn take_out<T>(waiters: &mut BTreeMap<u64, T>, mut goes: impl FnMut(&T) -> bool) -> Vec<T> {
    let gone: Vec<u64> = waiters.iter().filter(|(_, waiter)| goes(waiter)).map(|(arrival, _)| *arrival).collect();
    gone.iter().filter_map(|arrival| waiters.remove(arrival)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Option<CallerKey> {
        Some(CallerKey::of(name))
    }

    fn filled(names: &str) -> FairQueue<String> {
        let mut queue = FairQueue::default();
        for name in names.split_whitespace() {
            queue.enter(caller(&name[..1]), name.to_owned());
        }
        queue
    }

    fn order(queue: &mut FairQueue<String>) -> String {
        std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn callers_take_turns_and_each_is_served_in_order() {
        assert_eq!(order(&mut filled("a1 a2 a3 a4 b1 c1 b2")), "a1 b1 c1 a2 b2 a3 a4");
    }

    #[test]
    fn a_caller_that_comes_again_and_again_does_not_overtake_one_that_waits() {
        let mut queue = filled("a1 a2 b1");
        assert_eq!((queue.pop().as_deref(), queue.pop().as_deref()), (Some("a1"), Some("b1")));
        queue.enter(caller("b"), "b2".to_owned());
        assert_eq!(order(&mut queue), "a2 b2");
    }

    #[test]
    fn calls_that_continue_a_request_go_first() {
        let mut queue = filled("a1 b1");
        queue.enter(None, "step1".to_owned());
        queue.enter(None, "step2".to_owned());
        assert_eq!((queue.ahead(None), queue.ahead(caller("c"))), (2, 4));
        assert_eq!(order(&mut queue), "step1 step2 a1 b1");
    }

    #[test]
    fn a_place_can_be_given_up_until_its_turn_has_come() {
        let mut queue = filled("a1");
        let places = [caller("a"), caller("b"), None].map(|caller| queue.enter(caller, "gone".to_owned()));
        assert_eq!(queue.len(), 4);
        for place in places {
            assert!(queue.leave(place) && !queue.leave(place));
        }
        let last = queue.enter(caller("b"), "b1".to_owned());
        assert_eq!(order(&mut queue), "a1 b1");
        assert!(!queue.leave(last) && queue.is_empty() && queue.callers.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn the_turns_ahead_are_those_that_come() {
        for waiting in ["", "a1", "a1 a2 a3", "b1", "b1 b2 b3 c1", "a1 b1 b2 b3 c1 c2", "b1 b2 a1 a2 c1 c2 c3 c4 b3"] {
            for served in 0..3 {
                let mut queue = filled(waiting);
                (0..served).for_each(|_| drop(queue.pop()));
                let ahead = queue.ahead(caller("a"));
                queue.enter(caller("a"), "me".to_owned());
                let came = std::iter::from_fn(|| queue.pop()).position(|waiter| waiter == "me");
                assert_eq!(came, Some(ahead), "behind {waiting:?}, {served} served");
            }
        }
    }

    #[test]
    fn those_that_nobody_wants_any_more_can_be_taken_out() {
        let mut queue = filled("a1 b1 a2 c1");
        queue.enter(None, "step".to_owned());
        let gone = queue.extract(|waiter| waiter.starts_with('a') || waiter == "step");
        assert_eq!((gone.len(), queue.len()), (3, 2));
        assert_eq!(order(&mut queue), "b1 c1");
        assert!(queue.turns.is_empty());
    }
}
