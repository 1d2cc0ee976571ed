//! Chains of custody: what was done with a piece of evidence, by whom, and where the chain has gaps. A chain is read from
//! the evidence's own stream, whichever incidents it concerned, in the order of the log: that order is proven, and what
//! somebody says of an earlier time is shown beside it.

use std::collections::BTreeSet;
use std::fmt;

use blotter_process::{Incident, Said};
use blotter_record::{Event, Id, Instant, Jti};

use crate::moment::{Moment, Told, corrections, occurred_by, told_of};
use crate::views::Source;

/// Disclosed values of an acquisition that hold a hash of the evidence.
const ACQUIRED_HASHES: [&str; 2] = ["sha256_copy", "sha256_source"];
/// The one of a check.
const FOUND_HASH: &str = "sha256";

/// What was done once with a piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its entry.
    pub seq: u64,
    /// Its statement.
    pub jti: Jti,
    /// The evidence.
    pub evidence: Id,
    /// What was done.
    pub event: String,
    /// Who says so.
    pub by: String,
    /// To whom it was given.
    pub to: Option<String>,
    /// The release by which it was received.
    pub release: Option<Jti>,
    /// What for, or by which method.
    pub purpose: Option<String>,
    /// Which copy: original or working.
    pub copy: Option<String>,
    /// Whether a check of its hash found it unchanged.
    pub matches: Option<bool>,
    /// When it is to be back, in microseconds since 1970.
    pub due_us: Option<i64>,
    /// When it happened, in microseconds since 1970: as said, or when it was recorded.
    pub at_us: i64,
    /// When it was recorded, in microseconds since 1970.
    pub recorded_us: i64,
}

impl Link {
    /// What a statement about evidence says; nothing if it is about something else.
    pub fn of(said: Said<'_>) -> Option<Self> {
        let Said { seq, recorded_us, statement } = said;
        if statement.sub.kind() != "evidence" {
            return None;
        }
        let facts = &statement.facts;
        let word = |name| facts.word(name).map(str::to_owned);
        Some(Self {
            seq,
            jti: statement.jti,
            evidence: statement.sub.clone(),
            event: statement.event.as_str().to_owned(),
            by: statement.actor().to_string(),
            to: facts.actor("to").map(ToString::to_string),
            release: facts.jti("release"),
            purpose: word("purpose").or_else(|| word("method")),
            copy: word("copy"),
            matches: facts.get("match").map(|_| facts.is_true("match")),
            due_us: facts.instant("due").map(Instant::unix_us),
            at_us: statement.occurred.as_ref().map_or(recorded_us, Instant::unix_us),
            recorded_us,
        })
    }
}

/// Where a chain of custody does not hold, so that somebody will ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// Nothing says how it came to be there.
    NeverAcquired,
    /// It was acquired before, by that entry.
    AcquiredAgain(u64),
    /// It is not said to have been received since that release, and was given out again.
    NeverReceived(u64),
    /// What was received is no release of this evidence that is still open.
    NothingReleased,
    /// Somebody received it whom the release of that entry does not name.
    OtherReceiver(u64, String),
    /// Its hash was not what it should have been.
    Mismatch,
    /// It was said to match, but the hash found is none of those that it was acquired with.
    OtherHash,
    /// It was disposed of by that entry before.
    Disposed(u64),
    /// It was disposed of while it was given out by that entry.
    DisposedWhileOut(u64),
    /// It is said to have happened before what that earlier entry says.
    OutOfOrder(u64),
}

impl Gap {
    /// A word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeverAcquired => "never-acquired",
            Self::AcquiredAgain(_) => "acquired-again",
            Self::NeverReceived(_) => "never-received",
            Self::NothingReleased => "nothing-released",
            Self::OtherReceiver(..) => "other-receiver",
            Self::Mismatch => "mismatch",
            Self::OtherHash => "other-hash",
            Self::Disposed(_) => "disposed-before",
            Self::DisposedWhileOut(_) => "disposed-while-out",
            Self::OutOfOrder(_) => "out-of-order",
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverAcquired => f.write_str("nothing says that it was acquired before"),
            Self::AcquiredAgain(seq) => write!(f, "it was acquired before, by entry {seq}"),
            Self::NeverReceived(seq) => write!(f, "nobody is said to have received what entry {seq} released"),
            Self::NothingReleased => f.write_str("what was received is no open release of this evidence"),
            Self::OtherReceiver(seq, to) => write!(f, "entry {seq} released it to {to}, not to whoever received it"),
            Self::Mismatch => f.write_str("its hash was not what it should have been"),
            Self::OtherHash => f.write_str("it is said to match, but its hash is none that it was acquired with"),
            Self::Disposed(seq) => write!(f, "it had been disposed of by entry {seq}"),
            Self::DisposedWhileOut(seq) => write!(f, "it was given out by entry {seq}, and not back"),
            Self::OutOfOrder(seq) => {
                write!(f, "it is said to have happened before entry {seq}, which was recorded first")
            }
        }
    }
}

/// A link, with what is wrong about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// What was done.
    pub link: Link,
    /// Whether it was taken back; then it counts for nothing.
    pub retracted: bool,
    /// What was found, or acquired: names and hashes that are disclosed.
    pub hashes: Vec<(String, String)>,
    /// Where the chain does not hold here.
    pub gaps: Vec<Gap>,
    /// All streams of its entry; who may read it follows from them.
    pub streams: Vec<Id>,
}

/// The chain of custody of a piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its stream.
    pub evidence: Id,
    /// In the order of the log.
    pub links: Vec<Linked>,
    /// Who acquired or received the original last; nobody while it is given out, or if nothing says so.
    pub holder: Option<String>,
    /// Releases, of the original or of working copies, that nobody is said to have received.
    pub out: Vec<Link>,
    /// The entry by which it was disposed of.
    pub disposed: Option<u64>,
}

/// The pieces of evidence that an incident's entries are about as of a moment, in the order in which they came up.
///
/// # Errors
/// If the log can't be read.
pub fn evidence_of<S: Source>(source: &S, incident: &Id, moment: Moment) -> Result<Vec<Id>, S::Error> {
    let mut found: Vec<Id> = Vec::new();
    for Told { statement, .. } in told_of(source, incident, moment)? {
        for id in statement.streams().filter(|id| id.kind() == "evidence") {
            if !found.contains(id) {
                found.push(id.clone());
            }
        }
    }
    Ok(found)
}

/// The chain of a piece of evidence as of a moment; without links if nothing was recorded of it by then.
///
/// # Errors
/// If the log can't be read.
pub fn custody<S: Source>(source: &S, evidence: &Id, moment: Moment) -> Result<Chain, S::Error> {
    let told = told_of(source, evidence, moment)?;
    let corrected = corrections(&told);
    let mut state = Incident::default();
    told.iter().for_each(|entry| state.note_retraction(&entry.statement));
    let mut walk = Walk::default();
    let mut links = Vec::new();
    for entry in &told {
        let Told { seq, recorded_us, statement } = entry;
        let said = Said { seq: *seq, recorded_us: *recorded_us, statement };
        let Some(mut link) = Link::of(said).filter(|link| link.evidence == *evidence) else { continue };
        match corrected.get(&link.jti) {
            Some((at, _)) => link.at_us = at.unix_us(),
            // Its own time is that of what it corrects.
            None if statement.event.known() == Some(Event::CorrectionRecorded) => link.at_us = *recorded_us,
            None => {}
        }
        let named = |name: &str| name == FOUND_HASH || ACQUIRED_HASHES.contains(&name);
        let values = source.values(*seq)?.into_iter().filter(|(name, _)| named(name));
        let hashes = values.filter_map(|(name, value)| Some((name, value.as_text()?.to_ascii_lowercase()))).collect();
        let retracted = state.retracted.contains(&link.jti);
        let streams = statement.streams().cloned().collect();
        let mut linked = Linked { link, retracted, hashes, gaps: Vec::new(), streams };
        if !retracted {
            linked.gaps = walk.step(statement.event.known(), &linked, occurred_by(entry, &corrected));
        }
        links.push(linked);
    }
    let Walk { holder, out, disposed, .. } = walk;
    Ok(Chain { evidence: evidence.clone(), links, holder, out, disposed })
}

/// What a chain has come to.
#[derive(Default)]
struct Walk {
    /// Whether anything was done with it yet.
    begun: bool,
    acquired: Option<u64>,
    hashes: BTreeSet<String>,
    holder: Option<String>,
    /// Of the original, one at most; of working copies, any number, and none changes who holds the original.
    out: Vec<Link>,
    disposed: Option<u64>,
    /// The latest time so far, and the entry that says so.
    latest: Option<(i64, u64)>,
}

impl Walk {
    /// `by_us`: when it had happened at the latest, as far as its time is known.
    fn step(&mut self, event: Option<Event>, linked: &Linked, by_us: i64) -> Vec<Gap> {
        let (link, mut gaps) = (&linked.link, Vec::new());
        gaps.extend(self.latest.filter(|(at_us, _)| by_us < *at_us).map(|(_, seq)| Gap::OutOfOrder(seq)));
        self.latest = self.latest.max(Some((link.at_us, link.seq)));
        // An approval is about what will be done; all else is done with the thing.
        let handled = event != Some(Event::DisposalApproved);
        gaps.extend(self.disposed.filter(|_| handled).map(Gap::Disposed));
        if handled && !std::mem::replace(&mut self.begun, true) && event != Some(Event::EvidenceAcquired) {
            gaps.push(Gap::NeverAcquired);
        }
        match event {
            Some(Event::EvidenceAcquired) => {
                gaps.extend(self.acquired.map(Gap::AcquiredAgain));
                self.acquired.get_or_insert(link.seq);
                self.hashes.extend(linked.hashes.iter().map(|(_, hash)| hash.clone()));
                self.holder = Some(link.by.clone());
            }
            Some(Event::EvidenceReleased) => {
                if !is_working(link) {
                    gaps.extend(self.out.iter().filter(|out| !is_working(out)).map(|out| Gap::NeverReceived(out.seq)));
                    self.out.retain(is_working);
                    self.holder = None;
                }
                self.out.push(link.clone());
            }
            Some(Event::EvidenceReceived) => {
                let open = self.out.iter().position(|out| Some(out.jti) == link.release);
                let Some(out) = open.map(|at| self.out.remove(at)) else {
                    gaps.push(Gap::NothingReleased);
                    return gaps;
                };
                if !is_working(&out) {
                    self.holder = Some(link.by.clone());
                }
                // Whoever gave it may take it back.
                if let Some(to) = out.to.filter(|to| *to != link.by && out.by != link.by) {
                    gaps.push(Gap::OtherReceiver(out.seq, to));
                }
            }
            Some(Event::EvidenceVerified) => {
                let found = |hash: &(String, String)| !self.hashes.contains(&hash.1);
                if link.matches == Some(false) {
                    gaps.push(Gap::Mismatch);
                } else if !self.hashes.is_empty() && linked.hashes.iter().any(found) {
                    gaps.push(Gap::OtherHash);
                }
            }
            Some(Event::EvidenceDisposed) => {
                gaps.extend(self.out.drain(..).map(|out| Gap::DisposedWhileOut(out.seq)));
                self.disposed.get_or_insert(link.seq);
            }
            _ => {}
        }
        gaps
    }
}

fn is_working(link: &Link) -> bool {
    link.copy.as_deref() == Some("working")
}
