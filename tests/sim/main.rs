//! Simulation: the whole service under a seed, on virtual time and without sockets.
//!
//! Two replicas, each with all of its layers, face an API server in memory that is slow, overloaded, frozen or cut off, callers who
//! read, write, wait and hang up, and others who change the objects behind their backs. `checks`, `wire` and `run` assert
//! what has to hold whatever happens. Each run depends on its seed alone: the same seed gives the same log.
//!
//! ```console
//! $ cargo test --test sim                                  # 1,000 seeds
//! $ SEED=17 cargo test --test sim -- --nocapture           # one, with its log
//! $ SEEDS=20000..60000 cargo test --release --test sim     # others
//! ```

#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod api_server;
mod body;
mod callers;
mod checks;
mod faults;
mod history;
mod plan;
mod run;
mod wire;
mod world;
mod writers;

use run::{Run, run};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Lines of the log that a failure shows.
const TAIL: usize = 60;

#[test]
fn every_promise_holds_under_every_seed() {
    let seeds = seeds();
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(None::<(u64, Run)>));
    let work = || {
        while failed.lock().unwrap().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let run = run(seed);
            if seeds.end - seeds.start == 1 {
                eprintln!("{}", run.log.join("\n"));
            }
            if !run.broken.is_empty() {
                // The lowest seed that is known.
                let mut failed = failed.lock().unwrap();
                if failed.as_ref().is_none_or(|(other, _)| seed < *other) {
                    *failed = Some((seed, run));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    if let Some((seed, run)) = failed.into_inner().unwrap() {
        let tail = &run.log[run.log.len().saturating_sub(TAIL)..];
        let (broken, log) = (run.broken.join("\n"), tail.join("\n"));
        panic!(
            "\n{log}\n\nseed {seed}:\n{broken}\n\nAgain, with the whole log: SEED={seed} cargo test --test sim -- --nocapture\n"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_log() {
    for seed in 0..20 {
        let [first, second] = [run(seed), run(seed)];
        let differs = first.log.iter().zip(&second.log).position(|(one, other)| one != other);
        if let Some(at) = differs {
            panic!("seed {seed}, line {at}:\n{}\n{}", first.log[at], second.log[at]);
        }
        assert_eq!(first.log.len(), second.log.len(), "seed {seed}");
    }
}

/// `SEED=17`: this one. `SEEDS=20000..60000`: these. Neither: the first thousand.
fn seeds() -> Range<u64> {
    if let Ok(seed) = std::env::var("SEED") {
        let seed = seed.parse().expect("SEED is a number");
        return seed..seed + 1;
    }
    let Ok(seeds) = std::env::var("SEEDS") else { return 0..1000 };
    let (from, to) = seeds.split_once("..").expect("SEEDS is a range, as 1000..2000");
    from.parse().expect("SEEDS begins with a number")..to.parse().expect("SEEDS ends with a number")
}
