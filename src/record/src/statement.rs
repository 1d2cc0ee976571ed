//! Statements: what an actor says, as a compact JWS (FORMAT.md §2). Parsing is strict and complete: what comes out has the
//! right shape for its event, and nothing in the signed bytes was overlooked. It says nothing yet about the signature, nor
//! about whether the actor may say it: that needs the keyring.

use std::borrow::Cow;

use crate::disclosure::Disclosure;
use crate::event::{Event, EventName};
use crate::fact::{Fact, Facts, is_field_name, read_custom_fact};
use crate::id::{ActorId, Id, Jti, is_origin};
use crate::instant::{Instant, Precision};
use crate::json::{Json, JsonIn};
use crate::limits::{
    ABOUT_LEN_MAX, CUSTOM_FACTS_MAX, DISCLOSURES_MAX, LIST_LEN_MAX, ORIGIN_LEN_MAX, PRESENTATION_BYTES_MAX,
    STATEMENT_BYTES_MAX,
};
use crate::rules::About;
use crate::{Hash, base64url};

/// The `typ` of a statement's header; it names statement format 1 for ever.
pub const STATEMENT_TYP: &str = "blotter+sd-jwt";

/// What is wrong with a statement, and where: a claim, `facts.<name>`, `data.<name>`, the header, the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct StatementError {
    /// Where.
    pub at: String,
    /// What.
    pub what: String,
}

impl StatementError {
    pub(crate) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

/// A statement as read from its JWS; the signature is not verified.
#[derive(Debug, Clone)]
pub struct Statement {
    jws: String,
    signature: [u8; 64],
    /// Thumbprint of the signing key (RFC 7638).
    pub kid: Hash,
    /// Who says it, and owns the key.
    pub iss: ActorId,
    /// In a notarised statement, whom the notary attributes it to.
    pub attributed: Option<Attribution>,
    /// The ledger that it is for: `<origin>#<genesis leaf>`, in entry 0 the bare origin.
    pub aud: String,
    /// Its id.
    pub jti: Jti,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// The stream that it belongs to.
    pub sub: Id,
    /// Further streams that it concerns.
    pub about: Vec<Id>,
    /// What happened.
    pub event: EventName,
    /// When, as the actor says.
    pub occurred: Option<Instant>,
    /// How exactly that is known.
    pub precision: Precision,
    /// What the signer had before them.
    pub seen: Option<Seen>,
    /// Statements that led to this one.
    pub cause: Vec<Jti>,
    /// Statements that this one corrects.
    pub corrects: Vec<Jti>,
    /// The way it came in.
    pub via: Via,
    /// The permanent facts; empty where the event is unknown.
    pub facts: Facts,
    /// Names of the disclosable values, sorted.
    pub fields: Vec<String>,
    /// Digests of the disclosures, sorted as text.
    pub digests: Vec<Hash>,
}

/// Whom a notary attributes a statement to, and on whose authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The actor (claim `for`).
    pub actor: ActorId,
    /// The token or the import (claim `auth`): `token/…` or `import/…`.
    pub auth: Id,
}

/// What a signer had before them: the head of the statement's stream, and a checkpoint of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The last entry of the stream: its number in the stream, and its leaf hash; `None` if the stream is new.
    pub last: Option<(u64, Hash)>,
    /// Size of the checkpoint's tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// The way a statement came in.
#[allow(missing_docs, reason = "the name says it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    Cli,
    Web,
    Api,
    Import,
    Automation,
}

impl Via {
    const ALL: [Self; 5] = [Self::Cli, Self::Web, Self::Api, Self::Import, Self::Automation];

    /// The word in the statement.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Web => "web",
            Self::Api => "api",
            Self::Import => "import",
            Self::Automation => "automation",
        }
    }
}

impl Statement {
    /// Reads a compact JWS.
    ///
    /// # Errors
    /// If anything in it is not as FORMAT.md §2 says: what, and where.
    pub fn parse(jws: &str) -> Result<Self, StatementError> {
        let fail = |what: &str| StatementError::new("the JWS", what);
        if jws.len() > STATEMENT_BYTES_MAX {
            return Err(StatementError::new(
                "the JWS",
                format!(
                    "{} bytes; at most {STATEMENT_BYTES_MAX}; put large values into the data, or into a blob",
                    jws.len()
                ),
            ));
        }
        // From both ends, as only the payload is long; a fourth part is no payload either.
        let ends = jws.split_once('.').and_then(|(header, rest)| Some((header, rest.rsplit_once('.')?)));
        let Some((header, (payload, signature))) = ends else {
            return Err(fail("not three parts joined by dots"));
        };
        let kid = read_header(&decode_part("the header", header)?)?;
        let signature = decode_part("the signature", signature)?
            .try_into()
            .map_err(|_| StatementError::new("the signature", "not 64 bytes"))?;
        let payload = decode_part("the payload", payload)?;
        let JsonIn::Object(members) =
            JsonIn::read(&payload).map_err(|e| StatementError::new("the payload", e.to_string()))?
        else {
            return Err(StatementError::new("the payload", "not an object"));
        };
        read_claims(Claims(members), jws.to_owned(), signature, kid)
    }

    /// The compact JWS.
    pub fn jws(&self) -> &str {
        &self.jws
    }

    /// The bytes under the signature: `<header>.<payload>`, ASCII (RFC 7515 §5.1).
    pub fn signing_input(&self) -> &[u8] {
        let end = self.jws.rfind('.').expect("a parsed JWS has two dots");
        &self.jws.as_bytes()[..end]
    }

    /// The Ed25519 signature; not verified here.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// Whose act it is: the actor that it is attributed to, else the one that signed.
    pub fn actor(&self) -> &ActorId {
        self.attributed.as_ref().map_or(&self.iss, |attribution| &attribution.actor)
    }

    /// The streams that its entry belongs to: `sub`, then `about`.
    pub fn streams(&self) -> impl Iterator<Item = &Id> + Clone {
        std::iter::once(&self.sub).chain(&self.about)
    }

    /// Whether it is a piece of imported history.
    pub fn is_imported(&self) -> bool {
        self.attributed.as_ref().is_some_and(|attribution| attribution.auth.kind() == "import")
    }

    /// The signed claims as a JSON object, for people to read.
    pub fn claims(&self) -> Json {
        let payload = self.jws.split('.').nth(1).expect("a parsed JWS has three parts");
        base64url::decode(payload).ok().and_then(|bytes| Json::parse(&bytes).ok()).expect("parsed before")
    }
}

fn decode_part(at: &str, part: &str) -> Result<Vec<u8>, StatementError> {
    base64url::decode(part).map_err(|e| StatementError::new(at, e.to_string()))
}

fn read_header(bytes: &[u8]) -> Result<Hash, StatementError> {
    let fail = |what: String| StatementError::new("the header", what);
    let header = JsonIn::read(bytes).map_err(|e| fail(e.to_string()))?;
    let JsonIn::Object(members) = header else { return Err(fail("not an object".into())) };
    let mut claims = Claims(members);
    let mut text = |name: &str| match claims.take(name) {
        Some(JsonIn::Text(text)) => Ok(text),
        _ => Err(fail(format!("{name}: a string is wanted"))),
    };
    let (alg, kid, typ) = (text("alg")?, text("kid")?, text("typ")?);
    if let Some((name, _)) = claims.0.first() {
        return Err(fail(format!("{}: unknown; exactly alg, kid and typ are wanted", name.escape_debug())));
    }
    if !matches!(&*alg, "EdDSA" | "Ed25519") {
        return Err(fail("alg: EdDSA or Ed25519 is wanted".into()));
    }
    if typ != STATEMENT_TYP {
        return Err(fail(format!("typ: {STATEMENT_TYP} is wanted")));
    }
    kid.parse().map_err(|e| fail(format!("kid: {e}")))
}

/// The members of the payload that have not been read yet.
struct Claims<'a>(Vec<(Cow<'a, str>, JsonIn<'a>)>);

impl<'a> Claims<'a> {
    fn take(&mut self, name: &str) -> Option<JsonIn<'a>> {
        let index = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(index).1)
    }

    fn text(&mut self, name: &'static str) -> Result<Cow<'a, str>, StatementError> {
        match self.take(name) {
            Some(JsonIn::Text(text)) => Ok(text),
            Some(other) => Err(StatementError::new(name, format!("a string is wanted, not {}", other.kind()))),
            None => Err(StatementError::new(name, "missing")),
        }
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        name: &'static str,
    ) -> Result<T, StatementError> {
        parsed(name, &self.text(name)?)
    }

    /// A list of 1 to `max` different values; absent means empty, and empty must be absent.
    fn list<T>(&mut self, name: &'static str, max: usize) -> Result<Vec<T>, StatementError>
    where
        T: std::str::FromStr<Err: std::fmt::Display> + PartialEq,
    {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let JsonIn::List(items) = value else {
            return Err(StatementError::new(name, format!("a list is wanted, not {}", value.kind())));
        };
        if items.is_empty() || items.len() > max {
            return Err(StatementError::new(name, format!("{} values; 1 to {max}, or leave it out", items.len())));
        }
        let mut values: Vec<T> = Vec::with_capacity(items.len());
        for item in &items {
            let text = item.as_text().ok_or_else(|| StatementError::new(name, "a list of strings is wanted"))?;
            let value = parsed(name, text)?;
            if values.contains(&value) {
                return Err(StatementError::new(name, format!("{text} twice")));
            }
            values.push(value);
        }
        Ok(values)
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(at: &str, text: &str) -> Result<T, StatementError> {
    text.parse().map_err(|e: T::Err| StatementError::new(at, e.to_string()))
}

fn read_claims(
    mut claims: Claims<'_>,
    jws: String,
    signature: [u8; 64],
    kid: Hash,
) -> Result<Statement, StatementError> {
    let iss: ActorId = claims.parsed("iss")?;
    let attributed = read_attribution(&mut claims, &iss)?;
    let aud = claims.text("aud")?.into_owned();
    if !is_audience(&aud) {
        return Err(StatementError::new("aud", "<origin>#<leaf hash of entry 0> is wanted"));
    }
    let jti = claims.parsed("jti")?;
    let iat = match claims.take("iat") {
        Some(JsonIn::Int(seconds)) if seconds >= 0 => seconds,
        _ => return Err(StatementError::new("iat", "whole seconds since 1970 are wanted")),
    };
    let sub = read_stream("sub", claims.parsed("sub")?)?;
    let about: Vec<Id> = claims.list("about", ABOUT_LEN_MAX)?;
    let about = about.into_iter().map(|id| read_stream("about", id)).collect::<Result<Vec<_>, _>>()?;
    let event: EventName = claims.parsed("event")?;
    let (occurred, precision) = read_occurred(&mut claims)?;
    let seen = claims.take("seen").map(read_seen).transpose()?;
    let cause = claims.list("cause", LIST_LEN_MAX)?;
    let corrects = claims.list("corrects", LIST_LEN_MAX)?;
    let via = claims.text("via")?;
    let via = Via::ALL
        .into_iter()
        .find(|word| word.as_str() == via)
        .ok_or_else(|| StatementError::new("via", "one of cli, web, api, import, automation is wanted"))?;
    check_streams(&event, &sub, &about)?;
    let facts = read_facts(&mut claims, &event, &sub)?;
    let (fields, digests) = read_data(&mut claims, &event)?;
    if let Some((name, _)) = claims.0.first() {
        return Err(StatementError::new(name.escape_debug().to_string(), "unknown; a statement has no such claim"));
    }
    Ok(Statement {
        jws,
        signature,
        kid,
        iss,
        attributed,
        aud,
        jti,
        iat,
        sub,
        about,
        event,
        occurred,
        precision,
        seen,
        cause,
        corrects,
        via,
        facts,
        fields,
        digests,
    })
}

fn is_audience(aud: &str) -> bool {
    let (origin, leaf) = aud.split_once('#').map_or((aud, None), |(origin, leaf)| (origin, Some(leaf)));
    origin.len() <= ORIGIN_LEN_MAX && is_origin(origin) && leaf.is_none_or(|leaf| leaf.parse::<Hash>().is_ok())
}

fn read_attribution(claims: &mut Claims<'_>, iss: &ActorId) -> Result<Option<Attribution>, StatementError> {
    if iss.kind() == "imported" {
        return Err(StatementError::new("iss", "an imported actor signs nothing"));
    }
    let (actor, auth) = (claims.take("for"), claims.take("auth"));
    let (Some(JsonIn::Text(actor)), Some(JsonIn::Text(auth))) = (&actor, &auth) else {
        if actor.is_none() && auth.is_none() {
            return Ok(None);
        }
        return Err(StatementError::new("for", "for and auth are wanted together, both strings"));
    };
    if iss.kind() != "notary" {
        return Err(StatementError::new("for", "only a notary attributes a statement to somebody else"));
    }
    let auth: Id = parsed("auth", auth)?;
    if !matches!(auth.kind(), "token" | "import") || auth.name().is_empty() {
        return Err(StatementError::new("auth", "token/… or import/… is wanted"));
    }
    Ok(Some(Attribution { actor: parsed("for", actor)?, auth }))
}

fn read_stream(at: &str, id: Id) -> Result<Id, StatementError> {
    id.into_stream().map_err(|e| StatementError::new(at, e.to_string()))
}

fn read_occurred(claims: &mut Claims) -> Result<(Option<Instant>, Precision), StatementError> {
    let precision = match claims.take("precision") {
        None => Precision::default(),
        Some(word) => word.as_text().and_then(Precision::from_word).ok_or_else(|| {
            StatementError::new("precision", "one of second, minute, hour, day, month, year, unknown is wanted")
        })?,
    };
    match (claims.take("occurred"), precision) {
        (None, Precision::Unknown) => Ok((None, precision)),
        (None, _) => Err(StatementError::new("occurred", "missing; leave it out only with precision unknown")),
        (Some(_), Precision::Unknown) => {
            Err(StatementError::new("occurred", "must be left out with precision unknown"))
        }
        (Some(JsonIn::Text(text)), _) => Ok((Some(parsed("occurred", &text)?), precision)),
        (Some(_), _) => Err(StatementError::new("occurred", "an instant is wanted, as a string")),
    }
}

fn read_seen(value: JsonIn<'_>) -> Result<Seen, StatementError> {
    let fail = || {
        StatementError::new(
            "seen",
            "exactly n, leaf (both null for a new stream), size (1 or more) and root are wanted",
        )
    };
    let JsonIn::Object(members) = value else { return Err(fail()) };
    let mut claims = Claims(members);
    let last = match (claims.take("n"), claims.take("leaf")) {
        (Some(JsonIn::Null), Some(JsonIn::Null)) => None,
        (Some(JsonIn::Int(n)), Some(JsonIn::Text(leaf))) => {
            Some((u64::try_from(n).map_err(|_| fail())?, parsed("seen", &leaf)?))
        }
        _ => return Err(fail()),
    };
    let (Some(JsonIn::Int(size)), Some(JsonIn::Text(root)), true) =
        (claims.take("size"), claims.take("root"), claims.0.is_empty())
    else {
        return Err(fail());
    };
    let size = u64::try_from(size).ok().filter(|size| *size > 0).ok_or_else(fail)?;
    Ok(Seen { last, size, root: parsed("seen", &root)? })
}

/// The streams whose entries say whom and what to trust; only the vocabulary's own events enter them.
pub fn is_trust_stream(stream: &Id) -> bool {
    matches!(stream.kind(), "ledger" | "actor" | "policy")
}

fn check_streams(event: &EventName, sub: &Id, about: &[Id]) -> Result<(), StatementError> {
    let same = |a: &Id, b: &Id| a.as_str().eq_ignore_ascii_case(b.as_str());
    if about.iter().enumerate().any(|(n, id)| same(sub, id) || about[..n].iter().any(|other| same(other, id))) {
        return Err(StatementError::new("about", "a stream twice, or sub again (case does not count)"));
    }
    match event {
        EventName::Known(event) => check_known_streams(*event, sub, about),
        EventName::Custom(_) if std::iter::once(sub).chain(about).any(is_trust_stream) => {
            Err(StatementError::new("sub", "an event of one's own can't enter a ledger, actor or policy stream"))
        }
        EventName::Custom(_) | EventName::Unknown(_) => Ok(()),
    }
}

fn check_known_streams(event: Event, sub: &Id, about: &[Id]) -> Result<(), StatementError> {
    let rule = event.rule();
    if let Some(subject) = rule.subject
        && subject != sub.kind()
    {
        return Err(StatementError::new("sub", format!("{} belongs to a stream {subject}/…, not {sub}", event.name())));
    }
    let of_kind = |kind: &str| about.iter().all(|id| id.kind() == kind);
    let (ok, wanted) = match rule.about {
        About::None => (about.is_empty(), "none".to_owned()),
        About::Any => (true, String::new()),
        About::Some(kind) => (of_kind(kind), format!("only {kind}/…")),
        About::OneOrMore(kind) => {
            (of_kind(kind) && !about.is_empty(), format!("at least one {kind}/…, and nothing else"))
        }
    };
    if ok { Ok(()) } else { Err(StatementError::new("about", format!("{} wants here: {wanted}", event.name()))) }
}

fn read_facts(claims: &mut Claims<'_>, event: &EventName, sub: &Id) -> Result<Facts, StatementError> {
    let mut members = match claims.take("facts") {
        Some(JsonIn::Object(members)) => members,
        Some(_) => return Err(StatementError::new("facts", "an object is wanted")),
        None => return Err(StatementError::new("facts", "missing; write {} where there are none")),
    };
    match event {
        EventName::Known(event) => read_known_facts(members, *event, sub),
        EventName::Custom(_) => {
            if members.len() > CUSTOM_FACTS_MAX {
                return Err(StatementError::new(
                    "facts",
                    format!("{} facts; at most {CUSTOM_FACTS_MAX}", members.len()),
                ));
            }
            let read = |(name, value): (Cow<'_, str>, JsonIn<'_>)| {
                let at = || format!("facts.{}", name.escape_debug());
                if !is_field_name(&name) {
                    return Err(StatementError::new(
                        at(),
                        "a name of a-z 0-9 _ is wanted (at most 64, a letter first)",
                    ));
                }
                let fact = read_custom_fact(&value)
                    .map_err(|wanted| StatementError::new(at(), format!("{wanted} is wanted, not {}", value.kind())))?;
                Ok((Cow::Owned(name.into_owned()), fact))
            };
            members.drain(..).map(read).collect::<Result<_, _>>().map(Facts)
        }
        EventName::Unknown(_) => Ok(Facts::default()),
    }
}

fn read_known_facts(members: Vec<(Cow<'_, str>, JsonIn<'_>)>, event: Event, sub: &Id) -> Result<Facts, StatementError> {
    let rules = &event.rule().facts;
    let mut facts = Vec::with_capacity(members.len());
    for (name, value) in members {
        let at = || format!("facts.{}", name.escape_debug());
        let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
            let known: Vec<_> = rules.iter().map(|rule| rule.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(StatementError::new(at(), format!("unknown; the facts of {} are: {known}", event.name())));
        };
        let fact =
            rule.fact_type.read(&value).map_err(|wanted| StatementError::new(at(), format!("{wanted} is wanted")))?;
        if names_another_stream(&name, &fact, sub) {
            return Err(StatementError::new(at(), format!("names another thing than the stream {sub}")));
        }
        facts.push((Cow::Borrowed(rule.name), fact));
    }
    let missing = rules.iter().find(|rule| !rule.optional && !facts.iter().any(|(name, _)| name == rule.name));
    match missing {
        Some(rule) => Err(StatementError::new(
            format!("facts.{}", rule.name),
            format!("missing; {} is wanted", rule.fact_type.wanted()),
        )),
        None => Ok(Facts(facts)),
    }
}

/// A fact called like the kind of its stream names that very stream (FORMAT.md §3.3).
fn names_another_stream(name: &str, fact: &Fact, sub: &Id) -> bool {
    name == sub.kind()
        && match fact {
            Fact::Id(id) => id != sub,
            Fact::Actor(actor) => actor.stream() != *sub,
            _ => false,
        }
}

fn read_data(claims: &mut Claims<'_>, event: &EventName) -> Result<(Vec<String>, Vec<Hash>), StatementError> {
    let fail = |what: &str| StatementError::new("data", what);
    let (data, fields, sd_alg) = (claims.take("data"), claims.take("fields"), claims.take("_sd_alg"));
    let (data, fields, sd_alg) = match (data, fields, sd_alg) {
        (None, None, None) => return Ok((Vec::new(), Vec::new())),
        (Some(JsonIn::Object(data)), Some(JsonIn::List(fields)), Some(JsonIn::Text(sd_alg))) => (data, fields, sd_alg),
        _ => return Err(fail("data, fields and _sd_alg are wanted all three, or none of them")),
    };
    if sd_alg != "sha-256" {
        return Err(StatementError::new("_sd_alg", "sha-256 is wanted"));
    }
    let [(name, JsonIn::List(digests))] = &data[..] else {
        return Err(fail("an object with only a list _sd is wanted"));
    };
    if name != "_sd" {
        return Err(fail("an object with only a list _sd is wanted"));
    }
    let (fields, digests) = (texts(&fields, "fields")?, texts(digests, "data._sd")?);
    if fields.len() != digests.len() {
        return Err(fail("not as many digests as fields"));
    }
    for field in &fields {
        let known = match event {
            EventName::Known(event) => event.rule().data.contains(field),
            EventName::Custom(_) | EventName::Unknown(_) => is_field_name(field),
        };
        if !known {
            let at = format!("data.{}", field.escape_debug());
            let known = event.known().map(|event| event.rule().data.join(", ")).unwrap_or_default();
            return Err(StatementError::new(at, format!("unknown; the values of {event} are: {known}")));
        }
    }
    let digests = digests.iter().map(|text| parsed("data._sd", text)).collect::<Result<_, _>>()?;
    Ok((fields.into_iter().map(str::to_owned).collect(), digests))
}

/// The strings of a list that is sorted, has none twice and is not empty.
fn texts<'t>(items: &'t [JsonIn<'_>], at: &str) -> Result<Vec<&'t str>, StatementError> {
    let texts: Option<Vec<&str>> = items.iter().map(JsonIn::as_text).collect();
    let texts = texts.ok_or_else(|| StatementError::new(at, "a list of strings is wanted"))?;
    if texts.is_empty() || texts.len() > DISCLOSURES_MAX {
        return Err(StatementError::new(at, format!("{} values; 1 to {DISCLOSURES_MAX}", texts.len())));
    }
    match texts.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(_) => Err(StatementError::new(at, "not sorted by code point, or one twice")),
        None => Ok(texts),
    }
}

/// A statement with its disclosures, as somebody presents it: `<JWS>~<disclosure>~…~` (RFC 9901 §4).
#[derive(Debug, Clone)]
pub struct Presentation {
    /// The signed part.
    pub statement: Statement,
    /// Those of its values that are shown, in the order of the presentation.
    pub disclosures: Vec<Disclosure>,
}

impl Presentation {
    /// Reads a presentation. Each disclosure belongs to the statement, none twice, none with another's name;
    /// some may be withheld.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let fail = |what: &str| StatementError::new("the presentation", what);
        if text.len() > PRESENTATION_BYTES_MAX {
            return Err(StatementError::new(
                "the presentation",
                format!("{} bytes; at most {PRESENTATION_BYTES_MAX}", text.len()),
            ));
        }
        let Some(text) = text.strip_suffix('~') else {
            return Err(fail("it must end with a tilde, also when nothing is disclosed"));
        };
        let mut parts = text.split('~');
        let statement = Statement::parse(parts.next().unwrap_or_default())?;
        let mut disclosures: Vec<Disclosure> = Vec::new();
        for part in parts {
            let disclosure = Disclosure::parse(part)?;
            let at = || format!("data.{}", disclosure.name());
            if !statement.digests.contains(&disclosure.digest()) {
                return Err(StatementError::new(at(), "its digest is not in the statement"));
            }
            if !statement.fields.iter().any(|field| field == disclosure.name()) {
                return Err(StatementError::new(at(), "the statement's fields don't name it"));
            }
            if disclosures.iter().any(|other| other.name() == disclosure.name()) {
                return Err(StatementError::new(at(), "disclosed twice"));
            }
            disclosures.push(disclosure);
        }
        Ok(Self { statement, disclosures })
    }

    /// Checks that nothing is withheld: at append, digests, disclosures and fields match one to one.
    ///
    /// # Errors
    /// Names the first value that is missing.
    pub fn check_complete(&self) -> Result<(), StatementError> {
        let shown = |field: &&String| !self.disclosures.iter().any(|disclosure| disclosure.name() == *field);
        match self.statement.fields.iter().find(shown) {
            Some(field) => Err(StatementError::new(format!("data.{field}"), "its disclosure is missing")),
            None => Ok(()),
        }
    }

    /// The text, every disclosure shown.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}~", self.statement.jws());
        for disclosure in &self.disclosures {
            text.push_str(disclosure.text());
            text.push('~');
        }
        text
    }
}
