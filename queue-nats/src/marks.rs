//! What is remembered beside the items, in a stream of its own: how often one was released, and that the
//! queue is closed.

use crate::connection::Answer;
use crate::failure::{self, ApiError};
use crate::server_stream::ask;
use crate::shared::Shared;
use async_nats::HeaderMap;
use bytes::Bytes;
use queue_core::Failure;
use queue_core::sync::Deadline;
use serde::Deserialize;
use serde_json::{Value, json};

impl Shared {
    fn release_mark(&self, number: u64) -> String {
        format!("{}.released.{number}", self.names.mark)
    }

    /// How many deliveries of an item were released.
    pub(crate) async fn releases(&self, number: u64) -> i64 {
        let mark = self.release_mark(number);
        let subject = format!("$JS.API.DIRECT.GET.{}.{mark}", self.names.marks);
        let answer = (self.link).request(&subject, None, Bytes::new(), self.timeout);
        // Without an answer an attempt is counted that was none. A message without a payload says
        // that there is no mark.
        match answer.await {
            Answer::Reply(message) => {
                let count = std::str::from_utf8(&message.payload).ok();
                count.and_then(|count| count.parse().ok()).unwrap_or(0)
            }
            _ => 0,
        }
    }

    pub(crate) async fn note_release(&self, number: u64, count: i64) -> Result<(), Failure> {
        let (mark, count) = (self.release_mark(number), count.to_string());
        self.put_mark(&mark, HeaderMap::new(), count)
            .await
            .map(drop)
    }

    pub(crate) async fn forget_releases(&self, number: u64) {
        let subject = format!("STREAM.PURGE.{}", self.names.marks);
        let question = json!({ "filter": self.release_mark(number) });
        // It is one of so many that are kept, otherwise.
        let _: Result<Value, _> = ask(&self.link, &subject, &question, self.timeout).await;
    }

    /// Remembers that the queue is closed: whether nobody but this `closer` had done so.
    pub(crate) async fn mark_closed(&self, closer: &str) -> Result<bool, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", "0");
        headers.insert("Nats-Msg-Id", closer);
        let mark = format!("{}.closed", self.names.mark);
        self.put_mark(&mark, headers, String::new()).await
    }

    /// Puts a mark: false if there is one and there must not be.
    async fn put_mark(
        &self,
        subject: &str,
        headers: HeaderMap,
        mark: String,
    ) -> Result<bool, Failure> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Put {
            error: Option<ApiError>,
        }
        let deadline = Deadline::after(self.timeout);
        let mark = Bytes::from(mark);
        loop {
            let (headers, mark) = (Some(headers.clone()), mark.clone());
            let asked = (self.link).request(subject, headers, mark, self.timeout);
            match asked.await {
                Answer::Reply(message) => {
                    let put: Put = serde_json::from_slice(&message.payload).unwrap_or_default();
                    return match put.error {
                        None => Ok(true),
                        Some(error) if error.err_code == failure::WRONG_LAST_SEQUENCE => Ok(false),
                        Some(error) => Err(error.failure("remember something about the queue")),
                    };
                }
                Answer::Denied(failure) => return Err(failure),
                Answer::NoResponders => {
                    self.info().await?;
                }
                Answer::Silence | Answer::NotSent | Answer::TooLarge => {}
            }
            if !self.link.try_again(deadline).await {
                return Err(self.link.unavailable());
            }
        }
    }
}
