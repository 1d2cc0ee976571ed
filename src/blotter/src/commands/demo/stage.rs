//! The stage of the demo: who is there, what has been said, and what of it is told. Decisions, turns and refusals are told
//! line by line, the rest is counted; all of it is in the ledger.

use anyhow::{Context as _, Result, bail};
use blotter_keys::judge::Refusal;
use blotter_ledger::{Error, Ledger, read};
use blotter_record::{ActorId, Decision, Event, Id, Instant, Jti};

use super::cast::Cast;
use crate::context::{Context, new_jti};
use crate::out::{Tone, plain};
use crate::session::{Speaker, Words, say};

/// Told, too: what decides nothing, and turns the story.
const TURNS: [Event; 7] = [
    Event::AlertDismissed,
    Event::Escalated,
    Event::PlaybookStarted,
    Event::ContainmentAchieved,
    Event::ValidationPerformed,
    Event::LessonRecorded,
    Event::RecurrenceLinked,
];

/// Who is there, and what has been said so far.
pub(super) struct Stage<'a> {
    pub(super) context: &'a Context,
    pub(super) ledger: &'a Ledger,
    cast: Cast,
    said: Vec<Line>,
    refused: usize,
    /// Lines of the scene that were not told.
    untold: usize,
}

struct Line {
    label: &'static str,
    jti: Jti,
    seq: u64,
}

impl<'a> Stage<'a> {
    pub(super) fn new(context: &'a Context, ledger: &'a Ledger, cast: Cast) -> Self {
        Self { context, ledger, cast, said: Vec::new(), refused: 0, untold: 0 }
    }

    /// The actor behind a name.
    pub(super) fn actor(&self, name: &str) -> &ActorId {
        &self.person(name).actor
    }

    pub(super) fn person(&self, name: &str) -> &Speaker {
        self.cast.get(name).expect("the story only has people of the cast")
    }

    /// The id of what was said last under a label.
    pub(super) fn jti(&self, label: &str) -> String {
        self.line(label).jti.to_string()
    }

    /// The entry of what was said last under a label.
    pub(super) fn seq(&self, label: &str) -> u64 {
        self.line(label).seq
    }

    fn line(&self, label: &str) -> &Line {
        let line = self.said.iter().rev().find(|line| line.label == label);
        line.expect("the story only refers to what was said before")
    }

    /// The newest entry.
    pub(super) fn last_seq(&self) -> u64 {
        self.said.last().map_or(0, |line| line.seq)
    }

    /// How many statements were refused, as the story wanted.
    pub(super) fn refused(&self) -> usize {
        self.refused
    }

    /// Begins a scene.
    pub(super) fn narrate(&mut self, text: &str) {
        self.end_scene();
        self.tell(&format!("\n{}", self.context.out.toned(Tone::Strong, text)));
    }

    /// Says how much of the scene was not told.
    pub(super) fn end_scene(&mut self) {
        match std::mem::take(&mut self.untold) {
            0 => {}
            1 => self.tell("      and 1 more statement"),
            more => self.tell(&format!("      and {more} more statements")),
        }
    }

    pub(super) fn tell(&self, line: &str) {
        if !self.context.out.json {
            self.context.out.line(line);
        }
    }

    /// Somebody says something that happened at `at`, to be referred to by `label`.
    pub(super) fn say(&mut self, who: &str, label: &'static str, at: &str, words: Words) -> Result<()> {
        let (words, jti) = dated(words, at)?;
        let said = say(self.context, self.ledger, self.person(who), &words);
        let (appended, _) = said.with_context(|| format!("{who}, at {at}, {}", words.event))?;
        self.said.push(Line { label, jti, seq: appended.seq });
        let is_told = |event: Event| event.rule().decision == Decision::Blocks || TURNS.contains(&event);
        if Event::from_name(&words.event).is_some_and(is_told) {
            self.tell(&format!("{:>4}  {}", appended.seq, line(at, who, &words)));
        } else {
            self.untold += 1;
        }
        Ok(())
    }

    /// Somebody tries to say something whose gates are unmet: exactly these. The ledger must refuse it, and record that.
    pub(super) fn refuses(&mut self, who: &str, at: &str, words: Words, gates: &[&str]) -> Result<()> {
        let (words, jti) = dated(words, at)?;
        let event = words.event.clone();
        let error = match say(self.context, self.ledger, self.person(who), &words) {
            Ok((appended, _)) => bail!(
                "entry {}: {event} was admitted without its gates ({}): this is a bug of ours, please report it",
                appended.seq,
                gates.join(", ")
            ),
            Err(error) => error,
        };
        let unmet = match error.downcast_ref::<Error>() {
            Some(Error::Refused(Refusal::Policy(unmet))) => unmet.clone(),
            _ => return Err(error),
        };
        if !unmet.codes().eq(gates.iter().copied()) {
            bail!("{event} was refused for other gates than {}: {unmet}", gates.join(", "));
        }
        let incident = unmet.incident.as_ref().context("a refusal without an incident")?;
        let seq = self.recorded_refusal(incident, jti)?;
        self.refused += 1;
        let refused = self.context.out.toned(Tone::Bad, "refused");
        self.tell(&format!("   –  {}: {refused}", line(at, who, &words)));
        for gate in &unmet.gates {
            self.tell(&format!("      {}: {}", gate.code, plain(&gate.what)));
        }
        self.tell(&format!("      the refusal is in the record: entry {seq}, phase.refused"));
        Ok(())
    }

    /// The entry that says that this very statement was refused: the newest of the incident.
    fn recorded_refusal(&self, incident: &Id, refused: Jti) -> Result<u64> {
        let newest = self.ledger.read(|store| {
            let Some(head) = store.stream_head(incident)? else { return Ok(None) };
            let seq = store.stream_seqs(incident, head.count - 1, 1)?.first().copied();
            seq.map(|seq| read::entries(store, seq, 1)).transpose()
        })?;
        let newest = newest.unwrap_or_default().pop().with_context(|| format!("{incident} has no entry"))?;
        let (entry, statement) = newest.said.context("an expunged entry")?;
        let jws = statement.facts.word("refused").unwrap_or_default();
        let names_it = statement.event.known() == Some(Event::PhaseRefused)
            && blotter_record::Statement::parse(jws).is_ok_and(|held| held.jti == refused);
        if !names_it {
            bail!("the refusal is not in the record of {incident}: this is a bug of ours, please report it");
        }
        Ok(entry.seq)
    }
}

/// The words with an id, and when it happened.
fn dated(mut words: Words, at: &str) -> Result<(Words, Jti)> {
    let jti = new_jti();
    words.jti = Some(jti);
    words.occurred = Some(at.parse::<Instant>()?);
    Ok((words, jti))
}

fn line(at: &str, who: &str, words: &Words) -> String {
    let fact = |name: &str| words.facts.iter().find(|(other, _)| other == name).and_then(|(_, value)| value.as_text());
    let way = fact("from").zip(fact("to")).map(|(from, to)| format!(" {from} → {to}")).unwrap_or_default();
    let overridden = words.facts.iter().any(|(name, value)| name == "override" && *value == true.into());
    let overridden = if overridden { ", overriding a gate" } else { "" };
    let minute = at.get(..16).unwrap_or(at).replace('T', " ");
    format!("{minute}  {who:<8} {:<25} {}{way}{overridden}", words.event, words.sub)
}
