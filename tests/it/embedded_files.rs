//! The files of the embedded Redis and of the log: what upgrades, cleaners and rotation do to them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollcall_tests::process::{self, Signal, module_library, server_binary};
use rollcall_tests::{Launch, Resp, Server, config, eventually, token};
use serde_json::json;
use tempfile::TempDir;

/// Words that give a server this temporary folder.
fn temp(dir: &Path) -> [String; 2] {
    ["env".to_owned(), format!("TMPDIR={}", dir.display())]
}

/// The private folders in a temporary folder.
fn private_folders(temp: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(temp).expect("it is a folder").flatten().map(|entry| entry.path());
    entries.filter(|path| path.join("redis.sock").exists()).collect()
}

/// Removes what is in a folder, as a cleaner does.
fn empty(dir: &Path) {
    for entry in fs::read_dir(dir).expect("it is a folder").flatten() {
        fs::remove_dir_all(entry.path()).expect("it is removed");
    }
}

/// The redis-server that is installed, which may be found through links.
fn redis_server() -> PathBuf {
    let found = Command::new("sh").args(["-c", "command -v redis-server"]).output();
    let found = String::from_utf8(found.expect("sh runs").stdout).expect("a plain path");
    fs::canonicalize(found.trim()).expect("redis-server is installed")
}

/// Copies a program and lets it be run.
fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).expect("it is copied");
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("it may be run");
}

/// Puts another file in the place of one, as package managers do.
fn replace(path: &Path) {
    let new = path.with_extension("new");
    fs::write(&new, "the next version").expect("it is written");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("it may be run");
    fs::rename(new, path).expect("it is renamed");
}

/// After its redis-server was killed the server has another one, and shows who is there.
fn comes_back(server: &mut Server) {
    // A connection may still be made anew from the time before: SDKs try again as well.
    let mut ann = eventually("ann connects", || {
        let mut ann = server.websocket();
        ann.tries_to_connect(&token::of("ann")).then_some(ann)
    });
    eventually("ann enters", || {
        let command = json!({"subscribe": {"channel": "room", "join_leave": true}});
        ann.call(command).get("subscribe").map(drop)
    });
    let redis = server.embedded_redis();
    process::signal(redis, Signal::KILL);
    eventually("the redis-server is gone", || (!process::is_running(redis)).then_some(()));
    eventually("ann is shown again", || {
        let answer = server.api_answer("presence", json!({"channel": "room"}));
        (answer["result"]["presence"][ann.id()]["user"] == "ann").then_some(())
    });
}

#[test]
fn after_an_upgrade_and_a_cleaner_a_dead_redis_comes_back() {
    let (files, own) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = |name: &str| files.path().join(name);
    let (program, module, redis) = (path("rollcall"), path("module.so"), path("redis-server"));
    copy(&server_binary(), &program);
    copy(&module_library(), &module);
    copy(&redis_server(), &redis);
    let options = json!({"module": module, "redis_server": redis, "dir": path("data")});
    let launch = Launch { program: program.clone(), ..Launch::after(temp(own.path())) };
    let mut server = Server::launch(launch, config::with(json!({"engine": {"embedded": options}})));
    server.is_ready();
    server.api("update_user_status", json!({"users": ["bob"]}));
    // Redis answers before, while an earlier write is on its way to the disk.
    eventually("bob is in the data", || {
        let files = fs::read_dir(path("data").join("appendonlydir")).unwrap().flatten();
        let mut contents = files.filter_map(|file| fs::read(file.path()).ok());
        contents.any(|bytes| bytes.windows(3).any(|three| three == b"bob")).then_some(())
    });
    let upgrades: [&dyn Fn(); 5] = [
        &|| [&program, &module, &redis].into_iter().for_each(|path| replace(path)),
        &|| [&program, &module, &redis].into_iter().for_each(|path| fs::remove_file(path).unwrap()),
        &|| empty(own.path()),
        &|| fs::remove_dir_all(own.path()).unwrap(),
        &|| fs::rename(path("data"), path("moved")).unwrap(),
    ];
    for upgrade in upgrades {
        upgrade();
        comes_back(&mut server);
        let status = server.api("get_user_status", json!({"users": ["bob"]}));
        assert!(status["statuses"][0]["active"].is_number(), "{status}");
    }
}

#[test]
fn a_redis_that_cannot_be_reached_any_more_is_started_again() {
    let own = TempDir::new().unwrap();
    let mut server = Server::launch(Launch::after(temp(own.path())), config::base());
    server.is_ready();
    let mut ann = server.client("ann");
    ann.enters("room");
    let mut redis = Resp::connect(&private_folders(own.path())[0].join("redis.sock")).unwrap();
    let before = server.embedded_redis();
    empty(own.path());
    eventually("the log says so", || {
        server.log().contains("the socket of the embedded redis was removed").then_some(())
    });
    assert_eq!(ann.presence("room").as_object().unwrap().len(), 1, "connections go on");
    assert_eq!(server.embedded_redis(), before);
    redis.ask("CLIENT KILL TYPE normal SKIPME yes");
    redis.ask("CLIENT KILL TYPE pubsub");
    eventually("ann is shown again", || {
        let answer = server.api_answer("presence", json!({"channel": "room"}));
        (answer["result"]["presence"][ann.id()]["user"] == "ann").then_some(())
    });
    assert_ne!(server.embedded_redis(), before);
}

#[test]
fn folders_of_servers_in_another_pid_namespace_stay_and_those_of_dead_ones_go() {
    let own = TempDir::new().unwrap();
    let mut first = Server::launch(Launch::after(temp(own.path())), config::base());
    first.is_ready();
    let folders = private_folders(own.path());
    assert_eq!(folders.len(), 1);
    // Where namespaces are not permitted, the lock alone is seen to decide.
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let mut tried = Command::new(unshare[0]);
    tried.args(&unshare[1..]).arg("true").stderr(Stdio::null());
    let permitted = tried.status().is_ok_and(|status| status.success());
    let words = unshare.iter().filter(|_| permitted).map(|&word| word.to_owned());
    let launch = Launch::after(words.chain(temp(own.path())));
    let mut second = Server::launch(launch, config::base());
    second.is_ready();
    assert!(folders[0].join("redis.sock").exists(), "namespaces: {permitted}");
    assert_eq!(private_folders(own.path()).len(), 2);
    let redis = first.embedded_redis();
    first.kill();
    eventually("its Redis is gone", || (!process::is_running(redis)).then_some(()));
    let mut third = Server::launch(Launch::after(temp(own.path())), config::base());
    third.is_ready();
    assert!(!folders[0].exists());
    assert_eq!(private_folders(own.path()).len(), 2);
}

#[test]
fn a_temporary_folder_may_be_relative_or_long() {
    let long = TempDir::new().unwrap();
    let long = long.path().join("x".repeat(120));
    fs::create_dir(&long).unwrap();
    for dir in [Path::new("."), &long] {
        let mut server = Server::launch(Launch::after(temp(dir)), config::base());
        server.is_ready();
        comes_back(&mut server);
    }
}

#[test]
fn relative_paths_in_options_are_from_the_folder_in_which_the_server_starts() {
    let files = TempDir::new().unwrap();
    copy(&module_library(), &files.path().join("module.so"));
    copy(&redis_server(), &files.path().join("redis-server"));
    let options = json!({"module": "module.so", "redis_server": "./redis-server", "dir": "data"});
    let changes = json!({"engine": {"embedded": options}, "log": {"file": "server.log"}});
    let launch = Launch::after(["env", "-C", files.path().to_str().unwrap()]);
    let mut server = Server::launch(launch, config::with(changes));
    server.is_ready();
    comes_back(&mut server);
    assert!(files.path().join("data/appendonlydir").is_dir());
    let log = fs::read_to_string(files.path().join("server.log")).unwrap();
    assert!(log.contains("serving"), "{log}");
}

#[test]
fn a_log_file_that_was_renamed_is_opened_anew_on_the_signals_of_log_rotation() {
    let dir = TempDir::new().unwrap();
    let (log, old) = (dir.path().join("log"), dir.path().join("log.1"));
    let mut server = Server::start(config::with(json!({"log": {"file": log}})));
    for signal in [Signal::HUP, Signal::USR1] {
        fs::rename(&log, &old).unwrap();
        server.process().signal(signal);
        eventually("there is a new file", || {
            fs::read_to_string(&log).ok()?.contains("opened anew").then_some(())
        });
        let mode = fs::metadata(&log).unwrap().permissions().mode();
        assert_eq!(mode & 0o027, 0, "{mode:o}");
        let before = fs::read_to_string(&old).unwrap();
        assert!(before.ends_with('\n'), "whole lines: {before}");
    }
    // What cannot be opened anew stays open.
    fs::rename(&log, &old).unwrap();
    fs::create_dir(&log).unwrap();
    server.process().signal(Signal::USR1);
    eventually("the old file says so", || {
        fs::read_to_string(&old).ok()?.contains("cannot be opened anew").then_some(())
    });
    assert_eq!(server.http().get("/ready").status, 200);
}

#[test]
fn the_signals_of_log_rotation_do_not_end_a_server_without_a_log_file() {
    let mut server = Server::start(config::base());
    for (signal, name) in
        [(Signal::HUP, "SIGHUP"), (Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")]
    {
        server.process().signal(signal);
        eventually("the log has a line about it", || server.log().contains(name).then_some(()));
    }
    assert_eq!(server.http().get("/ready").status, 200);
}

#[test]
fn the_lock_of_a_data_folder_ends_with_a_server_that_is_killed() {
    let dir = TempDir::new().unwrap();
    let options = json!({"engine": {"embedded": {"dir": dir.path()}}});
    let mut server = Server::start(config::with(options));
    server.api("update_user_status", json!({"users": ["ann"]}));
    for _ in 0..2 {
        server.kill();
        server.run_again();
        let status = server.api("get_user_status", json!({"users": ["ann"]}));
        assert!(status["statuses"][0]["active"].is_number(), "{status}");
    }
}
