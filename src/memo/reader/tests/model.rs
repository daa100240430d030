//! Random reads and writes on virtual time, under a seed: a read that begins after a write was answered shows that write, or
//! a later state, and no read shows a state that ended long ago.

use super::*;
use std::collections::HashMap;
use std::sync::Mutex;

const NAMES: [&str; 6] = ["a-1", "a-2", "a-3", "b-1", "b-2", "b-3"];

/// A state of one object: `None`, it does not exist.
struct Span {
    version: Option<u64>,
    /// When it ended.
    until: Option<Instant>,
}

/// All states of each object, and the newest that this replica has been told of.
#[derive(Default)]
struct History {
    spans: HashMap<&'static str, Vec<Span>>,
    told: HashMap<&'static str, usize>,
}

struct World {
    server: Server,
    reader: TestReader,
    history: Mutex<History>,
}

impl World {
    /// Stores a new version of the object, or removes it; its number among the states.
    fn store(&self, name: &'static str, version: Option<u64>) -> usize {
        match version {
            Some(version) => self.server.set(name, version),
            None => self.server.remove(name),
        }
        let mut history = self.history.lock().unwrap();
        let spans = history.spans.entry(name).or_insert_with(|| vec![Span { version: None, until: None }]);
        spans.last_mut().unwrap().until = Some(Instant::now());
        spans.push(Span { version, until: None });
        spans.len() - 1
    }

    /// The number of the newest state that a read which begins now has to show.
    fn told(&self, name: &'static str) -> usize {
        self.history.lock().unwrap().told.get(name).copied().unwrap_or(0)
    }

    /// Checks what a read of `name` has shown that began at `began`, when the state `told` was known.
    fn check(&self, name: &'static str, shown: Option<u64>, told: usize, began: Instant, seed: u64) {
        let history = self.history.lock().unwrap();
        let only_absent = [Span { version: None, until: None }];
        let spans = history.spans.get(name).map_or(&only_absent[..], |spans| &spans[..]);
        let oldest = began.checked_sub(Duration::from_secs(3)).unwrap_or(began);
        let explained = spans.iter().enumerate().any(|(number, span)| {
            number >= told && span.version == shown && span.until.is_none_or(|until| until >= oldest)
        });
        let all =
            spans.iter().map(|span| (span.version, span.until.map(|until| began.saturating_duration_since(until))));
        assert!(explained, "seed {seed}: {name} is {shown:?} after state {told} of {:?}", all.collect::<Vec<_>>());
    }
}

async fn write(world: Arc<World>, mut rng: fastrand::Rng, name: &'static str, version: u64) {
    let write = world.reader.begin_write(&named(name));
    sleep(Duration::from_millis(rng.u64(0..300))).await;
    let stored = if rng.u8(0..4) == 0 { None } else { Some(version) };
    let number = world.store(name, stored);
    sleep(Duration::from_millis(rng.u64(0..300))).await;
    match stored {
        _ if rng.u8(0..5) == 0 => write.touched(),
        Some(version) => write.stored(Objects::One(name.to_owned(), version)),
        None => write.removed(),
    }
    let mut history = world.history.lock().unwrap();
    let told = history.told.entry(name).or_default();
    *told = number.max(*told);
}

async fn read_one(world: Arc<World>, options: ReadOptions, name: &'static str, seed: u64) {
    let (began, told) = (Instant::now(), world.told(name));
    let shown = match world.reader.get(&named(name), options).await {
        Ok(found) => match &found.answer.value {
            Objects::One(_, version) => Some(*version),
            Objects::Many(_) => panic!("a list was shown for one object"),
        },
        Err(Error::Fetch(error)) if matches!(*error, Failed::NotFound(_)) => None,
        Err(error) => panic!("{error}"),
    };
    world.check(name, shown, told, began, seed);
}

async fn read_list(world: Arc<World>, options: ReadOptions, env: Option<&'static str>, seed: u64) {
    let (began, told) = (Instant::now(), NAMES.map(|name| world.told(name)));
    let filter = ListFilter { env: env.and_then(|env| LabelValue::new(env).ok()), ..ListFilter::default() };
    let found = world.reader.list(filter, options).await.unwrap();
    let Objects::Many(objects) = &found.answer.value else { panic!("one object was shown for a list") };
    for (name, told) in NAMES.into_iter().zip(told) {
        match env {
            Some(env) if !name.starts_with(env) => assert!(!objects.contains_key(name)),
            _ => world.check(name, objects.get(name).copied(), told, began, seed),
        }
    }
}

async fn run(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let server = Server::with(0);
    *server.call_takes.lock().unwrap() =
        (Duration::from_millis(rng.u64(1..200)), Duration::from_millis(rng.u64(1..400)));
    let (reader, way) = reader_with(&server, limits());
    // Eight names make a list pay: both ways are gone.
    way.set(if rng.bool() { Way::Queueing } else { Way::Free });
    reader.list(ListFilter::default(), options()).await.unwrap();
    let world = Arc::new(World { server, reader, history: Mutex::default() });
    let mut tasks = JoinSet::new();
    for version in 1..150 {
        let (name, task_rng) = (NAMES[rng.usize(0..NAMES.len())], rng.fork());
        let asked = if rng.u8(0..5) == 0 { uncached() } else { options() };
        let world = Arc::clone(&world);
        match rng.u8(0..10) {
            0..3 => _ = tasks.spawn(write(world, task_rng, name, version)),
            // Another replica.
            3 => _ = world.store(name, (version % 3 > 0).then_some(version)),
            4..8 => _ = tasks.spawn(read_one(world, asked, name, seed)),
            _ => {
                let env = [None, Some("a"), Some("b")][rng.usize(0..3)];
                tasks.spawn(read_list(world, asked, env, seed));
            }
        }
        sleep(Duration::from_millis(rng.u64(0..120))).await;
    }
    tasks.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn reads_show_what_was_written_before_them() {
    for seed in 0..200 {
        run(seed).await;
    }
}
