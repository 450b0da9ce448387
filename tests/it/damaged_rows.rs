//! Every column of every table of a SQLite store with every kind of value that no gatekey writes there: what was
//! altered is refused alone, or, where nobody can know what it meant, everything that depends on it, with an error
//! that names the table.

use crate::apikey::Folder;
use crate::fixtures::key;
use gatekey::apikey::{ApiKeyOptions, AuditFilter, Check, CreditSpec, KeyFilter, KeySpec};
use gatekey::clock::FixedClock;
use gatekey::keyring::KeyRingOptions;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionEventFilter, SessionOptions, SessionSpec};
use gatekey::store::{Mark, SqliteStore};
use gatekey::{
    Alg, ApiKeys, Claims, Error, ErrorKind, KeyRing, Peppers, Policy, Revocations, Secret,
    Sessions, Signer, Verifier,
};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NOW: u64 = 1_800_000_000;
const VALUES: [&str; 10] = [
    "NULL",
    "x'00ff'",
    "'text'",
    "CAST(x'ff' AS TEXT)",
    "1.5",
    "0",
    "-1",
    "99",
    "9223372036854775807",
    "-9223372036854775808",
];
/// Each table, and which of its rows is altered.
const TABLES: [(&str, &str); 12] = [
    ("key", "owner = 'bad'"),
    ("credit", "key_id IN (SELECT id FROM key WHERE owner = 'bad')"),
    ("usage", "key_id IN (SELECT id FROM key WHERE owner = 'bad')"),
    ("audit", "seq = 2"),
    ("pepper", "pepper = 1"),
    ("session", "subject = 'bad'"),
    ("session_event", "seq = 1"),
    ("revocation", "value = 'bad'"),
    ("horizon", "of = 'issued'"),
    ("seen_token", "token_id = 'bad'"),
    ("key_ring", "name = 'default'"),
    ("store", "1"),
];

fn peppers(numbers: &[u32]) -> Peppers {
    let secret = |n: u32| Secret::new(vec![u8::try_from(n).unwrap(); 32]);
    Peppers::new(&numbers.iter().map(|&n| (n, secret(n))).collect::<Vec<_>>()).unwrap()
}

/// What is in the store, and the file as bytes.
struct Pristine {
    file: Vec<u8>,
    keys: [String; 2],
    sessions: [Secret; 2],
    tokens: [String; 2],
    columns: Vec<(&'static str, &'static str, String)>,
}

struct Place {
    path: PathBuf,
    clock: Arc<FixedClock>,
}

impl Place {
    fn new(path: PathBuf) -> Self {
        Self { path, clock: Arc::new(FixedClock::new(NOW)) }
    }

    fn store(&self) -> Result<Arc<SqliteStore>, Error> {
        SqliteStore::open_with(&self.path, &Mark::None).map(Arc::new)
    }

    fn keys(&self, numbers: &[u32]) -> Result<ApiKeys, Error> {
        let options = ApiKeyOptions::new().clock(self.clock.clone());
        ApiKeys::open(self.store()?, peppers(numbers), options)
    }

    fn sessions(&self) -> Result<Sessions, Error> {
        let signer = Signer::builder(key(Alg::Hs256)).clock(self.clock.clone()).build()?;
        let options = SessionOptions::new().clock(self.clock.clone());
        Sessions::open(self.store()?, peppers(&[1]), Some(&signer), options)
    }

    fn revocations(&self) -> Result<Revocations, Error> {
        Revocations::open(self.store()?, RevocationOptions::new().clock(self.clock.clone()))
    }

    fn ring(&self) -> Result<KeyRing, Error> {
        let options = KeyRingOptions::new().alg(Alg::Hs256).clock(self.clock.clone());
        KeyRing::open(self.store()?, Some(peppers(&[1])), options)
    }

    fn verify(&self, revocations: &Revocations, token: &str) -> Result<(), Error> {
        let policy = Policy::new().clock(self.clock.clone());
        let policy = policy.revocations(Arc::new(revocations.clone()));
        Verifier::with_key(key(Alg::Hs256), policy)?.verify(token).map(drop)
    }
}

fn pristine(folder: &Folder) -> Pristine {
    let place = Place::new(folder.path("pristine.sqlite"));
    let keys = place.keys(&[1]).unwrap();
    let keys_made = ["bad", "good"].map(|owner| {
        let mut spec = KeySpec::new(owner);
        spec.credits = Some(CreditSpec { amount: 1000, ..CreditSpec::default() });
        let id = keys.create(&spec).unwrap().record.id;
        keys.rotate(&id, 60).unwrap().secret.expose_str().to_owned()
    });
    keys_made.iter().for_each(|text| drop(keys.verify(text, &Check::new()).unwrap()));
    keys.close().unwrap();
    let sessions = place.sessions().unwrap();
    let started = ["bad", "good"]
        .map(|subject| sessions.start(subject, &SessionSpec::default()).unwrap().refresh_token);
    sessions.close().unwrap();
    let revocations = place.revocations().unwrap();
    assert!(revocations.seen_once("", "older", NOW - 601 + 700).unwrap());
    assert!(revocations.seen_once("", "bad", NOW + 900).unwrap());
    let signer = Signer::builder(key(Alg::Hs256)).clock(place.clock.clone()).build().unwrap();
    let tokens = ["bad", "good"].map(|id| {
        revocations.revoke_token("", id, NOW + 900).unwrap();
        signer.sign(&Claims::new().token_id(id)).unwrap()
    });
    drop((place.ring().unwrap(), revocations));
    let raw = Connection::open(&place.path).unwrap();
    raw.execute("INSERT INTO horizon VALUES ('issued', 5), ('seen_token', 5)", []).unwrap();
    let columns = TABLES.iter().flat_map(|(table, of)| {
        let mut names =
            raw.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
        let names: Vec<String> =
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        names.into_iter().map(|name| (*table, *of, name)).collect::<Vec<_>>()
    });
    let columns = columns.collect();
    raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(raw);
    let file = std::fs::read(&place.path).unwrap();
    Pristine { file, keys: keys_made, sessions: started, tokens, columns }
}

/// Puts the value into the column of a new copy; false if the table takes none such, or holds it already.
fn altered(path: &Path, file: &[u8], table: &str, of: &str, column: &str, value: &str) -> bool {
    std::fs::write(path, file).unwrap();
    let raw = Connection::open(path).unwrap();
    raw.pragma_update(None, "synchronous", "OFF").unwrap();
    let whole = |raw: &Connection| -> Vec<String> {
        let sql = format!("SELECT typeof({column}) || hex({column}) FROM {table} ORDER BY 1");
        let mut select = raw.prepare(&sql).unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let before = whole(&raw);
    let done = raw.execute(&format!("UPDATE {table} SET {column} = {value} WHERE {of}"), []);
    if let Ok(count) = done {
        assert_eq!(count, 1, "{table}: the row that is altered");
    }
    done.is_ok() && whole(&raw) != before
}

#[track_caller]
fn names(error: &Error, table: &str, what: &str) {
    assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{what}: {error:?}");
    assert!(error.message().contains(&format!("`{table}`")), "{what}: {error}");
}

fn api_keys(place: &Place, made: &Pristine, table: &str, what: &str) {
    let keys = match place.keys(&[1]) {
        Ok(keys) => keys,
        Err(error) => return names(&error, "pepper", what),
    };
    let [bad, good] = &made.keys;
    keys.verify(good, &Check::new()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let verified = keys.verify(bad, &Check::new());
    assert!(table != "key" || verified.is_err(), "{what}: what was altered is accepted");
    let records = keys.list(&KeyFilter::default()).unwrap().records;
    let is_altered = |owner: &str| records.iter().any(|key| key.owner == owner && !key.altered);
    assert!(is_altered("good") && records.len() == 2, "{what}");
    assert!(table != "key" || records.iter().filter(|key| key.altered).count() == 1, "{what}");
    for limit in [1, 2, 100] {
        let (mut seen, mut filter) = (0, KeyFilter { limit, ..KeyFilter::default() });
        for _ in 0..5 {
            let page = keys.list(&filter).unwrap();
            seen += page.records.len();
            filter.cursor = page.cursor;
            if filter.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, 2, "{what}: {limit} at a time");
    }
    let audit = keys.audit(&AuditFilter::default()).unwrap().records.len();
    assert!(audit == 4 || table == "audit" && audit >= 3, "{what}: {audit}");
    assert_eq!(keys.purge(1).unwrap(), 0, "{what}");
    keys.close().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    if what.contains("seal") {
        let newer = place.keys(&[1, 2]).unwrap();
        newer.wrap_peppers().unwrap_err();
        let uses = newer.pepper_report().unwrap();
        assert!(uses.iter().any(|used| used.pepper == 2 && used.keys == 1), "{what}: the other is");
    }
}

fn sessions(place: &Place, made: &Pristine, table: &str, what: &str) {
    let sessions = place.sessions().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let [bad, good] = &made.sessions;
    sessions.refresh(good.expose(), None).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let refreshed = sessions.refresh(bad.expose(), None);
    assert!(table != "session" || refreshed.is_err(), "{what}: what was altered is accepted");
    let records = sessions.list("good").unwrap();
    assert!(records.iter().any(|one| one.subject == "good" && !one.altered), "{what}");
    let events = sessions.events(&SessionEventFilter::default()).unwrap().records;
    assert!(events.iter().any(|event| event.subject == "good"), "{what}");
    match sessions.end_all("good") {
        Ok(ended) => assert_eq!(ended, 1, "{what}"),
        // The largest number there is leaves none for the next event.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::StoreFull, "{what}");
            assert!(what.starts_with("session_event.seq ="), "{what}: {error}");
            assert!(error.message().contains("`session_event`"), "{what}: {error}");
        }
    }
}

fn revocations(place: &Place, made: &Pristine, table: &str, column: &str, what: &str) {
    let revocations = match place.revocations() {
        Ok(revocations) => revocations,
        Err(error) => return names(&error, table, what),
    };
    let [bad, good] = &made.tokens;
    let error = place.verify(&revocations, good).expect_err(what);
    let is_forgotten = table == "horizon" && error.kind() == ErrorKind::Expired;
    assert!(is_forgotten || error.kind() == ErrorKind::RevokedToken, "{what}: {error:?}");
    // What is read as something else is believed: who can write it can as well take the row away.
    let is_another = table == "revocation" && ["kind", "issuer", "value"].contains(&column);
    assert!(is_another || place.verify(&revocations, bad).is_err(), "{what}");
    if table == "seen_token" {
        place.clock.advance(800);
        for n in 0..10 {
            let first = revocations.seen_once("", &format!("x{n}"), NOW + 5000).unwrap();
            assert!(first, "{what}");
        }
        assert!(!revocations.seen_once("", "older", NOW + 99).unwrap(), "{what}");
    }
    let _ = revocations.purge();
}

fn rings(place: &Place, column: &str, what: &str) {
    match place.ring() {
        Ok(_) => assert_eq!(column, "name", "{what}: another ring, and this one is made again"),
        Err(error) if error.kind() == ErrorKind::WrongPepper => assert_eq!(column, "pepper"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{what}: {error:?}"),
    }
}

#[test]
fn what_cannot_be_read_is_refused_alone() {
    let folder = Folder::new("damaged-rows");
    let made = pristine(&folder);
    let mut cases = 0;
    for (table, of, column) in &made.columns {
        for value in VALUES {
            let what = format!("{table}.{column} = {value}");
            let place = Place::new(folder.path(&format!("{cases}.sqlite")));
            cases += 1;
            if !altered(&place.path, &made.file, table, of, column, value) {
                continue;
            }
            match *table {
                "key" | "credit" | "usage" | "audit" | "pepper" => {
                    api_keys(&place, &made, table, &what);
                }
                "session" | "session_event" => sessions(&place, &made, table, &what),
                "key_ring" => rings(&place, column, &what),
                "store" => match place.keys(&[1]) {
                    // What needs no change is answered; a lease of credits would be one.
                    Ok(keys) => {
                        if let Err(error) = keys.verify(&made.keys[1], &Check::new()) {
                            assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{what}: {error:?}");
                        }
                    }
                    Err(error) => names(&error, "store", &what),
                },
                _ => revocations(&place, &made, table, column, &what),
            }
            for end in ["", "-wal", "-shm", ".limits"] {
                let _ = std::fs::remove_file(format!("{}{end}", place.path.display()));
            }
        }
    }
    assert!(cases > 900, "{cases}");
}

/// What was revoked is followed by a process that has the store open, past rows that cannot be read.
#[test]
fn a_change_of_nobody_knows_which_key_has_all_read_again() {
    let folder = Folder::new("damaged-feed");
    let made = pristine(&folder);
    let place = Place::new(folder.path("pristine.sqlite"));
    let (here, there) = (place.keys(&[1]).unwrap(), place.keys(&[1]).unwrap());
    let [bad, good] = &made.keys;
    let id = here.verify(bad, &Check::new()).unwrap().key_id().to_owned();
    let raw = Connection::open(&place.path).unwrap();
    raw.execute(
        "INSERT INTO audit (at, actor, action, key_id, detail) VALUES (-1, '', '', x'00', '')",
        [],
    )
    .unwrap();
    raw.execute("INSERT INTO pepper VALUES (99, 'text', 'text')", []).unwrap();
    there.revoke(&id, "").unwrap();
    here.refresh().unwrap();
    assert_eq!(here.verify(bad, &Check::new()).unwrap_err().kind(), ErrorKind::ApiKeyRevoked);
    here.verify(good, &Check::new()).unwrap();
}

/// A revocation that cannot be read may mean any token: none is accepted from then on, not even for `max_stale`.
#[test]
fn a_revocation_that_cannot_be_read_refuses_all_at_once() {
    let folder = Folder::new("damaged-revocation");
    drop(pristine(&folder));
    let place = Place::new(folder.path("pristine.sqlite"));
    let revocations = place.revocations().unwrap();
    let signer = Signer::builder(key(Alg::Hs256)).clock(place.clock.clone()).build().unwrap();
    let token = signer.sign(&Claims::new().token_id("fine")).unwrap();
    place.verify(&revocations, &token).unwrap();
    let raw = Connection::open(&place.path).unwrap();
    raw.execute("INSERT INTO revocation VALUES (NULL, 99, '', 'x', 0, 9e18, 0)", []).unwrap();
    place.clock.advance(1);
    names(&place.verify(&revocations, &token).unwrap_err(), "revocation", "at once");
    // Mended, and all is well.
    raw.execute("DELETE FROM revocation WHERE kind = 99", []).unwrap();
    place.clock.advance(1);
    place.verify(&revocations, &token).unwrap();
}
