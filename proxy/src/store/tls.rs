//! TLS to Redis: from options to what fred takes.

use std::sync::Arc;

use fred::rustls::client::WebPkiServerVerifier;
use fred::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use fred::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use fred::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use fred::rustls::server::VerifierBuilderError;
use fred::rustls::sign::SingleCertAndKey;
use fred::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use fred::rustls_native_certs::load_native_certs;
use fred::types::config::{Server, TlsConfig, TlsConnector};

use crate::config::Tls;

/// Why TLS to Redis cannot be used. What options hold was checked when they were read, so in
/// practice the system's certificates are missing.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("tls to redis: {0}")]
    Option(#[from] crate::config::TlsError),
    #[error(
        "tls to redis: this system has no certificates of authorities; install them \
         (ca-certificates) or set server_ca_pem"
    )]
    NoAuthorities,
    #[error("tls to redis: no certificate can be verified")]
    Verifier(#[from] VerifierBuilderError),
    #[error("tls to redis cannot be set up")]
    Setup(#[from] Error),
}

/// What a connection takes; made once, however many there are.
pub(super) fn config(tls: &Tls) -> Result<TlsConfig, TlsError> {
    let made = tls.made.or_make(|| make(tls))?;
    // A clone shares everything, sessions that can be resumed included.
    Ok(TlsConnector::from(ClientConfig::clone(&made)).into())
}

/// TLS 1.2 or 1.3, with the authorities, the certificate and the exceptions of `tls`.
fn make(tls: &Tls) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if tls.insecure_skip_verify {
        Arc::new(Anyone(provider.clone()))
    } else {
        let roots = Arc::new(authorities(tls)?);
        WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(match tls.identity()? {
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
        None => builder.with_no_client_auth(),
    })
}

/// A server as fred takes it: with TLS, its certificate must have the name of `tls`, or that of
/// the host.
pub(super) fn server(host: &str, port: u16, tls: Option<&Tls>) -> Server {
    let mut server = Server::new(host, port);
    let name = tls.map(|tls| tls.server_name.as_str()).filter(|name| !name.is_empty());
    server.tls_server_name = name.map(Into::into);
    server
}

fn authorities(tls: &Tls) -> Result<RootCertStore, TlsError> {
    let mut roots = tls.authorities()?;
    if roots.is_empty() {
        // Some systems hold a certificate or two that nobody can read; the others serve.
        roots.add_parsable_certificates(load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(TlsError::NoAuthorities);
    }
    Ok(roots)
}

/// What a failed handshake means, and what can be done; fred shows it as Rust writes it. The first
/// that fits is taken.
const FAILURES: &[(&str, &str)] = &[
    (
        "InvalidCertificate(UnknownIssuer",
        "nobody we trust has signed the certificate of redis: set server_ca_pem beside tls",
    ),
    (
        "InvalidCertificate(NotValidForName",
        "the certificate of redis is for another host: set server_name beside tls",
    ),
    ("InvalidCertificate(Expired", "the certificate of redis has expired"),
    ("InvalidCertificate(NotValidYet", "the certificate of redis is not valid yet"),
    ("InvalidCertificate(", "the certificate of redis is not valid"),
    (
        "AlertReceived(CertificateRequired",
        "redis wants a certificate of ours: set cert_pem and key_pem beside tls",
    ),
    ("AlertReceived(UnknownCA", NOT_ACCEPTED),
    ("AlertReceived(BadCertificate", NOT_ACCEPTED),
    ("AlertReceived(CertificateUnknown", NOT_ACCEPTED),
    ("AlertReceived(CertificateExpired", NOT_ACCEPTED),
    ("AlertReceived(UnsupportedCertificate", NOT_ACCEPTED),
    ("AlertReceived(", "redis refuses tls as we speak it"),
    ("InvalidMessage(", "no tls is spoken at this port"),
];
const NOT_ACCEPTED: &str = "redis does not accept our certificate: see cert_pem beside tls";

/// The text for people of an error in a handshake; `None` for other errors.
pub(super) fn plain(details: &str) -> Option<&'static str> {
    FAILURES.iter().find(|(part, _)| details.contains(part)).map(|(_, text)| *text)
}

/// Takes any certificate, as long as the other end holds its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

// === impl Anyone ===

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
