//! iceoryx2: publish and subscribe with a blocking publisher and an event for the
//! subscriber to wait on. It broadcasts, so it is a queue with one consumer only.

use super::super::link::{Link, Result, Rx, Tx, Way, words};
use crate::cell::Shape;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::{event, publish_subscribe};
use std::time::Duration;

pub struct Iceoryx;

pub struct Publishing {
    publisher: Publisher<ipc::Service, [u8], ()>,
    notifier: Notifier<ipc::Service>,
    _node: Node<ipc::Service>,
}

pub struct Subscribing {
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    listener: Listener<ipc::Service>,
    _node: Node<ipc::Service>,
}

type Services = (
    Node<ipc::Service>,
    publish_subscribe::PortFactory<ipc::Service, [u8], ()>,
    event::PortFactory<ipc::Service>,
);

impl Iceoryx {
    fn services(way: &Way) -> Result<Services> {
        // What it has to say must not fill the pipe that nobody reads before the end.
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new().create::<ipc::Service>().map_err(words)?;
        let name = ServiceName::new(&way.name).map_err(words)?;
        let data = node
            .service_builder(&name)
            .publish_subscribe::<[u8]>()
            .subscriber_max_buffer_size(way.capacity())
            .enable_safe_overflow(false)
            .max_publishers(8)
            .open_or_create()
            .map_err(words)?;
        let event = node
            .service_builder(&name)
            .event()
            .open_or_create()
            .map_err(words)?;
        Ok((node, data, event))
    }
}

impl Link for Iceoryx {
    const NAME: &'static str = "iceoryx2 (with event)";
    type Host = Services;
    type Tx = Publishing;
    type Rx = Subscribing;

    fn supports(shape: &Shape, _: usize) -> bool {
        shape.consumers == 1
    }

    fn host(way: &Way) -> Result<Services> {
        Self::services(way)
    }

    fn tx(way: &Way) -> Result<Publishing> {
        let (node, data, event) = Self::services(way)?;
        let publisher = data
            .publisher_builder()
            .initial_max_slice_len(way.size)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .map_err(words)?;
        Ok(Publishing {
            publisher,
            notifier: event.notifier_builder().create().map_err(words)?,
            _node: node,
        })
    }

    fn rx(way: &Way) -> Result<Subscribing> {
        let (node, data, event) = Self::services(way)?;
        Ok(Subscribing {
            subscriber: data.subscriber_builder().create().map_err(words)?,
            listener: event.listener_builder().create().map_err(words)?,
            _node: node,
        })
    }
}

impl Tx for Publishing {
    fn send(&mut self, item: &[u8]) -> Result<()> {
        let sample = self
            .publisher
            .loan_slice_uninit(item.len())
            .map_err(words)?;
        sample.write_from_slice(item).send().map_err(words)?;
        self.notifier.notify().map(drop).map_err(words)
    }
}

impl Rx for Subscribing {
    fn recv(&mut self, item: &mut Vec<u8>) -> Result<()> {
        loop {
            if let Some(sample) = self.subscriber.receive().map_err(words)? {
                item.clear();
                item.extend_from_slice(sample.payload());
                return Ok(());
            }
            self.listener
                .timed_wait(|_| (), Duration::from_millis(100))
                .map_err(words)?;
        }
    }
}
