//! What all handlers share: the ledger, who may do what, and the world's clock and dice.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blotter_keys::ed25519::SecretKey;
use blotter_keys::keyring::Keyring;
use blotter_ledger::read::Receipt;
use blotter_ledger::{Appended, Error, Ledger, Read};
use blotter_record::{ActorId, Instant};
use tokio::sync::{Semaphore, watch};

use crate::intake::Mappings;
use crate::login::LOGINS_PER_SECOND_MAX;
use crate::metrics::Metrics;
use crate::nonces::Nonces;
use crate::past::PastViews;
use crate::problem::Problem;
use crate::rates::Rates;
use crate::receipts::Receipts;
use crate::sessions::Sessions;
use crate::shown::Shown;
use crate::subtrees::Subtrees;
use crate::views::Views;

/// How the API is to behave.
#[derive(Debug, Clone)]
pub struct Config {
    /// The URL under which clients reach the server, without a slash at its end: what a login must name.
    pub url: String,
    /// Bytes of a request's body, at most.
    pub body_bytes_max: usize,
    /// Bytes of all bodies that are being taken, at most: what the server's memory is bounded by.
    pub bodies_bytes_max: usize,
    /// How long a request may take to arrive and be answered; following has no end.
    pub request_time_max: Duration,
    /// Requests a second that one token or session may make over time; bursts of twice as many.
    pub rate_max: f64,
    /// How long a session lasts.
    pub session_time: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8443".to_owned(),
            body_bytes_max: 32 * 1_048_576,
            bodies_bytes_max: 256 * 1_048_576,
            request_time_max: Duration::from_secs(30),
            rate_max: 2_000.0,
            session_time: Duration::from_secs(12 * 3600),
        }
    }
}

/// The notary: signs for those who can't.
pub struct Notary {
    /// Its id.
    pub actor: ActorId,
    /// Its key.
    pub key: SecretKey,
}

/// Microseconds since 1970, from outside.
pub type Clock = Box<dyn Fn() -> i64 + Send + Sync>;
/// Fills a buffer with random bytes, from outside.
pub type Random = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// What all handlers share.
pub struct App {
    pub(crate) ledger: Ledger,
    pub(crate) notary: Option<Notary>,
    pub(crate) mappings: Mappings,
    pub(crate) config: Config,
    pub(crate) views: Views,
    pub(crate) past: PastViews,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) nonces: Nonces,
    pub(crate) sessions: Sessions,
    /// Of logins: by person, and for those that nobody signed by where they come from.
    pub(crate) login_rates: Rates,
    pub(crate) rates: Rates,
    pub(crate) bodies: Arc<Semaphore>,
    pub(crate) receipts: Receipts,
    pub(crate) subtrees: Subtrees,
    pub(crate) metrics: Metrics,
    shown: Mutex<Arc<Shown>>,
    pub(crate) news: Mutex<Option<watch::Sender<u64>>>,
}

impl App {
    /// `views` is the path of the database of projections. Reads which incidents are restricted; with a new `views`, that
    /// takes a while on a long log.
    ///
    /// # Errors
    /// If the log can't be read.
    pub fn new(
        ledger: Ledger,
        notary: Option<Notary>,
        mappings: Mappings,
        views: PathBuf,
        config: Config,
        clock: Clock,
        random: Random,
    ) -> Result<Arc<Self>, Error> {
        let shown = ledger.read(|store| Shown::open(store, &views))?;
        let (news, _) = watch::channel(ledger.size());
        let mut key = [0; 32];
        random(&mut key);
        Ok(Arc::new(Self {
            rates: Rates::new(config.rate_max),
            bodies: Arc::new(Semaphore::new(kib(config.bodies_bytes_max))),
            ledger,
            notary,
            mappings,
            config,
            views: Views::new(views),
            past: PastViews::default(),
            clock,
            random,
            nonces: Nonces::new(key),
            sessions: Sessions::default(),
            login_rates: Rates::new(LOGINS_PER_SECOND_MAX),
            receipts: Receipts::default(),
            subtrees: Subtrees::default(),
            metrics: Metrics::default(),
            shown: Mutex::new(Arc::new(shown)),
            news: Mutex::new(Some(news)),
        }))
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.ledger.size()
    }

    /// Tells followers of every commit; returns when `stop` says so.
    pub(crate) fn watch_commits(&self, stop: &std::sync::atomic::AtomicBool) {
        let mut size = self.ledger.size();
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let now = self.ledger.wait_beyond(size, Duration::from_millis(500));
            if now != size {
                size = now;
                if let Some(news) = self.news().as_ref() {
                    news.send_replace(size);
                }
            } else if self.ledger.poisoned().is_some() {
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    }

    fn news(&self) -> std::sync::MutexGuard<'_, Option<watch::Sender<u64>>> {
        self.news.lock().expect("no thread panics while it holds this")
    }

    /// The size of the log, as it grows; `None` if the server is ending.
    pub(crate) fn subscribe(&self) -> Option<watch::Receiver<u64>> {
        self.news().as_ref().map(watch::Sender::subscribe)
    }

    /// Ends all that follow.
    pub(crate) fn end_following(&self) {
        self.news().take();
    }

    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.ledger.keyring()
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_unix_us((self.clock)()).expect("the clock is within the years that instants have")
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }

    /// What may be shown to whom, at the head of the log.
    pub(crate) fn shown(&self, store: &dyn Read) -> Result<Arc<Shown>, Problem> {
        let mut shown = self.shown.lock().expect("no thread panics while it holds this");
        if store.size()? > shown.position() {
            Arc::make_mut(&mut shown).catch_up(store)?;
        }
        Ok(Arc::clone(&shown))
    }

    /// The receipt of what was appended.
    pub(crate) fn receipt(&self, store: &dyn Read, appended: &Appended) -> Result<Receipt, Problem> {
        self.receipts.of(store, &self.subtrees, appended)
    }

    /// The receipt of an entry that is in the store.
    pub(crate) fn receipt_of(&self, store: &dyn Read, seq: u64) -> Result<Receipt, Problem> {
        crate::receipts::stored(store, &self.subtrees, seq)
    }

    /// Runs `with` on a reader, on a thread that may wait for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        with: impl FnOnce(&Self, &dyn Read) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = Arc::clone(self);
        blocking(move || app.read_here(with)).await
    }

    /// The same, on this thread: for what is in memory, almost always.
    pub(crate) fn read_here<T>(&self, with: impl FnOnce(&Self, &dyn Read) -> Result<T, Problem>) -> Result<T, Problem> {
        self.ledger.read(|store| Ok(with(self, store)))?
    }
}

/// KiB, rounded up: a body's share of the memory for bodies.
pub(crate) fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1_024)
}

/// Runs `work` on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request's thread ended before it was done");
        Err(Problem::new("unavailable", "the server's own fault; its log says why"))
    })
}
