//! What a refusal tells its reader to do: with clocks that disagree, answers that are compressed, keys that are not
//! there, a client that is not accepted, and a log-in that does not fit its cookie.

use crate::authority::{Authority, SECRET, callback, cookies, http, now};
use crate::evil::{Reply, parameter};
use gatekey::clock::FixedClock;
use gatekey::jwk::KeySource as _;
use gatekey::oauth::{
    AuthMethod, LoginOptions, OAuthConfig, RemoteKeySet, RemoteKeySetOptions, TokenExchange,
    TokenGrant, TokenManager,
};
use gatekey::store::MemoryTokenStore;
use gatekey::transport::{HttpRequest, HttpResponse, Transport};
use gatekey::{Error, ErrorKind, OAuthClient, Secret};
use serde_json::json;
use std::error::Error as StdError;
use std::sync::Arc;

/// What `gzip` makes of `{}`; no more of it is looked at.
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0C\xbf\xa6\xa3\x02\0\0\0";

#[track_caller]
fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

fn compressed(path: &'static str, status: u16, headers: &[(&'static str, &str)]) -> Authority {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Authority::with(move |request, _| {
        request.path.starts_with(path).then(|| Reply::Full(status, headers.clone(), GZIP.to_vec()))
    })
}

/// Whether a server is asked for keys, metadata, tokens or a user: one that compresses is told apart from one that is
/// wrong.
#[test]
fn answers_that_are_compressed() {
    let words = ["compressed", "Accept-Encoding: identity"];
    let kind = ErrorKind::OauthMalformedResponse;
    let token = || Secret::from("t".to_owned());
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    for headers in [&headers[..], &headers[..1]] {
        let at = |path| compressed(path, 200, headers);
        let grant = TokenGrant::new();
        let authority = at("/token");
        let client = authority.client();
        says(&client.client_credentials(&grant).unwrap().run(&http()).unwrap_err(), kind, &words);
        says(&authority.sign_in().unwrap_err(), kind, &words);
        says(&at("/.well-known").sign_in().unwrap_err(), kind, &words);
        says(&at("/jwks").sign_in().unwrap_err(), kind, &words);
        let userinfo = at("/userinfo").client().userinfo_by_token(&token()).run(&http());
        says(&userinfo.unwrap_err(), kind, &words);
        let told = at("/introspect").client().introspect(&token()).run(&http());
        says(&told.unwrap_err(), kind, &words);
        let codes = at("/device").client().device_codes(&grant);
        assert!(codes.unwrap().run(&http()).is_err());
    }
    // A refusal is no less compressed; a server that is busy is still that.
    let refused = |status| {
        let grant = compressed("/token", status, &headers).client();
        grant.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap_err()
    };
    says(&refused(400), kind, &words);
    says(&refused(503), ErrorKind::OauthServerFailed, &[]);
    assert!(refused(429).is_retryable());
    // What is wrong without being compressed is told as before.
    let plain = [("content-encoding", "identity")];
    let authority = Authority::with(move |request, _| {
        let page =
            || Reply::Full(200, plain.map(|(n, v)| (n, v.to_owned())).into(), b"<p>".to_vec());
        (request.path == "/token").then(page)
    });
    let error = authority.sign_in().unwrap_err();
    assert!(!error.to_string().contains("compressed"), "{error}");
}

/// A program's own transport may decode what it gets and leave the header as it was.
#[test]
fn answers_that_a_transport_has_decoded() {
    struct Decoding;
    impl Transport for Decoding {
        fn send(&self, request: &HttpRequest) -> gatekey::Result<HttpResponse> {
            let mut answer = http().send(request)?;
            answer.headers.push(("Content-Encoding".to_owned(), "br".to_owned()));
            Ok(answer)
        }

        fn wait(&self, _: u64) {}
    }
    let authority = Authority::start();
    let client = authority.client();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&Decoding).unwrap();
    let login = client.finish(&callback(&begun), &cookies(&begun)).unwrap().run(&Decoding).unwrap();
    assert_eq!(login.subject.as_deref(), Some("alice"));
}

/// What a program's own transport knows about it comes along, and is told until it is tried again.
#[test]
fn causes_of_failures() {
    #[derive(Clone)]
    struct Unplugged(Arc<std::io::Error>);
    impl Transport for Unplugged {
        fn send(&self, _: &HttpRequest) -> gatekey::Result<HttpResponse> {
            Err(Error::from(ErrorKind::TlsFailed).caused_by(self.0.clone()))
        }

        fn wait(&self, _: u64) {}
    }
    let cause = Arc::new(std::io::Error::other("unplugged"));
    let transport = Unplugged(cause.clone());
    let holds = |error: Error| {
        let source = StdError::source(&error).unwrap();
        assert!(std::ptr::eq(source.downcast_ref::<std::io::Error>().unwrap(), &raw const *cause));
        assert_eq!(error.kind(), ErrorKind::TlsFailed);
        assert!(!format!("{error:?}").contains("unplugged"), "{error:?}");
        assert_eq!((error.peer_code(), error.peer_message()), (None, None));
        assert_eq!(error.clone(), error);
        assert_ne!(Error::from(ErrorKind::TlsFailed), error);
    };
    let options = RemoteKeySetOptions::new().url("https://auth.example/jwks");
    let keys = RemoteKeySet::open(options).unwrap().over(Arc::new(transport.clone()));
    holds(keys.keys().unwrap_err());
    holds(keys.keys().unwrap_err());
    let config = OAuthConfig::new("c").issuer("https://auth.example");
    let client = OAuthClient::new(config).unwrap();
    holds(client.metadata().run(&transport).unwrap_err());
    let manager = TokenManager::new(client, Arc::new(MemoryTokenStore::new()), Arc::new(transport))
        .client_credentials(TokenGrant::new());
    holds(manager.tokens("service", 60).unwrap_err());
    holds(manager.tokens("service", 60).unwrap_err());
}

/// RFC 9110 section 10.2.3: a date is held against the answer's own, or this clock where the answer has not one.
#[test]
fn dates_of_retry_after() {
    let at = |second: u64| format!("Sat, 28 Nov 2026 12:00:{second:02} GMT");
    for (dates, until, wait) in [
        (vec![at(0)], at(30), 30_000),
        (vec![], at(50), 10_000),
        (vec!["yesterday".to_owned()], at(50), 10_000),
        (vec![at(0), at(0)], at(50), 10_000),
        (vec![], at(7), 1), // it is over
    ] {
        let shown = format!("{dates:?} {until}");
        let authority = Authority::with(move |request, _| {
            let mut headers = vec![("retry-after", until.clone())];
            headers.extend(dates.iter().map(|date| ("date", date.clone())));
            let is_asked = ["/token", "/jwks", "/userinfo"].contains(&&*request.path);
            is_asked.then(|| Reply::Full(503, headers, Vec::new()))
        });
        // 28 Nov 2026 12:00:40
        let clock = Arc::new(FixedClock::new(1_795_867_240));
        let client = OAuthClient::new(authority.config().clock(clock)).unwrap();
        let error = client.client_credentials(&TokenGrant::new()).unwrap().run(&http());
        assert_eq!(error.unwrap_err().retry_after(), Some(wait), "{shown}");
        let token = Secret::from("t".to_owned());
        let error = client.userinfo_by_token(&token).run(&http()).unwrap_err();
        assert_eq!(error.retry_after(), Some(wait), "{shown}");
    }
}

fn client_refused(
    id: &str,
    secret: &str,
    method: Option<AuthMethod>,
    offered: &'static [&'static str],
    answer: (u16, &'static str),
) -> Error {
    let authority = Authority::with(move |request, world| match &*request.path {
        "/token" | "/introspect" | "/revoke" | "/device" => Some(Reply::json(answer.0, answer.1)),
        "/.well-known/openid-configuration" => {
            let mut metadata = world.metadata();
            metadata["token_endpoint_auth_methods_supported"] = json!(offered);
            Some(Reply::json(200, metadata))
        }
        _ => None,
    });
    let mut config = OAuthConfig::new(id)
        .issuer(&*authority.server.url)
        .client_secret(Secret::from(secret.to_owned()))
        .allow_loopback_http(true);
    if let Some(method) = method {
        config = config.auth_method(method);
    }
    let client = OAuthClient::new(config).unwrap();
    let token = Secret::from("t".to_owned());
    let errors = [
        client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap_err(),
        client.introspect(&token).run(&http()).unwrap_err(),
        client.revoke(&token, true).run(&http()).unwrap_err(),
        client.device_codes(&TokenGrant::new()).unwrap().run(&http()).unwrap_err(),
    ];
    let [first, others @ ..] = errors;
    let is_same = |other: &Error| other.message() == first.message();
    assert!(others.iter().all(is_same), "{others:?}");
    first
}

/// A client that proves itself rightly, and is not understood.
#[test]
fn a_client_that_is_not_accepted() {
    const NOT_KNOWN: (u16, &str) = (401, r#"{"error":"invalid_client"}"#);
    let refused = |id: &str, secret: &str, method, offered| {
        client_refused(id, secret, method, offered, NOT_KNOWN)
    };
    let kind = ErrorKind::OauthInvalidClient;
    let basic = Some(AuthMethod::SecretBasic);
    let odd = ["`auth_method`", "`client_secret_post`"];
    for (id, secret) in [("c", "Zm9v+/Jh=="), ("c:1", "plain"), ("a c", "plain"), ("c", "ü")] {
        says(&refused(id, secret, None, &[]), kind, &odd);
        says(&refused(id, secret, basic, &["client_secret_basic"]), kind, &odd);
        for answer in [(400, NOT_KNOWN.1), (401, ""), (401, "<html>")] {
            let error = client_refused(id, secret, None, &[], answer);
            says(&error, kind, &odd);
        }
    }
    let listed = ["`auth_method`", "`token_endpoint_auth_methods_supported`"];
    says(&refused("c", "plain", basic, &["client_secret_post"]), kind, &listed);
    says(&refused("c", SECRET, Some(AuthMethod::SecretJwt), &["private_key_jwt"]), kind, &listed);
    // What the server says of it stays.
    assert_eq!(refused("c", "a+b", None, &[]).peer_code(), Some("invalid_client"));
    // Where nothing is to be seen, nothing is supposed.
    for error in [
        refused("c", "plain-._~", None, &[]),
        refused("c", "a+b", Some(AuthMethod::SecretPost), &[]),
        refused("c", "a+b", Some(AuthMethod::Tls), &["self_signed_tls_client_auth"]),
        client_refused("c", "a+b", None, &[], (400, r#"{"error":"unauthorized_client"}"#)),
        client_refused("c", "a+b", None, &[], (400, r#"{"error":"invalid_request"}"#)),
    ] {
        assert!(!error.to_string().contains("auth_method"), "{error}");
    }
}

#[test]
fn clocks_that_disagree() {
    let by = |name: &'static str, seconds: i64| {
        let authority = Authority::claiming(move |claims| {
            let at = i64::try_from(now()).unwrap() + seconds;
            claims[name] = at.into();
            if name == "exp" {
                claims["iat"] = (at - 300).into();
            }
        });
        authority.sign_in().unwrap_err()
    };
    let words = ["clock", "`leeway`"];
    says(&by("nbf", 300), ErrorKind::NotYetValid, &[&words[..], &["`nbf`"]].concat());
    says(&by("iat", 300), ErrorKind::IssuedInFuture, &[&words[..], &["`iat`"]].concat());
    says(&by("exp", -300), ErrorKind::Expired, &[&words[..], &["`exp`"]].concat());
    // Begun by one process, finished by another.
    let authority = Authority::start();
    let keys = || gatekey::Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap();
    let client = |ahead: u64| {
        let clock = Arc::new(FixedClock::new(now() + ahead));
        OAuthClient::new(authority.config().flow_keys(keys()).clock(clock)).unwrap()
    };
    let begun = client(300).begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let error = client(0).finish(&callback(&begun), &cookies(&begun)).unwrap_err();
    says(&error, ErrorKind::OauthStateMismatch, &words);
    let error = client(1200).finish(&callback(&begun), &cookies(&begun)).unwrap_err();
    says(&error, ErrorKind::OauthStateMismatch, &["ten minutes"]);
}

#[test]
fn keys_that_are_not_there() {
    let kind = ErrorKind::OauthMalformedResponse;
    let published = |status: u16, body: &str| {
        let body = body.to_owned();
        let authority = Authority::with(move |request, _| {
            (request.path == "/jwks").then(|| Reply::json(status, &body))
        });
        authority.sign_in().unwrap_err()
    };
    let unusable = r#"{"keys":[{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"},{}]}"#;
    for none in ["{}", r#"{"keys":[]}"#, r#"{"keys":null}"#, unusable] {
        says(&published(200, none), kind, &["`id_token_algorithms`", "HS256", "signing key"]);
    }
    for other in ["", "[]", "<html>", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        says(&published(200, other), kind, &["`keys`", "`jwks_uri`"]);
    }
    says(&published(404, "{}"), kind, &["`jwks_uri`"]);
    let symmetric = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    says(&published(200, symmetric), kind, &["symmetric", "`oct`"]);
    let many = format!(r#"{{"keys":[{}{{}}]}}"#, "{},".repeat(100));
    says(&published(200, &many), kind, &["100"]);
}

fn begun(authority: &Authority, options: &LoginOptions) -> gatekey::Result<(String, String)> {
    let client = authority.client();
    let begun = client.begin(options, "")?.run(&http())?;
    let login = client.finish(&callback(&begun), &cookies(&begun))?.run(&http())?;
    let [cookie] = &begun.set_cookies[..] else { panic!("one cookie") };
    assert!(cookie.split(';').next().unwrap().len() <= 4096, "a browser would drop it");
    Ok((login.return_to, login.tokens.scopes.join(" ")))
}

/// As long as there is room in the cookie, and a sentence where there is none.
#[test]
fn log_ins_that_hold_much() {
    let authority = Authority::start();
    let page = |length: usize| format!("/search?filter={}", "x".repeat(length - 15));
    let to = |length: usize| LoginOptions::new().return_to(page(length));
    assert_eq!(begun(&authority, &to(2048)).unwrap().0, page(2048));
    let kind = ErrorKind::InvalidArgument;
    says(&begun(&authority, &to(2049)).unwrap_err(), kind, &["`return_to`", "2048"]);
    let many = |count: usize, ending: usize| -> Vec<String> {
        let scope = |at| format!("https://www.googleapis.com/auth/{at:03}.{}", "y".repeat(ending));
        std::iter::once("openid".to_owned()).chain((0..count).map(scope)).collect()
    };
    let ask = |options: LoginOptions, scopes: &[String]| {
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        begun(&authority, &options.scopes(&scopes))
    };
    for (length, count) in [(1000, 40), (1, 70)] {
        let scopes = many(count, 18);
        let options = LoginOptions::new().return_to(page(length.max(16)));
        assert_eq!(ask(options, &scopes).unwrap().1, scopes.join(" "));
    }
    let error = ask(LoginOptions::new(), &many(90, 60)).unwrap_err();
    says(&error, kind, &["`scopes`", "4096"]);
    assert_eq!(error.claim(), Some("scopes"));
    let error = ask(to(2000), &many(60, 20)).unwrap_err();
    assert_eq!(error.claim(), Some("return_to"), "{error}");
}

/// What is said twice is sent once, or refused.
#[test]
fn parameters_that_are_given_twice() {
    let config = |preset: &str| {
        let text = json!({
            "preset": preset, "client_id": "c", "client_secret": SECRET, "discover": false,
            "redirect_uri": "https://app.example/cb", "jwks_uri": "https://a.example/jwks",
            "authorization_endpoint": "https://a.example/authorize",
            "token_endpoint": "https://a.example/token",
        });
        OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap()
    };
    for (preset, name, own) in
        [("google", "access_type", "online"), ("twitch", "claims", r#"{"id_token":{}}"#)]
    {
        let begin = |options: LoginOptions| {
            config(preset).begin(&options, "").unwrap().run(&http()).unwrap().url
        };
        let url = begin(LoginOptions::new().parameter(name, own));
        assert_eq!(url.matches(&format!("&{name}=")).count(), 1, "{url}");
        assert_eq!(parameter(&url, name).as_deref(), Some(own));
        let url = begin(LoginOptions::new());
        assert_eq!(url.matches(&format!("&{name}=")).count(), 1, "{url}");
    }
    // A server may know a name that comes several times.
    let twice = LoginOptions::new().parameter("audience", "a").parameter("audience", "b");
    let url = config("google").begin(&twice, "").unwrap().run(&http()).unwrap().url;
    assert_eq!(url.matches("&audience=").count(), 2, "{url}");
    for (options, name) in [
        (LoginOptions::new().login_hint("a"), "login_hint"),
        (LoginOptions::new().acr_values("a"), "acr_values"),
    ] {
        let alone = LoginOptions::new().parameter(name, "b");
        assert!(config("google").begin(&alone, "").is_ok());
        let error = config("google").begin(&options.parameter(name, "b"), "").unwrap_err();
        says(&error, ErrorKind::InvalidArgument, &["twice"]);
        assert_eq!(error.claim(), Some(&*format!("parameters.{name}")));
    }
    let client = config("google");
    let exchange = |name: &str| {
        let token = || Secret::from("t".to_owned());
        TokenExchange::new(token(), TokenExchange::JWT)
            .actor(token(), TokenExchange::JWT)
            .audience("https://api.example")
            .requested_type(TokenExchange::JWT)
            .grant(TokenGrant::new().parameter(name, "x"))
    };
    for name in ["audience", "requested_token_type", "actor_token", "subject_token_type"] {
        let error = client.token_exchange(&exchange(name)).unwrap_err();
        says(&error, ErrorKind::InvalidArgument, &["cannot be overridden"]);
        assert_eq!(error.claim(), Some(&*format!("parameters.{name}")));
    }
    assert!(client.token_exchange(&exchange("tenant")).is_ok());
}
