//! User info that is signed (OpenID Connect Core section 5.3.2), and when a server wants to be left alone until.

use crate::authority::{Authority, CLIENT, http, now};
use crate::evil::Reply;
use gatekey::oauth::OAuthTokens;
use gatekey::{Alg, ErrorKind, Key, OAuthClient};
use serde_json::{Value, json};

const JWT: &str = "application/jwt";

/// A server whose user info is what this makes of good claims, signed with its key.
fn signing(kind: &'static str, alter: impl Fn(&mut Value) + Send + Sync + 'static) -> Authority {
    Authority::with(move |request, world| {
        (request.path == "/userinfo").then(|| {
            let mut claims = json!({
                "iss": world.url(), "aud": CLIENT, "sub": "alice", "email": "a@b", "email_verified": true,
            });
            alter(&mut claims);
            Reply::text(200, kind, world.sign(&claims))
        })
    })
}

/// Tokens of an earlier log-in of this subject.
fn kept(server: &Authority, subject: &str) -> OAuthTokens {
    let text = json!({ "issuer": server.server.url, "access_token": "a", "subject": subject });
    OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap()
}

fn ask(server: &Authority) -> gatekey::Result<gatekey::oauth::UserInfo> {
    server.client().userinfo(&kept(server, "alice")).run(&http())
}

#[test]
fn signed_answers() {
    for kind in [JWT, "Application/JWT; charset=utf-8"] {
        let server = signing(kind, |_| {});
        let info = ask(&server).unwrap();
        assert_eq!((&*info.subject, info.verified_email.as_deref()), ("alice", Some("a@b")));
        let claims: Value = serde_json::from_str(&info.claims_json).unwrap();
        assert_eq!(claims["aud"], json!(CLIENT));
        assert!(server.server.seen("/userinfo")[0].headers["accept"].contains(JWT));
    }
    // Dates that are there count; those that are not are not missed.
    let server = signing(JWT, |claims| claims["exp"] = json!(now() + 60));
    ask(&server).unwrap();
    let bob = signing(JWT, |claims| claims["sub"] = json!("bob"));
    assert_eq!(ask(&bob).unwrap_err().kind(), ErrorKind::OauthSubjectMismatch);
}

#[test]
fn signed_answers_that_are_not_good() {
    type Alter = fn(&mut Value);
    let cases: [(Alter, ErrorKind); 7] = [
        (|claims| claims["iss"] = json!("https://other"), ErrorKind::InvalidIssuer),
        (|claims| claims["aud"] = json!("other"), ErrorKind::InvalidAudience),
        (|claims| claims["aud"] = json!([CLIENT, "other"]), ErrorKind::InvalidAudience),
        (|claims| claims["exp"] = json!(now() - 600), ErrorKind::Expired),
        (|claims| drop(claims.as_object_mut().unwrap().remove("iss")), ErrorKind::MissingClaim),
        (|claims| drop(claims.as_object_mut().unwrap().remove("aud")), ErrorKind::MissingClaim),
        (
            |claims| {
                claims["events"] =
                    json!({ "http://schemas.openid.net/event/backchannel-logout": {} })
            },
            ErrorKind::InvalidClaim,
        ),
    ];
    for (at, (alter, kind)) in cases.into_iter().enumerate() {
        let error = ask(&signing(JWT, alter)).unwrap_err();
        assert_eq!(error.kind(), kind, "{at}: {error}");
    }
    for nobody in [json!(""), Value::Null] {
        assert!(ask(&signing(JWT, move |claims| claims["sub"] = nobody.clone())).is_err());
    }
    // Signed by somebody else, not signed at all, or no token: refused; and a token is no JSON object.
    let other = Key::generate(Alg::Es256).unwrap().with_kid("one").unwrap();
    let pem = other.to_private_jwk().unwrap();
    let forged = Authority::with(move |request, world| {
        (request.path == "/userinfo").then(|| {
            let key = Key::from_jwk(pem.expose(), None).unwrap();
            let claims = json!({ "iss": world.url(), "aud": CLIENT, "sub": "alice" });
            let header = r#"{"alg":"ES256","kid":"one"}"#.to_owned();
            Reply::text(200, JWT, crate::forge::sign(&key, header, claims.to_string()))
        })
    });
    assert_eq!(ask(&forged).unwrap_err().kind(), ErrorKind::InvalidSignature);
    for body in [r#"{"sub":"alice"}"#, "e30.e30.", ""] {
        let server = Authority::with(move |request, _| {
            (request.path == "/userinfo").then(|| Reply::text(200, JWT, body))
        });
        assert!(ask(&server).is_err(), "{body}");
    }
    assert_eq!(
        ask(&signing("application/json", |_| {})).unwrap_err().kind(),
        ErrorKind::OauthMalformedResponse
    );
    let refused = Authority::with(|request, _| {
        (request.path == "/userinfo").then(|| Reply::text(401, JWT, "e30.e30.x"))
    });
    assert_eq!(ask(&refused).unwrap_err().kind(), ErrorKind::OauthInvalidGrant);
}

/// The algorithm of user info is its own: named by the metadata, or registered.
#[test]
fn algorithms_of_signed_answers() {
    let server = Authority::with(|request, world| match &*request.path {
        "/.well-known/openid-configuration" => {
            let mut metadata = world.metadata();
            metadata["id_token_signing_alg_values_supported"] = json!(["RS256"]);
            metadata["userinfo_signing_alg_values_supported"] = json!(["none", "HS256", "ES256"]);
            Some(Reply::json(200, metadata))
        }
        "/userinfo" => {
            let claims = json!({ "iss": world.url(), "aud": CLIENT, "sub": "alice" });
            Some(Reply::text(200, JWT, world.sign(&claims)))
        }
        _ => None,
    });
    ask(&server).unwrap();
    let strict = OAuthClient::new(server.config().id_token_algorithms([Alg::Rs256])).unwrap();
    let refused = strict.userinfo(&kept(&server, "alice")).run(&http()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidConfiguration);
}

/// A date is held against the server's own clock; where the answer does not tell it, against this one.
#[test]
fn until_when_a_server_wants_to_be_left_alone() {
    let sent = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (headers, wait) in [
        (vec![("retry-after", "7")], Some(7_000)),
        (vec![sent, ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], Some(60_000)),
        (vec![sent, ("retry-after", "Sunday, 06-Nov-94 08:50:07 GMT")], Some(30_000)),
        (vec![sent, ("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT")], Some(1)),
        (vec![sent, ("retry-after", "Mon, 06 Nov 1995 08:49:37 GMT")], Some(86_400_000)),
        (vec![("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], Some(1)),
        (vec![sent, ("retry-after", "soon")], None),
        (vec![("date", "now"), ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], Some(1)),
    ] {
        let headers: Vec<_> =
            headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        let own = headers.clone();
        let server = Authority::with(move |request, _| {
            (request.path == "/userinfo").then(|| Reply::Full(503, own.clone(), Vec::new()))
        });
        let error = ask(&server).unwrap_err();
        let told = error.retry_after();
        assert_eq!((error.kind(), told), (ErrorKind::OauthServerFailed, wait), "{headers:?}");
    }
}
