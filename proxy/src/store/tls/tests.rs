//! What settings become, and what failed handshakes are told as.

use std::io;

use fred::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::*;
use crate::config::Secret;

#[test]
fn settings_are_taken_as_they_were_checked() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["h".to_owned()]).unwrap();
    let own = Tls {
        server_ca_pem: cert.pem(),
        cert_pem: cert.pem(),
        key_pem: Secret::new(signing_key.serialize_pem()),
        ..Tls::default()
    };
    config(&own).unwrap();
    config(&Tls { insecure_skip_verify: true, ..Tls::default() }).unwrap();
    let wrong = config(&Tls { server_ca_pem: "none".to_owned(), ..Tls::default() }).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "tls to redis: server_ca_pem: holds no certificate that can be read"
    );
}

#[test]
fn connections_of_one_shard_share_what_is_made_of_its_settings() {
    let CertifiedKey { cert, .. } = generate_simple_self_signed(["h".to_owned()]).unwrap();
    let tls = Tls { server_ca_pem: cert.pem(), ..Tls::default() };
    let other = tls.clone();
    config(&tls).unwrap();
    let again = other.made.or_make(|| -> Result<_, TlsError> { panic!("it is made once") });
    assert!(again.is_ok());
}

#[test]
fn a_name_stands_in_for_the_host() {
    let named = Tls { server_name: "redis.internal".to_owned(), ..Tls::default() };
    let name = |tls: Option<&Tls>| server("10.0.0.1", 1, tls).tls_server_name;
    assert_eq!(name(Some(&named)).as_deref(), Some("redis.internal"));
    assert_eq!(name(Some(&Tls::default())), None);
    assert_eq!(name(None), None);
}

#[test]
fn failed_handshakes_are_told_in_words() {
    let certificate = Error::InvalidCertificate;
    let mut out = Vec::new();
    for error in [
        certificate(CertificateError::UnknownIssuer),
        certificate(CertificateError::NotValidForName),
        certificate(CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("h").unwrap().to_owned(),
            presented: Vec::new(),
        }),
        certificate(CertificateError::Expired),
        certificate(CertificateError::NotValidYet),
        certificate(CertificateError::BadSignature),
        Error::AlertReceived(AlertDescription::CertificateRequired),
        Error::AlertReceived(AlertDescription::UnknownCA),
        Error::AlertReceived(AlertDescription::HandshakeFailure),
        Error::InvalidMessage(InvalidMessage::InvalidContentType),
    ] {
        // As tokio-rustls wraps it and fred shows it.
        let shown = format!("{:?}", io::Error::new(io::ErrorKind::InvalidData, error));
        out.push(plain(&shown).unwrap_or("nothing"));
    }
    assert_eq!(plain("Request timed out."), None);
    insta::assert_snapshot!(out.join("\n"), @r"
nobody we trust has signed the certificate of redis: set server_ca_pem beside tls
the certificate of redis is for another host: set server_name beside tls
the certificate of redis is for another host: set server_name beside tls
the certificate of redis has expired
the certificate of redis is not valid yet
the certificate of redis is not valid
redis wants a certificate of ours: set cert_pem and key_pem beside tls
redis does not accept our certificate: see cert_pem beside tls
redis refuses tls as we speak it
no tls is spoken at this port
");
}
