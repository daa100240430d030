//! Scheduling of the process: on a busy machine it answers what has piled up, and interrupts nobody for a single request.
//!
//! Linux lets a thread that has slept interrupt one that runs. A worker that interrupts a caller on its machine answers one
//! request, sleeps, and is woken for the next; one that waits for its turn finds several. That is what the policy for
//! batches does (`SCHED_BATCH`, sched(7)). A free CPU is taken at once under either.

use rustix::process::getpriority_process;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

const BATCHES: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);

/// The nice value 0 on the scale of `thread_priority`, which sets it together with the policy.
const NICE_0: u8 = 48;

/// Gives this thread, and those that it makes, the policy for batches. Where somebody has chosen a nice value, both stay as
/// they are.
pub fn interrupt_nobody() {
    if getpriority_process(None) != Ok(0) {
        return;
    }
    let priority = ThreadPriorityValue::try_from(NICE_0).expect("the scale ends at 99");
    // Where system calls are filtered it may be forbidden. Without it all is as right, and a little slower on a busy machine.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), BATCHES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use thread_priority::thread_schedule_policy;

    #[test]
    fn threads_wait_for_their_turn_at_the_same_nice_value() {
        let nice = getpriority_process(None);
        let inherits =
            || thread::spawn(|| (thread_schedule_policy().unwrap(), getpriority_process(None))).join().unwrap();
        let scheduled = thread::spawn(move || {
            interrupt_nobody();
            inherits()
        });
        let (policy, still) = scheduled.join().unwrap();
        assert_eq!(still, nice);
        assert_eq!(policy == BATCHES, nice == Ok(0), "{nice:?}");
    }
}
