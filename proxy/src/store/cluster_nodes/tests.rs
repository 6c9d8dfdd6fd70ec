//! Replies as real servers give them, and some that none should.

use super::*;

fn tcp(host: &str, port: u16) -> RedisAddress {
    RedisAddress::Tcp { host: host.to_owned(), port }
}

fn view(text: &str) -> View {
    View::parse(text, &tcp("asked", 1), false).unwrap()
}

const NODES: &str = "\
07c3 127.0.0.1:30004@31004,host4 slave e7d1 0 1426238317239 4 connected
67ed 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922
292f :30003@31003 master - 0 1426238318243 3 connected 10923-16383 [93-<-67ed]
e7d1 127.0.0.1:30001@31001,,tls-port=0 myself,master - 0 0 1 connected 0-5459 5460
aaaa 127.0.0.1:30009@31009 master,fail - 0 0 1 disconnected
bbbb :0@0 master,noaddr - 0 0 1 disconnected
";

#[test]
fn masters_and_their_slots_are_read() {
    let view = view(NODES);
    assert_eq!(view.marks, ["[93-<-67ed]".to_owned()].into());
    let owners = Owners::of(&[view]);
    let names: Vec<String> =
        owners.masters.iter().map(|(address, _)| address.to_string()).collect();
    assert_eq!(names, ["127.0.0.1:30001", "127.0.0.1:30002", "asked:30003"]);
    let of = |slot: usize| owners.slots[slot];
    assert_eq!([of(0), of(5460), of(5461), of(16_383)], [0, 0, 1, 2]);
}

#[test]
fn nodes_are_called_by_name_when_asked() {
    let text = "a 1.1.1.1:1@2,one.example myself,master - 0 0 1 connected 0
b 2.2.2.2:1@2, master - 0 0 2 connected 1
c 3.3.3.3:1@2 master - 0 0 3 connected 2";
    let view = View::parse(text, &tcp("asked", 1), true).unwrap();
    let masters = Owners::of(&[view]).masters;
    let one = (tcp("one.example", 1), Some(tcp("1.1.1.1", 1)));
    assert_eq!(masters, [(tcp("2.2.2.2", 1), None), (tcp("3.3.3.3", 1), None), one]);
}

#[test]
fn the_newest_claim_counts() {
    let old = "a 1.1.1.1:1@2 myself,master - 0 0 5 connected 0-100
b 2.2.2.2:1@2 master - 0 0 0 connected";
    let new = "b 2.2.2.2:1@2 myself,master - 0 0 6 connected 50-100
a 1.1.1.1:1@2 master - 0 0 5 connected 0-100";
    for views in [[view(old), view(new)], [view(new), view(old)]] {
        let owners = Owners::of(&views);
        assert_eq!((owners.slots[0], owners.slots[50], owners.slots[101]), (0, 1, NOBODY));
    }
    // The same master, as two nodes see it: what it owns now is what it says now.
    let fewer = "a 1.1.1.1:1@2 myself,master - 0 0 7 connected 0-10
b 2.2.2.2:1@2 master - 0 0 0 connected";
    let owners = Owners::of(&[view(old), view(fewer)]);
    assert_eq!((owners.slots[10], owners.slots[11]), (0, NOBODY));
}

#[test]
fn what_a_node_says_of_itself_counts_more_than_hearsay() {
    let hearsay = "a 1.1.1.1:1@2 master - 0 0 5 connected 0-10\nb 2.2.2.2:1@2 myself,master - 0 0 4 connected 20-30";
    let own = "a 1.1.1.1:1@2 myself,master - 0 0 5 connected 0-11\nb 2.2.2.2:1@2 master - 0 0 4 connected 20-30";
    for views in [[view(hearsay), view(own)], [view(own), view(hearsay)]] {
        assert_eq!(Owners::of(&views).slots[11], 0);
    }
    let nobody = Owners::of(&[view("c 3.3.3.3:1@2 myself,master - 0 0 9 connected")]);
    assert!(!nobody.are_known());
}

#[test]
fn who_was_taken_out_has_no_say() {
    let inside = "a 1.1.1.1:1@2 myself,master - 0 0 1 connected 0-16383";
    let outside = "b 2.2.2.2:1@2 myself,master - 0 0 9 connected
c 3.3.3.3:1@2 master - 0 0 9 connected 0-100";
    let owners = Owners::of(&[view(inside), view(outside)]);
    assert_eq!(owners.masters, [(tcp("1.1.1.1", 1), None)]);
    assert!(owners.are_known());
    // Not even where it owns something again.
    let elsewhere = "b 2.2.2.2:1@2 myself,master - 0 0 9 connected 0-5\nc 3.3.3.3:1@2 master - 0 0 9 connected 6-100";
    let owners = Owners::of(&[view(elsewhere), view(inside)]);
    assert_eq!(owners.masters, [(tcp("1.1.1.1", 1), None)]);
    // A new one without slots is known to those inside.
    let inside = format!("{inside}\nd 4.4.4.4:1@2 master - 0 0 2 connected");
    let owners = Owners::of(&[view(&inside), view(outside)]);
    assert_eq!(owners.masters, [(tcp("1.1.1.1", 1), None), (tcp("4.4.4.4", 1), None)]);
}

#[test]
fn what_is_no_list_of_nodes_is_refused() {
    for text in [
        "ERR unknown",
        "a 1.1.1.1:1@2 master - 0 0 x connected",
        "a 1.1.1.1 master - 0 0 1 connected",
        "a 1.1.1.1:1 master - 0 0 1 connected 7-3",
        "a 1.1.1.1:1 master - 0 0 1 connected 0-16384",
        "a 1.1.1.1:99999 master - 0 0 1 connected 0",
    ] {
        assert_eq!(View::parse(text, &tcp("h", 1), false), None, "{text}");
    }
}

#[test]
fn redirections_are_read() {
    let parse = |text| Redirect::parse(text, &tcp("asked", 1));
    let address = tcp("127.0.0.1", 6381);
    let moved = Redirect::Moved { slot: 3999, address: address.clone() };
    assert_eq!(parse("MOVED 3999 127.0.0.1:6381"), Some(moved));
    assert_eq!(parse("ASK 3999 127.0.0.1:6381"), Some(Redirect::Ask { address }));
    let moved = Redirect::Moved { slot: 1, address: tcp("asked", 7) };
    assert_eq!(parse("MOVED 1 :7"), Some(moved));
    let moved = Redirect::Moved { slot: 1, address: tcp("::1", 7) };
    assert_eq!(parse("MOVED 1 ::1:7"), Some(moved));
    assert_eq!(parse("TRYAGAIN Multiple keys"), Some(Redirect::TryAgain));
    for text in ["", "ERR MOVED 1 a:1", "MOVED", "MOVED x a:1", "MOVED 1", "MOVED 1 a"] {
        assert_eq!(parse(text), None, "{text}");
    }
}
