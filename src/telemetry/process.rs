//! Process metrics, under the names that all Prometheus clients give them: read from `/proc` when they are asked for.
//! Where there is no `/proc` there are none.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, IntGauge};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use std::fs;

/// The collector of the metrics of this process.
pub(super) struct Process {
    cpu: Counter,
    start: Gauge,
    threads: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    open_files: IntGauge,
    max_files: IntGauge,
}

impl Process {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            cpu: Counter::new("process_cpu_seconds_total", "CPU time spent, by user and system.")?,
            start: Gauge::new("process_start_time_seconds", "When the process was started, since the Unix epoch.")?,
            threads: IntGauge::new("process_threads", "Threads of the process.")?,
            virtual_memory: IntGauge::new("process_virtual_memory_bytes", "Virtual memory.")?,
            resident_memory: IntGauge::new("process_resident_memory_bytes", "Resident memory.")?,
            open_files: IntGauge::new("process_open_fds", "Open file descriptors.")?,
            max_files: IntGauge::new("process_max_fds", "The most file descriptors that may be open.")?,
        })
    }

    fn all(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.start,
            &self.threads,
            &self.virtual_memory,
            &self.resident_memory,
            &self.open_files,
            &self.max_files,
        ]
    }

    /// Sets the metrics to what they are now. `None`: `/proc` does not tell.
    fn read(&self) -> Option<()> {
        let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
        self.cpu.inc_by((stat.cpu - self.cpu.get()).max(0.0));
        self.start.set(boot_time()? + stat.started);
        self.threads.set(stat.threads);
        self.virtual_memory.set(stat.virtual_bytes);
        self.resident_memory.set(stat.resident_bytes);
        self.open_files.set(fs::read_dir("/proc/self/fd").ok()?.count().try_into().ok()?);
        let limit = getrlimit(Resource::Nofile).current;
        self.max_files.set(limit.and_then(|limit| limit.try_into().ok()).unwrap_or(i64::MAX));
        Some(())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        match self.read() {
            Some(()) => self.all().into_iter().flat_map(Collector::collect).collect(),
            None => Vec::new(),
        }
    }
}

/// A part of `/proc/self/stat` (proc_pid_stat(5)); times in seconds.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu: f64,
    threads: i64,
    /// Since the system was booted.
    started: f64,
    virtual_bytes: i64,
    resident_bytes: i64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // Behind the name of the program, which may have any characters.
        let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
        // As the manual numbers them, from one; the first one here is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<i64>().ok();
        #[expect(clippy::cast_precision_loss, reason = "exact for some million years")]
        let seconds = |ticks: i64| ticks as f64 / clock_ticks_per_second() as f64;
        Some(Self {
            cpu: seconds(field(14)? + field(15)?),
            threads: field(20)?,
            started: seconds(field(22)?),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * i64::try_from(page_size()).ok()?,
        })
    }
}

/// When the system was booted, in seconds since the Unix epoch.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 12 0 3000 1000000 25 18446744073709551615";
        let stat = Stat::parse(text).unwrap();
        let ticks = clock_ticks_per_second() as f64;
        assert_eq!((stat.cpu, stat.started), (300.0 / ticks, 3000.0 / ticks));
        assert_eq!((stat.threads, stat.virtual_bytes), (12, 1_000_000));
        assert_eq!(stat.resident_bytes, 25 * i64::try_from(page_size()).unwrap());
        assert_eq!(Stat::parse("7 (a"), None);
    }
}
