//! [`Watch`]: the thread of a host that hears of clients that end and of children that start.

use super::channel::{self, Own};
use super::host::{Core, serves, spawn};
use super::wire::{Ask, Hello, Request, Role};
use crate::foreign::guarded;
use ipc_channel::TrySelectError;
use ipc_channel::ipc::{IpcReceiver, IpcReceiverSet, IpcSelectionResult, IpcSender};
use queue_core::{Failure, FailureKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;
use std::{io, thread};

/// What the thread is told.
pub(super) enum Order {
    /// Watch the life of this client.
    Watch(u64, IpcReceiver<()>),
    /// Hear the children of a command.
    Invite(Role, IpcReceiver<Hello>),
    /// Say when all that has happened so far was heard.
    Synchronize(u64),
}

/// Tells the thread something. It ends with this.
pub(super) struct Watch {
    bell: IpcSender<()>,
    orders: Arc<Mutex<Vec<Order>>>,
}

impl Watch {
    pub(super) fn start(
        core: &Arc<Core>,
        own: u64,
        requests: IpcSender<Request>,
    ) -> Result<Self, Failure> {
        let (bell, rings) = channel::open()?;
        let orders = Arc::<Mutex<Vec<Order>>>::default();
        let (core, theirs) = (Arc::downgrade(core), Arc::clone(&orders));
        let (says, begun) = mpsc::channel();
        // The set stays in the thread that makes it.
        spawn("queue-watch", move || {
            let set = IpcReceiverSet::new().and_then(|mut set| Ok((set.add(rings)?, set)));
            let watcher = set.map(|(bell, set)| Watcher {
                set,
                bell,
                orders: theirs,
                heard: HashMap::new(),
                core,
                own,
                requests,
            });
            match watcher {
                Ok(watcher) => {
                    let _ = says.send(Ok(()));
                    watcher.run();
                }
                Err(error) => drop(says.send(Err(error))),
            }
        })?;
        let begun = begun
            .recv()
            .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        begun.map_err(|error| {
            let message = "cannot watch for other processes to end";
            Failure::caused(FailureKind::Io, message, error)
        })?;
        Ok(Self { bell, orders })
    }

    pub(super) fn order(&self, order: Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.push(order);
        // One ring is for all that is there when it is heard.
        if orders.len() == 1 {
            let _ = channel::send(&self.bell, ());
        }
    }
}

/// Who is heard.
enum Heard {
    Client(u64),
    Command(Role),
}

struct Watcher {
    set: IpcReceiverSet,
    bell: u64,
    orders: Arc<Mutex<Vec<Order>>>,
    heard: HashMap<u64, Heard>,
    core: Weak<Core>,
    own: u64,
    requests: IpcSender<Request>,
}

impl Watcher {
    fn run(mut self) {
        serves();
        loop {
            match guarded(|| self.set.select()) {
                Some(Ok(results)) => {
                    if !self.hear(results) {
                        return;
                    }
                }
                // Something came that did not fit: there may be no descriptor just now.
                Some(Err(_)) | None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// False at the end.
    fn hear(&mut self, results: Vec<IpcSelectionResult>) -> bool {
        let mut rung = false;
        for result in results {
            match result {
                IpcSelectionResult::MessageReceived(id, _) if id == self.bell => rung = true,
                IpcSelectionResult::ChannelClosed(id) if id == self.bell => return false,
                IpcSelectionResult::MessageReceived(id, message) => {
                    if let Some(Heard::Command(role)) = self.heard.get(&id) {
                        let role = *role;
                        if let Some(Ok(hello)) = guarded(|| message.to::<Hello>()) {
                            self.admit(hello, role);
                        }
                    }
                }
                IpcSelectionResult::ChannelClosed(id) => match self.heard.remove(&id) {
                    Some(Heard::Client(number)) => self.tell(Ask::Gone(number)),
                    Some(Heard::Command(_)) => {
                        if let Some(core) = self.core.upgrade() {
                            core.uninvite();
                        }
                    }
                    None => {}
                },
            }
        }
        !rung || self.obey()
    }

    /// A child has started.
    fn admit(&self, hello: Hello, role: Role) {
        let ticket = self.core.upgrade().and_then(|core| core.ticket(role).ok());
        if let Some(ticket) = ticket {
            // If that fails the child has ended already, and the ticket with this.
            let _ = channel::send(&Own::new(hello.0), ticket);
        }
    }

    fn obey(&mut self) -> bool {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *orders);
        drop(orders);
        let mut rounds = Vec::new();
        for order in all {
            let (added, heard) = match order {
                Order::Watch(number, life) => (self.set.add(life), Heard::Client(number)),
                Order::Invite(role, asked) => (self.set.add(asked), Heard::Command(role)),
                Order::Synchronize(round) => {
                    rounds.push(round);
                    continue;
                }
            };
            match (added, heard) {
                (Ok(id), heard) => drop(self.heard.insert(id, heard)),
                // A client that cannot be watched cannot be had.
                (Err(_), Heard::Client(number)) => self.tell(Ask::Gone(number)),
                (Err(_), Heard::Command(_)) => {}
            }
        }
        if rounds.is_empty() {
            return true;
        }
        loop {
            match guarded(|| self.set.try_select()) {
                Some(Ok(results)) => {
                    if !self.hear(results) {
                        return false;
                    }
                }
                Some(Err(TrySelectError::Empty)) => break,
                Some(Err(_)) | None => thread::sleep(Duration::from_millis(1)),
            }
        }
        for round in rounds {
            let watched = true;
            self.tell(Ask::Synchronized { round, watched });
        }
        true
    }

    fn tell(&self, ask: Ask) {
        let from = self.own;
        let _ = channel::send(&self.requests, Request { from, ask });
    }
}
