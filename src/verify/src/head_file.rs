//! Reads a head file (FORMAT.md §8.2): what the writer last signed, kept outside the ledger's directory.
//! Two lines of 256 bytes; the intact one with the larger size counts. A file without an intact line vouches for nothing,
//! and is never taken for a file that is not there.

use blotter_record::{Hash, Json};

const LINE_BYTES: usize = 256;
const CHECK_LEN: usize = 16;

/// What a head file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Neither line of the head file is intact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither of its two lines is intact")]
pub struct TornHead;

/// The newer of the intact lines.
///
/// # Errors
/// If there is none.
pub fn read_head(bytes: &[u8]) -> Result<Head, TornHead> {
    let lines = bytes.chunks(LINE_BYTES).take(2);
    lines.filter_map(read_line).max_by_key(|head| head.size).ok_or(TornHead)
}

fn read_line(bytes: &[u8]) -> Option<Head> {
    let line = bytes.strip_suffix(b"\n").filter(|_| bytes.len() == LINE_BYTES)?;
    let Json::Object(members) = Json::parse(line).ok()? else { return None };
    let member = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let (Json::Int(size), Json::Text(root), Json::Text(check), 3) =
        (member("size")?, member("root")?, member("check")?, members.len())
    else {
        return None;
    };
    let hash = Hash::of(format!("{size} {root}").as_bytes()).to_string();
    (hash[..CHECK_LEN] == *check).then_some(())?;
    Some(Head { size: u64::try_from(*size).ok()?, root: root.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(size: u64) -> String {
        let root = Hash::of(&size.to_be_bytes());
        let check = &Hash::of(format!("{size} {root}").as_bytes()).to_string()[..16];
        format!("{:255}\n", format!("{{\"size\":{size},\"root\":\"{root}\",\"check\":\"{check}\"}}"))
    }

    #[test]
    fn the_intact_line_with_the_larger_size_counts() {
        let check = |text: String, expect: Option<u64>| {
            assert_eq!(read_head(text.as_bytes()).ok().map(|head| head.size), expect, "{text}");
        };
        check(format!("{}{}", line(3), line(4)), Some(4));
        check(format!("{}{}", line(5), line(4)), Some(5));
        check(line(5), Some(5));
        check(format!("{}{}", line(5).replace("\"size\":5", "\"size\":7"), line(4)), Some(4));
        check(format!("{}{}", line(3), &line(4)[..200]), Some(3));
        check(format!("{}{}", line(5).replace('5', "6"), line(4).replace('4', "9")), None);
        check(String::new(), None);
        check("\0".repeat(512), None);
        check(format!("{}{}{}", line(1), line(2), line(9)), Some(2));
    }
}
