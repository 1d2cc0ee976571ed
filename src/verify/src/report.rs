//! What a verification found: counts, findings, and one result. `Verified` is only said when everything was looked at and
//! everything was right; what could not be looked at makes it `Incomplete`, and damage wins over that.

use blotter_record::{ActorId, Hash, Instant, Jti, Origin};

/// How many findings a report lists, at most; [`Report::findings_count`] has all.
pub const FINDINGS_LISTED_MAX: usize = 100;

/// The one-word answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was there and right.
    Verified,
    /// Something was changed, forged, lost or cut.
    Damaged,
    /// Nothing wrong was found, but something was missing or unknown.
    Incomplete,
}

impl Outcome {
    /// The exit code of `verify`: 0 verified, 1 damaged, 3 incomplete (2 is [`crate::CouldNotRun`]).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Damaged => 1,
            Self::Incomplete => 3,
        }
    }

    /// The word for people and for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Damaged => "damaged",
            Self::Incomplete => "incomplete",
        }
    }
}

/// Something that is wrong, or that could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The entry, if it is one's; for a checkpoint the last entry that it covers.
    pub seq: Option<u64>,
    /// A stable word for machines.
    pub code: &'static str,
    /// What, for people.
    pub what: String,
    /// Whether it is damage; else it is a gap in what could be verified.
    pub damage: bool,
}

/// Something from outside the ledger's directory that agrees with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// What it is.
    pub by: String,
    /// The size of the log that it vouches for.
    pub size: u64,
}

/// An entry whose bytes were removed by order (FORMAT.md §6.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expunged {
    /// The entry.
    pub seq: u64,
    /// The order, if there is one.
    pub order: Option<Jti>,
}

/// Who the ledger says it is, by its entry 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub origin: Origin,
    /// Leaf hash of entry 0.
    pub genesis: Hash,
    /// Who founded it.
    pub founder: ActorId,
    /// Thumbprint of the founder's key.
    pub founder_kid: Hash,
}

/// The whole answer.
#[derive(Debug, Clone)]
pub struct Report {
    /// In a word.
    pub outcome: Outcome,
    /// Only the entries' spelling and chains, the tree and the checkpoints' roots were verified: no statement, no actor's
    /// signature, no authority, no disclosure, none of the writer's indexes.
    pub structure_only: bool,
    /// Who the ledger says it is; `None` if entry 0 founds no ledger.
    pub identity: Option<Identity>,
    /// The version of the rules in force at the end.
    pub rules_version: Option<String>,
    /// Entries that were walked.
    pub entries: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// `recorded` of the first and of the last entry.
    pub recorded: Option<(Instant, Instant)>,
    /// Statements whose signature verified.
    pub signatures: u64,
    /// Checkpoints in the store that are right.
    pub checkpoints: u64,
    /// Disclosures in the store that are right.
    pub disclosures: u64,
    /// Blobs in the store that are right.
    pub blobs: u64,
    /// Disclosures that are missing by order (FORMAT.md §6.4).
    pub erased: u64,
    /// Disclosures that are missing without an order: damage.
    pub missing: u64,
    /// Entries removed by order, at most [`FINDINGS_LISTED_MAX`].
    pub expunged: Vec<Expunged>,
    /// How many those are.
    pub expunged_count: u64,
    /// Statements of events that the rules don't know.
    pub unknown_events: u64,
    /// Statements that could not be judged, because of unknown rules or of an expunged entry.
    pub unjudged: u64,
    /// Decisions that the policy judged again; 0 without one.
    pub decisions_judged: u64,
    /// Statements that only a notary attests.
    pub notarised: u64,
    /// Statements of imported history.
    pub imported: u64,
    /// Statements signed more than a day before they were recorded.
    pub late: u64,
    /// Statements recorded after their key may have been in other hands, as its revocation claims.
    pub by_compromised_keys: u64,
    /// Statements by keys that came by recovery.
    pub by_recovered_keys: u64,
    /// The lowest entry with damage.
    pub first_bad: Option<u64>,
    /// What is wrong, by entry; at most [`FINDINGS_LISTED_MAX`], those of the lowest entries.
    pub findings: Vec<Finding>,
    /// How many findings there are.
    pub findings_count: u64,
    /// Something from outside agrees with the log, so that who founded it is not the log's own word alone.
    pub anchored: bool,
    /// Something from outside vouches for exactly this size. If not, entries behind [`Report::vouched_size`] may have been
    /// cut off, or be a tail that nobody outside ever saw.
    pub fresh: bool,
    /// What from outside agrees with the log, and up to which size.
    pub vouchers: Vec<Voucher>,
}

impl Report {
    /// The report on a log of which nothing could be read.
    pub(crate) fn nothing() -> Self {
        Self {
            outcome: Outcome::Damaged,
            structure_only: false,
            identity: None,
            rules_version: None,
            entries: 0,
            root: Hash::of(b""),
            recorded: None,
            signatures: 0,
            checkpoints: 0,
            disclosures: 0,
            blobs: 0,
            erased: 0,
            missing: 0,
            expunged: Vec::new(),
            expunged_count: 0,
            unknown_events: 0,
            unjudged: 0,
            decisions_judged: 0,
            notarised: 0,
            imported: 0,
            late: 0,
            by_compromised_keys: 0,
            by_recovered_keys: 0,
            first_bad: None,
            findings: Vec::new(),
            findings_count: 0,
            anchored: false,
            fresh: false,
            vouchers: Vec::new(),
        }
    }

    /// The largest size that something from outside vouches for.
    pub fn vouched_size(&self) -> Option<u64> {
        self.vouchers.iter().map(|voucher| voucher.size).max()
    }

    /// The exit code of `verify`.
    pub fn exit_code(&self) -> u8 {
        self.outcome.exit_code()
    }
}
