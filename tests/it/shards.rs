//! Channels spread over several Redis, of one kind and of several.

use std::thread;
use std::time::Duration;

use rollcall_tests::cluster::{BRITTLE, Cluster};
use rollcall_tests::config::over;
use rollcall_tests::sentinel::Sentinels;
use rollcall_tests::{Redis, Resp, Scene, Server, Stopwatch, config, eventually, token};
use serde_json::{Value, json};

/// A server on these addresses, in this order.
fn on(addresses: &[Value]) -> Value {
    let redis = json!({"address": addresses, "io_timeout": "2s"});
    config::with(json!({"engine": {"type": "redis", "redis": redis}}))
}

fn on_all(shards: &[Redis]) -> Value {
    on(&shards.iter().map(|redis| redis.address().into()).collect::<Vec<_>>())
}

fn masters(shards: &[Redis]) -> Vec<Resp> {
    shards.iter().map(Redis::cli).collect()
}

/// The first address of a configuration.
fn address(config: &Value) -> Value {
    config["engine"]["redis"]["address"][0].clone()
}

#[test]
fn one_of_three_redis_is_lost_and_the_others_serve_on() {
    let mut shards = [(); 3].map(|()| Redis::start());
    let mut scene = Scene::of_two(&on_all(&shards), || masters(&shards));
    for redis in &shards {
        assert_ne!(redis.info("rollcall_members"), "0", "every Redis has some");
    }
    // Channels and where they are.
    let home = |name: &str| {
        let key = format!("EXISTS rollcall:p:{name}");
        shards.iter().position(|redis| redis.cli().ask(&key).number() == 1).expect("somewhere")
    };
    let gone = home(&scene.channels[0]);
    let served = scene.channels.iter().find(|name| home(name) != gone).expect("another").clone();
    let away = scene.channels[0].clone();
    scene.during(|servers| {
        shards[gone].kill();
        let params = |channel: &str| json!({"channel": channel});
        eventually("what is there is known to be away", || {
            servers[0].api_answer("presence", params(&away)).get("error").map(|_| ())
        });
        let start = Stopwatch::start();
        servers[0].api("presence", params(&served));
        servers[1].api("publish", json!({"channel": served, "data": 1}));
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        thread::sleep(Duration::from_secs(3));
        shards[gone].run();
    });
    scene.converges(|| masters(&shards));
}

#[test]
fn all_of_two_redis_are_flushed() {
    let shards = [(); 2].map(|()| Redis::start());
    let mut scene = Scene::of_two(&on_all(&shards), || masters(&shards));
    scene.during(|_| {
        for redis in &shards {
            redis.cli().ask("FLUSHALL");
        }
    });
    scene.converges(|| masters(&shards));
}

#[test]
fn a_server_a_sentinel_group_and_a_cluster_are_three_shards() {
    let redis = Redis::start();
    let mut group = Sentinels::start(1);
    let mut cluster = Cluster::with(BRITTLE);
    let config =
        on(&[redis.address().into(), address(&group.config()), address(&cluster.config())]);
    let masters = |group: &Sentinels, cluster: &Cluster| {
        let mut masters = vec![redis.cli()];
        let master = eventually("the Sentinels agree", || group.master());
        masters.push(group.redis[master].cli());
        masters.extend(cluster.nodes().iter().map(Redis::cli));
        masters
    };
    let mut scene = Scene::of_two(&config, || masters(&group, &cluster));
    scene.during(|_| {
        redis.cli().ask("FLUSHALL");
        let old = group.kill_master();
        cluster.kill(1);
        group.fails_over_from(old);
        cluster.run(1);
        cluster.serves_all_slots(cluster.nodes().iter());
    });
    scene.converges(|| masters(&group, &cluster));
}

#[test]
fn user_status_is_in_a_redis_of_its_own() {
    let (engine, mut own) = (Redis::start(), Redis::start());
    let status = json!({"user_status": {"redis": {"address": own.address()}}});
    let mut scene = Scene::of_two(&over(on(&[engine.address().into()]), status), || {
        vec![engine.cli(), own.cli()]
    });
    assert_eq!(engine.info("rollcall_books"), "0");
    assert_eq!(own.info("rollcall_rosters"), "0");
    scene.during(|servers| {
        own.kill();
        eventually("statuses are away", || {
            let params = json!({"users": ["s0u0"]});
            servers[0].api_answer("get_user_status", params).get("error").map(|_| ())
        });
        // Presence is not.
        servers[0].api("presence", json!({"channel": "room0"}));
        thread::sleep(Duration::from_secs(3));
        own.run();
    });
    scene.converges(|| vec![engine.cli(), own.cli()]);
}

#[test]
fn three_servers_on_two_redis_are_one() {
    let shards = [(); 2].map(|()| Redis::start());
    let servers = [(); 3].map(|()| Server::start(on_all(&shards)));
    let mut clients: Vec<_> =
        servers.iter().enumerate().map(|(n, server)| server.client(&format!("u{n}"))).collect();
    for n in 0..6 {
        let room = format!("room{n}");
        for client in &mut clients {
            client.subscribe(&room);
        }
        servers[n % 3].api("publish", json!({"channel": room, "data": "settled"}));
        for client in &mut clients {
            client.pushes_until("settled");
        }
        let everyone = servers[0].api("presence", json!({"channel": room}));
        assert_eq!(everyone["presence"].as_object().unwrap().len(), 3);
        for server in &servers[1..] {
            assert_eq!(server.api("presence", json!({"channel": room})), everyone);
        }
        let stats = json!({"num_clients": 3, "num_users": 3});
        assert_eq!(servers[n % 3].api("presence_stats", json!({"channel": room})), stats);
    }
    let now = token::now();
    for server in &servers {
        // Who does not answer within a second is shown as it was when it said so last.
        eventually("it hears from the others", || {
            let info = server.api("info", json!({}));
            let nodes = info["nodes"].as_array()?;
            (nodes.len() == 3 && nodes.iter().all(|node| node["num_clients"] == 1)).then_some(())
        });
        let users = json!({"users": ["u0", "u1", "u2"]});
        let statuses = server.api("get_user_status", users)["statuses"].clone();
        for status in statuses.as_array().unwrap() {
            assert!(status["online"].as_u64().unwrap().abs_diff(now) <= 2, "{status}");
        }
    }
}
