//! `tls` of a Redis: how a connection that we open is encrypted, and whom it trusts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    Error, InconsistentKeys, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::CertifiedKey,
};
use serde_json::Value;

use super::{
    Secret,
    redis_shard::{Made, Tls},
    section::{Findings, a_kind, section},
    value::Leaf,
};

section! {
    /// How a connection that we open is encrypted.
    pub struct TlsOptions {
        /// Switches TLS on; the settings beside it also hold where an address asks for TLS.
        enabled: bool = false,
        /// Certificates of who may sign the server's (PEM, base64 of it or a file); empty for those of the system.
        server_ca_pem: Pem = Pem::default(),
        /// Our certificate, with those between it and who signed it (PEM, base64 of it or a file).
        cert_pem: Pem = Pem::default(),
        /// The key of our certificate (PEM, base64 of it or a file).
        key_pem: Pem = Pem::default(),
        /// Name the server's certificate must have; empty for the host of the address.
        server_name: String = String::new(),
        /// Takes any certificate, so that anyone can be at the other end.
        insecure_skip_verify: bool = false,
    }
}

/// PEM text, wherever it came from. It is not printed, as it may be a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pem(Secret);

/// Why TLS settings cannot be used: the option below `tls`, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {what}")]
pub struct TlsError {
    /// `server_ca_pem`, for one.
    pub option: &'static str,
    /// The rest of the sentence.
    pub what: &'static str,
}

const BEGIN: &str = "-----BEGIN";
const NO_CERTIFICATE: &str = "holds no certificate that can be read";

// === impl TlsOptions ===

impl TlsOptions {
    /// The settings, whether TLS is on or not.
    pub(crate) fn settings(&self) -> Tls {
        Tls {
            server_ca_pem: self.server_ca_pem.text().to_owned(),
            cert_pem: self.cert_pem.text().to_owned(),
            key_pem: self.key_pem.0.clone(),
            server_name: self.server_name.clone(),
            insecure_skip_verify: self.insecure_skip_verify,
            made: Made::default(),
        }
    }

    pub(crate) fn check(&self, option: &str, findings: &mut Findings) {
        let tls = self.settings();
        let wrong = [tls.authorities().err(), tls.identity().err(), tls.name().err()];
        for error in wrong.into_iter().flatten() {
            findings.check(false, &format!("{option}.{error}"));
        }
        if self.insecure_skip_verify {
            findings.warnings.push(format!(
                "{option}.insecure_skip_verify: any certificate is taken, so whoever is in \
                 between can read and change everything; use server_ca_pem"
            ));
        }
    }
}

// === impl Pem ===

impl Pem {
    fn text(&self) -> &str {
        self.0.expose()
    }
}

impl Leaf for Pem {
    fn from_value(value: &Value, _words: bool) -> Result<Self, String> {
        let Value::String(given) = value else {
            return Err(format!("expected PEM, base64 of it or a path, got {}", a_kind(value)));
        };
        if given.trim().is_empty() {
            return Ok(Self::default());
        }
        if given.contains(BEGIN) {
            return Ok(Self(Secret::new(given)));
        }
        let packed: String = given.split_whitespace().collect();
        let decoded = STANDARD.decode(packed).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(text) = decoded.filter(|text| text.contains(BEGIN)) {
            return Ok(Self(Secret::new(text)));
        }
        // What was given is not shown: it may be a broken key.
        let text = std::fs::read_to_string(given)
            .map_err(|error| format!("is neither PEM nor base64 of it nor a file: {error}"))?;
        if !text.contains(BEGIN) {
            return Err("the file holds no PEM".to_owned());
        }
        Ok(Self(Secret::new(text)))
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

// === impl Tls ===

impl Tls {
    /// Who may sign the server's certificate; empty for those whom the system trusts.
    pub fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        if !self.server_ca_pem.is_empty() {
            let wrong = TlsError { option: "server_ca_pem", what: NO_CERTIFICATE };
            let certificates = certificates(&self.server_ca_pem).ok_or(wrong.clone())?;
            for certificate in certificates {
                roots.add(certificate).map_err(|_| wrong.clone())?;
            }
        }
        Ok(roots)
    }

    /// Our certificate and its key, if we have one.
    pub fn identity(&self) -> Result<Option<CertifiedKey>, TlsError> {
        match (self.cert_pem.is_empty(), self.key_pem.is_empty()) {
            (true, true) => return Ok(None),
            (true, false) => return Err(wrong_key("has no use without cert_pem")),
            (false, true) => return Err(wrong_certificate("has no use without key_pem")),
            (false, false) => {}
        }
        let chain = certificates(&self.cert_pem).ok_or(wrong_certificate(NO_CERTIFICATE))?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.expose().as_bytes())
            .map_err(|_| wrong_key("holds no private key; encrypted ones are not read"))?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map(Some).map_err(|error| {
            match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    wrong_key("is not the key of cert_pem")
                }
                Error::InvalidCertificate(_) => wrong_certificate(NO_CERTIFICATE),
                _ => wrong_key("is of a kind that is not supported: use RSA, P-256 or Ed25519"),
            }
        })
    }

    /// The name the server's certificate must have, instead of the host of the address.
    pub fn name(&self) -> Result<Option<ServerName<'_>>, TlsError> {
        if self.server_name.is_empty() {
            return Ok(None);
        }
        let what = "expected a host name or an IP address";
        ServerName::try_from(self.server_name.as_str())
            .map(Some)
            .map_err(|_| TlsError { option: "server_name", what })
    }
}

fn wrong_key(what: &'static str) -> TlsError {
    TlsError { option: "key_pem", what }
}

fn wrong_certificate(what: &'static str) -> TlsError {
    TlsError { option: "cert_pem", what }
}

/// The certificates in `pem`, at least one.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests;
