//! Known size of the list of everything: that of the last one, or the answer to one cheap question, asked when it begins to
//! matter and nobody has listed anything yet. One such question is under way at a time, and many wait for it.

use super::rule::Size;
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

/// Time that a size counts. It only decides between two ways to the same answer.
const COUNTS_FOR: Duration = Duration::from_secs(300);

/// Time after which a question without an answer is asked again.
const PAUSE: Duration = Duration::from_secs(10);

/// The size, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct KnownSize {
    size: Option<(Size, Instant)>,
    /// Instant at which it was asked for, and the end of that: the sender is dropped then.
    asked: Option<(Instant, watch::Receiver<()>)>,
}

/// The next step of somebody who has to know the size.
#[derive(Debug)]
pub(super) enum Step {
    /// None: it is known, or cannot be had.
    Nothing,
    /// Wait until this ends, since somebody else asks.
    Wait(watch::Receiver<()>),
    /// Ask, and drop the sender when there is an answer or a failure.
    Ask(watch::Sender<()>, watch::Receiver<()>),
}

impl KnownSize {
    /// The size that was learned last, however long ago.
    pub(super) fn get(&self) -> Option<Size> {
        self.size.map(|(size, _)| size)
    }

    pub(super) fn learn(&mut self, size: Size, now: Instant) {
        self.size = Some((size, now));
    }

    pub(super) fn ask(&mut self, now: Instant) -> Step {
        if self.size.is_some_and(|(_, learned)| now < learned + COUNTS_FOR) {
            return Step::Nothing;
        }
        match &self.asked {
            Some((_, end)) if end.has_changed().is_ok() => Step::Wait(end.clone()),
            Some((at, _)) if now < *at + PAUSE => Step::Nothing,
            _ => {
                let (sender, end) = watch::channel(());
                self.asked = Some((now, end.clone()));
                Step::Ask(sender, end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { objects: 7, calls: 1 };

    #[tokio::test(start_paused = true)]
    async fn one_asks_and_others_wait_and_a_known_size_counts_for_minutes() {
        let (mut known, now) = (KnownSize::default(), Instant::now());
        let Step::Ask(sender, _) = known.ask(now) else { panic!("nobody asks") };
        assert!(matches!(known.ask(now + 2 * PAUSE), Step::Wait(_)));
        known.learn(SIZE, now);
        drop(sender);
        assert!(matches!(known.ask(now), Step::Nothing));
        assert!(matches!(known.ask(now + COUNTS_FOR), Step::Ask(..)));
        assert_eq!(known.get(), Some(SIZE), "it is better than none");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_without_an_answer_is_asked_again_after_a_pause() {
        let (mut known, now) = (KnownSize::default(), Instant::now());
        drop(known.ask(now));
        assert!(matches!(known.ask(now), Step::Nothing));
        assert!(matches!(known.ask(now + PAUSE), Step::Ask(..)));
    }
}
