//! Private keys in files that other tools read too: PKCS#8 in PEM (RFC 5958, RFC 7468, RFC 8410 §7), sealed with a
//! passphrase by PBES2 with scrypt and AES-256-CBC (RFC 8018 §6.2, RFC 7914 §7), or plain without one. `openssl pkey`
//! reads what is written here, and what `openssl genpkey` and `openssl pkcs8 -topk8` write is read.
//!
//! Promises: a file appears whole and synced or not at all, with mode 0600, and never in place of another; a file that
//! others could read or that someone else owns is refused. A crash may leave `.<name>.<random>.tmp`, of mode 0600 too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use blotter_record::{Hash, base64url};
use pkcs8::der::Decode;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::scrypt;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs8::{
    AlgorithmIdentifierRef, Document, EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef,
    SecretDocument,
};
use zeroize::Zeroizing;

use crate::ed25519::{KeyError, PublicKey, SecretKey};

/// The longest key file that is looked at; ours have about 350 bytes.
pub const KEY_FILE_BYTES_MAX: usize = 16 * 1024;
/// The permission bits of a key file: read and written by its owner alone.
pub const KEY_FILE_MODE: u32 = 0o600;
/// How many fresh random bytes writing a file takes: 16 of salt, 16 of initialisation vector.
pub const RANDOM_BYTES: usize = 32;
/// log2 of scrypt's N in what we write. With r = 8 that is 16 MiB, which OpenSSL 3 takes without being told to
/// (its limit is 32 MiB).
pub const SCRYPT_LOG_N: u8 = 14;
/// scrypt's r in what we write.
pub const SCRYPT_R: u32 = 8;
/// scrypt's p in what we write.
pub const SCRYPT_P: u32 = 1;
/// The most memory that scrypt is given for a file that someone else wrote: 128 · N · r bytes.
pub const SCRYPT_MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The largest p of a file that someone else wrote.
pub const SCRYPT_P_MAX: u16 = 16;
/// The most iterations of PBKDF2 in a file that someone else wrote.
pub const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

const PLAIN_LABEL: &str = "PRIVATE KEY";
const SEALED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// id-Ed25519, without parameters (RFC 8410 §3).
const ED25519: AlgorithmIdentifierRef<'static> =
    AlgorithmIdentifierRef { oid: ObjectIdentifier::new_unwrap("1.3.101.112"), parameters: None };

/// A passphrase: not empty, wiped when dropped, never printed.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The passphrase, if there is one: an empty one protects nothing and is `None`.
    pub fn new(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        (!text.is_empty()).then_some(Self(text))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(not shown)")
    }
}

/// Why a key file was not read or written; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is no such file.
    #[error("there is no key file {}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write the file, so others may have the key.
    #[error("others can get at {} (mode {mode:04o}): run chmod 600 {}", path.display(), path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to someone else, who can swap the key.
    #[error("{} belongs to user {uid}, not to you", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Not an Ed25519 private key in PKCS#8 PEM.
    #[error("{} is not an Ed25519 key file: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file is sealed: ask for the passphrase and read again.
    #[error("{} is sealed with a passphrase", path.display())]
    NeedsPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not open the file.
    #[error("wrong passphrase for {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// There is something at the path already; a key is never overwritten.
    #[error("{} exists already; a key file is never overwritten", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// The key in the file. A symbolic link is followed; the file itself must be regular, the caller's own, and closed to
/// group and others. The passphrase of a file that is not sealed is ignored.
///
/// # Errors
/// `NotFound`, `Mode`, `Owner`, `Malformed`, `NeedsPassphrase`, `WrongPassphrase` or `Io`, as their names say.
pub fn read(path: &Path, passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyFileError> {
    // Asked before opening, because opening a FIFO waits for its writer; asked again of what was opened.
    must_be_ours(path, &fs::metadata(path).map_err(|error| at(path, error))?)?;
    let file = File::open(path).map_err(|error| at(path, error))?;
    must_be_ours(path, &file.metadata().map_err(|error| at(path, error))?)?;

    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX + 1));
    file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| at(path, error))?;
    if bytes.len() > KEY_FILE_BYTES_MAX {
        return Err(malformed(path, format!("longer than {KEY_FILE_BYTES_MAX} bytes")));
    }
    let pem = std::str::from_utf8(&bytes).map_err(|_| malformed(path, "not text"))?;
    decode(path, pem, passphrase)
}

/// Writes the key to a new file, sealed if there is a passphrase. When this returns, the file survives power loss.
/// `random` is from the system's random source and used once.
///
/// # Errors
/// `Exists` if there is anything at `path`; else `Io`.
pub fn create(
    path: &Path,
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
    random: [u8; RANDOM_BYTES],
) -> Result<(), KeyFileError> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(KeyFileError::Exists { path: path.to_owned() });
    }
    let temp = write_temp(path, key, passphrase, random)?;
    // A link, unlike a rename, fails if somebody else was quicker.
    fs::hard_link(&temp.0, path).map_err(|error| at(path, error))?;
    drop(temp);
    sync_directory(path)
}

/// Seals the key anew: with another passphrase, with one for the first time, or (`new` is `None`) with none. The file
/// is swapped in one step, and only after the new one was read back from the disk.
///
/// # Errors
/// As [`read`] with the old passphrase; `Io` if the new file can't be written, and then the old one is still there.
pub fn rewrite(
    path: &Path,
    old: Option<&Passphrase>,
    new: Option<&Passphrase>,
    random: [u8; RANDOM_BYTES],
) -> Result<(), KeyFileError> {
    let key = read(path, old)?;
    // The file behind a symbolic link is replaced, not the link.
    let path = fs::canonicalize(path).map_err(|error| at(path, error))?;
    let temp = write_temp(&path, &key, new, random)?;
    fs::rename(&temp.0, &path).map_err(|error| at(&path, error))?;
    sync_directory(&path)
}

/// The public half as `-----BEGIN PUBLIC KEY-----` (SubjectPublicKeyInfo, RFC 8410 §4), as `openssl pkey -pubout`.
pub fn print_public(key: &PublicKey) -> String {
    let bits = BitStringRef::new(0, key.as_bytes()).expect("32 bytes are a bit string");
    Document::encode_msg(&SubjectPublicKeyInfoRef { algorithm: ED25519, subject_public_key: bits })
        .and_then(|document| document.to_pem(PUBLIC_LABEL, LineEnding::LF))
        .expect("44 bytes of DER always have a PEM")
}

/// Why a PEM is not a public key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicPemError {
    /// Not one SubjectPublicKeyInfo of an Ed25519 key.
    #[error("not an Ed25519 public key in PEM: {0}")]
    Malformed(String),
    /// The 32 bytes are not a key that may be enrolled.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The key in a `-----BEGIN PUBLIC KEY-----`.
///
/// # Errors
/// On any other label, algorithm or encoding, and on keys that [`PublicKey::from_bytes`] refuses.
pub fn parse_public(pem: &str) -> Result<PublicKey, PublicPemError> {
    let wrong = |what: &str| PublicPemError::Malformed(what.to_owned());
    if pem.len() > KEY_FILE_BYTES_MAX {
        return Err(wrong("too long"));
    }
    let (label, document) = Document::from_pem(pem).map_err(|error| wrong(&error.to_string()))?;
    if label != PUBLIC_LABEL {
        return Err(wrong("the label is not PUBLIC KEY"));
    }
    let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).map_err(|error| wrong(&error.to_string()))?;
    if info.algorithm != ED25519 {
        return Err(wrong("another algorithm"));
    }
    let bytes = info.subject_public_key.as_bytes().and_then(|bytes| bytes.try_into().ok());
    Ok(PublicKey::from_bytes(bytes.ok_or_else(|| wrong("not 32 bytes"))?)?)
}

/// Refuses what is not a regular file of the caller's, closed to everyone else.
fn must_be_ours(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    if !metadata.is_file() {
        return Err(malformed(path, "not a regular file"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(KeyFileError::Owner { path: path.to_owned(), uid: metadata.uid() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    Ok(())
}

/// The key in the PEM, whichever of the two kinds it is.
fn decode(path: &Path, pem: &str, passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyFileError> {
    let (label, document) = SecretDocument::from_pem(pem).map_err(|error| malformed(path, error))?;
    match label {
        PLAIN_LABEL => {
            let info = PrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|error| malformed(path, error))?;
            key_of(path, &info)
        }
        SEALED_LABEL => {
            let opened = open(path, document.as_bytes(), passphrase)?;
            // The padding of a wrong passphrase's garbage is right one time in 256; its DER is not.
            let info = PrivateKeyInfoRef::from_der(opened.as_bytes())
                .map_err(|_| KeyFileError::WrongPassphrase { path: path.to_owned() })?;
            key_of(path, &info)
        }
        other => Err(malformed(path, format!("the label is {other}"))),
    }
}

/// The PKCS#8 inside the seal.
fn open(path: &Path, der: &[u8], passphrase: Option<&Passphrase>) -> Result<SecretDocument, KeyFileError> {
    let sealed = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|error| malformed(path, error))?;
    let within_limits = match sealed.encryption_algorithm.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Pbkdf2(kdf)) => kdf.iteration_count <= PBKDF2_ITERATIONS_MAX,
        Some(Kdf::Scrypt(kdf)) => {
            let memory_bytes = kdf.cost_parameter.saturating_mul(128).saturating_mul(u64::from(kdf.block_size));
            memory_bytes <= SCRYPT_MEMORY_BYTES_MAX && kdf.parallelization <= SCRYPT_P_MAX
        }
        _ => return Err(malformed(path, "sealed by something other than PBES2 with scrypt or PBKDF2")),
    };
    if !within_limits {
        return Err(malformed(path, "opening it would take too much time or memory"));
    }
    let passphrase = passphrase.ok_or_else(|| KeyFileError::NeedsPassphrase { path: path.to_owned() })?;
    sealed.decrypt(passphrase.0.as_bytes()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_) => {
            KeyFileError::WrongPassphrase { path: path.to_owned() }
        }
        error => malformed(path, error),
    })
}

/// The seed within PKCS#8: an OCTET STRING in an OCTET STRING (RFC 8410 §7). A public key beside it must be its own.
fn key_of(path: &Path, info: &PrivateKeyInfoRef<'_>) -> Result<SecretKey, KeyFileError> {
    if info.algorithm != ED25519 {
        return Err(malformed(path, format!("the algorithm is {}", info.algorithm.oid)));
    }
    let seed = match info.private_key.as_bytes() {
        [0x04, 0x20, seed @ ..] => <[u8; 32]>::try_from(seed).ok(),
        _ => None,
    };
    let key = SecretKey::from_seed(seed.ok_or_else(|| malformed(path, "the private key is not 32 bytes"))?);
    match info.public_key {
        Some(public) if public.as_bytes() != Some(key.public().as_bytes()) => {
            Err(malformed(path, "the public key inside is not that of the private key"))
        }
        _ => Ok(key),
    }
}

/// The key's PEM, sealed if there is a passphrase.
fn encode(
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
    random: [u8; RANDOM_BYTES],
) -> Result<Zeroizing<String>, pkcs8::Error> {
    let mut private_key = Zeroizing::new([0; 34]);
    private_key[..2].copy_from_slice(&[0x04, 0x20]);
    private_key[2..].copy_from_slice(&*key.seed());
    let info = PrivateKeyInfoRef::new(ED25519, OctetStringRef::new(&private_key[..])?);
    let Some(passphrase) = passphrase else {
        return Ok(SecretDocument::encode_msg(&info)?.to_pem(PLAIN_LABEL, LineEnding::LF)?);
    };

    let (salt, iv) = random.split_at(16);
    let iv = iv.try_into().expect("the second half of 32 bytes is 16 bytes");
    let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).expect("the constants are within scrypt's limits");
    let parameters = Parameters::generate_scrypt_aes256cbc(cost, salt, iv)?;
    let sealed = info.encrypt_with_params(parameters, passphrase.0.as_bytes())?;
    Ok(sealed.to_pem(SEALED_LABEL, LineEnding::LF)?)
}

/// A file beside the one to be; removed when dropped, whatever became of it.
struct Temp(PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        // After a rename it is gone already; if it can't be removed there is nobody to tell, and it has mode 0600.
        let _ = fs::remove_file(&self.0);
    }
}

/// The key, written, synced and read back, in a file beside `path`.
fn write_temp(
    path: &Path,
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
    random: [u8; RANDOM_BYTES],
) -> Result<Temp, KeyFileError> {
    let pem = encode(key, passphrase, random).map_err(|error| malformed(path, error))?;
    let name = path.file_name().ok_or_else(|| malformed(path, "the path names no file"))?;
    let mut temp_name = std::ffi::OsString::from(".");
    temp_name.push(name);
    // From a hash, because the random bytes themselves are the salt.
    temp_name.push(format!(".{}.tmp", base64url::encode(&Hash::of(&random).0[..12])));
    let temp_path = path.with_file_name(temp_name);

    let opened = OpenOptions::new().write(true).create_new(true).mode(KEY_FILE_MODE).open(&temp_path);
    let mut file = opened.map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
    let temp = Temp(temp_path);
    file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| at(&temp.0, error))?;
    if read(&temp.0, passphrase)?.public() != key.public() {
        return Err(malformed(&temp.0, "what was written reads back as another key"));
    }
    Ok(temp)
}

/// Makes the file's name survive power loss, as `sync_all` did for its bytes.
fn sync_directory(path: &Path) -> Result<(), KeyFileError> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| at(directory, error))
}

fn malformed(path: &Path, what: impl ToString) -> KeyFileError {
    KeyFileError::Malformed { path: path.to_owned(), what: what.to_string() }
}

fn at(path: &Path, source: io::Error) -> KeyFileError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::NotFound { path },
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path },
        _ => KeyFileError::Io { path, source },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pkcs8::der::Encode;
    use proptest::prelude::*;

    use super::*;

    fn decode_der(label: &'static str, der: &[u8], passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyFileError> {
        let pem = pkcs8::der::pem::encode_string(label, LineEnding::LF, der).unwrap();
        decode(Path::new("key.pem"), &pem, passphrase)
    }

    /// A sealed file with this cost, whose ciphertext nothing opens.
    fn sealed_with(kdf: Kdf) -> Vec<u8> {
        let encryption = pkcs8::pkcs5::pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
        EncryptedPrivateKeyInfoRef {
            encryption_algorithm: Parameters { kdf, encryption }.into(),
            encrypted_data: OctetStringRef::new(&[0; 64]).unwrap(),
        }
        .to_der()
        .unwrap()
    }

    #[test]
    fn a_cost_within_the_limits_asks_for_the_passphrase_and_one_above_is_refused() {
        let scrypt = |cost, r, p| {
            let limits = scrypt::Params::new(10, 8, 1).unwrap();
            let kdf = pkcs8::pkcs5::pbes2::ScryptParams::from_params_and_salt(limits, &[0; 16]).unwrap();
            Kdf::Scrypt(pkcs8::pkcs5::pbes2::ScryptParams {
                cost_parameter: cost,
                block_size: r,
                parallelization: p,
                ..kdf
            })
        };
        let pbkdf2 = |count| Kdf::Pbkdf2(pkcs8::pkcs5::pbes2::Pbkdf2Params::hmac_sha256(count, &[0; 16]).unwrap());
        let asked = |kdf| match decode_der(SEALED_LABEL, &sealed_with(kdf), None).unwrap_err() {
            KeyFileError::NeedsPassphrase { .. } => true,
            KeyFileError::Malformed { .. } => false,
            error => panic!("{error}"),
        };
        assert!(asked(scrypt(SCRYPT_MEMORY_BYTES_MAX / 1024, 8, SCRYPT_P_MAX)));
        assert!(!asked(scrypt(SCRYPT_MEMORY_BYTES_MAX / 1024, 8, SCRYPT_P_MAX + 1)));
        assert!(!asked(scrypt(SCRYPT_MEMORY_BYTES_MAX / 512, 8, 1)));
        assert!(!asked(scrypt(1 << 63, 8, 1)));
        assert!(asked(pbkdf2(PBKDF2_ITERATIONS_MAX)));
        assert!(!asked(pbkdf2(PBKDF2_ITERATIONS_MAX + 1)));
    }

    #[test]
    fn debug_output_holds_no_passphrase() {
        let passphrase = Passphrase::new("correct horse".to_owned()).unwrap();
        assert!(!format!("{passphrase:?}").contains("horse"));
        assert!(Passphrase::new(String::new()).is_none());
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(text in ".{0,200}", der in proptest::collection::vec(any::<u8>(), 1..200)) {
            let passphrase = Passphrase::new("x".to_owned());
            let _ = decode(Path::new("key.pem"), &text, passphrase.as_ref());
            for label in [PLAIN_LABEL, SEALED_LABEL, PUBLIC_LABEL] {
                prop_assert!(decode_der(label, &der, passphrase.as_ref()).is_err());
            }
        }

        #[test]
        fn no_damage_to_a_file_makes_the_reader_panic(at in 0_usize..48, bit in 0_u8..8, cut in 0_usize..48) {
            let key = SecretKey::from_seed([1; 32]);
            let pem = encode(&key, None, [0; RANDOM_BYTES]).unwrap();
            let (_, document) = SecretDocument::from_pem(&pem).unwrap();
            let mut der = document.as_bytes().to_vec();
            prop_assert!(decode_der(PLAIN_LABEL, &der[..cut], None).is_err());
            der[at] ^= 1 << bit;
            // Outside the seed every byte has one right value.
            prop_assert_eq!(decode_der(PLAIN_LABEL, &der, None).is_ok(), at >= 16);
        }
    }
}
