//! What is odd in a refresh's answer never costs the new refresh token beside it: the server may have ended the old one,
//! and ends the whole log-in when that one comes back.

use crate::authority::{Authority, World, http, now};
use crate::evil::{Reply, Request};
use crate::kept::Kept;
use gatekey::clock::FixedClock;
use gatekey::oauth::{OAuthTokens, TokenManager};
use gatekey::{Alg, ErrorKind, Key, OAuthClient};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Spoils the tokens of an answer.
type Spoil = fn(&World, &Request, &mut Value);

/// The refresh tokens that were presented, and whether one came twice.
type Used = Arc<Mutex<(Vec<String>, bool)>>;

/// A server that rotates refresh tokens, and spoils its first answer to one.
fn rotating(spoil: Spoil) -> (Authority, Used) {
    let used = Used::default();
    let own = Arc::clone(&used);
    let authority = Authority::with(move |request, world| {
        if request.path != "/token" {
            return None;
        }
        let mut used = own.lock().unwrap();
        let mut number = 0;
        if let Some(presented) = request.form("refresh_token") {
            let expected = format!("r{}", used.0.len());
            used.0.push(presented.clone());
            used.1 |= presented != expected;
            if used.1 {
                return Some(Reply::json(400, json!({ "error": "invalid_grant" })));
            }
            number = used.0.len();
        }
        let mut answer = world.tokens(&id_token(world, request, |_| {}));
        answer["refresh_token"] = json!(format!("r{number}"));
        answer["access_token"] = json!(format!("a{number}"));
        answer["expires_in"] = json!(2);
        if number == 1 {
            spoil(world, request, &mut answer);
        }
        // A text is sent as it is: what is spoilt is the JSON itself.
        Some(Reply::json(200, answer.as_str().map_or_else(|| answer.to_string(), str::to_owned)))
    });
    (authority, used)
}

fn id_token(world: &World, request: &Request, alter: impl FnOnce(&mut Value)) -> String {
    let mut claims = world.claims(request);
    if request.form("code").is_none() {
        claims.as_object_mut().unwrap().remove("nonce");
    }
    alter(&mut claims);
    world.sign(&claims)
}

macro_rules! claims {
    ($name:literal: $value:expr) => {
        |world, request, answer| {
            let token = id_token(world, request, |claims| claims[$name] = json!($value));
            answer["id_token"] = json!(token);
        }
    };
}

macro_rules! member {
    ($name:literal: $value:expr) => {
        |_, _, answer| answer[$name] = json!($value)
    };
}

macro_rules! text {
    ($spoil:expr) => {
        |_, _, answer| {
            let spoil: fn(&str) -> String = $spoil;
            *answer = Value::String(spoil(&answer.to_string()));
        }
    };
}

const ODDITIES: &[(&str, Spoil)] = &[
    ("at_hash null", claims!("at_hash": Value::Null)),
    ("at_hash of another answer", claims!("at_hash": "AAAAAAAAAAAAAAAAAAAAAA")),
    ("ID token expired", claims!("exp": 2)),
    ("ID token early", claims!("iat": now() + 300)),
    ("ID token not yet valid", claims!("nbf": now() + 300)),
    ("ID token of another user", claims!("sub": "mallory")),
    ("ID token of nobody", claims!("sub": "")),
    ("ID token of another issuer", claims!("iss": "https://evil.example")),
    ("ID token for another client", claims!("aud": "another")),
    ("ID token for another party", claims!("azp": "another")),
    ("ID token by a key that is published late", |world, request, answer| {
        let key = Key::generate(Alg::Es256).unwrap().with_kid("late").unwrap();
        let claims = world.claims(request).to_string();
        let token = crate::forge::sign(&key, r#"{"alg":"ES256","kid":"late"}"#, claims);
        answer["id_token"] = json!(token);
    }),
    ("ID token that is none", member!("id_token": "nonsense")),
    ("ID token that is no text", member!("id_token": Value::Bool(true))),
    ("ID token empty", member!("id_token": "")),
    ("expires_in a text", member!("expires_in": "3600")),
    ("expires_in negative", member!("expires_in": -1)),
    ("expires_in with a fraction", member!("expires_in": 1.5)),
    ("expires_in in the next century", member!("expires_in": 10_000_000_000_u64)),
    ("scope a list", member!("scope": ["openid"])),
    ("scope a number", member!("scope": 7)),
    ("scope not ASCII", member!("scope": "\u{e9}")),
    ("no type", |_, _, answer| drop(answer.as_object_mut().unwrap().remove("token_type"))),
    ("type null", member!("token_type": Value::Null)),
    ("type DPoP", member!("token_type": "DPoP")),
    ("no access token", |_, _, answer| {
        drop(answer.as_object_mut().unwrap().remove("access_token"))
    }),
    ("access token null", member!("access_token": Value::Null)),
    ("access token empty", member!("access_token": "")),
    ("access token with a line's end", member!("access_token": "a\r\nb")),
    ("issued_token_type a number", member!("issued_token_type": 7)),
    ("an error as well", member!("error": "something_odd")),
];

/// Where the JSON itself is at fault.
const SPOILT: &[(&str, Spoil)] = &[
    ("a BOM in front", text!(|text| format!("\u{feff}{text}"))),
    ("a member twice", text!(|text| text.replacen('{', r#"{"scope":"a","scope":"b","#, 1))),
    ("the type twice", text!(|text| text.replacen('{', r#"{"token_type":"Bearer","#, 1))),
    ("a member of a member twice", text!(|text| text.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1))),
    (
        "one of another name inside",
        text!(|text| {
            text.replacen(
                '{',
                r#"{"x":{"refresh_token":"evil"},"y":"\"refresh_token\":\"evil\"","x":1,"#,
                1,
            )
        }),
    ),
    ("a comma too many", text!(|text| text.replace('}', ",}"))),
    ("no number", text!(|text| text.replacen('{', r#"{"x":NaN,"#, 1))),
    ("a line's end in a text", text!(|text| text.replacen('{', "{\"x\":\"a\nb\",", 1))),
    ("something behind", text!(|text| format!("{text}<!-- 12 ms -->"))),
];

fn oddities() -> impl Iterator<Item = &'static (&'static str, Spoil)> {
    ODDITIES.iter().chain(SPOILT)
}

#[test]
fn refresh_hands_out_the_new_refresh_token() {
    for (what, spoil) in oddities() {
        let (authority, used) = rotating(*spoil);
        let client = authority.client();
        let old = authority.sign_in_with(&client).unwrap().tokens;
        let kept = match client.refresh(&old).unwrap().run(&http()) {
            Ok(tokens) => tokens,
            Err(error) => {
                assert!(!format!("{error} {error:?}").contains("r1"), "{what}");
                let kept = OAuthTokens::kept_in(&error).expect(what);
                // Nothing else of an answer that is not good.
                assert_eq!(kept.access_token.expose_str(), "a0", "{what}");
                assert_eq!((kept.subject, kept.expires_at), (old.subject.clone(), old.expires_at));
                OAuthTokens::kept_in(&error).unwrap()
            }
        };
        assert_eq!(kept.refresh_token.as_ref().unwrap().expose_str(), "r1", "{what}");
        let next = client.refresh(&kept).unwrap().run(&http()).expect(what);
        assert_eq!(next.subject.as_deref(), Some("alice"), "{what}");
        assert_eq!(
            *used.lock().unwrap(),
            (vec!["r0".to_owned(), "r1".to_owned()], false),
            "{what}"
        );
    }
}

/// Which of them are no fault at all.
#[test]
fn oddities_that_say_nothing() {
    for (what, spoil) in oddities() {
        let (authority, _) = rotating(*spoil);
        let client = authority.client();
        let old = authority.sign_in_with(&client).unwrap().tokens;
        let refreshed = client.refresh(&old).unwrap().run(&http());
        let fine = ["at_hash null", "ID token empty", "expires_in in the next century"];
        assert_eq!(refreshed.is_ok(), fine.contains(what), "{what}: {refreshed:?}");
        match refreshed {
            Ok(new) => assert_eq!(new.access_token.expose_str(), "a1"),
            Err(error) => {
                let names_none = SPOILT.iter().any(|(spoilt, _)| spoilt == what);
                let is_named = error.claim().is_some() || error.kind().number() != 5008;
                assert!(is_named || names_none, "{what}");
            }
        }
    }
    // Without a new one, the old one is the one to use, and the error has none.
    let (authority, _) = rotating(|_, _, answer| {
        answer.as_object_mut().unwrap().remove("refresh_token");
        answer["expires_in"] = json!("3600");
    });
    let client = authority.client();
    let old = authority.sign_in_with(&client).unwrap().tokens;
    let error = client.refresh(&old).unwrap().run(&http()).unwrap_err();
    assert!(OAuthTokens::kept_in(&error).is_none());
    // Neither has one that can be read in two ways, or is no token.
    let spoilt: [fn(&str) -> String; 4] = [
        |text| text.replacen('{', r#"{"refresh_token":"evil","#, 1),
        |text| text.replacen('{', r#"{"refresh\u005ftoken":"evil","#, 1),
        |text| format!("\u{feff}{}", text.replace(r#""r1""#, r#"["r1"]"#)),
        |text| format!("\u{feff}{}", text.replace(r#""r1""#, r#""r\u00071""#)),
    ];
    for spoil in spoilt {
        let authority = Authority::with(move |request, world| {
            let is_refresh = request.form("refresh_token").is_some();
            (request.path == "/token" && is_refresh).then(|| {
                let mut answer = world.tokens("");
                answer["refresh_token"] = json!("r1");
                Reply::json(200, spoil(&answer.to_string()))
            })
        });
        let client = authority.client();
        let old = authority.sign_in_with(&client).unwrap().tokens;
        let error = client.refresh(&old).unwrap().run(&http()).unwrap_err();
        assert!(OAuthTokens::kept_in(&error).is_none());
        assert_eq!(error.kind(), ErrorKind::OauthMalformedResponse);
    }
    // An empty one is none either.
    let (authority, _) = rotating(member!("refresh_token": ""));
    let client = authority.client();
    let old = authority.sign_in_with(&client).unwrap().tokens;
    let new = client.refresh(&old).unwrap().run(&http()).unwrap();
    assert_eq!(new.refresh_token.unwrap().expose_str(), "r0");
}

#[test]
fn a_manager_keeps_the_new_refresh_token() {
    for (what, spoil) in oddities() {
        let (authority, used) = rotating(*spoil);
        let clock = Arc::new(FixedClock::new(now()));
        let config = authority.config().clock(Arc::clone(&clock) as _);
        let client = OAuthClient::new(config).unwrap();
        let store = Arc::new(Kept::default());
        let manager = TokenManager::new(client.clone(), Arc::clone(&store) as _, Arc::new(http()));
        manager.put("alice", &authority.sign_in_with(&client).unwrap().tokens).unwrap();
        // Half of their life is over.
        clock.advance(1);
        let first = manager.tokens("alice", 1000);
        if let Err(error) = &first {
            assert!(OAuthTokens::kept_in(error).is_none(), "{what}: it is kept");
            assert_ne!(error.kind(), ErrorKind::OauthInvalidGrant, "{what}");
        }
        let kept = store.text("alice").unwrap();
        let kept = OAuthTokens::from_secret_json(kept.as_bytes()).unwrap();
        assert_eq!(kept.refresh_token.unwrap().expose_str(), "r1", "{what}");
        let known = manager.known("alice", 0).unwrap();
        assert_eq!(known.refresh_token.as_ref().unwrap().expose_str(), "r1", "{what}");
        clock.advance(2);
        if first.is_ok_and(|tokens| tokens.expires_at.is_none()) {
            continue; // good for ever
        }
        let next = manager.tokens("alice", 1000).expect(what);
        assert_eq!(next.access_token.expose_str(), "a2", "{what}");
        assert_eq!(
            *used.lock().unwrap(),
            (vec!["r0".to_owned(), "r1".to_owned()], false),
            "{what}"
        );
    }
}

/// It is in the store before the keys are asked for, which may take long, or never come to an end.
#[test]
fn it_is_kept_first() {
    let store = Arc::new(Kept::default());
    let (own, seen) = (Arc::clone(&store), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&seen);
    let authority = Authority::with(move |request, world| match &*request.path {
        "/jwks" => {
            let kept = own.text("alice");
            log.lock().unwrap().push(kept.unwrap_or_default().contains(r#""r1""#));
            None
        }
        "/token" => {
            let is_refresh = request.form("refresh_token").is_some();
            if is_refresh {
                *world.key.lock().unwrap() =
                    Key::generate(Alg::Es256).unwrap().with_kid("two").unwrap();
            }
            let mut answer = world.tokens(&id_token(world, request, |_| {}));
            answer["refresh_token"] = json!(if is_refresh { "r1" } else { "r0" });
            Some(Reply::json(200, answer))
        }
        _ => None,
    });
    let client = authority.client();
    let manager = TokenManager::new(client.clone(), store, Arc::new(http()));
    let tokens = authority.sign_in_with(&client).unwrap().tokens;
    manager.put("alice", &tokens).unwrap();
    manager.replace("alice", &tokens.access_token).unwrap();
    assert_eq!(*seen.lock().unwrap(), [false, true]);
}

/// If it cannot be kept either, it is remembered, and nobody asks again before it is kept.
#[test]
fn two_faults_at_once() {
    for (what, spoil) in oddities() {
        let (authority, used) = rotating(*spoil);
        let clock = Arc::new(FixedClock::new(now()));
        let config = authority.config().clock(Arc::clone(&clock) as _);
        let client = OAuthClient::new(config).unwrap();
        let store = Arc::new(Kept::default());
        let manager = TokenManager::new(client.clone(), Arc::clone(&store) as _, Arc::new(http()));
        manager.put("alice", &authority.sign_in_with(&client).unwrap().tokens).unwrap();
        clock.advance(1);
        store.full.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            let error = manager.tokens("alice", 1000).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreFull, "{what}");
            clock.advance(2);
        }
        assert_eq!(used.lock().unwrap().0.len(), 1, "{what}");
        store.full.store(false, Ordering::SeqCst);
        assert!(manager.tokens("alice", 1000).is_ok(), "{what}");
        assert_eq!(
            *used.lock().unwrap(),
            (vec!["r0".to_owned(), "r1".to_owned()], false),
            "{what}"
        );
    }
}
