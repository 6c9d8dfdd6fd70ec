//! Files that are cut short or broken: the server refuses them or goes on with what is whole. It
//! never crashes, and what it goes on with is right.

use std::fs;
use std::path::{Path, PathBuf};

use rollcall_tests::traffic::KEYS;
use rollcall_tests::{Random, Redis, Reply, Resp, Traffic, eventually};

const DEBUG: &str = "enable-debug-command yes";
/// The server's own types may check what a flipped bit makes of ours.
const SANITIZE: &str = "sanitize-dump-payload yes";

/// Rosters and books with everything that they can hold.
fn fill(cli: &mut Resp, traffic: &mut Traffic) {
    let mut random = Random::new(50);
    for _ in 0..60 {
        traffic.step(cli);
        let (node, user) = (random.below(3), random.below(20));
        let (book, seconds) = (random.below(2), 100 + random.below(1000));
        cli.ask(&format!("USERSTATUS.TOUCH book:{book} EX {seconds} u{user} t{user}"));
        // There may be no such lease just now.
        cli.ask(&format!("USERSTATUS.ONLINE book:{book} LEASE n{node} EX {seconds} u{user}"));
    }
    cli.ask("PRESENCE.LEASE KEEP n0 PX 600000");
    cli.ask("PRESENCE.ADD held c1 ann LEASE n0 NOTIFY");
    cli.ask("USERSTATUS.ONLINE book:0 LEASE n0 EX 100 ann");
}

/// What the module believes of its values is what they are, and ends go on as ever. Deadlines and
/// holders are `intact` when no bit was flipped.
fn is_sound(redis: &Redis, intact: bool, what: &str) {
    let mut cli = redis.cli();
    let count =
        |field: &str| -> i64 { redis.info(&format!("rollcall_{field}")).parse().expect("a count") };
    let (leases, reloaded) = (cli.ask("PRESENCE.LEASE LIST"), cli.ask("DEBUG RELOAD"));
    assert_eq!(reloaded.to_string(), "OK", "{what}");
    for lease in leases.array() {
        let node = lease.array().remove(0).text();
        cli.call(&["PRESENCE.LEASE", "DROP", &node]);
    }
    eventually(&format!("{what}: what is due leaves"), || {
        let briefs = if intact { briefs(&mut cli) } else { 0 };
        (count("entries_due") == 0 && briefs == 0).then_some(())
    });
    // Deadlines, flipped ones too, may pass between two questions.
    eventually(&format!("{what}: the counts agree"), || {
        counts_agree(redis, &mut cli).then_some(())
    });
    assert!(!intact || cli.ask("EXISTS held").number() == 0, "{what}: its lease has ended");
    let keeps = cli.ask("PRESENCE.LEASE KEEP n0 PX 60000").to_string();
    assert!(keeps.ends_with(", 1, 0, 0]"), "{what}: {keeps}");
    cli.ask("FLUSHALL");
    for field in ["rosters", "members", "users", "books", "statuses"] {
        assert_eq!(count(field), 0, "{what}: {field}");
    }
}

/// Whether rosters are as large as they say, and together as large as the module believes.
fn counts_agree(redis: &Redis, cli: &mut Resp) -> bool {
    let (mut members, mut fine) = (0, true);
    for key in cli.ask("KEYS *").array() {
        // Bits of names may be flipped too.
        let Reply::Bulk(key) = key else { panic!("no name: {key}") };
        if cli.call(&[b"TYPE", &key[..]]).to_string() == "rollcallP" {
            let stats = cli.call(&[b"PRESENCE.STATS", &key[..]]).array().remove(0).array();
            let read = cli.call(&[b"PRESENCE.GET", &key[..]]).array();
            fine &= usize::try_from(stats[0].number()).ok() == Some(read.len());
            members += read.len();
        }
    }
    fine && redis.info("rollcall_members") == members.to_string()
}

/// How many are there whose time is some milliseconds.
fn briefs(cli: &mut Resp) -> usize {
    let read = |key: &&str| cli.ask(&format!("PRESENCE.GET {key}")).to_string();
    KEYS.iter().map(read).map(|members| members.matches("[\"s").count()).sum()
}

/// Files of a server that was stopped, and their contents.
struct Files {
    redis: Redis,
    /// What is done to them leaves every record as it was, or away.
    intact: bool,
    of: Vec<(PathBuf, Vec<u8>)>,
}

impl Files {
    fn of(redis: Redis) -> Self {
        let dir = redis.dir().join("appendonlydir");
        let dir = if dir.is_dir() { dir } else { redis.dir().to_owned() };
        let files = fs::read_dir(dir).expect("there are files");
        let is_data = |path: &PathBuf| {
            path.extension().is_some_and(|kind| ["aof", "rdb"].iter().any(|data| kind == *data))
        };
        let paths = files.map(|file| file.expect("a file").path()).filter(is_data);
        let of = paths.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect();
        Self { redis, intact: false, of }
    }

    /// The one whose name contains `part`.
    fn named(&self, part: &str) -> (PathBuf, Vec<u8>) {
        let is = |path: &Path| path.to_str().is_some_and(|path| path.contains(part));
        self.of.iter().find(|(path, _)| is(path)).expect("there is one").clone()
    }

    /// Starts with `bytes` in place of a file; whether the server could. All is as before then.
    fn with(&mut self, path: &Path, bytes: &[u8], what: &str) -> bool {
        fs::write(path, bytes).expect("the file is written");
        let started = self.redis.try_run();
        let log = match &started {
            Ok(()) => {
                is_sound(&self.redis, self.intact, what);
                let log = self.redis.log();
                self.redis.kill();
                log
            }
            Err(log) => log.clone(),
        };
        for sign in ["BUG REPORT", "panicked", "crashed by signal"] {
            assert!(!log.contains(sign), "{what}:\n{log}");
        }
        for (path, bytes) in &self.of {
            fs::write(path, bytes).expect("the file is written");
        }
        started.is_ok()
    }
}

/// A stopped server with a rewritten AOF and some commands after it.
fn aof(preamble: &str, truncated: &str, seed: u64) -> Files {
    let options = [
        DEBUG,
        SANITIZE,
        "appendonly yes",
        "auto-aof-rewrite-percentage 0",
        &format!("aof-use-rdb-preamble {preamble}"),
        &format!("aof-load-truncated {truncated}"),
        "rdbchecksum no",
    ];
    let mut redis = Redis::with(&options);
    let mut cli = redis.cli();
    let mut traffic = Traffic::new(seed);
    fill(&mut cli, &mut traffic);
    cli.ask("BGREWRITEAOF");
    eventually("the AOF is rewritten", || {
        let done = ["in_progress:0", "scheduled:0"].map(|is| format!("aof_rewrite_{is}"));
        let info = cli.ask("INFO persistence").text();
        done.iter().all(|line| info.contains(line)).then_some(())
    });
    fill(&mut cli, &mut traffic);
    redis.stop();
    Files::of(redis)
}

#[test]
fn a_cut_aof_is_loaded_up_to_the_cut_or_refused() {
    for (preamble, truncated) in [("yes", "yes"), ("no", "yes"), ("yes", "no")] {
        let mut files = aof(preamble, truncated, 51);
        files.intact = true;
        let mut random = Random::new(52);
        let (path, bytes) = files.named(".incr.");
        for _ in 0..8 {
            let cut = 1 + random.below(bytes.len() - 1);
            let what = format!("preamble {preamble}, {truncated}, cut at {cut}");
            let started = files.with(&path, &bytes[..cut], &what);
            // It may have been between two commands.
            assert!(started || truncated == "no", "{what}");
        }
    }
}

#[test]
fn a_broken_aof_is_refused_or_loaded_without_what_is_broken() {
    for preamble in ["yes", "no"] {
        let mut files = aof(preamble, "yes", 61);
        let mut random = Random::new(62);
        let mut loaded = 0;
        for round in 0..24 {
            let name = [".incr.", ".base."][round % 2];
            let (path, mut bytes) = files.named(name);
            let at = flip(&mut bytes, &mut random);
            let what = format!("preamble {preamble}, {name} flipped at {at}");
            loaded += usize::from(files.with(&path, &bytes, &what));
        }
        assert!(loaded > 0, "some bits are in names: {loaded}");
    }
}

#[test]
fn a_broken_rdb_is_refused_or_loaded() {
    for checksum in ["yes", "no"] {
        let checked = format!("rdbchecksum {checksum}");
        let mut redis = Redis::with(&[DEBUG, SANITIZE, "save 3600 1", &checked]);
        fill(&mut redis.cli(), &mut Traffic::new(71));
        redis.stop();
        let mut files = Files::of(redis);
        let mut random = Random::new(72);
        let mut loaded = 0;
        for _ in 0..24 {
            let (path, mut bytes) = files.named("dump.rdb");
            let at = flip(&mut bytes, &mut random);
            let what = format!("checksum {checksum}, flipped at {at}");
            loaded += usize::from(files.with(&path, &bytes, &what));
        }
        // Bits of the checksum itself do not count where there is none.
        assert!(checksum == "yes" && loaded == 0 || checksum == "no" && loaded > 0, "{loaded}");
    }
}

fn flip(bytes: &mut [u8], random: &mut Random) -> usize {
    let at = random.below(bytes.len());
    bytes[at] ^= 1 << random.below(8);
    at
}
