//! Queues with a name: opened by strangers, never by another user, and gone with their creator.

use super::{Jobs, Kind, OtherKind, child, name};
use crate::tools::*;
use queue_process::{Capacity, FailureKind, PopTimeoutError, Queue, Side, WorkQueue};
use std::env;
use std::process::Child;
use std::time::Duration;

/// What the children here can be told to do.
pub(super) const ROLES: &[(&str, fn())] = &[
    ("open", open),
    ("creator", creator),
    ("foreigner", foreigner),
];

fn open() {
    let jobs = Jobs::open_named(&env::var("NAME").unwrap()).unwrap();
    jobs.push(11).unwrap();
}

#[test]
fn a_queue_has_a_name_while_its_creator_has_it() {
    let name = &name("named");
    let missing = Jobs::open_named(name).unwrap_err();
    assert_eq!(missing.kind(), FailureKind::PeerGone);
    let jobs = Jobs::create_named(name, Capacity::bounded(4)).unwrap();
    assert_eq!(jobs.capacity(), Some(4));
    let twice = Jobs::create_named(name, Capacity::bounded(4)).unwrap_err();
    assert_eq!(twice.kind(), FailureKind::Denied);
    succeeded(child("open").env("NAME", name).spawn().unwrap());
    assert_eq!(jobs.pop(), Ok(11));
    let strange = Kind::<String>::open_named(name).unwrap_err();
    assert_eq!(strange.kind(), FailureKind::Mismatch);
    let strange = OtherKind::open_named(name).unwrap_err();
    assert_eq!(strange.kind(), FailureKind::Mismatch, "{strange}");

    // The last handle of the creator takes the name with it.
    let opened = Jobs::open_named(name).unwrap();
    let ends = jobs.into_ends();
    assert!(Jobs::open_named(name).is_ok());
    drop(ends);
    assert_eq!(
        Jobs::open_named(name).unwrap_err().kind(),
        FailureKind::PeerGone
    );
    opened.push(1).unwrap();
    assert_eq!(opened.pop(), Ok(1), "the queue lives on");
    Jobs::create_named(name, Capacity::Unbounded).unwrap();
}

#[test]
fn a_queue_in_a_message_has_no_name() {
    let queue = Kind::<String>::bounded(4);
    let message = postcard::to_stdvec(&queue).unwrap();
    // A length, and the token.
    let token = std::str::from_utf8(&message[1..]).unwrap();
    let listed = queue_process::named_queues().unwrap();
    assert!(
        !listed.iter().any(|name| name.contains(token)),
        "{listed:?}"
    );
    let opened = Kind::<String>::open_named(token);
    assert_eq!(opened.unwrap_err().kind(), FailureKind::PeerGone);
    let received: Kind<String> = postcard::from_bytes(&message).unwrap();
    assert!(received.same_queue(&queue));
}

/// Until it is fetched, too.
#[test]
fn a_half_in_a_message_counts_on_its_side_alone() {
    let (jobs, todo) = Jobs::bounded(4).into_ends();
    let half = todo.queue().half(Side::Consumers).unwrap();
    let _message = postcard::to_stdvec(&half).unwrap();
    drop((jobs, half));
    let ended = todo.pop_timeout(Duration::from_secs(20));
    assert_eq!(ended, Err(PopTimeoutError::Closed));
}

/// It was fetched by the first delivery. Who gets the second is told why there is none.
#[test]
fn a_queue_in_an_item_is_fetched_once() {
    let requests = Kind::<(u64, Jobs)>::bounded(4);
    requests.push((1, Jobs::bounded(1))).unwrap();
    requests.receive().unwrap().release().unwrap();
    let failure = requests.try_receive().unwrap_err();
    let failure = format!("{failure:#}");
    assert!(failure.contains("was fetched before"), "{failure}");
    assert_eq!((requests.len(), requests.in_flight()), (0, 0));
}

/// By its name and in a message it is the same queue; another is another.
#[test]
fn a_queue_is_the_same_by_whatever_way_it_came() {
    let name = &name("same");
    let jobs = Jobs::create_named(name, Capacity::bounded(4)).unwrap();
    let opened = Jobs::open_named(name).unwrap();
    let (sender, receiver) = ipc_channel::ipc::channel().unwrap();
    sender.send(jobs.clone()).unwrap();
    let received: Jobs = receiver.recv().unwrap();
    assert!(jobs.same_queue(&jobs.clone()) && jobs.same_queue(&opened));
    assert!(received.same_queue(&opened));
    let other = Jobs::bounded(4);
    assert!(!other.same_queue(&jobs) && !opened.same_queue(&other));
    let (producer, opened) = (jobs.producer(), opened.producer());
    assert!(producer.same_queue(&opened) && !producer.same_queue(&other.producer()));
}

fn creator() {
    let jobs = Jobs::create_named(&env::var("NAME").unwrap(), Capacity::bounded(4));
    let _jobs = jobs.unwrap();
    Jobs::from_parent("READY").unwrap().push(1).unwrap();
    loop {
        std::thread::park();
    }
}

/// A process that has created `name`.
pub(super) fn creator_of(name: &str) -> Child {
    let ready = Jobs::bounded(1);
    let mut command = child("creator");
    command.env("NAME", name);
    ready.share_with(&mut command, "READY").unwrap();
    let child = command.spawn().unwrap();
    ready.pop().unwrap();
    child
}

#[test]
fn a_killed_creator_leaves_no_name() {
    let name = &name("killed");
    let mut child = creator_of(name);
    let (jobs, _todo) = Jobs::open_named(name).unwrap().into_ends();
    jobs.push(1).unwrap();
    kill(&mut child);
    assert_eq!(
        Jobs::open_named(name).unwrap_err().kind(),
        FailureKind::PeerGone
    );
    jobs.push(2).unwrap();
    Jobs::create_named(name, Capacity::Unbounded).unwrap();
}

fn foreigner() {
    let refused = Jobs::open_named(&env::var("NAME").unwrap()).unwrap_err();
    assert_eq!(refused.kind(), FailureKind::Denied);
}

#[test]
fn another_user_gets_nothing_and_deceives_nobody() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        return; // Only root can be two users.
    }
    let name = &name("foreign");
    let nobody = 65534;

    // Root takes the name that the other user would use.
    let planted = format!("queue-process/{nobody}/{name}");
    let planted = SocketAddr::from_abstract_name(planted).unwrap();
    let _planted = UnixListener::bind_addr(&planted).unwrap();
    let mut command = child("foreigner");
    match command.env("NAME", name).uid(nobody).spawn() {
        Ok(child) => succeeded(child),
        // It may not read this program where it lies.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }

    // The other user's process connects to root's queue.
    let jobs = Jobs::create_named(name, Capacity::bounded(1)).unwrap();
    let address = format!("queue-process/0/{name}");
    let address = SocketAddr::from_abstract_name(address).unwrap();
    let connected = std::thread::spawn(move || {
        // This thread alone, for the length of its life.
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(nobody)).unwrap();
        std::io::Read::read(&mut UnixStream::connect_addr(&address).unwrap(), &mut [0])
    });
    assert_eq!(connected.join().unwrap().unwrap(), 0, "not a byte");
    drop(jobs);
}
