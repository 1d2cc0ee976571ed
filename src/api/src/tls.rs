//! TLS from a certificate chain and a key in PEM files, which are read again when they change: whoever renews the
//! certificate need not stop the server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or holds no PEM of that kind.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Certificate and key don't belong together, or can't be used.
    #[error("the certificate and its key: {0}")]
    Config(rustls::Error),
}

/// A certificate and its key, as the files have them now.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<(TlsAcceptor, [Option<SystemTime>; 2])>,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// If they can't be read or used.
    pub fn open(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let times = [modified(&certificate), modified(&key)];
        let acceptor = read(&certificate, &key)?;
        Ok(Self { certificate, key, current: RwLock::new((acceptor, times)) })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().expect("no thread panics while it holds this").0.clone()
    }

    /// Reads the files again if they changed. If they can't be used, the old ones stay, and the log says so.
    pub fn reload(&self) {
        let times = [modified(&self.certificate), modified(&self.key)];
        if self.current.read().expect("no thread panics while it holds this").1 == times {
            return;
        }
        match read(&self.certificate, &self.key) {
            Ok(acceptor) => {
                *self.current.write().expect("no thread panics while it holds this") = (acceptor, times);
                tracing::info!("the certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the new certificate can't be used; the old one stays"),
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn read(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let bad = |path: &Path, cause: String| TlsError::File { path: path.to_owned(), cause };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).map_err(|e| bad(certificate, e.to_string()))?.collect();
    let chain = chain.map_err(|e| bad(certificate, e.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(TlsError::Config)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
