//! Who is next: two queues, first come, first served within each, and three turns of four for people. Pure.

use crate::call::Lane;
use std::collections::BTreeMap;

/// Turns that interactive attempts get for one of bulk while both wait.
const INTERACTIVE_TURNS: usize = 3;

/// A place in a queue, by which it can be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Lane, u64);

/// The queues.
#[derive(Debug)]
pub struct Lanes<T> {
    interactive: BTreeMap<u64, T>,
    bulk: BTreeMap<u64, T>,
    arrived: u64,
    /// Interactive turns since the last of bulk, counted while bulk waited.
    turns: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { interactive: BTreeMap::new(), bulk: BTreeMap::new(), arrived: 0, turns: 0 }
    }
}

impl<T> Lanes<T> {
    /// Queues `waiter` in its lane, behind all others there.
    pub fn enter(&mut self, lane: Lane, waiter: T) -> Place {
        self.arrived += 1;
        let place = Place(lane, self.arrived);
        self.queue(lane).insert(place.1, waiter);
        place
    }

    /// Gives a place up. False if it is its turn already.
    pub fn leave(&mut self, place: Place) -> bool {
        self.queue(place.0).remove(&place.1).is_some()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.interactive.is_empty() && self.bulk.is_empty()
    }

    /// The one whose turn it is.
    pub fn next_turn(&mut self) -> Option<T> {
        let bulk_is_due = self.interactive.is_empty() || self.turns >= INTERACTIVE_TURNS;
        if bulk_is_due && let Some((_, waiter)) = self.bulk.pop_first() {
            self.turns = 0;
            return Some(waiter);
        }
        self.turns = if self.bulk.is_empty() { 0 } else { self.turns + 1 };
        Some(self.interactive.pop_first()?.1)
    }

    /// How many turns come before that of one who enters `lane` now, if nobody else comes.
    #[must_use]
    pub fn ahead(&self, lane: Lane) -> usize {
        let (interactive, bulk) = (self.interactive.len(), self.bulk.len());
        match lane {
            Lane::Interactive => interactive + bulk.min((self.turns + interactive) / INTERACTIVE_TURNS),
            Lane::Bulk => bulk + interactive.min(INTERACTIVE_TURNS * (bulk + 1)),
        }
    }

    fn queue(&mut self, lane: Lane) -> &mut BTreeMap<u64, T> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Lane::{Bulk, Interactive};

    fn filled(interactive: usize, bulk: usize) -> Lanes<String> {
        let mut lanes = Lanes::default();
        for n in 0..bulk {
            lanes.enter(Bulk, format!("b{n}"));
        }
        for n in 0..interactive {
            lanes.enter(Interactive, format!("i{n}"));
        }
        lanes
    }

    fn order(lanes: &mut Lanes<String>) -> String {
        std::iter::from_fn(|| lanes.next_turn()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn while_both_wait_three_of_four_turns_are_interactive_and_each_lane_is_in_order() {
        assert_eq!(order(&mut filled(7, 4)), "i0 i1 i2 b0 i3 i4 i5 b1 i6 b2 b3");
    }

    #[test]
    fn who_is_alone_does_not_wait_for_the_other_lane() {
        assert_eq!(order(&mut filled(0, 3)), "b0 b1 b2");
        assert_eq!(order(&mut filled(5, 0)), "i0 i1 i2 i3 i4");
    }

    #[test]
    fn bulk_that_comes_later_does_not_owe_or_own_earlier_turns() {
        let mut lanes = filled(9, 0);
        (0..5).for_each(|_| drop(lanes.next_turn()));
        lanes.enter(Bulk, "b".to_owned());
        assert_eq!(order(&mut lanes), "i5 i6 i7 b i8");
    }

    #[test]
    fn a_place_can_be_given_up_until_it_is_its_turn() {
        let mut lanes = Lanes::default();
        let (first, second) = (lanes.enter(Interactive, 1), lanes.enter(Interactive, 2));
        assert!(lanes.leave(first) && !lanes.leave(first));
        assert_eq!(lanes.next_turn(), Some(2));
        assert!(!lanes.leave(second) && lanes.is_empty());
    }

    #[test]
    fn the_turns_ahead_are_those_that_come() {
        for (interactive, bulk) in [(0, 0), (0, 5), (5, 0), (2, 3), (3, 3), (7, 2), (20, 30)] {
            for lane in [Interactive, Bulk] {
                for turns in 0..=interactive.min(4) {
                    let mut lanes = filled(interactive, bulk);
                    (0..turns).for_each(|_| drop(lanes.next_turn()));
                    let ahead = lanes.ahead(lane);
                    lanes.enter(lane, "me".to_owned());
                    let came = std::iter::from_fn(|| lanes.next_turn()).position(|waiter| waiter == "me");
                    // The turns that interactive has had already are not known to count for bulk before it comes.
                    let due = came.map(|came| ahead.abs_diff(came) <= usize::from(lane == Bulk) * turns);
                    assert_eq!(due, Some(true), "{lane:?} after {turns} of {interactive}, {bulk}: {ahead}, {came:?}");
                }
            }
        }
    }
}
