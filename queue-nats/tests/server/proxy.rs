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
    /// Nothing that the server says arrives.
    Mute,
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
    /// How many connections there ever were.
    accepted: usize,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            network: Network::Works,
            open: Vec::new(),
            accepted: 0,
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
                let ways = [(&client, &server, false), (&server, &client, true)];
                for (from, to, is_answer) in ways {
                    // What it gets it passes on at once.
                    from.set_nodelay(true).unwrap();
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = shared.clone();
                    thread::spawn(move || forward(from, to, is_answer, &shared));
                }
                state.accepted += 1;
                state.open.extend([client, server]);
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// How many connections there ever were.
    pub(crate) fn accepted(&self) -> usize {
        self.state.lock().unwrap().accepted
    }

    /// From now on the network is so. One that works again has forgotten its connections.
    pub(crate) fn be(&self, network: Network) {
        let mut state = self.state.lock().unwrap();
        state.network = network;
        if matches!(network, Network::Works | Network::Cut) {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, is_answer: bool, state: &Mutex<State>) {
    let mut bytes = [0; 16 << 10];
    while let Ok(some @ 1..) = from.read(&mut bytes) {
        let arrives = match state.lock().unwrap().network {
            Network::Works => true,
            Network::Mute => !is_answer,
            Network::Silent | Network::Cut => false,
        };
        if arrives && to.write_all(&bytes[..some]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
