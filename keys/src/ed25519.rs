//! Ed25519 with one strict verdict (RFC 8032 §5.1): keys canonical and in the prime-order subgroup, s < L, R canonical
//! and not of small order, the equation without the cofactor. Never a batch.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// The 32 bytes are not a key that may be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical public key of the prime-order subgroup")]
pub struct KeyError;

/// The signature is not one of this key over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A public key that passed every check of [`PublicKey::from_bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key behind the 32 bytes of RFC 8032 §5.1.2.
    ///
    /// # Errors
    /// If the bytes are not the canonical encoding of a point of the prime-order subgroup other than the identity.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError)?;
        let point = key.to_edwards();
        let canonical = point.compress().as_bytes() == bytes;
        if canonical && !point.is_small_order() && point.is_torsion_free() { Ok(Self(key)) } else { Err(KeyError) }
    }

    /// The 32 bytes of RFC 8032 §5.1.2.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The verdict on one signature.
    ///
    /// # Errors
    /// If it is not a strict signature of this key over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| BadSignature)
    }
}

/// A private key: the seed of RFC 8032 §5.1.5.
pub struct SecretKey {
    key: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// The key grown from 32 random bytes.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        Self { public: PublicKey(key.verifying_key()), key }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of RFC 8032 §5.1.6 over `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}
