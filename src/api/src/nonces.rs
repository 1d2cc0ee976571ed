//! Nonces of logins. The server remembers none that it gave out, so nobody can use them up: a nonce says by itself until
//! when it is good, under a MAC whose key only this process has. What is remembered, until it expires, is which were
//! used; those are as many as there were logins that held.

use std::collections::HashMap;
use std::sync::Mutex;

use blotter_record::base64url;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long a nonce is good, in microseconds.
pub(crate) const NONCE_US_MAX: i64 = 120 * 1_000_000;
/// Used nonces that are remembered; while there are more in two minutes, nobody signs in.
const USED_MAX: usize = 10_000;
/// What the MAC is for, so that the key could not be mistaken for another's.
const PURPOSE: &[u8] = b"blotter: nonce of a login, 1";

/// Eight bytes of time, and the random bytes behind them.
type Body = [u8; 24];

pub(crate) struct Nonces {
    key: [u8; 32],
    /// Until when each that was used would have been good.
    used: Mutex<HashMap<Body, i64>>,
}

impl Nonces {
    /// Nonces under a random key.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key, used: Mutex::default() }
    }

    /// A nonce.
    pub(crate) fn make(&self, random: [u8; 16], now_us: i64) -> String {
        let mut body: Body = [0; 24];
        body[..8].copy_from_slice(&(now_us + NONCE_US_MAX).to_be_bytes());
        body[8..].copy_from_slice(&random);
        let mac = self.mac(&body).finalize().into_bytes();
        base64url::encode(&[&body[..], &mac[..]].concat())
    }

    /// Takes a nonce back, which can be done once, and not when it is too old.
    pub(crate) fn redeem(&self, nonce: &str, now_us: i64) -> bool {
        let bytes = base64url::decode(nonce).unwrap_or_default();
        let Some((body, mac)) = bytes.split_first_chunk::<24>() else { return false };
        if self.mac(body).verify_slice(mac).is_err() {
            return false;
        }
        let (time, _) = body.split_first_chunk().expect("24 bytes have 8");
        let expires_us = i64::from_be_bytes(*time);
        if now_us >= expires_us {
            return false;
        }
        let mut used = self.used.lock().expect("no thread panics while it holds this");
        if used.len() >= USED_MAX {
            used.retain(|_, expires_us| now_us < *expires_us);
        }
        used.len() < USED_MAX && used.insert(*body, expires_us).is_none()
    }

    fn mac(&self, body: &Body) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        mac.update(PURPOSE);
        mac.update(body);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_and_not_for_long() {
        let nonces = Nonces::new([1; 32]);
        let nonce = nonces.make([1; 16], 0);
        assert!(nonces.redeem(&nonce, NONCE_US_MAX - 1) && !nonces.redeem(&nonce, NONCE_US_MAX - 1));
        assert!(!nonces.redeem(&nonces.make([2; 16], 0), NONCE_US_MAX));
    }

    #[test]
    fn a_nonce_that_was_made_up_or_changed_is_none() {
        let nonces = Nonces::new([1; 32]);
        let nonce = nonces.make([1; 16], 0);
        for at in 0..nonce.len() {
            let mut other = nonce.clone();
            let letter = if &nonce[at..=at] == "A" { "B" } else { "A" };
            other.replace_range(at..=at, letter);
            assert!(!nonces.redeem(&other, 1), "changed at {at}");
        }
        assert!(!nonces.redeem(&Nonces::new([2; 32]).make([1; 16], 0), 1), "of a process before");
        assert!(!nonces.redeem("", 1) && !nonces.redeem("AAAA", 1) && !nonces.redeem(&"A".repeat(32), 1));
        assert!(!nonces.redeem(&format!("{nonce}AA"), 1) && nonces.redeem(&nonce, 1));
    }

    #[test]
    fn however_many_are_asked_for_one_more_is_good() {
        let nonces = Nonces::new([1; 32]);
        let nonce = nonces.make([1; 16], 0);
        (0..3 * USED_MAX as u128).for_each(|n| drop(nonces.make(n.to_be_bytes(), 0)));
        assert!(nonces.redeem(&nonce, 1));
    }

    #[test]
    fn what_was_used_is_remembered_in_bounds_until_it_expires() {
        let nonces = Nonces::new([1; 32]);
        let make = |n: usize, now_us| nonces.make((n as u128).to_be_bytes(), now_us);
        for n in 0..USED_MAX {
            assert!(nonces.redeem(&make(n, 0), 1));
        }
        assert!(!nonces.redeem(&make(USED_MAX, 0), 1), "too many at once");
        assert!(!nonces.redeem(&make(0, 0), 1), "and none of them is good again");
        assert!(nonces.redeem(&make(USED_MAX, NONCE_US_MAX), NONCE_US_MAX));
        assert_eq!(nonces.used.lock().map(|used| used.len()).ok(), Some(1));
    }
}
