//! Row 341 of the threat model: what a server posts when a session ends (Back-Channel Logout 1.0 sections 2.4 and 2.6), and
//! that it is good for nothing else.

use crate::authority::{Authority, CLIENT, World, callback, cookies, http, now};
use crate::evil::{Reply, Request};
use gatekey::oauth::{LoginOptions, LogoutNotice, OAuthConfig, TokenGrant};
use gatekey::open::open_revocations;
use gatekey::resource::Demand;
use gatekey::revocations::RevocationOptions;
use gatekey::{Error, ErrorKind, OAuthClient, ResourceServer};
use serde_json::{Value, json};
use std::sync::Arc;

/// A change of a token's claims.
type Alter = Box<dyn FnOnce(&mut Value)>;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const TYPES: [&str; 4] =
    ["", r#""typ":"JWT","#, r#""typ":"logout+jwt","#, r#""typ":"application/logout+JWT","#];

fn good(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": CLIENT, "iat": now(), "exp": now() + 120, "jti": "j", "sub": "alice",
        "sid": "s", "events": { EVENT: {} },
    })
}

struct Case {
    authority: Authority,
    client: OAuthClient,
}

impl Case {
    fn new() -> Self {
        let authority = Authority::start();
        let client = authority.client();
        Self { authority, client }
    }

    fn notice(&self, typ: &str, alter: impl FnOnce(&mut Value)) -> Result<LogoutNotice, Error> {
        let mut claims = good(&self.authority.server.url);
        alter(&mut claims);
        self.client.logout_notice(&self.authority.world.sign_as(&claims, typ)).run(&http())
    }
}

fn without(name: &'static str) -> impl Fn(&mut Value) {
    move |claims| drop(claims.as_object_mut().unwrap().remove(name))
}

#[test]
fn what_is_accepted() {
    let case = Case::new();
    for typ in TYPES {
        let read = case.notice(typ, |_| {}).unwrap();
        assert_eq!(
            (read.subject.as_deref(), read.session_id.as_deref(), &*read.token_id),
            (Some("alice"), Some("s"), "j")
        );
        let read = case.notice(typ, without("sub")).unwrap();
        assert_eq!((read.subject, read.session_id.as_deref()), (None, Some("s")));
        let read = case.notice(typ, |claims| claims["sub"] = Value::Null).unwrap();
        assert_eq!((read.subject, read.session_id.as_deref()), (None, Some("s")));
        let read = case.notice(typ, without("sid")).unwrap();
        assert_eq!((read.subject.as_deref(), read.session_id), (Some("alice"), None));
        case.notice(typ, |claims| claims["nonce"] = Value::Null).unwrap();
        // Without an end, it has one all the same.
        let at = now() - 100;
        let read = case
            .notice(typ, |claims| {
                without("exp")(claims);
                claims["iat"] = json!(at);
            })
            .unwrap();
        assert_eq!(read.expires_at, at + 121);
    }
}

#[test]
fn what_is_refused() {
    let case = Case::new();
    let set = |name: &'static str, value: Value| {
        Box::new(move |claims: &mut Value| claims[name] = value) as Alter
    };
    for typ in TYPES {
        let refusals: Vec<(&str, Alter)> = vec![
            ("a nonce", set("nonce", json!("n"))),
            ("an empty nonce", set("nonce", json!(""))),
            ("no events", Box::new(without("events"))),
            ("null events", set("events", Value::Null)),
            ("another event", set("events", json!({ "x": {} }))),
            ("an event that is none", set("events", json!({ EVENT: "x" }))),
            ("a null event", set("events", json!({ EVENT: null }))),
            ("an empty subject", set("sub", json!(""))),
            ("an empty session", set("sid", json!(""))),
            ("no id", Box::new(without("jti"))),
            ("no age", Box::new(without("iat"))),
            ("old", set("iat", json!(now() - 400))),
            ("expired", set("exp", json!(now() - 61))),
            ("another audience", set("aud", json!("another"))),
            ("another issuer", set("iss", json!("https://evil.example"))),
            (
                "nobody",
                Box::new(|claims: &mut Value| {
                    without("sub")(claims);
                    without("sid")(claims);
                }),
            ),
            (
                "nobody, in null",
                Box::new(|claims: &mut Value| {
                    claims["sub"] = Value::Null;
                    claims["sid"] = Value::Null;
                }),
            ),
            (
                "no end, and 130 seconds old",
                Box::new(|claims: &mut Value| {
                    without("exp")(claims);
                    claims["iat"] = json!(now() - 130);
                }),
            ),
            (
                "no end and no age",
                Box::new(|claims: &mut Value| {
                    without("exp")(claims);
                    without("iat")(claims);
                }),
            ),
        ];
        for (what, alter) in refusals {
            let error = case.notice(typ, alter).expect_err(what);
            assert!(error.is_rejected(), "{what}: {error:?}");
        }
    }
    for typ in ["at+jwt", "id+jwt", "secevent+jwt", "dpop+jwt", ""] {
        let error = case.notice(&format!(r#""typ":"{typ}","#), |_| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidType, "{typ}");
    }
}

/// Once, where the client has a list of what was seen.
#[test]
fn replays() {
    let authority = Authority::start();
    let seen = Arc::new(open_revocations("memory:", RevocationOptions::new()).unwrap());
    let client = OAuthClient::new(authority.config().replay(seen)).unwrap();
    let notice = |id: &str| {
        let mut claims = good(&authority.server.url);
        claims["jti"] = json!(id);
        client.logout_notice(&authority.world.sign_as(&claims, TYPES[2])).run(&http())
    };
    notice("one").unwrap();
    assert_eq!(notice("one").unwrap_err().kind(), ErrorKind::RevokedToken);
    notice("two").unwrap();
}

/// It is no ID token, wherever ID tokens come from: not even where no nonce tells.
#[test]
fn it_is_no_id_token() {
    for typ in &TYPES[..2] {
        let make = move |request: &Request, world: &World| {
            let mut claims = good(&world.url());
            if let Some(code) = request.form("code") {
                claims["nonce"] = json!(code);
            }
            world.sign_as(&claims, typ)
        };
        let authority = Authority::identifying(make);
        let error = authority.sign_in().unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("events")));
        // A refresh and a device have no nonce.
        let authority = Authority::with(move |request, world| match &*request.path {
            "/token" if request.form("code").is_none() => {
                let token = world.sign_as(&good(&world.url()), typ);
                Some(Reply::json(200, world.tokens(&token)))
            }
            "/device" => Some(Reply::json(
                200,
                json!({ "device_code": "d", "user_code": "U", "expires_in": 60, "interval": 1,
                        "verification_uri": "https://v.example" }),
            )),
            _ => None,
        });
        let client = authority.client();
        let tokens = authority.sign_in_with(&client).unwrap().tokens;
        let error = client.refresh(&tokens).unwrap().run(&http()).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("events")));
        let grant = TokenGrant::new().scopes(&["openid"]);
        let codes = client.device_codes(&grant).unwrap().run(&http()).unwrap();
        let error = client.poll(&codes).run(&http()).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("events")));
    }
    // LinkedIn's way: no nonce at all.
    let authority = Authority::identifying(|_, world| world.sign_as(&good(&world.url()), TYPES[1]));
    let url = &authority.server.url;
    let text = json!({
        "issuer": url, "client_id": CLIENT, "client_secret": "x", "allow_loopback_http": true,
        "redirect_uri": "https://app.example/callback", "scopes": ["openid"], "quirks": { "no_nonce": true },
    });
    let config = OAuthConfig::from_json(text.to_string().as_bytes()).unwrap();
    let client = OAuthClient::new(config).unwrap();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let finished = client.finish(&callback(&begun), &cookies(&begun)).unwrap().run(&http());
    assert_eq!(finished.unwrap_err().claim(), Some("events"));
}

#[test]
fn it_opens_no_door() {
    let authority = Authority::start();
    let keys = gatekey::KeySet::new([authority.world.key().public().unwrap()]).unwrap();
    let builder = ResourceServer::builder(CLIENT).issuer(&*authority.server.url, Arc::new(keys));
    let door = builder.token_type("JWT").token_type("logout+jwt").build().unwrap();
    for typ in &TYPES[1..] {
        let mut claims = good(&authority.server.url);
        claims["client_id"] = json!(CLIENT);
        let header = |claims: &Value| format!("Bearer {}", authority.world.sign_as(claims, typ));
        let error = door.check(Some(&header(&claims)), &Demand::new()).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("events")));
        without("events")(&mut claims);
        door.check(Some(&header(&claims)), &Demand::new()).unwrap();
    }
}
