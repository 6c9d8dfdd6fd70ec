//! Valkey 9: slots that migrate atomically. The target has the keys before it has the slots, and
//! follows the source until then.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rollcall_tests::cluster::Cluster;
use rollcall_tests::copies::held;
use rollcall_tests::{Redis, Reply, Resp, eventually};

/// A roster and a book in one slot, a roster in another, all of the first node.
struct Scene {
    cluster: Cluster,
    room: String,
    book: String,
    other: String,
    slots: String,
}

// === impl Scene ===

impl Scene {
    /// `None` where the server does not know of such migrations.
    fn start() -> Option<Self> {
        let cluster = Cluster::start();
        let mut cli = cluster.nodes()[0].cli();
        let known = cli.ask("COMMAND INFO cluster|migrateslots").to_string() != "[nil]";
        if !known {
            let ask = format!("CLUSTER MIGRATESLOTS SLOTSRANGE 0 0 NODE {}", cluster.id(1));
            let reply = cli.ask(&ask).to_string();
            assert!(reply.to_lowercase().starts_with("!err unknown subcommand"), "{reply}");
            assert!(cluster.nodes()[0].valkey() < Some([9, 0, 0]));
            return None;
        }
        let own = |name: &String| cluster.home(&mut cluster.nodes()[0].cli(), name) == 0;
        let mut names = (0..).map(|n| format!("room:{n}")).filter(own);
        let (room, other) = (names.next()?, names.next()?);
        let [a, b] = [&room, &other].map(|key| cli.ask(&format!("CLUSTER KEYSLOT {key}")).number());
        let (slots, book) = (format!("{a} {a} {b} {b}"), format!("{{{room}}}book"));
        Some(Self { cluster, room, book, other, slots })
    }

    fn nodes(&self) -> (&Redis, &Redis) {
        (&self.cluster.nodes()[0], &self.cluster.nodes()[1])
    }

    /// Ten of n1, five of n2, some by deadlines that pass now, soon and late.
    fn fill(&self) {
        let (source, target) = self.nodes();
        let mut cli = source.cli();
        for node in ["n1", "n2"] {
            cli.ask(&format!("PRESENCE.LEASE KEEP {node} PX 60000"));
        }
        target.cli().ask("PRESENCE.LEASE KEEP n1 PX 50000");
        let (room, book, other) = (&self.room, &self.book, &self.other);
        let one = |n: usize| format!("PRESENCE.ADD {room} c{n} ann LEASE n1 NOTIFY");
        let two = |n: usize| format!("PRESENCE.ADD {room} d{n} bob LEASE n2 NOTIFY");
        let rest = [
            format!("PRESENCE.ADD {room} now carl PX 1500 NOTIFY"),
            format!("PRESENCE.ADD {room} soon carl PX 8000 NOTIFY"),
            format!("PRESENCE.ADD {room} late carl EX 600 NOTIFY"),
            format!("PRESENCE.ADD {other} c1 ann LEASE n1 NOTIFY"),
            format!("PRESENCE.ADD {other} d1 bob LEASE n2"),
            format!("USERSTATUS.ONLINE {book} LEASE n1 EX 600 ann"),
            format!("USERSTATUS.ONLINE {book} LEASE n2 EX 600 bob"),
            format!("USERSTATUS.ONLINE {book} LEASE n2 EX 600 eve"),
            format!("USERSTATUS.TOUCH {book} EX 600 carl"),
        ];
        for command in (0..10).map(one).chain((0..5).map(two)).chain(rest) {
            assert_eq!(cli.ask(&command).to_string(), "1", "{command}");
        }
    }

    /// Begins, and goes no further than to the point where the target follows the source.
    fn migrate_halfway(&self) {
        let mut cli = self.nodes().0.cli();
        assert_eq!(cli.ask("DEBUG SLOTMIGRATION PREVENT-PAUSE 1").to_string(), "OK");
        let id = self.cluster.id(1);
        let begin = format!("CLUSTER MIGRATESLOTS SLOTSRANGE {} NODE {id}", self.slots);
        assert_eq!(cli.ask(&begin).to_string(), "OK");
        self.reaches("waiting-to-pause");
    }

    fn reaches(&self, state: &str) {
        let state = format!("\"state\", \"{state}\"");
        eventually(&format!("the migration is at {state}"), || {
            let list = self.nodes().0.cli().ask("CLUSTER GETSLOTMIGRATIONS").to_string();
            assert!(!list.contains("\"failed\""), "{list}");
            list.contains(&state).then_some(())
        });
    }

    /// Clients come and go, wherever the slot is, until told to stop; who is there then.
    fn traffic(&self, stop: &AtomicBool) -> BTreeSet<String> {
        let (source, target) = self.nodes();
        let (mut cli, mut there) = (source.cli(), BTreeSet::new());
        let mut done = |command: &str| {
            let mut reply = cli.ask(command).to_string();
            if reply.starts_with("!MOVED ") {
                cli = target.cli();
                reply = cli.ask(command).to_string();
            }
            assert_eq!(reply, "1", "{command}");
        };
        let room = &self.room;
        for n in 0.. {
            let holder = if n % 2 == 0 { "LEASE n1" } else { "EX 600" };
            done(&format!("PRESENCE.ADD {room} w{n} dan {holder} NOTIFY"));
            there.insert(format!("w{n}"));
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if n >= 5 {
                done(&format!("PRESENCE.REM {room} w{}", n - 5));
                there.remove(&format!("w{}", n - 5));
            }
        }
        there
    }

    fn clients(&self, cli: &mut Resp) -> BTreeSet<String> {
        let members = cli.ask(&format!("PRESENCE.GET {}", self.room)).array().into_iter();
        members.map(|member| member.array()[0].text()).collect()
    }
}

fn nothing_left(redis: &Redis) {
    eventually("everything is gone", || {
        let fields = ["rosters", "members", "users", "books", "statuses", "entries_due"];
        let gone = |field: &&str| redis.info(&format!("rollcall_{field}")) == "0";
        fields.iter().all(gone).then_some(())
    });
    let kept = redis.cli().ask("PRESENCE.LEASE KEEP n1 PX 50000").to_string();
    assert!(kept.ends_with(", 0, 0, 0]"), "{kept}");
}

fn same(master: &Redis, replica: &Redis) {
    let digest = |redis: &Redis| redis.cli().ask("DEBUG DIGEST").text();
    eventually("the replica is the same", || (digest(replica) == digest(master)).then_some(()));
    eventually("its leases are", || {
        (held(&mut replica.cli()) == held(&mut master.cli())).then_some(())
    });
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn slots_migrate_with_all_they_hold_while_they_are_in_use() {
    let Some(scene) = Scene::start() else { return };
    let (source, target) = scene.nodes();
    let (mut from, mut to) = (source.cli(), target.cli());
    let replicas = [0, 1].map(|node| scene.cluster.replica(node));
    scene.fill();
    let mut here = source.listener(&scene.room);
    scene.migrate_halfway();
    let status = format!("USERSTATUS.GET {} bob eve carl", scene.book);
    let stop = AtomicBool::new(false);
    let (staying, was) = thread::scope(|scope| {
        let traffic = scope.spawn(|| scene.traffic(&stop));
        // What the source ends ends on the target too, by itself or before a command changes it.
        from.ask("MULTI");
        from.ask("PRESENCE.LEASE DROP n2");
        from.ask(&format!("USERSTATUS.TOUCH {} EX 600 eve", scene.book));
        assert_eq!(from.ask("EXEC").to_string(), "[1, 1]");
        eventually("the source ends what is due", || {
            let ended = ["leaves_lease", "leaves_expired"];
            let ended = ended.map(|field| source.info(&format!("rollcall_{field}")));
            (ended == ["6", "1"] && source.info("rollcall_entries_due") == "0").then_some(())
        });
        let was = from.ask(&status).to_string();
        from.ask("DEBUG SLOTMIGRATION PREVENT-PAUSE 0");
        scene.reaches("success");
        eventually("clients come to the target", || {
            (target.info("rollcall_joins") != "0").then_some(())
        });
        stop.store(true, Ordering::Relaxed);
        (traffic.join().expect("the traffic runs to its end"), was)
    });
    heard_at_the_source(&here.until_the_end());
    assert_eq!(to.ask(&status).to_string(), was);
    let mut there = target.listener(&scene.room);
    eventually("the deadline passes on the target", || {
        (!scene.clients(&mut to).contains("soon")).then_some(())
    });
    let mut ours: BTreeSet<String> = (0..10).map(|n| format!("c{n}")).collect();
    let even = |name: &&String| name[1..].parse::<u32>().is_ok_and(|n| n % 2 == 0);
    ours.extend(staying.iter().filter(even).cloned());
    let mut all = &ours | &staying;
    all.insert("late".to_owned());
    assert_eq!(scene.clients(&mut to), all);
    let kept = to.ask("PRESENCE.LEASE KEEP n1 PX 50000").array();
    // One of them in the other room.
    let entries = i64::try_from(ours.len() + 1).expect("some");
    assert_eq!(kept[1..], [0, entries, 1].map(Reply::Number));
    // It came with what it held then, and has its full time.
    assert_eq!(held(&mut to)[1], "\"n2\" 60000 0 0");
    nothing_left(source);
    same(target, &replicas[1]);
    same(source, &replicas[0]);
    to.ask("PRESENCE.LEASE DROP n1");
    eventually("it ends", || (target.info("rollcall_entries_due") == "0").then_some(()));
    let leaves = there.so_far().into_iter().filter(|event| event["why"] == "lease");
    let mut left: Vec<_> = leaves.map(|leave| text(&leave["info"]["client"]).to_owned()).collect();
    left.sort_unstable();
    assert_eq!(left, Vec::from_iter(ours), "each leaves once");
    same(target, &replicas[1]);
}

/// Nobody left but who had to, and nothing was missed.
fn heard_at_the_source(events: &[serde_json::Value]) {
    for pair in events.windows(2) {
        assert_eq!(pair[0]["seq"], pair[1]["prev"], "{pair:?}");
    }
    let mut lease = 0;
    for event in events.iter().filter(|event| event["t"] != "join") {
        let (client, why) = (text(&event["info"]["client"]), text(&event["why"]));
        match &client[..1] {
            "w" => assert_eq!(why, "removed", "{event}"),
            "n" | "s" => assert_eq!(why, "expired", "{event}"),
            "d" => {
                assert_eq!(why, "lease", "{event}");
                lease += 1;
            }
            _ => panic!("{event}"),
        }
    }
    assert_eq!(lease, 5);
}

#[test]
fn a_migration_that_is_cancelled_leaves_everything_where_it_was() {
    let Some(scene) = Scene::start() else { return };
    let (source, target) = scene.nodes();
    let mut from = source.cli();
    let replicas = [0, 1].map(|node| scene.cluster.replica(node));
    scene.fill();
    eventually("the brief one leaves", || {
        (source.info("rollcall_leaves_expired") == "1").then_some(())
    });
    let mut here = source.listener(&scene.room);
    let mut before = scene.clients(&mut from);
    // It may leave meanwhile.
    before.insert("soon".to_owned());
    scene.migrate_halfway();
    assert_eq!(held(&mut source.cli())[0], "\"n1\" 60000 11 1");
    eventually("the target has what the source has", || {
        let there = held(&mut target.cli());
        (there == ["\"n1\" 50000 11 1", "\"n2\" 60000 6 2"]).then_some(())
    });
    assert_eq!(from.ask("CLUSTER CANCELSLOTMIGRATIONS").to_string(), "OK");
    nothing_left(target);
    same(target, &replicas[1]);
    let mut after = scene.clients(&mut from);
    after.insert("soon".to_owned());
    assert_eq!(after, before);
    let kept = from.ask("PRESENCE.LEASE KEEP n1 PX 60000").to_string();
    assert!(kept.ends_with(", 0, 11, 1]"), "{kept}");
    eventually("a deadline is kept", || (!scene.clients(&mut from).contains("soon")).then_some(()));
    assert_eq!(here.event()["info"]["client"], "soon");
    here.hears_nothing();
    same(source, &replicas[0]);
}
