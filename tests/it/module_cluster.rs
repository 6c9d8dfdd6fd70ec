//! Three masters: commands find their slot, events stay in it, and slots move with all they hold.

use rollcall_tests::cluster::Cluster;
use rollcall_tests::{Reply, eventually, pattern};

/// A key for each node.
fn keys(cluster: &Cluster) -> Vec<String> {
    let mut cli = cluster.nodes()[0].cli();
    let names = |home: usize, cli: &mut _| {
        let mut names = (0..).map(|n| format!("room:{n}"));
        names.find(|name| cluster.home(cli, name) == home).expect("some name")
    };
    (0..3).map(|home| names(home, &mut cli)).collect()
}

#[test]
fn commands_are_sent_to_the_node_of_their_key() {
    let cluster = Cluster::start();
    let keys = keys(&cluster);
    for (home, key) in keys.iter().enumerate() {
        let (here, there) = (&cluster.nodes()[home], &cluster.nodes()[(home + 1) % 3]);
        let (mut here, mut there) = (here.cli(), there.cli());
        here.ask("PRESENCE.LEASE KEEP n1 PX 60000");
        for (command, reply) in [
            (format!("PRESENCE.ADD {key} c1 ann LEASE n1"), "1"),
            (format!("PRESENCE.GET {key}"), "[[\"c1\", \"ann\", nil, nil]]"),
            (format!("PRESENCE.SCAN {key} 0"), "[\"0\", [[\"c1\", \"ann\", nil, nil]]]"),
            (format!("PRESENCE.STATS {key}"), "[[1, 1, <n>]]"),
            (format!("PRESENCE.REM {key} c1"), "1"),
            (format!("USERSTATUS.TOUCH {key} EX 60 ann"), "1"),
            (format!("USERSTATUS.ONLINE {key} LEASE n1 EX 60 ann"), "1"),
            (format!("USERSTATUS.OFFLINE {key} LEASE n1 EX 60 ann"), "1"),
            (format!("USERSTATUS.DEL {key} ann"), "1"),
            (format!("USERSTATUS.GET {key} ann"), "[[nil, nil]]"),
        ] {
            let answer = here.ask(&command).to_string();
            assert!(pattern::matches(reply, &answer), "{command}: {answer}");
            let moved = there.ask(&command).to_string();
            let port = cluster.nodes()[home].port();
            assert!(moved.starts_with("!MOVED "), "{command}: {moved}");
            assert!(moved.ends_with(&format!(":{port}")), "{command}: {moved}");
        }
    }
    let across = cluster.nodes()[0].cli().ask(&format!("PRESENCE.STATS {} {}", keys[0], keys[1]));
    assert!(across.to_string().starts_with("!CROSSSLOT"), "{across}");
}

#[test]
fn every_master_has_leases_of_its_own() {
    let cluster = Cluster::start();
    let keys = keys(&cluster);
    let mut masters: Vec<_> = cluster.nodes().iter().map(rollcall_tests::Redis::cli).collect();
    for (cli, key) in masters.iter_mut().zip(&keys) {
        cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
        assert_eq!(cli.ask(&format!("PRESENCE.ADD {key} c1 ann LEASE n1")).number(), 1);
    }
    assert_eq!(masters[0].ask("PRESENCE.LEASE DROP n1").number(), 1);
    let empty = format!("EXISTS {}", keys[0]);
    eventually("it leaves", || (masters[0].ask(&empty).number() == 0).then_some(()));
    for (cli, key) in masters[1..].iter_mut().zip(&keys[1..]) {
        let kept = cli.ask("PRESENCE.LEASE KEEP n1 PX 60000").to_string();
        assert!(kept.ends_with(", 0, 1, 0]"), "{kept}");
        assert_eq!(cli.ask(&format!("EXISTS {key}")).number(), 1);
    }
}

#[test]
fn events_are_heard_in_the_slot_of_the_roster() {
    let cluster = Cluster::start();
    for (home, key) in keys(&cluster).iter().enumerate() {
        let (here, there) = (&cluster.nodes()[home], &cluster.nodes()[(home + 1) % 3]);
        let moved = there.cli().ask(&format!("SSUBSCRIBE {key}")).to_string();
        assert!(moved.starts_with("!MOVED "), "{moved}");
        let mut listener = here.listener(key);
        here.cli().ask(&format!("PRESENCE.ADD {key} c1 ann PX 200 NOTIFY"));
        listener.hears(
            r#"
            {"t":"join","seq":"<1>","prev":0,"clients":1,"users":1,"first":true,"info":{"user":"ann","client":"c1"}}
            {"t":"leave","seq":"<2>","prev":"<1>","clients":0,"users":0,"last":true,"why":"expired","info":{"user":"ann","client":"c1"}}
            "#,
        );
        listener.hears_nothing();
    }
}

#[test]
fn a_slot_that_moves_takes_its_rosters_along() {
    let cluster = Cluster::start();
    let key = &keys(&cluster)[0];
    let book = format!("{{{key}}}book");
    let (source, target) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    let (mut from, mut to) = (source.cli(), target.cli());
    from.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    for add in ["c1 ann LEASE n1 NOTIFY", "c2 bob PX 1500 NOTIFY", "c3 carl EX 600 NOTIFY"] {
        assert_eq!(from.ask(&format!("PRESENCE.ADD {key} {add}")).number(), 1);
    }
    assert_eq!(from.ask(&format!("USERSTATUS.ONLINE {book} LEASE n1 EX 60 ann")).number(), 1);
    let slot = from.ask(&format!("CLUSTER KEYSLOT {key}")).number();
    let (from_id, to_id) = (cluster.id(0), cluster.id(1));
    to.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}"));
    from.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}"));
    // What is still here is served here; what is not, is asked for there.
    assert_eq!(from.ask(&format!("PRESENCE.REM {key} nobody")).number(), 0);
    let migrate = format!("MIGRATE 127.0.0.1 {} '' 0 5000 KEYS {key} {book}", target.port());
    assert_eq!(from.ask(&migrate).to_string(), "OK");
    let asked = from.ask(&format!("PRESENCE.ADD {key} c4 dora EX 600 NOTIFY")).to_string();
    assert!(asked.starts_with("!ASK "), "{asked}");
    to.ask("ASKING");
    assert_eq!(to.ask(&format!("PRESENCE.ADD {key} c4 dora EX 600 NOTIFY")).number(), 1);
    for cli in [&mut to, &mut from] {
        assert_eq!(cli.ask(&format!("CLUSTER SETSLOT {slot} NODE {to_id}")).to_string(), "OK");
    }
    let mut listener = target.listener(key);
    let moved = from.ask(&format!("PRESENCE.GET {key}")).to_string();
    assert!(moved.starts_with("!MOVED "), "{moved}");
    let held = |cli: &mut rollcall_tests::Resp| {
        let lease = cli.ask("PRESENCE.LEASE LIST").array().remove(0).array();
        [lease[3].clone(), lease[4].clone()].map(|count| Reply::number(&count))
    };
    assert_eq!((held(&mut from), held(&mut to)), ([0, 0], [1, 1]));
    // The deadline and the lease are judged here now.
    let mut left = Vec::new();
    while left.len() < 2 {
        let event = listener.event();
        if event["t"] == "leave" {
            left.push((event["info"]["client"].clone(), event["why"].clone()));
            to.ask("PRESENCE.LEASE DROP n1");
        }
    }
    assert_eq!(left, [("c2".into(), "expired".into()), ("c1".into(), "lease".into())]);
    assert_eq!(to.ask(&format!("PRESENCE.STATS {key}")).to_string().get(..7), Some("[[2, 2,"));
    listener.hears_nothing();
}
