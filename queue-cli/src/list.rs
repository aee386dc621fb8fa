//! `queue ls`.

use crate::end::End;
use clap::Args;
#[cfg(target_os = "linux")]
use {
    crate::open::{Opened, Patience},
    crate::report,
    queue_any::Queue,
    serde_json::json,
    std::io::{self, IsTerminal},
};

/// Lists the queues with a name that live, of this user.
///
/// A name lasts as long as the process that made the queue: nothing is left behind to be removed,
/// however that process ended.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Writes lines of JSON.
    #[arg(long)]
    json: bool,
}

impl List {
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn run(self) -> Result<(), End> {
        Err(End::Usage("only on Linux queues have names".into()))
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn run(self) -> Result<(), End> {
        if io::stdout().is_terminal() && !self.json {
            report::line(&row("URL", "DEPTH", "CAPACITY"))?;
        }
        for name in queue_any::named_queues()? {
            self.one(&name)?;
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn one(&self, name: &str) -> Result<(), End> {
        let urls = ["pipe", "shm"].map(|scheme| format!("{scheme}://{}", encoded(name)));
        let opened = urls.iter().find_map(|url| {
            let opened = Opened::existing(url, None, Patience::NONE).ok()?;
            Some((url, opened.queue))
        });
        match opened {
            Some((url, queue)) if self.json => {
                let (depth, capacity) = (queue.len(), queue.capacity());
                report::json(&json!({
                    "name": name, "url": url, "depth": depth, "capacity": capacity,
                    "closed": queue.is_closed(),
                }))?;
            }
            Some((url, queue)) => {
                let capacity = queue.capacity().map_or("none".into(), |n| n.to_string());
                report::line(&row(url, &queue.len().to_string(), &capacity))?;
            }
            // It has gone meanwhile.
            None if !queue_any::named_queues()?.iter().any(|there| there == name) => {}
            None if self.json => report::json(&json!({ "name": name, "url": null }))?,
            None => report::line(&format!(
                "{name}  (its items are no lines, or it does not answer)"
            ))?,
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn row(url: &str, depth: &str, capacity: &str) -> String {
    format!("{url:<40} {depth:>10} {capacity:>10}")
}

/// `name` as it stands in a URL.
#[cfg(target_os = "linux")]
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/:,+=@".contains(&byte);
    let each = name.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    each.collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_out_of_its_url() {
        let name = "a b?c#d%e&ü=1\n/f";
        let address = queue_any::Address::parse(&format!("pipe://{}", encoded(name))).unwrap();
        assert_eq!(address.name(), Some(name));
    }
}
