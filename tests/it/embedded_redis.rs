//! The embedded Redis: what can never work is said at once, and two servers never share a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rollcall_tests::process::{self, Signal, module_library};
use rollcall_tests::{Server, config, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The configuration with these options of the embedded Redis.
fn embedded(options: Value) -> Value {
    config::with(json!({"engine": {"embedded": options}}))
}

/// The server ends with a status, and a line that says all of `words`.
fn is_refused(mut server: Server, words: &[&str]) {
    let status = server.process().ended();
    let log = server.log();
    assert_eq!(status.code(), Some(1), "{words:?}: {log}");
    let said = log.replace('\n', " ");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {log}");
}

/// A program in `dir`.
fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("redis-server");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("it is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may be run");
    path
}

#[test]
fn a_module_that_is_none_ends_the_server() {
    let dir = TempDir::new().unwrap();
    let text = dir.path().join("text.so");
    fs::write(&text, "no module").unwrap();
    // The number of the architecture is in these two bytes.
    let foreign = dir.path().join("foreign.so");
    let mut library = fs::read(module_library()).unwrap();
    library[18..20].copy_from_slice(&[0xff, 0xfe]);
    fs::write(&foreign, library).unwrap();
    for path in [text, foreign] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let server = Server::spawn(embedded(json!({"module": path})));
        is_refused(server, &["engine.embedded.module", path.to_str().unwrap()]);
    }
}

#[test]
fn a_data_folder_that_cannot_be_used_ends_the_server() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let long = dir.path().join("x".repeat(300));
    for (dir, why) in [(file.join("data"), "Not a directory"), (long, "File name too long")] {
        let server = Server::spawn(embedded(json!({"dir": dir})));
        is_refused(server, &["engine.embedded.dir", dir.to_str().unwrap(), why]);
    }
}

#[test]
fn why_the_server_ends_is_in_the_log_file_too() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    let engine = json!({"embedded": {"redis_server": "/bin/true"}});
    let server = Server::spawn(config::with(json!({"engine": engine, "log": {"file": log}})));
    is_refused(server, &["not a redis-server"]);
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("ERROR") && log.contains("not a redis-server"), "{log}");
}

#[test]
fn a_program_that_is_no_redis_server_ends_the_server() {
    for program in ["/bin/true", "/bin/cat"] {
        let server = Server::spawn(embedded(json!({"redis_server": program})));
        is_refused(server, &[program, "not a redis-server", "engine.embedded.redis_server"]);
    }
}

#[test]
fn a_redis_server_that_is_too_old_ends_the_server() {
    let dir = TempDir::new().unwrap();
    let version = "Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64";
    let old = script(dir.path(), &format!("[ \"$1\" = --version ] && echo '{version}'; exit 1"));
    let server = Server::spawn(embedded(json!({"redis_server": old})));
    is_refused(server, &[old.to_str().unwrap(), "6.2.14", "7.0 or later"]);
}

#[test]
fn a_program_that_only_sleeps_ends_the_server_and_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let sleeper = script(dir.path(), "echo $$ >> pids; sleep 1000 & echo $! >> pids; wait");
    let mut server = Server::spawn(embedded(json!({"redis_server": sleeper})));
    // Nothing tells it from one that is slow but the time.
    let limit = std::time::Duration::from_secs(120);
    rollcall_tests::within(limit, "the server ends", || server.process().has_ended());
    let pids = fs::read_to_string(server.dir().join("pids")).unwrap();
    is_refused(server, &[sleeper.to_str().unwrap(), "not a redis-server", "no answer"]);
    for pid in pids.lines() {
        let pid = pid.parse().unwrap();
        eventually("what it started is gone", || (!process::is_running(pid)).then_some(()));
    }
}

#[test]
fn broken_data_ends_the_server_with_the_words_of_redis() {
    let dir = TempDir::new().unwrap();
    let config = embedded(json!({"dir": dir.path()}));
    let mut server = Server::start(config.clone());
    server.api("update_user_status", json!({"users": ["ann"]}));
    server.process().signal(Signal::TERM);
    server.process().ended();
    let aof = dir.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let mut bytes = fs::read(&aof).unwrap();
    bytes[0] = b'?';
    fs::write(&aof, bytes).unwrap();
    is_refused(Server::spawn(config), &["ended (exit status: 1)", "Bad file format"]);
}

#[test]
fn two_servers_do_not_share_a_data_folder() {
    let dir = TempDir::new().unwrap();
    let config = embedded(json!({"dir": dir.path()}));
    let mut first = Server::start(config.clone());
    let pid = first.process().id().to_string();
    let words = ["engine.embedded.dir", dir.path().to_str().unwrap(), &pid];
    is_refused(Server::spawn(config.clone()), &words);
    first.api("update_user_status", json!({"users": ["ann"]}));
    first.process().signal(Signal::TERM);
    first.process().ended();
    let second = Server::start(config);
    let status = second.api("get_user_status", json!({"users": ["ann"]}));
    assert!(status["statuses"][0]["active"].is_number(), "{status}");
}

#[test]
fn a_server_waits_for_the_redis_server_of_one_that_was_killed() {
    let (dir, files) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    // Told to end, it takes until `go` is there, or the test over.
    let until_go = "while [ -d $dir ] && [ ! -e $dir/go ]; do sleep 0.01; done";
    let text = format!(
        "dir={}; trap \"kill \\$pid; wait \\$pid; {until_go}; exit\" TERM\n\
         redis-server \"$@\" & pid=$!; wait $pid",
        files.path().display()
    );
    let slow = script(files.path(), &text);
    let mut first = Server::start(embedded(json!({"dir": dir.path(), "redis_server": slow})));
    first.api("update_user_status", json!({"users": ["ann"]}));
    let redis = first.embedded_redis();
    first.kill();
    let mut second = Server::spawn(embedded(json!({"dir": dir.path()})));
    eventually("the second one waits", || {
        let waits = "waiting for the redis-server of a server that was killed";
        second.log().contains(waits).then_some(())
    });
    assert!(process::children(second.process().id()).is_empty(), "there is one at a time");
    fs::write(files.path().join("go"), "").unwrap();
    second.is_ready();
    assert!(!process::is_running(redis));
    let status = second.api("get_user_status", json!({"users": ["ann"]}));
    assert!(status["statuses"][0]["active"].is_number(), "{status}");
}

/// What a process that lives as long as its server needs is started by a thread that does, too: the
/// kernel ends a child when the thread ends that started it.
#[test]
fn redis_server_is_started_by_a_thread_that_stays() {
    let mut server = Server::start(config::base());
    for _ in 0..2 {
        let redis = server.embedded_redis();
        let tasks = format!("/proc/{}/task", server.process().id());
        // The kernel may leave one out while others end.
        let parent = eventually("a thread has it as its child", || {
            fs::read_dir(&tasks).unwrap().find_map(|task| {
                let task = task.ok()?.path();
                let children = fs::read_to_string(task.join("children")).ok()?;
                let is_parent = children.split_whitespace().any(|child| child == redis.to_string());
                is_parent.then(|| fs::read_to_string(task.join("comm")).unwrap())
            })
        });
        assert_eq!(parent, "embedded-redis\n");
        process::signal(redis, Signal::KILL);
        eventually("it is gone", || (!process::is_running(redis)).then_some(()));
    }
}

#[test]
fn why_it_ends_is_said_once_until_that_changes() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("state");
    fs::write(&state, "").unwrap();
    // It fails as the file says, and works while that is empty.
    let text = "why=$(cat $(dirname $0)/state); [ -z \"$why\" ] && exec redis-server \"$@\"; \
                echo $why; echo tried >> $(dirname $0)/tries; exit 1";
    let program = script(dir.path(), text);
    let mut server = Server::start(embedded(json!({"redis_server": program})));
    let tries = || fs::read_to_string(dir.path().join("tries")).unwrap_or_default().lines().count();
    let mut seen = 0;
    for why in ["no memory", "no room on the disk"] {
        fs::write(&state, why).unwrap();
        if seen == 0 {
            process::signal(server.embedded_redis(), Signal::KILL);
        }
        eventually("it was tried several times", || (tries() >= seen + 3).then_some(()));
        seen = tries();
    }
    fs::write(&state, "").unwrap();
    server.is_ready();
    let log = server.log();
    for why in ["no memory", "no room on the disk"] {
        let said = log.lines().filter(|line| line.contains("ERROR") && line.contains(why)).count();
        assert_eq!(said, 1, "{why}: {log}");
    }
    assert!(log.contains("the embedded redis is there again"), "{log}");
}

#[test]
fn a_redis_that_stands_still_does_not_hold_up_a_stop() {
    for timeout in ["30s", "0s"] {
        let mut server = Server::start(config::with(json!({"shutdown": {"timeout": timeout}})));
        process::signal(server.embedded_redis(), Signal::STOP);
        let begun = Instant::now();
        server.process().signal(Signal::TERM);
        assert!(server.process().ended().success());
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_data_folder_is_locked_also_without_its_lock_files() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let changes = json!({"engine": {"embedded": {"dir": data}}});
    let _first = Server::start(config::with(changes.clone()));
    for entry in fs::read_dir(&data).unwrap().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".lock") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let mut second = Server::spawn(config::with(changes));
    assert!(!second.process().ended().success());
    assert!(second.log().contains("is in use by another server"), "{}", second.log());
}
