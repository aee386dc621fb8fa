//! A NATS server of a test's own: on a free port, with its store in a temporary folder.

#![allow(dead_code, unused_imports)] // Each test takes a part of it.

mod proxy;

pub(crate) use proxy::{Network, Proxy};
use queue_nats::{NatsConnection, NatsOptions};
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Ends with the value, and leaves nothing behind.
pub(crate) struct Server {
    process: Option<Child>,
    pub(crate) port: u16,
    folder: PathBuf,
    config: String,
}

/// Where the server's program is, if anywhere: what `NATS_SERVER` names, or else the one that is found.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("NATS_SERVER") {
        return Some(PathBuf::from(named)).filter(|file| file.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("nats-server"))
        .find(|file| file.is_file())
}

/// A new folder. One of a process that was killed, and had this one's number, may be there still.
fn own_folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("queue-nats-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created.map(|()| folder).unwrap(),
        }
    }
}

impl Server {
    /// A server with JetStream, unless there is no program of one: then it says so, loudly.
    pub(crate) fn start(test: &str) -> Option<Self> {
        Self::start_with(test, "")
    }

    /// As [`start`](Self::start), with more lines of configuration.
    pub(crate) fn start_with(test: &str, config: &str) -> Option<Self> {
        Self::start_as(
            test,
            &format!("jetstream {{ store_dir: {{folder}} }}\n{config}"),
        )
    }

    /// A server for all tests of this process, which ends with the process, however that ends. Without
    /// a program of one it says so, and the process ends here, for a macro's tests cannot be left out.
    pub(crate) fn start_for_process(test: &str) -> Self {
        let Some(mut server) = Self::start(test) else {
            let skipped = format!("SKIPPED: {test}, for there is no nats-server in PATH\n");
            // Not into what the harness captures.
            let _ = std::io::stderr().write_all(skipped.as_bytes());
            std::process::exit(0);
        };
        // Its standard input ends when this process has.
        let child = server.process.take().unwrap();
        let script = format!(
            "cat >/dev/null; kill -9 {}; for n in $(seq 100); do rm -rf '{}' && exit; sleep 0.05; done",
            child.id(),
            server.folder.display()
        );
        let guard = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        std::mem::forget((guard.unwrap(), child));
        server.folder = PathBuf::from("/nonexistent");
        server
    }

    /// With this configuration; `{folder}` is one of its own.
    pub(crate) fn start_as(test: &str, config: &str) -> Option<Self> {
        if program().is_none() {
            eprintln!("SKIPPED: {test}, for there is no nats-server in PATH (nor in NATS_SERVER)");
            return None;
        }
        let folder = own_folder();
        let quoted = format!("\"{}\"", folder.display());
        let mut server = Self {
            process: None,
            port: 0,
            config: config.replace("{folder}", &quoted),
            folder,
        };
        assert!(server.run("-1"), "no server starts: {}", server.log());
        Some(server)
    }

    /// Starts the program, and waits until it answers at this port; `-1` is one that is free.
    fn run(&mut self, port: &str) -> bool {
        let file = self.folder.join("server.conf");
        std::fs::write(&file, &self.config).unwrap();
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let child = Command::new(program().unwrap())
            .args(["-a", "127.0.0.1", "-p", port, "-c"])
            .arg(&file)
            .arg("--ports_file_dir")
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        // It says here where it answers. Who answers at a port may be another one.
        let ports = self.ports(child.id());
        self.process = Some(child);
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if self.process.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            let told = std::fs::read(&ports).unwrap_or_default();
            if let Ok(told) = serde_json::from_slice::<Value>(&told) {
                let url = told["nats"][0].as_str().unwrap();
                self.port = url.rsplit(':').next().unwrap().parse().unwrap();
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
            let _ = std::fs::remove_file(self.ports(process.id()));
        }
    }

    /// On the same port, with the same store.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        for _ in 0..100 {
            if self.run(&port) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it does not start again: {}", self.log());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn options(&self) -> NatsOptions {
        NatsOptions::new(self.url())
    }

    pub(crate) fn is_of_2_9(&self) -> bool {
        let connection = NatsConnection::connect(&self.options()).unwrap();
        connection.server_version().starts_with("2.9.")
    }

    /// What JetStream's own API answers.
    pub(crate) fn ask(&self, subject: &str, question: &str) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let answer = runtime.block_on(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            let (subject, question) = (format!("$JS.API.{subject}"), question.to_owned());
            client.request(subject, question.into()).await.unwrap()
        });
        serde_json::from_slice(&answer.payload).unwrap()
    }

    /// From now on the stream of the queue `jobs` takes what is sent to this subject.
    pub(crate) fn rename(&self, subject: &str) {
        let mut config = self.ask("STREAM.INFO.Q_jobs", "")["config"].take();
        config["subjects"] = json!([subject]);
        let renamed = self.ask("STREAM.UPDATE.Q_jobs", &config.to_string());
        assert!(renamed["error"].is_null(), "{renamed}");
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn ports(&self, pid: u32) -> PathBuf {
        self.folder.join(format!("nats-server_{pid}.ports"))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// Three servers that keep one another's streams.
pub(crate) struct Cluster(pub(crate) Vec<Server>);

impl Cluster {
    /// `None` unless `NATS_CLUSTER` says that the program is new enough for it.
    pub(crate) fn start(test: &str) -> Option<Self> {
        if std::env::var_os("NATS_CLUSTER").is_none() {
            eprintln!("left out: {test}, which takes NATS_CLUSTER=1 and a nats-server of 2.15");
            return None;
        }
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let routes = listeners.map(|listener| listener.local_addr().unwrap().to_string());
        let servers = routes.iter().enumerate().map(|(n, own)| {
            let all = routes.iter().map(|route| format!("\"nats://{route}\""));
            let config = format!(
                "server_name: n{n}\njetstream {{ store_dir: {{folder}} }}\n\
                 cluster {{ name: \"{}\", listen: \"{own}\", routes: [{}] }}",
                routes[0],
                all.collect::<Vec<_>>().join(", ")
            );
            Server::start_as(test, &config)
        });
        servers.collect::<Option<_>>().map(Self)
    }

    /// All addresses.
    pub(crate) fn url(&self) -> String {
        let urls = self.0.iter().map(Server::url);
        urls.collect::<Vec<_>>().join(",")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
