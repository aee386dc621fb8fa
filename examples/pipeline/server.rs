//! A NATS server of this program's own, where one is installed.

use crate::run::Trouble;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends with the value, and leaves nothing behind.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
}

/// What `NATS_SERVER` names, or else what is found where such programs are.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("NATS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = || {
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|folder| folder.join("nats-server"))
            .find(|file| file.is_file())
    };
    named.or_else(found).filter(|file| file.is_file())
}

impl Server {
    /// Starts one, if there is a program of one.
    pub(crate) fn start() -> Result<Option<Self>, Trouble> {
        let Some(program) = program() else {
            return Ok(None);
        };
        let folder = std::env::temp_dir().join(format!("pipeline-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let process = Command::new(program)
            .args(["--jetstream", "--addr", "127.0.0.1", "--port", "-1"])
            .arg("--store_dir")
            .arg(&folder)
            .arg("--ports_file_dir")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Some(Self { process, folder }))
    }

    /// Its address, once it has taken one.
    pub(crate) fn url(&self) -> Result<String, Trouble> {
        let name = format!("nats-server_{}.ports", self.process.id());
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let ports = std::fs::read_to_string(self.folder.join(&name)).unwrap_or_default();
            if let Some(url) = ports.split('"').find(|part| part.starts_with("nats://")) {
                return Ok(url.to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the NATS server does not start".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
