//! `blotter search`: entries by the words of their values.

use anyhow::{Context as _, Result};
use blotter_api::finder::Log;
use blotter_ledger::{Error, read};
use blotter_projections::{VIEWS, Words};
use blotter_record::Disclosure;
use clap::Args;
use serde_json::{Value, json};

use crate::context::Context;
use crate::filters::{FILTER, Saved};
use crate::out::{Tone, cut, plain};
use crate::people::People;
use crate::row::{Columns, Rows, to_json};
use crate::session::Reader;
use crate::views::told;
use crate::when::Zone;

/// Of a value, so much is shown around what was found.
const SHOWN_LEN_MAX: usize = 160;

/// Find entries by the words of their values
///
/// All words must be there; case and accents don't count. WORD* stands for all that begin so, "TWO WORDS" for words beside
/// each other. Only the disclosed values that the vault still has are searched: what was erased is not found. Newest first.
///
/// Example: blotter search 'file server' rans*
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Words
    #[arg(value_name = "WORD", required_unless_present = FILTER)]
    words: Vec<String>,

    /// Only entries before this one: the page behind the one that ends with it
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,

    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,

    #[command(flatten)]
    zone: Zone,

    #[command(flatten)]
    saved: Saved,
}

pub(crate) fn run(context: &Context, args: &Search) -> Result<()> {
    let reader = Reader::open(context)?;
    if reader.remote.is_some() {
        anyhow::bail!("words are searched where the ledger is (--dir); a server answers GET /v1/search");
    }
    let path = context.dir().join(VIEWS);
    let words = Words::open(&path, &Log(&*reader.store), &mut told(context))?;
    // A shell took the quotes off a phrase; what has a space in it is one.
    let typed = args.words.iter().map(|word| match word.contains(' ') && !word.contains('"') {
        true => format!("\"{word}\""),
        false => word.clone(),
    });
    let typed = typed.collect::<Vec<_>>().join(" ");
    let seqs = words.search(&typed, args.before.unwrap_or(u64::MAX), args.limit).context("searching")?;
    let mut found = Vec::new();
    for seq in &seqs {
        let entry =
            read::entries(&*reader.store, *seq, 1)?.pop().with_context(|| format!("entry {seq} is not there"))?;
        let texts = reader.store.disclosures(*seq).map_err(Error::from)?;
        let values: Vec<Disclosure> = texts.iter().filter_map(|text| Disclosure::parse(text).ok()).collect();
        found.push((entry, values));
    }
    let mut results = Vec::new();
    for (entry, values) in &found {
        let mut json = to_json(entry, &reader.keyring)?;
        let data = values.iter().map(|value| Ok((value.name().to_owned(), crate::row::json_of(value.value())?)));
        json["data"] = Value::Object(data.collect::<Result<_>>()?);
        results.push(json);
    }
    context.out.result(&json!({ "found": results, "before": seqs.last() }), || {
        if found.is_empty() {
            return "no value has these words".to_owned();
        }
        let rows =
            Rows { out: context.out, store: &*reader.store, zone: args.zone.timezone, people: People::default() };
        let mut columns = Columns::new(seqs.first().copied().unwrap_or(0));
        let mut lines = Vec::new();
        for (entry, values) in &found {
            lines.push(rows.line(&rows.cells(entry, &reader.keyring), &mut columns));
            let texts = values.iter().filter_map(|value| Some((value.name(), value.value().as_text()?)));
            lines.extend(texts.filter(|(_, text)| mentions(text, &typed)).map(|(name, text)| {
                format!("    {}: {}", context.out.toned(Tone::Dim, name), cut(&plain(text), SHOWN_LEN_MAX))
            }));
        }
        if seqs.len() == args.limit {
            lines.extend(seqs.last().map(|last| format!("more: --before {last}")));
        }
        lines.join("\n")
    });
    Ok(())
}

/// Whether one of the words is in a text, as far as that can be told without the index.
fn mentions(text: &str, typed: &str) -> bool {
    let text = text.to_lowercase();
    typed.split(['"', ' ', '*']).any(|word| !word.is_empty() && text.contains(&word.to_lowercase()))
}
