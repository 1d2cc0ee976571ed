//! `GET /v1/follow`: new entries as they come, as server-sent events. Each event's id is the seq, so a client that comes
//! back with `Last-Event-ID` misses nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use blotter_ledger::{Read, read};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::caller::{Caller, Reads};
use crate::entries::view;
use crate::problem::Problem;

/// Entries that are read at once.
const PAGE: usize = 256;
/// After so long without an entry, a comment says that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// From where.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowQuery {
    /// From this entry on; from now on if it is not said. `Last-Event-ID` goes first.
    from: Option<u64>,
}

/// Follow the log
///
/// Server-sent events: `event: entry`, `id: <seq>`, `data:` the entry as `GET /v1/entries/{seq}` has it. Last an
/// `event: problem` if it must end.
#[utoipa::path(get, path = "/v1/follow", tag = "entries", params(FollowQuery,
    ("Last-Event-ID" = Option<u64>, Header, description = "The last entry that was received")), responses(
    (status = 200, description = "Events, without end", body = String, content_type = "text/event-stream"),
    (status = "4XX", description = "Not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.reads(&app)?;
    let last = match headers.get("last-event-id") {
        None => None,
        Some(value) => {
            let seq = value.to_str().ok().and_then(|text| text.parse::<u64>().ok());
            let wrong = || Problem::new("bad-parameter", "Last-Event-ID: not a seq").at("Last-Event-ID");
            Some(seq.ok_or_else(wrong)?)
        }
    };
    let next = last.map(|seq| seq.saturating_add(1)).or(query.from).unwrap_or_else(|| app.ledger.size());
    let news = app.subscribe().ok_or_else(|| Problem::new("unavailable", "the server is ending"))?;
    let state = Following { news, app, caller, next, over: false };
    let events = stream::unfold(state, |mut state| async move {
        let events = state.more().await?;
        Some((stream::iter(events.into_iter().map(Ok::<_, Infallible>)), state))
    });
    let events = futures_util::StreamExt::flatten(events);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("alive")).into_response())
}

struct Following {
    app: Arc<App>,
    caller: Caller,
    next: u64,
    news: tokio::sync::watch::Receiver<u64>,
    over: bool,
}

impl Following {
    /// The next events; `None` when it is over.
    async fn more(&mut self) -> Option<Vec<Event>> {
        if self.over {
            return None;
        }
        let next = self.next;
        // The server is ending, if nobody sends any more.
        self.news.wait_for(|size| *size > next).await.ok()?;
        // A token may have been revoked, and an incident restricted, since.
        let found = match self.still_there() {
            Ok((caller, reads)) => self.app.read(move |app, store| page(app, store, &caller, reads, next)).await,
            Err(problem) => Err(problem),
        };
        match found {
            Ok(events) => {
                self.next += events.len() as u64;
                Some(events)
            }
            Err(problem) => {
                self.over = true;
                let event = Event::default().event("problem").json_data(problem);
                Some(event.into_iter().collect())
            }
        }
    }

    fn still_there(&self) -> Result<(Caller, Reads), Problem> {
        self.caller.check_again(&self.app)?;
        Ok((self.caller.clone(), self.caller.reads(&self.app)?))
    }
}

fn page(app: &App, store: &dyn Read, caller: &Caller, reads: Reads, from: u64) -> Result<Vec<Event>, Problem> {
    let shown = app.shown(store)?;
    let entries = read::entries(store, from, PAGE)?;
    let event = |entry: read::ReadEntry| {
        let seq = entry.stored.seq;
        let view = view(app, store, &shown, caller, reads, entry)?;
        let event = Event::default().event("entry").id(seq.to_string()).json_data(view);
        event.map_err(|e| Problem::new("unavailable", e.to_string()))
    };
    // What came in this moment is not judged yet; it is shown the next time.
    entries.into_iter().take_while(|entry| entry.stored.seq < shown.position()).map(event).collect()
}
