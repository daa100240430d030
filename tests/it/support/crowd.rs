//! Many callers who do not let up.

use super::controller::{Answer, send};
use reqwest::RequestBuilder;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Pause of a caller between two requests. Without it, callers who are answered from memory leave a small machine no room.
const BREATH: Duration = Duration::from_millis(10);

/// All that `callers` side by side were told, who asked again and again for `time`. `request` is given the number of the
/// caller and how often it has asked before.
pub(crate) async fn crowd(
    callers: usize,
    time: Duration,
    request: impl Fn(usize, usize) -> RequestBuilder + Clone + Send + 'static,
) -> Vec<Answer> {
    let end = Instant::now() + time;
    let lines = (0..callers).map(|caller| {
        let request = request.clone();
        async move {
            let mut told = Vec::new();
            while Instant::now() < end {
                told.push(send(request(caller, told.len())).await);
                sleep(BREATH).await;
            }
            told
        }
    });
    lines.collect::<JoinSet<_>>().join_all().await.into_iter().flatten().collect()
}
