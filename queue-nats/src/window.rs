//! Putting items one behind the other, many of them on their way at once.

use crate::connection::no_responders;
use crate::put::{NotPut, Outcome, Put, outcome};
use crate::shared::{BoxFuture, Shared, Whole, join_all, lock};
use async_nats::client::PublishErrorKind;
use async_nats::{Message, Subject};
use bytes::Bytes;
use futures_core::Stream;
use queue_core::sync::Deadline;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// So many items are on their way at once, at most.
const UNANSWERED: usize = 512;
/// One of so many asks for an answer, which speaks for those before it too: an item is taken only if the
/// one before it is the last in the stream.
pub(crate) const TOGETHER: usize = 64;
// Otherwise the window would wait for answers that nobody asked for yet.
const _: () = assert!(UNANSWERED.is_multiple_of(TOGETHER));
/// So many are put in one go, at most.
pub(crate) const STRETCH: usize = 8192;
/// The fewest that are put in one go, where other producers put theirs in between.
pub(crate) const SHORTEST: usize = 16;
/// So many bytes are put in one go, at most, beside those of the first item.
pub(crate) const STRETCH_BYTES: usize = 1 << 20;

/// How many items of a stretch are known to be in, until whoever puts them has taken note: what goes in
/// from then on is taken out again.
#[derive(Default)]
pub(crate) struct Known(Mutex<(usize, bool)>);

impl Known {
    fn set(&self, count: usize) {
        let mut known = lock(&self.0);
        if !known.1 {
            known.0 = count;
        }
    }

    /// Takes note: it is as many for good.
    pub(crate) fn settle(&self) -> usize {
        let mut known = lock(&self.0);
        known.1 = true;
        known.0
    }

    fn is_settled(&self) -> bool {
        lock(&self.0).1
    }
}

/// What became of a stretch of items.
pub(crate) struct Went {
    /// Of those that are in, from the front.
    pub(crate) numbers: Vec<u64>,
    /// Why the next one is not. None if all are in, or it may be tried again.
    pub(crate) why: Option<NotPut>,
    known: Arc<Known>,
}

/// What became of the items of a stretch that were tried, from the front.
#[derive(Default)]
struct Outcomes {
    all: Vec<Outcome>,
    /// How many were counted already.
    count: usize,
}

impl Outcomes {
    /// How many are known to be in.
    fn count(&mut self) -> usize {
        while let Some(Outcome::In(_)) = self.all.get(self.count) {
            self.count += 1;
        }
        self.count
    }

    /// What one more try has come to.
    fn note(&mut self, nth: usize, outcome: Outcome) {
        match self.all.get_mut(nth) {
            None => self.all.push(outcome),
            // It may be in by an earlier one.
            Some(Outcome::Unanswered(true)) if matches!(outcome, Outcome::Unanswered(_)) => {}
            Some(known) => *known = outcome,
        }
    }
}

/// Those on their way.
struct Window<'a> {
    shared: &'a Shared,
    puts: &'a [Put],
    /// Once that is settled, nobody wants them any more.
    known: &'a Known,
    /// One of so many asks for an answer.
    together: usize,
    /// They were tried before.
    again: bool,
    inbox: String,
    /// What is tried now begins with this one.
    first: usize,
    /// So many were sent, those before the first included.
    sent: usize,
    /// So many of these are asked about, and answered.
    asked: usize,
    answered: usize,
    /// What follows one that is refused would be refused too.
    goes_on: bool,
    /// Nothing from this one on is in.
    end: usize,
}

impl Window<'_> {
    async fn send(&mut self, outcomes: &mut Outcomes) {
        let (client, items) = (&self.shared.link.client, &self.shared.names.items);
        let subject = Subject::from(items.as_str());
        while self.goes_on && self.sent < self.puts.len() && self.sent - self.answered < UNANSWERED
        {
            let put = &self.puts[self.sent];
            let behind = match self.known.is_settled() {
                // The server says whether it is in, and takes nothing that is to come after what was never there.
                true => Some("none"),
                false => (self.sent > self.first).then(|| &*self.puts[self.sent - 1].id),
            };
            let headers = Shared::headers(put, behind);
            let (subject, bytes) = (subject.clone(), put.bytes.clone());
            let nth = self.sent + 1;
            let asks = (nth - self.first).is_multiple_of(self.together) || nth == self.puts.len();
            let sent = if asks {
                let reply = format!("{}.{}", self.inbox, self.sent);
                (client.publish_with_reply_and_headers(subject, reply, headers, bytes)).await
            } else {
                client.publish_with_headers(subject, headers, bytes).await
            };
            let outcome = match &sent {
                Ok(()) => Outcome::Unanswered(true),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    Outcome::Failed(self.shared.too_large())
                }
                Err(_) => Outcome::Unanswered(false),
            };
            self.goes_on = sent.is_ok();
            outcomes.note(self.sent, outcome);
            self.sent += usize::from(sent.is_ok());
            if asks && sent.is_ok() {
                self.asked = self.sent;
            }
        }
    }

    /// Takes note of an answer.
    async fn heed(&mut self, answer: &Message, outcomes: &mut Outcomes) {
        let nth = answer.subject.rsplit('.').next();
        let Some(nth) = nth.and_then(|nth| nth.parse::<usize>().ok()) else {
            return;
        };
        if nth < self.first || nth >= self.asked {
            return;
        }
        let begin = nth - (nth - self.first) % self.together;
        self.answered += nth + 1 - begin;
        let come = match no_responders(answer) {
            true => self.shared.nobody_takes_items().await,
            false => outcome(&answer.payload),
        };
        match come {
            Outcome::In(number) => {
                let numbers = (0..=number).rev();
                let outcomes = outcomes.all[begin..=nth].iter_mut().rev();
                outcomes
                    .zip(numbers)
                    .for_each(|(outcome, number)| *outcome = Outcome::In(number));
            }
            refused => {
                self.goes_on = false;
                // Of what was tried before, a queue that is closed now says nothing.
                let is_known = match refused {
                    Outcome::Unanswered(_) => false,
                    Outcome::Closed => !self.again,
                    _ => true,
                };
                if is_known {
                    self.end = self.end.min(nth + 1);
                    outcomes.note(nth, refused);
                }
            }
        }
    }
}

impl Shared {
    /// Puts items, one behind the other, as many as go in. It stops before the first that does not go in,
    /// so that none overtakes it: each is taken only if the one before it is the last in the stream.
    /// What no answer comes for is asked for again until `deadline`. If it is dropped in the midst it
    /// puts no more, and what is not `known` to be in is taken out again.
    pub(crate) fn put_stretch(
        self: &Arc<Self>,
        stretch: Vec<Bytes>,
        together: usize,
        deadline: Deadline,
        known: &Arc<Known>,
    ) -> Whole<Went> {
        let (shared, known) = (self.clone(), known.clone());
        let work = async move {
            let puts: Vec<_> = (stretch.into_iter().map(|bytes| shared.put_of(bytes))).collect();
            let outcomes = shared.put_until_known(&puts, together, deadline, &known);
            let mut numbers = Vec::new();
            let mut why = None;
            for outcome in outcomes.await.all {
                match outcome {
                    Outcome::In(number) => {
                        numbers.push(number);
                        continue;
                    }
                    Outcome::OutOfLine => {}
                    Outcome::Full => why = Some(NotPut::Full),
                    Outcome::Closed => why = Some(NotPut::Closed),
                    Outcome::Failed(failure) => why = Some(NotPut::Failed(failure)),
                    Outcome::Unanswered(unsure) => {
                        why = Some(NotPut::Failed(shared.unanswered(unsure)));
                    }
                }
                break;
            }
            known.set(numbers.len());
            Went {
                numbers,
                why,
                known,
            }
        };
        Whole::new(self, work, |shared, went| -> BoxFuture<()> {
            Box::pin(async move {
                let stays = went.known.settle();
                for some in went
                    .numbers
                    .get(stays..)
                    .unwrap_or_default()
                    .chunks(TOGETHER)
                {
                    let out = some.iter().map(|number| Box::pin(shared.withdraw(*number)));
                    join_all(out.collect()).await;
                }
            })
        })
    }

    /// Puts them, and tries again where no answer speaks for an item.
    async fn put_until_known(
        &self,
        puts: &[Put],
        mut together: usize,
        deadline: Deadline,
        known: &Known,
    ) -> Outcomes {
        let mut outcomes = Outcomes::default();
        let (mut puts, mut again) = (puts, false);
        loop {
            let patience = self.patience(deadline);
            (self.put_window(puts, (together, again), patience, &mut outcomes, known)).await;
            let mut count = outcomes.count();
            while let (Some(doubt @ Outcome::Unanswered(true)), true) =
                (outcomes.all.get_mut(count), self.is_known_closed())
            {
                *doubt = self.was_put(&puts[count]).await;
                if outcomes.count() == count {
                    break;
                }
                count += 1;
            }
            let goes_on = match outcomes.all.get(count) {
                // The server knows by their ids which of those are in that this answer spoke for.
                Some(_) if together > 1 => true,
                Some(Outcome::Unanswered(_)) => self.link.try_again(deadline).await,
                _ => false,
            };
            if !goes_on {
                return outcomes;
            }
            (together, again, puts) = (1, true, &puts[..outcomes.all.len()]);
        }
    }

    /// Puts those that are not known to be in, until one is refused, or no answer comes for so long.
    async fn put_window(
        &self,
        puts: &[Put],
        (together, again): (usize, bool),
        patience: Duration,
        outcomes: &mut Outcomes,
        known: &Known,
    ) {
        let first = outcomes.count();
        let client = &self.link.client;
        let inbox = client.new_inbox();
        let answers = match self.link.is_connected() {
            true => client.subscribe(format!("{inbox}.*")).await.ok(),
            false => None,
        };
        let Some(mut answers) = answers else {
            return outcomes.note(first, Outcome::Unanswered(false));
        };
        let (mut state, since) = (self.link.state(), self.link.refusals());
        let mut late = pin!(tokio::time::sleep(patience));
        let mut broken = pin!(state.changed());
        let mut refused = pin!(self.link.refused_after(since, &self.names.items));
        let mut window = Window {
            shared: self,
            puts,
            known,
            together,
            again,
            inbox,
            first,
            sent: first,
            asked: first,
            answered: first,
            goes_on: true,
            end: usize::MAX,
        };
        loop {
            window.send(outcomes).await;
            if window.answered == window.asked {
                return outcomes.all.truncate(window.end);
            }
            let next = poll_fn(|cx| {
                if let Poll::Ready(message) = Pin::new(&mut answers).poll_next(cx) {
                    return Poll::Ready(Ok(message));
                }
                if refused.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(true));
                }
                if broken.as_mut().poll(cx).is_ready() || late.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(false));
                }
                Poll::Pending
            });
            let message = match next.await {
                Ok(Some(message)) => message,
                Err(true) => {
                    let failure = self.link.denied("publish", &self.names.items);
                    return outcomes.note(window.answered, Outcome::Failed(failure));
                }
                Ok(None) | Err(false) => return,
            };
            window.heed(&message, outcomes).await;
            known.set(outcomes.count());
            window.goes_on &= !known.is_settled();
            // A time that overflows is as far away as it was.
            if let Some(later) = tokio::time::Instant::now().checked_add(patience) {
                late.as_mut().reset(later);
            }
        }
    }
}
