//! Reading entries: pages, single ones, streams. Every entry has its exact bytes, so a client can hash it; what a reader
//! may not see is withheld, and said to be.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use blotter_ledger::Read;
use blotter_ledger::read::{self, ReadEntry};
use blotter_projections::{Filter, Pattern, Span};
use blotter_record::{Disclosure, Hash, Id, Instant, Jti, limits};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::append::ReceiptView;
use crate::caller::{Caller, Reads};
use crate::finder::Finder;
use crate::problem::Problem;

/// Entries of one page, at most.
pub const PAGE_MAX: usize = 1_000;
const PAGE: usize = 100;

/// Which entries.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntriesQuery {
    /// From this entry on: the cursor of the page before.
    #[serde(default)]
    from: u64,
    /// Only entries before this one.
    before: Option<u64>,
    /// The newest of them, newest first: then ask again with `before`, not with `from`.
    #[serde(default)]
    newest: bool,
    /// Only those that the keyring is folded from.
    #[serde(default)]
    trusted: bool,
    /// How many, at most 1000; 100 if it is not said.
    limit: Option<usize>,
    /// In this stream; a kind, such as `incident/`, means all of that kind.
    #[param(pattern = "^[a-z]{1,16}(/([A-Za-z0-9][A-Za-z0-9._-]{0,63})?)?$")]
    stream: Option<String>,
    /// Of this event; `incident.` means all that begin so.
    event: Option<String>,
    /// By this actor.
    #[param(pattern = "^(person|service|ledger|notary|imported)/[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    actor: Option<String>,
    /// Recorded at this instant or later.
    since: Option<String>,
    /// Recorded before this instant.
    until: Option<String>,
    /// Happened at this instant or later, as its actor says.
    occurred_since: Option<String>,
    /// Happened before this instant, as its actor says.
    occurred_until: Option<String>,
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page {
    /// In the order of the log; with `newest`, the other way round.
    entries: Vec<EntryView>,
    /// `from` of the next page, with `newest` its `before`. With this and the same filter one can ask again and again, and
    /// misses nothing.
    next: u64,
    /// Whether there is more now.
    more: bool,
    /// Entries of the log.
    size: u64,
}

/// An entry as far as the reader may see it.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct EntryView {
    /// Its number.
    pub(crate) seq: u64,
    /// Its leaf hash.
    pub(crate) leaf: String,
    /// Its exact bytes: SHA-256(0x00 ‖ these) is the leaf hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<String>,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<String>,
    /// The statement's claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    claims: Option<serde_json::Value>,
    /// The disclosures that the vault has: base64url([salt, name, value]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disclosures: Option<Vec<String>>,
    /// The values in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    data: Option<serde_json::Map<String, serde_json::Value>>,
    /// Digests of values that were erased, and by which order (a `jti`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    erased: Vec<Erased>,
    /// Why it is not shown: the code of a problem, `restricted` or `not-allowed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) withheld: Option<&'static str>,
    /// The order by which it was expunged.
    #[serde(skip_serializing_if = "Option::is_none")]
    expunged_by: Option<String>,
}

/// A value that was erased by order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Erased {
    digest: String,
    by: String,
}

/// A stream's head.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamView {
    /// Its id, as first written.
    stream: String,
    /// Its entries.
    count: u64,
    /// Leaf hash of the last.
    leaf: String,
    /// Seq of the last.
    seq: u64,
    /// Whether an import began it.
    imported: bool,
}

/// Page through entries
#[utoipa::path(get, path = "/v1/entries", tag = "entries", params(EntriesQuery), responses(
    (status = 200, description = "A page; empty if nothing is like that", body = Page),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn entries(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<EntriesQuery>,
) -> Result<Json<Page>, Problem> {
    let reads = caller.reads(&app)?;
    let filter = filter(&query)?;
    if query.trusted && !filter.is_empty() {
        return Err(Problem::new("bad-parameter", "trusted: not together with other filters").at("trusted"));
    }
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    app.read(move |app, store| page(app, store, &caller, reads, &query, &filter, limit)).await.map(Json)
}

fn page(
    app: &App,
    store: &dyn Read,
    caller: &Caller,
    reads: Reads,
    query: &EntriesQuery,
    filter: &Filter,
    limit: usize,
) -> Result<Page, Problem> {
    let shown = app.shown(store)?;
    let size = shown.position();
    let (from, end) = (query.from, query.before.map_or(size, |before| before.min(size)));
    let seqs = if query.trusted {
        let trusted = store.trusted()?.into_iter().filter(|seq| (from..end).contains(seq));
        if query.newest { trusted.rev().take(limit).collect() } else { trusted.take(limit).collect() }
    } else {
        let mut unusable = |why: &str| tracing::warn!(why, "scanning the log, because the index can't be used");
        let finder = Finder::open(app.views.path(), store, filter, &mut |_, _| {}, &mut unusable)?;
        finder.seqs(store, filter, (from, end), query.newest, limit)?
    };
    let mut entries = Vec::with_capacity(seqs.len());
    for entry in read::entries_at(store, &seqs, |entry| entry)? {
        let view = view(app, store, &shown, caller, reads, entry)?;
        // Who asks for what they may not see is not told that it is there.
        if view.withheld.is_none() || filter.is_empty() {
            entries.push(view);
        }
    }
    let last = seqs.last().filter(|_| seqs.len() == limit);
    let (next, more) = match (query.newest, last) {
        (true, last) => (last.copied().unwrap_or(from), last.is_some_and(|last| *last > from)),
        (false, last) => {
            let next = last.map_or(end.max(from), |last| last + 1);
            (next, next < end)
        }
    };
    Ok(Page { entries, next, more, size })
}

/// An entry as `caller` may see it.
pub(crate) fn view(
    app: &App,
    store: &dyn Read,
    shown: &crate::shown::Shown,
    caller: &Caller,
    reads: Reads,
    entry: ReadEntry,
) -> Result<EntryView, Problem> {
    let (seq, leaf) = (entry.stored.seq, entry.stored.leaf.to_string());
    let keyring = app.keyring();
    let Some((placed, statement)) = entry.said else {
        let by = keyring.expunged_by(seq).map(Jti::to_string);
        return Ok(EntryView { seq, leaf, expunged_by: by, ..EntryView::default() });
    };
    if let Err(problem) = caller.sees(reads, shown, statement.streams()) {
        return Ok(EntryView { seq, leaf, withheld: Some(problem.code), ..EntryView::default() });
    }
    let disclosures = store.disclosures(seq)?;
    let values = disclosures.iter().filter_map(|text| Disclosure::parse(text).ok());
    let data =
        values.map(|value| Ok((value.name().to_owned(), json_of(value.value())?))).collect::<Result<_, Problem>>()?;
    let erased = statement
        .digests
        .iter()
        .filter_map(|digest| Some(Erased { digest: digest.to_string(), by: keyring.erased_by(digest)?.to_string() }));
    Ok(EntryView {
        seq,
        leaf,
        recorded: Some(placed.recorded.as_str().to_owned()),
        claims: Some(json_of(&statement.claims())?),
        data: Some(data),
        disclosures: Some(disclosures),
        erased: erased.collect(),
        entry: Some(String::from_utf8_lossy(&entry.stored.bytes).into_owned()),
        withheld: None,
        expunged_by: None,
    })
}

fn json_of(json: &blotter_record::Json) -> Result<serde_json::Value, Problem> {
    serde_json::from_str(&json.to_text()).map_err(|error| {
        tracing::error!(%error, "a stored value can't be shown");
        Problem::new("unavailable", "a stored value can't be shown")
    })
}

fn filter(query: &EntriesQuery) -> Result<Filter, Problem> {
    let wrong = |at: &str, what: String| Problem::new("bad-parameter", format!("{at}: {what}")).at(at);
    let time = |at: &str, text: &Option<String>| -> Result<Option<i64>, Problem> {
        let parse = |text: &String| text.parse::<Instant>().map_err(|e| wrong(at, e.to_string()));
        Ok(text.as_ref().map(parse).transpose()?.map(|instant| instant.unix_us()))
    };
    let actor =
        query.actor.as_ref().map(|text| text.parse().map_err(|e| wrong("actor", format!("{e}")))).transpose()?;
    let pattern = |text: &Option<String>, separator| text.as_ref().map(|text| Pattern::new(text, separator));
    for (at, text) in [("stream", &query.stream), ("event", &query.event)] {
        if text
            .as_ref()
            .is_some_and(|text| text.len() > limits::ID_KIND_LEN_MAX + 1 + limits::ID_NAME_LEN_MAX || !text.is_ascii())
        {
            return Err(wrong(at, "not the name of one".to_owned()));
        }
    }
    Ok(Filter {
        stream: pattern(&query.stream, '/'),
        event: pattern(&query.event, '.'),
        actor,
        recorded: Span { since_us: time("since", &query.since)?, until_us: time("until", &query.until)? },
        occurred: Span {
            since_us: time("occurred_since", &query.occurred_since)?,
            until_us: time("occurred_until", &query.occurred_until)?,
        },
    })
}

/// Read one entry
#[utoipa::path(get, path = "/v1/entries/{seq}", tag = "entries", params(("seq" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "The entry", body = EntryView),
    (status = 410, description = "It was expunged by order", body = Problem, content_type = "application/problem+json"),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn entry(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(seq): Path<u64>,
) -> Result<Response, Problem> {
    let reads = caller.reads(&app)?;
    let view = app.read(move |app, store| one(app, store, &caller, reads, seq)).await?;
    // Bytes never change; which values are there may.
    let tag = HeaderValue::from_str(&format!("\"{}\"", tag(&view))).expect("a hash is a header value");
    Ok((StatusCode::OK, [(header::ETAG, tag)], Json(view)).into_response())
}

fn tag(view: &EntryView) -> Hash {
    let mut bytes = view.leaf.clone().into_bytes();
    view.disclosures.iter().flatten().for_each(|text| bytes.extend(Hash::of(text.as_bytes()).0));
    Hash::of(&bytes)
}

fn one(app: &App, store: &dyn Read, caller: &Caller, reads: Reads, seq: u64) -> Result<EntryView, Problem> {
    let shown = app.shown(store)?;
    let entry = read::entries(store, seq, 1)?.into_iter().next().filter(|entry| entry.stored.seq == seq);
    // What came in this moment is not judged yet.
    let entry = entry.filter(|_| seq < shown.position());

    let entry = entry.ok_or_else(|| Problem::new("not-found", format!("there is no entry {seq}")).at("seq"))?;
    let view = view(app, store, &shown, caller, reads, entry)?;
    match (view.withheld, &view.expunged_by) {
        (Some(code), _) => Err(Problem::new(code, format!("entry {seq} is not for this caller"))),
        (None, Some(by)) => Err(Problem::new("expunged", format!("entry {seq} was expunged by order {by}"))),
        (None, None) => Ok(view),
    }
}

/// Find a statement's entry by its id
#[utoipa::path(get, path = "/v1/statements/{jti}", tag = "entries", params(("jti" = String, Path, pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", description = "The statement's id")), responses(
    (status = 200, description = "The entry", body = EntryView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn by_jti(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(jti): Path<String>,
) -> Result<Json<EntryView>, Problem> {
    let reads = caller.reads(&app)?;
    let jti: Jti = jti.parse().map_err(|e| Problem::new("bad-parameter", format!("jti: {e}")).at("jti"))?;
    let find = move |app: &App, store: &dyn Read| {
        let seq = store.seq_of(&jti)?;
        let seq = seq.ok_or_else(|| Problem::new("not-found", format!("there is no statement {jti}")).at("jti"))?;
        one(app, store, &caller, reads, seq)
    };
    app.read(find).await.map(Json)
}

/// The receipt of an entry
#[utoipa::path(get, path = "/v1/entries/{seq}/receipt", tag = "proofs", params(("seq" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "The entry with its proof, by the newest checkpoint", body = ReceiptView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn receipt(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(seq): Path<u64>,
) -> Result<Json<ReceiptView>, Problem> {
    let reads = caller.reads(&app)?;
    let make = move |app: &App, store: &dyn Read| {
        one(app, store, &caller, reads, seq)?;
        Ok(ReceiptView::from(app.receipt_of(store, seq)?))
    };
    app.read(make).await.map(Json)
}

/// A stream's head
#[utoipa::path(get, path = "/v1/streams/{kind}/{name}", tag = "entries", params(
    ("kind" = String, Path, pattern = "^[a-z]{1,16}$", description = "Such as `incident`"),
    ("name" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description = "Such as `INC-2026-0042`")), responses(
    (status = 200, description = "What a signer names in `seen`, once they verified it", body = StreamView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<StreamView>, Problem> {
    head_of(app, caller, format!("{kind}/{name}")).await
}

/// The head of the stream `ledger`
#[utoipa::path(get, path = "/v1/streams/ledger", tag = "entries", responses(
    (status = 200, description = "Its head", body = StreamView),
    (status = "4XX", description = "Not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn ledger_stream(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<StreamView>, Problem> {
    head_of(app, caller, "ledger".to_owned()).await
}

async fn head_of(app: Arc<App>, caller: Caller, id: String) -> Result<Json<StreamView>, Problem> {
    let reads = caller.reads(&app)?;
    let stream: Id = id.parse().map_err(|e| Problem::new("bad-parameter", format!("stream: {e}")).at("stream"))?;
    let find = move |app: &App, store: &dyn Read| {
        let state = store.stream(&stream)?;
        let last = state.as_ref().map(|state| store.stream_seqs(&stream, state.count - 1, 1)).transpose()?;
        // What was read is judged by all that came before it.
        caller.sees(reads, &*app.shown(store)?, [&stream].into_iter())?;
        let state =
            state.ok_or_else(|| Problem::new("not-found", format!("there is no stream {stream}")).at("stream"))?;
        let seq = last.and_then(|seqs| seqs.first().copied()).unwrap_or_default();
        let (count, leaf) = (state.count, state.leaf.to_string());
        Ok(StreamView { stream: state.id.to_string(), count, leaf, seq, imported: state.imported })
    };
    app.read(find).await.map(Json)
}

/// Which of a stream's entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeqsQuery {
    /// From its entry of this number on, counted from 0.
    #[serde(default)]
    from_n: u64,
    /// How many, at most 1000; 100 if it is not said.
    limit: Option<usize>,
}

/// Seqs of a stream's entries
#[utoipa::path(get, path = "/v1/streams/{kind}/{name}/entries", tag = "entries", params(SeqsQuery,
    ("kind" = String, Path, pattern = "^[a-z]{1,16}$", description = "Such as `incident`"),
    ("name" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description = "Such as `INC-2026-0042`")), responses(
    (status = 200, description = "In their order: entry `from_n` of the stream and those behind it", body = Vec<u64>),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn stream_seqs(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((kind, name)): Path<(String, String)>,
    Query(query): Query<SeqsQuery>,
) -> Result<Json<Vec<u64>>, Problem> {
    seqs_of(app, caller, format!("{kind}/{name}"), query).await
}

/// Seqs of the entries of the stream `ledger`
#[utoipa::path(get, path = "/v1/streams/ledger/entries", tag = "entries", params(SeqsQuery), responses(
    (status = 200, description = "In their order", body = Vec<u64>),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn ledger_stream_seqs(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<SeqsQuery>,
) -> Result<Json<Vec<u64>>, Problem> {
    seqs_of(app, caller, "ledger".to_owned(), query).await
}

async fn seqs_of(app: Arc<App>, caller: Caller, id: String, query: SeqsQuery) -> Result<Json<Vec<u64>>, Problem> {
    let reads = caller.reads(&app)?;
    let stream: Id = id.parse().map_err(|e| Problem::new("bad-parameter", format!("stream: {e}")).at("stream"))?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let find = move |app: &App, store: &dyn Read| {
        let seqs = store.stream_seqs(&stream, query.from_n, limit)?;
        caller.sees(reads, &*app.shown(store)?, [&stream].into_iter())?;
        Ok(seqs)
    };
    app.read(find).await.map(Json)
}
