//! Values that name a blob in the vault: `blob:<64 hex digits>:<size>:<id>` (FORMAT.md §2.5).

use blotter_record::{Hash, Json};

/// A blob as a disclosed value names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobName {
    /// SHA-256 of its bytes.
    pub(crate) sha256: Hash,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its id in the vault.
    pub(crate) id: String,
}

impl BlobName {
    /// The blob that a value names, if it names one.
    pub(crate) fn read(value: &Json) -> Option<Self> {
        let mut parts = value.as_text()?.strip_prefix("blob:")?.split(':');
        let (sha256, size, id, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
            return None;
        };
        let decimal = size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
        let id_ok = id.len() == 26 && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
        (decimal && id_ok).then_some(())?;
        Some(Self { sha256: from_hex(sha256)?, size: size.parse().ok()?, id: id.to_owned() })
    }
}

fn from_hex(text: &str) -> Option<Hash> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|b| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        })
        .collect::<Option<_>>()?;
    (digits.len() == 64).then_some(())?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_names_a_blob() {
        let (sha256, id) = (Hash::of(b"x").to_hex(), "abcdefghijklmnopqrstuvwx27");
        let check = |text: String, expect: bool| {
            assert_eq!(BlobName::read(&Json::Text(text.clone())).is_some(), expect, "{text}");
        };
        check(format!("blob:{sha256}:1:{id}"), true);
        check(format!("blob:{sha256}:0:{id}"), true);
        check(format!("blob:{sha256}:01:{id}"), false);
        check(format!("blob:{sha256}:+1:{id}"), false);
        check(format!("blob:{sha256}::{id}"), false);
        check(format!("blob:{}:1:{id}", sha256.to_uppercase()), false);
        check(format!("blob:{}:1:{id}", &sha256[1..]), false);
        check(format!("blob:{sha256}:1:{}", &id[1..]), false);
        check(format!("blob:{sha256}:1:{id}:"), false);
        assert_eq!(BlobName::read(&Json::Int(1)), None);
        let read = BlobName::read(&Json::Text(format!("blob:{sha256}:12:{id}")));
        assert_eq!(read, Some(BlobName { sha256: Hash::of(b"x"), size: 12, id: id.to_owned() }));
    }
}
