//! What other systems send in their own shapes, recorded once: who may send it, ids that follow from what was sent, and
//! what became of each part of a document.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use blotter_exchange::ForeignError;
use blotter_exchange::alerts::Mapping;
use blotter_exchange::tickets::TicketMapping;
use blotter_record::{Id, Jti};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::app::App;
use crate::append::{ReceiptView, record};
use crate::caller::Caller;
use crate::notarise::{Said, says, sign};
use crate::problem::Problem;

/// Mappings of users' own, by the name under which documents are posted.
#[derive(Debug, Default)]
pub struct Mappings {
    /// Of alerts.
    pub alerts: HashMap<String, Mapping>,
    /// Of tickets.
    pub tickets: HashMap<String, TicketMapping>,
}

/// What became of one alert, or of one ticket's change in one incident.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct TakenView {
    /// 201 recorded, 200 there before, or the problem's.
    pub(crate) status: u16,
    /// The alert's stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alert: Option<String>,
    /// The ticket's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ticket: Option<String>,
    /// The incident that the ticket is linked to; absent, with the entry, if it is restricted and not for the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<String>,
    /// Its statement's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jti: Option<String>,
    /// Its entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    /// It was there before, and said something else then; what it says now was not recorded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<ReceiptView>,
    /// Why it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// That for which the token has a scope beginning with `prefix`: the one it has, or the one that the query names.
pub(crate) fn scoped(caller: &Caller, prefix: &'static str, wanted: Option<&str>) -> Result<Id, Problem> {
    let Caller::Token { scopes, .. } = caller else {
        return Err(Problem::new("not-signed-in", format!("this needs a token with the scope {prefix}…")));
    };
    let mut ids = scopes.iter().filter_map(|scope| scope.strip_prefix(prefix)?.parse::<Id>().ok());
    let id = match wanted {
        Some(wanted) => ids.find(|id| id.as_str() == wanted),
        None => match (ids.next(), ids.next()) {
            (Some(first), Some(_)) => {
                let name = first.kind().to_owned();
                return Err(
                    Problem::new("bad-parameter", format!("{name}: this token is for several; say which")).at(name)
                );
            }
            (first, _) => first,
        },
    };
    id.ok_or_else(|| Problem::new("not-allowed", format!("this token has no scope {prefix}… for that")))
}

/// A statement's id, and further bytes, that follow from `parts`. They stand in the log for ever, and what they follow from
/// can be erased; so they are made with a secret, and nobody can find out by trying what it was.
pub(crate) fn derived(app: &App, purpose: &str, parts: &[&str]) -> Result<(Jti, [u8; 16]), Problem> {
    let notary = app.notary.as_ref().ok_or_else(|| Problem::new("unavailable", "this server holds no notary's key"))?;
    let mut secret = Hmac::<Sha256>::new_from_slice(&notary.key.seed()[..]).expect("a key of any length will do");
    secret.update(purpose.as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.finalize().into_bytes()).expect("a key of any length will do");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let bytes: [u8; 32] = mac.finalize().into_bytes().into();
    let (jti, rest) = bytes.split_at(16);
    let half = "half of 32 bytes";
    Ok((Jti::v8(jti.try_into().expect(half)), rest.try_into().expect(half)))
}

/// Records what has an id of its own, or finds the entry that it has.
pub(crate) async fn once(
    app: &Arc<App>,
    caller: &Caller,
    said: Said,
    view: TakenView,
    receipt: bool,
) -> Result<TakenView, Problem> {
    let Some(jti) = said.jti else { return Err(Problem::new("unavailable", "what is recorded once has an id")) };
    let view = TakenView { jti: Some(jti.to_string()), ..view };
    let data = said.data.clone();
    let there = |seq: u64, view: TakenView| {
        // The time at which it came is no part of what it says.
        let changed = !app.read_here(|_, store| says(store, seq, &data))?;
        Ok(TakenView { status: 200, seq: Some(seq), changed, receipt: receipt_of(app, seq, receipt), ..view })
    };
    if let Some(seq) = app.read_here(|_, store| Ok(store.seq_of(&jti)?))? {
        return there(seq, view);
    }
    let outcome = match sign(app, caller, said) {
        Ok(ready) => record(app, ready).await,
        Err(problem) => Err(problem),
    };
    // Another request may have brought the same in this moment; then it is there.
    let appended = match (outcome, app.read_here(|_, store| Ok(store.seq_of(&jti)?))?) {
        (Ok(appended), _) => appended,
        (Err(problem), Some(seq)) if problem.code == "jti-taken" => return there(seq, view),
        (Err(problem), _) => return Err(problem),
    };
    let status = if appended.repeated { 200 } else { 201 };
    Ok(TakenView { status, seq: Some(appended.seq), receipt: receipt_of(app, appended.seq, receipt), ..view })
}

fn receipt_of(app: &App, seq: u64, wanted: bool) -> Option<ReceiptView> {
    let receipt = wanted.then(|| app.read_here(|app, store| app.receipt_of(store, seq)))?;
    receipt.ok().map(ReceiptView::from)
}

/// What became of the parts of a document: 201 if something is new, 200 if all was there, 207 if some were refused; if all
/// were, why the first was.
pub(crate) fn answer<V: Serialize>(
    taken: Vec<Result<TakenView, Problem>>,
    whole: impl FnOnce(Vec<TakenView>) -> V,
) -> Result<Response, Problem> {
    let refused = taken.iter().filter(|taken| taken.is_err()).count();
    if refused == taken.len() {
        let mut problems: Vec<Problem> = taken.into_iter().filter_map(Result::err).collect();
        // If trying again may help, the sender must hear that: else it would give up all of them.
        let passing = problems.iter().position(|problem| matches!(problem.status, 429 | 503)).unwrap_or(0);
        return Err(match problems.is_empty() {
            true => Problem::new("malformed", "there is nothing in the document").at("body"),
            false => problems.swap_remove(passing),
        });
    }
    let view = |problem: Problem| TakenView { status: problem.status, problem: Some(problem), ..TakenView::default() };
    let views: Vec<TakenView> = taken.into_iter().map(|taken| taken.unwrap_or_else(view)).collect();
    let status = match refused {
        0 if views.iter().any(|view| view.status == 201) => StatusCode::CREATED,
        0 => StatusCode::OK,
        _ => StatusCode::MULTI_STATUS,
    };
    Ok((status, axum::Json(whole(views))).into_response())
}

/// A document, or a part of it, that is not what it should be.
pub(crate) fn malformed(error: ForeignError) -> Problem {
    let at = if error.at.is_empty() { "body".to_owned() } else { error.at.clone() };
    Problem::new("malformed", error.to_string()).at(at)
}
