//! `blotter custody`: who had which evidence when, and where a chain of custody has gaps.

use anyhow::Result;
use blotter_api::custody::{EvidenceView, LinkView, chain_view};
use blotter_api::finder::Log;
use blotter_projections::custody::{custody, evidence_of};
use blotter_record::Id;
use clap::Args;
use serde_json::json;

use crate::as_of::AsOf;
use crate::context::Context;
use crate::out::Tone;
use crate::people::People;
use crate::session::Reader;
use crate::when::{self, Zone};

/// Of a hash, so much stands in a table; --json has it whole.
const HASH_SHOWN: usize = 12;

/// Show the chain of custody of evidence: who had it when, and where the chain has gaps
///
/// Of one piece of evidence, or of all of an incident; in the order in which it was recorded. "gap" lines say what somebody
/// will ask: received by somebody else than it was released to, released and never received, never acquired, a hash that
/// was not what it should be, touched after it was disposed of. Hashes are disclosed values, and may have been erased.
///
/// Example: blotter custody INC-7; blotter custody evidence/E-1 --timezone Europe/Vienna
#[derive(Debug, Args)]
pub(crate) struct Custody {
    /// The incident, such as INC-7, or the evidence, such as evidence/E-1
    #[arg(value_name = "INCIDENT|EVIDENCE", value_parser = incident_or_evidence)]
    of: Id,

    #[command(flatten)]
    as_of: AsOf,

    #[command(flatten)]
    zone: Zone,
}

fn incident_or_evidence(text: &str) -> Result<Id, String> {
    match text.parse::<Id>() {
        Ok(id) if id.kind() == "evidence" => Ok(id),
        _ => super::incident::incident_id(text),
    }
}

pub(crate) fn run(context: &Context, args: &Custody) -> Result<()> {
    let reader = Reader::open(context)?;
    let log = Log(&*reader.store);
    let moment = args.as_of.moment(context, &reader, &args.zone)?;
    let of = reader.stream_named(&args.of)?;
    let evidence = match of.kind() {
        "evidence" => vec![of.clone()],
        _ => evidence_of(&log, &of, moment)?,
    };
    let mut chains = Vec::new();
    for id in &evidence {
        let chain = custody(&log, id, moment)?;
        chains.extend((!chain.links.is_empty()).then(|| chain_view(&chain, |_| true)));
    }
    let json = json!({ "of": of.as_str(), "as_of_size": moment.size, "evidence": chains });
    context.out.result(&json, || {
        if chains.is_empty() {
            return format!("of {of} no evidence was recorded by then (evidence.acquired)");
        }
        let shown = Shown { context, reader: &reader, people: People::default(), zone: &args.zone };
        chains.iter().map(|chain| shown.chain(chain)).collect::<Vec<_>>().join("\n\n")
    });
    Ok(())
}

/// How a chain is shown.
struct Shown<'a> {
    context: &'a Context,
    reader: &'a Reader,
    people: People,
    zone: &'a Zone,
}

impl Shown<'_> {
    fn chain(&self, chain: &EvidenceView) -> String {
        let out = self.context.out;
        let mut text = out.toned(Tone::Strong, &chain.evidence);
        text += &format!("  {}\n", self.whereabouts(chain));
        let rows = chain.links.iter().map(|link| self.row(link));
        text += &out.table(&["entry", "happened", "recorded", "what", "by", "to", "copy", "why", "check"], rows);
        for link in &chain.links {
            for gap in &link.gaps {
                let what = gap.what.split(' ').map(|word| self.actor(word)).collect::<Vec<_>>().join(" ");
                text += &format!("\n{}", out.toned(Tone::Bad, &format!("gap  entry {}: {what}", link.entry)));
            }
        }
        text
    }

    fn whereabouts(&self, chain: &EvidenceView) -> String {
        let mut parts = Vec::new();
        match (chain.disposed, &chain.holder) {
            (Some(entry), _) => parts.push(format!("disposed of (entry {entry})")),
            (None, Some(holder)) => parts.push(format!("held by {}", self.actor(holder))),
            (None, None) if chain.out.is_empty() => parts.push("nothing says who has it".to_owned()),
            (None, None) => {}
        }
        parts.extend(chain.out.iter().map(|out| {
            let copy = out.copy.as_deref().unwrap_or("original");
            let to = out.to.as_deref().map_or_else(|| "nobody named".to_owned(), |to| self.actor(to));
            let due = out
                .due_us
                .map_or_else(String::new, |due_us| format!(", due {}", when::show(due_us, self.zone.timezone)));
            format!("{copy} given to {to}, not received (entry {}{due})", out.entry)
        }));
        parts.join("; ")
    }

    fn row(&self, link: &LinkView) -> Vec<String> {
        let at = |at_us: i64| when::show(at_us, self.zone.timezone);
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let what = link.event.strip_prefix("evidence.").unwrap_or(&link.event);
        let what = if link.retracted { format!("{what} (taken back)") } else { what.to_owned() };
        let found = link.hashes.values().next().map(|hash| hash.chars().take(HASH_SHOWN).collect::<String>() + "…");
        let check = match (link.matches, found) {
            (Some(true), found) => format!("matches {}", found.unwrap_or_default()),
            (Some(false), found) => format!("DIFFERS {}", found.unwrap_or_default()),
            (None, found) => found.unwrap_or_else(|| "-".to_owned()),
        };
        vec![
            link.entry.to_string(),
            at(link.at_us),
            at(link.recorded_us),
            what,
            self.actor(&link.by),
            link.to.as_deref().map_or_else(|| "-".to_owned(), |to| self.actor(to)),
            or_dash(&link.copy),
            or_dash(&link.purpose),
            check.trim_end().to_owned(),
        ]
    }

    /// An actor's id with the name that the ledger has for it; any other word as it is.
    fn actor(&self, word: &str) -> String {
        match word.trim_end_matches(',').parse() {
            Ok(actor) => self.people.short(&*self.reader.store, &self.reader.keyring, &actor),
            Err(_) => word.to_owned(),
        }
    }
}
