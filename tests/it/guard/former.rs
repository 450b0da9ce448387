//! Tokens of what the service had before: taken until a date, of users whom the program has looked
//! up in that very request, and nothing else that the same key has signed.

use super::*;
use gatekey::ErrorKind;
use gatekey::guard::FormerTokens;
use gatekey::{Key, KeySet};

const SECRET: &[u8] = b"the one secret of the service, which has signed every token of it";
const UNTIL: u64 = NOW + 86_400;

fn secret() -> Key {
    Key::from_secret(SECRET, Alg::Hs256).unwrap()
}

fn changing(change: impl FnOnce(FormerTokens) -> FormerTokens) -> Service {
    let keys = Arc::new(KeySet::new([secret()]).unwrap());
    let former = FormerTokens::new(keys, "user_id", UNTIL).claim("token_type", r#""access""#);
    service_with(|builder| builder.former_tokens(change(former)))
}

fn former(change: impl FnOnce(&mut Value)) -> String {
    former_with(r#"{"alg":"HS256","typ":"JWT"}"#, change)
}

fn former_with(header: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "token_type": "access", "user_id": "42", "jti": "a", "iat": NOW - 10, "exp": NOW + 300,
    });
    change(&mut claims);
    forge::sign(&secret(), header, claims.to_string())
}

/// As a program does that knows 42 and 7 as active.
fn ask(service: &Service, token: &str, demand: &Demand) -> Decision {
    get().bearer(token).with(|request| match service.guard.former_user(request) {
        Some(user) if ["42", "7"].contains(&&*user.subject) => {
            let scopes = ["orders:read"];
            service.guard.check(&request.user(&user.subject, &scopes), demand)
        }
        _ => service.guard.check(request, demand),
    })
}

/// Row 747.
#[test]
fn they_are_taken_of_active_users_until_their_date() {
    let service = changing(|former| former);
    let token = former(|_| {});
    let decision = ask(&service, &token, &anybody());
    assert_eq!(subject(&decision), "42");
    let access = decision.access().unwrap();
    assert_eq!((access.kind().unwrap().name(), access.session()), ("jwt", None));
    assert_eq!(access.scopes(), ["orders:read"]);
    let number = former(|claims| claims["user_id"] = json!(7));
    assert_eq!(subject(&ask(&service, &number, &anybody())), "7");
    let other = demand(|demand| demand.scopes(["orders:write"]));
    refused(&ask(&service, &token, &other), 403);

    // Whom the program has not looked up, or does not know.
    let unknown = service.ask(get().bearer(&token));
    refused(&unknown, 401);
    assert_eq!(unknown.error().unwrap().kind(), ErrorKind::TokenInactive);
    refused(&ask(&service, &former(|claims| claims["user_id"] = json!("43")), &anybody()), 401);
    // Who was looked up is not whose token it is.
    let scopes = ["orders:read"];
    let as_other =
        |request: &Request<'_>| service.guard.check(&request.user("7", &scopes), &anybody());
    refused(&get().bearer(&token).with(as_other), 401);

    let late = former(|claims| claims["exp"] = json!(UNTIL + 600));
    service.clock.set(UNTIL - 1);
    assert!(ask(&service, &late, &anybody()).is_allowed());
    service.clock.set(UNTIL);
    let over = ask(&service, &late, &anybody());
    refused(&over, 401);
    assert_eq!(over.error().unwrap().kind(), ErrorKind::TokenInactive);
}

/// Row 747.
#[test]
fn nothing_else_that_the_key_has_signed_is_taken() {
    let service = changing(|former| former);
    let set = |name: &'static str, value: Value| former(move |claims| claims[name] = value);
    let without = |name: &'static str| {
        former(move |claims| drop(claims.as_object_mut().unwrap().remove(name)))
    };
    for (what, token) in [
        ("a refresh token", set("token_type", json!("refresh"))),
        ("a sliding token", set("token_type", json!("sliding"))),
        ("another spelling", set("token_type", json!("Access"))),
        ("a list", set("token_type", json!(["access"]))),
        ("no kind", without("token_type")),
        ("no end", without("exp")),
        ("one that has ended", set("exp", json!(NOW))),
        ("no user", without("user_id")),
        ("a user that is true", set("user_id", json!(true))),
        ("a user that is null", set("user_id", json!(null))),
        ("a user that is empty", set("user_id", json!(""))),
        ("a list of users", set("user_id", json!(["42"]))),
        ("a user that is an object", set("user_id", json!({"pk": 42}))),
        ("half a user", set("user_id", json!(42.5))),
        ("a user below zero", set("user_id", json!(-42))),
        ("another issuer", set("iss", json!("https://other.example"))),
        ("another audience", set("aud", json!("https://other.example"))),
        ("a session", set("sid", json!("0123456789Ab"))),
        ("an ID token", set("nonce", json!("n"))),
        ("another type", former_with(r#"{"alg":"HS256","typ":"at+jwt"}"#, |_| {})),
        ("another algorithm", former_with(r#"{"alg":"HS512","typ":"JWT"}"#, |_| {})),
        ("no algorithm", former_with(r#"{"alg":"none","typ":"JWT"}"#, |_| {})),
        ("a signature cut off", former(|_| {}).rsplit_once('.').unwrap().0.to_owned() + "."),
        ("another key", {
            let header = r#"{"alg":"HS256","typ":"JWT"}"#;
            let claims =
                json!({"token_type": "access", "user_id": "42", "iat": NOW, "exp": NOW + 9});
            forge::sign(key(Alg::Hs256), header, claims.to_string())
        }),
    ] {
        let named = get().bearer(&token).with(|request| service.guard.former_user(request));
        assert_eq!(named, None, "{what}");
        refused(&ask(&service, &token, &anybody()), 401);
        // Also if the program has looked the user up.
        let scopes = [];
        let vouched =
            |request: &Request<'_>| service.guard.check(&request.user("42", &scopes), &anybody());
        refused(&get().bearer(&token).with(vouched), 401);
    }
    // It is no session's cookie.
    refused(&service.ask(get().header("cookie", format!("__Host-access={}", former(|_| {})))), 401);
}

#[test]
fn an_issuer_and_an_audience_of_theirs() {
    let service =
        changing(|former| former.issuer("https://shop.example").audience("shop").leeway(30));
    let own = |claims: &mut Value| {
        claims["iss"] = json!("https://shop.example");
        claims["aud"] = json!("shop");
        claims["exp"] = json!(NOW - 29);
    };
    assert!(ask(&service, &former(own), &anybody()).is_allowed());
    for name in ["iss", "aud"] {
        let token = former(|claims| {
            own(claims);
            claims.as_object_mut().unwrap().remove(name);
        });
        refused(&ask(&service, &token, &anybody()), 401);
    }
}

/// Row 747.
#[test]
fn who_is_logged_out_everywhere_is_so_here() {
    let service = changing(|former| former);
    let token = former(|_| {});
    assert!(ask(&service, &token, &anybody()).is_allowed());
    service.sessions.end_all("42").unwrap();
    refused(&ask(&service, &token, &anybody()), 401);
    let other = former(|claims| claims["user_id"] = json!("7"));
    assert!(ask(&service, &other, &anybody()).is_allowed());
}

#[test]
fn sessions_and_others_go_on_beside_them() {
    let service = changing(|former| former);
    let tokens = service.log_in("alice");
    assert!(service.ask(get().bearer(&text(&tokens.access_token))).is_allowed());
    assert!(service.ask(get().cookie(&tokens)).is_allowed());
    assert!(service.ask(get().bearer(&foreign(|_| {}))).is_allowed());
    assert!(service.ask(get().key(&service.key(|_| {}))).is_allowed());
    for request in [get(), get().bearer("x"), get().header("authorization", "Basic x")] {
        assert_eq!(request.with(|request| service.guard.former_user(request)), None);
    }
}

#[test]
fn what_would_take_too_much_is_not_built() {
    let keys = || Arc::new(KeySet::new([secret()]).unwrap());
    let kind = |former: FormerTokens| former.claim("token_type", r#""access""#);
    for (former, named) in [
        (FormerTokens::new(keys(), "user_id", UNTIL), "claim"),
        (kind(FormerTokens::new(keys(), "", UNTIL)), "user_claim"),
        (kind(FormerTokens::new(keys(), "user_id", UNTIL)).leeway(601), "leeway"),
        (kind(FormerTokens::new(keys(), "user_id", UNTIL)).issuer(ISSUER), "former_tokens"),
    ] {
        let others = KeySet::new([key(Alg::Es256).public().unwrap()]).unwrap();
        let tokens = ResourceServer::builder(API).issuer(ISSUER, Arc::new(others));
        let error = Guard::builder().tokens(tokens).former_tokens(former).build().unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, Some(named)));
    }
}
