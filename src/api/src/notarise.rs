//! Plain statements of those who can't sign: a token says for whom, the notary signs (FORMAT.md §2.4). They are marked as
//! attested by the notary everywhere, and are never decisions.

use blotter_keys::jwk::thumbprint;
use blotter_ledger::{Read, read};
use blotter_record::{Attribution, Disclosure, Draft, Id, Instant, Json, Jti, Precision, Statement, Via};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::append::Ready;
use crate::caller::Caller;
use crate::problem::Problem;

/// A statement in plain JSON. The server adds who (by the token), when it was signed, and the notary's signature.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "it describes what is read member by member, strictly")]
pub(crate) struct PlainStatement {
    /// The event, such as `alert.received` or `x.note`.
    #[schema(example = "x.acme.backup-checked")]
    event: String,
    /// The stream that it belongs to.
    #[schema(example = "incident/INC-2026-0042", pattern = "^[a-z]{1,16}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]
    sub: String,
    /// Further streams that it concerns, at most 7.
    #[schema(nullable = false)]
    about: Option<Vec<String>>,
    /// When it happened; now, if this is absent and `precision` too.
    #[schema(nullable = false, example = "2026-11-23T11:54:00Z")]
    occurred: Option<String>,
    /// `second` (default), `minute`, `hour`, `day`, `month`, `year`, `unknown`.
    #[schema(nullable = false)]
    precision: Option<String>,
    /// Ids of statements that led to this one.
    #[schema(nullable = false)]
    cause: Option<Vec<String>>,
    /// Ids of statements that this one corrects.
    #[schema(nullable = false)]
    corrects: Option<Vec<String>>,
    /// Permanent facts, by the event's schema: no text, nothing personal.
    #[schema(value_type = Object)]
    facts: serde_json::Value,
    /// Disclosable values.
    #[schema(nullable = false, value_type = Option<Object>)]
    data: Option<serde_json::Value>,
    /// Its id, a UUIDv7: sending the same again with the same id records it once.
    #[schema(nullable = false, pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    jti: Option<String>,
}

/// What somebody says through the notary.
pub(crate) struct Said {
    pub(crate) jti: Option<Jti>,
    pub(crate) event: String,
    pub(crate) sub: Id,
    pub(crate) about: Vec<Id>,
    pub(crate) occurred: Option<Instant>,
    pub(crate) precision: Precision,
    pub(crate) cause: Vec<Jti>,
    pub(crate) corrects: Vec<Jti>,
    pub(crate) facts: Vec<(String, Json)>,
    pub(crate) data: Vec<(String, Json)>,
}

/// Reads a plain statement and has the notary sign it.
pub(crate) fn notarise(app: &App, caller: &Caller, json: &Json) -> Result<Ready, Problem> {
    let Caller::Token { .. } = caller else {
        return Err(Problem::new(
            "not-signed-in",
            "a plain statement needs a token with the scope append; people sign their statements themselves",
        ));
    };
    if !caller.has_scope("append") {
        return Err(Problem::new("not-allowed", "this token has not the scope append"));
    }
    sign(app, caller, read_plain(json, app)?)
}

/// Has the notary sign what a token's holder says; the same id and the same words again are no news.
pub(crate) fn sign(app: &App, caller: &Caller, said: Said) -> Result<Ready, Problem> {
    let Caller::Token { id, actor, .. } = caller else {
        return Err(Problem::new("not-signed-in", "this needs a token"));
    };
    let notary = app.notary.as_ref().ok_or_else(|| {
        Problem::new("unavailable", "this server holds no notary's key, so it takes signed statements only")
    })?;
    if let Some(jti) = said.jti
        && let Some(seq) = app.read_here(|_, store| repeated(store, &jti, &said, caller))?
    {
        return Ok(Ready::There(seq));
    }
    let now_us = (app.clock)();
    let draft = Draft {
        iss: notary.actor.clone(),
        attributed: Some(Attribution { actor: actor.clone(), auth: id.clone() }),
        aud: app.keyring().audience().to_owned(),
        jti: said.jti.unwrap_or_else(|| Jti::v7((now_us / 1000).unsigned_abs(), app.random())),
        iat: now_us.div_euclid(1_000_000),
        sub: said.sub,
        about: said.about,
        event: said.event,
        occurred: said.occurred,
        precision: said.precision,
        seen: None,
        cause: said.cause,
        corrects: said.corrects,
        via: Via::Api,
        facts: said.facts,
        data: said.data,
    };
    let unsigned = draft
        .build(&thumbprint(notary.key.public()), || app.random())
        .map_err(|error| Problem::new("malformed", error.to_string()).at(error.at))?;
    let signature = notary.key.sign(unsigned.signing_input().as_bytes());
    let text = unsigned.signed(&signature).to_text();
    Ok(Ready::New(Box::new(app.ledger.prepare(&text, Vec::new())?)))
}

/// The entry that says the same under this id, by the same token's actor; an error if it says something else.
fn repeated(store: &dyn Read, jti: &Jti, said: &Said, caller: &Caller) -> Result<Option<u64>, Problem> {
    let Some(seq) = store.seq_of(jti)? else { return Ok(None) };
    let there = read::entries(store, seq, 1)?.pop().and_then(|entry| entry.said);
    let same = there.is_some_and(|(_, there)| is_same(&there, said, caller)) && says(store, seq, &said.data)?;
    match same {
        true => Ok(Some(seq)),
        false => Err(Problem {
            seq: Some(seq),
            ..Problem::new("jti-taken", format!("{jti} is taken by entry {seq}, which says something else")).at("jti")
        }),
    }
}

/// Whether entry `seq` says these values; those that were erased since can't be compared, and count as the same.
pub(crate) fn says(store: &dyn Read, seq: u64, data: &[(String, Json)]) -> Result<bool, Problem> {
    let values = store.disclosures(seq)?;
    let mut values = values.iter().filter_map(|text| Disclosure::parse(text).ok());
    Ok(values.all(|there| data.iter().any(|(name, value)| name == there.name() && value == there.value())))
}

fn is_same(there: &Statement, said: &Said, caller: &Caller) -> bool {
    let names: Vec<&str> = said.data.iter().map(|(name, _)| name.as_str()).collect();
    let claims = there.claims();
    let facts = match &claims {
        Json::Object(members) => members.iter().find(|(name, _)| name == "facts").map(|(_, facts)| facts),
        _ => None,
    };
    let same_facts = matches!(facts, Some(Json::Object(facts)) if facts.len() == said.facts.len()
        && facts.iter().all(|fact| said.facts.contains(fact)));
    Some(there.actor()) == caller.actor()
        && there.event.as_str() == said.event
        && there.sub == said.sub
        && there.about == said.about
        && there.fields.iter().all(|field| names.contains(&field.as_str()))
        && there.fields.len() == names.len()
        && same_facts
}

fn read_plain(json: &Json, app: &App) -> Result<Said, Problem> {
    let wrong = |at: &str, what: &str| Problem::new("malformed", format!("{at}: {what}")).at(at);
    let Json::Object(members) = json else { return Err(wrong("body", "an object is wanted")) };
    const KNOWN: [&str; 10] =
        ["event", "sub", "about", "occurred", "precision", "cause", "corrects", "facts", "data", "jti"];
    if let Some((name, _)) = members.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(wrong(
            name,
            "not known here; a plain statement has event, sub, about, occurred, precision, cause, corrects, facts, data, jti",
        ));
    }
    let get = |name: &str| members.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let text = |name: &str| match get(name) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(wrong(name, "a string is wanted")),
    };
    let needed = |name: &str| text(name)?.ok_or_else(|| wrong(name, "missing"));
    let texts = |name: &str| match get(name) {
        None => Ok(Vec::new()),
        Some(Json::List(list)) => list
            .iter()
            .map(|item| item.as_text().ok_or_else(|| wrong(name, "a list of strings is wanted")))
            .collect::<Result<Vec<_>, _>>(),
        Some(_) => Err(wrong(name, "a list of strings is wanted")),
    };
    let object = |name: &str| match get(name) {
        None => Ok(Vec::new()),
        Some(Json::Object(members)) => Ok(members.clone()),
        Some(_) => Err(wrong(name, "an object is wanted")),
    };
    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(at: &str, text: &str) -> Result<T, Problem> {
        text.parse().map_err(|e| Problem::new("malformed", format!("{at}: {e}")).at(at))
    }
    fn all<T: std::str::FromStr<Err: std::fmt::Display>>(at: &str, texts: Vec<&str>) -> Result<Vec<T>, Problem> {
        texts.into_iter().map(|text| parsed(at, text)).collect()
    }
    let precision = match text("precision")? {
        None => Precision::Second,
        Some(word) => Precision::from_word(word)
            .ok_or_else(|| wrong("precision", "second, minute, hour, day, month, year or unknown is wanted"))?,
    };
    let occurred = match text("occurred")? {
        Some(text) => Some(parsed("occurred", text)?),
        None if precision == Precision::Unknown => None,
        None if get("precision").is_some() => {
            return Err(wrong("occurred", "missing, with a precision that says when"));
        }
        None => Some(app.now()),
    };
    get("facts").ok_or_else(|| wrong("facts", "missing; {} if the event has none"))?;
    Ok(Said {
        jti: text("jti")?.map(|text| parsed("jti", text)).transpose()?,
        event: needed("event")?.to_owned(),
        sub: parsed("sub", needed("sub")?)?,
        about: all("about", texts("about")?)?,
        occurred,
        precision,
        cause: all("cause", texts("cause")?)?,
        corrects: all("corrects", texts("corrects")?)?,
        facts: object("facts")?,
        data: object("data")?,
    })
}
