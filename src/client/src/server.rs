//! A server's address as a person typed it: what logins are signed for, so it is never taken from an answer.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;

/// Where a server is: `https://host[:port][/path]`, or `http://…`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    url: String,
    host: String,
    is_https: bool,
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not a server's address: {why}")]
pub struct BadServer {
    url: String,
    why: &'static str,
}

impl Server {
    /// The address, as typed but for a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether it is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether it is this very machine, by a name that nobody else answers to.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Server {
    type Err = BadServer;

    fn from_str(text: &str) -> Result<Self, BadServer> {
        let url = text.trim_end_matches('/').to_owned();
        let bad = |why| BadServer { url: text.to_owned(), why };
        let uri: Uri = url.parse().map_err(|_| bad("not a URL"))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it begins with https://, or with http://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a name and password are not for here; a token is read from a file"));
        }
        if url.contains(['?', '#']) {
            return Err(bad("nothing may stand behind its path"));
        }
        let host = authority.host().to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        Ok(Self { url, host, is_https })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_it_was_typed_without_the_slash() {
        for (typed, kept, is_https, is_loopback) in [
            ("https://ledger.example.org", "https://ledger.example.org", true, false),
            ("https://ledger.example.org:8443/", "https://ledger.example.org:8443", true, false),
            ("http://127.0.0.1:80/blotter/", "http://127.0.0.1:80/blotter", false, true),
            ("http://[::1]:8443", "http://[::1]:8443", false, true),
            ("http://localhost:1", "http://localhost:1", false, true),
            ("http://localhost.example.org", "http://localhost.example.org", false, false),
            ("http://127.0.0.1.example.org", "http://127.0.0.1.example.org", false, false),
            ("http://10.0.0.1", "http://10.0.0.1", false, false),
        ] {
            let server: Server = typed.parse().unwrap();
            assert_eq!((server.as_str(), server.is_https(), server.is_loopback()), (kept, is_https, is_loopback));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in
            ["", "ledger.example.org", "ftp://x", "https://", "https://a:b@x", "https://x/?a=b", "https://x/#a", "a b"]
        {
            assert!(bad.parse::<Server>().is_err(), "{bad}");
        }
    }
}
