//! A network that can be cut: it stands between a server and those who connect to it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Works,
    /// Nothing arrives, and nobody is told.
    Silent,
    /// Connections end, and new ones are refused.
    Cut,
}

/// A way to a server, until the process ends.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    network: Network,
    open: Vec<TcpStream>,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            network: Network::Works,
            open: Vec::new(),
        }));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = shared.lock().unwrap();
                if state.network == Network::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    // What it gets it passes on at once.
                    from.set_nodelay(true).unwrap();
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = shared.clone();
                    thread::spawn(move || forward(from, to, &shared));
                }
                state.open.extend([client, server]);
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// From now on the network is so. One that works again has forgotten its connections.
    pub(crate) fn be(&self, network: Network) {
        let mut state = self.state.lock().unwrap();
        state.network = network;
        if network != Network::Silent {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, state: &Mutex<State>) {
    let mut bytes = [0; 16 << 10];
    while let Ok(some @ 1..) = from.read(&mut bytes) {
        let works = state.lock().unwrap().network == Network::Works;
        if works && to.write_all(&bytes[..some]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
