//! Scheduling of the workers: a quiet one is run at once, a busy one lets requests pile up.
//!
//! Linux lets a thread that has slept interrupt one that runs, so that a request is answered at once though all CPUs are busy.
//! But a worker that is woken thousands of times a second answers one request each time, and whom it interrupts may be
//! the one who was about to send the next. Under the policy for batches (`SCHED_BATCH`, sched(7)) it waits for its turn, a few
//! milliseconds at most, and finds several. A free CPU is taken at once under either.

use rustix::process::getpriority_process;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::{Duration, Instant};

/// A worker is busy if it works for more than one in so many parts of its time.
const BUSY: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Usual,
    Batches,
}

/// The scheduling of one worker.
pub(super) struct Scheduling {
    /// `None`: somebody has chosen a nice value or a policy for the process, and both stay as they are.
    policy: Option<Policy>,
    load: RuntimeMetrics,
    /// The time that it had worked for when its load was last looked at.
    worked: Duration,
    looked: Instant,
}

impl Scheduling {
    /// That of the worker whose thread and runtime this is called in.
    pub(super) fn of_this_worker() -> Self {
        let policy = current().filter(|policy| *policy == Policy::Usual && getpriority_process(None) == Ok(0));
        let load = Handle::current().metrics();
        Self { policy, worked: load.worker_total_busy_duration(0), load, looked: Instant::now() }
    }

    /// Takes the policy for what the worker has done since the last time. To be called in its thread.
    pub(super) fn follow_load(&mut self) {
        let (worked, now) = (self.load.worker_total_busy_duration(0), Instant::now());
        let busy = (worked - self.worked) * BUSY > now - self.looked;
        (self.worked, self.looked) = (worked, now);
        let Some(policy) = &mut self.policy else { return };
        let fit = if busy { Policy::Batches } else { Policy::Usual };
        if *policy != fit {
            *policy = fit;
            set(fit);
        }
    }
}

/// The policy that the system has this thread under. `None`: another one.
#[cfg(target_os = "linux")]
fn current() -> Option<Policy> {
    use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};
    match thread_schedule_policy() {
        Ok(ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other)) => Some(Policy::Usual),
        Ok(ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch)) => Some(Policy::Batches),
        _ => None,
    }
}

/// Sets the policy of this thread. Where that is forbidden the worker is as right, and a little slower when it is busy.
#[cfg(target_os = "linux")]
fn set(policy: Policy) {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };
    /// The nice value 0, which is set with it, on a scale from 0 to 99.
    const NICE_0: u8 = 48;
    let nice = ThreadPriorityValue::try_from(NICE_0).expect("it is on the scale");
    let policy = ThreadSchedulePolicy::Normal(match policy {
        Policy::Usual => NormalThreadSchedulePolicy::Other,
        Policy::Batches => NormalThreadSchedulePolicy::Batch,
    });
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(nice), policy);
}

/// Other systems have no such policies.
#[cfg(not(target_os = "linux"))]
fn current() -> Option<Policy> {
    None
}

#[cfg(not(target_os = "linux"))]
fn set(_: Policy) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use tokio::task::yield_now;
    use tokio::time::sleep;

    /// Works for some milliseconds.
    async fn work() {
        let begun = Instant::now();
        // The runtime counts the time of a task when that gives way.
        while begun.elapsed() < Duration::from_millis(20) {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_worker_answers_in_batches_while_it_is_busy_and_keeps_its_nice_value() {
        let nice = getpriority_process(None);
        let mut scheduling = Scheduling::of_this_worker();
        let mut comes_to = async |policy: Policy| {
            for _ in 0..100 {
                match policy {
                    Policy::Batches => work().await,
                    Policy::Usual => sleep(Duration::from_millis(20)).await,
                }
                scheduling.follow_load();
                if current() == Some(policy) {
                    return true;
                }
            }
            false
        };
        assert_eq!(comes_to(Policy::Batches).await, nice == Ok(0), "{nice:?}");
        assert!(comes_to(Policy::Usual).await);
        assert_eq!(getpriority_process(None), nice);
    }
}
