//! `POST /v1/tickets/{mapping}`: what an ITSM tool's own webhook says about a ticket or a change, recorded in each incident
//! that it is linked to (`ticket.linked`, `change.linked`), signed by the notary (src/exchange/TICKETS.md). The token says
//! whose tickets they are. The same event again adds nothing.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use blotter_exchange::tickets::{TICKET_CHANGED, TicketChange};
use blotter_ledger::{Read, read};
use blotter_projections::Source as _;
use blotter_projections::restoration::itsm_links_with;
use blotter_record::{Id, Jti, Precision};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::caller::Caller;
use crate::finder::Log;
use crate::intake::{TakenView, answer, derived, malformed, once, scoped};
use crate::notarise::Said;
use crate::problem::Problem;

/// The beginning of the scope that lets a token say what became of an endpoint's tickets.
const SCOPE: &str = "tickets:";

/// Of which endpoint.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TicketQuery {
    /// The endpoint, `endpoint/…`, as `ticket.linked` names it; needed only if the token is for several.
    endpoint: Option<String>,
}

/// What became of the events of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketsView {
    /// In the document's order; of one event, an element for each incident that the ticket is linked to.
    changes: Vec<TakenView>,
}

/// Say what became of a ticket
///
/// The body is what the ITSM tool sends, in the shape that the server's mapping of this name describes. It is recorded as
/// `x.itsm.ticket-changed` in the incidents to which the ticket or change is linked. The token needs the scope
/// `tickets:endpoint/…`.
#[utoipa::path(post, path = "/v1/tickets/{mapping}", tag = "statements",
    params(("mapping" = String, Path, description = "The mapping"), TicketQuery),
    request_body(content((serde_json::Value = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 201, description = "At least one was recorded, durably, and the rest was there", body = TicketsView),
        (status = 200, description = "All were there before", body = TicketsView),
        (status = 207, description = "Some were refused; each says why", body = TicketsView),
        (status = 404, description = "No incident is linked to the ticket, or there is no such mapping", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "None was taken", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The writer is shut, or the views can't be read", body = Problem, content_type = "application/problem+json"),
    ), security(("token" = [])))]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(mapping): Path<String>,
    Query(query): Query<TicketQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    let endpoint = scoped(&caller, SCOPE, query.endpoint.as_deref())?;
    let unknown = || Problem::new("not-found", "no such mapping; the server is told of them with --ticket-mapping");
    let found = app.mappings.tickets.get(&mapping).ok_or_else(|| unknown().at("mapping"))?.read(&body);
    let mut taken = Vec::new();
    for change in found.map_err(malformed)? {
        let links = match change {
            Ok(change) => linked(&app, &endpoint, &change.ticket).await.map(|links| (change, links)),
            Err(error) => Err(malformed(error)),
        };
        match links {
            Ok((change, links)) => {
                for link in links {
                    taken.push(one(&app, &caller, &endpoint, &change, link).await);
                }
            }
            Err(problem) => taken.push(Err(problem)),
        }
    }
    answer(taken, |changes| TicketsView { changes })
}

/// An incident that a ticket is linked to, and the statement that links it.
struct Link {
    incident: Id,
    jti: Jti,
}

/// The incidents that the endpoint's ticket or change is linked to; at least one.
async fn linked(app: &Arc<App>, endpoint: &Id, ticket: &str) -> Result<Vec<Link>, Problem> {
    let (system, number) = (endpoint.clone(), ticket.to_owned());
    let find = move |app: &App, store: &dyn Read| {
        let (views, _) = app.views.read(store)?;
        let with_words = itsm_links_with(&views, &number);
        let with_words = with_words.map_err(|e| Problem::new("unavailable", e.to_string()))?;
        let mut links: Vec<Link> = Vec::new();
        for (incident, seq) in with_words {
            let Some((_, link)) = read::entries(store, seq, 1)?.pop().and_then(|entry| entry.said) else { continue };
            let is_it = |(name, value): &(String, blotter_record::Json)| {
                (name == "ticket" || name == "change") && value.as_text() == Some(&number)
            };
            let known = links.iter().any(|link| link.incident == incident);
            if !known && link.facts.id("system") == Some(&system) && Log(store).values(seq)?.iter().any(is_it) {
                links.push(Link { incident, jti: link.jti });
            }
        }
        Ok(links)
    };
    let links = app.read(find).await?;
    match links.is_empty() {
        true => {
            let ticket: String = ticket.chars().take(60).flat_map(char::escape_debug).collect();
            let what =
                format!("no incident is linked to {ticket} of {endpoint}; ticket.linked or change.linked does that");
            Err(Problem::new("not-found", what).at("ticket"))
        }
        false => Ok(links),
    }
}

async fn one(
    app: &Arc<App>,
    caller: &Caller,
    endpoint: &Id,
    change: &TicketChange,
    link: Link,
) -> Result<TakenView, Problem> {
    let parts = [endpoint.as_str(), link.incident.as_str(), &change.ticket, &change.change_ref];
    let (jti, _) = derived(app, "blotter: ids of changes of tickets, 1", &parts)?;
    let said = Said {
        jti: Some(jti),
        event: TICKET_CHANGED.to_owned(),
        sub: link.incident.clone(),
        about: Vec::new(),
        occurred: Some(change.changed_at.clone()),
        precision: Precision::Second,
        cause: vec![link.jti],
        corrects: Vec::new(),
        facts: vec![("system".to_owned(), endpoint.as_str().into()), ("state".to_owned(), change.state.into())],
        data: change.data.clone(),
    };
    let view = TakenView { ticket: Some(change.ticket.clone()), ..TakenView::default() };
    let taken = once(app, caller, said, view, false).await?;
    let seen = caller.actor().is_some_and(|actor| {
        app.read_here(|app, store| Ok(app.shown(store)?.may_read(actor, std::iter::once(&link.incident))))
            .unwrap_or(false)
    });
    Ok(match seen {
        true => TakenView { incident: Some(link.incident.to_string()), ..taken },
        false => TakenView { seq: None, jti: None, ..taken },
    })
}
