//! [`NatsConnection`]: one connection to a server, and the thread that serves it.

use crate::failure;
use crate::options::NatsOptions;
use async_nats::{Client, Event, HeaderMap, Message, Request, ServerError, StatusCode};
use bytes::Bytes;
use queue_core::sync::Deadline;
use queue_core::waiters::{park, thread_waker};
use queue_core::{Failure, FailureKind};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, unconstrained};

/// What a server that died has forgotten shows within this, once it is there again.
const FRESH: Duration = Duration::from_secs(60);

/// A connection to a NATS server, which any number of queues share. Its clones are the same
/// connection.
///
/// One thread of its own serves it, so its queues need no runtime: their blocking verbs may be called
/// from any thread, one of a tokio runtime included, and their futures may be polled by any executor.
/// A connection that breaks is made anew, for as long as the connection or a queue of it lives.
///
/// ```no_run
/// use queue_nats::{Capacity, NatsConnection, NatsOptions, NatsQueue};
///
/// let options = NatsOptions::new("nats://localhost:4222").capacity(Capacity::bounded(100));
/// let connection = NatsConnection::connect(&options)?;
/// let jobs: NatsQueue<String> = connection.queue("jobs", &options)?;
/// let results: NatsQueue<u64> = connection.queue("results", &options)?;
/// # Ok::<(), queue_nats::Failure>(())
/// ```
#[derive(Clone)]
pub struct NatsConnection(pub(crate) Arc<Link>);

impl NatsConnection {
    /// Connects to the server that `options` name.
    ///
    /// # Errors
    /// `Unavailable` if no server answers, `Denied` if it does not know the credentials, `Io` if
    /// their file cannot be read, `Unsupported` if the address says TLS and that is not built in.
    pub fn connect(options: &NatsOptions) -> Result<Self, Failure> {
        Link::connect(options).map(|link| Self(Arc::new(link)))
    }

    /// The version of the server, such as `2.10.27`.
    pub fn server_version(&self) -> String {
        self.0.client.server_info().version
    }
}

impl fmt::Debug for NatsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConnection")
            .field("server", &self.0.server)
            .field("connected", &self.0.is_connected())
            .finish_non_exhaustive()
    }
}

/// What is told of a request that was sent.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Message),
    /// Nobody listens to that subject.
    NoResponders,
    /// The server may or may not have carried it out.
    Silence,
    /// It was not sent, for there is no connection.
    NotSent,
    /// The server does not allow it.
    Denied(Failure),
    /// It is more than the server takes at once.
    TooLarge,
}

/// What the connection's own thread reports.
#[derive(Default)]
struct Reports {
    /// How often it was connected; odd while it is. Each change ends the requests under way.
    state: watch::Sender<u64>,
    /// When it was made anew.
    renewed: Mutex<Option<Instant>>,
    /// How often the server has refused a subject.
    refusals: watch::Sender<u64>,
    /// The last refusal of each subject, and its number.
    refused: Mutex<HashMap<String, u64>>,
}

impl Reports {
    fn on_event(&self, event: &Event) {
        match event {
            Event::Connected => {
                if *self.state.borrow() > 0 {
                    *self.renewed() = Some(Instant::now());
                }
                self.state.send_if_modified(|state| set(state, true))
            }
            Event::Disconnected | Event::Closed => {
                self.state.send_if_modified(|state| set(state, false))
            }
            Event::ServerError(ServerError::Other(text)) => {
                let Some(subject) = refused_subject(text) else {
                    return;
                };
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                let number = *self.refusals.borrow() + 1;
                refused.insert(subject.to_owned(), number);
                drop(refused);
                self.refusals.send_replace(number);
                true
            }
            _ => return,
        };
    }

    fn renewed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the last refusal of `subject`.
    fn number_of(&self, subject: &str) -> Option<u64> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(subject).copied()
    }

    /// Waits until the server has refused `subject` after refusal number `since`.
    async fn refused_after(&self, since: u64, subject: &str) {
        let mut refusals = self.refusals.subscribe();
        loop {
            refusals.mark_unchanged();
            if self.number_of(subject).is_some_and(|number| number > since) {
                return;
            }
            if refusals.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Makes the state odd (connected) or even: whether that changed it.
fn set(state: &mut u64, connected: bool) -> bool {
    let changed = is_connected(*state) != connected;
    *state += u64::from(changed);
    changed
}

fn is_connected(state: u64) -> bool {
    state % 2 == 1
}

/// The subject that a server does not let somebody publish to.
fn refused_subject(text: &str) -> Option<&str> {
    let (before, behind) = text.split_once('"')?;
    let (subject, _) = behind.split_once('"')?;
    let is_about_it = before.to_lowercase().contains("permissions violation");
    is_about_it.then_some(subject)
}

/// A connection, until its last user has gone.
pub(crate) struct Link {
    pub(crate) client: Client,
    /// Of the thread that serves it.
    handle: Handle,
    thread: ThreadId,
    reports: Arc<Reports>,
    /// The address, without a password.
    pub(crate) server: String,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Link {
    fn connect(options: &NatsOptions) -> Result<Self, Failure> {
        let server = options.server_without_secrets()?;
        let reports = Arc::new(Reports::default());
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (options, events) = (options.clone(), reports.clone());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error.into()))),
            };
            runtime.block_on(async {
                let connected = options.dial(move |event| events.on_event(&event)).await;
                let is_connected = connected.is_ok();
                let told = tell.send(connected.map(|client| (client, Handle::current())));
                if told.is_ok() && is_connected {
                    let _ = stopped.await;
                }
            });
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new()
            .name("queue-nats".into())
            .spawn(serve)
            .map_err(Failure::from)?;
        let (client, handle) = told.recv().map_err(|gone| {
            Failure::caused(
                FailureKind::Io,
                "the thread of the connection has died",
                gone,
            )
        })??;
        reports.state.send_if_modified(|state| set(state, true));
        Ok(Self {
            client,
            handle,
            thread: thread.thread().id(),
            reports,
            server,
            _stop: stop,
        })
    }

    pub(crate) fn is_connected(&self) -> bool {
        is_connected(*self.reports.state.borrow())
    }

    /// Another one whenever it was made anew.
    pub(crate) fn number(&self) -> u64 {
        *self.reports.state.borrow()
    }

    /// Whether it was made anew a short while ago: the server may have died and forgotten something.
    pub(crate) fn is_fresh(&self) -> bool {
        let renewed = *self.reports.renewed();
        renewed.is_some_and(|at| at.elapsed() < FRESH)
    }

    /// The failure of a server that does not answer.
    pub(crate) fn unavailable(&self) -> Failure {
        let message = format!("the NATS server at {} does not answer", self.server);
        Failure::new(FailureKind::Unavailable, message)
    }

    /// Whether this is the connection's own thread, which must not wait for itself.
    pub(crate) fn is_own_thread(&self) -> bool {
        thread::current().id() == self.thread
    }

    /// Runs `task` on the connection's own thread.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.handle.spawn(task)
    }

    /// Lets `future` use this connection's timers, whoever polls it.
    pub(crate) async fn enter<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _within = self.handle.enter();
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Blocks this thread until `future` is ready. It may be a thread of a runtime.
    pub(crate) fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send,
    {
        if Handle::try_current().is_err_and(|why| why.is_thread_local_destroyed()) {
            // Tokio is not to be had in a thread that is ending, and has dropped its locals. Another one does it.
            let done = thread::scope(|scope| scope.spawn(|| self.block_on(future)).join());
            return done.unwrap_or_else(|panic| resume_unwind(panic));
        }
        let waker = thread_waker();
        // The budget of the task that runs here, if one does, comes back only when this returns.
        let mut future = pin!(unconstrained(self.enter(future)));
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => park(None),
            }
        }
    }

    /// Sends a request, and waits up to `patience` for the answer; less if the connection breaks.
    pub(crate) async fn request(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
        patience: Duration,
    ) -> Answer {
        let mut state = self.reports.state.subscribe();
        if !is_connected(*state.borrow_and_update()) {
            return Answer::NotSent;
        }
        let since = self.refusals();
        let mut request = Request::new().payload(payload).timeout(None);
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let mut sent = pin!(self.client.send_request(subject.to_owned(), request));
        let mut refused = pin!(self.reports.refused_after(since, subject));
        let mut broken = pin!(state.changed());
        let mut late = pin!(tokio::time::sleep(patience));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = sent.as_mut().poll(cx) {
                return Poll::Ready(failure::answer(answer));
            }
            if refused.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Answer::Denied(self.denied("publish", subject)));
            }
            if broken.as_mut().poll(cx).is_ready() || late.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Answer::Silence);
            }
            Poll::Pending
        })
        .await
    }

    /// The failure of a subject that the server refuses.
    pub(crate) fn denied(&self, verb: &str, subject: &str) -> Failure {
        let message = format!(
            "the NATS server at {} does not let this user {verb} to {subject:?}",
            self.server
        );
        Failure::new(FailureKind::Denied, message)
    }

    /// How many refusals the server has told of: ask before something is sent without a request.
    pub(crate) fn refusals(&self) -> u64 {
        *self.reports.refusals.borrow()
    }

    /// Waits until the server has refused `subject` after refusal number `since`.
    pub(crate) async fn refused_after(&self, since: u64, subject: &str) {
        self.reports.refused_after(since, subject).await;
    }

    /// Changes when the connection breaks, and when it is made anew, from now on.
    pub(crate) fn state(&self) -> watch::Receiver<u64> {
        let mut state = self.reports.state.subscribe();
        state.mark_unchanged();
        state
    }

    /// Waits a moment before another try, and then until there is a connection: false if the
    /// deadline comes first.
    pub(crate) async fn try_again(&self, deadline: Deadline) -> bool {
        let mut state = self.reports.state.subscribe();
        let connected = async {
            if is_connected(*state.borrow_and_update()) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            while !is_connected(*state.borrow_and_update()) {
                if state.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        before(deadline, connected).await.is_some()
    }
}

/// What comes of `future`, if the deadline does not come first. It is polled once in any case.
pub(crate) async fn before<F: Future>(deadline: Deadline, future: F) -> Option<F::Output> {
    let Some(left) = deadline.remaining() else {
        return Some(future.await);
    };
    // A sleep that is too long for tokio ends late enough.
    let until = Instant::now().checked_add(left);
    let mut future = pin!(future);
    let mut late = pin!(async {
        match until {
            Some(until) => tokio::time::sleep_until(until.into()).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        late.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// Whether a message says nothing but that nobody listens.
pub(crate) fn no_responders(message: &Message) -> bool {
    message.status == Some(StatusCode::NO_RESPONDERS)
}
