//! Peers over sockets: ipc-channel, and a local socket by the interprocess crate.

use super::super::link::{Half, Link, Result, Rx, Tx, Way, number, words};
use crate::cell::Shape;
use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{GenericNamespaced, ListenerOptions};
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::process::Command;

/// ipc-channel: any number of senders, one receiver, no bound. Numbers go as numbers,
/// larger items as bytes.
pub struct IpcChannel<T>(std::marker::PhantomData<T>);

/// What goes through it.
pub trait Body: Serialize + DeserializeOwned + Send + 'static {
    const SIZES: std::ops::RangeInclusive<usize>;
    fn pack(item: &[u8]) -> Self;
    fn unpack(self, item: &mut Vec<u8>);
}

impl Body for u64 {
    const SIZES: std::ops::RangeInclusive<usize> = 8..=8;

    fn pack(item: &[u8]) -> Self {
        number(item)
    }

    fn unpack(self, item: &mut Vec<u8>) {
        item.clear();
        item.extend(self.to_le_bytes());
    }
}

impl Body for Vec<u8> {
    const SIZES: std::ops::RangeInclusive<usize> = 9..=usize::MAX;

    fn pack(item: &[u8]) -> Self {
        item.to_vec()
    }

    fn unpack(self, item: &mut Vec<u8>) {
        *item = self;
    }
}

/// The half that a worker is given over a channel of its own.
#[derive(Serialize, Deserialize)]
pub struct Given<T>(Option<IpcSender<T>>, Option<IpcReceiver<T>>);

/// Where a worker asks for its half.
type Asking<T> = IpcSender<IpcSender<Given<T>>>;

pub struct Host<T> {
    halves: Given<T>,
    asked: Option<IpcOneShotServer<IpcSender<Given<T>>>>,
}

impl<T: Body> IpcChannel<T> {
    fn ask(way: &Way) -> Result<Given<T>> {
        let (answer, answered) = ipc::channel().map_err(words)?;
        let asking: Asking<T> = IpcSender::connect(way.left()?).map_err(words)?;
        asking.send(answer).map_err(words)?;
        answered.recv().map_err(words)
    }
}

impl<T: Body> Link for IpcChannel<T> {
    const NAME: &'static str = "ipc-channel";
    type Host = Host<T>;
    type Tx = IpcSender<T>;
    type Rx = IpcReceiver<T>;

    fn supports(shape: &Shape, size: usize) -> bool {
        shape.consumers == 1 && T::SIZES.contains(&size)
    }

    fn host(_: &Way) -> Result<Host<T>> {
        let (tx, rx) = ipc::channel().map_err(words)?;
        Ok(Host {
            halves: Given(Some(tx), Some(rx)),
            asked: None,
        })
    }

    fn hand(host: &mut Host<T>, way: &Way, _: Half, worker: &mut Command) -> Result<()> {
        let (server, name) = IpcOneShotServer::new().map_err(words)?;
        host.asked = Some(server);
        worker.env(&way.name, name);
        Ok(())
    }

    fn meet(host: &mut Host<T>, half: Half) -> Result<()> {
        let server = host.asked.take().ok_or("nobody to meet")?;
        let (_, answer) = server.accept().map_err(words)?;
        let given = match half {
            Half::Tx => Given(host.halves.0.clone(), None),
            Half::Rx => Given(None, host.halves.1.take()),
        };
        answer.send(given).map_err(words)
    }

    fn tx(way: &Way) -> Result<Self::Tx> {
        Self::ask(way)?.0.ok_or_else(|| "no sender".to_owned())
    }

    fn rx(way: &Way) -> Result<Self::Rx> {
        Self::ask(way)?.1.ok_or_else(|| "no receiver".to_owned())
    }
}

impl<T: Body> Tx for IpcSender<T> {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        IpcSender::send(self, T::pack(item)).map_err(words)
    }
}

impl<T: Body> Rx for IpcReceiver<T> {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        IpcReceiver::recv(self).map_err(words)?.unpack(item);
        Ok(())
    }
}

/// A local socket of the interprocess crate: a byte stream, records of one size.
pub struct LocalSocket;

/// The receiving end, which listens until it is spoken to.
pub struct Listening {
    listener: LocalSocketListener,
    stream: Option<LocalSocketStream>,
    size: usize,
}

impl Link for LocalSocket {
    const NAME: &'static str = "interprocess (socket)";
    type Host = ();
    type Tx = LocalSocketStream;
    type Rx = Listening;

    fn supports(shape: &Shape, _: usize) -> bool {
        (shape.producers, shape.consumers) == (1, 1)
    }

    fn host(_: &Way) -> Result<()> {
        Ok(())
    }

    fn tx(way: &Way) -> Result<LocalSocketStream> {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        loop {
            let name = way
                .name
                .as_str()
                .to_ns_name::<GenericNamespaced>()
                .map_err(words)?;
            match LocalSocketStream::connect(name) {
                Ok(stream) => return Ok(stream),
                Err(error) if std::time::Instant::now() > deadline => return Err(words(error)),
                // The other worker is not there yet.
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
    }

    fn rx(way: &Way) -> Result<Listening> {
        let name = way
            .name
            .as_str()
            .to_ns_name::<GenericNamespaced>()
            .map_err(words)?;
        let listener = ListenerOptions::new()
            .name(name)
            .create_sync()
            .map_err(words)?;
        Ok(Listening {
            listener,
            stream: None,
            size: way.size,
        })
    }
}

impl Tx for LocalSocketStream {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        self.write_all(item).map_err(words)
    }
}

impl Rx for Listening {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.listener.accept().map_err(words)?),
        };
        item.resize(self.size, 0);
        stream.read_exact(item).map_err(words)
    }
}
