//! Lanes: weighted fair queueing of writes, reads and bulk, with a fair queue of callers in each. Pure.
//!
//! While all three wait, of ten turns six are writes, three reads and one bulk; a lane that nobody waits in leaves its
//! share to the others. Each lane has a tag on a virtual clock, the moment at which its next turn is due, and the
//! lowest tag is served. A turn moves the tag on by the lane's stride, so a lane that was idle or held up has saved no
//! turns up, and none waits for longer than its share says. See <https://en.wikipedia.org/wiki/Weighted_fair_queueing>.

use super::fair_queue::{self, FairQueue};
use crate::call::{CallerKey, Lane};

/// By how much a turn moves a lane's tag on: six parts of the turns, three, and one. Writes have the most, since somebody
/// waits for each of them and no memory can answer it; reads are answered from memory or by lists that many share; bulk
/// is what nobody looks at, and still a list of many pages has to come to an end.
const fn stride(lane: Lane) -> u64 {
    match lane {
        Lane::Write => 1,
        Lane::Read => 2,
        Lane::Bulk => 6,
    }
}

/// A place in a lane, by which it can be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(Lane, fair_queue::Place);

/// The three queues.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    queues: [Queue<T>; 3],
    /// The tag of the turn that was given last.
    clock: u64,
}

#[derive(Debug)]
struct Queue<T> {
    lane: Lane,
    waiters: FairQueue<T>,
    /// When the next turn is due, on the virtual clock; without meaning while nobody waits.
    tag: u64,
    /// When the last turn was due that was made use of.
    served: u64,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        let queues = Lane::ALL.map(|lane| Queue { lane, waiters: FairQueue::default(), tag: 0, served: 0 });
        Self { queues, clock: 0 }
    }
}

impl<T> Lanes<T> {
    /// Queues `waiter`. `caller` is whose turn it takes; `None` if it continues a request, which goes ahead of all
    /// callers.
    pub(super) fn enter(&mut self, lane: Lane, caller: Option<CallerKey>, waiter: T) -> Place {
        let clock = self.clock;
        let queue = self.queue(lane);
        queue.tag = queue.next_tag(clock);
        Place(lane, queue.waiters.enter(caller, waiter))
    }

    /// Gives a place up. False if its turn has come already.
    pub(super) fn leave(&mut self, place: Place) -> bool {
        self.queue(place.0).waiters.leave(place.1)
    }

    /// The lane whose turn it is, among those that `may` have one now.
    pub(super) fn due(&self, may: impl Fn(Lane) -> bool) -> Option<Lane> {
        let waiting = self.queues.iter().filter(|queue| !queue.waiters.is_empty() && may(queue.lane));
        // The first of equals: lanes stand in the order of their urgency.
        waiting.min_by_key(|queue| queue.tag).map(|queue| queue.lane)
    }

    /// Takes out the waiter of `lane` whose turn it is. Costs the lane nothing yet, see [`Lanes::charge`].
    pub(super) fn pop(&mut self, lane: Lane) -> Option<T> {
        self.queue(lane).waiters.pop()
    }

    /// Counts a turn of `lane` that was made use of.
    pub(super) fn charge(&mut self, lane: Lane) {
        let queue = self.queue(lane);
        queue.served = queue.tag;
        queue.tag += stride(lane);
        self.clock = self.clock.max(self.queue(lane).served);
        for queue in &mut self.queues {
            // A lane that could not have its turn does not make up for it later.
            queue.tag = queue.tag.max(self.clock);
        }
    }

    /// Number of turns before that of a call that enters now, if nobody else comes.
    pub(super) fn ahead(&self, lane: Lane, caller: Option<CallerKey>) -> usize {
        let own = self.queues.iter().find(|queue| queue.lane == lane);
        let Some(own) = own else { return 0 };
        let in_lane = own.waiters.ahead(caller);
        let due = own.next_tag(self.clock) + in_lane as u64 * stride(lane);
        let others = self.queues.iter().filter(|queue| queue.lane != lane);
        in_lane + others.map(|queue| queue.turns_before(due, lane)).sum::<usize>()
    }

    /// Takes out all waiters of which `goes` says so.
    pub(super) fn extract(&mut self, mut goes: impl FnMut(&T) -> bool) -> Vec<T> {
        self.queues.iter_mut().flat_map(|queue| queue.waiters.extract(&mut goes)).collect()
    }

    fn queue(&mut self, lane: Lane) -> &mut Queue<T> {
        &mut self.queues[lane as usize]
    }
}

impl<T> Queue<T> {
    /// When the next turn is due, given that somebody waits. The first turn of a lane that was idle comes a stride
    /// after `clock`: it has neither saved turns up nor does it overtake those that wait.
    fn next_tag(&self, clock: u64) -> u64 {
        if self.waiters.is_empty() { self.served.max(clock) + stride(self.lane) } else { self.tag }
    }

    /// Number of turns of this lane before the one of `other` that is due at `due`.
    fn turns_before(&self, due: u64, other: Lane) -> usize {
        let yields = u64::from((self.lane as usize) > other as usize);
        let Some(left) = due.checked_sub(self.tag + yields) else { return 0 };
        let turns = usize::try_from(left / stride(self.lane) + 1).unwrap_or(usize::MAX);
        turns.min(self.waiters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Lane::{Bulk, Read, Write};

    fn caller() -> Option<CallerKey> {
        Some(CallerKey::default())
    }

    fn filled(writes: usize, reads: usize, bulk: usize) -> Lanes<String> {
        let mut lanes = Lanes::default();
        for (lane, letter, count) in [(Bulk, 'b', bulk), (Read, 'r', reads), (Write, 'w', writes)] {
            for n in 0..count {
                lanes.enter(lane, caller(), format!("{letter}{n}"));
            }
        }
        lanes
    }

    fn turn(lanes: &mut Lanes<String>) -> Option<String> {
        turn_of(lanes, |_| true)
    }

    fn turn_of(lanes: &mut Lanes<String>, may: impl Fn(Lane) -> bool) -> Option<String> {
        let lane = lanes.due(may)?;
        let waiter = lanes.pop(lane);
        lanes.charge(lane);
        waiter
    }

    fn order(lanes: &mut Lanes<String>) -> String {
        std::iter::from_fn(|| turn(lanes)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn of_ten_turns_six_are_writes_three_reads_and_one_bulk() {
        let order = order(&mut filled(12, 6, 2));
        assert_eq!(order, "w0 w1 r0 w2 w3 r1 w4 w5 r2 b0 w6 w7 r3 w8 w9 r4 w10 w11 r5 b1");
    }

    #[test]
    fn an_idle_lane_leaves_its_turns_to_the_others() {
        assert_eq!(order(&mut filled(0, 0, 3)), "b0 b1 b2");
        assert_eq!(order(&mut filled(0, 6, 2)), "r0 r1 r2 b0 r3 r4 r5 b1");
    }

    #[test]
    fn a_lane_that_was_idle_neither_owes_nor_owns_turns() {
        let mut lanes = filled(0, 9, 0);
        (0..5).for_each(|_| drop(turn(&mut lanes)));
        lanes.enter(Bulk, caller(), "b".to_owned());
        assert_eq!(order(&mut lanes), "r5 r6 r7 b r8");
    }

    #[test]
    fn a_write_goes_ahead_of_reads_and_pages_that_wait() {
        let mut lanes = filled(0, 5, 5);
        lanes.enter(Write, caller(), "w".to_owned());
        assert_eq!(turn(&mut lanes).as_deref(), Some("w"));
    }

    #[test]
    fn a_lane_without_a_place_is_passed_over_and_does_not_make_up_for_it() {
        let mut lanes = filled(20, 20, 0);
        for _ in 0..10 {
            assert!(turn_of(&mut lanes, |lane| lane != Write).unwrap().starts_with('r'));
        }
        let next: Vec<_> = (0..6).filter_map(|_| turn(&mut lanes)).collect();
        assert_eq!(next.iter().filter(|waiter| waiter.starts_with('w')).count(), 5, "{next:?}");
    }

    #[test]
    fn calls_that_give_up_cost_their_lane_no_turn() {
        let mut lanes = filled(0, 4, 0);
        for _ in 0..100 {
            let place = lanes.enter(Bulk, caller(), "gone".to_owned());
            assert!(lanes.leave(place));
        }
        lanes.enter(Bulk, caller(), "b".to_owned());
        assert_eq!(order(&mut lanes), "r0 r1 r2 b r3");
    }

    #[test]
    fn the_turns_ahead_are_those_that_come() {
        for (writes, reads, bulk) in [(0, 0, 0), (0, 0, 5), (0, 5, 0), (5, 0, 0), (2, 3, 1), (30, 7, 9), (7, 2, 30)] {
            for lane in Lane::ALL {
                for turns in 0..4 {
                    let mut lanes = filled(writes, reads, bulk);
                    (0..turns).for_each(|_| drop(turn(&mut lanes)));
                    let ahead = lanes.ahead(lane, caller());
                    lanes.enter(lane, caller(), "me".to_owned());
                    let came = std::iter::from_fn(|| turn(&mut lanes)).position(|waiter| waiter == "me");
                    assert_eq!(came, Some(ahead), "{lane:?} behind {writes}, {reads}, {bulk}, {turns} served");
                }
            }
        }
    }
}
