//! Anchors: what somebody who distrusts the ledger holds from outside of it (FORMAT.md §8.1). Verification starts from one.

use std::fmt;
use std::str::FromStr;

use blotter_record::{Hash, Json, Origin};

use crate::note::VerifierKey;

/// The longest anchor that is looked at, in bytes.
pub const ANCHOR_BYTES_MAX: usize = 16_384;

/// Which ledger is meant, and the newest head of it that its holder saw.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// The ledger's origin.
    pub origin: Origin,
    /// Leaf hash of entry 0.
    pub genesis: Hash,
    /// The ledger's key for checkpoints, as entry 0 names it.
    pub ledger_vkey: VerifierKey,
    /// Thumbprint of the founder's key.
    pub founder: Hash,
    /// Size of the newest checkpoint seen.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Text that is no anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an anchor: {0}")]
pub struct AnchorError(String);

impl FromStr for Anchor {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<Self, AnchorError> {
        if text.len() > ANCHOR_BYTES_MAX {
            return Err(AnchorError(format!("{} bytes; at most {ANCHOR_BYTES_MAX}", text.len())));
        }
        let Json::Object(mut members) = Json::parse(text.as_bytes()).map_err(|e| AnchorError(e.to_string()))? else {
            return Err(AnchorError("not an object".to_owned()));
        };
        let mut take = |name: &str| {
            let index = members.iter().position(|(other, _)| other == name);
            index.map(|index| members.swap_remove(index).1).ok_or_else(|| AnchorError(format!("{name}: missing")))
        };
        let (origin, genesis, ledger_vkey) = (take("origin")?, take("genesis")?, take("ledger_vkey")?);
        let (founder, size, root) = (take("founder")?, take("size")?, take("root")?);
        if let Some((name, _)) = members.first() {
            return Err(AnchorError(format!("{}: unknown", name.escape_debug())));
        }
        let size = match size {
            Json::Int(size) if size > 0 => size.unsigned_abs(),
            _ => return Err(AnchorError("size: an integer of 1 or more is wanted".to_owned())),
        };
        Ok(Self {
            origin: read("origin", &origin)?,
            genesis: read("genesis", &genesis)?,
            ledger_vkey: read("ledger_vkey", &ledger_vkey)?,
            founder: read("founder", &founder)?,
            size,
            root: read("root", &root)?,
        })
    }
}

fn read<T: FromStr<Err: fmt::Display>>(name: &str, value: &Json) -> Result<T, AnchorError> {
    let text = value.as_text().ok_or_else(|| AnchorError(format!("{name}: a string is wanted")))?;
    text.parse().map_err(|e| AnchorError(format!("{name}: {e}")))
}

/// A line a member, and a newline at the end.
impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, genesis, ledger_vkey, founder, size, root } = self;
        writeln!(
            f,
            "{{\n  \"origin\": \"{origin}\",\n  \"genesis\": \"{genesis}\",\n  \"ledger_vkey\": \"{ledger_vkey}\",\n  \
             \"founder\": \"{founder}\",\n  \"size\": {size},\n  \"root\": \"{root}\"\n}}"
        )
    }
}
