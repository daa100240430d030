//! Scheduling of the workers: on a busy machine they answer what has piled up, and interrupt nobody for a single request.
//!
//! Linux lets a thread that has slept interrupt one that runs. A worker that interrupts a caller on its machine answers one
//! request, sleeps, and is woken for the next; one that waits for its turn finds several. That is what the policy for
//! batches does (`SCHED_BATCH`, sched(7)). A free CPU is taken at once under either.

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

const BATCHES: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);

/// The nice value 0 on the scale of `thread_priority`, which sets it together with the policy.
const NICE_0: u8 = 48;

/// Gives the worker whose thread this is called in the policy for batches. A nice value that somebody has chosen stays, and
/// with it the policy.
pub(super) fn interrupt_nobody() {
    if rustix::process::getpriority_process(None) != Ok(0) {
        return;
    }
    let priority = ThreadPriorityValue::try_from(NICE_0).expect("the scale ends at 99");
    // A sandbox of system calls may forbid it. The worker is as good without, on a busy machine a little slower.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), BATCHES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::thread_schedule_policy;

    #[test]
    fn a_worker_waits_for_its_turn_at_the_same_priority() {
        let nice = rustix::process::getpriority_process(None);
        let scheduled = std::thread::spawn(|| {
            interrupt_nobody();
            (thread_schedule_policy(), rustix::process::getpriority_process(None))
        });
        let (policy, still) = scheduled.join().unwrap();
        assert_eq!(still, nice);
        assert_eq!(policy.unwrap() == BATCHES, nice == Ok(0), "nice {nice:?}");
    }
}
