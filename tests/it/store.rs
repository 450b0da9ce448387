//! A store in the hand: what names it, what it hands out, and what is left of that when it closes.

use crate::apikey::Folder;
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::clock::FixedClock;
use gatekey::keyring::KeyRingOptions;
use gatekey::open::{
    StoreOptions, StoreUrl, open_api_keys, open_key_ring, open_revocations, open_sessions,
};
use gatekey::pepper::PepperSource;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::{
    Alg, Claims, Clock, Error, ErrorKind, Key, KeySet, Peppers, Policy, ResourceServer, Secret,
    Signer, Store, Verifier,
};
use std::path::Path;
use std::sync::Arc;

const NOW: u64 = 1_800_000_000;

fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// The rows of `tests/vectors/store_urls.txt`: what is expected, and the text.
fn rows() -> Vec<(&'static str, String)> {
    let rows = include_str!("../vectors/store_urls.txt").lines();
    let rows = rows.filter(|line| !line.starts_with('#')).map(|line| {
        let (expected, text) = line.split_once('\t').unwrap();
        let text = gatekey::json::parse(text.as_bytes()).unwrap();
        (expected, text.as_str().unwrap().into_owned())
    });
    rows.collect()
}

/// The same in a folder, since a test may not change where it runs.
fn within(folder: &Path, url: StoreUrl) -> Result<String, Error> {
    let text = url.to_string();
    let root = folder.display();
    Ok(match url {
        StoreUrl::Sqlite { .. } => text
            .replace("sqlite:///", &format!("sqlite:///{root}/"))
            .replace("=sub", &format!("={root}/sub")),
        StoreUrl::Folder { .. } => text.replace("folder:", &format!("folder:{root}/")),
        _ => text,
    })
}

#[test]
fn every_text_names_what_it_names() {
    let folder = Folder::new("store_urls");
    std::fs::create_dir(folder.path("sub")).unwrap();
    let rows = rows();
    assert!(rows.len() > 70);
    for (expected, text) in rows {
        let url = text.parse::<StoreUrl>().and_then(|url| within(&folder.path(""), url));
        let given = PepperSource::Given(peppers());
        let ring = url
            .clone()
            .and_then(|url| open_key_ring(&url, &given, KeyRingOptions::new()).map(|_| url));
        let store = url.and_then(|url| {
            Store::open_with(&url, StoreOptions::new().pepper(peppers()))?;
            open_api_keys(&url, &given, ApiKeyOptions::new())?;
            open_sessions(&url, &given, None, SessionOptions::new())?;
            open_revocations(&url, RevocationOptions::new())?;
            Ok(url)
        });
        match expected {
            "memory" | "sqlite" => {
                let url = store.unwrap_or_else(|error| panic!("{text:?}: {error}"));
                assert!(url.to_lowercase().starts_with(expected), "{text:?}: {url}");
                let path = url.parse::<StoreUrl>().unwrap().path().map(Path::to_owned);
                assert_eq!(
                    path.is_some_and(|path| path.is_file()),
                    expected == "sqlite",
                    "{text:?}"
                );
                assert!(ring.is_ok(), "{text:?}");
            }
            "folder" => {
                assert_eq!(kind(store), Some(ErrorKind::InvalidArgument), "{text:?}");
                let url: StoreUrl = ring.unwrap().parse().unwrap();
                assert!(url.path().unwrap().is_dir(), "{text:?}");
            }
            refused => {
                for result in [store, ring] {
                    let error = result.expect_err(&text);
                    assert_eq!(error.kind().name(), refused, "{text:?}: {error}");
                }
            }
        }
    }
    // Nothing but a folder of key rings makes a folder.
    let entries = std::fs::read_dir(folder.path("")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["keys", "keys2", "keys3", "sub"]);
}

#[test]
fn a_path_is_a_file_whatever_it_looks_like() {
    for (path, text) in [
        ("memory:", "sqlite:///memory:"),
        ("folder:x", "sqlite:///folder:x"),
        ("/a b/C:.sqlite", "sqlite:////a b/C:.sqlite"),
    ] {
        let url = StoreUrl::of_path(Path::new(path)).unwrap();
        assert_eq!((url.path(), url.to_string().as_str()), (Some(Path::new(path)), text));
    }
    for path in ["", "a?mark=none", "a#b", "sub/", ".", "a\0"] {
        assert_eq!(kind(StoreUrl::of_path(Path::new(path))), Some(ErrorKind::InvalidArgument));
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"\xff"));
        assert_eq!(kind(StoreUrl::of_path(path)), Some(ErrorKind::InvalidArgument));
    }
}

#[test]
fn unknown_schemes_are_told_what_there_is() {
    let said = |text: &str| text.parse::<StoreUrl>().unwrap_err().to_string();
    for text in ["mysql://a/b", "redis://a"] {
        for scheme in ["sqlite:///path", "memory:", "folder:/path"] {
            assert!(said(text).contains(scheme), "{text}: {}", said(text));
        }
    }
    assert!(said("redis://a").contains("postgresql://user@host/database"));
    assert!(said("postgresql://a/b").contains("names no user"));
}

/// Wrong options are found before a file is made.
#[test]
fn wrong_options_make_no_store() {
    let folder = Folder::new("store_options_first");
    let url = format!("sqlite:///{}/auth.sqlite", folder.path("").display());
    let pepper = PepperSource::Beside;
    let key = Key::generate(Alg::Es256).unwrap();
    let signer = Signer::builder(&key).ttl(60).build().unwrap();
    let refusals = [
        kind(open_api_keys(&url, &pepper, ApiKeyOptions::new().env("production"))),
        kind(open_api_keys(&url, &pepper, ApiKeyOptions::new().prefix("GK"))),
        kind(open_api_keys(&url, &pepper, ApiKeyOptions::new().max_stale(100_000))),
        kind(open_sessions(&url, &pepper, None, SessionOptions::new().refresh_ttl(0))),
        kind(open_sessions(&url, &pepper, None, SessionOptions::new().grace(90))),
        kind(open_sessions(
            &url,
            &pepper,
            None,
            SessionOptions::new().revocations(RevocationOptions::new().max_token_ttl(0)),
        )),
        kind(open_revocations(&url, RevocationOptions::new().tenant_claim(""))),
        kind(open_key_ring(&url, &pepper, KeyRingOptions::new().name("My Ring"))),
        kind(open_key_ring(&url, &pepper, KeyRingOptions::new().token_ttl(0))),
    ];
    assert_eq!(refusals, [Some(ErrorKind::InvalidArgument); 9]);
    let short = SessionOptions::new().refresh_ttl(30);
    let refused = kind(open_sessions(&url, &pepper, Some(&signer), short));
    assert_eq!(refused, Some(ErrorKind::InvalidConfiguration));
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 0);
}

#[test]
fn a_store_that_must_be_there_is_not_made() {
    let folder = Folder::new("store_must_be_there");
    let path = folder.path("atuh.sqlite");
    let url = format!("sqlite:///{}", path.display());
    let there = || std::fs::read_dir(folder.path("")).unwrap().count();
    let options = || StoreOptions::new().pepper(peppers()).create(false);
    let of_revocations = || RevocationOptions::new().create(false);
    for refused in [
        Store::open_with(&url, options()).unwrap_err(),
        Store::open_with(&format!("folder:{}", path.display()), options()).unwrap_err(),
        open_revocations(&url, of_revocations()).unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::StoreUnavailable);
        assert!(refused.to_string().contains("atuh.sqlite"), "{refused}");
    }
    assert_eq!(there(), 0);
    Store::open_with("memory:", options()).unwrap();

    Store::open_with(&url, StoreOptions::new().pepper(peppers())).unwrap();
    Store::open_with(&url, options()).unwrap();
    open_revocations(&url, of_revocations()).unwrap();
}

/// What is no name of a store, and a secret: refused without being repeated, and nothing is made.
#[test]
fn a_secret_is_no_store() {
    let token = Signer::builder(&Key::generate(Alg::Hs256).unwrap()).build().unwrap();
    let token = token.sign(&Claims::new().subject("alice")).unwrap();
    let store = Store::open("memory:").unwrap();
    let key = store.api_keys(ApiKeyOptions::new()).unwrap().create(&KeySpec::new("acme")).unwrap();
    let jwk = Key::generate(Alg::Es256).unwrap().to_private_jwk().unwrap();
    let pem = Key::generate(Alg::Es256).unwrap().to_private_pem().unwrap();
    for text in [&token, key.secret.expose_str(), jwk.expose_str(), pem.expose_str()] {
        for url in [text.to_owned(), format!("sqlite:///{text}"), format!("folder:{text}")] {
            let refused = Store::open(&url).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
            let told = format!("{refused} {refused:?}");
            assert!(told.contains("not shown") && !told.contains(&text[..16]), "{told}");
        }
    }
}

fn peppers() -> Peppers {
    Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap()
}

fn signer(key: &Key, clock: &Arc<FixedClock>) -> Signer {
    Signer::builder(key).ttl(300).clock(Arc::clone(clock) as Arc<dyn Clock>).build().unwrap()
}

/// The URLs of a store of each kind.
fn urls(folder: &Folder) -> [String; 2] {
    ["memory:".to_owned(), format!("sqlite:///{}", folder.path("all.sqlite").display())]
}

#[test]
fn one_store_hands_out_everything() {
    let folder = Folder::new("store_hands_out");
    for url in urls(&folder) {
        let clock = Arc::new(FixedClock::new(NOW));
        let options = StoreOptions::new().pepper(peppers()).clock(Arc::clone(&clock) as _);
        let store = Store::open_with(&url, options).unwrap();
        assert_eq!((store.url().to_owned(), store.new_pepper_file()), (url.clone(), None));
        let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
        let ring = store.key_ring("tokens", KeyRingOptions::new()).unwrap();
        let signer = Signer::following(Arc::new(ring.clone())).ttl(300);
        let signer = signer.clock(Arc::clone(&clock) as _).build().unwrap();
        let sessions = store.sessions(Some(&signer), SessionOptions::new()).unwrap();
        let revocations = store.revocations(RevocationOptions::new().strict(true)).unwrap();
        drop(store);

        let issued = keys.create(&KeySpec::new("acme")).unwrap();
        assert_eq!(issued.record.created_at, NOW, "its clock");
        assert!(keys.verify(issued.secret.expose(), &Check::new()).is_ok());
        let tokens = sessions.start("alice", &SessionSpec::default()).unwrap();
        assert_eq!(tokens.session.created_at, NOW, "its clock");
        assert_eq!(ring.active().unwrap().created_at, NOW, "its clock");
        let policy = Policy::new().clock(clock).revocations(Arc::new(revocations.clone()));
        let verifier = Verifier::following(Arc::new(ring.clone()), policy).unwrap();
        assert!(verifier.verify(tokens.access_token.expose()).is_ok());
        sessions.end(tokens.refresh_token.expose()).unwrap();
        let refused = verifier.verify(tokens.access_token.expose());
        assert_eq!(kind(refused), Some(ErrorKind::RevokedToken), "one feed");
        // One pepper: each would be refused under another.
        let report = keys.pepper_report().unwrap();
        assert_eq!(
            report.iter().map(|one| (one.pepper, one.keys, one.key_rings)).collect::<Vec<_>>(),
            [(1, 1, 1)]
        );
    }
}

#[test]
fn nothing_goes_on_after_it_closed() {
    let folder = Folder::new("store_closed");
    for url in urls(&folder) {
        let clock = Arc::new(FixedClock::new(NOW));
        let options = || StoreOptions::new().pepper(peppers()).clock(Arc::clone(&clock) as _);
        let store = Store::open_with(&url, options()).unwrap();
        let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
        let (prefix, ring) =
            (keys.prefix().to_owned(), store.key_ring("default", KeyRingOptions::new()).unwrap());
        let key = Key::generate(Alg::Hs256).unwrap();
        let sessions = store.sessions(Some(&signer(&key, &clock)), SessionOptions::new()).unwrap();
        let revocations = store.revocations(RevocationOptions::new()).unwrap();
        let mut spec = KeySpec::new("acme");
        spec.credits = Some(gatekey::apikey::CreditSpec { amount: 100, ..Default::default() });
        let issued = keys.create(&spec).unwrap();
        let secret = issued.secret.expose();
        keys.verify(secret, &Check::new()).unwrap();
        let tokens = sessions.start("alice", &SessionSpec::default()).unwrap();
        let access = tokens.access_token.expose();
        let of_sessions = Policy::new().clock(Arc::clone(&clock) as _);
        let by_sessions = of_sessions.clone().revocations(Arc::new(sessions.revocations().clone()));
        let by_revocations = of_sessions.revocations(Arc::new(revocations.clone()));
        let verifiers =
            [by_sessions, by_revocations].map(|policy| Verifier::with_key(&key, policy).unwrap());
        let of_ring = Signer::following(Arc::new(ring.clone()))
            .ttl(60)
            .clock(Arc::clone(&clock) as _)
            .build()
            .unwrap();
        let signed = of_ring.sign(&Claims::new().subject("x")).unwrap();
        let followed = Verifier::following(
            Arc::new(ring.clone()),
            Policy::new().clock(Arc::clone(&clock) as _),
        )
        .unwrap();
        assert!(
            followed.verify(&signed).is_ok()
                && verifiers.iter().all(|one| one.verify(access).is_ok())
        );

        let of_closed = || Policy::new().revocations(Arc::new(revocations.clone()));
        let another = store.clone();
        another.check_open().unwrap();
        store.close().unwrap();
        another.close().unwrap();
        let closed = Some(ErrorKind::InvalidArgument);
        for (what, refused) in [
            ("verify", kind(keys.verify(secret, &Check::new()))),
            ("create", kind(keys.create(&KeySpec::new("x")))),
            ("revoke", kind(keys.revoke(&issued.record.id, ""))),
            ("list", kind(keys.list(&gatekey::apikey::KeyFilter::default()))),
            ("flush", kind(keys.flush())),
            ("start", kind(sessions.start("bob", &SessionSpec::default()))),
            ("refresh", kind(sessions.refresh(tokens.refresh_token.expose(), None))),
            ("end", kind(sessions.end(tokens.refresh_token.expose()))),
            ("no key of ours", kind(keys.verify("x", &Check::new()))),
            ("no key", kind(keys.verify("", &Check::new()))),
            ("a key of no name", kind(keys.get(""))),
            ("start nobody's", kind(sessions.start("", &SessionSpec::default()))),
            ("refresh nothing", kind(sessions.refresh("x", None))),
            ("end nothing", kind(sessions.end("x"))),
            ("end by no id", kind(sessions.end_by_id("o", None))),
            ("no session", kind(sessions.get("o"))),
            ("nobody's sessions", kind(sessions.list(""))),
            ("end nobody's", kind(sessions.end_all(""))),
            ("a session's token", kind(verifiers[0].verify(access))),
            ("an expired one", kind(revocations.seen_once("i", "1", 1))),
            ("a verifier", kind(Verifier::with_key(&key, of_closed()))),
            (
                "a verifier of a set",
                kind(Verifier::new(&KeySet::new([key.clone()]).unwrap(), of_closed())),
            ),
            ("a door", kind(ResourceServer::builder("https://a").api_keys(keys.clone()).build())),
            ("open keys", kind(keys.check_open())),
            ("open sessions", kind(sessions.check_open())),
            ("open revocations", kind(revocations.check_open())),
            ("an open ring", kind(ring.check_open())),
            ("an open store", kind(another.check_open())),
            ("a token", kind(verifiers[1].verify(access))),
            ("revoke a subject", kind(revocations.revoke_subject("alice"))),
            ("seen once", kind(revocations.seen_once("i", "1", NOW + 60))),
            ("refresh revocations", kind(revocations.refresh())),
            ("rotate", kind(ring.rotate())),
            ("keys", kind(ring.keys())),
            ("sign", kind(of_ring.sign(&Claims::new().subject("x")))),
            ("a ring's token", kind(followed.verify(&signed))),
            ("API keys", kind(another.api_keys(ApiKeyOptions::new()))),
            ("sessions", kind(another.sessions(None, SessionOptions::new()))),
            ("revocations", kind(another.revocations(RevocationOptions::new()))),
            ("a ring", kind(another.key_ring("default", KeyRingOptions::new()))),
        ] {
            assert_eq!(refused, closed, "{url}: {what}");
        }
        assert!(keys.close().is_ok() && prefix == keys.prefix());
        if url == "memory:" {
            continue;
        }
        // What was pending is in the store, what was refused is not.
        let store = Store::open_with(&url, options()).unwrap();
        let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
        let record = keys.get(&issued.record.id).unwrap();
        assert_eq!((record.uses, record.credits.unwrap().remaining), (1, 99));
        assert!(keys.verify(secret, &Check::new()).is_ok());
        assert_eq!(keys.list(&gatekey::apikey::KeyFilter::default()).unwrap().records.len(), 1);
        let sessions = store.sessions(Some(&signer(&key, &clock)), SessionOptions::new()).unwrap();
        assert!(sessions.refresh(tokens.refresh_token.expose(), None).is_ok());
        let ring_now = store.key_ring("default", KeyRingOptions::new()).unwrap();
        assert_eq!(ring_now.keys().unwrap().len(), 2);
    }
}

/// A key, a token and a ring's key alike, although the clock stands still.
#[test]
fn what_is_strict_sees_at_once_what_others_take_away() {
    let folder = Folder::new("store_strict");
    let clock = Arc::new(FixedClock::new(NOW));
    let open = || {
        let options = StoreOptions::new().pepper(peppers()).clock(Arc::clone(&clock) as _);
        Store::open_with(
            &format!("sqlite:///{}", folder.path("s.db").display()),
            options.strict(true),
        )
        .unwrap()
    };
    let (here, there) = (open(), open());
    let (keys, ring) = (
        here.api_keys(ApiKeyOptions::new()).unwrap(),
        here.key_ring("r", KeyRingOptions::new()).unwrap(),
    );
    let signer = Signer::following(Arc::new(ring.clone())).clock(clock.clone()).build().unwrap();
    let list = here.revocations(RevocationOptions::new()).unwrap();
    let policy = Policy::new().clock(clock.clone());
    let verifier = Verifier::following(Arc::new(ring.clone()), policy.clone()).unwrap();
    let listed = Verifier::following(Arc::new(ring), policy.revocations(Arc::new(list))).unwrap();
    let key = keys.create(&KeySpec::new("acme")).unwrap();
    let token = signer.sign(&Claims::new().subject("alice")).unwrap();
    assert!(keys.verify(key.secret.expose(), &Check::new()).is_ok());
    let kid = verifier.verify(&token).unwrap().key_id().to_owned();
    assert!(listed.verify(&token).is_ok());

    there.api_keys(ApiKeyOptions::new()).unwrap().revoke(&key.record.id, "").unwrap();
    let refused = keys.verify(key.secret.expose(), &Check::new());
    assert_eq!(kind(refused), Some(ErrorKind::ApiKeyRevoked));
    there.revocations(RevocationOptions::new()).unwrap().revoke_subject("alice").unwrap();
    assert_eq!(kind(listed.verify(&token)), Some(ErrorKind::RevokedToken));
    there.key_ring("r", KeyRingOptions::new()).unwrap().remove(&kid).unwrap();
    assert_eq!(kind(verifier.verify(&token)), Some(ErrorKind::KeyNotFound));
}

#[test]
fn closing_keys_leaves_the_others() {
    let folder = Folder::new("store_keys_closed");
    for url in urls(&folder) {
        let store = Store::open_with(&url, StoreOptions::new().pepper(peppers())).unwrap();
        let [one, other] = [(); 2].map(|()| store.api_keys(ApiKeyOptions::new()).unwrap());
        one.close().unwrap();
        let issued = other.create(&KeySpec::new("acme")).unwrap();
        assert!(other.verify(issued.secret.expose(), &Check::new()).is_ok());
        let id = &issued.record.id;
        for (what, refused) in [
            ("verify", kind(one.verify(issued.secret.expose(), &Check::new()))),
            ("create", kind(one.create(&KeySpec::new("acme")))),
            ("get", kind(one.get(id))),
            ("disable", kind(one.disable(id, ""))),
            ("list", kind(one.list(&gatekey::apikey::KeyFilter::default()))),
            ("audit", kind(one.audit(&gatekey::apikey::AuditFilter::default()))),
            ("purge", kind(one.purge(1))),
            ("report", kind(one.pepper_report())),
            ("wrap", kind(one.wrap_peppers())),
            ("flush", kind(one.flush())),
            ("limits", kind(one.check_limits())),
        ] {
            assert_eq!(refused, Some(ErrorKind::InvalidArgument), "{url}: {what}");
        }
    }
}

#[test]
fn what_the_options_say_themselves_goes_first() {
    let at = |now| Arc::new(FixedClock::new(now)) as Arc<dyn Clock>;
    let options = StoreOptions::new().pepper(peppers()).clock(at(NOW)).max_stale(86_401);
    assert_eq!(kind(Store::open_with("memory:", options)), Some(ErrorKind::InvalidArgument));
    let options = StoreOptions::new().pepper(peppers()).clock(at(NOW)).max_stale(86_400);
    let store = Store::open_with("memory:", options).unwrap();
    let keys = store.api_keys(ApiKeyOptions::new().max_stale(1).clock(at(NOW + 5))).unwrap();
    assert_eq!(keys.create(&KeySpec::new("a")).unwrap().record.created_at, NOW + 5);
}

#[test]
fn a_pepper_is_made_with_the_store_and_read_when_it_is_needed() {
    let folder = Folder::new("store_peppers");
    let path = folder.path("a.sqlite");
    let url = format!("sqlite:///{}", path.display());
    let pepper = folder.path("a.sqlite.pepper");
    let store = Store::open(&url).unwrap();
    assert_eq!(store.new_pepper_file(), Some(pepper.clone()));
    let issued = store.api_keys(ApiKeyOptions::new()).unwrap().create(&KeySpec::new("a")).unwrap();
    store.close().unwrap();
    let store = Store::open(&url).unwrap();
    assert_eq!(store.new_pepper_file(), None);
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    assert!(keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    store.close().unwrap();
    // Without it, nothing that needs it is handed out, and what does not is.
    std::fs::remove_file(&pepper).unwrap();
    let store = Store::open(&url).unwrap();
    assert_eq!(kind(store.api_keys(ApiKeyOptions::new())), Some(ErrorKind::WrongPepper));
    assert_eq!(kind(store.sessions(None, SessionOptions::new())), Some(ErrorKind::WrongPepper));
    assert!(store.revocations(RevocationOptions::new()).is_ok() && !pepper.exists());
}

#[test]
fn what_cannot_be_right_is_told_when_the_store_is_opened_and_makes_nothing() {
    let folder = Folder::new("store_refused");
    let url = |name: &str| format!("sqlite:///{}", folder.path(name).display());
    let given = |byte| Peppers::new(&[(1, Secret::new(vec![byte; 32]))]).unwrap();
    let with = |byte| StoreOptions::new().pepper(given(byte));
    let store = Store::open_with(&url("a.sqlite"), with(1)).unwrap();
    drop(store.api_keys(ApiKeyOptions::new()).unwrap());
    store.close().unwrap();
    let made = std::fs::read(folder.path("a.sqlite")).unwrap();
    assert_eq!(kind(Store::open_with(&url("a.sqlite"), with(2))), Some(ErrorKind::WrongPepper));
    assert_eq!(std::fs::read(folder.path("a.sqlite")).unwrap(), made);
    assert!(Store::open_with(&url("a.sqlite"), with(1)).is_ok());

    let stale = StoreOptions::new().max_stale(86_401);
    let absurd = StoreOptions::new().clock(Arc::new(FixedClock::new(u64::MAX)));
    let no_file = StoreOptions::new().pepper_file(folder.path("no.pepper"));
    for (options, wanted) in [
        (stale, ErrorKind::InvalidArgument),
        (absurd, ErrorKind::InvalidConfiguration),
        (no_file, ErrorKind::WrongPepper),
    ] {
        assert_eq!(kind(Store::open_with(&url("b.sqlite"), options)), Some(wanted));
        assert!(!folder.path("b.sqlite").exists() && !folder.path("b.sqlite.pepper").exists());
    }
}

#[test]
fn an_environment_variable_is_named_and_its_value_is_not() {
    // No test may set one; those of the Python package and of C do.
    for (name, shown, said) in [
        ("GATEKEY_TEST_THAT_IS_NOT_SET", "GATEKEY_TEST_THAT_IS_NOT_SET", "not set"),
        (
            "GATEKEY_TEST_THAT_IS_NOT_SET_THOUGH_IT_HAS_A_LONG_NAME",
            "GATEKEY_TEST_THAT_IS_NOT_SET_THOUGH_IT_HAS_A_LONG_NAME",
            "not set",
        ),
        ("not_set_here", "not_set_here", "not set"),
        ("PATH", "PATH", "holds none"),
    ] {
        let error = Store::open_with("memory:", StoreOptions::new().pepper_env(name));
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, Some(shown)));
        assert!(error.message().contains(said), "{error}");
        assert!(error.to_string().ends_with(&format!("(`{shown}`)")), "{error}");
        assert!(!format!("{error:?}").contains("/bin"), "{error:?}");
    }
}

#[test]
fn a_pepper_that_was_given_for_a_variable_is_not_shown() {
    let hex = "ab".repeat(32);
    for given in [
        &hex,
        &hex.to_uppercase(),
        &hex[..32],
        &format!("1 {hex}"),
        &format!("1\t{hex}\n2\t{hex}"),
        "q83vq83vq83vq83vq83vq83vq83vq83vq83vq83vq80=",
        "q83vq83vq83vq_3vq83vq83vq83vq83vq83vq83vq80",
        "correct horse battery staple",
        "A=B",
        "A\0\u{1b}B",
        "",
        &"X".repeat(1000),
    ] {
        let error = Store::open_with("memory:", StoreOptions::new().pepper_env(given)).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, None));
        assert!(error.message().contains("NAME"), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(given.is_empty() || !shown.contains(given), "{shown}");
    }
}

#[test]
fn it_says_nothing_of_its_peppers() {
    let options = StoreOptions::new().pepper(peppers());
    let store = Store::open_with("memory:", options.clone()).unwrap();
    let shown = format!("{options:?} {store:?}");
    assert!(shown.contains("Store(memory:)") && shown.contains("Peppers([1])"), "{shown}");
}
