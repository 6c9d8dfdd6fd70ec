//! PEM in every form, and everything that can be wrong with it.

use std::{fs, path::PathBuf};

use rcgen::{CertifiedKey as Made, KeyPair, generate_simple_self_signed};
use serde_json::{Value, json};

use super::{
    super::section::{Place, Setting},
    *,
};

/// A certificate and its key, as PEM.
fn made() -> (String, String) {
    let Made { cert, signing_key } = generate_simple_self_signed(["redis".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

/// What is found in `tls`, and the settings.
fn read(options: Value) -> (String, Tls) {
    let mut tls = TlsOptions::default();
    let mut findings = Findings::default();
    tls.read(&options, &Place::file("f"), &mut findings);
    if findings.errors.is_empty() {
        tls.check("tls", &mut findings);
    }
    assert!(!format!("{tls:?}").contains("BEGIN"));
    ([findings.errors, findings.warnings].concat().join("\n"), tls.settings())
}

fn check(options: Value) -> String {
    read(options).0
}

/// A file that is gone when this is.
struct Kept(PathBuf);

fn kept(name: &str, text: &str) -> Kept {
    let path = std::env::temp_dir().join(format!("rollcall-tls-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    Kept(path)
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn pem_is_text_base64_or_a_file() {
    let (cert, key) = made();
    let (of_cert, of_key) = (kept("cert", &cert), kept("key", &key));
    let wrapped = STANDARD.encode(&cert).chars().enumerate().fold(String::new(), |out, (at, c)| {
        let newline = if at % 76 == 75 { "\n" } else { "" };
        format!("{out}{c}{newline}")
    });
    for options in [
        json!({"server_ca_pem": cert, "cert_pem": cert, "key_pem": key}),
        json!({"server_ca_pem": wrapped, "cert_pem": STANDARD.encode(&cert),
            "key_pem": STANDARD.encode(&key)}),
        json!({"server_ca_pem": of_cert.0, "cert_pem": of_cert.0, "key_pem": of_key.0}),
    ] {
        let (found, tls) = read(options);
        assert_eq!(found, "");
        assert_eq!((&tls.server_ca_pem, &tls.cert_pem), (&cert, &cert));
        assert_eq!(tls.key_pem.expose(), key);
        assert_eq!(tls.authorities().unwrap().len(), 1);
        assert!(tls.identity().unwrap().is_some());
    }
}

#[test]
fn chains_and_bundles_are_read_whole() {
    let ((one, key), (other, _)) = (made(), made());
    let both = format!("one\n{one}\nother\n{other}");
    let (found, tls) = read(json!({"server_ca_pem": both, "cert_pem": both, "key_pem": key}));
    assert_eq!(found, "");
    assert_eq!(tls.authorities().unwrap().len(), 2);
    assert_eq!(tls.identity().unwrap().unwrap().cert.len(), 2);
}

#[test]
fn nothing_is_nothing() {
    let (found, tls) = read(json!({"server_ca_pem": "", "cert_pem": " \n", "enabled": true}));
    assert_eq!((found.as_str(), tls.clone()), ("", Tls::default()));
    assert!(tls.authorities().unwrap().is_empty() && tls.identity().unwrap().is_none());
}

#[test]
fn what_is_no_pem_is_refused_without_being_shown() {
    let (empty, dir) = (kept("empty", "hunter2"), std::env::temp_dir());
    insta::assert_snapshot!(check(json!({"key_pem": "hunter2"})), @"f: key_pem: is neither PEM nor base64 of it nor a file: No such file or directory (os error 2)");
    insta::assert_snapshot!(check(json!({"server_ca_pem": empty.0})), @"f: server_ca_pem: the file holds no PEM");
    insta::assert_snapshot!(check(json!({"server_ca_pem": dir})), @"f: server_ca_pem: is neither PEM nor base64 of it nor a file: Is a directory (os error 21)");
    insta::assert_snapshot!(check(json!({"cert_pem": 5, "key_pem": ["hunter2"]})), @r"
f: cert_pem: expected PEM, base64 of it or a path, got a number
f: key_pem: expected PEM, base64 of it or a path, got a list
");
    insta::assert_snapshot!(check(json!({"cert_pem": STANDARD.encode("hunter2")})), @"f: cert_pem: is neither PEM nor base64 of it nor a file: No such file or directory (os error 2)");
}

#[test]
fn certificates_and_keys_must_fit() {
    let ((cert, key), (_, other)) = (made(), made());
    let other_kind = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let cut = &cert[..cert.len() / 2];
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let garbled = "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n";
    insta::assert_snapshot!([
        json!({"cert_pem": cert}),
        json!({"key_pem": key}),
        json!({"cert_pem": cert, "key_pem": other}),
        json!({"cert_pem": key, "key_pem": key}),
        json!({"cert_pem": cert, "key_pem": cert}),
        json!({"cert_pem": cut, "key_pem": key}),
        json!({"cert_pem": garbled, "key_pem": key}),
        json!({"cert_pem": cert, "key_pem": encrypted}),
        json!({"cert_pem": cert, "key_pem": other_kind}),
        json!({"server_ca_pem": key}),
        json!({"server_ca_pem": cut}),
        json!({"server_ca_pem": garbled}),
    ].map(check).join("\n"), @r"
tls.cert_pem: has no use without key_pem
tls.key_pem: has no use without cert_pem
tls.key_pem: is not the key of cert_pem
tls.cert_pem: holds no certificate that can be read
tls.key_pem: holds no private key; encrypted ones are not read
tls.cert_pem: holds no certificate that can be read
tls.cert_pem: holds no certificate that can be read
tls.key_pem: holds no private key; encrypted ones are not read
tls.key_pem: is of a kind that is not supported: use RSA, P-256 or Ed25519
tls.server_ca_pem: holds no certificate that can be read
tls.server_ca_pem: holds no certificate that can be read
tls.server_ca_pem: holds no certificate that can be read
");
}

#[test]
fn usual_kinds_of_keys_are_read() {
    for kind in
        [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
    {
        let key = KeyPair::generate_for(kind).unwrap();
        let cert = rcgen::CertificateParams::new(["redis".to_owned()]).unwrap();
        let cert = cert.self_signed(&key).unwrap().pem();
        assert_eq!(check(json!({"cert_pem": cert, "key_pem": key.serialize_pem()})), "");
    }
}

#[test]
fn names_and_warnings() {
    insta::assert_snapshot!(check(json!({"server_name": "not a name"})), @"tls.server_name: expected a host name or an IP address");
    insta::assert_snapshot!(check(json!({"client_ca_pem": "x", "ca": "y"})), @r"
f: ca: unknown option, ignored
f: client_ca_pem: unknown option, ignored
");
    insta::assert_snapshot!(check(json!({"insecure_skip_verify": true})), @"tls.insecure_skip_verify: any certificate is taken, so whoever is in between can read and change everything; use server_ca_pem");
    assert_eq!(check(json!({"server_name": "10.0.0.1"})), "");
    assert_eq!(check(json!({"server_name": "redis.internal"})), "");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text: String, pem in "-----BEGIN (CERTIFICATE|PRIVATE KEY)-----\n[A-Za-z0-9+/=\n]{0,60}\n(-----END (CERTIFICATE|PRIVATE KEY)-----)?") {
        for text in [text, pem] {
            check(json!({"server_ca_pem": text, "cert_pem": text, "key_pem": text}));
        }
    }
}
