//! An authority of a test's own, and what it signs.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use tempfile::TempDir;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// An authority, and a folder with the files that it made.
#[derive(Debug)]
pub struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

// === impl Certificates ===

impl Certificates {
    /// A new authority that nobody else trusts.
    pub fn new() -> Self {
        let mut params = named("an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key is made");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority is made");
        let dir = TempDir::with_prefix("rollcall-tls-").expect("a temporary directory");
        let made = Self { authority, dir };
        fs::write(made.file("ca.pem"), made.authority()).expect("the certificate is written");
        made
    }

    /// The certificate of the authority, PEM; also in the file `ca.pem`.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }

    /// A certificate for the hosts `names` and its key, PEM; also in the files `<file>.pem` and
    /// `<file>.key`.
    pub fn signed(&self, file: &str, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().expect("a key is made");
        let mut params = named(file);
        params.subject_alt_names = CertificateParams::new(names).expect("hosts").subject_alt_names;
        let signed = params.signed_by(&key, &self.authority).expect("it is signed").pem();
        let key = key.serialize_pem();
        fs::write(self.file(&format!("{file}.pem")), &signed).expect("the certificate is written");
        fs::write(self.file(&format!("{file}.key")), &key).expect("the key is written");
        (signed, key)
    }

    /// The path of a file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Options of a redis-server that speaks TLS on `port` with the certificate in `<file>.pem`.
    pub fn options(&self, port: u16, file: &str) -> Vec<String> {
        let path = |name: &str| self.file(name).display().to_string();
        vec![
            format!("tls-port {port}"),
            format!("tls-cert-file {}", path(&format!("{file}.pem"))),
            format!("tls-key-file {}", path(&format!("{file}.key"))),
            format!("tls-ca-cert-file {}", path("ca.pem")),
            "tls-auth-clients no".to_owned(),
        ]
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

/// Who a certificate is for; no two are called the same, or OpenSSL takes one for the other.
fn named(what: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let name = format!("{what} {}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
