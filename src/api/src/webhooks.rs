//! Webhooks: chosen events go out, signed (Standard Webhooks, `v1a`: Ed25519), until somebody has taken them. What is to
//! be sent is in a database of its own, so a restart loses nothing; what was delivered, or given up, the ledger records.
//!
//! A receiver sees what the actor in whose name it listens may see, and no disclosable value but the numbers of its own
//! tickets and changes: it asks for those.

mod config;
mod outbox;
mod send;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use blotter_keys::ed25519::SecretKey;
use blotter_keys::jwk::thumbprint;
use blotter_ledger::{Read, read};
use blotter_projections::Source as _;
use blotter_projections::restoration::itsm_links;
use blotter_record::{Draft, Event, Id, Jti, Precision, Statement, Via};

pub use config::{Endpoint, WebhookConfigError, read_webhooks};
pub use outbox::{Delivery, OUTBOX, Outbox, OutboxError, State};
pub use send::{public_key_text, signature};

use crate::app::{App, Notary};
use crate::finder::Log;
use crate::problem::Problem;
use send::Sender;

/// When a delivery is tried again, in seconds after the try before; then it is dead (Standard Webhooks, schedule).
pub const RETRY_SECONDS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Entries that are looked at at once.
const PAGE: usize = 256;
/// How often the outbox is looked at.
const TICK: Duration = Duration::from_millis(250);

/// What sends webhooks.
pub struct Webhooks {
    /// Where to.
    pub endpoints: Vec<Endpoint>,
    /// Signs the deliveries; a key of its own.
    pub key: SecretKey,
    /// The ledger's own actor, who records them.
    pub own: Option<Notary>,
    /// What is to be sent.
    pub outbox: std::path::PathBuf,
}

impl Webhooks {
    /// Starts a thread for each endpoint; they end soon after `stop` is set.
    ///
    /// # Errors
    /// If the outbox can't be opened, or a thread can't be started.
    pub fn start(
        self,
        app: &Arc<App>,
        stop: &Arc<AtomicBool>,
    ) -> Result<Vec<std::thread::JoinHandle<()>>, OutboxError> {
        let (key, own) = (Arc::new(self.key), Arc::new(self.own));
        let mut threads = Vec::new();
        for endpoint in self.endpoints {
            let outbox = Outbox::open(&self.outbox)?;
            // A new endpoint hears what happens from now on.
            outbox.begin(&endpoint.id, app.size())?;
            let (app, stop, key, own) = (Arc::clone(app), Arc::clone(stop), Arc::clone(&key), Arc::clone(&own));
            let sender = Sender::new(&endpoint);
            let thread = std::thread::Builder::new().name("blotter-webhook".into());
            let run = move || {
                let courier = Courier { app, endpoint, outbox, sender, key, own };
                courier.run(&stop);
            };
            threads.push(thread.spawn(run).map_err(|e| OutboxError::Thread(e.to_string()))?);
        }
        Ok(threads)
    }
}

/// Brings to one endpoint what is for it.
struct Courier {
    app: Arc<App>,
    endpoint: Endpoint,
    outbox: Outbox,
    sender: Sender,
    key: Arc<SecretKey>,
    own: Arc<Option<Notary>>,
}

impl Courier {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if let Err(why) = self.turn(stop) {
                tracing::error!(endpoint = self.endpoint.id.as_str(), why, "webhooks stand still; trying again");
                std::thread::sleep(Duration::from_secs(1));
            }
            std::thread::sleep(TICK);
        }
    }

    fn turn(&mut self, stop: &AtomicBool) -> Result<(), String> {
        self.collect()?;
        let now_us = (self.app.clock)();
        while let Some(delivery) = self.outbox.due(&self.endpoint.id, now_us).map_err(|e| e.to_string())? {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.deliver(&delivery)?;
        }
        Ok(())
    }

    /// Puts new entries of chosen events into the outbox.
    fn collect(&mut self) -> Result<(), String> {
        loop {
            let from = self.outbox.position(&self.endpoint.id).map_err(|e| e.to_string())?;
            if from >= self.app.size() {
                return Ok(());
            }
            let chosen = self.app.read_here(|app, store| chosen(app, store, &self.endpoint, from));
            let (next, chosen) = chosen.map_err(|problem| problem.detail)?;
            self.outbox.put(&self.endpoint.id, next, &chosen, (self.app.clock)()).map_err(|e| e.to_string())?;
        }
    }

    fn deliver(&mut self, delivery: &Delivery) -> Result<(), String> {
        let body = self
            .app
            .read_here(|app, store| body(app, store, &self.endpoint, delivery.seq))
            .map_err(|problem| problem.detail)?;
        let now_us = (self.app.clock)();
        let sent = match body {
            Some(body) => self.sender.send(&self.key, &delivery.message_id(), now_us / 1_000_000, &body),
            None => Err(send::Failed { why: "the entry was expunged, or restricted since".to_owned(), gone: true }),
        };
        let tries = delivery.tries + 1;
        let outbox = |result: Result<(), OutboxError>| result.map_err(|e| e.to_string());
        match sent {
            Ok(()) => {
                outbox(self.outbox.settle(delivery, State::Delivered, tries, None))?;
                self.record(delivery, tries, "delivered");
            }
            Err(failed) => match RETRY_SECONDS.get(delivery.tries as usize).filter(|_| !failed.gone) {
                Some(seconds) => {
                    // Spread, so that all that failed together do not come back together.
                    let [dice] = self.app.random::<1>();
                    let wait_us = seconds * 1_000_000 * (90 + i64::from(dice) % 21) / 100;
                    outbox(self.outbox.retry(delivery, tries, now_us + wait_us, &failed.why))?;
                }
                None => {
                    tracing::warn!(
                        endpoint = self.endpoint.id.as_str(),
                        jti = delivery.jti,
                        "a webhook is dead: {}",
                        failed.why
                    );
                    outbox(self.outbox.settle(delivery, State::Dead, tries, Some(&failed.why)))?;
                    self.record(delivery, tries, "dead");
                }
            },
        }
        Ok(())
    }

    /// The ledger says what became of it. If it can't now, that is in the log; the delivery itself is done.
    fn record(&self, delivery: &Delivery, tries: u32, outcome: &str) {
        let Some(own) = self.own.as_ref() else { return };
        let now_us = (self.app.clock)();
        let draft = Draft {
            iss: own.actor.clone(),
            attributed: None,
            aud: self.app.keyring().audience().to_owned(),
            jti: Jti::v7((now_us / 1000).unsigned_abs(), self.app.random()),
            iat: now_us.div_euclid(1_000_000),
            sub: Id::ledger(),
            about: Vec::new(),
            event: Event::WebhookDelivered.name().to_owned(),
            occurred: Some(self.app.now()),
            precision: Precision::Second,
            seen: None,
            cause: Vec::new(),
            corrects: Vec::new(),
            via: Via::Automation,
            facts: vec![
                ("endpoint".to_owned(), self.endpoint.id.as_str().into()),
                ("of".to_owned(), delivery.jti.as_str().into()),
                ("attempts".to_owned(), i64::from(tries).into()),
                ("outcome".to_owned(), outcome.into()),
            ],
            data: Vec::new(),
        };
        let recorded = draft
            .build(&thumbprint(own.key.public()), || self.app.random())
            .map_err(|e| e.to_string())
            .and_then(|unsigned| {
                let signature = own.key.sign(unsigned.signing_input().as_bytes());
                let prepared = self.app.ledger.prepare(&unsigned.signed(&signature).to_text(), Vec::new());
                prepared.and_then(|prepared| self.app.ledger.append(prepared)).map_err(|e| e.to_string())
            });
        if let Err(why) = recorded {
            tracing::error!(why, jti = delivery.jti, "a delivery could not be recorded");
        }
    }
}

/// What is for the endpoint among the next entries: seq and statement of each; and where to go on.
fn chosen(app: &App, store: &dyn Read, endpoint: &Endpoint, from: u64) -> Result<(u64, Vec<(u64, String)>), Problem> {
    let shown = app.shown(store)?;
    let entries = read::entries(store, from, PAGE)?;
    // What came in this moment is not judged yet.
    let entries: Vec<_> = entries.into_iter().take_while(|entry| entry.stored.seq < shown.position()).collect();
    let next = entries.last().map_or(from, |entry| entry.stored.seq + 1);
    let said = entries.into_iter().filter_map(|entry| entry.said);
    let wanted = said.filter(|(_, statement)| {
        statement.event.known() != Some(Event::WebhookDelivered)
            && endpoint.wants(statement.event.as_str())
            && shown.may_read(&endpoint.actor, statement.streams())
    });
    Ok((next, wanted.map(|(entry, statement)| (entry.seq, statement.jti.to_string())).collect()))
}

/// What is sent: `type`, `timestamp`, `data` (Standard Webhooks, payload), with the entry's exact bytes.
fn body(app: &App, store: &dyn Read, endpoint: &Endpoint, seq: u64) -> Result<Option<String>, Problem> {
    let entry = read::entries(store, seq, 1)?.pop();
    let Some((placed, statement)) = entry.as_ref().and_then(|entry| entry.said.as_ref()) else { return Ok(None) };
    if !app.shown(store)?.may_read(&endpoint.actor, statement.streams()) {
        return Ok(None);
    }
    let bytes = entry.as_ref().map(|entry| String::from_utf8_lossy(&entry.stored.bytes).into_owned());
    let claims: serde_json::Value =
        serde_json::from_str(&statement.claims().to_text()).map_err(|e| Problem::new("unavailable", e.to_string()))?;
    let body = serde_json::json!({
        "type": statement.event.as_str(),
        "timestamp": placed.recorded.as_str(),
        "data": {
            "seq": seq, "jti": statement.jti.to_string(), "stream": statement.sub.as_str(),
            "actor": statement.actor().as_str(), "facts": claims["facts"], "fields": statement.fields, "entry": bytes,
            "links": links(app, store, endpoint, statement)?,
        },
    });
    Ok(Some(body.to_string()))
}

/// The tickets and changes that are linked to the incidents of a statement, as far as the receiver may see them; of its own
/// ones, with the number, if the vault still has it: by that it finds what to bring up to date.
fn links(
    app: &App,
    store: &dyn Read,
    endpoint: &Endpoint,
    statement: &Statement,
) -> Result<Vec<serde_json::Value>, Problem> {
    let incidents: Vec<&Id> = statement.streams().filter(|id| id.kind() == "incident").collect();
    if incidents.is_empty() {
        return Ok(Vec::new());
    }
    let (views, _) = app.views.read(store)?;
    let shown = app.shown(store)?;
    let mut links = Vec::new();
    for incident in incidents {
        let seqs = itsm_links(&views, incident).map_err(|e| Problem::new("unavailable", e.to_string()))?;
        for seq in seqs {
            let Some((_, link)) = read::entries(store, seq, 1)?.pop().and_then(|entry| entry.said) else { continue };
            if !shown.may_read(&endpoint.actor, link.streams()) {
                continue;
            }
            let system = link.facts.id("system");
            let values = if system == Some(&endpoint.id) { Log(store).values(seq)? } else { Vec::new() };
            let number = values.iter().find(|(name, _)| name == "ticket" || name == "change");
            links.push(serde_json::json!({
                "incident": incident.as_str(), "seq": seq, "event": link.event.as_str(),
                "system": system.map(Id::as_str), "number": number.and_then(|(_, value)| value.as_text()),
            }));
        }
    }
    Ok(links)
}
