//! What the host's rules make of what clients do.

use super::super::page::{Page, SHARED};
use super::super::rules::{Refusal, Rules};
use super::super::wire::{Answer, Body, Reply, Role};
use super::super::words::{Slots, Words};
use queue_core::Side;

/// A queue, and clients of it, which see its words.
struct Host {
    rules: Rules,
    clients: Vec<Words>,
}

impl Host {
    fn new(capacity: usize, clients: usize) -> Self {
        let mut rules = Rules::new(Some(capacity));
        let pages = (0..clients).map(|_| Page::new().unwrap());
        let words = pages.enumerate().map(|(n, page)| {
            let theirs = Words(Page::from(page.memory()));
            rules.enroll(n as u64, Words(page), SHARED, Role::Whole);
            theirs
        });
        let clients = words.collect();
        Self { rules, clients }
    }

    fn push(&mut self, item: u8) -> Result<usize, Refusal> {
        let pushed = self.rules.push(&mut vec![Body::Inline(vec![item])]);
        pushed.map(|(count, _)| count)
    }

    fn pop(&mut self, max: usize) -> Result<Vec<u8>, Refusal> {
        Ok(bytes(self.rules.pop(max)?))
    }

    /// What was sent to `client`, by kind.
    fn sent(&mut self, client: u64) -> Vec<String> {
        let outbox = std::mem::take(&mut self.rules.outbox);
        let mine = outbox.into_iter().filter(|sent| sent.0 == client);
        mine.map(|(_, reply)| match reply {
            Reply::Lent { items, .. } => format!("lent {:?}", bytes(items)),
            Reply::Granted(count) => format!("granted {count}"),
            Reply::Look { closed } => format!("look {closed}"),
            Reply::Ended => "ended".into(),
            Reply::To { answer, .. } => format!("{answer:?}"),
        })
        .collect()
    }

    fn loan(&self, client: usize) -> u32 {
        self.clients[client].items().loan
    }
}

fn bytes(bodies: Vec<Body>) -> Vec<u8> {
    let bytes = bodies.into_iter().map(|body| body.into_bytes().unwrap());
    bytes.flatten().collect()
}

#[test]
fn slots_granted_ahead_count_and_come_back_when_others_need_them() {
    let mut host = Host::new(4, 2);
    host.clients[0].offer(1);
    host.rules.offered(0, 1, vec![Body::Inline(vec![0])], false);
    assert_eq!(host.sent(0), ["Accepted(1)"]);
    assert!(host.clients[0].slots() > 0, "it was granted some ahead");
    // All four are had by others, whatever it was granted.
    assert_eq!((1..9).take_while(|n| host.push(*n).is_ok()).count(), 3);
    assert_eq!(host.clients[0].take_slots(1), Slots::None);
    assert_eq!(host.rules.len(), 4);
}

#[test]
fn a_slot_that_a_client_took_is_full_until_it_dies() {
    let mut host = Host::new(2, 1);
    host.clients[0].offer(1);
    host.rules.offered(0, 1, vec![Body::Inline(vec![0])], false);
    assert_eq!(host.clients[0].take_slots(1), Slots::Taken(1));
    assert_eq!((host.push(1), host.rules.len()), (Err(Refusal::Wait), 2));
    assert!(host.rules.is_moving());
    host.rules.bury(0);
    assert_eq!((host.push(1), host.rules.len()), (Ok(1), 2));
    assert!(!host.rules.is_moving());
}

#[test]
fn an_offer_that_was_taken_back_is_not_accepted() {
    let mut host = Host::new(1, 1);
    assert!(host.push(0).is_ok());
    host.clients[0].offer(7);
    host.rules.offered(0, 7, vec![Body::Inline(vec![1])], true);
    assert!(host.clients[0].withdraw(7));
    assert_eq!(host.pop(9), Ok(vec![0]));
    assert_eq!((host.sent(0).len(), host.rules.len()), (0, 0));
    // One that was not, is.
    assert!(host.push(0).is_ok());
    host.clients[0].offer(8);
    host.rules.offered(0, 8, vec![Body::Inline(vec![1])], true);
    assert_eq!(host.pop(1), Ok(vec![0]));
    assert!(!host.clients[0].withdraw(8), "too late");
    assert_eq!(host.clients[0].accepted(), Some(1));
    assert_eq!(host.pop(1), Ok(vec![1]));
}

#[test]
fn what_lies_with_a_client_goes_to_who_asks_first() {
    let mut host = Host::new(8, 2);
    (0..4).for_each(|n| assert!(host.push(n).is_ok()));
    assert!(matches!(host.rules.asked(0, 1), Answer::Some));
    assert_eq!(host.sent(0), ["lent [0, 1, 2, 3]"]);
    let loan = host.loan(0);
    assert_eq!(host.clients[0].take_items(loan, 1), Some((1, false)));
    assert_eq!(host.rules.len(), 3);
    assert!(matches!(host.rules.asked(1, 1), Answer::Some));
    assert_eq!(host.sent(1), ["lent [1, 2, 3]"]);
    assert_eq!(host.clients[0].take_items(loan, 1), None);
    // And to the host's own process as well.
    assert_eq!(host.pop(2), Ok(vec![1, 2]));
    assert!(matches!(host.rules.asked(0, 1), Answer::Some));
    assert_eq!(host.sent(0), ["lent [3]"]);
    assert_eq!(host.clients[0].take_items(loan, 1), None, "an old loan");
    assert_eq!(
        host.clients[0].take_items(host.loan(0), 1),
        Some((1, false))
    );
    assert!(matches!(host.rules.asked(1, 1), Answer::Empty));
}

#[test]
fn what_a_dead_client_did_not_take_comes_back_in_order() {
    let mut host = Host::new(8, 2);
    (0..6).for_each(|n| assert!(host.push(n).is_ok()));
    assert!(matches!(host.rules.asked(0, 1), Answer::Some));
    assert_eq!(
        host.clients[0].take_items(host.loan(0), 2),
        Some((2, false))
    );
    assert!(host.push(6).is_ok());
    host.rules.bury(0);
    assert_eq!(host.rules.len(), 5);
    assert_eq!(host.pop(9), Ok(vec![2, 3, 4, 5, 6]));
}

#[test]
fn a_full_queue_hears_of_each_item_that_is_taken() {
    let mut host = Host::new(1, 2);
    assert!(host.push(0).is_ok());
    assert!(matches!(host.rules.asked(0, 1), Answer::Some));
    host.clients[1].wait(Side::Producers);
    host.rules.wait(1, Side::Producers);
    assert!(host.sent(1).is_empty());
    let took = host.clients[0].take_items(host.loan(0), 1);
    assert_eq!(took, Some((1, true)), "it is to tell");
    host.rules.serve();
    assert_eq!(host.sent(1), ["granted 1"]);
    assert_eq!(host.clients[1].take_slots(9), Slots::Taken(1));
}

#[test]
fn one_who_waits_is_lent_one_and_one_who_left_none() {
    let mut host = Host::new(8, 3);
    for client in [0, 1, 2] {
        host.clients[client].wait(Side::Consumers);
        host.rules.wait(client as u64, Side::Consumers);
    }
    assert!(host.clients[1].leave(Side::Consumers));
    (0..3).for_each(|n| assert!(host.push(n).is_ok()));
    let outbox = std::mem::take(&mut host.rules.outbox);
    let who: Vec<_> = outbox.iter().map(|sent| sent.0).collect();
    assert_eq!(who, [0, 2]);
    assert_eq!(host.clients[0].items().left(), 1);
    assert!(!host.clients[0].leave(Side::Consumers), "it was served");
    // A third one gets what is left, and not what the two wait for.
    host.clients[1].wait(Side::Consumers);
    host.rules.wait(1, Side::Consumers);
    assert_eq!(host.sent(1), ["lent [2]"]);
}

#[test]
fn a_closed_queue_ends_when_the_last_item_is_taken() {
    let mut host = Host::new(4, 2);
    assert!(host.push(0).is_ok());
    assert!(matches!(host.rules.asked(0, 1), Answer::Some));
    assert!(host.rules.close() && !host.rules.close());
    assert_eq!(host.push(1), Err(Refusal::Closed));
    assert_eq!(host.clients[1].take_slots(1), Slots::Closed);
    assert_eq!(host.sent(1), ["look true"]);
    let took = host.clients[0].take_items(host.loan(0), 1);
    assert_eq!(took, Some((1, true)), "it is to tell");
    host.rules.serve();
    assert_eq!(host.sent(1), ["ended"]);
    assert_eq!(host.pop(1), Err(Refusal::Closed));
}

#[test]
fn a_client_that_fills_more_slots_than_it_has_is_refused() {
    let mut host = Host::new(4, 1);
    assert!(!host.rules.pushed(0, vec![Body::Inline(vec![0])]));
    assert!(!host.rules.pushed(9, vec![Body::Inline(vec![0])]));
    assert_eq!(host.rules.len(), 0);
}

#[test]
fn the_last_one_of_a_side_is_noticed() {
    let mut host = Host::new(4, 1);
    host.rules.leave(Side::Producers);
    assert!(!host.rules.is_abandoned());
    host.rules.retire(0, Side::Producers);
    host.rules.retire(0, Side::Producers);
    assert!(host.rules.is_abandoned());
}
