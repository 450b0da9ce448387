//! How it is with a store that is open: what an end point such as `/healthz` tells.

use crate::apikey::Folder;
use crate::postgres::{Server, server, wait_for};
use gatekey::apikey::{ApiKeyOptions, KeySpec};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::StoreOptions;
use gatekey::revocations::RevocationOptions;
use gatekey::{ErrorKind, Peppers, Secret, Store, ToJson as _};

fn peppers() -> Peppers {
    Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap()
}

fn open(url: &str) -> Store {
    Store::open_with(url, StoreOptions::new().pepper(peppers())).unwrap()
}

#[test]
fn every_kind_of_store_says_how_it_is() {
    let folder = Folder::new("health_kinds");
    let (file, rings) = (folder.path("auth.sqlite"), folder.path("rings"));
    let server = Server::shared("every_kind_of_store_says_how_it_is (PostgreSQL)");
    let urls = [
        ("memory", "memory:".to_owned()),
        ("sqlite", file.display().to_string()),
        ("folder", format!("folder:{}", rings.display())),
    ];
    let urls = urls.into_iter().chain(server.map(|server| ("postgresql", server.url())));
    for (kind, url) in urls {
        let store = open(&url);
        let health = store.health().unwrap();
        assert_eq!((health.kind, health.reachable, health.error), (kind, true, None));
        assert_eq!(health.looked_ago_ms, None, "{kind}: nothing was handed out");
        assert!(health.heard_ago_ms.is_some(), "{kind}");
        assert_eq!(health.version.is_some(), matches!(kind, "sqlite" | "postgresql"), "{kind}");
        assert_eq!(health.writable, (kind != "folder").then_some(true), "{kind}");

        let before = health.position.unwrap();
        let ring = store.key_ring("main", KeyRingOptions::new()).unwrap();
        ring.rotate().unwrap();
        if kind != "folder" {
            store.revocations(RevocationOptions::new()).unwrap().revoke_key("leaked").unwrap();
        }
        // PostgreSQL's is what this process has heard of, a moment ago.
        wait_for("its position", || store.health().unwrap().position.unwrap() > before);
        let json = store.health().unwrap().to_json();
        let value = gatekey::json::parse(json.as_bytes()).unwrap();
        for name in [
            "kind",
            "reachable",
            "heard_ago_ms",
            "looked_ago_ms",
            "position",
            "version",
            "writable",
            "error",
        ] {
            assert!(value.member(name).is_some(), "{name}: {json}");
        }
        assert!(!json.contains("127.0.0.1") && !json.contains("Zx9"), "{json}");
        store.close().unwrap();
        assert_eq!(store.health().unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_file_that_is_gone_is_no_error_but_an_answer() {
    let folder = Folder::new("health_gone");
    let file = folder.path("auth.sqlite");
    let store = open(&file.display().to_string());
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    keys.create(&KeySpec::new("acme")).unwrap();
    let health = store.health().unwrap();
    assert!(health.reachable && health.looked_ago_ms.is_some());
    let aside = folder.path("aside.sqlite");
    std::fs::rename(&file, &aside).unwrap();
    let gone = store.health().unwrap();
    assert_eq!((gone.reachable, gone.error), (false, Some(ErrorKind::StoreUnavailable)));
    assert!(gone.heard_ago_ms.is_some(), "it was heard of before");
    assert_eq!((gone.position, gone.writable), (None, None));
    std::fs::rename(&aside, &file).unwrap();
    assert!(store.health().unwrap().reachable);
}

#[test]
fn a_server_that_goes_away_and_comes_back() {
    let Some(server) = Server::own("a_server_that_goes_away_and_comes_back") else { return };
    let store = open(&server.url());
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    keys.create(&KeySpec::new("acme")).unwrap();
    let health = store.health().unwrap();
    assert!(health.reachable);
    assert!(health.version.unwrap().starts_with("18"));
    server.obey("freeze");
    wait_for("its silence", || !store.health().unwrap().reachable);
    let silent = store.health().unwrap();
    assert_eq!(silent.error, Some(ErrorKind::StoreUnavailable));
    assert!(silent.heard_ago_ms.unwrap() >= 3000, "{silent:?}");
    assert_eq!((silent.position, silent.writable), (None, None));
    assert!(silent.version.is_some(), "it does not change");
    server.obey("thaw");
    wait_for("its return", || store.health().unwrap().reachable);
    server.obey("stop");
    wait_for("its end", || !store.health().unwrap().reachable);
    let shown = format!("{:?} {}", store.health().unwrap(), store.health().unwrap().to_json());
    for secret in [server::PASSWORD, "Zx9", "kQ%40", "127.0.0.1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_role_that_only_reads_says_so() {
    let Some(server) = Server::shared("a_role_that_only_reads_says_so") else { return };
    let url = server.url_of("health_reads");
    open(&url).close().unwrap();
    server.sql(&format!("CREATE ROLE health_reads LOGIN PASSWORD '{}'", server::PASSWORD));
    server.sql("GRANT USAGE ON SCHEMA health_reads TO health_reads");
    server.sql("GRANT SELECT ON ALL TABLES IN SCHEMA health_reads TO health_reads");
    let store = Store::open_with(
        &url.replace("postgresql://postgres:", "postgresql://health_reads:"),
        StoreOptions::new().pepper(peppers()).create(false),
    )
    .unwrap();
    let health = store.health().unwrap();
    assert_eq!((health.reachable, health.writable), (true, Some(false)));
}

/// Who is strict asks the server itself and has no one who listens: what it has heard is soon too
/// old, and is asked again.
#[test]
fn a_strict_store_that_was_idle_is_reachable() {
    let Some(server) = Server::shared("a_strict_store_that_was_idle_is_reachable") else { return };
    let options = StoreOptions::new().pepper(peppers()).strict(true);
    let store = Store::open_with(&server.url(), options).unwrap();
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    let key = keys.create(&KeySpec::new("acme")).unwrap();
    keys.verify(key.secret.expose(), &gatekey::apikey::Check::new()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(3500));
    assert!(store.health().unwrap().reachable);
}
