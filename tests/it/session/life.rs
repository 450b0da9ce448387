//! Sessions as a service sees them: started, refreshed, stolen, ended, looked at.

use super::{DAY, NOW, TTL, bench, bench_on, bench_with, options, peppers, refused, signer, text};
use crate::fixtures::key;
use gatekey::clock::FixedClock;
use gatekey::session::{
    SessionEnd, SessionEventFilter, SessionFilter, SessionOptions, SessionSpec,
};
use gatekey::store::MemoryStore;
use gatekey::{Alg, Claims, Error, ErrorKind, Sessions, Signer, ToJson as _};
use std::sync::Arc;

#[test]
fn a_session_is_started_refreshed_and_ended() {
    let bench = bench();
    let spec = SessionSpec {
        claims: Claims::new().claim_str("role", "admin"),
        client: "Firefox on Linux".to_owned(),
        meta: r#"{"ip":"192.0.2.1"}"#.to_owned(),
    };
    let first = bench.sessions.start("alice", &spec).unwrap();
    assert_eq!((first.expires_in, first.expires_at), (TTL, NOW + 7 * DAY));
    let claims = bench.verify(&first).unwrap();
    assert_eq!(claims.subject().as_deref(), Some("alice"));
    assert_eq!(claims.claim("sid").unwrap().as_str().as_deref(), Some(first.family()));
    assert_eq!(claims.claim("role").unwrap().as_str().as_deref(), Some("admin"));
    assert_eq!(claims.issuer().as_deref(), Some("https://auth.example"));
    assert_eq!(claims.issued_at(), Some(NOW as i64));
    assert_eq!(claims.expires_at(), Some((NOW + TTL) as i64));
    assert!(claims.token_id().is_some());

    bench.clock.advance(DAY);
    let second = bench.refresh(&first).unwrap();
    assert_eq!(second.family(), first.family());
    assert_ne!(text(&second), text(&first));
    assert_eq!(second.expires_at, NOW + 8 * DAY);
    let claims = bench.verify(&second).unwrap();
    assert_eq!(claims.claim("role").unwrap().as_str().as_deref(), Some("admin"), "carried over");
    refused(bench.verify(&first), ErrorKind::Expired, "a day later");

    let record = bench.sessions.get(first.family()).unwrap();
    assert_eq!((record.created_at, record.last_seen_at, record.refreshes), (NOW, NOW + DAY, 1));
    assert_eq!((record.client.as_str(), record.meta.as_str()), ("Firefox on Linux", &*spec.meta));
    assert_eq!((record.ended_at, record.end), (None, None));
    assert_eq!(bench.sessions.list("alice").unwrap(), [record]);

    assert!(bench.sessions.end(second.refresh_token.expose()).unwrap());
    assert!(!bench.sessions.end(second.refresh_token.expose()).unwrap(), "it has ended before");
    refused(bench.verify(&second), ErrorKind::RevokedToken, "its access token too, at once");
    refused(bench.refresh(&second), ErrorKind::SessionEnded, "for good");
    assert_eq!(bench.sessions.list("alice").unwrap(), []);
    let record = bench.sessions.get(first.family()).unwrap();
    assert_eq!((record.ended_at, record.end), (Some(NOW + DAY), Some(SessionEnd::LogOut)));
}

#[test]
fn claims_are_carried_over_until_they_are_replaced() {
    let bench = bench();
    let role = |name: &str| Claims::new().claim_str("role", name);
    let spec = SessionSpec { claims: role("user"), ..SessionSpec::default() };
    let mut tokens = bench.sessions.start("alice", &spec).unwrap();
    for (given, expected) in [
        (None, "user"),
        (Some(role("admin")), "admin"),
        (None, "admin"),
        (Some(role("user")), "user"),
    ] {
        bench.clock.advance(60);
        tokens = bench.sessions.refresh(tokens.refresh_token.expose(), given.as_ref()).unwrap();
        let claims = bench.verify(&tokens).unwrap();
        assert_eq!(claims.claim("role").unwrap().as_str().as_deref(), Some(expected));
    }
}

#[test]
fn within_the_grace_the_same_refresh_token_comes_again() {
    let bench = bench();
    let first = bench.start("alice");
    bench.clock.advance(60);
    let second = bench.refresh(&first).unwrap();
    for wait in [0, 4, 6] {
        bench.clock.advance(wait);
        let again = bench.refresh(&first).unwrap();
        assert_eq!(text(&again), text(&second), "a lost answer is given again");
        assert_ne!(again.access_token.expose(), second.access_token.expose(), "with a fresh one");
        assert!(bench.verify(&again).is_ok());
    }
    assert_eq!(bench.sessions.get(first.family()).unwrap().refreshes, 1, "one rotation");
    // Whoever has the successor goes on.
    assert!(bench.refresh(&second).is_ok());
}

#[test]
fn an_old_token_ends_the_session_once_and_all_see_it() {
    // What has happened to the first token since it was used: nothing but time, or its successor was seen.
    for by_time in [true, false] {
        let bench = bench();
        let first = bench.start("alice");
        let other = bench.start("alice");
        bench.clock.advance(60);
        let second = bench.refresh(&first).unwrap();
        let last = if by_time {
            bench.clock.advance(11);
            second.clone()
        } else {
            bench.refresh(&second).unwrap()
        };
        assert!(bench.verify(&last).is_ok());
        refused(bench.refresh(&first), ErrorKind::TokenReuse, "two hold it");
        refused(bench.verify(&last), ErrorKind::RevokedToken, "the thief's access token, too");
        for (token, who) in [(&first, "again"), (&second, "the second"), (&last, "the owner's")] {
            refused(bench.refresh(token), ErrorKind::TokenReuse, who);
        }
        let record = bench.sessions.get(first.family()).unwrap();
        assert_eq!(record.end, Some(SessionEnd::Reuse));
        let filter = SessionEventFilter { subject: Some("alice".into()), ..Default::default() };
        let events = bench.sessions.events(&filter).unwrap().records;
        let of_first = events.iter().filter(|event| event.family == first.family());
        let actions: Vec<_> = of_first.map(|event| event.action.as_str()).collect();
        assert_eq!(actions, ["start", "reuse"], "recorded, once");
        assert!(bench.refresh(&other).is_ok(), "another session is not concerned");
    }
}

#[test]
fn a_session_expires_when_idle_and_at_the_latest() {
    let bench = bench();
    let idle = bench.start("alice");
    let mut used = bench.start("alice");
    bench.clock.set(NOW + 7 * DAY - 1);
    used = bench.refresh(&used).unwrap();
    bench.clock.set(NOW + 7 * DAY);
    refused(bench.refresh(&idle), ErrorKind::SessionExpired, "not refreshed for a week");
    assert_eq!(bench.sessions.list("alice").unwrap().len(), 1);
    for day in (13..90).step_by(6) {
        bench.clock.set(NOW + day * DAY);
        used = bench.refresh(&used).unwrap();
        assert_eq!(used.expires_at, (NOW + (day + 7) * DAY).min(NOW + 90 * DAY));
    }
    bench.clock.set(NOW + 90 * DAY - 100);
    used = bench.refresh(&used).unwrap();
    assert_eq!(used.expires_in, 100, "an access token does not outlive its session");
    assert_eq!(bench.verify(&used).unwrap().expires_at(), Some((NOW + 90 * DAY) as i64));
    bench.clock.set(NOW + 90 * DAY);
    refused(bench.refresh(&used), ErrorKind::SessionExpired, "however often it was refreshed");
    let end = bench.sessions.get(used.family()).unwrap().end;
    assert_eq!(end, Some(SessionEnd::Expired), "noted");
}

#[test]
fn log_out_everywhere() {
    let bench = bench();
    let before: Vec<_> = (0..3).map(|_| bench.start("alice")).collect();
    let bob = bench.start("bob");
    let gone = bench.start("alice");
    bench.sessions.end_by_id(gone.family(), None).unwrap();
    bench.clock.advance(5);
    let last = bench.start("alice");
    assert_eq!(bench.sessions.end_all("alice").unwrap(), 4, "those that had not ended");
    let after = bench.start("alice");
    for tokens in before.iter().chain([&last]) {
        refused(bench.verify(tokens), ErrorKind::RevokedToken, "also of the same second");
        refused(bench.refresh(tokens), ErrorKind::SessionEnded, "everywhere");
    }
    assert!(bench.verify(&after).is_ok(), "a log-in in the same second is not caught by it");
    assert!(bench.refresh(&after).is_ok());
    assert!(bench.verify(&bob).is_ok());
    assert_eq!(bench.sessions.get(last.family()).unwrap().end, Some(SessionEnd::LogOutEverywhere));
    assert_eq!(bench.sessions.get(gone.family()).unwrap().end, Some(SessionEnd::LogOut));
    assert_eq!(bench.sessions.end_all("nobody").unwrap(), 0);
    // A token that was signed elsewhere for the same subject, without a session.
    let claims = Claims::new().subject("alice").issued_at(NOW as i64).expires_at(NOW as i64 + 900);
    let error = bench.verifier.verify(signer().sign(&claims).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RevokedToken);
}

#[test]
fn many_sessions_are_ended_and_listed_whole() {
    let bench = bench();
    let all: Vec<_> = (0..2500).map(|_| bench.start("alice")).collect();
    assert_eq!(bench.sessions.list("alice").unwrap().len(), 2500);
    assert_eq!(bench.sessions.end_all("alice").unwrap(), 2500);
    assert_eq!(bench.sessions.list("alice").unwrap(), []);
    assert!(all.iter().all(|tokens| bench.verify(tokens).is_err()));
}

#[test]
fn what_is_no_refresh_token_is_refused_and_changes_nothing() {
    let bench = bench();
    let first = bench.start("alice");
    bench.clock.advance(60);
    let second = bench.refresh(&first).unwrap();
    let good = text(&second);
    // The next token, as someone would guess it who knows the format: the MAC of another counter.
    let mut forged = good.as_bytes().to_vec();
    forged[22] = if forged[22] == b'9' { b'0' } else { forged[22] + 1 };
    let at = forged.len() - 6;
    let crc = crc_of(&forged[..at]);
    forged[at..].copy_from_slice(&crc);
    let bad: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "nothing"),
        (b"gkr_".to_vec(), "a beginning"),
        (good[..good.len() - 1].into(), "cut"),
        (format!("{good} ").into(), "a space"),
        (good.to_lowercase().into(), "in small letters"),
        (second.access_token.expose().to_vec(), "an access token"),
        (forged, "a forged counter with a good checksum"),
        (vec![0xff; 51], "not text"),
        (vec![b'x'; 1 << 20], "a megabyte"),
    ];
    for (token, what) in bad {
        let error =
            refused(bench.sessions.refresh(&token, None), ErrorKind::InvalidRefreshToken, what);
        assert!(!format!("{error:?}").contains("gkr_"), "{what}");
        refused(bench.sessions.end(&token), ErrorKind::InvalidRefreshToken, what);
    }
    // A forged token must not be able to kill a session either: that would be for everybody who has
    // seen an access token.
    assert_eq!(bench.sessions.get(first.family()).unwrap().ended_at, None);
    assert!(bench.refresh(&second).is_ok());
    refused(
        bench.sessions.end_by_id("AAAAAAAAAAAA", None),
        ErrorKind::SessionNotFound,
        "no such session",
    );
    refused(bench.sessions.get("AAAAAAAAAAAA"), ErrorKind::SessionNotFound, "no such session");
    refused(bench.sessions.get("../../etc"), ErrorKind::SessionNotFound, "no id at all");
}

/// CRC-32/ISO-HDLC in base62, written here a second time on purpose.
fn crc_of(body: &[u8]) -> [u8; 6] {
    let mut crc = !0_u32;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut value = !crc;
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = [b'0'; 6];
    for digit in out.iter_mut().rev() {
        *digit = digits[(value % 62) as usize];
        value /= 62;
    }
    out
}

#[test]
fn a_refresh_token_of_another_service_or_pepper_is_none() {
    let (bench, other) = (bench(), bench());
    let tokens = other.start("alice");
    refused(bench.refresh(&tokens), ErrorKind::InvalidRefreshToken, "of another store");
    let clock = Arc::new(FixedClock::new(NOW));
    let wrong = Sessions::open(
        other.store.clone(),
        gatekey::Peppers::new(&[(1, gatekey::Secret::new(vec![9; 32]))]).unwrap(),
        Some(&signer()),
        options(&clock),
    );
    refused(wrong, ErrorKind::WrongPepper, "found at once");
}

#[test]
fn peppers_are_rotated_under_running_sessions() {
    let bench = bench();
    let first = bench.start("alice");
    bench.clock.advance(60);
    let second = bench.refresh(&first).unwrap();
    let newer = bench.elsewhere(&[1, 2]);
    assert_eq!(
        text(&newer.refresh(&first).unwrap()),
        text(&second),
        "in the grace, as it was made"
    );
    let third = newer.refresh(&second).unwrap();
    let fourth = newer.refresh(&third).unwrap();
    // An old one under the old pepper is still known as one of ours.
    refused(newer.refresh(&second), ErrorKind::TokenReuse, "an old one");
    refused(newer.refresh(&fourth), ErrorKind::TokenReuse, "ended");
    let only_new = newer.elsewhere(&[2]);
    let tokens = newer.start("bob");
    assert!(only_new.refresh(&tokens).is_ok());
    let old = bench.start("carol");
    refused(only_new.refresh(&old), ErrorKind::InvalidRefreshToken, "the pepper is not at hand");
}

#[test]
fn a_row_that_was_altered_from_outside_gives_no_token() {
    let bench = bench();
    let tokens = bench.start("mallory");
    let family = tokens.family().to_owned();
    let original = bench.store.session(&family).unwrap().unwrap();
    type Alter = fn(&mut gatekey::store::StoredSession);
    let alterations: [(&str, Alter); 6] = [
        ("the subject", |s| s.record.subject = "root".into()),
        ("the claims", |s| s.claims = r#"{"role":"admin"}"#.into()),
        ("the end", |s| s.record.absolute_expires_at += 1),
        ("the idle end", |s| s.record.expires_at += 1),
        ("the counter", |s| s.record.refreshes += 1),
        ("the life of access tokens", |s| s.access_ttl = 0),
    ];
    for (what, alter) in alterations {
        let mut altered = bench.store.session(&family).unwrap().unwrap();
        let version = altered.version;
        altered = gatekey::store::StoredSession { version: version + 1, ..original.clone() };
        alter(&mut altered);
        let write = gatekey::store::SessionWrite { update: vec![altered], ..Default::default() };
        bench.store.write_sessions(&write).unwrap();
        refused(bench.refresh(&tokens), ErrorKind::StoreCorrupt, what);
    }
    assert!(bench.sessions.end_by_id(&family, None).unwrap(), "it can be ended all the same");
}

/// Puts an altered row in the place of the session's.
fn alter(
    bench: &super::Bench,
    family: &str,
    alter: impl FnOnce(&mut gatekey::store::StoredSession),
) {
    let mut row = bench.store.session(family).unwrap().unwrap();
    row.version += 1;
    alter(&mut row);
    let write = gatekey::store::SessionWrite { update: vec![row], ..Default::default() };
    bench.store.write_sessions(&write).unwrap();
}

type End = fn(&super::Bench, &gatekey::session::SessionTokens);

/// Ending a session whose row was altered believes nothing in it: not how long its tokens live, not that it has
/// ended, not whose it is; and never makes the row good.
#[test]
fn a_session_whose_row_was_altered_is_ended_for_good() {
    let ends: [(&str, End); 3] = [
        ("by its token", |bench, tokens| {
            assert!(bench.sessions.end(tokens.refresh_token.expose()).unwrap());
        }),
        ("by its id", |bench, tokens| {
            assert!(bench.sessions.end_by_id(tokens.family(), None).unwrap())
        }),
        ("by its subject", |bench, _| {
            bench.sessions.end_all("mallory").unwrap();
        }),
    ];
    for (how, end) in ends {
        for what in ["access_ttl", "ended", "subject", "claims"] {
            let bench = bench();
            let tokens = bench.start("mallory");
            let family = tokens.family().to_owned();
            alter(&bench, &family, |row| match what {
                "access_ttl" => row.access_ttl = 0,
                "ended" => {
                    row.record.ended_at = Some(1);
                    row.record.end = Some(SessionEnd::LogOut);
                }
                "subject" => row.record.subject = "root".into(),
                _ => row.claims = r#"{"role":"admin"}"#.into(),
            });
            assert!(bench.sessions.get(&family).unwrap().altered, "{how} {what}");
            bench.clock.advance(1);
            end(&bench, &tokens);
            assert!(bench.sessions.find(&Default::default()).unwrap().records[0].altered);
            let access = tokens.access_token.expose_str();
            // Also after what is revoked for no time at all was forgotten.
            bench.clock.advance(700);
            bench.store.purge_revocations(NOW + 700, 0).unwrap();
            refused(
                bench.verifier.verify(access),
                ErrorKind::RevokedToken,
                &format!("{how} {what}"),
            );
            let refused = bench.refresh(&tokens).unwrap_err().kind();
            assert_eq!(refused, ErrorKind::StoreCorrupt, "{how} {what}: the row is not made good");
            let events = bench.sessions.events(&Default::default()).unwrap().records;
            assert!(events.iter().all(|event| event.subject != "root"), "{how} {what}");
        }
    }
}

#[test]
fn whatever_client_a_caller_names_is_let_in() {
    let bench = bench();
    for (sent, kept) in [
        ("Firefox", "Firefox".to_owned()),
        ("\u{1b}[2J\tx\r\n", "[2J x".to_owned()),
        (&*"x".repeat(300), "x".repeat(255)),
        // Cut between two characters.
        (&*"\u{e9}".repeat(200), "\u{e9}".repeat(127)),
    ] {
        let spec = SessionSpec { client: sent.to_owned(), ..SessionSpec::default() };
        let family = bench.sessions.start("alice", &spec).unwrap().family().to_owned();
        assert_eq!(bench.sessions.get(&family).unwrap().client, kept, "{sent:?}");
    }
}

#[test]
fn arguments_that_are_not_acceptable_change_nothing() {
    let bench = bench();
    let spec = SessionSpec::default;
    let with = |name: &str| SessionSpec {
        claims: Claims::new().claim_str(name, "x"),
        ..SessionSpec::default()
    };
    let expires = |name: &str| SessionSpec {
        claims: Claims::new().claim_i64(name, 1),
        ..SessionSpec::default()
    };
    let bad: Vec<(&str, SessionSpec, &str)> = vec![
        ("", spec(), "no subject"),
        ("a\nb", spec(), "a line break"),
        ("alice", SessionSpec { meta: "[]".into(), ..spec() }, "no object"),
        (
            "alice",
            SessionSpec { meta: format!("{{\"a\":\"{}\"}}", "x".repeat(4096)), ..spec() },
            "4 KiB",
        ),
        ("alice", with("sub"), "sub"),
        ("alice", with("sid"), "sid"),
        ("alice", with("iss"), "iss"),
        ("alice", with("aud"), "aud"),
        ("alice", with("jti"), "jti"),
        ("alice", expires("exp"), "exp"),
        ("alice", expires("iat"), "iat"),
        (
            "alice",
            SessionSpec { claims: Claims::new().claim_str("a", &"x".repeat(8192)), ..spec() },
            "8 KiB of claims",
        ),
    ];
    for (subject, spec, what) in bad {
        refused(bench.sessions.start(subject, &spec), ErrorKind::InvalidArgument, what);
    }
    let long = "x".repeat(256);
    refused(bench.sessions.start(&long, &spec()), ErrorKind::InvalidArgument, "a long subject");
    refused(bench.sessions.end_all(""), ErrorKind::InvalidArgument, "no subject");
    let all = bench.sessions.find(&SessionFilter::default()).unwrap().records;
    assert_eq!(all, [], "nothing was started");
    let tokens = bench.start("alice");
    let claims = Claims::new().claim_str("sub", "root");
    refused(
        bench.sessions.refresh(tokens.refresh_token.expose(), Some(&claims)),
        ErrorKind::InvalidArgument,
        "a refresh is no way to become someone else",
    );
    assert!(bench.refresh(&tokens).is_ok(), "the token was not used");
}

#[test]
fn what_cannot_be_opened() {
    let clock = Arc::new(FixedClock::new(NOW));
    let open = |signer: Option<&Signer>, options: SessionOptions| {
        Sessions::open(Arc::new(MemoryStore::new()), peppers(&[1]), signer, options)
    };
    let own = signer();
    for (options, what) in [
        (options(&clock).absolute_ttl(7 * DAY - 1), "an absolute lifetime below the idle one"),
        (options(&clock).grace(61), "a long grace"),
        (options(&clock).refresh_ttl(0), "no lifetime"),
        (options(&clock).absolute_ttl(SessionOptions::MAX_TTL + 1), "for ever"),
    ] {
        refused(open(Some(&own), options.clone()), ErrorKind::InvalidArgument, what);
        refused(open(None, options), ErrorKind::InvalidArgument, what);
    }
    let endless = Signer::builder(key(Alg::Hs256)).no_ttl().build().unwrap();
    let long = Signer::builder(key(Alg::Hs256)).ttl(7 * DAY + 1).build().unwrap();
    for (signer, what) in [(endless, "no time to live"), (long, "longer than refresh tokens")] {
        let opened = open(Some(&signer), options(&clock));
        refused(opened, ErrorKind::InvalidConfiguration, what);
    }
    let edges = options(&clock).absolute_ttl(7 * DAY).grace(60);
    assert!(open(Some(&own), edges).is_ok());
}

#[test]
fn without_a_signer_sessions_are_looked_at_and_ended() {
    let bench = bench();
    let tokens = bench.start("alice");
    let admin =
        Sessions::open(bench.store.clone(), peppers(&[1]), None, options(&bench.clock)).unwrap();
    let started = admin.start("alice", &SessionSpec::default());
    refused(started, ErrorKind::InvalidConfiguration, "start");
    let refreshed = admin.refresh(tokens.refresh_token.expose(), None);
    refused(refreshed, ErrorKind::InvalidConfiguration, "refresh");
    assert_eq!(admin.list("alice").unwrap().len(), 1);
    assert!(admin.end_by_id(tokens.family(), None).unwrap());
    bench.sessions.revocations().refresh().unwrap();
    refused(bench.verify(&tokens), ErrorKind::RevokedToken, "for as long as its tokens live");
    bench.clock.advance(TTL - 1);
    refused(bench.verify(&tokens), ErrorKind::RevokedToken, "to the last second");
}

#[test]
fn a_signer_that_fails_uses_up_no_token() {
    struct Broken(std::sync::atomic::AtomicBool);
    impl super::KeySource for Broken {
        fn generation(&self) -> Result<u64, Error> {
            if self.0.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(ErrorKind::StoreUnavailable.into());
            }
            Ok(1)
        }
        fn keys(&self) -> Result<gatekey::KeySet, Error> {
            gatekey::KeySet::new([key(Alg::Hs256).clone()])
        }
        fn signing_key(&self) -> Result<gatekey::Key, Error> {
            Ok(key(Alg::Hs256).clone())
        }
    }
    let source = Arc::new(Broken(false.into()));
    let signer = Signer::following(source.clone()).ttl(TTL).build().unwrap();
    let clock = Arc::new(FixedClock::new(NOW));
    let store = Arc::new(MemoryStore::new());
    let sessions = Sessions::open(store, peppers(&[1]), Some(&signer), options(&clock)).unwrap();
    let tokens = sessions.start("alice", &SessionSpec::default()).unwrap();
    source.0.store(true, std::sync::atomic::Ordering::SeqCst);
    let refresh = || sessions.refresh(tokens.refresh_token.expose(), None);
    refused(refresh(), ErrorKind::StoreUnavailable, "no key");
    refused(sessions.start("bob", &SessionSpec::default()), ErrorKind::StoreUnavailable, "no key");
    source.0.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(refresh().unwrap().session.refreshes, 1, "the first rotation");
    assert_eq!(sessions.list("bob").unwrap(), []);
}

#[test]
fn purging_takes_what_is_over_and_nothing_else() {
    let bench = bench();
    let live = bench.start("alice");
    let ended = bench.start("alice");
    let expired = bench.start("alice");
    bench.sessions.end_by_id(ended.family(), None).unwrap();
    bench.clock.set(NOW + 6 * DAY);
    let live = bench.refresh(&live).unwrap();
    bench.clock.set(NOW + 8 * DAY);
    refused(bench.sessions.purge(NOW + 9 * DAY), ErrorKind::InvalidArgument, "the future");
    assert_eq!(bench.sessions.purge(NOW).unwrap(), 0);
    assert_eq!(bench.sessions.purge(NOW + 8 * DAY).unwrap(), 2);
    refused(bench.refresh(&ended), ErrorKind::InvalidRefreshToken, "not known any more");
    refused(bench.refresh(&expired), ErrorKind::InvalidRefreshToken, "not known any more");
    assert!(bench.refresh(&live).is_ok());
    let filter = SessionEventFilter { cursor: Some("x".into()), ..Default::default() };
    refused(bench.sessions.events(&filter), ErrorKind::InvalidArgument, "a cursor of another kind");
}

#[test]
fn nothing_shows_a_secret() {
    let bench = bench();
    let tokens = bench.start("alice");
    let refused = bench.sessions.refresh(&text(&tokens)[..40], None).unwrap_err();
    let stored = bench.store.session(tokens.family()).unwrap().unwrap();
    let shown = [
        format!("{tokens:?}"),
        format!("{stored:?}"),
        format!("{:?} {:?}", bench.sessions, bench.sessions.revocations()),
        format!("{refused:?} {refused}"),
        tokens.session.to_json(),
        bench.sessions.events(&SessionEventFilter::default()).unwrap().to_json(),
    ];
    for shown in shown {
        assert!(!shown.contains(&text(&tokens)[17..45]), "{shown}");
        assert!(!shown.contains("eyJ"), "{shown}");
    }
    assert!(tokens.session.to_json().contains(r#""end":null"#));
}

#[test]
fn the_options_of_revocations_are_those_of_the_sessions() {
    let store = Arc::new(MemoryStore::new());
    let bench = bench_with(store, |options| {
        options.revocations(super::RevocationOptions::new().max_token_ttl(10))
    });
    let tokens = bench.start("alice");
    assert!(bench.verify(&tokens).is_ok(), "never below the life of the sessions' own tokens");
    let clock = Arc::new(FixedClock::new(NOW));
    let stale = options(&clock).revocations(super::RevocationOptions::new().max_stale(86_401));
    let opened = Sessions::open(Arc::new(MemoryStore::new()), peppers(&[1]), None, stale);
    refused(opened, ErrorKind::InvalidArgument, "max_stale");
    drop(bench_on(Arc::new(MemoryStore::new())));
}
