//! The day that the pepper and the key ring have leaked, command by command as docs/sessions.md has it; and a new pepper
//! that comes while services run.

use super::Desk;
use gatekey::apikey::Check;
use gatekey::keyring::KeyRingOptions;
use gatekey::open::{open_key_ring, open_sessions};
use gatekey::pepper::PepperSource;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::{ErrorKind, KeyRing, Sessions, Signer};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

fn url(desk: &Desk) -> String {
    format!("sqlite:///{}", desk.0.join("keys.sqlite").display())
}

/// A service on the desk's store, which is restarted by being made again.
fn service(desk: &Desk, peppers: &PepperSource) -> (Sessions, KeyRing) {
    let ring = open_key_ring(&url(desk), peppers, KeyRingOptions::new()).unwrap().ring;
    let signer = Signer::following(Arc::new(ring.clone())).issuer("https://auth.example").build();
    let options = SessionOptions::new();
    let opened = open_sessions(&url(desk), peppers, Some(&signer.unwrap()), options).unwrap();
    (opened.sessions, ring)
}

#[test]
fn a_leaked_pepper_and_ring_are_replaced() {
    let desk = Desk::new("leaked-pepper");
    let (used, _) = desk.key("");
    let (sessions, ring) = service(&desk, &PepperSource::Beside);
    let started = sessions.start("alice", &SessionSpec::default()).unwrap();
    ring.rotate().unwrap();
    let leaked: Vec<_> = ring.keys().unwrap().into_iter().map(|key| key.kid).collect();
    assert_eq!(leaked.len(), 3);
    drop((sessions, ring));

    desk.run("pepper add").done();
    let (sessions, ring) = service(&desk, &PepperSource::Beside);
    let wrapped = desk.run("pepper wrap");
    let needed = "Pepper 1 is still needed by 1 key: until each was used once (seen here some ten seconds later); 1 session: \
                  `gatekey session end-under-pepper 1`; 1 key ring: `gatekey keyring rotate`, or `remove` \
                  of each key if it has leaked.";
    assert!(wrapped.err.contains(needed), "{wrapped:?}");
    assert_eq!(wrapped.done(), "Wrapped 1 key.\n");
    let report = desk.run("pepper report");
    assert!(report.err.contains("Pepper 1 is still needed by 1 key"), "{report:?}");
    desk.run("session end-under-pepper 1").done();
    assert!(sessions.refresh(started.refresh_token.expose(), None).is_err());
    // A rotation alone would make the next key, which has leaked as well, the active one.
    for kid in &leaked {
        desk.run(&format!("keyring remove sqlite:///keys.sqlite {kid}")).done();
        desk.run(&format!("revoke key {kid}")).done();
    }
    ring.refresh().unwrap();
    let keys = ring.keys().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| !leaked.contains(&key.kid)), "all are new");
    let report = desk.run("pepper report");
    assert!(report.err.contains("needed by 1 key: until each was used once"), "{report:?}");
    desk.verify(&used, &[]).done();
    let report = desk.run("pepper report");
    assert!(report.err.is_empty(), "{report:?}");
    assert!(report.done().contains("not needed any more"));
    // Without the old line.
    let started = sessions.start("bob", &SessionSpec::default()).unwrap();
    drop((sessions, ring));
    let peppers = String::from_utf8(desk.read("keys.sqlite.pepper")).unwrap();
    let newer: Vec<_> = peppers.lines().filter(|line| !line.starts_with("1 ")).collect();
    desk.write("keys.sqlite.pepper", &newer.join("\n"));
    desk.verify(&used, &[]).done();
    let (sessions, ring) = service(&desk, &PepperSource::Beside);
    sessions.refresh(started.refresh_token.expose(), None).unwrap();
    assert_eq!(ring.keys().unwrap(), keys);
}

/// What is made under a pepper is unknown to a process that lacks it; so all get the line first, above the active one.
#[test]
fn a_new_pepper_comes_in_two_steps() {
    let desk = Desk::new("two-steps");
    desk.key("");
    let line = |at: &str| {
        desk.run(&format!("pepper add --pepper-file {at}")).done();
        let text = String::from_utf8(desk.read(at)).unwrap();
        text.lines().last().unwrap().to_owned()
    };
    let first = String::from_utf8(desk.read("keys.sqlite.pepper")).unwrap();
    let first = first.lines().last().unwrap().to_owned();
    let second = line("other").replacen("1 ", "2 ", 1);
    let file = |name: &str, lines: &[&String]| {
        let lines: Vec<_> = lines.iter().map(|line| line.as_str()).collect();
        desk.write(name, &lines.join("\n"));
        let path = desk.0.join(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        PepperSource::File(path)
    };
    let old = file("old", &[&first]);
    let both = file("both", &[&second, &first]);
    let new = file("new", &[&first, &second]);
    let (lacks, knows) = (service(&desk, &old), service(&desk, &both));
    let keys = |source: &PepperSource| {
        let options = gatekey::apikey::ApiKeyOptions::new();
        gatekey::open::open_api_keys(&url(&desk), source, options).unwrap().keys
    };
    let (keys_lack, keys_know) = (keys(&old), keys(&both));
    let (sessions, ring) = service(&desk, &new);
    let (key, _) = desk.key(" --pepper-file new");
    let started = sessions.start("alice", &SessionSpec::default()).unwrap();
    ring.rotate().unwrap();

    let token = started.refresh_token.expose();
    keys_know.refresh().unwrap();
    let _ = keys_lack.refresh();
    assert!(keys_know.verify(&key, &Check::new()).is_ok());
    assert!(knows.1.refresh().is_ok() && knows.0.refresh(token, None).is_ok());
    let kind = |error: gatekey::Error| error.kind();
    let lacking = [
        keys_lack.verify(&key, &Check::new()).map(drop).map_err(kind),
        lacks.0.refresh(token, None).map(drop).map_err(kind),
        lacks.1.refresh().map_err(kind),
    ];
    let wanted =
        [ErrorKind::StoreUnavailable, ErrorKind::InvalidRefreshToken, ErrorKind::WrongPepper];
    assert_eq!(lacking, wanted.map(Err));
}
