//! A queue by name: one program creates it, others that know the name open it. What they push
//! outlives them.
//!
//! `cargo run -p queue-process --example named_queue`

use queue_process::{Capacity, PipeQueue, Queue};
use std::{env, error::Error, process, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(name) = env::args().nth(1) {
        return write(&name);
    }
    // A name of its own, should this run twice at a time.
    let name = format!("log of {}", process::id());
    let log = PipeQueue::<String>::create_named(&name, Capacity::bounded(64))?;
    for _ in 0..2 {
        // Another program, say, that is told nothing but the name.
        let mut writer = Command::new(env::current_exe()?).arg(&name).spawn()?;
        assert!(writer.wait()?.success());
    }
    log.close(); // nobody writes any more, and what is inside can still be popped
    for line in log.results() {
        println!("{}", line?);
    }
    Ok(()) // the name is free again
}

fn write(name: &str) -> Result<(), Box<dyn Error>> {
    let log = PipeQueue::<String>::open_named(name)?;
    for n in 1..=3 {
        log.push(format!("line {n} of process {}", process::id()))?;
    }
    Ok(())
}
