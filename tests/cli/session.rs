//! Sessions, revocations and key rings on the command line: what a service has started is seen and ended,
//! and the service knows.

use super::{DONE, Desk, INPUT, REFUSED, STORE, USAGE, member};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::{open_key_ring, open_sessions};
use gatekey::pepper::PepperSource;
use gatekey::session::{SessionOptions, SessionSpec, SessionTokens};
use gatekey::{Alg, Claims, ErrorKind, Key, Policy, Sessions, Signer, Verifier};
use std::sync::Arc;

/// A service on the desk's store.
struct Service {
    sessions: Sessions,
    verifier: Verifier,
    key: Key,
}

impl Service {
    fn new(desk: &Desk) -> Self {
        let url = format!("sqlite:///{}", desk.0.join("keys.sqlite").display());
        let key = Key::generate(Alg::Hs256).unwrap();
        let signer = Signer::builder(&key).issuer("https://auth.example").build().unwrap();
        let opened =
            open_sessions(&url, &PepperSource::Beside, Some(&signer), SessionOptions::new());
        let sessions = opened.unwrap().sessions;
        let policy = Policy::new()
            .expect_issuer("https://auth.example")
            .revocations(Arc::new(sessions.revocations().clone()));
        let verifier = Verifier::with_key(&key, policy).unwrap();
        Self { sessions, verifier, key }
    }

    fn start(&self, subject: &str) -> SessionTokens {
        let spec = SessionSpec { client: "Firefox".to_owned(), ..SessionSpec::default() };
        self.sessions.start(subject, &spec).unwrap()
    }

    /// What the service says of an access token, now that others may have changed something.
    fn verify(&self, tokens: &SessionTokens) -> Result<(), ErrorKind> {
        self.sessions.revocations().refresh().unwrap();
        let verified = self.verifier.verify(tokens.access_token.expose());
        verified.map(drop).map_err(|error| error.kind())
    }
}

#[test]
fn sessions_are_seen_and_ended() {
    let desk = Desk::new("sessions");
    let service = Service::new(&desk);
    let (first, second) = (service.start("alice"), service.start("alice"));
    let (bob, carol) = (service.start("bob"), service.start("carol"));

    let listed = desk.run("session list --subject alice --all --json").done();
    assert_eq!(listed.lines().count(), 2);
    assert!(listed.lines().all(|line| member(line, "subject") == "alice"));
    let table = desk.run("session list").done();
    assert!(table.starts_with("ID") && table.lines().count() == 5, "{table}");
    let page = desk.run("session list --limit 1 --json").done();
    assert!(member(&page, "cursor").len() == 12, "{page}");
    let shown = desk.run(&format!("session show {} --json", first.family())).done();
    assert_eq!(
        (member(&shown, "client"), member(&shown, "refreshes")),
        ("Firefox".into(), "0".into())
    );
    assert!(desk.run(&format!("session show {}", first.family())).done().contains("live"));

    let other = format!("session end {} --subject bob --json", first.family());
    assert_eq!(member(&desk.run(&other).failed(REFUSED), "error.name"), "SessionNotFound");
    let public = desk.run_with(&["session", "end", "--by-token"], first.family().as_bytes());
    public.failed(REFUSED);
    assert_eq!(service.verify(&first), Ok(()), "of another subject, and by a name that is public");
    let ended = desk.run(&format!("session end {} --subject alice --json", first.family())).done();
    assert_eq!(member(&ended, "ended"), "true");
    let again = desk.run(&format!("session end {} --json", first.family())).done();
    assert_eq!(member(&again, "ended"), "false");
    assert_eq!(service.verify(&first), Err(ErrorKind::RevokedToken));
    assert_eq!(service.verify(&second), Ok(()));
    let by_token = desk.run_with(&["session", "end", "--by-token"], second.refresh_token.expose());
    assert!(by_token.done().contains("Ended"));
    assert_eq!(service.verify(&second), Err(ErrorKind::RevokedToken));
    let kept = format!("session end-all bob --but {} --json", bob.family());
    assert_eq!(member(&desk.run(&kept).done(), "ended"), "0");
    assert_eq!(service.verify(&bob), Ok(()));
    assert!(desk.run(&kept.replace("bob", "carol")).err.contains("no session with this id"));
    assert_eq!(service.verify(&carol), Ok(()));
    assert_eq!(member(&desk.run("session end-all bob --json").done(), "ended"), "1");
    assert_eq!(service.verify(&bob), Err(ErrorKind::RevokedToken));
    assert_eq!(service.verify(&carol), Ok(()));

    let events = desk.run("session events --all --json").done();
    let actions: Vec<_> = events.lines().map(|line| member(line, "action")).collect();
    assert_eq!(
        actions,
        ["start", "start", "start", "start", "logout", "logout", "logout_everywhere"]
    );
    assert!(desk.run("session events --subject bob").done().contains("logout_everywhere"));
    assert_eq!(desk.run("session list --all --json").done().lines().count(), 1);
    assert_eq!(desk.run("session list --ended --all --json").done().lines().count(), 4);
    assert_eq!(member(&desk.run("session purge --older-than 1h --json").done(), "purged"), "0");

    // Nothing that could be presented was printed.
    for printed in [listed, table, page, shown, events] {
        assert!(!printed.contains("gkr_") && !printed.contains("eyJ"), "{printed}");
    }
    let refused =
        desk.run_with(&["session", "end", "--by-token", "--json"], b"gkr_x").failed(REFUSED);
    assert_eq!(member(&refused, "error.name"), "InvalidRefreshToken");
    let refused = desk.run("session show AAAAAAAAAAAA --json").failed(REFUSED);
    assert_eq!(member(&refused, "error.name"), "SessionNotFound");
    desk.run("session end").failed(USAGE);
    assert_eq!(
        member(&desk.run("session end-under-pepper 1 --json").failed(USAGE), "error.name"),
        "InvalidArgument"
    );
    desk.run("pepper add").done();
    let ended = desk.run("session end-under-pepper 1 --json").done();
    assert_eq!(member(&ended, "ended"), "1", "carol's");
    assert_eq!(service.verify(&carol), Err(ErrorKind::RevokedToken));
    assert_eq!(desk.run("session end-under-pepper 1").done().trim(), "Ended 0 sessions.");
    std::fs::remove_file(desk.0.join("keys.sqlite.pepper")).unwrap();
    desk.run("session list").failed(STORE);
}

#[test]
fn a_session_whose_row_cannot_be_read_is_seen_and_ended() {
    let desk = Desk::new("sessions_unreadable");
    let service = Service::new(&desk);
    let (tokens, _other) = (service.start("alice"), service.start("alice"));
    let family = tokens.family();
    let raw = rusqlite::Connection::open(desk.0.join("keys.sqlite")).unwrap();
    raw.execute("UPDATE session SET seed = x'00' WHERE family = ?", [family]).unwrap();
    let table = desk.run("session list --subject alice").done();
    let line = table.lines().find(|line| line.contains(family)).unwrap();
    let cells: Vec<_> = line.split_whitespace().collect();
    assert_eq!(cells, [family, "altered", "alice", "-", "-", "-", "-"], "{table}");
    let listed = desk.run("session list --all --json").done();
    let line = listed.lines().find(|line| member(line, "family") == family).unwrap();
    assert_eq!((listed.lines().count(), member(line, "altered")), (2, "true".to_owned()));
    desk.run(&format!("session end {family} --subject alice")).done();
    assert_eq!(service.verify(&tokens), Err(ErrorKind::RevokedToken));
    assert!(!desk.run("session list").done().contains(family), "it is over");
}

#[test]
fn tokens_are_revoked() {
    let desk = Desk::new("revoke");
    let service = Service::new(&desk);
    let in_each_way = [
        format!("revoke session {}", service.start("seven").family()),
        "revoke subject six".to_owned(),
        "revoke before now --subject five --json".to_owned(),
    ];
    for command in in_each_way {
        assert_eq!(desk.run(&command).code, DONE, "{command}");
    }
    let tokens = service.start("six");
    assert_eq!(desk.run("revoke subject six --json").code, DONE);
    assert_eq!(service.verify(&tokens), Err(ErrorKind::RevokedToken));

    // Its session goes on, and the command says so.
    let said = desk.run("revoke subject six");
    assert!(said.err.contains("continue") && said.err.contains("--end-sessions"), "{said:?}");
    assert!(said.err.contains("gatekey session end-all six"), "{said:?}");
    let again = service.sessions.refresh(tokens.refresh_token.expose(), None).unwrap();
    assert_eq!(service.verify(&again), Ok(()));
    assert!(desk.run("revoke before now --subject four").err.contains("Sessions continue"));
    let ended = desk.run("revoke subject six --end-sessions --json");
    assert_eq!(member(&ended.done(), "sessions_ended"), "1");
    assert_eq!(service.verify(&again), Err(ErrorKind::RevokedToken));
    let refused = service.sessions.refresh(again.refresh_token.expose(), None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::SessionEnded);
    // A log-in in the same second is good.
    assert_eq!(service.verify(&service.start("six")), Ok(()));
    let none = desk.run("revoke subject six --end-sessions");
    assert!(none.out.contains("ended 1 session;") && !none.err.contains("continue"), "{none:?}");

    let tokens = service.start("eight");
    desk.run_with(&["revoke", "token"], tokens.access_token.expose()).done();
    assert_eq!(service.verify(&tokens), Err(ErrorKind::RevokedToken));
    let signer = Signer::builder(&service.key).issuer("https://auth.example").build().unwrap();
    let named = |jti: &str| signer.sign(&Claims::new().token_id(jti)).unwrap();
    desk.run("revoke token --jti one --issuer https://auth.example --expires-in 15m").done();
    service.sessions.revocations().refresh().unwrap();
    let kind = |token: String| service.verifier.verify(token).map(drop).map_err(|e| e.kind());
    assert_eq!(kind(named("one")), Err(ErrorKind::RevokedToken));
    assert_eq!(kind(named("three")), Ok(()));
    desk.run("revoke token --jti three --expires-in 15m").done();
    service.sessions.revocations().refresh().unwrap();
    assert_eq!(kind(named("three")), Err(ErrorKind::RevokedToken), "from any issuer");
    assert_eq!(kind(named("two")), Ok(()));
    let status = desk.run("revoke status --json").done();
    assert_eq!(member(&status, "revocations"), "9");
    assert_eq!(member(&desk.run("revoke purge --json").done(), "purged"), "0");

    for (line, code) in [
        ("revoke token --jti x", USAGE),
        ("revoke token --issuer x", USAGE),
        ("revoke token --jti x --expires-in 1h --expires-at 1", USAGE),
        ("revoke token --jti x --expires-at 0", USAGE),
        ("revoke token --jti x --expires-at 2020-01-31", USAGE),
        ("revoke token --jti x --expires-at 1900000000000", USAGE),
        ("revoke before tomorrow", USAGE),
        ("revoke before 9999999999", USAGE),
        ("revoke before now --subject a --tenant b", USAGE),
        ("revoke token", INPUT),
        ("revoke subject x --store nowhere.sqlite", INPUT),
        ("revoke status --store memory:", USAGE),
        ("session list --store nowhere.sqlite", INPUT),
    ] {
        desk.run(line).failed(code);
    }
    let no_id = Signer::builder(&service.key).token_ids(false).build().unwrap();
    let no_id = no_id.sign(&Claims::new()).unwrap();
    let said = desk.run_with(&["revoke", "token"], no_id.as_bytes()).failed(INPUT);
    assert!(said.contains("jti") && !said.contains("eyJ"), "{said}");
    assert_eq!(desk.run("revoke status --json").done(), status, "mistakes change nothing");
    assert!(!desk.names().contains(&"nowhere.sqlite".to_owned()));

    desk.run(&format!("revoke key {}", service.key.kid())).done();
    service.sessions.revocations().refresh().unwrap();
    assert_eq!(kind(named("two")), Err(ErrorKind::RevokedToken));
    desk.run("revoke before now").done();
}

#[test]
fn rings_are_made_rotated_and_published() {
    let desk = Desk::new("keyring");
    for (ring, alg) in [
        ("folder:keys", "EdDSA"),
        ("sqlite:///auth.sqlite", "ES256"),
        ("folder:secrets", "HS256"),
        ("other.sqlite", "ES256"),
    ] {
        for command in ["show", "rotate", "jwks"] {
            desk.run(&format!("keyring {command} {ring}")).failed(INPUT);
        }
        let made = desk.run(&format!("keyring new {ring} --alg {alg} --json")).done();
        let states = |json: &str| {
            let keys = gatekey::json::parse(json.trim().as_bytes()).unwrap();
            let states = keys.elements().map(|key| member(key.raw(), "state"));
            states.collect::<Vec<_>>()
        };
        assert_eq!(states(&made), ["next", "active"]);
        desk.run(&format!("keyring new {ring}")).failed(INPUT);
        let told = desk.run(&format!("keyring rotate {ring} --json")).done();
        let shown = desk.run(&format!("keyring show {ring} --json")).done();
        assert_eq!(states(&shown), ["next", "active", "retired"]);
        assert_eq!(shown.matches(&format!("\"alg\":\"{alg}\"")).count(), 3, "{shown}");
        assert!(
            made.contains(&member(&told, "retired")) && shown.contains(&member(&told, "active"))
        );
        assert!(desk.run(&format!("keyring show {ring}")).done().contains("retired"));
        if alg == "HS256" {
            desk.run(&format!("keyring jwks {ring}")).failed(INPUT);
        } else {
            let jwks = desk.run(&format!("keyring jwks {ring}")).done();
            let set = gatekey::KeySet::from_jwks(jwks.as_bytes()).unwrap();
            assert!(set.len() == 3 && set.iter().all(|key| !key.is_private()));
        }
        let retired = member(&told, "retired");
        desk.run(&format!("keyring remove {ring} {retired}")).done();
        desk.run(&format!("keyring remove {ring} {retired}")).failed(REFUSED);
        for printed in [made, told, shown] {
            assert!(!printed.contains("\"d\"") && !printed.contains("\"k\""), "{printed}");
        }
    }
    for ring in ["folder:long", "sqlite:///long.sqlite"] {
        a_ring_keeps_its_keys_for_the_service(&desk, ring);
    }
    // Nothing was made by asking for what is not there.
    desk.run("keyring show nothing").failed(INPUT);
    desk.run("keyring show folder:nothing").failed(INPUT);
    desk.run("keyring show sqlite:///nothing.sqlite").failed(INPUT);
    desk.run("keyring new folder:keys --name ../x").failed(USAGE);
    let names = desk.names();
    assert!(!names.iter().any(|name| name.starts_with("nothing")), "{names:?}");
    assert!(names.contains(&"auth.sqlite.pepper".to_owned()), "a pepper was made with the store");
}

/// The operator's rotation keeps a key for the tokens of the program that has opened the ring, whatever it is told.
fn a_ring_keeps_its_keys_for_the_service(desk: &Desk, ring: &str) {
    let url = match ring.split_once(':') {
        Some(("folder", path)) => format!("folder:{}", desk.0.join(path).display()),
        _ => format!("sqlite:///{}", desk.0.join("long.sqlite").display()),
    };
    let open = || {
        let options = KeyRingOptions::new().token_ttl(86_400);
        open_key_ring(&url, &PepperSource::Beside, options).unwrap().ring
    };
    let service = open();
    let token = Signer::following(Arc::new(service.clone())).ttl(86_400).build();
    let token = token.unwrap().sign(&Claims::new()).unwrap();
    for (more, seconds) in [("", 86_400), (" --token-ttl 1m", 86_400), (" --token-ttl 2d", 172_800)]
    {
        let before = service.active().unwrap();
        let told = desk.run(&format!("keyring rotate {ring} --json{more}")).done();
        assert_eq!(member(&told, "token_ttl"), seconds.to_string(), "{told}");
        service.refresh().unwrap();
        let retired = service.keys().unwrap().into_iter().find(|key| key.kid == before.kid);
        let (retired_at, until) = retired.map(|key| (key.retired_at, key.until)).unwrap();
        assert_eq!(until, retired_at.map(|at| at + seconds + 600), "{more}");
        assert_eq!(member(&told, "until"), until.unwrap().to_string());
    }
    let said = desk.run(&format!("keyring rotate {ring}")).done();
    assert!(said.contains("Tokens of this ring live for at most 2days"), "{said}");
    let verifier = Verifier::following(Arc::new(open()), Policy::new());
    verifier.unwrap().verify(&token).unwrap();
    // A new one can be told.
    desk.run(&format!("keyring new {ring} --name other --token-ttl 1h")).done();
    let told = desk.run(&format!("keyring rotate {ring} --name other --json")).done();
    assert_eq!(member(&told, "token_ttl"), "3600");
}
