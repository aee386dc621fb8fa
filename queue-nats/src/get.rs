//! Getting items: what is there, and what comes.
//!
//! It comes by way of the [`Supply`](crate::supply::Supply) of this process, or for a question of the
//! getter's own.

use crate::connection::before;
use crate::lease::{Delivered, Several};
use crate::question::Come;
use crate::server_stream::Closing;
use crate::shared::{Shared, Whole, lock};
use crate::supply::{Getter, WINDOW};
use crate::watch::Who;
use queue_core::sync::Deadline;
use queue_core::{Failure, FailureKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Who waits for an item that is there looks so often whether it still is.
pub(crate) const BRIEF: Duration = Duration::from_millis(10);
/// After so many of these looks another process has what this one gave back.
const ELSEWHERE: u32 = 5;
/// A pop that is taking its item out is waited for so long, where that would be the last one.
const DROPPED: Duration = Duration::from_millis(100);
/// A server says within this that no item waits.
const AT_ONCE: Duration = Duration::from_millis(50);
/// An item that may be on its way here, or to another process, is waited for in so many looks.
const STRAYS: u32 = 3;

/// Why there is no item.
#[derive(Debug)]
pub(crate) enum NotGot {
    Empty,
    Closed,
    Failed(Failure),
}

impl Shared {
    /// Gets the item that is next, if one waits.
    pub(crate) async fn try_get(self: &Arc<Self>) -> Result<Delivered, NotGot> {
        // First of all: what comes from here on does not go back, behind what is younger.
        let mut here = self.getter();
        self.try_get_or_give_up(&mut here).await
    }

    /// Without an item it waits for none any more.
    async fn try_get_or_give_up(self: &Arc<Self>, here: &mut Getter) -> Result<Delivered, NotGot> {
        match self.try_get_as(here).await {
            Err(NotGot::Empty) => here.give_up().await.ok_or(NotGot::Empty),
            tried => tried,
        }
    }

    async fn try_get_as(self: &Arc<Self>, here: &mut Getter) -> Result<Delivered, NotGot> {
        if let Some(delivered) = self.get_at_once(here).await? {
            return Ok(delivered);
        }
        let deadline = Deadline::after(self.timeout);
        let pops_end = Deadline::after(DROPPED);
        let mut asks = false;
        let (mut strays, mut waits) = (0, 0);
        loop {
            let changes = self.undone().await;
            if let Some(delivered) = here.take() {
                return Ok(delivered);
            }
            let ended = self.pops.ended();
            let counts = self.all_counts().await.map_err(NotGot::Failed)?;
            let (asked, for_nobody) = self.asked();
            // An item that is on its way: to this process, for the server has answered a question
            // of it; or to whomever.
            let elsewhere = counts.unacked > self.leases.len();
            let may_come = elsewhere && strays < STRAYS;
            let comes = (asks || for_nobody) && (asked > counts.asked || may_come);
            if counts.waiting > 0 || comes {
                strays += u32::from(counts.waiting == 0);
                asks = true;
                self.ask_for_more();
                let spare = here.next(Deadline::after(BRIEF)).await;
                if let Some(delivered) = spare.map_err(NotGot::Failed)? {
                    return Ok(delivered);
                }
                waits += 1;
                if waits % ELSEWHERE == 0 {
                    self.forget_returned();
                }
            } else if counts.messages > 0
                && self.is_known_closed()
                && (self.pops(asked > counts.asked || asked > 0 && elsewhere)
                    || self.pops.ended() > ended)
                && !pops_end.has_passed()
            {
                // What a pop of this process is taking out is as good as gone, unless it is a future that
                // nobody polls: nothing may be left. One that has ended meanwhile took what was counted.
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else if counts.messages == 0 && counts.closing == Closing::Begun {
                // It is `Closed` as soon as nothing can come any more.
                match self.seal().await {
                    Err(why) if why.kind() == FailureKind::Denied => return Err(NotGot::Empty),
                    sealed => sealed.map_err(NotGot::Failed)?,
                }
            } else if counts.messages == 0 && counts.closing == Closing::Done {
                if self.is_over(changes).await {
                    return Err(NotGot::Closed);
                }
            } else if !self.has_changed(changes) && self.spare() == 0 {
                return Err(NotGot::Empty);
            }
            if deadline.has_passed() {
                return Err(NotGot::Failed(self.link.unavailable()));
            }
        }
    }

    /// What this process gave back does not come though the server is asked for it: others have it.
    fn forget_returned(&self) {
        lock(&self.returned).clear();
    }

    /// Whether a queue that was seen closed and empty is so for good: a pop of this process that is
    /// dropped in the midst gives its item back.
    async fn is_over(&self, since: u64) -> bool {
        let deadline = Deadline::after(DROPPED);
        while self.pops.under_way() > 0 && !deadline.has_passed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        !self.has_changed(since) && self.spare() == 0
    }

    /// Gets an item that has come, or that the server has at hand. That there is none says nothing:
    /// the server announces an item to its consumer a little after it has taken it.
    async fn get_at_once(self: &Arc<Self>, here: &mut Getter) -> Result<Option<Delivered>, NotGot> {
        self.undone().await;
        if let Some(delivered) = here.take() {
            return Ok(Some(delivered));
        }
        self.fetched().await;
        self.ask_at_once().await.map_err(NotGot::Failed)?;
        Ok(here.take())
    }

    /// Asks for an item that waits, as [`supply_some`](Self::supply_some) does, and not again. Nobody else may
    /// ask meanwhile, or the younger one of two items might come out first: so it goes on though the future
    /// that began it is not polled.
    fn ask_at_once(self: &Arc<Self>) -> Whole<Result<(), Failure>> {
        let shared = self.clone();
        let (tell, told) = oneshot::channel();
        let work = async move {
            {
                let mut supply = lock(&shared.supply);
                // What waits is for those who have asked before, and what has come is older.
                if supply.questions > 0 || !supply.spare.is_empty() {
                    return Ok(());
                }
                supply.questions += 1;
                supply.asked += 1;
            }
            let mut asked = Ok(());
            let mut come = None;
            match shared.question(1, None).await {
                Some(mut question) => {
                    match before(Deadline::after(AT_ONCE), question.next()).await {
                        Some(Come::Item(message)) => come = Delivered::new(&shared, message).await,
                        Some(Come::Denied(denied)) => asked = Err(denied),
                        Some(Come::Silence) => asked = Err(shared.link.unavailable()),
                        Some(Come::Over | Come::Withdrawn | Come::Nobody) => {}
                        // Another consumer took what this was to get, and the server keeps the question.
                        None => {
                            let keeper = shared.clone();
                            let kept = async move { keeper.supply_some(1, Some(question)).await };
                            shared.link.spawn(kept);
                            return Ok(());
                        }
                    }
                }
                None => asked = Err(shared.link.unavailable()),
            }
            match come {
                Some(delivered) => shared.supply_it(delivered),
                None => lock(&shared.supply).asked -= 1,
            }
            let others = {
                let mut supply = lock(&shared.supply);
                supply.questions -= 1;
                supply.waiting > 1
            };
            shared.unasked.notify_all();
            if others {
                shared.ask_for_more();
            }
            asked
        };
        self.link.spawn(async move {
            let _ = tell.send(work.await);
        });
        let link = self.link.clone();
        let work = async move { told.await.unwrap_or_else(|_| Err(link.unavailable())) };
        // One that is dropped may have been counted among the others.
        Whole::new(self, work, |shared, _| {
            shared.ask_for_more();
            Box::pin(async {})
        })
    }

    /// Whether an item is on its way out of the queue, or may be.
    fn pops(&self, comes: bool) -> bool {
        comes || self.spare() > 0 || self.pops.under_way() > 0
    }

    /// How many questions this process has at the server; and whether one of them is for
    /// somebody who has gone, or for the getter that asks this.
    fn asked(&self) -> (usize, bool) {
        let supply = lock(&self.supply);
        (supply.questions, supply.asked >= supply.waiting.max(1))
    }

    /// Gets the next item, waiting for one, and for the server: `None` if the deadline comes first. A failure
    /// that an earlier verb could not tell comes first of all.
    pub(crate) async fn get(
        self: &Arc<Self>,
        deadline: Deadline,
    ) -> Result<Option<Delivered>, NotGot> {
        let mut here = self.getter();
        self.undone().await;
        self.untold().map_err(NotGot::Failed)?;
        let tried = match deadline == Deadline::NEVER {
            true => self.get_at_once(&mut here).await,
            false => self.try_get_as(&mut here).await.map(Some),
        };
        match tried {
            Ok(Some(delivered)) => return Ok(Some(delivered)),
            Ok(None) | Err(NotGot::Empty) => {}
            Err(NotGot::Failed(why)) if self.is_passing(&why) => {
                if !self.link.try_again(deadline).await {
                    return Err(NotGot::Failed(why));
                }
            }
            Err(other) => return Err(other),
        }
        let _watch = self.watch_for(Who::Pop);
        self.ask_for_more();
        loop {
            let sealed = self.is_known_sealed();
            if sealed {
                let changes = self.undone().await;
                match self.info().await {
                    Ok(info) if info.messages() == 0 => {
                        if self.is_over(changes).await {
                            return Err(NotGot::Closed);
                        }
                        continue;
                    }
                    Ok(_) => {}
                    Err(why) if self.is_passing(&why) => {
                        if !self.link.try_again(deadline).await {
                            return Err(NotGot::Failed(why));
                        }
                    }
                    Err(why) => return Err(NotGot::Failed(why)),
                }
            }
            // Registered before the looks: what they miss wakes this listener.
            let listener = self.items.listen();
            if let Some(why) = lock(&self.supply).refused.clone() {
                return Err(NotGot::Failed(why));
            }
            self.untold().map_err(NotGot::Failed)?;
            if let Some(delivered) = here.take() {
                return Ok(Some(delivered));
            }
            if sealed != self.is_known_sealed() {
                continue;
            }
            if before(deadline, listener).await.is_none() {
                return match self.link.is_connected() {
                    true => Ok(here.give_up().await),
                    false => Err(NotGot::Failed(self.link.unavailable())),
                };
            }
        }
    }

    pub(crate) fn is_passing(&self, why: &Failure) -> bool {
        why.kind() == FailureKind::Unavailable
    }

    /// Gets up to `most` items, as many as wait, in order: at least one.
    pub(crate) async fn try_get_many(self: &Arc<Self>, most: usize) -> Result<Several, NotGot> {
        let mut here = self.getter();
        let mut all = Several([self.try_get_or_give_up(&mut here).await?].into());
        let all_but_one = most.saturating_sub(1);
        if all_but_one == 0 {
            return Ok(all);
        }
        // As long as this waits for one more nothing goes back.
        here.add(1);
        let changes = self.undone().await;
        self.fetched().await;
        let Ok(counts) = self.all_counts().await else {
            return Ok(all);
        };
        // Others have asked for some of them.
        let asked = {
            let supply = lock(&self.supply);
            supply.asked.min(supply.waiting.saturating_sub(1))
        };
        // However fast others push: no more than are in the queue now, with what may come back.
        let all_but_one = all_but_one.min(counts.messages.saturating_sub(1));
        let all_but_one = all_but_one.min(WINDOW);
        let most = (counts.waiting + self.spare()).saturating_sub(asked);
        let most = most.min(all_but_one);
        if most > 0 {
            here.add(most - 1);
            self.ask_for_more();
        }
        let mut waits = 0;
        while all.0.len() <= most {
            match here.next(Deadline::after(BRIEF)).await {
                Ok(Some(delivered)) => {
                    all.0.push_back(delivered);
                    waits = 0;
                    continue;
                }
                Err(_) => break,
                Ok(None) => match self.all_counts().await {
                    Ok(counts) if counts.waiting > 0 || self.asked().0 > counts.asked => {}
                    _ if self.spare() > 0 => {}
                    // Others have taken the rest.
                    _ => break,
                },
            }
            waits += 1;
            if waits % ELSEWHERE == 0 {
                self.forget_returned();
            }
        }
        // What a dropped pop asked for, or gives back, may come yet.
        while all.0.len() <= all_but_one
            && (self.has_changed(changes) || matches!(self.asked(), (1.., true)))
        {
            here.add(1);
            match self.try_get_as(&mut here).await {
                Ok(delivered) => all.0.push_back(delivered),
                Err(_) => break,
            }
        }
        // What is on its way here would come back behind what is younger.
        while all.0.len() <= most {
            match here.give_up().await {
                Some(delivered) => all.0.push_back(delivered),
                None => break,
            }
        }
        Ok(all)
    }
}
