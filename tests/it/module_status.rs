//! Status books: when a user was last active and last online.

use rollcall_tests::{Redis, Resp, eventually, token};

/// `[active, online]` of a user.
fn status(cli: &mut Resp, user: &str) -> (Option<u64>, Option<u64>) {
    let statuses = cli.ask(&format!("USERSTATUS.GET book {user}")).array();
    let times: Vec<_> = statuses.into_iter().next().expect("a status").array();
    let time = |n: usize| times[n].to_string().parse().ok();
    (time(0), time(1))
}

fn is_now(time: Option<u64>) -> bool {
    time.is_some_and(|time| time.abs_diff(token::now()) <= 2)
}

#[test]
fn a_touch_makes_users_active_now() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.session(
        r"
        > USERSTATUS.GET book ann
        [[nil, nil]]
        > USERSTATUS.TOUCH book EX 60 ann bob ann
        3
        > USERSTATUS.GET book nobody ann ann
        [[nil, nil], [<n>, nil], [<n>, nil]]
        ",
    );
    assert!(is_now(status(&mut cli, "bob").0));
}

#[test]
fn a_held_user_is_online_now_and_a_released_one_was_online() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.session(
        r"
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > PRESENCE.LEASE KEEP n2 PX 60000
        [<n>, 1, 0, 0]
        > USERSTATUS.ONLINE book LEASE n1 EX 600 ann bob
        2
        > USERSTATUS.ONLINE book LEASE n1 EX 600 ann carl
        1
        > USERSTATUS.ONLINE book LEASE n2 EX 600 ann
        1
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 0, 0, 3]
        > USERSTATUS.OFFLINE book LEASE n1 EX 600 ann nobody
        1
        > USERSTATUS.OFFLINE book LEASE n1 EX 600 ann
        0
        ",
    );
    let before = status(&mut cli, "ann").1.expect("online while n2 holds");
    eventually("held means online now", || (status(&mut cli, "ann").1? > before).then_some(()));
    cli.session("> USERSTATUS.OFFLINE book LEASE n2 EX 600 ann\n1");
    let released = status(&mut cli, "ann").1;
    assert!(is_now(released));
    let start = token::now();
    eventually("two seconds pass", || (token::now() > start + 1).then_some(()));
    assert_eq!(status(&mut cli, "ann").1, released, "nobody holds ann any more");
}

#[test]
fn a_delete_clears_times_but_not_live_holders() {
    Redis::start().cli().session(
        r"
        > PRESENCE.LEASE KEEP n1 PX 60000
        [<n>, 1, 0, 0]
        > USERSTATUS.TOUCH book EX 600 ann bob
        2
        > USERSTATUS.ONLINE book LEASE n1 EX 600 ann
        1
        > USERSTATUS.DEL book ann bob nobody
        2
        > USERSTATUS.GET book ann bob
        [[nil, <n>], [nil, nil]]
        > USERSTATUS.DEL book bob
        0
        > USERSTATUS.OFFLINE book LEASE n1 EX 600 ann
        1
        > USERSTATUS.DEL book ann
        1
        > EXISTS book
        0
        ",
    );
}

#[test]
fn the_end_of_a_lease_takes_its_users_offline() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 300");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 600 ann");
    eventually("the lease ends", || {
        let info = cli.ask("PRESENCE.LEASE LIST").to_string();
        (info == "[]").then_some(())
    });
    let ended = status(&mut cli, "ann").1;
    assert!(is_now(ended), "{ended:?}");
    let start = token::now();
    eventually("two seconds pass", || (token::now() > start + 1).then_some(()));
    assert_eq!(status(&mut cli, "ann").1, ended, "online became the moment it ended");
}

#[test]
fn a_record_goes_when_its_time_is_up_and_a_held_one_stays() {
    let redis = Redis::start();
    let mut cli = redis.cli();
    cli.ask("PRESENCE.LEASE KEEP n1 PX 60000");
    cli.ask("USERSTATUS.TOUCH book EX 1 ann bob carl");
    cli.ask("USERSTATUS.ONLINE book LEASE n1 EX 1 bob");
    cli.ask("USERSTATUS.TOUCH book EX 600 carl");
    eventually("ann's record expires", || (status(&mut cli, "ann").0.is_none()).then_some(()));
    assert!(status(&mut cli, "bob").0.is_some(), "a held record never expires");
    assert!(status(&mut cli, "carl").0.is_some(), "the most recent EX replaces the one before");
}

#[test]
fn bad_arguments_of_status_commands_are_errors() {
    Redis::start().cli().session(
        r"
        > USERSTATUS.TOUCH book EX 60
        !ERR wrong number of arguments<*>
        > USERSTATUS.TOUCH book EX 60 ann ''
        !ERR <*>user<*>
        > USERSTATUS.TOUCH book EX 0 ann
        !ERR <*>
        > USERSTATUS.TOUCH book PX 60 ann
        !ERR <*>
        > USERSTATUS.ONLINE book LEASE n1 EX 60 ann
        !NOLEASE <*>
        > USERSTATUS.ONLINE book LEASE '' EX 60 ann
        !ERR <*>node<*>
        > USERSTATUS.OFFLINE book LEASE n1 EX 60 ''
        !ERR <*>user<*>
        > USERSTATUS.GET book ''
        !ERR <*>user<*>
        > EXISTS book
        0
        ",
    );
}
