//! A client of an HTTP server that costs next to nothing: one thread, keep-alive connections, requests as bytes, answers
//! read as far as status and length. So that what is measured is the server, which has the other cores.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// Longer answers are not read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How requests are sent.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Requests a second, all together; as many as are answered, if it is not said.
    pub rate: Option<f64>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub took: Duration,
    /// How long each good answer took, in microseconds. With a rate: from the moment when the request was due.
    pub times_us: Vec<u32>,
    /// Answers that were not good.
    pub refused: usize,
    /// The first of them.
    pub refusal: Option<String>,
}

impl Outcome {
    /// Good answers a second.
    pub fn rate(&self) -> f64 {
        crate::per_second(self.times_us.len(), self.took)
    }

    /// The time within which this part of the good answers came, in microseconds.
    pub fn quantile_us(&self, part: f64) -> f64 {
        quantile(self.times_us.clone(), part)
    }

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.took += other.took;
        self.times_us.extend(other.times_us);
        self.refused += other.refused;
        self.refusal = self.refusal.take().or(other.refusal);
    }

    /// All good, or an error.
    ///
    /// # Errors
    /// With the first answer that was not good.
    pub fn all_good(self) -> Result<Self> {
        ensure!(self.refused == 0, "{} refused; the first: {}", self.refused, self.refusal.unwrap_or_default());
        Ok(self)
    }
}

/// The value below which this part of them lies.
pub fn quantile(mut values: Vec<u32>, part: f64) -> f64 {
    values.sort_unstable();
    let index = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().map_or(f64::NAN, f64::from)
}

/// A request with a body.
pub fn post(path: &str, media_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A request without.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into_bytes()
}

/// Sends all requests that `next` gives, and waits for their answers; `good` looks at each.
///
/// # Errors
/// If a connection fails, or an answer is not HTTP.
pub fn drive(
    address: SocketAddr,
    plan: Plan,
    next: impl FnMut() -> Option<Vec<u8>> + 'static,
    good: fn(&Answer<'_>) -> bool,
) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, drive_all(address, plan, next, good))
}

async fn drive_all(
    address: SocketAddr,
    plan: Plan,
    next: impl FnMut() -> Option<Vec<u8>> + 'static,
    good: fn(&Answer<'_>) -> bool,
) -> Result<Outcome> {
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        connections.push(Connection::open(address).await?);
    }
    let start = Instant::now();
    let shared = Rc::new(Shared { next: RefCell::new(next), sent: Cell::new(0), outcome: RefCell::default() });
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::task::spawn_local(one_by_one(connection, Rc::clone(&shared), start, plan.rate, good)))
        .collect();
    for task in tasks {
        task.await??;
    }
    let mut outcome = shared.outcome.take();
    outcome.took = start.elapsed();
    Ok(outcome)
}

struct Shared<Next> {
    next: RefCell<Next>,
    sent: Cell<u64>,
    outcome: RefCell<Outcome>,
}

async fn one_by_one<Next: FnMut() -> Option<Vec<u8>>>(
    mut connection: Connection,
    shared: Rc<Shared<Next>>,
    start: Instant,
    rate: Option<f64>,
    good: fn(&Answer<'_>) -> bool,
) -> Result<()> {
    loop {
        let Some(request) = (shared.next.borrow_mut())() else { return Ok(()) };
        let number = shared.sent.replace(shared.sent.get() + 1);
        // A request that is late because all connections wait counts from when it was due: else a server that stands
        // still for a second would have a single slow answer.
        let due = rate.map(|rate| start + Duration::from_secs_f64(number as f64 / rate));
        let begun = match due {
            Some(due) if due > Instant::now() => {
                tokio::time::sleep_until(due.into()).await;
                Instant::now()
            }
            Some(due) => due,
            None => Instant::now(),
        };
        let answer = connection.ask(&request).await?;
        let time_us = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        let mut outcome = shared.outcome.borrow_mut();
        if good(&answer) {
            outcome.times_us.push(time_us);
        } else {
            outcome.refused += 1;
            let text = || format!("{} {}", answer.status, String::from_utf8_lossy(answer.body));
            outcome.refusal.get_or_insert_with(text);
        }
    }
}

/// A connection that stays open.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// If the connection ends, or the answer has no length.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, body_start, end) = loop {
            self.more().await?;
            if let Some(head) = head(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() < end {
            self.more().await?;
        }
        Ok(Answer { status, body: &self.buffer[body_start..end] })
    }

    async fn more(&mut self) -> Result<()> {
        ensure!(self.buffer.len() < ANSWER_BYTES_MAX, "an answer without end");
        let count = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(count > 0, "the server closed the connection amid an answer");
        Ok(())
    }
}

/// Status, where the body begins and where it ends; `None` if the head is not complete.
fn head(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end])?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("not HTTP: {first}"))?;
    let length =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let Some((_, length)) = length else { bail!("an answer without content-length: {text}") };
    Ok(Some((status, end + 4, end + 4 + length.trim().parse::<usize>()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't go on fails")]
mod tests {
    use super::*;

    #[test]
    fn an_answers_head_is_read_when_it_is_complete() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nx: y\r\n\r\nhello";
        for cut in 0..answer.len() - 5 {
            assert_eq!(head(&answer[..cut]).unwrap(), None, "{cut}");
        }
        assert_eq!(head(answer).unwrap(), Some((201, answer.len() - 5, answer.len())));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        assert_eq!(quantile((1..=100).rev().collect(), 0.5), 51.0);
        assert_eq!(quantile((1..=100).collect(), 0.99), 100.0);
        assert_eq!(quantile(vec![7], 0.99), 7.0);
    }
}
