//! One request to one endpoint: signed, without redirects, never to a private address unless that is allowed. Addresses
//! are judged after the name was looked up, so that a name can't lead inside.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use blotter_keys::ed25519::{PublicKey, SecretKey};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

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
        let config = Config::builder()
            .timeout_global(Some(TIME_MAX))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("blotter/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Public { allow_private: endpoint.allow_private, inner: DefaultResolver::default() };
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), resolver);
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

/// Looks names up, and leaves out what is not for the public.
#[derive(Debug)]
struct Public {
    allow_private: bool,
    inner: DefaultResolver,
}

impl Resolver for Public {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        found
            .iter()
            .filter(|address| self.allow_private || is_public(address.ip()))
            .for_each(|address| allowed.push(*address));
        match allowed.is_empty() {
            true => {
                Err(ureq::Error::Other("its address is in a private network, which allow_private would allow".into()))
            }
            false => Ok(allowed),
        }
    }
}

/// Whether an address is one of the public internet's (RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a == 192 && b == 0 && c == 0))
        }
        IpAddr::V6(ip) => match embedded(&ip) {
            Some(ip) => is_public(ip),
            // Global unicast only, without documentation and benchmarking.
            None => {
                ip.segments()[0] & 0xe000 == 0x2000
                    && ip.segments()[..2] != [0x2001, 0xdb8]
                    && ip.segments()[..2] != [0x2001, 2]
            }
        },
    }
}

/// An IPv4 address in an IPv6 one: mapped, 6to4, or of NAT64.
fn embedded(ip: &Ipv6Addr) -> Option<IpAddr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(IpAddr::from([a, b, c, d]))
    };
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => v4(g, h),
        [0x2002, ..] => v4(b, c),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_called_without_leave() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "2002:0a00:0001::1",
            "64:ff9b::a00:1",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["1.1.1.1", "93.184.216.34", "2606:2800:220:1::1", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn the_signature_is_over_id_time_and_body() {
        let key = SecretKey::from_seed([7; 32]);
        let text = signature(&key, "msg_1", 5, "{}");
        let bytes = blotter_keys::base64std::decode(text.strip_prefix("v1a,").unwrap()).unwrap();
        key.public().verify(b"msg_1.5.{}", &bytes.try_into().unwrap()).unwrap();
    }
}
