//! TLS, and files of credentials.

#![cfg(feature = "tls")]

mod server;

use nkeys::KeyPair;
use queue_nats::{FailureKind, NatsOptions, NatsQueue, Queue};
use serde_json::{Value, json};
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

/// In the alphabet of URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, n| {
            bits << 8 | usize::from(*three.get(n).unwrap_or(&0))
        });
        for n in 0..=three.len() {
            text.push(char::from(ALPHABET[bits >> (18 - 6 * n) & 63]));
        }
    }
    text
}

/// What `issuer` says of `subject`.
fn token(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = json!({
        "jti": "one", "iat": 1, "iss": issuer.public_key(), "name": "test",
        "sub": subject.public_key(), "nats": nats,
    });
    let [header, claims] = [header, claims].map(|part| base64(part.to_string().as_bytes()));
    let said = format!("{header}.{claims}");
    let signature = issuer.sign(said.as_bytes()).unwrap();
    format!("{said}.{}", base64(&signature))
}

#[test]
fn a_file_of_credentials() {
    let (operator, system) = (KeyPair::new_operator(), KeyPair::new_account());
    let account = KeyPair::new_account();
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_user());
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let of_operator = json!({ "type": "operator", "version": 2 });
    let [of_system, of_account] =
        [(&system, json!({})), (&account, limits)].map(|(key, limits)| {
            let nats = json!({ "type": "account", "version": 2, "limits": limits });
            format!("{}: {}", key.public_key(), token(&operator, key, nats))
        });
    let config = format!(
        "jetstream {{ store_dir: {{folder}} }}\noperator: {}\nsystem_account: {}\n\
         resolver: MEMORY\nresolver_preload: {{\n{of_system}\n{of_account}\n}}",
        token(&operator, &operator, of_operator),
        system.public_key(),
    );
    let Some(server) = Server::start_as("a file of credentials", &config) else {
        return;
    };
    let folder = Folder::new("creds");
    let file = |name: &str, key: &KeyPair| {
        let of_user =
            json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            token(&account, &user, of_user),
            key.seed().unwrap(),
        );
        let path = folder.0.join(name);
        std::fs::write(&path, text).unwrap();
        server.options().credentials(path)
    };
    let options = file("worker.creds", &user);
    let jobs = NatsQueue::<u64>::open("jobs", &options).unwrap();
    jobs.push(1).unwrap();
    assert_eq!(jobs.pop(), Ok(1));
    let seed = user.seed().unwrap();
    assert!(!format!("{jobs:?} {options:?}").contains(&seed));

    // Another key than the one that the token is for; and none.
    for options in [file("stolen.creds", &stranger), server.options()] {
        let failure = NatsQueue::<u64>::open("jobs", &options).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Denied, "{failure:#}");
        let told = format!("{failure:#} {failure:?}");
        assert!(!told.contains(&stranger.seed().unwrap()), "{told}");
    }
}
