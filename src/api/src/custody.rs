//! Chains of custody: as they are told, and the endpoint that tells them. A link whose entry a reader may not read is left
//! out with its gaps; the chain was judged with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use blotter_projections::custody::{Chain, Link, Linked, custody, evidence_of};
use blotter_record::Instant;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::caller::Caller;
use crate::finder::Log;
use crate::incidents::{MomentQuery, incident, moment};
use crate::problem::Problem;

/// The chains of custody of an incident's evidence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustodyView {
    /// The incident's stream.
    incident: String,
    /// Entries of the log that this rests on.
    as_of_size: u64,
    /// A chain a piece, in the order in which they came up.
    evidence: Vec<EvidenceView>,
}

/// The chain of custody of a piece of evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// Its stream.
    pub evidence: String,
    /// Who acquired or received the original last; nobody while it is given out.
    pub holder: Option<String>,
    /// Releases that nobody is said to have received.
    pub out: Vec<LinkView>,
    /// The entry by which it was disposed of.
    pub disposed: Option<u64>,
    /// In the order of the log; from its own stream, whichever incidents it concerned.
    pub links: Vec<LinkView>,
}

/// What was done once with a piece of evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Its entry.
    pub entry: u64,
    /// What was done.
    pub event: String,
    /// Who says so.
    pub by: String,
    /// To whom it was given.
    pub to: Option<String>,
    /// What for, or by which method.
    pub purpose: Option<String>,
    /// original or working.
    pub copy: Option<String>,
    /// Whether a check of its hash found it unchanged.
    pub matches: Option<bool>,
    /// The disclosed hashes, if the vault still has them: `sha256` found, or `sha256_copy` and `sha256_source` acquired.
    pub hashes: BTreeMap<String, String>,
    /// When it happened, as said, or when it was recorded.
    pub at: String,
    /// As `at`, in microseconds since 1970.
    pub at_us: i64,
    /// When it was recorded.
    pub recorded: String,
    /// As `recorded`, in microseconds since 1970.
    pub recorded_us: i64,
    /// When it is to be back, in microseconds since 1970.
    pub due_us: Option<i64>,
    /// Whether it was taken back; then it counts for nothing.
    pub retracted: bool,
    /// Where the chain does not hold here.
    pub gaps: Vec<GapView>,
}

/// Where a chain of custody does not hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct GapView {
    /// never-acquired, acquired-again, never-received, nothing-released, other-receiver, mismatch, other-hash,
    /// disposed-before, disposed-while-out or out-of-order.
    pub code: String,
    /// In words.
    pub what: String,
}

/// A chain as it is told to somebody who may read the links that `may` allows.
pub fn chain_view(chain: &Chain, may: impl Fn(&Linked) -> bool) -> EvidenceView {
    let readable: Vec<&Linked> = chain.links.iter().filter(|linked| may(linked)).collect();
    let known = |seq: u64| readable.iter().any(|linked| linked.link.seq == seq);
    let last_known = readable.len() == chain.links.len();
    EvidenceView {
        evidence: chain.evidence.to_string(),
        holder: chain.holder.clone().filter(|_| last_known),
        out: chain.out.iter().filter(|out| known(out.seq)).map(|out| link_view(out, None)).collect(),
        disposed: chain.disposed.filter(|seq| known(*seq)),
        links: readable.iter().map(|linked| link_view(&linked.link, Some(linked))).collect(),
    }
}

fn link_view(link: &Link, linked: Option<&Linked>) -> LinkView {
    let instant = |at_us| Instant::from_unix_us(at_us).map_or_else(|_| at_us.to_string(), |at| at.to_string());
    let gaps = linked.map(|linked| linked.gaps.as_slice()).unwrap_or_default();
    LinkView {
        entry: link.seq,
        event: link.event.clone(),
        by: link.by.clone(),
        to: link.to.clone(),
        purpose: link.purpose.clone(),
        copy: link.copy.clone(),
        matches: link.matches,
        hashes: linked.map(|linked| linked.hashes.iter().cloned().collect()).unwrap_or_default(),
        at: instant(link.at_us),
        at_us: link.at_us,
        recorded: instant(link.recorded_us),
        recorded_us: link.recorded_us,
        due_us: link.due_us,
        retracted: linked.is_some_and(|linked| linked.retracted),
        gaps: gaps.iter().map(|gap| GapView { code: gap.code().to_owned(), what: gap.to_string() }).collect(),
    }
}

/// Read the chains of custody of an incident's evidence
///
/// Who had it when, and where a chain has gaps.
#[utoipa::path(get, path = "/v1/incidents/{name}/custody", tag = "incidents",
    params(("name" = String, Path, description = "Its id without incident/"), MomentQuery), responses(
    (status = 200, description = "Its chains; none if it has no evidence", body = CustodyView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<MomentQuery>,
) -> Result<Json<CustodyView>, Problem> {
    let reads = caller.reads(&app)?;
    let view = app.read(move |app, store| {
        let id = incident(app, store, &caller, reads, &name)?;
        let moment = moment(app, store, &query)?;
        let mut evidence = Vec::new();
        for piece in evidence_of(&Log(store), &id, moment)? {
            let chain = custody(&Log(store), &piece, moment)?;
            // What was restricted while the chain was read is left out, too.
            let shown = app.shown(store)?;
            let may = |linked: &Linked| caller.sees(reads, &shown, linked.streams.iter()).is_ok();
            let view = chain_view(&chain, may);
            evidence.extend((!view.links.is_empty()).then_some(view));
        }
        Ok(CustodyView { incident: id.to_string(), as_of_size: moment.size, evidence })
    });
    view.await.map(Json)
}
