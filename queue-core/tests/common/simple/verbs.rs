//! The verbs of the trait, each broken in its ways.

use super::*;

impl<T: Sample, F: Broken> Kind for Simple<T, F> {
    type Item = T;
    type Listener<'a>
        = Waiter<'a, F>
    where
        Self: 'a;

    fn endpoints(&self) -> &EndpointCounts {
        match F::FAULT {
            Fault::HalvesPerHandle => &self.own_endpoints,
            _ => &self.shared.endpoints,
        }
    }

    fn id(&self) -> QueueId {
        match F::FAULT {
            Fault::AllTheSame => QueueId::new(1, 1),
            Fault::NoneTheSame => QueueId::of_address(&self.own_endpoints),
            _ => QueueId::of_address(&self.shared.endpoints),
        }
    }

    fn on_last_endpoint(&self, side: Side) {
        match (F::FAULT, side) {
            (Fault::HalvesNeverClose, _) | (Fault::OnlyProducersClose, Side::Consumers) => {}
            _ => drop(self.close()),
        }
    }

    fn ready_hint(&self, side: Side) -> usize {
        let state = self.state();
        match side {
            Side::Consumers if Self::has_ended(&state) => usize::MAX,
            Side::Consumers => state.inside.len() + state.lending.returned.len(),
            Side::Producers if state.closed => usize::MAX,
            Side::Producers => (self.limit()).map_or(usize::MAX, |n| {
                n.saturating_sub(state.inside.len() + Self::held(&state))
            }),
        }
    }

    fn listen(&self, side: Side) -> Waiter<'_, F> {
        match side {
            Side::Consumers => {
                self.shared.task_was_last.store(false, Ordering::Relaxed);
                Waiter::new(self.shared.items.listen())
            }
            Side::Producers => Waiter::new(self.shared.slots.listen()),
        }
    }
}

impl<T: Sample, F: Broken> Queue for Simple<T, F> {
    fn push_until(&self, item: T, deadline: Deadline) -> Result<(), PushTimeoutError<T>> {
        let deadline = shortened(F::FAULT, deadline);
        if F::FAULT == Fault::ClockFirst && deadline.has_passed() {
            return Err(PushTimeoutError::Timeout(item));
        }
        let mut item = item;
        loop {
            let listener = self.listen(Side::Producers);
            item = match self.try_push(item) {
                Ok(()) => return Ok(()),
                Err(TryPushError::Closed(item)) => return Err(PushTimeoutError::Closed(item)),
                Err(TryPushError::Failed(item, why)) => {
                    return Err(PushTimeoutError::Failed(item, why));
                }
                Err(TryPushError::Full(item)) => item,
            };
            if !listener.wait(deadline) {
                return self.try_push(item).map_err(late_push);
            }
        }
    }

    fn pop_until(&self, deadline: Deadline) -> Result<T, PopTimeoutError> {
        let deadline = shortened(F::FAULT, deadline);
        if F::FAULT == Fault::ClockFirst && deadline.has_passed() {
            return Err(PopTimeoutError::Timeout);
        }
        loop {
            let listener = self.listen(Side::Consumers);
            match self.try_pop() {
                Ok(item) => return Ok(item),
                Err(TryPopError::Closed) => return Err(PopTimeoutError::Closed),
                Err(TryPopError::Failed(why)) => return Err(PopTimeoutError::Failed(why)),
                Err(TryPopError::Empty) => {}
            }
            if !listener.wait(deadline) {
                return self.try_pop().map_err(late_pop);
            }
        }
    }

    fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        match F::FAULT {
            Fault::CountsPushers => {
                self.shared.pushing.fetch_add(1, Ordering::SeqCst);
                yield_now();
                let pushed = self.push_once(item);
                self.shared.pushing.fetch_sub(1, Ordering::SeqCst);
                pushed
            }
            Fault::BlockingTry => {
                let mut item = item;
                loop {
                    match self.push_once(item) {
                        Err(TryPushError::Full(back)) => item = back,
                        done => return done,
                    }
                    sleep(Duration::from_millis(1));
                }
            }
            _ => self.push_once(item),
        }
    }

    fn try_pop(&self) -> Result<T, TryPopError> {
        match self.pop_once() {
            Err(TryPopError::Empty) if F::FAULT == Fault::PoliteTry => {
                sleep(Duration::from_millis(20));
                self.pop_once()
            }
            popped => popped,
        }
    }

    fn len(&self) -> usize {
        let pushing = self.shared.pushing.load(Ordering::SeqCst);
        let state = self.state();
        match F::FAULT {
            Fault::CountsLate => state.inside.len() + state.late,
            _ => state.inside.len() + state.lending.returned.len() + pushing,
        }
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn is_full(&self) -> bool {
        let state = self.state();
        (self.capacity).is_some_and(|n| state.inside.len() + Self::held(&state) >= n)
    }

    fn close(&self) -> bool {
        let was = std::mem::replace(&mut self.state().closed, true);
        if F::FAULT == Fault::CloseWakesOne {
            self.shared.items.notify();
            self.shared.slots.notify();
        } else {
            self.shared.items.notify_all();
            self.shared.task_items.notify_all();
            self.shared.slots.notify_all();
        }
        !was || F::FAULT == Fault::AlwaysFirst
    }

    fn close_now(&self) -> Vec<T> {
        self.close();
        let mut state = self.state();
        let mut left: VecDeque<_> = std::iter::from_fn(|| state.lending.returned.pop()).collect();
        left.append(&mut state.inside);
        drop(state);
        self.idle_if_done();
        match F::FAULT {
            Fault::CloseNowForgets => Vec::new(),
            _ => left.into(),
        }
    }

    fn push_timeout(&self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>> {
        if is_over(F::FAULT, timeout) {
            return Err(PushTimeoutError::Timeout(item));
        }
        self.push_until(item, Deadline::after(timeout))
    }

    fn pop_timeout(&self, timeout: Duration) -> Result<T, PopTimeoutError> {
        if is_over(F::FAULT, timeout) {
            return Err(PopTimeoutError::Timeout);
        }
        self.pop_until(Deadline::after(timeout))
    }

    fn pop_many_timeout(
        &self,
        into: &mut Vec<T>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, PopTimeoutError> {
        let (max, deadline) = match F::FAULT {
            Fault::BatchLooksAtTheClock if timeout.is_zero() => {
                return Err(PopTimeoutError::Timeout);
            }
            Fault::BatchIsImpatient => (max, Deadline::after(timeout / 2)),
            Fault::TimedBatchTakesOne => (max.min(1), Deadline::after(timeout)),
            _ => (max, Deadline::after(timeout)),
        };
        let mut popped = self.pop_many_until(into, max, deadline)?;
        while F::FAULT == Fault::TimedBatchPopsOn
            && popped < max
            && let Ok(item) = self.try_pop()
        {
            into.push(item);
            popped += 1;
        }
        Ok(popped)
    }

    fn producer_count(&self) -> usize {
        let both = F::FAULT == Fault::CountsBothSides;
        self.endpoints().count(Side::Producers) + if both { self.consumer_count() } else { 0 }
    }

    fn producer(&self) -> Producer<Self> {
        match F::FAULT {
            Fault::ProducerOfAnother => {
                let bound = self.capacity.map_or(Capacity::Unbounded, Capacity::bounded);
                Producer::new(Self::try_with_capacity(bound).expect("never refused"))
            }
            _ => Producer::new(self.clone()),
        }
    }

    async fn push_async(&self, item: T) -> Result<(), PushError<T>> {
        let leaves = match F::FAULT {
            Fault::PushesAfterCancel | Fault::PushesIfWoken => true,
            Fault::PushesAfterOwnedSink => self.clones > 1,
            _ => false,
        };
        let ghost = leaves.then(|| item.clone());
        let mut guard = CancelGuard {
            queue: self,
            waits: true,
            ghost,
        };
        let mut item = item;
        loop {
            let listener = self.listen(Side::Producers);
            let pushed = match F::FAULT {
                Fault::AsyncOverfills => {
                    self.put(&mut self.state(), item);
                    self.an_item_came();
                    Ok(())
                }
                _ => self.try_push(item),
            };
            if !matches!(pushed, Err(TryPushError::Full(_))) {
                guard.waits = false;
            }
            item = match pushed {
                Ok(()) => {
                    if F::FAULT == Fault::WaitedGoesFirst {
                        self.state().inside.rotate_right(1);
                    }
                    return Ok(());
                }
                Err(TryPushError::Full(item)) => item,
                Err(TryPushError::Closed(item)) => return Err(PushError::Closed(item)),
                Err(TryPushError::Failed(item, why)) => return Err(PushError::Failed(item, why)),
            };
            listener.await;
        }
    }

    async fn pop_async(&self) -> Result<T, PopError> {
        loop {
            let listener = match F::FAULT {
                Fault::OneSort => {
                    self.shared.task_was_last.store(true, Ordering::Relaxed);
                    Waiter::new(self.shared.task_items.listen())
                }
                _ => self.listen(Side::Consumers),
            };
            match self.try_pop() {
                Ok(item) => {
                    let owned = F::FAULT == Fault::TakesInOwnedStream && self.clones > 1;
                    if owned || F::FAULT == Fault::TakesThenYields {
                        yield_once().await;
                    }
                    return Ok(item);
                }
                Err(TryPopError::Closed) => return Err(PopError::Closed),
                Err(TryPopError::Failed(why)) => return Err(PopError::Failed(why)),
                Err(TryPopError::Empty) => {}
            }
            listener.await;
        }
    }

    fn try_pop_many(&self, into: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        let most = match F::FAULT {
            Fault::BatchPopsOn => max,
            _ => max.min(self.len().max(1)),
        };
        for popped in 0..most {
            match self.try_pop() {
                Ok(item) => into.push(item),
                Err(error) if popped == 0 => return Err(error),
                Err(_) => return Ok(popped),
            }
        }
        Ok(most)
    }

    fn try_push_many(&self, items: &mut VecDeque<T>) -> Result<usize, TryPushError<()>> {
        let most = match (F::FAULT, self.capacity) {
            (Fault::BatchPushesOn | Fault::BatchOverfills | Fault::BatchDropsRest, _)
            | (_, None) => usize::MAX,
            (_, Some(n)) => n.saturating_sub(self.len()).max(1),
        };
        let mut pushed = 0;
        while pushed < most
            && let Some(item) = match F::FAULT {
                Fault::BatchReversed => items.pop_back(),
                _ => items.pop_front(),
            }
        {
            let done = match F::FAULT {
                Fault::BatchOverfills | Fault::BatchWakesOne => self.push_quietly(item),
                _ => self.try_push(item),
            };
            if let Err(refused) = done {
                let error = refused.map(|item| items.push_front(item));
                match (F::FAULT, pushed) {
                    (Fault::SwallowsBatch, 0) | (Fault::BatchDropsRest, 1..) => items.clear(),
                    _ => {}
                }
                return if pushed == 0 { Err(error) } else { Ok(pushed) };
            }
            pushed += 1;
        }
        Ok(pushed)
    }
}

fn is_over(fault: Fault, timeout: Duration) -> bool {
    match fault {
        Fault::Overflows => timeout > Duration::from_secs(u32::MAX.into()),
        Fault::ClockFirst => timeout.is_zero(),
        _ => false,
    }
}

fn shortened(fault: Fault, deadline: Deadline) -> Deadline {
    match (fault, deadline.remaining()) {
        (Fault::Impatient, Some(left)) => Deadline::after(left / 2),
        _ => deadline,
    }
}

fn late_push<T>(error: TryPushError<T>) -> PushTimeoutError<T> {
    match error {
        TryPushError::Full(item) => PushTimeoutError::Timeout(item),
        TryPushError::Closed(item) => PushTimeoutError::Closed(item),
        TryPushError::Failed(item, why) => PushTimeoutError::Failed(item, why),
    }
}

fn late_pop(error: TryPopError) -> PopTimeoutError {
    match error {
        TryPopError::Empty => PopTimeoutError::Timeout,
        TryPopError::Closed => PopTimeoutError::Closed,
        TryPopError::Failed(why) => PopTimeoutError::Failed(why),
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a push that is dropped while it waits leaves behind.
struct CancelGuard<'a, T: Sample, F: Broken> {
    queue: &'a Simple<T, F>,
    waits: bool,
    ghost: Option<T>,
}

impl<T: Sample, F: Broken> Drop for CancelGuard<'_, T, F> {
    fn drop(&mut self) {
        if !self.waits {
            return;
        }
        if F::FAULT == Fault::KeepsPermit {
            self.queue.state().lost += 1;
        }
        if let Some(ghost) = self.ghost.take() {
            if F::FAULT == Fault::PushesIfWoken {
                drop(self.queue.try_push(ghost));
                return;
            }
            self.queue.state().inside.push_back(ghost);
        }
    }
}
