//! What replicas and the AOF are told: the internal commands of `wire::replicated`.

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

use redis_module::raw;
use rollcall_wire::replicated as words;

use super::context::{Ctx, OwnStr};
use super::string::Str;

const PRESENCE_APPLY: &CStr = c"PRESENCE.APPLY";
const LEASEAPPLY: &CStr = c"PRESENCE.LEASEAPPLY";
const USERSTATUS_APPLY: &CStr = c"USERSTATUS.APPLY";

/// Words of every join and leave: made once, kept for ever.
static VERSION: AtomicPtr<raw::RedisModuleString> = AtomicPtr::new(std::ptr::null_mut());
static CUT: AtomicPtr<raw::RedisModuleString> = AtomicPtr::new(std::ptr::null_mut());
static PUT: AtomicPtr<raw::RedisModuleString> = AtomicPtr::new(std::ptr::null_mut());

/// A string that is made when it is first needed, and never freed.
fn shared(place: &AtomicPtr<raw::RedisModuleString>, text: &str) -> *mut raw::RedisModuleString {
    let known = place.load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    let made = std::mem::ManuallyDrop::new(OwnStr::new(text.as_bytes())).as_str().inner;
    place.store(made, Ordering::Relaxed);
    made
}

impl Ctx {
    /// An entry came or changed.
    pub(crate) fn replicate_put(&self, key: &Str, seq: u64, record: &[u8]) {
        // SAFETY: the context is live, and the arguments are what the format says: three strings,
        // a number, a buffer with its length.
        unsafe {
            api!(RedisModule_Replicate(
                self.inner,
                PRESENCE_APPLY.as_ptr(),
                c"ssslb".as_ptr(),
                key.inner,
                shared(&VERSION, words::VERSION),
                shared(&PUT, words::PUT),
                seq.cast_signed(),
                record.as_ptr(),
                record.len()
            ))
        };
    }

    /// Entries went.
    pub(crate) fn replicate_cut<'a>(
        &self,
        key: &Str,
        seq: u64,
        clients: impl Iterator<Item = &'a Str>,
    ) {
        let mut clients: Vec<_> = clients.map(|client| client.inner).collect();
        // SAFETY: the context and all strings are live, and the arguments are what the format
        // says: three strings, a number, a vector of strings with its length.
        unsafe {
            api!(RedisModule_Replicate(
                self.inner,
                PRESENCE_APPLY.as_ptr(),
                c"ssslv".as_ptr(),
                key.inner,
                shared(&VERSION, words::VERSION),
                shared(&CUT, words::CUT),
                seq.cast_signed(),
                clients.as_mut_ptr(),
                clients.len()
            ))
        };
    }

    /// The roster has a new sequence.
    pub(crate) fn replicate_seq(&self, key: &Str, seq: u64) {
        let texts = [words::VERSION, words::SEQ, &seq.to_string()];
        let own: Vec<OwnStr> = texts.iter().map(|text| OwnStr::new(text.as_bytes())).collect();
        let mut all = vec![key.inner];
        all.extend(own.iter().map(|text| text.as_str().inner));
        self.replicate_all(PRESENCE_APPLY, &mut all);
    }

    /// The highest sequence there is, whatever the key.
    pub(crate) fn replicate_seen(&self, seq: u64) {
        let texts = ["", words::VERSION, words::SEEN, &seq.to_string()];
        let own: Vec<OwnStr> = texts.iter().map(|text| OwnStr::new(text.as_bytes())).collect();
        let mut all: Vec<_> = own.iter().map(|text| text.as_str().inner).collect();
        self.replicate_all(PRESENCE_APPLY, &mut all);
    }

    pub(crate) fn replicate_lease_set(&self, node: &str, px: u64) {
        self.replicate_lease(&[words::VERSION, words::SET, node, &px.to_string()]);
    }

    pub(crate) fn replicate_lease_end(&self, node: &str, at: u32) {
        self.replicate_lease(&[words::VERSION, words::END, node, &at.to_string()]);
    }

    /// Something happened to users of a book.
    pub(crate) fn replicate_status<'a>(
        &self,
        key: &Str,
        what: &[&str],
        users: impl Iterator<Item = &'a Str>,
    ) {
        let texts = std::iter::once(&words::VERSION).chain(what);
        let own: Vec<OwnStr> = texts.map(|text| OwnStr::new(text.as_bytes())).collect();
        let mut all = vec![key.inner];
        all.extend(own.iter().map(|text| text.as_str().inner));
        all.extend(users.map(|user| user.inner));
        self.replicate_all(USERSTATUS_APPLY, &mut all);
    }

    fn replicate_lease(&self, texts: &[&str]) {
        let own: Vec<OwnStr> = texts.iter().map(|text| OwnStr::new(text.as_bytes())).collect();
        let mut all: Vec<_> = own.iter().map(|text| text.as_str().inner).collect();
        self.replicate_all(LEASEAPPLY, &mut all);
    }

    fn replicate_all(&self, command: &CStr, all: &mut [*mut raw::RedisModuleString]) {
        // SAFETY: the context and all strings are live; the server keeps references of its own.
        unsafe {
            api!(RedisModule_Replicate(
                self.inner,
                command.as_ptr(),
                c"v".as_ptr(),
                all.as_mut_ptr(),
                all.len()
            ))
        };
    }

    /// The running command as it came, which is what an applied command does.
    pub(crate) fn replicate_verbatim(&self) {
        // SAFETY: the context is live and of a command.
        unsafe { api!(RedisModule_ReplicateVerbatim(self.inner)) };
    }
}
