//! Plan: the settings and the size of one run, drawn from its seed.

use aenv_controller::config::Settings;
use aenv_controller::config::cli::Cli;
use fastrand::Rng;
use tokio::time::Duration;

/// Everything about a run that is settled before it begins.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    /// True if nothing fails and no call has to wait, so that answers have to be as young as the settings say.
    pub(crate) calm: bool,
    /// True if crowds read Pods while these are written: the rule is then gathering, and lists with writes laid over them.
    pub(crate) crowded: bool,
    pub(crate) callers: usize,
    /// Requests of each caller.
    pub(crate) requests: usize,
    pub(crate) writers: usize,
    /// Milliseconds between two requests of a caller.
    pub(crate) pause: u64,
}

/// How long the API server may be silent.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(4);

impl Plan {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let calm = rng.u8(0..5) == 0;
        let pick = |rng: &mut Rng, choices: &[u64]| choices[rng.usize(0..choices.len())].to_string();
        let mut keys = vec![
            (
                "list.plan",
                if calm { "paged" } else { ["paged", "paged", "auto", "watch_cache"][rng.usize(0..4)] }.to_owned(),
            ),
            ("list.page_size", pick(rng, &[3, 5, 500])),
            ("memo.list_ttl_ms", pick(rng, &[0, 500, 2_000, 5_000])),
            ("memo.get_ttl_ms", pick(rng, &[0, 300, 1_000, 3_000])),
            ("memo.revalidate_ms", pick(rng, &[0, 0, 1_000])),
            ("memo.max_stale_ms", pick(rng, &[0, 5_000, 60_000])),
            ("memo.patience_ms", pick(rng, &[0, 1_000, 3_000])),
            ("retry.initial_ms", pick(rng, &[10, 200])),
            ("retry.max_attempts", pick(rng, &[1, 3, 5])),
            ("server.request_deadline_ms", pick(rng, &[3_000, 8_000, 15_000])),
            ("throttle.adaptive", ["true", "true", "false"][rng.usize(0..3)].to_owned()),
            ("throttle.max_wait_ms", pick(rng, &[1_000, 10_000])),
        ];
        if !calm {
            keys.extend([
                ("server.max_waiting", pick(rng, &[2, 8, 1_000])),
                ("throttle.burst", pick(rng, &[1, 5, 20, 100])),
                ("throttle.max_in_flight", pick(rng, &[1, 2, 8])),
                ("throttle.qps", pick(rng, &[4, 10, 50])),
            ]);
        }
        Self {
            settings: settings(&keys),
            calm,
            crowded: rng.u8(0..4) == 0,
            callers: rng.usize(2..6),
            requests: rng.usize(3..8),
            writers: rng.usize(0..3),
            pause: [50, 300, 1_500][rng.usize(0..3)],
        }
    }
}

fn settings(keys: &[(&str, String)]) -> Settings {
    let cli = Cli::parse(["controller", "--namespace", "aenv-sandbox", "--templates-dir", "/nowhere"]).unwrap();
    let environment = keys
        .iter()
        .map(|(key, value)| (format!("AENV_CONTROLLER__{}", key.replace('.', "__").to_uppercase()), value.clone()));
    Settings::load(&cli.flags, environment).unwrap()
}
