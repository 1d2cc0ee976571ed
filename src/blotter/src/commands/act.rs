//! `blotter act`: builds a statement, shows what will be signed and what has happened since, signs and appends.

use anyhow::{Context as _, Result, bail};
use blotter_keys::keyring::Keyring;
use blotter_ledger::{BlobRef, Read, read};
use blotter_record::limits::BLOB_BYTES_MAX;
use blotter_record::{
    Event, EventName, Fact, FactType, Id, Instant, Json, Jti, Precision, RULES_1, Statement, Unsigned,
};
use clap::Args;
use serde_json::{Value, json};

use crate::context::{Context, base32, random_bytes};
use crate::keystore;
use crate::out::{Tone, cut, plain};
use crate::session::{Speaker, Words};
use crate::voice::{Said, Voice};

/// A value of this size or more goes into a blob of its own.
const INLINE_BYTES_MAX: usize = 32 * 1024;
/// And one that is as long in JSON, with its escapes: a disclosure has at most 65,536 characters of base64url, so 49,152
/// bytes, and salt and name need some.
const INLINE_JSON_BYTES_MAX: usize = 48_000;

/// Say what happened: build a statement, sign it, append it
///
/// Shows what will be signed and what has happened in the stream since you last acted in it, and asks, before it signs.
/// `blotter act --list` names all events, `blotter act EVENT --explain` says who may say one, and what belongs to it.
///
/// Example: blotter act incident.opened incident/INC-7 --fact lead=person/k3… --fact category=malware --fact tlp=amber
/// --data title='Ransom note on a file server'
#[derive(Debug, Args)]
pub(crate) struct Act {
    #[command(flatten)]
    pub(crate) what: What,

    /// Name all events
    #[arg(long, exclusive = true)]
    list: bool,

    /// Say who may say this event, and which facts and values belong to it
    #[arg(long)]
    explain: bool,
}

/// What a statement says; the same options for `act` and `sign`.
#[derive(Debug, Clone, Args)]
pub(crate) struct What {
    /// What happened, such as incident.opened; x.NAME for an event of your own
    #[arg(value_name = "EVENT")]
    event: Option<String>,

    /// The stream that it belongs to, such as incident/INC-7
    #[arg(value_name = "STREAM")]
    stream: Option<Id>,

    /// A further stream that it concerns; may be repeated
    #[arg(long, value_name = "STREAM")]
    about: Vec<Id>,

    /// A permanent fact; may be repeated. Lists, keys and items are JSON
    #[arg(long = "fact", value_name = "NAME=VALUE", value_parser = pair)]
    facts: Vec<(String, String)>,

    /// A value that can be withheld or erased; may be repeated. @FILE reads a file (large ones become blobs)
    #[arg(long = "data", value_name = "NAME=VALUE", value_parser = pair)]
    data: Vec<(String, String)>,

    /// When it happened; without it, now. 2026-11-23T11:54:00Z, or with an offset
    #[arg(long, value_name = "INSTANT")]
    occurred: Option<Instant>,

    /// How exactly that is known: second, minute, hour, day, month, year, unknown
    #[arg(long, value_name = "WORD", value_parser = precision)]
    precision: Option<Precision>,

    /// The id of a statement that led to this one; may be repeated
    #[arg(long, value_name = "JTI")]
    cause: Vec<Jti>,

    /// The id of a statement that this one corrects; may be repeated
    #[arg(long, value_name = "JTI")]
    corrects: Vec<Jti>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn precision(word: &str) -> Result<Precision, String> {
    Precision::from_word(word).ok_or_else(|| "second, minute, hour, day, month, year or unknown".to_owned())
}

/// Contents for the vault: id and bytes.
pub(crate) type Blobs = Vec<(String, Vec<u8>)>;

pub(crate) fn run(context: &Context, args: &Act) -> Result<()> {
    if args.list {
        return list(context);
    }
    if args.explain {
        return explain(context, args.what.event.as_deref().unwrap_or_default());
    }
    let (mut words, blobs) = args.what.words()?;
    let voice = Voice::open(context)?;
    name_actors(context, &voice.reader.keyring, &mut words);
    let since = since(context, &*voice.reader.store, &words.sub, &voice.speaker)?;
    let said = voice.say_with(context, &[words], blobs, Some(&since))?;
    let [said] = &said[..] else { bail!("one statement was said, and {} were recorded", said.len()) };
    print_appended(context, said);
    Ok(())
}

/// Lets people name an actor by the name of a key that is here, or by the part behind the slash: `--fact lead=ana`.
fn name_actors(context: &Context, keyring: &Keyring, words: &mut Words) {
    let Some(event) = Event::from_name(&words.event) else { return };
    for (name, value) in &mut words.facts {
        let rule = event.rule().facts.iter().find(|rule| rule.name == *name);
        let Some(typed) = value.as_text().filter(|typed| !typed.contains('/')) else { continue };
        if rule.is_some_and(|rule| rule.fact_type == FactType::Actor)
            && let Some(actor) = keystore::owner_of_named(context, keyring, typed)
        {
            *value = actor.as_str().into();
        }
    }
}

fn print_appended(context: &Context, said: &Said) {
    let (seq, repeated) = (said.appended.seq, said.appended.repeated);
    let statement = &said.presentation.statement;
    let json = json!({
        "seq": seq, "jti": statement.jti.to_string(), "event": statement.event.as_str(),
        "stream": statement.sub.as_str(), "repeated": repeated,
    });
    context.out.result(&json, || {
        let how = if repeated { "was recorded before, as" } else { "recorded as" };
        format!("{} {how} entry {seq} ({})", statement.event, statement.jti)
    });
}

impl What {
    /// The words, read by the event's own types.
    pub(crate) fn words(&self) -> Result<(Words, Blobs)> {
        let event = self.event.as_deref().context("which event? `blotter act --list` names them")?;
        let name: EventName = event.parse()?;
        let mut words = Words::now(event, self.stream.clone().context("which stream?")?);
        words.about.clone_from(&self.about);
        words.cause.clone_from(&self.cause);
        words.corrects.clone_from(&self.corrects);
        if let Some(occurred) = &self.occurred {
            words.occurred = Some(occurred.clone());
        }
        words.precision = self.precision.unwrap_or_default();
        if words.precision == Precision::Unknown {
            words.occurred = None;
        }
        for (fact, value) in &self.facts {
            words.facts.push((fact.clone(), fact_value(&name, fact, value)?));
        }
        let mut blobs = Blobs::new();
        for (field, value) in &self.data {
            words.data.push((field.clone(), data_value(value, &mut blobs)?));
        }
        Ok((words, blobs))
    }
}

/// A fact as typed: the event's type says whether it is JSON or a bare word.
fn fact_value(event: &EventName, fact: &str, value: &str) -> Result<Json> {
    let rule = event.known().and_then(|event| event.rule().facts.iter().find(|rule| rule.name == fact));
    let as_json = match rule {
        Some(rule) => rule.fact_type.is_json(),
        None => matches!(value, "true" | "false") || value.parse::<i64>().is_ok(),
    };
    if !as_json {
        return Ok(value.into());
    }
    // A list may also be typed as words with commas between them.
    let parsed = Json::parse(value.as_bytes());
    match (parsed, rule.map(|rule| &rule.fact_type)) {
        (Ok(json), _) => Ok(json),
        (Err(_), Some(FactType::List(inner))) if !inner.is_json() => {
            Ok(Json::List(value.split(',').filter(|word| !word.is_empty()).map(|word| word.trim().into()).collect()))
        }
        (Err(e), _) => bail!("--fact {fact}: {e}"),
    }
}

fn data_value(value: &str, blobs: &mut Blobs) -> Result<Json> {
    let Some(path) = value.strip_prefix('@') else { return Ok(value.into()) };
    let size = std::fs::metadata(path).with_context(|| format!("--data @{path}"))?.len();
    if size > BLOB_BYTES_MAX as u64 {
        bail!("--data @{path}: {size} bytes; a blob has at most {BLOB_BYTES_MAX}");
    }
    let bytes = std::fs::read(path).with_context(|| format!("--data @{path}"))?;
    Ok(file_value(bytes, blobs))
}

/// The value that a file's bytes are: its text, or, if it is large or no text, the name of a blob.
pub(crate) fn file_value(bytes: Vec<u8>, blobs: &mut Blobs) -> Json {
    match String::from_utf8(bytes) {
        Ok(text) if is_inline(&text) => text.into(),
        Ok(text) => blob(text.into_bytes(), blobs),
        Err(e) => blob(e.into_bytes(), blobs),
    }
}

fn is_inline(text: &str) -> bool {
    let is_short = |text: &str| Json::from(text).to_text().len() < INLINE_JSON_BYTES_MAX;
    text.len() < INLINE_BYTES_MAX && !text.contains('\0') && is_short(text)
}

fn blob(bytes: Vec<u8>, blobs: &mut Blobs) -> Json {
    let id = base32(&random_bytes::<16>());
    let value = BlobRef::value(&id, &bytes);
    blobs.push((id, bytes));
    value.into()
}

/// What will be signed, for the person who signs it.
pub(crate) fn show(context: &Context, unsigned: &Unsigned) -> String {
    let statement = unsigned.statement();
    let mut pairs = vec![
        ("event", statement.event.to_string()),
        ("stream", statement.streams().map(Id::as_str).collect::<Vec<_>>().join(", ")),
        ("occurred", occurred(statement)),
    ];
    for (name, fact) in statement.facts.iter() {
        pairs.push((name, cut(&fact_text(fact), 200)));
    }
    for disclosure in unsigned.disclosures() {
        pairs.push((disclosure.name(), cut(&plain(&disclosure.value().to_text()), 400)));
    }
    let heading = context.out.toned(Tone::Strong, "You are about to sign:");
    format!("{heading}\n{}", context.out.pairs(&pairs))
}

/// When it happened, as people read it.
pub(crate) fn occurred(statement: &Statement) -> String {
    match (&statement.occurred, statement.precision) {
        (None, _) => "unknown".to_owned(),
        (Some(at), Precision::Second) => at.to_string(),
        (Some(at), precision) => format!("{at} (to the {})", precision.as_str()),
    }
}

/// A fact, as people read it.
pub(crate) fn fact_text(fact: &Fact) -> String {
    match fact {
        Fact::Id(id) => id.to_string(),
        Fact::Jti(jti) => jti.to_string(),
        Fact::Actor(actor) => actor.to_string(),
        Fact::Instant(at) => at.to_string(),
        Fact::Hash(hash) => hash.to_string(),
        Fact::Int(n) => n.to_string(),
        Fact::Bool(b) => b.to_string(),
        Fact::Jwk(x) => format!("Ed25519 {}", blotter_record::base64url::encode(x)),
        Fact::Word(word) => word.clone(),
        Fact::Item(item) => format!("{} {} {}", item.jti, item.field, item.digest),
        Fact::Head(head) => format!("{} {} {}", head.stream, head.count, head.leaf),
        Fact::List(list) => list.iter().map(fact_text).collect::<Vec<_>>().join(", "),
    }
}

/// What has happened in the stream since this actor last acted in it.
pub(crate) fn since(context: &Context, store: &dyn Read, stream: &Id, speaker: &Speaker) -> Result<String> {
    const SHOWN_MAX: u64 = 20;
    let Some(state) = store.stream_head(stream).map_err(blotter_ledger::Error::from)? else {
        return Ok(context.out.toned(Tone::Dim, "Nothing has been said in this stream before."));
    };
    let first = state.count.saturating_sub(SHOWN_MAX);
    let seqs = store.stream_seqs(stream, first, SHOWN_MAX as usize).map_err(blotter_ledger::Error::from)?;
    let mut lines = Vec::new();
    for seq in seqs.into_iter().rev() {
        let Some((entry, statement)) = read::entries(store, seq, 1)?.pop().and_then(|entry| entry.said) else {
            continue;
        };
        let mine = *statement.actor() == speaker.actor;
        lines.push(vec![
            seq.to_string(),
            entry.recorded.to_string(),
            statement.event.to_string(),
            statement.actor().to_string(),
        ]);
        if mine {
            break;
        }
    }
    lines.reverse();
    let heading = context.out.toned(Tone::Strong, "The last of this stream, since you acted in it:");
    Ok(format!("{heading}\n{}", context.out.table(&["seq", "recorded", "event", "actor"], lines)))
}

fn list(context: &Context) -> Result<()> {
    let rows = Event::ALL.iter().map(|event| (event.name(), event.rule()));
    let json: Vec<Value> = rows
        .clone()
        .map(|(name, rule)| {
            json!({
                "event": name, "subject": rule.subject, "decision": format!("{:?}", rule.decision).to_lowercase(),
                "who": rule.who.iter().map(|who| who.word()).collect::<Vec<_>>(),
            })
        })
        .collect();
    context.out.result(&Value::Array(json), || {
        let rows = rows.map(|(name, rule)| {
            let who: Vec<_> = rule.who.iter().map(|who| who.word()).collect();
            vec![name.to_owned(), rule.subject.unwrap_or("any").to_owned(), who.join(", "), decision(rule).to_owned()]
        });
        context.out.table(&["event", "stream", "who may say it", "decides"], rows)
    });
    Ok(())
}

fn decision(rule: &blotter_record::Rule) -> &'static str {
    match rule.decision {
        blotter_record::Decision::No => "",
        blotter_record::Decision::Carries => "yes",
        blotter_record::Decision::Blocks => "yes, and blocks",
    }
}

fn explain(context: &Context, name: &str) -> Result<()> {
    let Some(event) = Event::from_name(name) else {
        let near: Vec<_> = Event::ALL.iter().map(|event| event.name()).filter(|other| near(other, name)).collect();
        let hint = if near.is_empty() {
            "`blotter act --list` names all".to_owned()
        } else {
            format!("near: {}", near.join(", "))
        };
        bail!("no event {name:?} in rules {}; {hint}", RULES_1.version());
    };
    let rule = event.rule();
    let fact = |fact: &blotter_record::FactRule| {
        let need = if fact.optional { "optional: " } else { "" };
        (fact.name, format!("{need}{}", fact.fact_type.wanted()))
    };
    let json = json!({
        "event": name, "subject": rule.subject, "who": rule.who.iter().map(|who| who.word()).collect::<Vec<_>>(),
        "facts": rule.facts.iter().map(|f| json!({ "name": f.name, "wanted": f.fact_type.wanted(), "optional": f.optional })).collect::<Vec<_>>(),
        "data": rule.data,
    });
    context.out.result(&json, || {
        let who: Vec<_> = rule.who.iter().map(|who| who.word()).collect();
        let mut text = context.out.pairs(&[
            ("event", name.to_owned()),
            ("stream", rule.subject.map_or("any".to_owned(), |kind| format!("{kind}/…"))),
            ("about", format!("{:?}", rule.about).to_lowercase()),
            ("who", who.join(", ")),
            ("decides", if decision(rule).is_empty() { "nothing".to_owned() } else { decision(rule).to_owned() }),
        ]);
        if !rule.facts.is_empty() {
            text.push_str("\n\nFacts, permanent (--fact NAME=VALUE):\n");
            text.push_str(&context.out.pairs(&rule.facts.iter().map(fact).collect::<Vec<_>>()));
        }
        if !rule.data.is_empty() {
            text.push_str("\n\nData, may be withheld or erased (--data NAME=VALUE): ");
            text.push_str(&rule.data.join(", "));
        }
        text
    });
    Ok(())
}

fn near(event: &str, name: &str) -> bool {
    event.split('.').any(|word| word.len() > 3 && name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use blotter_record::Disclosure;

    /// The judge is the record, which refuses a value that is too long.
    #[test]
    fn a_file_that_no_disclosure_has_room_for_becomes_a_blob() {
        let check = |bytes: Vec<u8>, is_blob: bool| {
            let mut blobs = Blobs::new();
            let value = file_value(bytes, &mut blobs);
            assert_eq!(!blobs.is_empty(), is_blob);
            Disclosure::new(&[0; 32], &"n".repeat(64), value).expect("it fits");
        };
        check(vec![b'a'; INLINE_BYTES_MAX - 1], false);
        check(vec![b'a'; INLINE_BYTES_MAX], true);
        check(vec![b'"'; INLINE_JSON_BYTES_MAX / 2 - 2], false);
        check(vec![b'"'; INLINE_JSON_BYTES_MAX / 2], true);
        check(vec![0], true);
        check(vec![0xff], true);
    }
}
