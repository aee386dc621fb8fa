//! [`Supply`]: items on their way to those who wait in this process.
//!
//! Who waits for an item waits for one in [`Supply::spare`]. Tasks of the connection ask the server for as
//! many as there are waiters, and put there what comes. Once nobody waits a question is taken back, so that
//! what is pushed later is not for it; but not by ceasing to listen, for the server may have answered already, and
//! an item that nobody listens for is lost until its ack_wait is over. What has come by then goes back.

use crate::connection::before;
use crate::get::BRIEF;
use crate::lease::Delivered;
use crate::question::{Come, LATE, Question};
use crate::server_stream::CONSUMER;
use crate::shared::{Shared, either, lock};
use crate::stuck;
use queue_core::Failure;
use queue_core::sync::Deadline;
use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// So many items are asked for at once, at most.
pub(crate) const WINDOW: usize = 256;
/// A question for the next item ends by itself after this.
const EXPIRES: Duration = Duration::from_secs(5);
/// A server that is there has taken a question back within this.
const SOON: Duration = Duration::from_millis(50);
/// What has come for nobody is kept so long, where nothing is fetched ahead.
pub(crate) const KEPT: Duration = Duration::from_millis(20);

/// Items on their way to those who wait.
#[derive(Default)]
pub(crate) struct Supply {
    /// How many are waited for.
    pub(crate) waiting: usize,
    /// How many items the server is asked for.
    pub(crate) asked: usize,
    /// By so many questions.
    pub(crate) questions: usize,
    /// Those that came, the first in front. Each holds the `Shared` that this is in: a task that gives back
    /// what nobody takes breaks the circle.
    pub(crate) spare: VecDeque<Delivered>,
    /// Why none can come.
    pub(crate) refused: Option<Failure>,
    /// When somebody began or ended to wait for an item.
    pub(crate) last: Option<Instant>,
    /// Whether items that were asked for ahead are on their way.
    pub(crate) is_fetching: bool,
    /// Whether a task looks after what was fetched ahead.
    pub(crate) is_kept: bool,
    /// Nobody will take an item any more.
    pub(crate) is_over: bool,
}

impl Supply {
    /// Nothing can come, for those who wait now.
    pub(crate) fn refuse(&mut self, why: Failure) {
        self.refused = Some(why);
    }

    /// Puts an item among those that came: the oldest first, whichever question it came for.
    pub(crate) fn insert(&mut self, mut delivered: Delivered) {
        delivered.stays();
        let behind = |other: &Delivered| other.number() < delivered.number();
        let at = self.spare.partition_point(behind);
        self.spare.insert(at, delivered);
    }
}

/// Somebody who waits for an item, until it is dropped.
pub(crate) struct Getter {
    shared: Arc<Shared>,
    /// For how many.
    items: usize,
    /// Whether it has got one.
    has_got: bool,
}

impl Getter {
    /// Waits for so many more.
    pub(crate) fn add(&mut self, items: usize) {
        self.items += items;
        lock(&self.shared.supply).waiting += items;
    }

    /// Takes an item that has come.
    pub(crate) fn take(&mut self) -> Option<Delivered> {
        let mut supply = lock(&self.shared.supply);
        let mut delivered = loop {
            let mut delivered = supply.spare.pop_front()?;
            // What was fetched long ago somebody else may have by now.
            match self.shared.prefetch > 0 && delivered.is_lost() {
                true => delivered.forget(),
                false => break delivered,
            }
        };
        // Under the lock: at every moment it is here or goes out.
        delivered.goes_out();
        self.has_got = true;
        if self.items > 0 {
            self.items -= 1;
            supply.waiting -= 1;
        }
        Some(delivered)
    }

    /// Waits for an item in this process.
    pub(crate) async fn next(&mut self, deadline: Deadline) -> Result<Option<Delivered>, Failure> {
        let shared = self.shared.clone();
        loop {
            let listener = shared.items.listen();
            if let Some(why) = lock(&shared.supply).refused.clone() {
                return Err(why);
            }
            if let Some(delivered) = self.take() {
                return Ok(Some(delivered));
            }
            if before(deadline, listener).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// It waits no more: an item that came in time, if there is one.
    pub(crate) async fn give_up(&mut self) -> Option<Delivered> {
        let shared = self.shared.clone();
        lock(&shared.supply).waiting -= std::mem::take(&mut self.items);
        if !shared.may_withdraw {
            return None;
        }
        shared.unasked.notify_all();
        shared.withdrawn().await;
        let nobody = lock(&shared.supply).waiting == 0;
        if nobody { self.take() } else { None }
    }
}

impl Drop for Getter {
    fn drop(&mut self) {
        let shared = &self.shared;
        let mut supply = lock(&shared.supply);
        supply.waiting -= self.items;
        supply.last = Some(Instant::now());
        let nobody = supply.waiting == 0;
        let left = nobody && !supply.spare.is_empty();
        let asks = nobody && supply.asked > 0 && !supply.is_fetching;
        drop(supply);
        if left {
            shared.give_back_soon();
        }
        shared.unasked.notify_all();
        if asks && shared.may_withdraw {
            // What this process pushes from now on is not for this one.
            let shared = shared.clone();
            self.shared
                .clear_up(async move { shared.withdrawn().await });
        }
        // What it has taken may have been asked for by somebody else.
        shared.ask_for_more();
        if self.has_got {
            shared.ask_ahead();
        }
    }
}

impl Shared {
    /// Somebody who waits from now on: what comes from now on does not go back.
    pub(crate) fn getter(self: &Arc<Self>) -> Getter {
        let mut supply = lock(&self.supply);
        supply.waiting += 1;
        supply.last = Some(Instant::now());
        supply.refused = None;
        drop(supply);
        self.unasked.notify_all();
        let shared = self.clone();
        Getter {
            shared,
            items: 1,
            has_got: false,
        }
    }

    /// How many items have come that nobody has taken yet.
    pub(crate) fn spare(&self) -> usize {
        lock(&self.supply).spare.len()
    }

    /// Asks the server for all that is waited for and neither asked for nor here. One question at a
    /// time: the server would share the items out among several, and they would come out of order.
    pub(crate) fn ask_for_more(self: &Arc<Self>) {
        let mut supply = lock(&self.supply);
        if supply.questions > 0 {
            return;
        }
        let here = supply.asked + supply.spare.len();
        let missing = supply.waiting.saturating_sub(here).min(WINDOW);
        if missing > 0 {
            supply.asked += missing;
            supply.questions += 1;
            let shared = self.clone();
            (self.link).spawn(async move { shared.supply_some(missing, None).await });
        }
    }

    /// Asks until so many items have come, or nobody waits for them.
    pub(crate) async fn supply_some(
        self: Arc<Self>,
        mut items: usize,
        mut asked: Option<Question>,
    ) {
        while items > 0 {
            let question = match asked.take() {
                Some(question) => Some(question),
                None => self.question(items, Some(EXPIRES)).await,
            };
            let mut why = None;
            if let Some(mut question) = question {
                let mut left = items;
                while left > 0 {
                    match self.answer(&mut question, left).await {
                        Come::Withdrawn => left -= 1,
                        Come::Item(message) => {
                            left -= 1;
                            if let Some(delivered) = Delivered::new(&self, message).await {
                                self.supply_it(delivered);
                                items -= 1;
                            }
                        }
                        Come::Over if question.patience.is_some() => {
                            self.look_for_stuck().await;
                            break;
                        }
                        Come::Over | Come::Silence => break,
                        Come::Denied(denied) => {
                            why = Some(denied);
                            break;
                        }
                        Come::Nobody => {
                            // Between two consumers, or two leaders.
                            tokio::time::sleep(BRIEF).await;
                            why = self.all_counts().await.err();
                            why = why.filter(|why| !self.is_passing(why));
                            break;
                        }
                    }
                }
            }
            items = self.asks_again(items, why);
            if items > 0 && !self.link.is_connected() {
                self.link.try_again(Deadline::NEVER).await;
            }
        }
        lock(&self.supply).questions -= 1;
        self.unasked.notify_all();
        self.ask_for_more();
    }

    /// What comes for a question; nothing, if the server has forgotten it. Once nobody waits it is
    /// withdrawn: so many items may still come.
    async fn answer(self: &Arc<Self>, question: &mut Question, left: usize) -> Come {
        loop {
            let patience = match question.patience {
                Some(_) if self.link.is_fresh() => Deadline::after(stuck::LEAVES),
                Some(_) => Deadline::NEVER,
                None => Deadline::after(LATE),
            };
            let stays = question.is_withdrawn || question.is_ahead || !self.may_withdraw;
            let come = async { Some(question.next().await) };
            let come = match stays {
                true => before(patience, come).await,
                false => before(patience, either(come, self.unwanted())).await,
            };
            match come {
                Some(Some(come)) => return come,
                Some(None) => question.withdraw(left).await,
                // Whoever counts sees whether the consumer is stuck.
                None => match self.all_counts().await {
                    Ok(counts) if counts.asked > 0 || question.patience.is_some() => {}
                    _ => return Come::Over,
                },
            }
        }
    }

    /// Waits until nobody waits for an item.
    async fn unwanted(&self) -> Option<Come> {
        self.until(|supply| supply.waiting == 0).await;
        None
    }

    /// Waits until the server is asked for nothing, or somebody waits for an item again.
    async fn withdrawn(&self) {
        let withdrawn = self.until(|supply| supply.asked == 0 || supply.waiting > 0);
        // A server that is there answers at once.
        let _ = before(Deadline::after(SOON), withdrawn).await;
    }

    async fn until(&self, holds: impl Fn(&Supply) -> bool) {
        loop {
            let listener = self.unasked.listen();
            if holds(&lock(&self.supply)) {
                return;
            }
            listener.await;
        }
    }

    /// How many of so many items that did not come are to be asked for again; none if none can come.
    pub(crate) fn asks_again(&self, items: usize, why: Option<Failure>) -> usize {
        let mut supply = lock(&self.supply);
        supply.asked -= items;
        // Whatever came for the question is here.
        let fetched = std::mem::take(&mut supply.is_fetching);
        if why.is_some() {
            supply.refused = why;
            drop(supply);
            self.fetched.notify_all();
            self.items.notify_all();
            return 0;
        }
        let here = supply.asked + supply.spare.len();
        let again = supply.waiting.saturating_sub(here).min(items);
        supply.asked += again;
        // Not under the lock: a waker may be anything.
        drop(supply);
        if fetched {
            self.fetched.notify_all();
        }
        again
    }

    pub(crate) fn supply_it(self: &Arc<Self>, delivered: Delivered) {
        let mut supply = lock(&self.supply);
        supply.asked -= 1;
        self.put_spare(supply, delivered);
    }

    /// Puts items that were taken, and are not to go out, among those that came.
    pub(crate) fn untake(self: &Arc<Self>, all: impl Iterator<Item = Delivered>) {
        for mut delivered in all {
            let supply = lock(&self.supply);
            delivered.stays();
            self.put_spare(supply, delivered);
        }
    }

    /// Puts an item among those that came, for whoever waits or comes for it within a moment.
    pub(crate) fn put_spare(
        self: &Arc<Self>,
        mut supply: MutexGuard<'_, Supply>,
        delivered: Delivered,
    ) {
        supply.insert(delivered);
        let nobody = supply.waiting == 0;
        drop(supply);
        self.items.notify();
        if nobody {
            self.give_back_soon();
        }
    }

    /// Gives back what has come, unless somebody comes for it within a moment: whoever does gets it
    /// before what is younger.
    pub(crate) fn give_back_soon(self: &Arc<Self>) {
        if self.prefetch > 0 {
            return self.keep_for_a_while();
        }
        let shared = self.clone();
        self.link.spawn(async move {
            tokio::time::sleep(KEPT).await;
            if shared.has_idle_items() {
                let clearing = shared.clone();
                shared.clear_up(async move {
                    for delivered in clearing.idle_items() {
                        let _ = delivered.back(false).await;
                    }
                });
            }
        });
    }

    fn has_idle_items(&self) -> bool {
        let supply = lock(&self.supply);
        supply.waiting == 0 && !supply.spare.is_empty()
    }

    /// Takes what is here, if nobody waits. Who sees it gone has to wait for its return: so it is for a
    /// task that [clears up](Self::clear_up).
    pub(crate) fn idle_items(&self) -> VecDeque<Delivered> {
        let mut supply = lock(&self.supply);
        match supply.waiting {
            0 => std::mem::take(&mut supply.spare),
            _ => VecDeque::new(),
        }
    }

    pub(crate) fn next_subject(&self) -> String {
        format!("$JS.API.CONSUMER.MSG.NEXT.{}.{CONSUMER}", self.names.stream)
    }
}
