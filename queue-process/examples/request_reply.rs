//! Request and reply: each request carries the queue that takes its reply, so the server needs to
//! know nobody, and a reply never goes to anybody else.
//!
//! `cargo run -p queue-process --example request_reply`

use queue_process::{Consumer, Handover, PipeQueue, Queue, Side};
use serde::{Deserialize, Serialize};
use std::{env, error::Error, process::Command};

#[derive(Serialize, Deserialize)]
struct Request {
    number: u64,
    reply: PipeQueue<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("server") {
        return serve();
    }
    let (requests, served) = PipeQueue::<Request>::bounded(8).into_ends();
    let mut server = Command::new(env::current_exe()?);
    served.share_with(server.arg("server"), "REQUESTS")?;
    let mut server = server.spawn()?;
    drop(served); // if the server dies, pushes say `Closed`
    for number in 1..=3 {
        let (own, replies) = PipeQueue::bounded(1).into_ends();
        let reply = own.queue().half(Side::Producers)?; // the server may push, and nothing else
        requests.push(Request { number, reply })?;
        drop(own); // now `Closed`, if the server drops the request or dies with it
        println!("{number} squared is {}", replies.pop()?);
    }
    drop(requests); // the server ends
    assert!(server.wait()?.success());
    Ok(())
}

fn serve() -> Result<(), Box<dyn Error>> {
    let requests = Consumer::<PipeQueue<Request>>::from_parent("REQUESTS")?;
    for request in requests.results() {
        let Request { number, reply } = request?;
        reply.push(number * number)?;
    }
    Ok(())
}
