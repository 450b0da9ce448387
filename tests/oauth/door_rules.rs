//! A door of several issuers, each with its own rule: one lenient issuer opens no other. And refusals that say whose fault
//! they are: a wrong issuer, a credential of another kind, claims that are not there.

use crate::authority::{Authority, http, now};
use crate::doors::Signs;
use crate::evil::{Evil, Reply};
use gatekey::apikey::{ApiKeyOptions, KeySpec};
use gatekey::oauth::{LoginOptions, OAuthConfig, RemoteKeySet, RemoteKeySetOptions};
use gatekey::open::open_api_keys;
use gatekey::pepper::PepperSource;
use gatekey::resource::{
    Access, Demand, DoorRule, IntrospectionOptions, Presented, ResourceServerBuilder,
};
use gatekey::{ApiKeys, Error, ErrorKind, OAuthClient, Policy, ResourceServer, Verifier};
use serde_json::{Value, json};
use std::sync::Arc;

const API: &str = "https://api.example";
const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";
const AT: &str = r#""typ":"at+jwt","#;

fn claims(issuer: &str, client: &str, more: &Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "sub": "alice", "aud": API, "client_id": client, "scope": "read",
        "iat": now(), "exp": now() + 300,
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn knock(door: &ResourceServer, header: &str) -> Result<Access, Error> {
    door.check(Some(header), &Demand::new())
}

fn kind(outcome: Result<Access, Error>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

/// ONE is strict; TWO may leave the audience and the type out, and its clocks are off.
fn rules(builder: ResourceServerBuilder) -> ResourceServerBuilder {
    builder.issuer_rule(ONE, DoorRule::new().client("web")).issuer_rule(
        TWO,
        DoorRule::new()
            .any_audience()
            .client("svc2")
            .allow_missing_type()
            .token_type("JWT")
            .leeway(120)
            .tenant_claim("tid"),
    )
}

#[test]
fn a_lenient_issuer_opens_no_other() {
    let (one, two) = (Signs::new("one"), Signs::new("two"));
    let named = json!({ "audience": API, "issuers": {
        ONE: { "clients": ["web"] },
        TWO: {
            "any_audience": true, "clients": ["svc2"], "token_types": [null, "JWT"], "leeway": 120,
            "tenant_claim": "tid",
        },
    } });
    let builders = [
        rules(ResourceServer::builder(API)),
        ResourceServerBuilder::from_json(named.to_string().as_bytes()).unwrap(),
    ];
    for builder in builders {
        let door = builder.issuer(ONE, one.keys()).issuer(TWO, two.keys()).build().unwrap();
        let ask = |issuer: &str, client: &str, typ: &str, more: Value| {
            let signs = if issuer == ONE { &one } else { &two };
            knock(&door, &signs.bearer(&claims(issuer, client, &more), typ))
        };
        assert_eq!(ask(ONE, "web", AT, json!({})).unwrap().issuer.as_deref(), Some(ONE));
        let lenient = ask(TWO, "svc2", "", json!({ "aud": "other", "tid": "bank" })).unwrap();
        assert_eq!(lenient.tenant.as_deref(), Some("bank"));
        let late = json!({ "exp": now() - 60 });
        ask(TWO, "svc2", r#""typ":"JWT","#, late.clone()).unwrap();
        // Nothing of it holds for the other, either way.
        for (issuer, client, typ, more, refused) in [
            (TWO, "web", "", json!({}), ErrorKind::InvalidClaim),
            (ONE, "svc2", AT, json!({}), ErrorKind::InvalidClaim),
            (ONE, "web", "", json!({}), ErrorKind::InvalidType),
            (ONE, "web", r#""typ":"JWT","#, json!({}), ErrorKind::InvalidType),
            (ONE, "web", AT, json!({ "aud": "other" }), ErrorKind::InvalidAudience),
            (ONE, "web", AT, late, ErrorKind::Expired),
            (TWO, "svc2", AT, json!({}), ErrorKind::InvalidType),
        ] {
            let outcome = ask(issuer, client, typ, more.clone());
            assert_eq!(kind(outcome), Some(refused), "{issuer} {client} {typ} {more}");
        }
        let strict = ask(ONE, "web", AT, json!({ "tid": "bank" })).unwrap();
        assert_eq!(strict.tenant, None);
    }
}

/// What a rule does not say is as the door has it; what it says replaces that.
#[test]
fn a_rule_is_beside_the_doors_own() {
    let (one, two) = (Signs::new("one"), Signs::new("two"));
    let builder = ResourceServer::builder(API).client("web").leeway(0);
    let builder = builder.issuer(ONE, one.keys()).issuer(TWO, two.keys());
    let other = DoorRule::new().audience("https://other.example").audience("urn:two");
    let door = builder.issuer_rule(TWO, other).build().unwrap();
    let ask = |issuer: &str, client: &str, more: Value| {
        let signs = if issuer == ONE { &one } else { &two };
        kind(knock(&door, &signs.bearer(&claims(issuer, client, &more), AT)))
    };
    assert_eq!(ask(TWO, "web", json!({ "aud": "urn:two" })), None);
    assert_eq!(ask(TWO, "web", json!({ "aud": ["x", "https://other.example"] })), None);
    assert_eq!(ask(TWO, "web", json!({})), Some(ErrorKind::InvalidAudience));
    assert_eq!(ask(TWO, "svc", json!({ "aud": "urn:two" })), Some(ErrorKind::InvalidClaim));
    assert_eq!(
        ask(TWO, "web", json!({ "aud": "urn:two", "exp": now() - 9 })),
        Some(ErrorKind::Expired)
    );
    assert_eq!(ask(ONE, "web", json!({})), None);
    assert_eq!(ask(ONE, "web", json!({ "aud": "urn:two" })), Some(ErrorKind::InvalidAudience));
}

#[test]
fn rules_that_contradict_themselves() {
    let signs = Signs::new("one");
    let door = || ResourceServer::builder(API).issuer(ONE, signs.keys());
    for (rule, claim) in [
        (DoorRule::new().any_audience(), "clients"),
        (DoorRule::new().client(""), "clients"),
        (DoorRule::new().token_type(""), "token_types"),
        (DoorRule::new().audience(""), "audience"),
        (DoorRule::new().leeway(601), "leeway"),
        (DoorRule::new().tenant_claim(""), "tenant_claim"),
    ] {
        let error = door().issuer_rule(ONE, rule).build().unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, Some(claim)));
    }
    // A rule that nothing is held against would be believed to protect something.
    for name in [TWO, "https://one.example/", ""] {
        let error = door().issuer_rule(name, DoorRule::new()).build().unwrap_err();
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::InvalidConfiguration, Some("issuers"))
        );
    }
    for wrong in [r#"{"i":{"x":1}}"#, r#"{"i":7}"#, r#"[]"#, r#"{"i":{"token_types":[]}}"#] {
        let json = format!(r#"{{"audience":"{API}","issuers":{wrong}}}"#);
        let error = ResourceServerBuilder::from_json(json.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
    }
    // The door's own clients need not be named where each issuer has its own.
    let any = ResourceServer::builder("").any_audience().issuer(ONE, signs.keys());
    assert!(any.clone().build().is_err());
    any.clone().issuer_rule(ONE, DoorRule::new().client("web")).build().unwrap();
    let error = any.issuer(TWO, signs.keys()).issuer_rule(ONE, DoorRule::new().client("web"));
    assert_eq!(error.build().unwrap_err().claim(), Some("clients"));
}

/// The rule of an issuer holds for its opaque tokens, too.
#[test]
fn opaque_tokens_of_an_issuer_with_a_rule() {
    let answer = |client: &str| json!({ "active": true, "sub": "alice", "client_id": client, "aud": "urn:opaque", "exp": now() + 60 });
    for (client, refused) in [("web", None), ("svc2", Some(ErrorKind::InvalidClaim))] {
        let told = answer(client);
        let authority = Authority::with(move |request, _| {
            (request.path == "/introspect").then(|| Reply::json(200, told.clone()))
        });
        let own = authority.server.url.clone();
        let two = Signs::new("two");
        let door =
            rules(ResourceServer::builder(API).issuer(TWO, two.keys()).issuer(ONE, two.keys()))
                .introspection(authority.client(), Arc::new(http()), IntrospectionOptions::new())
                .issuer_rule(&*own, DoorRule::new().audience("urn:opaque").client("web"));
        assert_eq!(kind(knock(&door.build().unwrap(), "Bearer opaque")), refused, "{client}");
    }
}

fn metadata(server: &Evil, issuer: &str) -> RemoteKeySet {
    let options = RemoteKeySetOptions::new().allow_loopback_http(true).cooldown(1);
    RemoteKeySet::of_issuer(format!("{}{issuer}", server.url), options).unwrap()
}

/// Metadata that name another issuer are no outage: the configuration is wrong, and both names are told.
#[test]
fn a_wrong_issuer_is_a_wrong_configuration() {
    for (configured, named) in [("", "/"), ("/", ""), ("/a", "/a/"), ("", "/other")] {
        let server = Evil::start(move |request| {
            let issuer = format!("http://{}{named}", request.headers["host"]);
            Reply::json(200, json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/k") }))
        });
        let issuer = format!("{}{configured}", server.url);
        let keys = metadata(&server, configured).over(Arc::new(http()));
        let door = ResourceServer::builder(API).issuer(&*issuer, Arc::new(keys.clone())).build();
        let policy = Policy::new().expect_issuer(&*issuer).expect_audience(API);
        let config = OAuthConfig::new("c").issuer(&*issuer).allow_loopback_http(true);
        let client = OAuthClient::new(config.redirect_uri("https://app.example/cb")).unwrap();
        let errors = [
            door.unwrap_err(),
            Verifier::following(Arc::new(keys), policy).unwrap_err(),
            metadata(&server, configured).refresh().run(&http()).unwrap_err(),
            client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap_err(),
        ];
        for (at, error) in errors.iter().enumerate() {
            // The last one is a log-in's, which is refused.
            let kind = if at == 3 {
                ErrorKind::OauthIssuerMismatch
            } else {
                ErrorKind::InvalidConfiguration
            };
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!error.is_retryable() && error.retry_after().is_none());
            assert_eq!(error.claim(), Some("issuer"));
            let said = error.to_string();
            let wanted = format!("(`issuer` is `{}{named}`, configured is `{issuer}`)", server.url);
            assert!(said.ends_with(&wanted), "{said}");
            assert_eq!(said.contains("slash"), named != "/other", "{said}");
        }
    }
    // What a server says there is bounded, and without what does not belong into a log.
    let server = Evil::start(|_| {
        Reply::json(200, json!({ "issuer": format!("https://x/\n<b>`{}", "y".repeat(900)) }))
    });
    let said = metadata(&server, "").refresh().run(&http()).unwrap_err().to_string();
    assert!(said.len() < 400 && said.contains("`https://x/??b??yyy"), "{said}");
}

/// Another issuer's token is told as that, and is no reason to fetch keys.
#[test]
fn another_issuers_token_is_no_unknown_key() {
    let authority = Authority::start();
    let issuer = authority.server.url.clone();
    let options = RemoteKeySetOptions::new().allow_loopback_http(true).cooldown(1);
    let keys = RemoteKeySet::of_issuer(&*issuer, options).unwrap().over(Arc::new(http()));
    let door = ResourceServer::builder(API).issuer(&*issuer, Arc::new(keys.clone())).build();
    let policy = Policy::new().expect_issuer(&*issuer).expect_audience(API).ignore_type();
    let (door, verifier) = (door.unwrap(), Verifier::following(Arc::new(keys), policy).unwrap());
    let asked = authority.server.count("/jwks");
    let foreign = Signs::new("foreign");
    let own_slash = format!("{issuer}/");
    for named in [TWO, &*own_slash, ""] {
        let header = foreign.bearer(&claims(named, "web", &json!({})), AT);
        let error = knock(&door, &header).unwrap_err();
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::InvalidIssuer, Some("iss")),
            "{named}"
        );
        assert!(error.message().contains("slash"), "{error}");
        let error = verifier.verify(header.trim_start_matches("Bearer ")).unwrap_err();
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::InvalidIssuer, Some("iss")),
            "{named}"
        );
    }
    assert_eq!(authority.server.count("/jwks"), asked, "it is no reason to ask");
    // Of one that names this issuer nothing is said but that its key is not known; nor of one without, or a wrong `iss`.
    for own in [json!(issuer), Value::Null, json!(7), json!([TWO])] {
        let header = foreign.bearer(&claims("", "web", &json!({ "iss": own })), AT);
        assert_eq!(kind(knock(&door, &header)), Some(ErrorKind::KeyNotFound), "{own}");
    }
    assert!(authority.server.count("/jwks") > asked);
    // A bad signature is only that, whatever the issuer.
    let key = authority.world.key.lock().unwrap().clone();
    let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, key.kid());
    let forged = crate::forge::sign(&key, header, claims(TWO, "web", &json!({})).to_string());
    let forged = format!("{}AAAA", &forged[..forged.len() - 4]);
    let error = verifier.verify(forged).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSignature);
}

fn api_keys() -> ApiKeys {
    open_api_keys("memory:", &PepperSource::Beside, ApiKeyOptions::new()).unwrap().keys
}

/// The log says what is wrong; the caller is told no more than before.
#[test]
fn what_the_log_says() {
    let (signs, keys) = (Signs::new("one"), api_keys());
    let mut spec = KeySpec::new("acme");
    spec.tenant = "bank".to_owned();
    let key = keys.create(&spec).unwrap().secret.expose_str().to_owned();
    let jwt = signs.bearer(&claims(ONE, "web", &json!({})), AT);
    let bare = jwt.trim_start_matches("Bearer ");
    let with_keys = ResourceServer::builder(API).api_keys(keys.clone()).build().unwrap();
    let with_issuer = ResourceServer::builder(API).issuer(ONE, signs.keys()).build().unwrap();
    let both = ResourceServer::builder(API).api_keys(keys).issuer(ONE, signs.keys());
    let both = both.build().unwrap();
    let told = |door: &ResourceServer, token: Option<&str>, key: Option<&str>, demand| {
        let presented = Presented { authorization: token, api_key: key };
        let error = door.check_presented(&presented, &demand).unwrap_err();
        (error.kind(), error.to_string(), error.public_message())
    };
    let any = Demand::new;
    let basic = Some("Basic YTpi");
    for (row, kind, words, public) in [
        (
            told(&with_keys, None, Some(&key), any().tenant("shop")),
            ErrorKind::UnknownApiKey,
            "another tenant",
            "The API key is not valid.",
        ),
        (
            told(&both, Some(&jwt), Some(&key), any()),
            ErrorKind::SeveralCredentials,
            "decided_by",
            "The request brings more than one credential.",
        ),
        (
            told(&both, Some(bare), None, any()),
            ErrorKind::MissingCredentials,
            "not `Bearer`",
            "The request needs credentials.",
        ),
        (
            told(&both, Some(&format!("Token {bare}")), None, any()),
            ErrorKind::MissingCredentials,
            "not `Bearer`",
            "The request needs credentials.",
        ),
        (
            told(&both, basic, None, any()),
            ErrorKind::MissingCredentials,
            "not `Bearer`",
            "The request needs credentials.",
        ),
        (
            told(&both, Some(""), None, any()),
            ErrorKind::MissingCredentials,
            "no credentials",
            "The request needs credentials.",
        ),
        (
            told(&with_keys, Some(&jwt), None, any()),
            ErrorKind::MalformedApiKey,
            "a JWT",
            "The API key is not valid.",
        ),
        (
            told(&with_issuer, Some("Bearer opaque"), None, any()),
            ErrorKind::MalformedToken,
            "introspection",
            "The access token is not valid.",
        ),
        (
            told(&both, Some("Bearer opaque"), None, any()),
            ErrorKind::MalformedToken,
            "introspection",
            "The access token is not valid.",
        ),
        (
            told(&both, Some(&jwt), None, any().max_age(60)),
            ErrorKind::InsufficientAuthentication,
            "no `auth_time`",
            "A more recent or a stronger sign-in is required.",
        ),
        (
            told(&both, Some(&jwt), None, any().acr_values(&["mfa"])),
            ErrorKind::InsufficientAuthentication,
            "no `acr`",
            "A more recent or a stronger sign-in is required.",
        ),
        (
            told(&both, None, Some(&key), any().max_age(60)),
            ErrorKind::InsufficientAuthentication,
            "API key has not signed in",
            "A more recent or a stronger sign-in is required.",
        ),
    ] {
        assert_eq!((row.0, row.2), (kind, public), "{words}");
        assert!(row.1.contains(words), "{}", row.1);
    }
    let mut nameless = claims(ONE, "web", &json!({}));
    nameless.as_object_mut().unwrap().remove("aud");
    let error = knock(&with_issuer, &signs.bearer(&nameless, AT)).unwrap_err();
    assert!(error.message().contains("ANY") && error.message().contains("clients"), "{error}");
    let two = Presented::new().authorization(&jwt).api_key(&key);
    let error = both.check_presented(&two, &any()).unwrap_err();
    let challenge = both.challenge(&error, &any()).unwrap();
    assert!(challenge.contains(r#"error="invalid_request""#), "{challenge}");
    assert_eq!(error.kind().http_status(), 400);
}

#[test]
fn an_answer_is_remembered_for_an_hour_at_most() {
    let authority = Authority::start();
    let asking = |options| {
        let builder = ResourceServer::builder(API);
        builder.introspection(authority.client(), Arc::new(http()), options).build()
    };
    let hour = IntrospectionOptions::new().ttl(3600).negative_ttl(3600);
    asking(hour).unwrap();
    for (options, claim) in [(hour.ttl(3601), "ttl"), (hour.negative_ttl(3601), "negative_ttl")] {
        let error = asking(options).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, Some(claim)));
    }
}
