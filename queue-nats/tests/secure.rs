//! TLS, and files of credentials.

#![cfg(feature = "tls")]

mod server;

use queue_nats::{FailureKind, NatsOptions, NatsQueue, Queue};
use server::Server;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of the test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("queue-nats-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A key and a certificate.
#[derive(Debug)]
struct Signed {
    key: PathBuf,
    certificate: PathBuf,
}

/// Signed by itself, or by `signer` and then for this machine, if there is a program that makes them.
fn certificate(folder: &Path, name: &str, signer: Option<&Signed>) -> Option<Signed> {
    let made = Signed {
        key: folder.join(format!("{name}.key")),
        certificate: folder.join(format!("{name}.pem")),
    };
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", &format!("/CN={name}")])
        .arg("-keyout")
        .arg(&made.key)
        .arg("-out")
        .arg(&made.certificate);
    if let Some(Signed { key, certificate }) = signer {
        openssl.arg("-CA").arg(certificate).arg("-CAkey").arg(key);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
    }
    match openssl.output() {
        Ok(output) if output.status.success() => Some(made),
        other => {
            eprintln!("SKIPPED: TLS, for openssl makes no certificate: {other:?}");
            None
        }
    }
}

#[test]
fn over_tls() {
    let folder = Folder::new("tls");
    let Some(root) = certificate(&folder.0, "root", None) else {
        return;
    };
    let own = certificate(&folder.0, "server", Some(&root)).unwrap();
    let strange = certificate(&folder.0, "strange", None).unwrap();
    let config = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}",
        own.certificate.display(),
        own.key.display()
    );
    let Some(server) = Server::start_with("TLS", &config) else {
        return;
    };
    let at = |scheme: &str| NatsOptions::new(format!("{scheme}://127.0.0.1:{}", server.port));
    let jobs = NatsQueue::<u64>::open("jobs", &at("nats+tls").root_certificates(&root.certificate))
        .unwrap();
    jobs.push(7).unwrap();
    assert_eq!(jobs.pop(), Ok(7));
    // Whom it does not know it does not trust.
    for options in [
        at("nats+tls"),
        at("nats+tls").root_certificates(&strange.certificate),
    ] {
        let failure = NatsQueue::<u64>::open("jobs", &options).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Denied, "{failure:#}");
        assert!(failure.to_string().contains("certificate"), "{failure:#}");
    }
    let missing = at("nats+tls").root_certificates(folder.0.join("none.pem"));
    assert!(NatsQueue::<u64>::open("jobs", &missing).is_err());
}

#[test]
fn credentials_that_are_none() {
    let folder = Folder::new("credentials");
    let Some(server) = Server::start("credentials") else {
        return;
    };
    let file = folder.0.join("worker.creds");
    std::fs::write(&file, "hushhush, but no credentials").unwrap();
    for file in [file, folder.0.join("none.creds")] {
        let failure = NatsQueue::<u64>::open("jobs", &server.options().credentials(&file));
        let failure = failure.unwrap_err();
        let told = format!("{failure:#} {failure:?}");
        assert_eq!(failure.kind(), FailureKind::Io, "{told}");
        assert!(told.contains(".creds") && !told.contains("hush"), "{told}");
    }
}
