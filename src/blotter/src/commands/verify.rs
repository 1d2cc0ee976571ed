//! `blotter verify`: the independent check of everything, with a verdict that can be trusted or acted on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_process::Process;
use blotter_record::Permissive;
use blotter_verify::{Options, Outcome, Progress, Report};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::Exit;
use crate::context::Context;
use crate::out::{Tone, plain};

/// Verify a ledger: every byte, link, signature, authority, rule, checkpoint and disclosed value
///
/// It trusts nobody but the anchor that you give: a copy of anchor.json that you kept elsewhere, or got from somebody you trust.
/// Without one, the head file of this machine is used, if there is one. It reads a ledger that is in use, too, and never
/// writes to it.
///
/// With --rules it also judges every decision in the log again by the gates of the SecOps process (PROCESS.md). They are no part
/// of the format: without it, this authenticates who decided what, and says nothing of whether it was time to.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything verified; 1 tampering or damage, the first bad entry is named, with --rules \
                        also a decision that stood against its gates, which are named; \
                        2 could not run; 3 incomplete: something needed was missing or unknown."
)]
pub(crate) struct Verify {
    /// The ledger's directory; without it, that of --dir
    #[arg(value_name = "DIR")]
    ledger: Option<PathBuf>,

    /// The anchor, from outside of the ledger
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,

    /// A checkpoint of this ledger that you kept: proves that the log only grew since
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,

    /// Only bytes, links, tree and checkpoints; no actor's signature, no rule
    #[arg(long)]
    structure: bool,

    /// Judge every transition, sign-off, closure and disposal again by the gates of the process
    #[arg(long, conflicts_with = "structure")]
    rules: bool,

    /// Take entries that were expunged by order as verified
    #[arg(long)]
    accept_expunged: bool,

    /// How many threads; 0 is one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,

    /// Don't look for a head file on this machine
    #[arg(long)]
    no_head_file: bool,
}

pub(crate) fn run(context: &Context, args: &Verify) -> Result<Exit> {
    let dir = args.ledger.clone().unwrap_or_else(|| context.dir().to_owned());
    let options = Options {
        anchor: args.anchor.as_deref().map(read_anchor).transpose()?,
        state_dir: if args.no_head_file { None } else { context.state_dir().ok() },
        since: args.since.as_deref().map(read_checkpoint).transpose()?,
        structure_only: args.structure,
        accept_expunged: args.accept_expunged,
        threads: args.threads,
        policy: if args.rules { Box::new(Process::default()) } else { Box::new(Permissive) },
        ..Options::default()
    };
    let cancel = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&cancel))?;
    }
    let bar = progress_bar(context);
    let progress = |progress: Progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.entries);
    };
    let report = blotter_verify::verify(&dir, options, &progress, &cancel);
    bar.finish_and_clear();
    let report = report?;
    context.out.result(&to_json(&report, args.rules), || human(context, &report, args.rules));
    Ok(exit_of(&report))
}

/// Verifies the ledger of `--dir` with the anchor inside it and this machine's head file, and prints nothing.
pub(crate) fn quiet(context: &Context) -> Result<(Exit, Value)> {
    let options = Options { state_dir: context.state_dir().ok(), ..Options::default() };
    let report = blotter_verify::verify(context.dir(), options, &|_| {}, &AtomicBool::new(false))?;
    Ok((exit_of(&report), to_json(&report, false)))
}

fn exit_of(report: &Report) -> Exit {
    match report.outcome {
        Outcome::Verified => Exit::Done,
        Outcome::Damaged => Exit::Damaged,
        Outcome::Incomplete => Exit::Incomplete,
    }
}

pub(crate) fn read_anchor(path: &std::path::Path) -> Result<Anchor> {
    let text = std::fs::read_to_string(path).with_context(|| format!("the anchor {}", path.display()))?;
    text.parse().with_context(|| format!("{}", path.display()))
}

fn read_checkpoint(path: &std::path::Path) -> Result<UnverifiedCheckpoint> {
    let bytes = std::fs::read(path).with_context(|| format!("the checkpoint {}", path.display()))?;
    UnverifiedCheckpoint::parse(&bytes).with_context(|| format!("{}", path.display()))
}

fn progress_bar(context: &Context) -> ProgressBar {
    let target = if context.out.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} entries, {per_sec}, {eta} left")
        .expect("our own template is well-formed");
    ProgressBar::with_draw_target(Some(0), target).with_style(style)
}

/// The report for machines; `result`, `entries`, `signatures`, `disclosures`, `fresh` and `first_bad` never change.
/// `decisions_judged` is null unless the process was asked.
fn to_json(report: &Report, rules: bool) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| json!({ "seq": finding.seq, "code": finding.code, "what": finding.what, "damage": finding.damage }))
        .collect();
    let vouchers: Vec<Value> =
        report.vouchers.iter().map(|voucher| json!({ "by": voucher.by, "size": voucher.size })).collect();
    let expunged: Vec<u64> = report.expunged.iter().map(|expunged| expunged.seq).collect();
    json!({
        "result": report.outcome.as_str(),
        "entries": report.entries,
        "signatures": report.signatures,
        "disclosures": report.disclosures,
        "fresh": report.fresh,
        "first_bad": report.first_bad,
        "anchored": report.anchored,
        "structure_only": report.structure_only,
        "root": report.root.to_string(),
        "origin": report.identity.as_ref().map(|identity| identity.origin.to_string()),
        "genesis": report.identity.as_ref().map(|identity| identity.genesis.to_string()),
        "rules_version": report.rules_version,
        "checkpoints": report.checkpoints,
        "blobs": report.blobs,
        "erased": report.erased,
        "missing": report.missing,
        "expunged": expunged,
        "unknown_events": report.unknown_events,
        "notarised": report.notarised,
        "imported": report.imported,
        "late": report.late,
        "by_compromised_keys": report.by_compromised_keys,
        "by_recovered_keys": report.by_recovered_keys,
        "decisions_judged": rules.then_some(report.decisions_judged),
        "unjudged": report.unjudged,
        "vouchers": vouchers,
        "findings": findings,
        "findings_count": report.findings_count,
    })
}

fn human(context: &Context, report: &Report, rules: bool) -> String {
    let out = context.out;
    let (tone, verdict) = match report.outcome {
        Outcome::Verified => (Tone::Good, "VERIFIED"),
        Outcome::Damaged => (Tone::Bad, "DAMAGED"),
        Outcome::Incomplete => (Tone::Warn, "INCOMPLETE"),
    };
    let mut text = out.toned(tone, verdict);
    if let Some(identity) = &report.identity {
        text.push_str(&format!("  {}, founded by {}, genesis {}", identity.origin, identity.founder, identity.genesis));
    }
    text.push_str("\n\n");
    let mut pairs = vec![("entries", report.entries.to_string())];
    if let Some((first, last)) = &report.recorded {
        pairs.push(("recorded", format!("{first} to {last}")));
    }
    pairs.push((
        "signatures",
        if report.structure_only { "not checked".to_owned() } else { report.signatures.to_string() },
    ));
    pairs.push(("checkpoints", report.checkpoints.to_string()));
    pairs.push(("disclosures", format!("{} ({} erased by order)", report.disclosures, report.erased)));
    for (name, count) in [
        ("blobs", report.blobs),
        ("notarised", report.notarised),
        ("imported", report.imported),
        ("late", report.late),
        ("by compromised keys", report.by_compromised_keys),
        ("by recovered keys", report.by_recovered_keys),
        ("unknown events", report.unknown_events),
        ("not judged", report.unjudged),
        ("expunged", report.expunged_count),
    ] {
        if count > 0 {
            pairs.push((name, count.to_string()));
        }
    }
    pairs.push(("rules", report.rules_version.clone().unwrap_or_else(|| "unknown".to_owned())));
    pairs.push((
        "decisions",
        if rules {
            format!("{} judged by the gates of the process", report.decisions_judged)
        } else {
            "not judged by the gates of the process (--rules)".to_owned()
        },
    ));
    pairs.push(("vouched for", vouched(report)));
    text.push_str(&out.pairs(&pairs));
    if let Some(seq) = report.first_bad {
        text.push_str(&format!("\n\n{}", out.toned(Tone::Bad, &format!("The first bad entry is {seq}."))));
    }
    for finding in report.findings.iter().take(20) {
        let at = finding.seq.map_or_else(String::new, |seq| format!("entry {seq}: "));
        let tone = if finding.damage { Tone::Bad } else { Tone::Warn };
        text.push_str(&format!("\n  {at}{} [{}]", plain(&finding.what), out.toned(tone, finding.code)));
    }
    if report.findings_count > 20 {
        text.push_str(&format!("\n  … {} findings in all; --json lists up to 100", report.findings_count));
    }
    text.push_str("\n\n");
    text.push_str(&cannot_exclude(report));
    text
}

fn vouched(report: &Report) -> String {
    let lines: Vec<String> =
        report.vouchers.iter().map(|voucher| format!("{} entries by {}", voucher.size, voucher.by)).collect();
    if lines.is_empty() { "nothing, by nothing from outside".to_owned() } else { lines.join("\n") }
}

/// What this verification does not show.
fn cannot_exclude(report: &Report) -> String {
    let mut text = String::from("Not shown by this: ");
    match (report.fresh, report.vouched_size()) {
        (true, _) => text.push_str("whether what was said is true; "),
        (false, Some(size)) => text.push_str(&format!(
            "whether there were entries behind the last of these that were cut off: from outside, only the first {size} are \
             vouched for (a fresh anchor, checkpoint or head file would show it); "
        )),
        (false, None) => text.push_str("whether entries were cut off at the end, and who founded this ledger; "),
    }
    if report.structure_only {
        text.push_str("whether actors signed what is here, and were allowed to (--structure); ");
    }
    text.push_str("what was never recorded.");
    text
}
