//! `blotter show`: one entry in full, with everything that can be checked of it; or a stream from its beginning.

use anyhow::{Result, bail};
use blotter_keys::keyring::Keyring;
use blotter_ledger::{Error, Stored, read};
use blotter_record::{Entry, EventName, Id, Json, Jti, Role, Statement, base64url};
use clap::Args;
use serde_json::{Value, json};

use crate::Exit;
use crate::commands::act::{fact_text, occurred};
use crate::context::Context;
use crate::examine::{Datum, Examined, examine};
use crate::out::{Tone, cut, plain};
use crate::people::People;
use crate::row::{json_of, marks, summary, to_json};
use crate::session::Reader;
use crate::when::{self, Zone};

/// A value that is longer is cut in a timeline.
const VALUE_LEN_MAX: usize = 300;

/// Show an entry in full, or a stream
///
/// An entry: what was said, by whom, in which roles at that time, with which key; its place in the log and in its streams;
/// its disclosed values; and what was checked just now: leaf hash, links, signature, key, inclusion in the newest
/// checkpoint. Exits with 1 if one of these does not hold. A stream: its entries from the first on, with their values.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// An entry's number, a statement's id, or a stream such as incident/INC-7
    #[arg(value_name = "SEQ|JTI|STREAM")]
    what: String,

    /// The exact bytes of the entry, and nothing else
    #[arg(long, conflicts_with = "presentation")]
    raw: bool,

    /// The statement as an SD-JWT with its disclosures, for any JOSE library
    #[arg(long)]
    presentation: bool,

    #[command(flatten)]
    zone: Zone,
}

pub(crate) fn run(context: &Context, args: &Show) -> Result<Exit> {
    let reader = Reader::open(context)?;
    let seq = match args.what.parse::<u64>() {
        Ok(seq) => seq,
        Err(_) => match args.what.parse::<Jti>() {
            Ok(jti) => match reader.store.seq_of(&jti).map_err(Error::from)? {
                Some(seq) => seq,
                None => bail!("no statement {jti} is in this log"),
            },
            Err(_) => {
                if args.raw || args.presentation {
                    bail!("--raw and --presentation are of one entry: name its number, or the id of its statement");
                }
                return stream(context, args, &reader);
            }
        },
    };
    let stored = reader.store.entries(seq, 1).map_err(Error::from)?.pop().filter(|stored| stored.seq == seq);
    let Some(stored) = stored else {
        bail!("there is no entry {seq}; the log has {}", reader.store.size().map_err(Error::from)?);
    };
    if args.raw || args.presentation {
        return exact(context, args, &reader, &stored);
    }
    let examined = examine(&reader, stored)?;
    let json = entry_json(&reader, &examined)?;
    context.out.result(&json, || entry_text(context, args, &reader, &examined));
    Ok(if examined.is_sound() { Exit::Done } else { Exit::Damaged })
}

fn exact(context: &Context, args: &Show, reader: &Reader, stored: &Stored) -> Result<Exit> {
    if stored.is_expunged() {
        bail!("entry {} was expunged: its bytes are gone, its leaf hash is {}", stored.seq, stored.leaf);
    }
    if args.raw {
        context.out.bytes(&stored.bytes);
        return Ok(Exit::Done);
    }
    let entry = Entry::parse(&stored.bytes).map_err(|e| Error::Corrupt { seq: stored.seq, what: e.to_string() })?;
    let disclosures = reader.store.disclosures(stored.seq).map_err(Error::from)?;
    let values: String = disclosures.iter().map(|text| format!("{text}~")).collect();
    context.out.line(&format!("{}~{values}", entry.statement));
    Ok(Exit::Done)
}

fn entry_json(reader: &Reader, examined: &Examined) -> Result<Value> {
    let entry = read::ReadEntry { stored: examined.stored.clone(), said: examined.said.clone() };
    let mut json = to_json(&entry, &reader.keyring)?;
    let checks = examined.checks.iter().map(|check| match &check.outcome {
        Ok(how) => json!({ "check": check.name, "holds": true, "how": how }),
        Err(why) => json!({ "check": check.name, "holds": false, "why": why }),
    });
    json["checks"] = checks.collect();
    json["sound"] = examined.is_sound().into();
    let Some((placed, statement)) = &examined.said else { return Ok(json) };
    json["prev"] = placed.prev.to_string().into();
    json["links"] = placed
        .streams
        .iter()
        .map(|link| json!({ "stream": link.stream.as_str(), "n": link.n, "prev": link.prev.map(|prev| prev.to_string()) }))
        .collect();
    json["header"] = header(statement).into();
    json["claims"] = json_of(&statement.claims())?;
    json["data"] = data_json(&examined.data)?;
    json["roles_then"] = roles(&examined.keyring_then, placed, statement).into();
    json["name"] = People::default().name(&*reader.store, &reader.keyring, statement.actor()).into();
    if let Some(key) = reader.keyring.key(&statement.kid) {
        json["key"] = json!({
            "kid": statement.kid.to_string(), "owner": key.actor.as_str(), "added_by_entry": key.added_seq,
            "revoked_by_entry": key.revoked_seq, "expires": key.expires.as_ref().map(|at| at.as_str()),
            "recovered": key.recovered, "compromised_since": key.compromised_since.as_ref().map(|at| at.as_str()),
        });
    }
    Ok(json)
}

fn data_json(data: &[Datum]) -> Result<Value> {
    let members = data.iter().map(|datum| {
        Ok(match datum {
            Datum::There(value) => (
                value.name().to_owned(),
                json!({ "value": json_of(value.value())?, "digest": value.digest().to_string() }),
            ),
            Datum::Erased { name, by } => (name.clone(), json!({ "erased_by": by.to_string() })),
            Datum::Missing { name } => (name.clone(), json!({ "missing": true })),
        })
    });
    Ok(Value::Object(members.collect::<Result<_>>()?))
}

/// The roles that the actor held when the entry was recorded.
fn roles(then: &Keyring, entry: &Entry, statement: &Statement) -> Vec<&'static str> {
    let held = Role::ALL.iter().filter(|role| then.holds(statement.actor(), **role, &entry.recorded));
    let mut roles: Vec<_> = held.map(|role| role.name()).collect();
    if then.bootstrap_open() && then.founder() == statement.actor() {
        roles.push("founder, before the bootstrap was closed");
    }
    roles
}

fn entry_text(context: &Context, args: &Show, reader: &Reader, examined: &Examined) -> String {
    let out = context.out;
    let mut sections = Vec::new();
    let heading = match &examined.said {
        Some((_, statement)) => format!("entry {}: {} in {}", examined.stored.seq, statement.event, statement.sub),
        None => format!("entry {}", examined.stored.seq),
    };
    sections.push(out.toned(Tone::Strong, &heading));
    if let Some((entry, statement)) = &examined.said {
        sections.push(out.pairs(&said_pairs(args, reader, examined, entry, statement)));
        if statement.facts.iter().next().is_some() {
            let facts: Vec<_> = statement.facts.iter().map(|(name, fact)| (name, plain(&fact_text(fact)))).collect();
            sections.push(format!("{}\n{}", out.toned(Tone::Dim, "facts, permanent"), out.pairs(&facts)));
        }
        if !examined.data.is_empty() {
            let data: Vec<_> = examined.data.iter().map(|datum| datum_pair(context, datum)).collect();
            sections.push(format!("{}\n{}", out.toned(Tone::Dim, "data, may be withheld or erased"), out.pairs(&data)));
        }
        sections.push(out.pairs(&place_pairs(examined, entry, statement)));
    } else {
        sections.push(out.pairs(&[("leaf", examined.stored.leaf.to_string())]));
    }
    let checks = examined.checks.iter().map(|check| {
        let text = match &check.outcome {
            Ok(how) => format!("{} {how}", out.toned(Tone::Good, "yes")),
            Err(why) => format!("{} {}", out.toned(Tone::Bad, "NO"), plain(why)),
        };
        (check.name, text)
    });
    let checked = out.toned(Tone::Dim, "checked now; for the whole log: blotter verify");
    sections.push(format!("{checked}\n{}", out.pairs(&checks.collect::<Vec<_>>())));
    sections.join("\n\n")
}

fn said_pairs(
    args: &Show,
    reader: &Reader,
    examined: &Examined,
    entry: &Entry,
    statement: &Statement,
) -> Vec<(&'static str, String)> {
    let people = People::default();
    let named = |actor| match people.name(&*reader.store, &reader.keyring, actor) {
        Some(name) => format!("{actor} ({})", cut(&plain(&name), 80)),
        None => actor.to_string(),
    };
    let roles = roles(&examined.keyring_then, entry, statement);
    let zone = args.zone.timezone;
    let signed = when::show(statement.iat.saturating_mul(1_000_000), zone);
    let mut pairs = vec![
        ("by", named(statement.actor())),
        ("roles then", if roles.is_empty() { "none".to_owned() } else { roles.join(", ") }),
    ];
    if let Some(attribution) = &statement.attributed {
        pairs.push((
            "attested by",
            format!("{}, with {}; not signed by {}", named(&statement.iss), attribution.auth, attribution.actor),
        ));
    }
    pairs.push(("occurred", occurred(statement)));
    pairs.push(("signed", format!("{signed} ({})", statement.via.as_str())));
    pairs.push(("recorded", format!("{} ({})", when::show(entry.recorded.unix_us(), zone), entry.recorded)));
    if let EventName::Known(event) = &statement.event
        && event.rule().decision != blotter_record::Decision::No
    {
        let who: Vec<_> = event.rule().who.iter().map(|who| who.word()).collect();
        pairs.push(("decision", format!("yes; for {}", who.join(", "))));
    }
    if let Some(seen) = &statement.seen {
        let last =
            seen.last.map_or("nothing of this stream".to_owned(), |(n, _)| format!("this stream up to entry {n}"));
        let between = entry.streams[0].n - seen.last.map_or(0, |(n, _)| n + 1).min(entry.streams[0].n);
        let slipped = if between > 0 { format!("; {between} came in between") } else { String::new() };
        pairs.push(("had seen", format!("{last}, in a log of {}{slipped}", seen.size)));
    }
    if !statement.about.is_empty() {
        pairs.push(("about", statement.about.iter().map(Id::to_string).collect::<Vec<_>>().join("\n")));
    }
    for (name, jtis) in [("because of", &statement.cause), ("corrects", &statement.corrects)] {
        if !jtis.is_empty() {
            pairs.push((name, jtis.iter().map(Jti::to_string).collect::<Vec<_>>().join("\n")));
        }
    }
    let marks = marks(entry, statement, &reader.keyring);
    if !marks.is_empty() {
        pairs.push(("marks", marks.join(", ")));
    }
    pairs.push(("key", key_text(&reader.keyring, statement)));
    pairs
}

/// The key and what became of it, as of now.
fn key_text(keyring: &Keyring, statement: &Statement) -> String {
    let Some(key) = keyring.key(&statement.kid) else { return format!("{}, nobody's", statement.kid) };
    let mut text = format!("{}, of {}, since entry {}", statement.kid, key.actor, key.added_seq);
    if key.recovered {
        text.push_str("; it came by recovery, after the others were lost");
    }
    if let Some(expires) = &key.expires {
        text.push_str(&format!("; expires {expires}"));
    }
    if let Some(seq) = key.revoked_seq {
        text.push_str(&format!("; revoked by entry {seq}"));
    }
    if let Some(since) = &key.compromised_since {
        text.push_str(&format!("; said to be in other hands since {since}"));
    }
    text
}

fn place_pairs(examined: &Examined, entry: &Entry, statement: &Statement) -> Vec<(&'static str, String)> {
    let link = |link: &blotter_record::StreamLink| {
        let prev = link.prev.map_or("the first".to_owned(), |prev| format!("behind {prev}"));
        format!("{} entry {}, {prev}", link.stream, link.n)
    };
    vec![
        ("jti", statement.jti.to_string()),
        ("header", plain(&header(statement))),
        ("leaf", examined.stored.leaf.to_string()),
        ("prev", entry.prev.to_string()),
        ("streams", entry.streams.iter().map(link).collect::<Vec<_>>().join("\n")),
    ]
}

/// The header of the JWS, as signed.
fn header(statement: &Statement) -> String {
    let header = statement.jws().split('.').next().and_then(|part| base64url::decode(part).ok());
    header.map(|header| String::from_utf8_lossy(&header).into_owned()).unwrap_or_default()
}

fn datum_pair<'d>(context: &Context, datum: &'d Datum) -> (&'d str, String) {
    match datum {
        Datum::There(value) => (value.name(), value_text(value.value())),
        Datum::Erased { name, by } => (name, context.out.toned(Tone::Dim, &format!("erased by order {by}"))),
        Datum::Missing { name } => (name, context.out.toned(Tone::Bad, "missing, without an order")),
    }
}

/// A disclosed value; its lines stay lines, whatever else is in it is escaped.
fn value_text(value: &Json) -> String {
    let text = match value {
        Json::Text(text) => text.clone(),
        Json::List(items) => items.iter().filter_map(Json::as_text).collect::<Vec<_>>().join("\n"),
        other => other.to_text(),
    };
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn stream(context: &Context, args: &Show, reader: &Reader) -> Result<Exit> {
    let id: Id = args
        .what
        .parse::<Id>()
        .and_then(Id::into_stream)
        .map_err(|e| anyhow::anyhow!("{e}; an entry's number, a statement's id, or a stream is wanted"))?;
    let Some(state) = reader.store.stream_head(&id).map_err(Error::from)? else {
        bail!("nothing has been said in {id}");
    };
    let people = People::default();
    let mut exit = Exit::Done;
    let mut n = 0;
    while n < state.count {
        let seqs = reader.stream_page(&id, n)?;
        if seqs.is_empty() {
            return Err(Error::Corrupt { seq: 0, what: format!("entry {n} of {id} is not there") }.into());
        }
        let mut lines = Vec::new();
        for seq in seqs {
            let Some(entry) = read::entries(&*reader.store, seq, 1)?.pop().filter(|entry| entry.stored.seq == seq)
            else {
                return Err(Error::Corrupt { seq, what: "not there".into() }.into());
            };
            let (text, whole) = moment(context, args, reader, &people, n, &entry)?;
            lines.push(text);
            if !whole {
                exit = Exit::Damaged;
            }
            n += 1;
        }
        context.out.line(&lines.join("\n"));
    }
    Ok(exit)
}

/// An entry in a stream's timeline: one line, and its values below; and whether nothing is missing of it.
fn moment(
    context: &Context,
    args: &Show,
    reader: &Reader,
    people: &People,
    n: u64,
    entry: &read::ReadEntry,
) -> Result<(String, bool)> {
    let seq = entry.stored.seq;
    let Some((placed, statement)) = &entry.said else {
        if context.out.json {
            return Ok((to_json(entry, &reader.keyring)?.to_string(), true));
        }
        return Ok((context.out.toned(Tone::Warn, &format!("{n:>4}  expunged  (entry {seq})")), true));
    };
    let texts = reader.store.disclosures(seq).map_err(Error::from)?;
    let data = crate::examine::values(reader, statement, &texts)?;
    let whole = !data.iter().any(|datum| matches!(datum, Datum::Missing { .. }));
    if context.out.json {
        let mut json = to_json(entry, &reader.keyring)?;
        json["data"] = data_json(&data)?;
        return Ok((json.to_string(), whole));
    }
    let out = context.out;
    let marks = marks(placed, statement, &reader.keyring);
    let marks =
        if marks.is_empty() { String::new() } else { out.toned(Tone::Warn, &format!("  [{}]", marks.join(", "))) };
    let at = when::show(placed.recorded.unix_us(), args.zone.timezone);
    let event = out.toned(Tone::Strong, statement.event.as_str());
    let who = people.short(&*reader.store, &reader.keyring, statement.actor());
    let mut text = format!("{n:>4}  {at}  {event}  {who}  {}{marks}", out.toned(Tone::Dim, &format!("(entry {seq})")));
    if let Some(happened) = statement
        .occurred
        .as_ref()
        .filter(|happened| placed.recorded.unix_us().abs_diff(happened.unix_us()) > 60_000_000)
    {
        text.push_str(&format!("\n      happened {}", when::show(happened.unix_us(), args.zone.timezone)));
    }
    if statement.facts.iter().next().is_some() {
        let facts = summary(statement);
        let facts = facts.split(" +").next().unwrap_or_default();
        text.push_str(&format!("\n      {facts}"));
    }
    for datum in &data {
        let (name, value) = datum_pair(context, datum);
        text.push_str(&format!("\n      {name}: {}", cut(&value.replace('\n', "\n        "), VALUE_LEN_MAX)));
    }
    Ok((text, whole))
}
