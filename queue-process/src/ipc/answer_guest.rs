//! [`open_line`]: the host's end of a line, and the thread that answers the guest on it, and notices
//! its death.

use super::hosted::{Hosted, Offer};
use super::page::Page;
use super::shared_rings::Pushes;
use super::state::{Lent, Who};
use super::wire::{
    self, Bytes, Ending, Gone, Handed, Hello, Item, PIECE, Reply, Request, Role, Ticket, VERSION,
    Watch,
};
use crate::try_error::TryError;
use crate::types::Types;
use crate::unwind::catch_panic;
use ipc_channel::TryRecvError;
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcSender};
use queue_core::{Failure, FailureKind, Side};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::{io, iter, thread};

/// Opens a line for one more process, and starts the thread that serves it: the ticket
/// by which that process takes it up. When the ticket or its taker is gone the thread
/// ends, and the process counts as present no more.
pub(super) fn open_line(
    hosted: &Arc<Hosted>,
    types: &Types,
    role: Role,
) -> Result<Ticket, Failure> {
    let cannot = |error: io::Error| {
        Failure::caused(
            FailureKind::Io,
            "cannot open a line to another process",
            error,
        )
    };
    let (requests, from_guest) = ipc::bytes_channel().map_err(cannot)?;
    let (to_guest, replies) = ipc::bytes_channel().map_err(cannot)?;
    let (caller, calls) = ipc::bytes_channel().map_err(cannot)?;
    let (hands, handed) = ipc::channel().map_err(cannot)?;
    let shelf = hosted.shelf()?;
    let pushes = Page::<Pushes>::new()?;
    let memory = pushes.memory();
    let guest = hosted.enroll(pushes, caller);
    let service = Service {
        guest,
        present: role.sides().fold([false; 2], |mut present, side| {
            present[side as usize] = true;
            present
        }),
        hosted: Arc::clone(hosted),
        types: types.clone(),
        role,
        requests: from_guest,
        replies: to_guest,
        hands,
        deliveries: BTreeMap::new(),
        delivered: 0,
    };
    // Before the thread runs: whoever holds the ticket is present. The service's drop
    // takes it back, also if there is no thread to run it.
    hosted.join(role);
    thread::Builder::new()
        .name("queue-host".into())
        .spawn(|| service.run())
        .map_err(cannot)?;
    Ok(Ticket {
        version: VERSION,
        types: types.clone(),
        capacity: hosted.capacity.map(|n| n as u64),
        role,
        pushes: memory,
        shelf,
        requests,
        replies,
        calls,
        handed,
    })
}

/// Where children say hello, each of which is answered with a ticket, as long as anybody has it.
pub(super) fn invite(
    hosted: &Arc<Hosted>,
    types: Types,
    role: Role,
) -> Result<IpcSender<Hello>, Failure> {
    let cannot = |error| Failure::caused(FailureKind::Io, "cannot invite a child process", error);
    let (speaks, hears) = ipc::channel::<Hello>().map_err(cannot)?;
    let hosted = Arc::clone(hosted);
    let answer = move || {
        loop {
            match catch_panic(|| wire::undisturbed(|| hears.recv().map_err(TryRecvError::IpcError)))
            {
                Some(Ok(Hello(child))) => {
                    // A child that gets none finds nobody there; one that is gone needs none.
                    let ticket = open_line(&hosted, &types, role);
                    let _ = ticket.map(|ticket| child.send(ticket));
                }
                // It came without its descriptor, for this process had none to spare.
                None => {}
                Some(Err(_)) => return,
            }
        }
    };
    let thread = thread::Builder::new().name("queue-invite".into());
    thread.spawn(answer).map_err(cannot)?;
    Ok(speaks)
}

/// One guest, served.
struct Service {
    hosted: Arc<Hosted>,
    types: Types,
    guest: u64,
    role: Role,
    /// The sides on which the guest's process still stands.
    present: [bool; 2],
    requests: IpcBytesReceiver,
    replies: IpcBytesSender,
    hands: IpcSender<Handed>,
    /// What the guest has not settled. A number never comes again on this line, and means nothing
    /// on another: so nobody settles what is another's by now.
    deliveries: BTreeMap<u64, Lent>,
    delivered: u64,
}

impl Service {
    /// Serves until the guest is gone, or speaks nonsense.
    fn run(mut self) {
        let (mut buffer, mut misses) = (Vec::new(), 0);
        while let Ok(message) = wire::receive_soon(&self.requests, &mut misses) {
            let Ok((number, request)) = message.read::<(u64, Request<'_>)>() else {
                return;
            };
            let answered = match request {
                _ if number != 0 && !self.hosted.begins(self.guest, number) => {
                    wire::send(&self.replies, &Reply::Withdrawn, &mut buffer)
                }
                Request::Push { watch, items } if items.len() == 1 && items[0].0.len() >= PIECE => {
                    // The message becomes the item, for it has no bytes to spare.
                    let len = items[0].0.len();
                    let reply = self.push(watch, iter::once(message.into_last(len)));
                    wire::send(&self.replies, &reply, &mut buffer)
                }
                request => self.answer(request, &mut buffer),
            };
            if answered.is_err() {
                return;
            }
            buffer.shrink_to(wire::KEPT);
        }
    }

    fn answer(&mut self, request: Request<'_>, buffer: &mut Vec<u8>) -> Result<(), Gone> {
        // What a reply refers to.
        let popped;
        let reply = match request {
            Request::Pop { .. } | Request::Receive { .. } if !self.role.allows(Side::Consumers) => {
                Reply::Denied
            }
            Request::Push { watch, items } => {
                self.push(watch, items.iter().map(|item| item.0.into()))
            }
            Request::Pop { max, watch } => {
                let max = usize::try_from(max).unwrap_or(usize::MAX);
                match self.hosted.offer(self.guest, watch, max) {
                    Ok(Offer::Shelved(inside)) => Reply::Shelved(inside as u64),
                    Ok(Offer::Items(items, left)) => {
                        popped = items;
                        Reply::Popped {
                            left: left as u64,
                            items: popped.iter().map(|item| Bytes(item)).collect(),
                        }
                    }
                    Err(refusal) => refused(refusal, Reply::Empty),
                }
            }
            Request::Receive { watch } => {
                let who = Who::Guest(self.guest, watch);
                match self.hosted.deliver(who) {
                    Ok(lent) => {
                        self.delivered += 1;
                        let delivery = self.delivered;
                        let (item, lease) = self.deliveries.entry(delivery).or_insert(lent);
                        Reply::Delivered {
                            delivery,
                            attempt: lease.attempt(),
                            item: Bytes(item),
                        }
                    }
                    Err(refusal) => refused(refusal, Reply::Empty),
                }
            }
            Request::Settle { delivery, how } => {
                let Some(lent) = self.deliveries.remove(&delivery) else {
                    return Err(Gone);
                };
                match how {
                    Ending::Done => self.hosted.settle(),
                    Ending::Back { counted } => self.hosted.give_back([lent], counted),
                }
                Reply::Done
            }
            Request::Look => {
                self.hosted.look(self.guest);
                return Ok(());
            }
            Request::Watch { side, heard } => {
                Reply::Came(self.hosted.watch(self.guest, side, heard))
            }
            Request::State { join } => Reply::State(match join {
                None => self.hosted.state(),
                Some(heard) => self.hosted.join_state(self.guest, heard),
            }),
            Request::Close => Reply::Closing {
                first: self.hosted.close(),
            },
            Request::Retire(side) => {
                self.on_last_endpoint(side);
                Reply::Done
            }
            Request::Share(role) => self.hand(role, || {
                let ticket = open_line(&self.hosted, &self.types, role)?;
                Ok(Handed::Ticket(Box::new(ticket)))
            }),
            Request::Invite(role) => self.hand(role, || {
                let speaks = invite(&self.hosted, self.types.clone(), role)?;
                Ok(Handed::Invitation(speaks))
            }),
        };
        wire::send(&self.replies, &reply, buffer)
    }

    fn push(&self, watch: Watch, items: impl ExactSizeIterator<Item = Item>) -> Reply<'static> {
        if !self.role.allows(Side::Producers) {
            return Reply::Denied;
        }
        match self.hosted.push(Who::Guest(self.guest, watch), items) {
            Ok((count, free)) => Reply::Pushed {
                count: count as u64,
                free: free as u64,
            },
            Err(refusal) => refused(refusal, Reply::Full),
        }
    }

    /// Sends what a third process needs, if this guest may hand that much on.
    fn hand(&self, role: Role, make: impl FnOnce() -> Result<Handed, Failure>) -> Reply<'static> {
        if !role.sides().all(|side| self.role.allows(side)) {
            return Reply::Denied;
        }
        let sent = make().and_then(|handed| {
            let sent = self.hands.send(handed);
            sent.map_err(|error| {
                wire::failure(TryRecvError::IpcError(error), "cannot hand over the queue")
            })
        });
        match sent {
            Ok(()) => Reply::Done,
            Err(failure) => Reply::Failed(format!("{failure:#}")),
        }
    }

    fn on_last_endpoint(&mut self, side: Side) {
        if std::mem::take(&mut self.present[side as usize]) {
            self.hosted.leave(side);
        }
    }
}

/// The answer to a request that came to nothing: `wait` if it may be tried again.
fn refused(refusal: TryError, wait: Reply<'static>) -> Reply<'static> {
    match refusal {
        TryError::WouldBlock => wait,
        TryError::Closed => Reply::Closed,
        TryError::Failed(failure) => Reply::Failed(format!("{failure:#}")),
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let deliveries = std::mem::take(&mut self.deliveries);
        self.hosted.give_back(deliveries.into_values(), true);
        self.hosted.dismiss(self.guest);
        self.on_last_endpoint(Side::Producers);
        self.on_last_endpoint(Side::Consumers);
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Call;
    use super::*;
    use proptest::prelude::*;
    use queue_core::Capacity;
    use std::time::{Duration, Instant};

    fn types() -> Types {
        Types::of::<u8, crate::codec::Postcard>()
    }

    fn host(capacity: usize) -> Arc<Hosted> {
        Arc::new(Hosted::new(Capacity::bounded(capacity)))
    }

    fn push(hosted: &Hosted, item: u8) -> Result<usize, TryError> {
        let pushed = hosted.push(Who::Host, std::iter::once(vec![item].into()))?;
        Ok(pushed.0)
    }

    /// How many items are inside, and whether the queue is closed.
    fn state(hosted: &Hosted) -> (usize, bool) {
        let state = hosted.state();
        (state.len, state.closed)
    }

    /// All that can be popped.
    fn drain(hosted: &Hosted) -> Vec<u8> {
        let mut drained = Vec::new();
        while let Ok((items, _)) = hosted.pop(9) {
            drained.extend(items.iter().flat_map(|item| item.to_vec()));
        }
        drained
    }

    fn ask<R>(ticket: &Ticket, request: &Request<'_>, read: impl FnOnce(Reply<'_>) -> R) -> R {
        wire::send(&ticket.requests, &(0, request), &mut Vec::new()).unwrap();
        let reply = wire::receive(&ticket.replies).unwrap();
        read(reply.read().unwrap())
    }

    fn soon(mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !holds() {
            assert!(Instant::now() < end, "in vain");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the host's next call: how many items have come.
    fn called(ticket: &Ticket) -> u64 {
        match wire::receive(&ticket.calls).unwrap().read() {
            Ok(Call::Came(Side::Consumers, count)) => count,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_guest_whose_threads_sleep_is_called_again_and_again() {
        let hosted = host(4);
        let ticket = open_line(&hosted, &types(), Role::Whole).unwrap();
        let (max, watch) = (1, Some(0));
        ask(&ticket, &Request::Pop { max, watch }, |reply| {
            assert!(matches!(reply, Reply::Empty), "{reply:?}")
        });
        let mut told = 0;
        for heard in 1..4 {
            assert!(push(&hosted, 0).is_ok());
            told += called(&ticket);
            // Somebody sleeps still, and nothing else has come.
            let side = Side::Consumers;
            ask(&ticket, &Request::Watch { side, heard }, |reply| {
                assert!(matches!(reply, Reply::Came(0)), "{reply:?}")
            });
        }
        assert_eq!(told, 3);
    }

    #[test]
    fn a_guest_does_no_more_than_its_role() {
        let hosted = host(2);
        assert!(push(&hosted, 1).is_ok());
        let denied = |reply: Reply<'_>| assert!(matches!(reply, Reply::Denied), "{reply:?}");
        let watch = None;
        let producer = open_line(&hosted, &types(), Role::Producer).unwrap();
        ask(&producer, &Request::Pop { max: 1, watch }, denied);
        ask(&producer, &Request::Share(Role::Whole), denied);
        let consumer = open_line(&hosted, &types(), Role::Consumer).unwrap();
        let items = vec![Bytes(b"x")];
        ask(&consumer, &Request::Push { items, watch }, denied);
        assert_eq!(hosted.state().len, 1);
    }

    #[test]
    fn large_items_arrive_alone_and_in_batches() {
        let hosted = host(9);
        let ticket = open_line(&hosted, &types(), Role::Whole).unwrap();
        let all = [PIECE + 1, 3 * PIECE, 0, PIECE].map(|size| vec![size as u8; size]);
        let mut expected = Vec::new();
        for batch in [&all[..1], &all[1..2], &all, &all[1..]] {
            let items = batch.iter().map(|item| Bytes(item)).collect();
            ask(&ticket, &Request::Push { watch: None, items }, |reply| {
                let Reply::Pushed { count, .. } = reply else {
                    panic!("{reply:?}")
                };
                assert_eq!(count, batch.len() as u64);
            });
            expected.extend(batch.concat());
        }
        assert!(drain(&hosted) == expected);
    }

    /// Of which the system could not bring the descriptor, for this process had too many.
    #[test]
    fn a_broken_hello_keeps_no_other_child_out() {
        let speaks = invite(&host(1), types(), Role::Whole).unwrap();
        let broken = speaks.clone().to_opaque().to::<u8>();
        broken.send(0).unwrap();
        let (child, ticket) = ipc::channel::<Ticket>().unwrap();
        speaks.send(Hello(child)).unwrap();
        let ticket = ticket.try_recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(ticket.version, VERSION);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Whatever a guest sends, it is answered or dropped, and the queue goes on.
        #[test]
        fn a_guest_that_speaks_nonsense_harms_nobody(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4),
        ) {
            let hosted = host(4);
            (0..2).for_each(|item| assert!(push(&hosted, item).is_ok()));
            let ticket = open_line(&hosted, &types(), Role::Consumer).unwrap();
            for message in &messages {
                let _ = ticket.requests.send(&[&(8 + message.len() as u64).to_le_bytes(), &message[..]].concat());
            }
            drop(ticket);
            soon(|| Arc::strong_count(&hosted) == 1);
            let (len, closed) = state(&hosted);
            prop_assert!(len <= 2, "it could do no more than take");
            // It may have closed the queue by chance, or have asked for items and confirmed.
            prop_assert!(closed || push(&hosted, 7).is_ok());
            let left = drain(&hosted);
            prop_assert!(left.is_sorted_by(|a, b| a < b), "{left:?}");
        }
    }
}
