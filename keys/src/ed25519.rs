//! Ed25519 with one strict verdict (FORMAT.md: signatures; RFC 8032 §5.1): keys canonical, on the curve, in the
//! prime-order subgroup; s < L; R canonical and not of small order; the equation without the cofactor.
//!
//! So it accepts only what every other library accepts. It must never verify in batches: a signer can craft a
//! torsion component that a batch accepts and a single verifier refuses, and disown the statement later.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// Why 32 bytes are not a key that may be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the one encoding of a point of the curve (RFC 8032 §5.1.3).
    #[error("not the canonical encoding of a point of edwards25519")]
    NotAPoint,
    /// One of the eight points of small order, the identity among them: it would "sign" almost any message.
    #[error("a point of small order is not a public key")]
    SmallOrder,
    /// The point has a torsion component, which makes verifiers disagree.
    #[error("the public key is outside the prime-order subgroup")]
    Torsion,
}

/// The signature is not one of this key over this message. There is only this verdict: no reason is told, none is
/// needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A public key that passed every check of [`PublicKey::from_bytes`]; there is no other kind.
#[derive(Clone, Copy)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key behind the 32 bytes of RFC 8032 §5.1.2.
    ///
    /// # Errors
    /// If the bytes are no point, not its canonical encoding, of small order, or outside the prime-order subgroup.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        let point = key.to_edwards();
        // Decompression is lenient about y >= p and about the sign of x = 0; only the canonical spelling comes back.
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::NotAPoint);
        }
        if point.is_small_order() {
            return Err(KeyError::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::Torsion);
        }
        Ok(Self(key))
    }

    /// The 32 bytes of RFC 8032 §5.1.2, as they were given.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The verdict on one signature (RFC 8032 §5.1.7, cofactorless; small-order R refused besides).
    ///
    /// # Errors
    /// If s is not below L, R is not canonical or of small order, or the equation sB = R + kA does not hold.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        // Checked here too: a crate anywhere in the build could turn on dalek's `legacy_compatibility`, which drops it.
        s_below_l(signature)?;
        self.0.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| BadSignature)
    }
}

/// A public key with its multiples at hand, for whoever checks many signatures of one key.
///
/// The verdict is that of [`PublicKey::verify`], and the tests hold the two against each other. Why they can't differ:
/// both ask whether s is below L and whether compress(sB − kA) is, byte for byte, the signature's R. If it is, then R
/// is canonical and decodes to that point, so asking the computed point whether it is of small order is asking R. What
/// differs is how the two products are added up: from tables of the multiples of this key and of the base point, instead
/// of by doubling, and in time that depends on s and k, which are public.
///
/// A key's table costs about 150 µs, so it pays from the dozenth signature on, and 80 KiB. What it saves: `cargo test
/// --release -p blotter-keys --test signatures takes -- --nocapture`. (dalek's own tables cost 1.1 ms a key and save less,
/// since they work in constant time.)
pub struct PreparedKey {
    public: PublicKey,
    minus_a: Multiples<4>,
}

/// Of the base point: one table for all keys, so it may be large (640 KiB).
static MULTIPLES_OF_B: LazyLock<Multiples<8>> =
    LazyLock::new(|| Multiples::new(curve25519_dalek::constants::ED25519_BASEPOINT_POINT));

impl PreparedKey {
    /// The table for one key.
    pub fn new(public: &PublicKey) -> Self {
        Self { public: *public, minus_a: Multiples::new(-public.0.to_edwards()) }
    }

    /// The key itself.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The same verdict as [`PublicKey::verify`], sooner.
    ///
    /// # Errors
    /// As [`PublicKey::verify`].
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        let s = s_below_l(signature)?;
        let r = &signature[..32];
        let hash = Sha512::new_with_prefix(r).chain_update(self.public.as_bytes()).chain_update(message).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        let mut expected = EdwardsPoint::identity();
        MULTIPLES_OF_B.add_product(&mut expected, &s);
        self.minus_a.add_product(&mut expected, &k);
        if expected.compress().as_bytes() != r || expected.is_small_order() {
            return Err(BadSignature);
        }
        Ok(())
    }
}

/// Multiples of a point P, for digits of `BITS` bits: row i holds j · 2^(i · `BITS`) · P for j from 1 to 2^(`BITS` − 1).
struct Multiples<const BITS: usize>(Box<[EdwardsPoint]>);

impl<const BITS: usize> Multiples<BITS> {
    const ROW: usize = 1 << (BITS - 1);

    fn new(point: EdwardsPoint) -> Self {
        let mut base = point;
        let mut all = Vec::with_capacity(Self::ROW * 256 / BITS);
        for _ in 0..256 / BITS {
            let mut multiple = base;
            for _ in 0..Self::ROW {
                all.push(multiple);
                multiple += base;
            }
            // The row's last, doubled.
            base = multiple - base;
            base += base;
        }
        Self(all.into())
    }

    /// Adds `scalar` · P to `sum`.
    fn add_product(&self, sum: &mut EdwardsPoint, scalar: &Scalar) {
        let mut carry = 0;
        for (index, row) in self.0.chunks_exact(Self::ROW).enumerate() {
            // The digits d of the scalar, lowest first, each from 1 − 2^(BITS − 1) to 2^(BITS − 1), so that
            // Σ d · 2^(BITS · i) is the scalar. It is below 2^253, so nothing is carried out of the last.
            let byte = scalar.as_bytes()[index * BITS / 8];
            let value = (usize::from(byte) >> (index * BITS % 8) & ((1 << BITS) - 1)) + carry;
            carry = usize::from(value > Self::ROW);
            if carry == 1 && value < 2 * Self::ROW {
                *sum -= &row[2 * Self::ROW - value - 1];
            } else if carry == 0 && value > 0 {
                *sum += &row[value - 1];
            }
        }
    }
}

impl fmt::Debug for PreparedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedKey({:?})", self.public)
    }
}

/// s, if it is below L: else two spellings of one signature would verify (RFC 8032 §5.1.7 step 1).
fn s_below_l(signature: &[u8; 64]) -> Result<Scalar, BadSignature> {
    let (_, s) = signature.split_at(32);
    let s = s.try_into().expect("the second half of 64 bytes is 32 bytes");
    Option::from(Scalar::from_canonical_bytes(s)).ok_or(BadSignature)
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", blotter_record::base64url::encode(self.as_bytes()))
    }
}

/// A private key: the 32-byte seed of RFC 8032 §5.1.5. It is wiped when dropped and is never printed.
pub struct SecretKey {
    key: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// The key grown from a seed. The caller gives 32 bytes from the system's random source.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let key = SigningKey::from_bytes(&seed);
        // A clamped scalar is at least 2^254 and a multiple of 8, which no multiple of L below 2^255 is; so its product
        // with the base point is in the prime-order subgroup and not the identity.
        let public = PublicKey(key.verifying_key());
        Self { key, public }
    }

    /// The seed, for a key file. The copy is wiped when dropped.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of RFC 8032 §5.1.6 over `message`: deterministic, so the same bytes sign the same.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.public)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let bytes: Vec<u8> =
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    /// The judge is RFC 8032 §7.1, TEST 2.
    #[test]
    fn the_rfc_8032_example_signs_and_verifies_to_the_byte() {
        let key = SecretKey::from_seed(hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let r = hex::<32>("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da");
        let s = hex::<32>("085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        let signature = [r, s].concat().try_into().unwrap();
        assert_eq!(key.public().as_bytes(), &public);
        assert_eq!(key.sign(&[0x72]), signature);
        assert_eq!(PublicKey::from_bytes(&public).unwrap().verify(&[0x72], &signature), Ok(()));
        assert_eq!(key.public().verify(&[0x73], &signature), Err(BadSignature));
    }

    #[test]
    fn a_key_grown_from_a_seed_passes_the_checks_of_a_foreign_key() {
        for byte in 0..=255 {
            let key = SecretKey::from_seed([byte; 32]);
            assert_eq!(PublicKey::from_bytes(key.public().as_bytes()), Ok(*key.public()));
        }
    }

    #[test]
    fn keys_that_verifiers_disagree_about_are_refused() {
        use curve25519_dalek::constants::EIGHT_TORSION;

        for (index, torsion) in EIGHT_TORSION.iter().enumerate() {
            assert_eq!(PublicKey::from_bytes(torsion.compress().as_bytes()), Err(KeyError::SmallOrder), "{index}");
            let mixed = SecretKey::from_seed([7; 32]).public().0.to_edwards() + torsion;
            let expect = if index == 0 { None } else { Some(KeyError::Torsion) };
            assert_eq!(PublicKey::from_bytes(mixed.compress().as_bytes()).err(), expect, "{index}");
        }
        // y = p + 1, which is 1 again; x = 0 with a sign; y = 2, which is no point.
        let mut y_not_reduced = [0xff; 32];
        (y_not_reduced[0], y_not_reduced[31]) = (0xee, 0x7f);
        let mut minus_zero = [0; 32];
        (minus_zero[0], minus_zero[31]) = (0x01, 0x80);
        let mut no_point = [0; 32];
        no_point[0] = 2;
        for bytes in [y_not_reduced, minus_zero, no_point] {
            assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::NotAPoint));
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let key = SecretKey::from_seed([0xab; 32]);
        let text = format!("{key:?}");
        assert!(!text.contains("171") && !text.to_lowercase().contains("abab"), "{text}");
        assert!(!text.contains(&blotter_record::base64url::encode(&*key.seed())), "{text}");
    }
}
