//! Fetching ahead: items that are here before somebody asks for them.
//!
//! With each item that this process takes it asks for some of those that wait behind it, once at most half
//! of what it may have ahead is left. Such a question gets what is there and ends at once, so that
//! nothing goes to a process that has ceased to ask. They come into [`Supply::spare`]. From there
//! they go back, uncounted, when nobody has taken an item or waited for one for a while, and with the
//! last handle. What is given back in this process meanwhile stays here: at the server it would be
//! overtaken by what is younger and here already.

use crate::connection::before;
use crate::lease::Delivered;
use crate::shared::{Shared, lock};
use crate::supply::{KEPT, Supply};
use queue_core::sync::Deadline;
use std::sync::Arc;
use std::time::Duration;

/// What nobody here has taken goes back when nobody has asked for an item for so long.
const IDLE: Duration = Duration::from_secs(1);
/// A server whose answer is on its way does not pause for so long.
const SILENT: Duration = Duration::from_millis(100);
/// The server is asked for so many at a time.
const MOST: usize = 1024;

impl Supply {
    /// How many are here, or asked for, that nobody waits for.
    fn ahead(&self) -> usize {
        (self.asked + self.spare.len()).saturating_sub(self.waiting)
    }
}

impl Shared {
    /// Asks for what waits behind an item that was taken, if less than half is left. One question at a
    /// time, as always.
    pub(crate) fn ask_ahead(self: &Arc<Self>) {
        let mut supply = lock(&self.supply);
        let left = supply.ahead();
        if self.prefetch == 0 || supply.is_over || supply.questions > 0 || left > self.prefetch / 2
        {
            return;
        }
        let items = (self.prefetch - left).min(MOST);
        supply.asked += items;
        supply.questions += 1;
        supply.is_fetching = true;
        drop(supply);
        let shared = self.clone();
        self.link.spawn(async move {
            let mut question = shared.question(items, None).await;
            let items = match &mut question {
                Some(question) => {
                    question.is_ahead = true;
                    items
                }
                None => shared.asks_again(items, None),
            };
            shared.supply_some(items, question).await;
        });
    }

    /// Waits until what was asked for ahead is here, as long as more of it comes. A server has answered at
    /// once, unless another consumer was faster.
    pub(crate) async fn fetched(&self) {
        if self.prefetch == 0 {
            return;
        }
        let mut missing = lock(&self.supply).asked;
        loop {
            let listener = self.fetched.listen();
            if !lock(&self.supply).is_fetching {
                return;
            }
            if before(Deadline::after(SILENT), listener).await.is_none() {
                let mut supply = lock(&self.supply);
                supply.is_fetching = supply.asked < missing;
                missing = supply.asked;
            }
        }
    }

    /// Whether an item that is given back stays in this process.
    pub(crate) fn keeps_items(&self) -> bool {
        self.may_keep(&lock(&self.supply))
    }

    fn may_keep(&self, supply: &Supply) -> bool {
        let comes = match self.prefetch {
            // What a dropped pop has left here, or asked for, is younger.
            0 => supply.asked.saturating_sub(supply.waiting),
            _ => supply.waiting + supply.asked,
        };
        !supply.is_over && comes + supply.spare.len() > 0
    }

    /// Puts an item that was given back among those that are here; it is returned if there are none.
    pub(crate) fn keep_item(self: &Arc<Self>, delivered: Delivered) -> Option<Delivered> {
        let supply = lock(&self.supply);
        if !self.may_keep(&supply) {
            return Some(delivered);
        }
        self.put_spare(supply, delivered);
        None
    }

    /// Looks after what is here, until it is taken or goes back.
    pub(crate) fn keep_for_a_while(self: &Arc<Self>) {
        if std::mem::replace(&mut lock(&self.supply).is_kept, true) {
            return;
        }
        let weak = Arc::downgrade(self);
        self.link.spawn(async move {
            let mut next = KEPT;
            loop {
                tokio::time::sleep(next).await;
                let Some(shared) = weak.upgrade() else { return };
                match shared.give_back_if_idle() {
                    Some(left) => next = left,
                    None => return,
                }
            }
        });
    }

    /// Gives back what is here if nobody asks for it: otherwise when to look again, if at all.
    fn give_back_if_idle(self: &Arc<Self>) -> Option<Duration> {
        let mut supply = lock(&self.supply);
        let since = supply.last.map_or(IDLE, |last| last.elapsed());
        if !supply.spare.is_empty() && !supply.is_over {
            if supply.waiting > 0 {
                return Some(IDLE);
            } else if since < IDLE {
                return Some(IDLE - since);
            }
        }
        supply.is_kept = false;
        let is_empty = supply.spare.is_empty();
        drop(supply);
        if !is_empty {
            let shared = self.clone();
            self.clear_up(async move { Delivered::all_back(shared.idle_items()).await });
        }
        None
    }

    /// The queue is deleted, and all that is here with it.
    pub(crate) fn forget_ahead(&self) {
        let mut supply = lock(&self.supply);
        supply.is_over |= self.prefetch > 0;
        let spare = std::mem::take(&mut supply.spare);
        drop(supply);
        for mut delivered in spare {
            delivered.forget();
        }
    }
}
