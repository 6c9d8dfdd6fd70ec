//! The rules as tables.

use super::*;
use crate::{
    config::ChannelOptions,
    token::{Reason, SubscriptionOptions},
};

const NOBODY: Asker<'static> = Asker { user: "", client: "c", insecure: false };
const ANN: Asker<'static> = Asker { user: "ann", client: "c", insecure: false };
const INSECURE: Asker<'static> = Asker { user: "", client: "c", insecure: true };
const NOW: i64 = 1_000;

/// Channels without namespace, whose options are what `set` makes them.
fn config(set: impl Fn(&mut ChannelOptions)) -> Channel {
    let mut config = Channel::default();
    set(&mut config.without_namespace);
    config
}

/// The code of a refusal, 0 for none.
fn code<T>(result: Result<T, Denied>) -> u32 {
    result.map_or_else(Denied::code, |_| 0)
}

fn claims(user: &str, channel: &str, client: &str) -> SubscriptionClaims {
    let (user, channel, client) = (user.to_owned(), channel.to_owned(), client.to_owned());
    SubscriptionClaims {
        user,
        channel,
        client,
        expire_at: None,
        options: SubscriptionOptions::default(),
    }
}

fn valid(user: &str, channel: &str, client: &str) -> Outcome<SubscriptionClaims> {
    Outcome::Valid(claims(user, channel, client))
}

#[test]
fn a_channel_is_found_by_its_name() {
    let config = Channel::default();
    assert_eq!(code(find(&config, "news")), 0);
    assert_eq!(code(find(&config, "")), 3501);
    assert_eq!(code(find(&config, "nope:x")), 102);
}

#[test]
fn who_may_subscribe_without_a_token() {
    type Set = fn(&mut ChannelOptions);
    let nothing: Set = |_| {};
    let clients: Set = |o| o.allow_subscribe_for_client = true;
    let anonymous: Set = |o| o.allow_subscribe_for_anonymous = true;
    let both: Set = |o| {
        o.allow_subscribe_for_client = true;
        o.allow_subscribe_for_anonymous = true;
    };
    let limited: Set = |o| {
        o.allow_subscribe_for_client = true;
        o.allow_user_limited_channels = true;
    };
    let (client, listed) = (Ok(Grant::Client), Ok(Grant::UserLimited));
    let (insecure, denied) = (Ok(Grant::Insecure), Err(Denied::PermissionDenied));
    for (at, (set, asker, channel, expected)) in [
        (nothing, ANN, "news", &denied),
        (nothing, INSECURE, "news", &insecure),
        (clients, ANN, "news", &client),
        (clients, NOBODY, "news", &denied),
        (anonymous, NOBODY, "news", &denied),
        (anonymous, ANN, "news", &denied),
        (both, NOBODY, "news", &client),
        (both, ANN, "$news", &denied),
        (both, INSECURE, "$news", &denied),
        (clients, ANN, "room#bob", &client),
        (limited, ANN, "room#bob,ann", &listed),
        (limited, ANN, "room#bob", &denied),
        (limited, INSECURE, "room#bob", &insecure),
        (limited, ANN, "news", &client),
        (limited, ANN, "$room#ann", &denied),
        (both, ANN, "né", &Err(Denied::BadRequest)),
        (nothing, INSECURE, "né", &Err(Denied::BadRequest)),
    ]
    .into_iter()
    .enumerate()
    {
        let config = config(set);
        let found = may_subscribe(&asker, &find(&config, channel).unwrap(), None, NOW);
        assert_eq!(&found, expected, "row {at}: {channel}");
    }
}

#[test]
fn a_token_alone_decides_where_there_is_one() {
    let config = config(|o| o.allow_subscribe_for_client = true);
    let expiring = |at| {
        Some(Outcome::Valid(SubscriptionClaims { expire_at: Some(at), ..claims("ann", "$a", "") }))
    };
    for (at, (token, expected)) in [
        (Some(valid("ann", "$a", "")), 0),
        (Some(valid("ann", "$a", "c")), 0),
        (Some(valid("ann", "$a", "other")), 3500),
        (Some(valid("ann", "a", "")), 3500),
        (Some(valid("ann", "", "")), 3500),
        (Some(valid("bob", "$a", "")), 3500),
        (Some(valid("", "$a", "")), 3500),
        (Some(Outcome::Expired), 109),
        (Some(Outcome::Invalid(Reason::Signature)), 103),
        (expiring(NOW + 1), 0),
        (expiring(NOW), 110),
    ]
    .into_iter()
    .enumerate()
    {
        let found = may_subscribe(&ANN, &find(&config, "$a").unwrap(), token, NOW);
        assert_eq!(code(found), expected, "row {at}");
    }
    let open = find(&config, "news").unwrap();
    let invalid = Some(Outcome::Invalid(Reason::Malformed));
    assert_eq!(code(may_subscribe(&INSECURE, &open, invalid, NOW)), 103);
    let granted = may_subscribe(&NOBODY, &open, Some(valid("", "news", "")), NOW);
    assert_eq!(granted, Ok(Grant::Token(claims("", "news", ""))));
}

/// Permissions of one call: for clients, for subscribers, for anonymous ones.
const PERMISSIONS: [([bool; 3], [u32; 4]); 8] = [
    // Ann, Ann subscribed, nobody, nobody subscribed
    ([false, false, false], [103, 103, 103, 103]),
    ([true, false, false], [0, 0, 103, 103]),
    ([false, true, false], [103, 0, 103, 103]),
    ([false, false, true], [103, 103, 103, 103]),
    ([true, true, false], [0, 0, 103, 103]),
    ([true, false, true], [0, 0, 0, 0]),
    ([false, true, true], [103, 0, 103, 0]),
    ([true, true, true], [0, 0, 0, 0]),
];

#[test]
fn who_may_ask_for_presence() {
    for (set, expected) in PERMISSIONS {
        let mut config = config(|o| {
            [
                o.allow_presence_for_client,
                o.allow_presence_for_subscriber,
                o.allow_presence_for_anonymous,
            ] = set;
        });
        let codes = |config: &Channel, name: &str| {
            let channel = find(config, name).unwrap();
            [(ANN, false), (ANN, true), (NOBODY, false), (NOBODY, true), (INSECURE, false)]
                .map(|(asker, subscribed)| code(may_presence(&asker, &channel, subscribed)))
        };
        assert_eq!(codes(&config, "news"), [108; 5], "{set:?}");
        assert_eq!(codes(&config, "né"), [107; 5], "{set:?}");
        config.without_namespace.presence = true;
        assert_eq!(codes(&config, "news")[..4], expected, "{set:?}");
        assert_eq!(codes(&config, "$news")[4], 0, "{set:?}");
    }
}

#[test]
fn who_may_publish() {
    for (set, expected) in PERMISSIONS {
        let config = config(|o| {
            [
                o.allow_publish_for_client,
                o.allow_publish_for_subscriber,
                o.allow_publish_for_anonymous,
            ] = set;
        });
        let channel = find(&config, "news").unwrap();
        let codes = [(ANN, false), (ANN, true), (NOBODY, false), (NOBODY, true)]
            .map(|(asker, subscribed)| code(may_publish(&asker, &channel, subscribed, b"1")));
        assert_eq!(codes, expected, "{set:?}");
        assert_eq!(code(may_publish(&INSECURE, &channel, false, b"1")), 0);
        assert_eq!(code(may_publish(&NOBODY, &channel, false, b"")), 107);
    }
}

#[test]
fn what_a_publication_may_hold() {
    use DataFormat::{Binary, Json, JsonObject, NotEmpty};
    for (data, expected) in [
        ("", [false, false, false, true]),
        ("null", [true, true, false, true]),
        ("\"\"", [true, true, false, true]),
        (" {\"a\":1}", [true, true, true, true]),
        ("{", [true, false, false, true]),
        ("{} {}", [true, false, false, true]),
        ("\u{1}", [true, false, false, true]),
    ] {
        let found = [NotEmpty, Json, JsonObject, Binary].map(|it| may_hold(it, data.as_bytes()));
        assert_eq!(found, expected, "{data:?}");
    }
}

#[test]
fn who_is_shown_joins() {
    // join_leave, force, allow_presence_for_subscriber; the requested flag; shown to Ann, to nobody
    for (set, requested, expected) in [
        ([false, true, false], false, [true, true]),
        ([true, true, false], true, [true, true]),
        ([true, false, true], true, [true, false]),
        ([true, false, true], false, [false, false]),
        ([true, false, false], true, [false, false]),
        ([false, false, true], true, [false, false]),
    ] {
        let config = config(|o| {
            [o.join_leave, o.force_push_join_leave, o.allow_presence_for_subscriber] = set;
        });
        let channel = find(&config, "news").unwrap();
        let effective = effective(&channel, Overrides::default());
        let shown = [ANN, NOBODY].map(|asker| shows_joins(&asker, &channel, effective, requested));
        assert_eq!(shown, expected, "{set:?} {requested}");
    }
}

#[test]
fn overrides_replace_options_in_both_directions() {
    let config = config(|o| o.presence = true);
    let channel = find(&config, "news").unwrap();
    let plain = effective(&channel, Overrides::default());
    assert_eq!(
        (plain.presence, plain.join_leave, plain.force_push_join_leave),
        (true, false, false)
    );
    let overrides = Overrides {
        presence: Some(false),
        join_leave: Some(true),
        force_push_join_leave: Some(true),
    };
    let other = effective(&channel, overrides);
    assert_eq!(
        (other.presence, other.join_leave, other.force_push_join_leave),
        (false, true, true)
    );
}

#[test]
fn codes_and_texts_are_those_of_the_protocol() {
    let all = [
        Denied::UnknownChannel,
        Denied::PermissionDenied,
        Denied::BadRequest,
        Denied::NotAvailable,
        Denied::TokenExpired,
        Denied::Expired,
        Denied::InvalidToken,
        Denied::EmptyChannel,
    ];
    let lines: Vec<String> =
        all.iter().map(|it| format!("{} {it} {}", it.code(), it.disconnects())).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
102 unknown channel false
103 permission denied false
107 bad request false
108 not available false
109 token expired false
110 expired false
3500 invalid token true
3501 bad request true
");
}
