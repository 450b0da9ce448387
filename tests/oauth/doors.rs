//! JWTs of real servers at an API's door: without type, without audience, of several issuers, by clocks that differ. And
//! what stays out however wide the door: ID tokens, refresh tokens, logout tokens, strangers' keys.

use crate::authority::{Authority, now};
use crate::forge;
use gatekey::jwk::KeySource;
use gatekey::keyring::KeyRingOptions;
use gatekey::open::open_key_ring;
use gatekey::pepper::PepperSource;
use gatekey::resource::{Access, Demand, ResourceServerBuilder};
use gatekey::{Alg, Error, ErrorKind, Key, KeySet, ResourceServer};
use serde_json::{Value, json};
use std::sync::Arc;

const API: &str = "https://api.example";
const ISSUER: &str = "https://auth.example";
const AT: &str = r#""typ":"at+jwt","#;
const JWT: &str = r#""typ":"JWT","#;

/// An issuer.
pub(crate) struct Signs(Key);

impl Signs {
    pub(crate) fn new(kid: &str) -> Self {
        Self(Key::generate(Alg::Es256).unwrap().with_kid(kid).unwrap())
    }

    pub(crate) fn keys(&self) -> Arc<KeySet> {
        Arc::new(KeySet::new([self.0.public().unwrap()]).unwrap())
    }

    /// The value of an Authorization header; `typ` as it stands in the JWT's header.
    pub(crate) fn bearer(&self, claims: &Value, typ: &str) -> String {
        let (alg, kid) = (self.0.alg().name(), self.0.kid());
        let header = format!(r#"{{{typ}"alg":"{alg}","kid":"{kid}"}}"#);
        format!("Bearer {}", forge::sign(&self.0, header, claims.to_string()))
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": API, "client_id": "app", "scope": "read", "iat": now(), "exp": now() + 300 })
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn knock(door: &ResourceServer, header: &str) -> Result<Access, Error> {
    door.check(Some(header), &Demand::new())
}

fn refusal(door: &ResourceServer, header: &str) -> (ErrorKind, Option<String>) {
    let error = knock(door, header).unwrap_err();
    (error.kind(), error.claim().map(String::from))
}

fn misbuilt(builder: ResourceServerBuilder) -> Error {
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    error
}

#[test]
fn types_are_named() {
    let signs = Signs::new("one");
    let door = |json: &str| {
        let json = format!(r#"{{"audience":"{API}",{json}"issuer":"{ISSUER}"}}"#);
        let builder = ResourceServerBuilder::from_json(json.as_bytes()).unwrap();
        builder.keys(signs.keys()).build().unwrap()
    };
    let rows = [
        ("", [true, false, false, false]),
        (r#""token_types":["at+jwt"],"#, [true, false, false, false]),
        (r#""token_types":["JWT"],"#, [false, true, false, false]),
        (r#""token_types":[null],"#, [false, false, true, false]),
        (r#""token_types":[null,"JWT"],"#, [false, true, true, false]),
        (r#""token_types":["jwt",null,"at+jwt"],"#, [true, true, true, false]),
    ];
    for (json, accepted) in rows {
        let door = door(json);
        for (typ, accepted) in [AT, JWT, "", r#""typ":"dpop+jwt","#].into_iter().zip(accepted) {
            let outcome = knock(&door, &signs.bearer(&claims(), typ));
            assert_eq!(outcome.is_ok(), accepted, "{json} {typ}");
            let Err(error) = outcome else { continue };
            assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidType, Some("typ")));
            // The way on, and what was seen.
            let text = error.to_string();
            let seen = match typ {
                "" => "there is no `typ`".to_owned(),
                typ => format!("`typ` is `{}`", typ.split('"').nth(3).unwrap()),
            };
            assert!(text.contains("token_types") && text.contains(&seen), "{text}");
        }
    }
    // By calls, the same.
    let builder = ResourceServer::builder(API).issuer(ISSUER, signs.keys()).allow_missing_type();
    let untyped = builder.clone().build().unwrap();
    knock(&untyped, &signs.bearer(&claims(), "")).unwrap();
    assert_eq!(refusal(&untyped, &signs.bearer(&claims(), JWT)).0, ErrorKind::InvalidType);
    knock(&builder.token_type("JWT").build().unwrap(), &signs.bearer(&claims(), JWT)).unwrap();
    // What a signer writes there does not get far.
    let odd = signs.bearer(&claims(), &format!(r#""typ":"`<\n{}","#, "x".repeat(200)));
    let text = knock(&untyped, &odd).unwrap_err().to_string();
    assert!(
        text.contains("`typ` begins with `???xxx") && !text.contains(&"x".repeat(40)),
        "{text}"
    );
    for json in [r#"[]"#, r#"[""]"#, r#"[7]"#, r#""JWT""#, r#"[null, ""]"#] {
        let json = format!(r#"{{"audience":"{API}","issuer":"{ISSUER}","token_types":{json}}}"#);
        let built = ResourceServerBuilder::from_json(json.as_bytes());
        let error = built.and_then(|builder| builder.keys(signs.keys()).build()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{json}");
        assert_eq!(error.claim(), Some("token_types"), "{json}");
    }
}

/// The type is told before the claims that only RFC 9068 has, so that the reader learns of the option.
#[test]
fn the_type_comes_before_the_profile() {
    let signs = Signs::new("one");
    let door = ResourceServer::builder(API).issuer(ISSUER, signs.keys()).build().unwrap();
    let of_a_session = json!({ "iss": ISSUER, "sub": "alice", "aud": API, "sid": "s", "iat": now(), "exp": now() + 300 });
    assert_eq!(refusal(&door, &signs.bearer(&of_a_session, JWT)).0, ErrorKind::InvalidType);
    for name in ["sub", "iat", "client_id"] {
        let error = knock(&door, &signs.bearer(&without(name), AT)).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::MissingClaim, Some(name)));
        assert!(error.message().contains("token_types"));
    }
}

/// A door as wide as it gets.
fn wide(signs: &Signs) -> ResourceServer {
    let builder = ResourceServer::builder("").any_audience().client("app").client("batch");
    let builder = builder.issuer(ISSUER, signs.keys()).allow_missing_type();
    builder.token_type("JWT").token_type("at+jwt").build().unwrap()
}

#[test]
fn any_audience_of_known_clients() {
    let signs = Signs::new("one");
    let door = wide(&signs);
    let mut tokens = vec![without("aud")];
    tokens.extend(
        [json!([]), json!("x"), json!(["x", "y"]), json!("app")].map(|aud| with("aud", aud)),
    );
    for claims in tokens {
        let access = knock(&door, &signs.bearer(&claims, ""))
            .unwrap_or_else(|error| panic!("{claims} {error}"));
        assert_eq!(access.client_id.as_deref(), Some("app"));
        assert_eq!(access.issuer.as_deref(), Some(ISSUER));
    }
    // Claims are read as strictly as ever.
    for aud in [json!(null), json!(7), json!([7]), json!({})] {
        let refused = refusal(&door, &signs.bearer(&with("aud", aud), ""));
        assert_eq!(refused, (ErrorKind::InvalidClaim, Some("aud".to_owned())));
    }
    // With a name, an empty list is no audience.
    let named = ResourceServer::builder(API).issuer(ISSUER, signs.keys()).build().unwrap();
    for claims in [without("aud"), with("aud", json!([]))] {
        let refused = refusal(&named, &signs.bearer(&claims, AT));
        assert_eq!(refused, (ErrorKind::MissingClaim, Some("aud".to_owned())));
    }
    // Where the identifier is given all the same, the metadata have it.
    assert!(!door.metadata_json().contains("resource\"") && door.metadata_path().is_none());
    let builder = ResourceServer::builder(API).any_audience().client("app");
    let door = builder.issuer(ISSUER, signs.keys()).build().unwrap();
    assert!(door.metadata_json().contains(&format!(r#""resource":"{API}""#)));
    knock(&door, &signs.bearer(&without("aud"), AT)).unwrap();
}

/// Whose tokens: by `client_id`, `cid` or `appid`, and by nothing by which an ID token names its client.
#[test]
fn clients() {
    let signs = Signs::new("one");
    let door = wide(&signs);
    let named = |names: Value| {
        let mut claims = without("client_id");
        claims.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
        signs.bearer(&claims, "")
    };
    for (names, client) in [
        (json!({ "client_id": "app" }), "app"),
        (json!({ "cid": "app" }), "app"),
        (json!({ "appid": "batch" }), "batch"),
        (json!({ "client_id": "app", "cid": "app", "appid": "app", "azp": "web" }), "app"),
    ] {
        let access =
            knock(&door, &named(names.clone())).unwrap_or_else(|error| panic!("{names} {error}"));
        assert_eq!(access.client_id.as_deref(), Some(client));
    }
    for (names, kind, claim) in [
        (json!({}), ErrorKind::MissingClaim, "client_id"),
        (json!({ "azp": "app", "aud": "app" }), ErrorKind::MissingClaim, "client_id"),
        (json!({ "client_id": "other" }), ErrorKind::InvalidClaim, "client_id"),
        (json!({ "client_id": "App" }), ErrorKind::InvalidClaim, "client_id"),
        (json!({ "client_id": "app", "cid": "batch" }), ErrorKind::InvalidClaim, "cid"),
        (json!({ "cid": "app", "appid": "other" }), ErrorKind::InvalidClaim, "appid"),
        (json!({ "client_id": "app", "cid": null }), ErrorKind::InvalidClaim, "cid"),
        (json!({ "client_id": "" }), ErrorKind::InvalidClaim, "client_id"),
        (json!({ "client_id": ["app"] }), ErrorKind::InvalidClaim, "client_id"),
    ] {
        let refused = refusal(&door, &named(names.clone()));
        assert_eq!(refused, (kind, Some(claim.to_owned())), "{names}");
    }
    // A door for every client does not take an ID token's word for who it is, either.
    let open = ResourceServer::builder(API).issuer(ISSUER, signs.keys()).token_type("JWT").build();
    let open = open.unwrap();
    let mut claims = without("client_id");
    claims["azp"] = json!("web");
    let access = knock(&open, &signs.bearer(&claims, JWT)).unwrap();
    assert_eq!(access.client_id, None);
    claims["cid"] = json!("a");
    claims["appid"] = json!("b");
    assert_eq!(refusal(&open, &signs.bearer(&claims, JWT)).0, ErrorKind::InvalidClaim);
}

/// Signed by the same key, about the same user, and no access token: at the narrow door and the wide one.
#[test]
fn what_is_no_access_token() {
    let signs = Signs::new("one");
    let narrow = ResourceServer::builder(API).issuer(ISSUER, signs.keys()).build().unwrap();
    let doors = [(narrow, AT), (wide(&signs), ""), (wide(&signs), JWT)];
    let logout = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let other =
        json!({ "https://schemas.openid.net/secevent/risc/event-type/account-disabled": {} });
    for (name, value) in [
        ("nonce", json!("n")),
        ("nonce", json!("")),
        ("nonce", json!(null)),
        ("at_hash", json!("h")),
        ("at_hash", json!(null)),
        ("c_hash", json!("h")),
        ("events", logout),
        ("events", other),
        ("events", json!({})),
        ("token_use", json!("id")),
        ("token_use", json!("ID")),
        ("token_use", json!("refresh")),
        ("token_use", json!(null)),
        ("token_type", json!("refresh")),
        ("token_type", json!("DPoP")),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!("Logout")),
        ("cnf", json!({ "jkt": "x" })),
    ] {
        for (door, typ) in &doors {
            let refused = refusal(door, &signs.bearer(&with(name, value.clone()), typ));
            assert_eq!(refused, (ErrorKind::InvalidClaim, Some(name.to_owned())), "{name} {value}");
        }
    }
    for (name, value) in [
        ("token_use", json!("access")),
        ("token_type", json!("Bearer")),
        ("typ", json!("Bearer")),
        ("typ", json!("JWT")),
        ("sid", json!("s")),
        ("auth_time", json!(now())),
    ] {
        for (door, typ) in &doors {
            knock(door, &signs.bearer(&with(name, value.clone()), typ)).expect(name);
        }
    }
    let error = knock(&doors[0].0, &signs.bearer(&with("token_use", json!("id")), AT)).unwrap_err();
    assert!(error.to_string().contains("`token_use` is `id`"), "{error}");
    // The whole of an ID token, as an authorization server signs it.
    let authority = Authority::start();
    let id_token = authority.sign_in().unwrap().tokens.id_token.unwrap();
    let keys = Arc::new(KeySet::new([authority.world.key().public().unwrap()]).unwrap());
    let builder = ResourceServer::builder("").any_audience().client(crate::authority::CLIENT);
    let builder = builder.issuer(&*authority.server.url, keys).allow_missing_type();
    let door = builder.token_type("JWT").build().unwrap();
    let refused = refusal(&door, &format!("Bearer {}", id_token.expose_str()));
    assert_eq!(refused, (ErrorKind::InvalidClaim, Some("nonce".to_owned())));
}

#[test]
fn each_issuer_is_bound_to_its_own_keys() {
    // The same kid: that nobody chooses keys by it alone.
    let (a, b, c) = (Signs::new("one"), Signs::new("one"), Signs::new("one"));
    let (of_a, of_b) = ("https://a.example", "https://b.example");
    let builder = ResourceServer::builder(API).issuer(of_a, a.keys()).issuer(of_b, b.keys());
    let door = builder.clone().build().unwrap();
    for (issuer, own, others) in [(of_a, &a, [&b, &c]), (of_b, &b, [&a, &c])] {
        let claims = with("iss", json!(issuer));
        let access = knock(&door, &own.bearer(&claims, AT)).unwrap();
        assert_eq!(access.issuer.as_deref(), Some(issuer));
        for other in others {
            let refused = refusal(&door, &other.bearer(&claims, AT));
            assert_eq!(refused.0, ErrorKind::InvalidSignature, "{issuer}");
        }
    }
    for (issuer, kind) in [
        (json!("https://c.example"), ErrorKind::InvalidIssuer),
        (json!("https://a.example/"), ErrorKind::InvalidIssuer),
        (json!(["https://a.example"]), ErrorKind::InvalidIssuer),
        (json!(null), ErrorKind::InvalidIssuer),
    ] {
        let refused = refusal(&door, &a.bearer(&with("iss", issuer), AT));
        assert_eq!(refused, (kind, Some("iss".to_owned())));
    }
    let refused = refusal(&door, &a.bearer(&without("iss"), AT));
    assert_eq!(refused, (ErrorKind::MissingClaim, Some("iss".to_owned())));
    for odd in ["Bearer a.b.c", "Bearer e30.e30.", "Bearer eyJ.eyJ.x"] {
        assert!(knock(&door, odd).unwrap_err().is_rejected(), "{odd}");
    }
    let metadata: Value = serde_json::from_str(&door.metadata_json()).unwrap();
    assert_eq!(metadata["authorization_servers"], json!([of_a, of_b]));
    // One beside the other, by both ways of naming them; none twice.
    let both = ResourceServer::builder(API).issuer(of_a, a.keys()).issuer_name(of_b).keys(b.keys());
    knock(&both.build().unwrap(), &b.bearer(&with("iss", json!(of_b)), AT)).unwrap();
    let twice = misbuilt(builder.clone().issuer(of_a, b.keys()));
    assert_eq!(twice.claim(), Some("issuers"));
    assert_eq!(misbuilt(builder.issuer("", b.keys())).claim(), Some("issuers"));
}

/// Keys that cannot be had.
struct Unreachable;

impl KeySource for Unreachable {
    fn generation(&self) -> gatekey::Result<u64> {
        Err(ErrorKind::OauthServerFailed.into())
    }

    fn keys(&self) -> gatekey::Result<KeySet> {
        Err(ErrorKind::OauthServerFailed.into())
    }

    fn signing_key(&self) -> gatekey::Result<Key> {
        Err(ErrorKind::KeyUsage.into())
    }
}

#[test]
fn an_issuer_out_of_reach_stops_no_other() {
    let a = Signs::new("one");
    let door = ResourceServer::builder(API)
        .issuer(ISSUER, a.keys())
        .issuer("https://b.example", Arc::new(Unreachable))
        .build()
        .unwrap();
    knock(&door, &a.bearer(&claims(), AT)).unwrap();
    let error = knock(&door, &a.bearer(&with("iss", json!("https://b.example")), AT)).unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}

#[test]
fn clocks_that_differ() {
    let signs = Signs::new("one");
    let builder = ResourceServer::builder(API).issuer(ISSUER, signs.keys());
    let door = builder.clone().build().unwrap();
    let exact = builder.clone().leeway(0).build().unwrap();
    for (name, within, beyond) in [
        ("exp", now() - 10, now() - 31),
        ("nbf", now() + 20, now() + 90),
        ("iat", now() + 20, now() + 90),
    ] {
        let token = |at: u64| signs.bearer(&with(name, json!(at)), AT);
        knock(&door, &token(within)).expect(name);
        assert_eq!(refusal(&door, &token(beyond)).1.as_deref(), Some(name));
        assert_eq!(refusal(&exact, &token(within)).1.as_deref(), Some(name));
    }
    let error = misbuilt(builder.leeway(601));
    assert_eq!(error.claim(), Some("leeway"));
    // Our own tokens, by our own clock: exactly, unless something else is said.
    let opened = open_key_ring("memory:", &PepperSource::Beside, KeyRingOptions::new()).unwrap();
    let own = Signs(opened.ring.signing_key().unwrap());
    let builder = ResourceServer::builder(API).issuer(ISSUER, Arc::new(opened.ring));
    let late = own.bearer(&with("exp", json!(now() - 1)), AT);
    let door = builder.clone().build().unwrap();
    knock(&door, &own.bearer(&claims(), AT)).unwrap();
    assert_eq!(refusal(&door, &late).0, ErrorKind::Expired);
    knock(&builder.leeway(60).build().unwrap(), &late).unwrap();
}

#[test]
fn what_contradicts_itself() {
    let signs = Signs::new("one");
    let builder = || ResourceServer::builder(API).issuer(ISSUER, signs.keys());
    let any = misbuilt(builder().any_audience());
    assert_eq!(any.claim(), Some("clients"));
    assert!(any.message().contains("every token of the issuer"), "{any}");
    assert_eq!(misbuilt(builder().client("")).claim(), Some("clients"));
    assert_eq!(misbuilt(builder().tenant_claim("")).claim(), Some("tenant_claim"));
    let json = format!(r#"{{"audience":"{API}","issuer":"{ISSUER}","clients":[]}}"#);
    let empty = ResourceServerBuilder::from_json(json.as_bytes()).unwrap().keys(signs.keys());
    assert_eq!(misbuilt(empty).claim(), Some("clients"));
    assert_eq!(misbuilt(ResourceServer::builder(API).keys(signs.keys())).claim(), Some("issuer"));
    assert_eq!(misbuilt(ResourceServer::builder(API).issuer_name(ISSUER)).claim(), Some("issuer"));
    let nameless = ResourceServer::builder("").issuer(ISSUER, signs.keys());
    assert_eq!(misbuilt(nameless).claim(), Some("audience"));
}

/// The tenant of a token is a claim that the API names.
#[test]
fn tenants_of_tokens() {
    let signs = Signs::new("one");
    let builder = ResourceServer::builder(API).issuer(ISSUER, signs.keys());
    let (plain, named) =
        (builder.clone().build().unwrap(), builder.tenant_claim("tid").build().unwrap());
    let demand = Demand::new().tenant("bank");
    let of = |tenant: Value| signs.bearer(&with("tid", tenant), AT);
    let access = named.check(Some(&of(json!("bank"))), &demand).unwrap();
    assert_eq!(access.tenant.as_deref(), Some("bank"));
    assert_eq!(knock(&named, &of(json!(7))).unwrap().tenant.as_deref(), Some("7"));
    assert_eq!(knock(&plain, &of(json!("bank"))).unwrap().tenant, None);
    for (door, header) in [
        (&plain, of(json!("bank"))),
        (&named, of(json!("other"))),
        (&named, of(json!(""))),
        (&named, of(json!(["bank"]))),
        (&named, signs.bearer(&claims(), AT)),
    ] {
        let error = door.check(Some(&header), &demand).unwrap_err();
        assert_eq!(error.kind().http_status(), 401, "{error}");
    }
}
