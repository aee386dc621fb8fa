//! [`Waiter`]: a listener, broken or not.

use super::{Broken, Fault};
use queue_core::event::{Listen, Listener};
use queue_core::sync::Deadline;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::Duration;

/// A listener, broken or not.
pub(crate) struct Waiter<'a, F: Broken> {
    listener: Option<Listener<'a>>,
    first: Option<Waker>,
    polled: bool,
    fault: PhantomData<fn() -> F>,
}

impl<'a, F: Broken> Waiter<'a, F> {
    pub(super) fn new(listener: Listener<'a>) -> Self {
        Self {
            listener: Some(listener),
            first: None,
            polled: false,
            fault: PhantomData,
        }
    }
}

impl<F: Broken> Listen for Waiter<'_, F> {
    fn wait(mut self, deadline: Deadline) -> bool {
        let listener = self.listener.take().expect("there until it is done");
        match F::FAULT {
            Fault::Spins => !deadline.has_passed(),
            Fault::Polls => {
                sleep(Duration::from_micros(300));
                !deadline.has_passed()
            }
            Fault::TimedOutEats if deadline != Deadline::NEVER => {
                let left = deadline.remaining().expect("not never");
                if left < Duration::from_secs(1) {
                    // Times out, and stays in the list.
                    sleep(left);
                    std::mem::forget(listener);
                    return false;
                }
                listener.wait(deadline)
            }
            _ => listener.wait(deadline),
        }
    }
}

impl<F: Broken> Future for Waiter<'_, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = self.first.get_or_insert_with(|| cx.waker().clone()).clone();
        let mut cx = match F::FAULT {
            Fault::FirstWaker => Context::from_waker(&waker),
            _ => Context::from_waker(cx.waker()),
        };
        if F::FAULT == Fault::RestlessFuture {
            cx.waker().wake_by_ref();
        }
        self.polled = true;
        let polled = match &mut self.listener {
            Some(listener) => Pin::new(listener).poll(&mut cx),
            None => Poll::Ready(()),
        };
        if polled.is_ready() {
            self.listener = None;
        }
        polled
    }
}

impl<F: Broken> Drop for Waiter<'_, F> {
    fn drop(&mut self) {
        if F::FAULT == Fault::CancelledEats && self.polled {
            // Stays in the list, and takes a wake that is not for it any more.
            std::mem::forget(self.listener.take());
        }
    }
}
