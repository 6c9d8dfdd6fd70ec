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
const YES: Option<Denied> = None;
const NO: Option<Denied> = Some(Denied::PermissionDenied);

/// Channels without namespace, whose options are what `set` makes them.
fn config(set: impl Fn(&mut ChannelOptions)) -> Channel {
    let mut config = Channel::default();
    set(&mut config.without_namespace);
    config
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
    assert_eq!(find(&config, "news").err(), None);
    assert_eq!(find(&config, "").err(), Some(Denied::EmptyChannel));
    assert_eq!(find(&config, "nope:x").err(), Some(Denied::UnknownChannel));
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
        (Some(valid("ann", "$a", "")), YES),
        (Some(valid("ann", "$a", "c")), YES),
        (Some(valid("ann", "$a", "other")), Some(Denied::InvalidToken)),
        (Some(valid("ann", "a", "")), Some(Denied::InvalidToken)),
        (Some(valid("ann", "", "")), Some(Denied::InvalidToken)),
        (Some(valid("bob", "$a", "")), Some(Denied::InvalidToken)),
        (Some(valid("", "$a", "")), Some(Denied::InvalidToken)),
        (Some(Outcome::Expired), Some(Denied::TokenExpired)),
        (Some(Outcome::Invalid(Reason::Signature)), NO),
        (expiring(NOW + 1), YES),
        (expiring(NOW), Some(Denied::Expired)),
    ]
    .into_iter()
    .enumerate()
    {
        let found = may_subscribe(&ANN, &find(&config, "$a").unwrap(), token, NOW);
        assert_eq!(found.err(), expected, "row {at}");
    }
    let open = find(&config, "news").unwrap();
    let invalid = Some(Outcome::Invalid(Reason::Malformed));
    assert_eq!(may_subscribe(&INSECURE, &open, invalid, NOW).err(), NO);
    let granted = may_subscribe(&NOBODY, &open, Some(valid("", "news", "")), NOW);
    assert_eq!(granted, Ok(Grant::Token(claims("", "news", ""))));
}

/// Permissions of one call: for clients, for subscribers, for anonymous ones.
const PERMISSIONS: [([bool; 3], [Option<Denied>; 4]); 8] = [
    // Ann, Ann subscribed, nobody, nobody subscribed
    ([false, false, false], [NO, NO, NO, NO]),
    ([true, false, false], [YES, YES, NO, NO]),
    ([false, true, false], [NO, YES, NO, NO]),
    ([false, false, true], [NO, NO, NO, NO]),
    ([true, true, false], [YES, YES, NO, NO]),
    ([true, false, true], [YES, YES, YES, YES]),
    ([false, true, true], [NO, YES, NO, YES]),
    ([true, true, true], [YES, YES, YES, YES]),
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
        let found = |config: &Channel, name: &str| {
            let channel = find(config, name).unwrap();
            [(ANN, false), (ANN, true), (NOBODY, false), (NOBODY, true), (INSECURE, false)]
                .map(|(asker, subscribed)| may_presence(&asker, &channel, subscribed).err())
        };
        assert_eq!(found(&config, "news"), [Some(Denied::NotAvailable); 5], "{set:?}");
        assert_eq!(found(&config, "né"), [Some(Denied::BadRequest); 5], "{set:?}");
        config.without_namespace.presence = true;
        assert_eq!(found(&config, "news")[..4], expected, "{set:?}");
        assert_eq!(found(&config, "$news")[4], YES, "{set:?}");
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
        let found = [(ANN, false), (ANN, true), (NOBODY, false), (NOBODY, true)].map(
            |(asker, subscribed)| {
                may_publish(&asker, &channel, subscribed, &Info::Json(b"1")).err()
            },
        );
        assert_eq!(found, expected, "{set:?}");
        assert_eq!(may_publish(&INSECURE, &channel, false, &Info::Json(b"1")).err(), YES);
        assert_eq!(
            may_publish(&NOBODY, &channel, false, &Info::None).err(),
            Some(Denied::BadRequest)
        );
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
        let found = [NotEmpty, Json, JsonObject, Binary]
            .map(|it| may_hold(it, &Info::classify(data.as_bytes())));
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
