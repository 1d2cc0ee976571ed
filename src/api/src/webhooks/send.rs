//! One request to one endpoint: signed, without redirects, never to a private address unless that is allowed.

use std::time::Duration;

use blotter_client::agent_for_strangers;
use blotter_keys::ed25519::{PublicKey, SecretKey};

use super::config::Endpoint;

/// How long one try may take.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Why a try failed.
pub(crate) struct Failed {
    pub(crate) why: String,
    /// There is no use in trying again.
    pub(crate) gone: bool,
}

pub(crate) struct Sender {
    agent: ureq::Agent,
    url: String,
}

impl Sender {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let agent = agent_for_strangers(endpoint.allow_private, TIME_MAX);
        Self { agent, url: endpoint.url.clone() }
    }

    /// Sends a message; any status of 2xx takes it, 410 ends it.
    pub(crate) fn send(&self, key: &SecretKey, id: &str, timestamp_s: i64, body: &str) -> Result<(), Failed> {
        let sent = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header("webhook-signature", signature(key, id, timestamp_s, body))
            .send(body);
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Failed { why: format!("it answered {}", answer.status()), gone: answer.status() == 410 }),
            Err(error) => Err(Failed { why: error.to_string(), gone: false }),
        }
    }
}

/// `webhook-signature`: `v1a,` and the Ed25519 signature over `<id>.<timestamp>.<body>` (Standard Webhooks, asymmetric).
pub fn signature(key: &SecretKey, id: &str, timestamp_s: i64, body: &str) -> String {
    format!("v1a,{}", base64(&key.sign(format!("{id}.{timestamp_s}.{body}").as_bytes())))
}

/// `whpk_…`: the public half, as receivers are given it.
pub fn public_key_text(key: &PublicKey) -> String {
    format!("whpk_{}", base64(key.as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    blotter_keys::base64std::encode(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_over_id_time_and_body() {
        let key = SecretKey::from_seed([7; 32]);
        let text = signature(&key, "msg_1", 5, "{}");
        let bytes = blotter_keys::base64std::decode(text.strip_prefix("v1a,").unwrap()).unwrap();
        key.public().verify(b"msg_1.5.{}", &bytes.try_into().unwrap()).unwrap();
    }
}
