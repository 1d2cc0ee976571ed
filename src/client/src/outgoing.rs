//! How requests leave this machine, for all that sends any: this client, `forward` and webhooks. Redirects are not
//! followed, because a token goes where the person said, and nowhere else. A proxy (`HTTPS_PROXY`) is used for TLS alone:
//! it would read along otherwise. Addresses that others chose are judged after the name was looked up, so that no name
//! leads inside.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ureq::config::{Config, ConfigBuilder};
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Proxy};

use crate::error::Error;
use crate::server::Server;

/// How long a connection may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How a server is reached.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Allow plain HTTP to other machines.
    pub plain_http: bool,
    /// Certificates (PEM) that vouch for the server, instead of the public authorities.
    pub authorities_pem: Option<Vec<u8>>,
}

/// What sends requests to the server that a person named, each in no more than `time_max`.
///
/// # Errors
/// [`Error::PlainHttp`] if it would be spoken to in the clear; [`Error::Unclear`] if the authorities are no certificates.
pub fn agent(server: &Server, options: &Options, time_max: Duration) -> Result<Agent, Error> {
    if !server.is_https() && !server.is_loopback() && !options.plain_http {
        return Err(Error::PlainHttp { server: server.to_string() });
    }
    let proxy = if server.is_https() { Proxy::try_from_env() } else { None };
    let mut config = config(time_max).proxy(proxy);
    if let Some(pem) = &options.authorities_pem {
        let roots = RootCerts::Specific(Arc::new(authorities(pem)?));
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    Ok(config.build().new_agent())
}

/// What sends requests to addresses that others chose: those of the public internet, and private ones only if `private`
/// says so. There is no proxy, which would look names up by itself.
pub fn agent_for_strangers(private: bool, time_max: Duration) -> Agent {
    let resolver = Public { private, inner: DefaultResolver::default() };
    Agent::with_parts(config(time_max).proxy(None).build(), DefaultConnector::default(), resolver)
}

fn config(time_max: Duration) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT_TIME_MAX))
        .timeout_global(Some(time_max))
        .user_agent(concat!("blotter/", env!("CARGO_PKG_VERSION")))
}

fn authorities(pem: &[u8]) -> Result<Vec<Certificate<'static>>, Error> {
    let bad =
        || Error::Unclear { server: "the file of authorities".to_owned(), what: "with no certificate".to_owned() };
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| bad())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(bad()) } else { Ok(found) }
}

/// Looks names up, and leaves out what is not for the public.
#[derive(Debug)]
struct Public {
    private: bool,
    inner: DefaultResolver,
}

impl Resolver for Public {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        found
            .iter()
            .filter(|address| self.private || is_public(address.ip()))
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

    /// What everybody who sends relies on, and nobody says again.
    #[test]
    fn no_agent_follows_redirects_and_a_proxy_is_for_tls_alone() {
        let agents = ["https://192.0.2.1", "http://127.0.0.1:1"].map(|url| {
            let server: Server = url.parse().unwrap();
            agent(&server, &Options::default(), Duration::from_secs(7)).unwrap()
        });
        let strangers = agent_for_strangers(true, Duration::from_secs(7));
        for agent in agents.iter().chain([&strangers]) {
            let config = agent.config();
            assert_eq!((config.max_redirects(), config.http_status_as_error()), (0, false));
            assert_eq!(config.timeouts().global, Some(Duration::from_secs(7)));
        }
        assert!(agents[1].config().proxy().is_none() && strangers.config().proxy().is_none());
    }
}
