//! Older copies of a store: refused until someone acknowledges them; backups that are whole, and copies that
//! are not.

#![cfg(feature = "sqlite")]

use crate::fixtures::key;
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::backup::{
    AcknowledgeOptions, BackupOptions, RestoreOptions, store_acknowledge_restore, store_backup,
    store_restore,
};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::{open_api_keys, open_key_ring, open_revocations, open_sessions};
use gatekey::pepper::PepperSource;
use gatekey::revocations::{RevocationOptions, RevokeScope};
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::{Mark, SqliteStore};
use gatekey::{
    Alg, ApiKeys, Clock as _, Error, ErrorKind, KeyRing, Policy, Revocations, Sessions, Signer,
    SystemClock, Verifier,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BESIDE: PepperSource = PepperSource::Beside;

/// A folder with a store, removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let name = format!("gatekey-backups-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.file("auth.sqlite").display())
    }

    fn all(&self) -> All {
        All {
            keys: open_api_keys(&self.url(), &BESIDE, ApiKeyOptions::new()).unwrap().keys,
            sessions: sessions(&self.url()).unwrap(),
            ring: ring(&self.url()).unwrap(),
            list: list(&self.url()).unwrap(),
        }
    }

    /// A copy by hand, while nobody has the store open.
    fn copy(&self, from: &str, to: &str) {
        assert!(!self.file(&format!("{from}-wal")).exists(), "someone has {from} open");
        std::fs::copy(self.file(from), self.file(to)).unwrap();
    }

    /// Every way to open the store says this.
    fn refused(&self, kind: ErrorKind) {
        let url = self.url();
        for opened in [
            open_api_keys(&url, &BESIDE, ApiKeyOptions::new()).map(drop),
            sessions(&url).map(drop),
            list(&url).map(drop),
            ring(&url).map(drop),
            SqliteStore::open(self.file("auth.sqlite")).map(drop),
        ] {
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
    }

    fn back_up(&self, to: &str) -> Result<gatekey::backup::BackupReport, Error> {
        store_backup(&self.url(), &self.file(to), &BackupOptions::default(), &mut |_, _| Ok(()))
    }

    fn restore(&self, from: &str, force: bool) -> Result<gatekey::backup::RestoreReport, Error> {
        let options = RestoreOptions { force };
        store_restore(&self.file(from), &self.url(), options, &mut |_, _| Ok(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Everything that one store holds.
struct All {
    keys: ApiKeys,
    sessions: Sessions,
    ring: KeyRing,
    list: Revocations,
}

fn sessions(url: &str) -> Result<Sessions, Error> {
    let signer = Signer::builder(key(Alg::Hs256)).ttl(900).build().unwrap();
    let options = SessionOptions::new().grace(0);
    Ok(open_sessions(url, &BESIDE, Some(&signer), options)?.sessions)
}

fn ring(url: &str) -> Result<KeyRing, Error> {
    Ok(open_key_ring(url, &BESIDE, KeyRingOptions::new())?.ring)
}

fn list(url: &str) -> Result<Revocations, Error> {
    open_revocations(url, RevocationOptions::new())
}

fn spec() -> KeySpec {
    KeySpec { owner: "acme".into(), ..KeySpec::default() }
}

fn end_all_before_now(keep: bool) -> AcknowledgeOptions {
    AcknowledgeOptions {
        revoke_before: SystemClock.now() + 1,
        keep_api_keys: keep,
        keep_key_rings: keep,
    }
}

#[test]
fn each_change_makes_an_older_copy_be_refused() {
    type Change = (&'static str, fn(&All, &str, &str, &str));
    let changes: [Change; 15] = [
        ("revoke", |all, id, _, _| drop(all.keys.revoke(id, "").unwrap())),
        ("disable", |all, id, _, _| drop(all.keys.disable(id, "").unwrap())),
        ("rotate", |all, id, _, _| drop(all.keys.rotate(id, 0).unwrap())),
        ("create", |all, _, _, _| drop(all.keys.create(&spec()).unwrap())),
        ("refresh", |all, _, token, _| drop(all.sessions.refresh(token, None).unwrap())),
        ("end", |all, _, token, _| assert!(all.sessions.end(token).unwrap())),
        ("end_all", |all, _, _, _| assert_eq!(all.sessions.end_all("alice").unwrap(), 1)),
        ("revoke_token", |all, _, _, _| {
            all.list.revoke_token("", "jti", SystemClock.now() + 60).unwrap();
        }),
        ("revoke_session", |all, _, _, family| all.list.revoke_session(family).unwrap()),
        ("revoke_subject", |all, _, _, _| all.list.revoke_subject("alice").unwrap()),
        ("revoke_key", |all, _, _, _| all.list.revoke_key("kid").unwrap()),
        ("revoke_before", |all, _, _, _| {
            all.list.revoke_before(SystemClock.now(), RevokeScope::All).unwrap();
        }),
        ("seen_once", |all, _, _, _| {
            assert!(all.list.seen_once("", "once", SystemClock.now() + 60).unwrap());
        }),
        ("ring.remove", |all, _, _, _| {
            all.ring.remove(&all.ring.active().unwrap().kid).unwrap();
        }),
        ("ring.rotate", |all, _, _, _| drop(all.ring.rotate().unwrap())),
    ];
    for (name, change) in changes {
        let place = Place::new(name);
        let all = place.all();
        let issued = all.keys.create(&spec()).unwrap();
        let started = all.sessions.start("alice", &SessionSpec::default()).unwrap();
        drop(all);
        place.copy("auth.sqlite", "older");
        let same = place.all();
        drop(same); // opening it changes nothing that an older copy lacks
        place.copy("auth.sqlite", "same");
        place.copy("same", "auth.sqlite");
        let all = place.all();
        change(&all, &issued.record.id, started.refresh_token.expose_str(), started.family());
        drop(all);
        place.copy("auth.sqlite", "newer");
        place.copy("older", "auth.sqlite");
        place.refused(ErrorKind::StoreRestored);
        let still = std::fs::read(place.file("auth.sqlite")).unwrap();
        assert_eq!(still, std::fs::read(place.file("older")).unwrap(), "{name} left it alone");
        place.copy("newer", "auth.sqlite");
        drop(place.all());
    }
}

#[test]
fn what_was_revoked_stays_so_after_an_acknowledged_restore() {
    let place = Place::new("acknowledged");
    let all = place.all();
    let (leaked, good) = (all.keys.create(&spec()).unwrap(), all.keys.create(&spec()).unwrap());
    let out = all.sessions.start("alice", &SessionSpec::default()).unwrap();
    let used = all.sessions.start("bob", &SessionSpec::default()).unwrap();
    let removed = all.ring.active().unwrap().kid;
    place.back_up("backup").unwrap();
    all.keys.revoke(&leaked.record.id, "leaked").unwrap();
    all.sessions.end(out.refresh_token.expose()).unwrap();
    all.sessions.refresh(used.refresh_token.expose(), None).unwrap();
    all.ring.remove(&removed).unwrap();
    drop(all);
    place.copy("auth.sqlite", "former");

    let report = place.restore("backup", false).unwrap();
    assert!(report.must_acknowledge && report.replaced.as_ref().unwrap().exists());
    assert_eq!((report.restored.api_keys, report.restored.sessions), (2, 2));
    place.refused(ErrorKind::StoreRestored);
    let future = AcknowledgeOptions { revoke_before: u64::MAX, ..Default::default() };
    let error = store_acknowledge_restore(&place.url(), &BESIDE, future).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    place.refused(ErrorKind::StoreRestored);
    let done = store_acknowledge_restore(&place.url(), &BESIDE, end_all_before_now(false)).unwrap();
    assert_eq!((done.api_keys, done.sessions, done.key_rings), (2, 2, 1));

    let all = place.all();
    let kind = |secret: &gatekey::Secret| {
        all.keys.verify(secret.expose(), &Check::new()).map(drop).map_err(|error| error.kind())
    };
    assert_eq!(kind(&leaked.secret), Err(ErrorKind::ApiKeyDisabled));
    all.keys.enable(&good.record.id).unwrap();
    assert_eq!(kind(&good.secret), Ok(()), "an operator knows which are good");
    for token in [&out.refresh_token, &used.refresh_token] {
        let error = all.sessions.refresh(token.expose(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionEnded);
    }
    let policy = Policy::new().revocations(Arc::new(all.sessions.revocations().clone()));
    let verifier = Verifier::with_key(key(Alg::Hs256), policy).unwrap();
    let error = verifier.verify(out.access_token.expose()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RevokedToken);
    assert!(all.ring.keys().unwrap().iter().all(|key| key.kid != removed));
    assert_eq!(all.ring.keys().unwrap().len(), 2);
    drop((all, verifier));

    // What it was before is another store from now on, however far it had come.
    place.copy("auth.sqlite", "accepted");
    place.copy("former", "auth.sqlite");
    place.refused(ErrorKind::StoreRestored);
    place.copy("accepted", "auth.sqlite");
    drop(place.all());
}

#[test]
fn what_is_to_be_kept_is_kept() {
    let place = Place::new("kept");
    let all = place.all();
    let issued = all.keys.create(&spec()).unwrap();
    let kid = all.ring.active().unwrap().kid;
    let started = all.sessions.start("alice", &SessionSpec::default()).unwrap();
    drop(all);
    // Moved to another place: nothing has ended since, and nothing must end.
    std::fs::remove_file(place.file("auth.sqlite.mark")).unwrap();
    place.refused(ErrorKind::StoreRestored);
    let nothing = store_acknowledge_restore(&place.url(), &BESIDE, AcknowledgeOptions::default());
    let done = nothing.unwrap();
    assert_eq!((done.api_keys, done.sessions, done.key_rings, done.was_refused), (0, 0, 0, true));
    let all = place.all();
    assert!(all.keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    let next = all.sessions.refresh(started.refresh_token.expose(), None).unwrap();
    drop(all);
    let done = store_acknowledge_restore(&place.url(), &BESIDE, end_all_before_now(true)).unwrap();
    assert_eq!((done.api_keys, done.sessions, done.key_rings), (0, 1, 0));
    assert!(!done.was_refused, "it was accepted before");
    let all = place.all();
    assert!(all.keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    assert_eq!(all.ring.active().unwrap().kid, kid);
    assert!(all.sessions.refresh(next.refresh_token.expose(), None).is_err());
}

#[test]
fn the_mark_lies_where_it_is_said_to() {
    let place = Place::new("elsewhere");
    let store = place.file("auth.sqlite");
    let elsewhere = format!("{}?mark={}", place.url(), place.file("there.mark").display());
    list(&elsewhere).unwrap().revoke_key("a").unwrap();
    assert!(place.file("there.mark").exists() && !place.file("auth.sqlite.mark").exists());
    // Whoever does not say so is told, and so is whoever names another.
    place.refused(ErrorKind::StoreRestored);
    place.copy("auth.sqlite", "older");
    list(&elsewhere).unwrap().revoke_key("b").unwrap();
    place.copy("older", "auth.sqlite");
    assert_eq!(list(&elsewhere).unwrap_err().kind(), ErrorKind::StoreRestored);
    // Nor does it pass for a backup of the store.
    let (to, options) = (place.file("older-backup"), BackupOptions::default());
    let backup = store_backup(&elsewhere, &to, &options, &mut |_, _| Ok(()));
    assert_eq!(backup.unwrap_err().kind(), ErrorKind::StoreRestored);
    assert!(!to.exists());
    // Without a mark nobody can tell.
    let none = format!("{}?mark=none", place.url());
    assert_eq!(list(&none).unwrap().len(), 1);
    drop(SqliteStore::open_with(&store, &Mark::None).unwrap());
    for wrong in ["?mark=", "?mark=a?mark=b", "?mark=a&b=c", "?other=1", "?mark=a#b"] {
        let opened = list(&format!("{}{wrong}", place.url()));
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::InvalidArgument, "{wrong}");
    }
    let only = std::fs::read_dir(&place.0).unwrap().filter_map(Result::ok).all(|entry| {
        let name = entry.file_name().into_string().unwrap();
        ["auth.sqlite", "older", "there.mark"].iter().any(|known| name.starts_with(known))
    });
    assert!(only, "nothing was made by a wrong URL");
}

#[test]
fn a_store_that_is_gone_is_not_made_again() {
    let place = Place::new("gone");
    list(&place.url()).unwrap().revoke_key("a").unwrap();
    std::fs::remove_file(place.file("auth.sqlite")).unwrap();
    place.refused(ErrorKind::StoreRestored);
    assert!(!place.file("auth.sqlite").exists());
    // An empty file is none either.
    std::fs::write(place.file("auth.sqlite"), "").unwrap();
    place.refused(ErrorKind::StoreRestored);
    assert_eq!(std::fs::metadata(place.file("auth.sqlite")).unwrap().len(), 0);
    // The mark of another store.
    std::fs::remove_file(place.file("auth.sqlite")).unwrap();
    std::fs::rename(place.file("auth.sqlite.mark"), place.file("kept.mark")).unwrap();
    drop(list(&place.url()).unwrap());
    std::fs::rename(place.file("kept.mark"), place.file("auth.sqlite.mark")).unwrap();
    place.refused(ErrorKind::StoreRestored);
    std::fs::remove_file(place.file("auth.sqlite")).unwrap();
    std::fs::remove_file(place.file("auth.sqlite.mark")).unwrap();
    assert!(list(&place.url()).unwrap().is_empty());
}

#[test]
fn a_mark_that_is_deleted_while_the_store_is_open_comes_back() {
    let place = Place::new("deleted");
    let open = list(&place.url()).unwrap();
    open.revoke_key("a").unwrap();
    std::fs::remove_file(place.file("auth.sqlite.mark")).unwrap();
    open.revoke_key("b").unwrap();
    drop(open);
    assert_eq!(list(&place.url()).unwrap().len(), 2);
}

#[test]
fn a_store_of_an_older_version_gets_a_mark() {
    let place = Place::new("upgrade");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store/v1.sqlite");
    std::fs::copy(&fixture, place.file("auth.sqlite")).unwrap();
    list(&place.url()).unwrap().revoke_key("a").unwrap();
    assert!(place.file("auth.sqlite.mark").exists());
    // The older version is an older copy from now on.
    std::fs::copy(&fixture, place.file("auth.sqlite")).unwrap();
    place.refused(ErrorKind::StoreRestored);
    assert_eq!(std::fs::read(fixture).unwrap(), std::fs::read(place.file("auth.sqlite")).unwrap());
}

#[test]
fn a_copy_without_its_wal_is_told_from_an_empty_store() {
    let place = Place::new("without-wal");
    let all = place.all();
    all.sessions.start("alice", &SessionSpec::default()).unwrap();
    // As cp does, of the main file alone, to another place.
    std::fs::copy(place.file("auth.sqlite"), place.file("copy.sqlite")).unwrap();
    let error = SqliteStore::open(place.file("copy.sqlite")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreRestored, "{error}");
    drop(all);
    // And back again, after the store was lost with its WAL.
    place.copy("copy.sqlite", "auth.sqlite");
    place.refused(ErrorKind::StoreRestored);
    // What stores looked like before they had marks: nothing in the main file but that there is a WAL.
    let mut header = std::fs::read(place.file("copy.sqlite")).unwrap();
    header.truncate(4096);
    header[28..32].copy_from_slice(&1_u32.to_be_bytes()); // one page
    header[60..64].fill(0); // user_version
    header[68..72].fill(0); // application_id
    header[96..100].fill(0); // the size is not to be trusted
    header[100..].fill(0);
    header[100] = 13; // a leaf without rows
    header[105..107].copy_from_slice(&4096_u16.to_be_bytes());
    std::fs::write(place.file("bare.sqlite"), &header).unwrap();
    let error = SqliteStore::open(place.file("bare.sqlite")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{error}");
    assert!(error.message().contains("WAL"), "{error}");
    assert_eq!(header, std::fs::read(place.file("bare.sqlite")).unwrap());
}

#[test]
fn a_backup_is_whole_and_private_and_never_replaces_anything() {
    let place = Place::new("whole");
    let all = place.all();
    let keys: Vec<_> = (0..50).map(|_| all.keys.create(&spec()).unwrap()).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut heard = Vec::new();
    std::thread::scope(|scope| {
        // Someone writes all the time.
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                all.sessions.start("alice", &SessionSpec::default()).unwrap();
            }
        });
        for number in 0..5 {
            let to = place.file(&format!("backup-{number}"));
            let options = BackupOptions {
                pepper_to: Some(place.file(&format!("pepper-{number}"))),
                ..BackupOptions::default()
            };
            let report = store_backup(&place.url(), &to, &options, &mut |done, all| {
                heard.push((done, all));
                Ok(())
            });
            assert_eq!(report.unwrap().api_keys, 50);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(heard.iter().all(|(done, all)| done <= all) && heard.iter().any(|(d, a)| d == a));
    let peppers = std::fs::read(place.file("auth.sqlite.pepper")).unwrap();
    assert_eq!(peppers, std::fs::read(place.file("pepper-4")).unwrap());
    #[cfg(unix)]
    for (name, wanted) in [("backup-4", 0o600), ("pepper-4", 0o600), ("auth.sqlite.mark", 0o644)] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(place.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, wanted, "{name}");
    }
    // It is there already, or there is nothing to copy, or someone stops it: nothing is left behind.
    let before = std::fs::read(place.file("backup-4")).unwrap();
    assert_eq!(place.back_up("backup-4").unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(before, std::fs::read(place.file("backup-4")).unwrap());
    for ending in ["-wal", "-shm", "-JOURNAL", ".pepper", ".limits", ".ring"] {
        let name = format!("taken{ending}");
        assert_eq!(place.back_up(&name).unwrap_err().kind(), ErrorKind::InvalidArgument, "{name}");
        assert!(!place.file(&name).exists(), "{name}");
    }
    let stop = &mut |_, _| Err(Error::from(ErrorKind::Unsupported));
    let options = BackupOptions::default();
    let stopped = store_backup(&place.url(), &place.file("stopped"), &options, stop).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Unsupported);
    let nowhere = format!("sqlite:///{}", place.file("nothing").display());
    assert!(store_backup(&nowhere, &place.file("stopped"), &options, &mut |_, _| Ok(())).is_err());
    let names = std::fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(!names.iter().any(|n| n.contains("partial") || n.contains("stopped")), "{names:?}");
    assert!(!names.iter().any(|n| n.starts_with("nothing")), "{names:?}");

    // Each is whole: it opens, and verifies what the store did.
    drop(all);
    std::fs::copy(place.file("pepper-4"), place.file("backup-4.pepper")).unwrap();
    let url = format!("sqlite:///{}?mark=none", place.file("backup-4").display());
    let copy = open_api_keys(&url, &BESIDE, ApiKeyOptions::new()).unwrap().keys;
    for key in keys {
        assert!(copy.verify(key.secret.expose(), &Check::new()).is_ok());
    }
}

#[test]
fn a_store_in_use_is_replaced_only_by_force() {
    let place = Place::new("in-use");
    let all = place.all();
    let issued = all.keys.create(&spec()).unwrap();
    place.back_up("backup").unwrap();
    let error = place.restore("backup", false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    assert!(all.keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    let same = store_restore(
        &place.file("auth.sqlite"),
        &place.url(),
        RestoreOptions { force: true },
        &mut |_, _| Ok(()),
    );
    assert_eq!(same.unwrap_err().kind(), ErrorKind::InvalidArgument);
    std::fs::write(place.file("garbage"), vec![7; 9000]).unwrap();
    for wrong in ["garbage", "missing", "auth.sqlite.pepper"] {
        assert!(place.restore(wrong, true).is_err(), "{wrong}");
        assert!(all.keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    }
    all.keys.revoke(&issued.record.id, "").unwrap();
    let report = place.restore("backup", true).unwrap();
    assert!(report.must_acknowledge);
    place.refused(ErrorKind::StoreRestored);
    store_acknowledge_restore(&place.url(), &BESIDE, end_all_before_now(true)).unwrap();
    // Whoever still has the former store is told, or has noticed; nothing is lost in silence.
    let made = all.keys.create(&spec());
    let now = place.all();
    match made {
        Ok(made) => drop(now.keys.get(&made.record.id).unwrap()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::StoreRestored, "{error}"),
    }
    drop((all, now));
    // Where no store was, and no mark: it is a copy all the same.
    let url = format!("sqlite:///{}", place.file("new.sqlite").display());
    let report =
        store_restore(&place.file("backup"), &url, RestoreOptions::default(), &mut |_, _| Ok(()));
    let report = report.unwrap();
    assert!(report.must_acknowledge && report.replaced.is_none());
    assert_eq!(list(&url).unwrap_err().kind(), ErrorKind::StoreRestored);
}

#[test]
fn a_restored_store_of_an_older_version_must_be_acknowledged_too() {
    let place = Place::new("old-backup");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store/v1.sqlite");
    std::fs::copy(fixture, place.file("backup")).unwrap();
    assert!(place.restore("backup", false).unwrap().must_acknowledge);
    place.refused(ErrorKind::StoreRestored);
}
