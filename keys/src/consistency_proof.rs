//! Consistency proofs as text (FORMAT.md §7): the hashes of RFC 6962 §2.1.2 in standard base64, a line each; nothing for
//! two trees of one size. Promises: what parses prints the same again.

use blotter_record::Hash;

use crate::base64std;

/// The longest proof there is: one hash more than the longest path of [`crate::merkle::SIZE_MAX`] leaves.
pub const CONSISTENCY_HASHES_MAX: usize = 64;

/// Text that is no consistency proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number} of the consistency proof is not a hash in standard base64, or is one too many")]
pub struct ConsistencyProofError {
    /// Which line, from 1.
    pub number: usize,
}

/// The proof, a line a hash, each with its newline.
pub fn print(proof: &[Hash]) -> String {
    proof.iter().map(|hash| base64std::encode(&hash.0) + "\n").collect()
}

/// The hashes of a proof. What they prove, [`crate::merkle::verify_consistency`] says.
///
/// # Errors
/// If it is not exactly what [`print()`] writes.
pub fn parse(text: &str) -> Result<Vec<Hash>, ConsistencyProofError> {
    let lines = (1..).zip(text.split_inclusive('\n'));
    let hash = |(number, line): (usize, &str)| {
        let hash = line.strip_suffix('\n').and_then(|line| base64std::decode_hash(line).ok());
        hash.filter(|_| number <= CONSISTENCY_HASHES_MAX).ok_or(ConsistencyProofError { number })
    };
    lines.map(hash).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_has_one_spelling() {
        let proof = [Hash::of(b"a"), Hash::of(b"b")];
        let text = print(&proof);
        assert_eq!(text.lines().count(), 2);
        assert_eq!(parse(&text).unwrap(), proof);
        assert_eq!(parse("").unwrap(), []);
        let check = |text: &str, number| assert_eq!(parse(text), Err(ConsistencyProofError { number }), "{text:?}");
        check("\n", 1);
        check(text.trim_end(), 2);
        check(&format!("{text}\n"), 3);
        check(&text.replace('\n', "\r\n"), 1);
        check(&Hash::of(b"a").to_string(), 1);
    }

    #[test]
    fn no_proof_is_longer_than_a_tree_can_ask_for() {
        let proof = [Hash::of(b"a"); CONSISTENCY_HASHES_MAX + 1];
        assert!(parse(&print(&proof[1..])).is_ok());
        assert_eq!(parse(&print(&proof)), Err(ConsistencyProofError { number: CONSISTENCY_HASHES_MAX + 1 }));
    }
}
