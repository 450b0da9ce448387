//! What callers bring along: refresh tokens of another library, parameters of the server's own, several resources, an
//! access token alone; and what the server says about itself.

use crate::authority::{Authority, callback, cookies, http};
use crate::evil::Reply;
use gatekey::oauth::{LoginOptions, OAuthConfig, OAuthTokens, TokenGrant, TokenManager};
use gatekey::store::MemoryTokenStore;
use gatekey::{ErrorKind, OAuthClient, Secret};
use serde_json::{Value, json};
use std::sync::Arc;

const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

/// The values of a parameter that may come more than once.
fn all(body: &str, name: &str) -> Vec<String> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let values = pairs.filter(|(own, _)| *own == name).map(|(_, value)| value);
    values.map(|value| value.replace("%3A", ":").replace("%2F", "/")).collect()
}

#[test]
fn a_refresh_token_of_another_library() {
    let server = Authority::start();
    let issuer = &server.server.url;
    let mut tokens = OAuthTokens::from_refresh_token(issuer, secret("old")).unwrap();
    tokens.subject = Some("alice".to_owned());
    assert!(!tokens.is_good_for(0, 1) && tokens.access_token.expose().is_empty());
    let manager =
        TokenManager::new(server.client(), Arc::new(MemoryTokenStore::new()), Arc::new(http()));
    manager.put("alice", &tokens).unwrap();
    let renewed = manager.tokens("alice", 60).unwrap();
    assert_eq!(renewed.access_token.expose_str(), "an-access-token");
    assert_eq!(server.server.seen("/token")[0].form("refresh_token").as_deref(), Some("old"));
    assert_eq!(manager.tokens("alice", 60).unwrap().subject.as_deref(), Some("alice"));
    assert_eq!(server.server.count("/token"), 1, "the second use is of what is kept");
    // A refresh that names somebody else is refused, as after a log-in.
    tokens.subject = Some("bob".to_owned());
    let refused = server.client().refresh(&tokens).unwrap().run(&http());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::OauthSubjectMismatch);
    // Another server's goes nowhere.
    let foreign = OAuthTokens::from_refresh_token("https://other", secret("old")).unwrap();
    let refused = server.client().refresh(&foreign).unwrap().run(&http());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::OauthIssuerMismatch);
    for (issuer, token, member) in [
        ("", "r", "issuer"),
        ("https://h", "", "refresh_token"),
        ("https://h", "a\nb", "refresh_token"),
    ] {
        let error = OAuthTokens::from_refresh_token(issuer, secret(token)).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidArgument, Some(member)));
    }
}

#[test]
fn tokens_that_are_half_known() {
    let read = |text: Value| OAuthTokens::from_secret_json(text.to_string().as_bytes());
    let tokens =
        read(json!({ "issuer": "i", "refresh_token": "r", "expires_at": 4_000_000_000_u64 }));
    assert!(!tokens.unwrap().is_good_for(0, 1), "without an access token nothing is good");
    let tokens = read(json!({ "issuer": "i", "access_token": "a" })).unwrap();
    assert!(tokens.is_good_for(60, 1) && tokens.resources.is_empty());
    for wrong in [
        json!({ "issuer": "i" }),
        json!({ "access_token": "a", "refresh_token": "r" }),
        json!({ "issuer": "i", "access_token": "a", "scopes": [1] }),
        json!({ "issuer": "i", "access_token": "a", "resources": [null] }),
    ] {
        assert_eq!(read(wrong.clone()).unwrap_err().kind(), ErrorKind::StoreCorrupt, "{wrong}");
    }
}

#[test]
fn more_to_say_when_refreshing() {
    let server = Authority::start();
    let client = server.client();
    let kept = json!({
        "issuer": server.server.url, "access_token": "a", "refresh_token": "r", "scopes": ["x", "y"],
        "resources": [ONE, TWO],
    });
    let kept = OAuthTokens::from_secret_json(kept.to_string().as_bytes()).unwrap();
    let again = client.refresh(&kept).unwrap().run(&http()).unwrap();
    assert_eq!(again.resources, [ONE, TWO]);
    let grant = TokenGrant::new().scopes(&["x"]).resource(TWO).parameter("audience", "api");
    let narrow = client.refresh_with(&kept, &grant).unwrap().run(&http()).unwrap();
    assert_eq!((narrow.resources, narrow.scopes), (vec![TWO.to_owned()], vec!["x".to_owned()]));
    let seen = server.server.seen("/token");
    assert_eq!(
        (all(&seen[0].body, "resource"), seen[0].form("scope")),
        (vec![ONE.into(), TWO.into()], None)
    );
    assert_eq!(all(&seen[1].body, "resource"), [TWO]);
    assert_eq!(
        (seen[1].form("scope").unwrap(), seen[1].form("audience").unwrap()),
        ("x".into(), "api".into())
    );
    for own in ["refresh_token", "grant_type", "client_id", "scope"] {
        let error = client.refresh_with(&kept, &TokenGrant::new().parameter(own, "x")).unwrap_err();
        assert_eq!(error.claim(), Some(&*format!("parameters.{own}")));
    }
}

#[test]
fn more_to_say_when_finishing() {
    let server = Authority::start();
    let client = server.client();
    let finish = |asked: &[&str], grant: &TokenGrant| {
        let mut options = LoginOptions::new();
        for resource in asked {
            options = options.resource(*resource);
        }
        let begun = client.begin(&options, "").unwrap().run(&http()).unwrap();
        let operation = client.finish_with(&callback(&begun), &cookies(&begun), grant).unwrap();
        let login = operation.run(&http()).unwrap();
        (login.tokens.resources, server.server.seen("/token").last().unwrap().clone())
    };
    let named = TokenGrant::new().resource(ONE).resource(TWO);
    for (asked, grant, sent) in [
        (&[ONE, TWO][..], named, &[ONE, TWO][..]),
        (&[ONE, TWO], TokenGrant::new(), &[]),
        (&[ONE], TokenGrant::new(), &[ONE]),
        (&[ONE, TWO], TokenGrant::new().resource(TWO), &[TWO]),
    ] {
        let (kept, request) = finish(asked, &grant);
        assert_eq!((kept, all(&request.body, "resource")), (texts(sent), texts(sent)), "{asked:?}");
    }
    let grant = TokenGrant::new().scopes(&["openid"]).parameter("tenant", "acme");
    let (_, request) = finish(&[], &grant);
    assert_eq!(
        (request.form("tenant"), request.form("scope")),
        (Some("acme".into()), Some("openid".into()))
    );
    for own in ["code", "redirect_uri", "code_verifier", "client_secret"] {
        let error = client.finish_with("", "", &TokenGrant::new().parameter(own, "x"));
        assert_eq!(error.err().unwrap().claim(), Some(&*format!("parameters.{own}")));
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

#[test]
fn more_to_say_to_devices_and_of_tokens() {
    let server = Authority::with(|request, _| match &*request.path {
        "/device" => Some(Reply::json(
            200,
            json!({ "device_code": "d", "user_code": "u", "verification_uri": "https://h/d",
                "expires_in": 600, "interval": 1 }),
        )),
        "/token" => Some(Reply::json(200, json!({ "access_token": "a", "token_type": "Bearer" }))),
        _ => None,
    });
    let client = OAuthClient::new(server.config().scopes(&["x"])).unwrap();
    let grant = TokenGrant::new().resource(ONE).resource(TWO).parameter("p", "v");
    let codes = client.device_codes(&grant).unwrap().run(&http()).unwrap();
    let tokens = client.poll_with(&codes, &grant).unwrap().run(&http()).unwrap();
    assert_eq!(tokens.resources, [ONE, TWO]);
    for path in ["/device", "/token"] {
        let request = &server.server.seen(path)[0];
        assert_eq!(
            (all(&request.body, "resource"), request.form("p")),
            (texts(&[ONE, TWO]), Some("v".into()))
        );
    }
    let hint = TokenGrant::new().parameter("token_type_hint", "access_token");
    client.introspect_with(&secret("t"), &hint).unwrap().run(&http()).unwrap();
    let asked = &server.server.seen("/introspect")[0];
    assert_eq!(asked.form("token_type_hint").as_deref(), Some("access_token"));
    let wrong = TokenGrant::new().parameter("token", "other");
    assert_eq!(
        client.introspect_with(&secret("t"), &wrong).unwrap_err().claim(),
        Some("parameters.token")
    );
    assert!(client.poll_with(&codes, &TokenGrant::new().parameter("device_code", "x")).is_err());
    // A token for the client itself remembers what it was asked for, too.
    let own = client.client_credentials(&TokenGrant::new().resource(ONE)).unwrap().run(&http());
    assert_eq!(own.unwrap().resources, [ONE]);
}

#[test]
fn user_info_by_a_bare_token() {
    let server = Authority::start();
    let info = server.client().userinfo_by_token(&secret("elsewhere")).run(&http()).unwrap();
    assert_eq!((&*info.subject, info.verified_email.as_deref()), ("alice", Some("a@example")));
    let seen = &server.server.seen("/userinfo")[0];
    assert_eq!(seen.headers["authorization"], "Bearer elsewhere");
}

#[test]
fn what_the_server_says_about_itself() {
    let server = Authority::with(|request, world| {
        let mut metadata = world.metadata();
        metadata["scopes_supported"] = json!(["openid", "x"]);
        metadata["registration_endpoint"] = json!("https://elsewhere/register");
        match &*request.path {
            "/.well-known/openid-configuration" => {
                metadata.as_object_mut().unwrap().remove("introspection_endpoint");
                Some(Reply::json(200, metadata))
            }
            "/.well-known/oauth-authorization-server" => {
                metadata["scopes_supported"] = json!(["other"]);
                metadata["more"] = json!(true);
                Some(Reply::json(200, metadata))
            }
            _ => None,
        }
    });
    let url = server.server.url.clone();
    let told = |client: &OAuthClient| -> Value {
        serde_json::from_str(&client.metadata().run(&http()).unwrap()).unwrap()
    };
    let own = format!("{url}/own-token");
    let client =
        OAuthClient::new(server.config().endpoint("token_endpoint", &own).unwrap()).unwrap();
    let metadata = told(&client);
    assert_eq!(
        (metadata["issuer"].as_str(), metadata["token_endpoint"].as_str()),
        (Some(&*url), Some(&*own))
    );
    assert_eq!(metadata["scopes_supported"], json!(["openid", "x"]));
    assert_eq!(metadata["registration_endpoint"], json!("https://elsewhere/register"));
    assert!(metadata.get("introspection_endpoint").is_none());
    // What a later document adds is there as well; it replaces nothing.
    client.introspect(&secret("t")).run(&http()).unwrap();
    let fuller = told(&client);
    assert_eq!(fuller["introspection_endpoint"], json!(format!("{url}/introspect")));
    assert_eq!(
        (&fuller["scopes_supported"], &fuller["more"]),
        (&json!(["openid", "x"]), &json!(true))
    );
    assert_eq!(server.server.count("/.well-known/openid-configuration"), 1);
    // Without metadata: what the configuration says.
    let text = br#"{"client_id":"c","token_endpoint":"https://h/t"}"#;
    let plain = OAuthClient::new(OAuthConfig::from_json(text).unwrap()).unwrap();
    assert_eq!(told(&plain), json!({ "token_endpoint": "https://h/t" }));
}
