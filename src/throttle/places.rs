//! Places: how many calls of each lane may be under way at the same time. Pure.
//!
//! A call that hangs keeps its place until its time-out, so all places taken by frozen writes would mean that nothing
//! can be read, and the other way round. Of eight places, one is kept for writes and two for reads: writes hold at most
//! six (at 100 ms each these are 60 a second, more than the default `throttle.qps`), reads at most seven, and bulk,
//! which can wait for either, at most five.

use crate::call::Lane;

/// With fewer places none is kept: a lane should have two at least.
const FEWEST_TO_KEEP: usize = 4;

/// The places and those who hold them.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: [usize; 3],
}

impl Places {
    /// `most` places, all free.
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: [0; 3] }
    }

    /// Changes how many there are. Those who hold one keep it.
    pub(super) fn set(&mut self, most: usize) {
        self.most = most;
    }

    /// True if a call of `lane` can have one.
    pub(super) fn has_room(&self, lane: Lane) -> bool {
        let others = Lane::ALL.into_iter().filter(|other| *other != lane);
        let kept: usize = others.map(|other| self.kept(other).saturating_sub(self.taken[other as usize])).sum();
        self.taken.iter().sum::<usize>() + kept < self.most
    }

    /// A call of `lane` takes one.
    pub(super) fn take(&mut self, lane: Lane) {
        debug_assert!(self.has_room(lane), "{lane:?} has no place left: {self:?}");
        self.taken[lane as usize] += 1;
    }

    /// A call of `lane` has ended.
    pub(super) fn give_back(&mut self, lane: Lane) {
        self.taken[lane as usize] -= 1;
    }

    /// The places that other lanes leave to this one.
    fn kept(&self, lane: Lane) -> usize {
        match lane {
            _ if self.most < FEWEST_TO_KEEP => 0,
            Lane::Write => (self.most / 8).max(1),
            Lane::Read => (self.most / 4).max(1),
            Lane::Bulk => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Lane::{Bulk, Read, Write};

    /// Number of calls of `lane` that fit in beside those of `first`.
    fn fit(places: &mut Places, lane: Lane) -> usize {
        (0..100)
            .take_while(|_| {
                places.has_room(lane) && {
                    places.take(lane);
                    true
                }
            })
            .count()
    }

    #[test]
    fn each_lane_leaves_the_places_that_are_kept_for_others() {
        for (most, writes, reads, bulk) in [(1, 1, 1, 1), (2, 2, 2, 2), (4, 3, 3, 2), (8, 6, 7, 5), (32, 24, 28, 20)] {
            for (lane, alone) in [(Write, writes), (Read, reads), (Bulk, bulk)] {
                assert_eq!(fit(&mut Places::new(most), lane), alone, "{lane:?} of {most}");
            }
        }
    }

    #[test]
    fn hung_writes_leave_reads_their_places_and_the_other_way_round() {
        for (hung, other, left) in [(Write, Read, 2), (Read, Write, 1), (Bulk, Read, 2), (Bulk, Write, 1)] {
            let mut places = Places::new(8);
            fit(&mut places, hung);
            assert!(fit(&mut places, other) >= left, "{other:?} beside {hung:?}");
        }
    }

    #[test]
    fn never_more_are_taken_than_there_are_and_each_is_free_again() {
        let mut places = Places::new(8);
        for lane in [Read, Write, Bulk] {
            fit(&mut places, lane);
        }
        assert_eq!(places.taken.iter().sum::<usize>(), 8);
        places.set(4);
        assert!(!Lane::ALL.into_iter().any(|lane| places.has_room(lane)), "fewer places than calls under way");
        for lane in Lane::ALL {
            (0..places.taken[lane as usize]).for_each(|_| places.give_back(lane));
        }
        assert_eq!(fit(&mut places, Write), 3);
    }
}
