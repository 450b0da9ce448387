//! Options that are given as JSON: whatever is not exactly what a member needs is refused, and the error names the member.

use gatekey::oauth::{
    LoginOptions, OAuthConfig, RemoteKeySet, RemoteKeySetOptions, TokenExchange, TokenGrant,
};
use gatekey::resource::ResourceServerBuilder;
use gatekey::{ErrorKind, OAuthClient, Result, Secret};

/// What a member needs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Needs {
    Text,
    Flag,
    Number,
    /// A list of strings.
    Texts,
    /// An object of strings.
    Pairs,
    /// An object of known members.
    Object,
    /// A list of objects of known members.
    Objects,
    /// A string or an object.
    Key,
}
use Needs::*;

/// One value of each kind; the numbers and lists in every form that people write.
const VALUES: [(&str, &[Needs]); 15] = [
    ("\"1\"", &[Text, Key]),
    ("true", &[Flag]),
    ("7", &[Number]),
    ("7.0", &[]),
    ("7e0", &[]),
    ("-7", &[]),
    ("18446744073709551616", &[]),
    ("[]", &[Texts, Objects]),
    ("[\"1\"]", &[Texts]),
    ("[7]", &[]),
    ("[null]", &[]),
    ("[{\"x\":\"1\"}]", &[]),
    ("{}", &[Pairs, Object, Key]),
    ("{\"x\":\"1\"}", &[Pairs, Key]),
    ("{\"x\":7}", &[Key]),
];

struct Reader {
    name: &'static str,
    read: fn(&str) -> Result<()>,
    /// What stands before the member, and after it.
    around: (&'static str, &'static str),
    /// Where the members are, as an error tells it.
    inside: &'static str,
    members: &'static [(&'static str, Needs)],
}

fn door(text: &str) -> Result<()> {
    ResourceServerBuilder::from_json(text.as_bytes()).map(drop)
}

fn client(text: &str) -> Result<()> {
    OAuthConfig::from_json(text.as_bytes()).map(drop)
}

const ENDPOINTS: &[(&str, Needs)] = &[
    ("authorization_endpoint", Text),
    ("token_endpoint", Text),
    ("userinfo_endpoint", Text),
    ("jwks_uri", Text),
    ("introspection_endpoint", Text),
    ("revocation_endpoint", Text),
    ("end_session_endpoint", Text),
    ("device_authorization_endpoint", Text),
    ("pushed_authorization_request_endpoint", Text),
];

const QUIRKS: &[(&str, Needs)] = &[
    ("comma_scopes", Flag),
    ("comma_scopes_answered", Flag),
    ("form_answers", Flag),
    ("untyped_tokens", Flag),
    ("expires_in_text", Flag),
    ("scope_list", Flag),
    ("nested_in", Text),
    ("no_pkce", Flag),
    ("no_nonce", Flag),
    ("response_mode", Text),
    ("authorize", Pairs),
    ("scope_on_refresh", Flag),
    ("subject_member", Text),
    ("emails_endpoint", Text),
    ("app_secret_proof", Flag),
    ("issuer_aliases", Texts),
    ("issuer_template", Text),
    ("signed_secret", Texts),
    ("errors", Pairs),
    ("verified_email_member", Text),
    ("no_id_token", Flag),
];

const READERS: &[Reader] = &[
    Reader {
        name: "the configuration of a client",
        read: client,
        around: ("{", "}"),
        inside: "",
        members: &[
            ("preset", Text),
            ("issuer", Text),
            ("discover", Flag),
            ("client_id", Text),
            ("client_secret", Text),
            ("private_key", Key),
            ("token_endpoint_auth_method", Text),
            ("redirect_uri", Text),
            ("scopes", Texts),
            ("id_token_algorithms", Texts),
            ("trusted_audiences", Texts),
            ("allowed_tenants", Texts),
            ("allow_loopback_http", Flag),
            ("require_pkce", Flag),
            ("leeway", Number),
            ("deadline_ms", Number),
            ("variables", Pairs),
            ("quirks", Object),
            ("flow_keys", Objects),
        ],
    },
    Reader { name: "endpoints", read: client, around: ("{", "}"), inside: "", members: ENDPOINTS },
    Reader {
        name: "quirks",
        read: client,
        around: ("{\"quirks\":{", "}}"),
        inside: "quirks.",
        members: QUIRKS,
    },
    Reader {
        name: "the keys of log-in cookies",
        read: client,
        around: ("{\"flow_keys\":[{", "}]}"),
        inside: "flow_keys.",
        members: &[("number", Number), ("secret", Text)],
    },
    Reader {
        name: "a log-in",
        read: |text| LoginOptions::from_json(text.as_bytes()).map(drop),
        around: ("{", "}"),
        inside: "",
        members: &[
            ("scopes", Texts),
            ("return_to", Text),
            ("prompt", Text),
            ("login_hint", Text),
            ("acr_values", Text),
            ("max_age", Number),
            ("resources", Texts),
            ("parameters", Pairs),
        ],
    },
    Reader {
        name: "a grant",
        read: |text| TokenGrant::from_json(text.as_bytes()).map(drop),
        around: ("{", "}"),
        inside: "",
        members: &[("scopes", Texts), ("resources", Texts), ("parameters", Pairs)],
    },
    Reader {
        name: "an exchange",
        read: |text| TokenExchange::from_json(text.as_bytes()).map(drop),
        around: ("{\"subject_token\":\"t\",", "}"),
        inside: "",
        members: &[
            ("subject_token_type", Text),
            ("actor_token", Text),
            ("actor_token_type", Text),
            ("requested_token_type", Text),
            ("audience", Text),
            ("scopes", Texts),
            ("resources", Texts),
            ("parameters", Pairs),
        ],
    },
    Reader {
        name: "remote keys",
        read: |text| RemoteKeySet::from_json(text.as_bytes()).map(drop),
        around: ("{\"url\":\"https://a.example\",\"max_ttl\":9,\"min_ttl\":1,", "}"),
        inside: "",
        members: &[
            ("issuer", Text),
            ("ttl", Number),
            ("cooldown", Number),
            ("max_stale", Number),
            ("rsa_alg", Text),
            ("allow_loopback_http", Flag),
            ("deadline_ms", Number),
        ],
    },
    Reader {
        name: "the API's door",
        read: door,
        around: ("{", "}"),
        inside: "",
        members: &[
            ("audience", Text),
            ("issuer", Text),
            ("token_types", Texts),
            ("algorithms", Texts),
            ("leeway", Number),
            ("metadata_url", Text),
            ("scopes_supported", Texts),
            ("introspection", Object),
        ],
    },
    Reader {
        name: "introspection",
        read: door,
        around: ("{\"introspection\":{", "}}"),
        inside: "introspection.",
        members: &[
            ("ttl", Number),
            ("negative_ttl", Number),
            ("unknown_tokens", Number),
            ("require_audience", Flag),
        ],
    },
    #[cfg(feature = "http")]
    Reader {
        name: "the transport",
        read: |text| gatekey::transport::HttpOptions::from_json(text.as_bytes()).map(drop),
        around: ("{", "}"),
        inside: "",
        members: &[
            ("allow_loopback_http", Flag),
            ("public_only", Flag),
            ("deadline_ms", Number),
            ("connect_ms", Number),
            ("ca_pem", Text),
            ("client_certificate_pem", Text),
            ("client_key_pem", Text),
        ],
    },
];

impl Reader {
    fn give(&self, member: &str) -> Result<()> {
        let (before, after) = self.around;
        (self.read)(&format!("{before}{member}{after}"))
    }

    #[track_caller]
    fn refuses(&self, given: &str, claim: &str) {
        let error = self.give(given).expect_err(&format!("{}: {given}", self.name));
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{}: {given}", self.name);
        let said = error.claim().unwrap_or_default();
        let is_named =
            said == claim || said.strip_prefix(claim).is_some_and(|in_it| in_it.starts_with('.'));
        assert!(is_named, "{}: {given}: {said}: {error}", self.name);
    }
}

#[test]
fn every_member_refuses_every_wrong_kind_and_is_named() {
    for reader in READERS {
        for (member, needs) in reader.members {
            let path = format!("{}{member}", reader.inside);
            for (value, good_for) in VALUES {
                // Here null is a type: that of tokens which name none.
                if (*member, value) == ("token_types", "[null]") {
                    reader.give(&format!("\"{member}\":{value}")).unwrap();
                    continue;
                }
                let given = format!("\"{member}\":{value}");
                if !good_for.contains(needs) {
                    reader.refuses(&given, &path);
                } else if let Err(error) = reader.give(&given) {
                    // The kind is right, and the value may mean nothing.
                    let misfit =
                        ["must be a", "must be an", "must be true", "no option of this name"];
                    let said = error.to_string();
                    let inside =
                        error.claim().is_some_and(|claim| claim.starts_with(&format!("{path}.")));
                    assert!(
                        inside || !misfit.iter().any(|words| said.contains(words)),
                        "{given}: {said}"
                    );
                }
            }
        }
    }
}

#[test]
fn unknown_members_are_refused_at_every_depth_and_null_is_not_given() {
    for reader in READERS {
        for name in ["x", "Audience", "issuer ", "leewaY", ""] {
            for value in ["\"1\"", "null"] {
                let path = format!("{}{name}", reader.inside);
                reader.refuses(&format!("\"{name}\":{value}"), &path);
            }
        }
        for (member, _) in reader.members {
            let path = format!("{}{member}", reader.inside);
            let said = reader.give(&format!("\"{member}\":null")).err();
            let named = said.as_ref().and_then(|error| error.claim());
            let is_missing =
                said.as_ref().is_some_and(|error| error.to_string().contains("must be given"));
            assert!(is_missing || named != Some(&*path), "{}: {said:?}", reader.name);
        }
    }
}

#[test]
fn what_is_no_object_is_no_set_of_options() {
    for reader in READERS {
        for text in ["", " ", "5", "\"x\"", "[]", "null", "[{}]", "{", "{}{}", "{\"a\":1,\"a\":1}"]
        {
            let error = (reader.read)(text).expect_err(reader.name);
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{}: {text}", reader.name);
        }
        let long = format!("{{\"x\":\"{}\"}}", "y".repeat(1 << 20));
        let error = (reader.read)(&long).expect_err(reader.name);
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{}", reader.name);
        assert_eq!(error.claim(), None, "{}: not read at all", reader.name);
    }
}

/// What would be left out in silence opens the door.
#[test]
fn options_that_would_change_nothing_are_refused() {
    let key = gatekey::Key::generate(gatekey::Alg::Es256).unwrap().public().unwrap();
    let keys = std::sync::Arc::new(gatekey::KeySet::new([key]).unwrap());
    let read = |text: &str| ResourceServerBuilder::from_json(text.as_bytes());
    let error = read(r#"{"audience":"a","token_types":[]}"#).unwrap_err();
    assert_eq!(error.claim(), Some("token_types"));
    let with_keys = |text: &str| read(text).unwrap().keys(keys.clone()).build().unwrap_err();
    let error = with_keys(r#"{"audience":"a"}"#);
    assert_eq!(error.claim(), Some("issuer"), "keys without an issuer");
    let named = r#"{"audience":"a","issuer":"https://i.example"}"#;
    let error = read(named).unwrap().build().unwrap_err();
    assert_eq!(error.claim(), Some("issuer"), "an issuer without keys");
    let asking = r#"{"audience":"a","issuer":"https://i.example","introspection":{"require_audience":true}}"#;
    assert_eq!(with_keys(asking).claim(), Some("introspection"), "nobody who asks");
}

/// JSON overrides what was set before it, and what is set after it overrides it.
#[test]
fn json_adds_to_what_is_set() {
    let endpoint = "https://a.example/t";
    let config = OAuthConfig::new("c").endpoint("token_endpoint", endpoint).unwrap().leeway(601);
    assert!(OAuthClient::new(config.clone()).is_err());
    let config = config.json(br#"{"leeway":600,"client_id":"d","deadline_ms":0}"#).unwrap();
    let client = OAuthClient::new(config.clone().deadline_ms(1)).unwrap();
    assert_eq!(client.client_id(), "d");
    assert_eq!(OAuthClient::new(config.deadline_ms(1).client_id("e")).unwrap().client_id(), "e");

    let exchange = TokenExchange::new(Secret::new(Vec::new()), TokenExchange::JWT);
    let exchange = exchange.json(br#"{"audience":"x","actor_token":"a"}"#).unwrap();
    let error = client.token_exchange(&exchange).expect_err("on behalf of whom");
    assert_eq!(error.claim(), Some("subject_token"));
    let exchange = exchange.json(br#"{"subject_token":"s"}"#).unwrap();
    assert!(client.token_exchange(&exchange).is_ok());

    let keys = RemoteKeySetOptions::new().url("http://a.example/k");
    assert_eq!(RemoteKeySet::open(keys.clone()).unwrap_err().claim(), Some("url"));
    let keys = keys.json(br#"{"url":"https://a.example/k","max_stale":60}"#).unwrap();
    assert!(RemoteKeySet::open(keys.clone()).is_ok());
    let both = keys.issuer("https://a.example");
    assert_eq!(RemoteKeySet::open(both).unwrap_err().claim(), Some("url"));
    let error = RemoteKeySet::open(RemoteKeySetOptions::new().issuer("a.example")).unwrap_err();
    assert_eq!(error.claim(), Some("issuer"));
}

/// What the builders were given and cannot be used: the error names it.
#[test]
fn a_value_that_cannot_be_used_is_named() {
    let config = OAuthConfig::new("c").redirect_uri("https://app.example/cb");
    let client = OAuthClient::new(config.issuer("https://a.example")).unwrap();
    let login = LoginOptions::new;
    for (options, claim) in [
        (login().scopes(&["a b"]), "scopes"),
        (login().prompt("log\nin"), "prompt"),
        (login().login_hint(""), "login_hint"),
        (login().acr_values("é"), "acr_values"),
        (login().resource("\n"), "resources"),
        (login().parameter("", "x"), "parameters"),
        (login().parameter("audience", ""), "parameters.audience"),
        (login().parameter("state", "x"), "parameters.state"),
    ] {
        let error = client.begin(&options, "").expect_err(claim);
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidArgument, Some(claim)));
    }
    for (grant, claim) in [
        (TokenGrant::new().scopes(&["\""]), "scopes"),
        (TokenGrant::new().resource(""), "resources"),
        (TokenGrant::new().parameter("audience", "\n"), "parameters.audience"),
        (TokenGrant::new().parameter("code", "x"), "parameters.code"),
    ] {
        let error = client.device_codes(&grant).expect_err(claim);
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidArgument, Some(claim)));
    }
    let error = client.logout_url(None, Some("\n"), None).expect_err("a line break");
    assert_eq!(error.claim(), Some("post_logout_redirect_uri"));
    let error = client.logout_url(None, None, Some("")).expect_err("nothing");
    assert_eq!(error.claim(), Some("state"));
    for (options, claim) in [
        (RemoteKeySetOptions::new().ttl_between(0, 60), "min_ttl"),
        (RemoteKeySetOptions::new().ttl_between(1, u64::MAX), "max_ttl"),
        (RemoteKeySetOptions::new().max_stale(u64::MAX), "max_stale"),
        (RemoteKeySetOptions::new().cooldown(86_401), "cooldown"),
    ] {
        let error = RemoteKeySet::new("https://a.example/k", options).expect_err(claim);
        assert_eq!(error.claim(), Some(claim));
    }
    let config = || OAuthConfig::new("c");
    assert_eq!(config().preset("nobody").unwrap_err().claim(), Some("preset"));
    for (quirks, claim) in [
        ("[]", "quirks"),
        ("{", "quirks"),
        (r#"{"typo":1}"#, "quirks.typo"),
        (r#"{"no_pkce":1}"#, "quirks.no_pkce"),
    ] {
        assert_eq!(config().quirks(quirks.as_bytes()).unwrap_err().claim(), Some(claim));
    }
}
