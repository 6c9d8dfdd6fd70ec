//! Tokens of every kind, and what comes of them.

use super::{
    super::{
        Overrides, SubscriptionOptions,
        sign::{sign, sign_connection_token},
    },
    *,
};
use crate::config::{Client, Secret};
use crate::payload::Payload;
use std::time::Duration;

const NOW_MS: i64 = 1_700_000_000_500;

fn key() -> Secret {
    Secret::new("secret")
}

fn client(set: impl Fn(&mut config::Token)) -> Client {
    let mut client = Client::default();
    client.token.hmac_secret_key = key();
    set(&mut client.token);
    client
}

fn verifier() -> Verifier {
    Verifier::for_connections(&client(|_| {}))
}

/// What comes of a connection token with these claims.
fn connect(claims: &str) -> Outcome<ConnectionClaims> {
    verifier().connection(&sign(&key(), claims), NOW_MS)
}

fn valid(claims: &str) -> ConnectionClaims {
    match connect(claims) {
        Outcome::Valid(claims) => claims,
        other => panic!("{claims}: {other:?}"),
    }
}

fn signed<M: Mac + KeyInit>(header: &str, claims: &str, key: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mac = <M as KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    let signature = mac.chain_update(&message).finalize().into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_from_elsewhere_is_read() {
    // Made by Python's hmac: {"sub":"42","exp":4102444800}, key "secret".
    let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let payload = "eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0";
    let token = format!("{header}.{payload}.M_VfhGMqfmyf4VDriS4dpLAF_Loc8gummQeWZ_frmiQ");
    let Outcome::Valid(claims) = verifier().connection(&token, NOW_MS) else { panic!() };
    assert_eq!((claims.user.as_str(), claims.expire_at), ("42", Some(4_102_444_800)));
}

#[test]
fn our_own_tokens_are_valid_until_they_expire() {
    let now = NOW_MS / 1000;
    let token = sign_connection_token(&key(), "ann", now, Some(Duration::from_secs(10)));
    let at = |ms| verifier().connection(&token, ms);
    let Outcome::Valid(claims) = at(NOW_MS) else { panic!() };
    assert_eq!((claims.user.as_str(), claims.expire_at), ("ann", Some(now + 10)));
    assert!(matches!(at((now + 10) * 1000 - 1), Outcome::Valid(_)));
    assert_eq!(at((now + 10) * 1000), Outcome::Expired);
    let token = sign_connection_token(&key(), "", now, None);
    let Outcome::Valid(claims) = verifier().connection(&token, i64::MAX) else { panic!() };
    assert_eq!(claims, ConnectionClaims::default());
}

#[test]
fn every_hmac_is_accepted_and_nothing_else() {
    let check = |token: String| match verifier().connection(&token, NOW_MS) {
        Outcome::Invalid(reason) => Err(reason),
        _ => Ok(()),
    };
    assert_eq!(check(signed::<Hmac<Sha256>>(r#"{"alg":"HS256"}"#, "{}", "secret")), Ok(()));
    assert_eq!(check(signed::<Hmac<Sha384>>(r#"{"alg":"HS384"}"#, "{}", "secret")), Ok(()));
    assert_eq!(
        check(signed::<Hmac<Sha512>>(r#"{"typ":"JWT","alg":"HS512"}"#, "{}", "secret")),
        Ok(())
    );
    for (header, reason) in [
        (r#"{"alg":"HS384"}"#, Reason::Signature),
        (r#"{"alg":"none"}"#, Reason::Algorithm),
        (r#"{"alg":"hs256"}"#, Reason::Algorithm),
        (r#"{"alg":"RS256"}"#, Reason::Algorithm),
        (r#"{"alg":""}"#, Reason::Algorithm),
        (r#"{"alg":1}"#, Reason::Claim("alg")),
        (r#"{"typ":"JWT"}"#, Reason::Algorithm),
        (r#"{"alg"}"#, Reason::Malformed),
        (r#" {"alg":"HS256"}"#, Reason::Malformed),
    ] {
        assert_eq!(check(signed::<Hmac<Sha256>>(header, "{}", "secret")), Err(reason), "{header}");
    }
    assert_eq!(
        check(signed::<Hmac<Sha256>>(r#"{"alg":"HS256"}"#, "{}", "")),
        Err(Reason::Signature)
    );
}

#[test]
fn without_a_key_nothing_is_genuine() {
    let set: [fn(&mut config::Token); 2] = [
        |token| token.hmac_secret_key = Secret::default(),
        |token| {
            token.hmac_secret_key = Secret::default();
            token.hmac_previous_secret_key = key();
        },
    ];
    for set in set {
        let verifier = Verifier::for_connections(&client(set));
        for key in ["", "secret"] {
            let token = sign(&Secret::new(key), "{}");
            let outcome = verifier.connection(&token, NOW_MS);
            assert_eq!(outcome, Outcome::Invalid(Reason::Algorithm), "{key:?}");
        }
    }
}

#[test]
fn a_previous_key_counts_until_its_time() {
    let now = NOW_MS / 1000;
    for (until, expected) in [(0, true), (now + 1, true), (now, true), (now - 1, false)] {
        let verifier = Verifier::for_connections(&client(|token| {
            token.hmac_previous_secret_key = Secret::new("old");
            token.hmac_previous_secret_key_valid_until = until;
        }));
        let outcome = verifier.connection(&sign(&Secret::new("old"), "{}"), NOW_MS);
        assert_eq!(matches!(outcome, Outcome::Valid(_)), expected, "{until}");
        let outcome = verifier.connection(&sign(&key(), "{}"), NOW_MS);
        assert!(matches!(outcome, Outcome::Valid(_)));
    }
}

#[test]
fn subscription_tokens_have_their_own_keys_if_so_configured() {
    let mut client = client(|_| {});
    let token = sign(&key(), r#"{"sub":"ann","channel":"$a"}"#);
    let outcome =
        |client: &Client| Verifier::for_subscriptions(client).subscription(&token, NOW_MS);
    assert!(matches!(outcome(&client), Outcome::Valid(_)));
    client.subscription_token.enabled = true;
    assert_eq!(outcome(&client), Outcome::Invalid(Reason::Algorithm));
    client.subscription_token.token.hmac_secret_key = Secret::new("other");
    assert_eq!(outcome(&client), Outcome::Invalid(Reason::Signature));
}

#[test]
fn the_form_is_strict() {
    let token = sign(&key(), r#"{"sub":"ann"}"#);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    for bad in [
        String::new(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{token}.{signature}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}="),
        format!("{header}.{payload}==.{signature}"),
        format!("{header}.{payload}+.{signature}"),
        format!("{header}..{signature}"),
        format!("eyJ.{payload}.{signature}"),
        token.replacen("eyJ", "eyK", 1),
    ] {
        let outcome = verifier().connection(&bad, NOW_MS);
        assert_eq!(outcome, Outcome::Invalid(Reason::Malformed), "{bad}");
    }
    let unsigned = format!("{header}.{payload}.");
    assert_eq!(verifier().connection(&unsigned, NOW_MS), Outcome::Invalid(Reason::Signature));
}

#[test]
fn claims_of_the_wrong_type_are_invalid() {
    for (claims, claim) in [
        (r#"{"sub":42}"#, "sub"),
        (r#"{"exp":"soon"}"#, "exp"),
        (r#"{"exp":" 1"}"#, "exp"),
        (r#"{"exp":true}"#, "exp"),
        (r#"{"nbf":{}}"#, "nbf"),
        (r#"{"iat":[]}"#, "iat"),
        (r#"{"exp":1e999}"#, "exp"),
        (r#"{"expire_at":1.5}"#, "expire_at"),
        (r#"{"expire_at":"1"}"#, "expire_at"),
        (r#"{"aud":1}"#, "aud"),
        (r#"{"iss":1}"#, "iss"),
        (r#"{"jti":1}"#, "jti"),
        (r#"{"channels":"a"}"#, "channels"),
        (r#"{"channels":[1]}"#, "channels"),
        (r#"{"subs":[]}"#, "subs"),
        (r#"{"subs":{"a":1}}"#, "subs"),
        (r#"{"subs":{"a":{"override":{"presence":true}}}}"#, "presence"),
        (r#"{"subs":{"a":{"override":{"presence":{"value":1}}}}}"#, "presence"),
        (r#"{"b64info":"*"}"#, "b64info"),
        (r#"{"subs":{"a":{"b64data":"YQ"}}}"#, "b64data"),
        (r#"{"channel":1}"#, "channel"),
    ] {
        assert_eq!(connect(claims), Outcome::Invalid(Reason::Claim(claim)), "{claims}");
    }
    for claims in ["", "[]", "\"a\"", "{", "{}x", r#"{"sub":"a"}{}"#] {
        assert_eq!(connect(claims), Outcome::Invalid(Reason::Malformed), "{claims}");
    }
}

#[test]
fn names_match_in_any_case_null_is_absent_and_the_last_counts() {
    for (claims, user) in [
        (r#"{"sub":"a"}"#, "a"),
        (r#"{"SUB":"a"}"#, "a"),
        (r#"{"sub":"a","Sub":"b"}"#, "b"),
        (r#"{"sub":"a","sub":null}"#, "a"),
        (r#"{"sub":null}"#, ""),
        (r#"{"s\u0075b":"a\n","unknown":[1]}"#, "a\n"),
        ("null", ""),
        ("{}", ""),
    ] {
        assert_eq!(valid(claims).user, user, "{claims}");
    }
    let nulls = r#"{"exp":null,"nbf":null,"expire_at":null,"channels":null,"subs":null,"aud":null,
        "channel":null,"b64info":null}"#;
    assert_eq!(valid(nulls), ConnectionClaims::default());
}

#[test]
fn time_is_judged_last_and_to_the_millisecond() {
    for (claims, expected) in [
        (r#"{"exp":1700000001}"#, true),
        (r#"{"exp":"1700000001"}"#, true),
        (r#"{"exp":1700000000.6}"#, true),
        (r#"{"exp":1700000000.5}"#, false),
        (r#"{"exp":1700000000}"#, false),
        (r#"{"exp":0}"#, false),
        (r#"{"nbf":1700000000}"#, true),
        (r#"{"nbf":1700000000.5}"#, false),
        (r#"{"nbf":1700000001}"#, false),
        (r#"{"exp":1,"expire_at":1800000000}"#, false),
    ] {
        let outcome = connect(claims);
        assert_eq!(matches!(outcome, Outcome::Valid(_)), expected, "{claims}");
        assert_eq!(outcome == Outcome::Expired, !expected, "{claims}");
    }
    let old = r#"{"exp":1,"aud":"x","channel":"a"}"#;
    assert_eq!(connect(old), Outcome::Invalid(Reason::ForSubscription));
    let token = sign(&Secret::new("other"), old);
    assert_eq!(verifier().connection(&token, NOW_MS), Outcome::Invalid(Reason::Signature));
}

#[test]
fn expire_at_goes_over_exp() {
    for (claims, expire_at) in [
        (r#"{"exp":1800000000.9}"#, Some(1_800_000_000)),
        (r#"{"exp":1800000000,"expire_at":1}"#, Some(1)),
        (r#"{"exp":1800000000,"expire_at":0}"#, None),
        (r#"{"exp":1800000000,"expire_at":-5}"#, None),
        (r#"{"expire_at":1900000000}"#, Some(1_900_000_000)),
        (r"{}", None),
    ] {
        assert_eq!(valid(claims).expire_at, expire_at, "{claims}");
    }
}

#[test]
fn audience_and_issuer_are_checked_when_configured() {
    let verifier = Verifier::for_connections(&client(|token| {
        token.audience = "here".to_owned();
        token.issuer = "us".to_owned();
    }));
    for (claims, reason) in [
        (r#"{"aud":"here","iss":"us"}"#, None),
        (r#"{"aud":["there","here"],"iss":"us"}"#, None),
        (r#"{"aud":["there"],"iss":"us"}"#, Some(Reason::Audience)),
        (r#"{"iss":"us"}"#, Some(Reason::Audience)),
        (r#"{"aud":"here"}"#, Some(Reason::Issuer)),
        (r#"{"aud":"here","iss":"US","channel":"a","exp":1}"#, Some(Reason::Issuer)),
    ] {
        let outcome = verifier.connection(&sign(&key(), claims), NOW_MS);
        let found = if let Outcome::Invalid(reason) = outcome { Some(reason) } else { None };
        assert_eq!(found, reason, "{claims}");
    }
}

#[test]
fn payloads_stay_as_they_were_written() {
    let claims = valid(r#"{"info": {"b": 1,  "a":[1.0e2]} ,"meta":null}"#);
    assert_eq!(&claims.info[..], br#"{"b": 1,  "a":[1.0e2]}"#);
    assert_eq!(&claims.meta[..], b"null");
    assert_eq!(&valid(r#"{"info":1,"b64info":"AP8="}"#).info[..], [0, 255]);
    assert_eq!(&valid(r#"{"info":1,"b64info":""}"#).info[..], b"1");
    assert!(valid("{}").info.is_empty());
}

#[test]
fn server_side_subscriptions_come_from_subs_or_channels() {
    let claims = valid(
        r#"{"channels":["gone"],"subs":{"A":{"info":1,"data":null,
        "override":{"presence":{"value":true},"join_leave":{},"force_recovery":{"value":true}}},"a":null}}"#,
    );
    let overrides =
        Overrides { presence: Some(true), join_leave: Some(false), force_push_join_leave: None };
    let with_options =
        SubscriptionOptions { info: "1".into(), data: Payload::check(b"null"), overrides };
    let plain = SubscriptionOptions::default;
    assert_eq!(
        claims.subs.into_iter().collect::<Vec<_>>(),
        [("A".to_owned(), with_options), ("a".to_owned(), plain())]
    );
    let claims = valid(r#"{"channels":["b","a"],"subs":{}}"#);
    assert_eq!(claims.subs.into_keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_subscription_token_says_for_what_it_is() {
    let claims = r#"{"sub":"ann","channel":"$a","client":"c","exp":1800000000,"expire_at":1750000000,
        "info":{"role":"mod"},"b64data":"AA==","override":{"force_push_join_leave":{"value":true}}}"#;
    let verifier = Verifier::for_subscriptions(&client(|_| {}));
    let Outcome::Valid(claims) = verifier.subscription(&sign(&key(), claims), NOW_MS) else {
        panic!()
    };
    let SubscriptionClaims { user, channel, client, expire_at, options } = claims;
    assert_eq!([user, channel, client], ["ann", "$a", "c"]);
    assert_eq!(expire_at, Some(1_750_000_000));
    assert_eq!(options.info, &br#"{"role":"mod"}"#[..]);
    assert_eq!(options.data, Payload::check(&[0]));
    assert_eq!(options.overrides.force_push_join_leave, Some(true));
    let old = sign(&key(), r#"{"channel":"$a","exp":1}"#);
    assert_eq!(verifier.subscription(&old, NOW_MS), Outcome::Expired);
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(token: Vec<u8>, header: String, claims: String) {
        let text = String::from_utf8_lossy(&token);
        let _ = verifier().connection(&text, NOW_MS);
        let _ = verifier().connection(&format!("eyJ{text}"), NOW_MS);
        let _ = verifier().connection(&signed::<Hmac<Sha256>>(&header, &claims, "secret"), NOW_MS);
        let _ = connect(&claims);
        let _ = connect(&format!("{{\"exp\":{claims:?},\"aud\":{claims:?},\"info\":{claims}}}"));
    }

    #[test]
    fn a_changed_token_is_worth_nothing(at: proptest::sample::Index, byte in "[A-Za-z0-9_.-]") {
        let token = sign(&key(), r#"{"sub":"ann"}"#);
        let at = at.index(token.len());
        let changed = format!("{}{byte}{}", &token[..at], &token[at + 1..]);
        if changed != token {
            proptest::prop_assert!(matches!(
                verifier().connection(&changed, NOW_MS),
                Outcome::Invalid(_)
            ));
        }
    }

    #[test]
    fn every_user_reads_back(user: String) {
        let token = sign_connection_token(&key(), &user, 0, None);
        let Outcome::Valid(claims) = verifier().connection(&token, NOW_MS) else { panic!() };
        proptest::prop_assert_eq!(claims.user, user);
    }
}
