//! Logs that SQLite has written, whole, cut and altered, against what SQLite itself makes of them.

use super::{Extent, Position, read};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn place(test: &str) -> Place {
    let name = format!("gatekey-wal-{test}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    Place(path)
}

/// A database with the table, and a connection that leaves the log.
fn make(path: &Path, size: u32) -> (Connection, u32) {
    let raw = Connection::open(path).unwrap();
    raw.execute_batch(&format!(
        "PRAGMA page_size = {size}; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE store (id BLOB, seq INTEGER NOT NULL, marked INTEGER NOT NULL);
         CREATE TABLE other (text TEXT); INSERT INTO store VALUES (NULL, 0, 0);
         PRAGMA wal_checkpoint(TRUNCATE);"
    ))
    .unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'store'";
    let page = raw.query_row(sql, [], |row| row.get(0)).unwrap();
    (raw, page)
}

fn set(raw: &Connection, id: Option<[u8; 16]>, seq: u64) {
    let seq = i64::try_from(seq).unwrap();
    raw.execute("UPDATE store SET id = ?1, seq = ?2", (id, seq)).unwrap();
}

#[test]
fn the_first_and_the_last_change_are_read_whatever_their_numbers() {
    let (first, last) = (Some([7; 16]), Some([8; 16]));
    for size in [512, 4096, 65_536] {
        let place = place(&format!("numbers-{size}"));
        let (path, wal) = (place.0.join("a"), place.0.join("a-wal"));
        let (raw, page) = make(&path, size);
        assert!(read(&wal, page, Extent::Whole).unwrap().first.is_none(), "empty");
        for power in [0, 1, 2, 7, 8, 15, 16, 23, 24, 31, 32, 47, 48, 55, 56, 62] {
            let seq = 1 << power;
            raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            // Of another page only: no change that counts.
            raw.execute("INSERT INTO other VALUES ('x')", []).unwrap();
            assert_eq!(read(&wal, page, Extent::Whole).unwrap().last, None);
            set(&raw, first, seq);
            set(&raw, None, seq + 1);
            set(&raw, last, seq - 1);
            let log = read(&wal, page, Extent::Whole).unwrap();
            assert_eq!(log.first, Some(Position { id: first, seq }), "{size} {power}");
            assert_eq!(log.last, Some(Position { id: last, seq: seq - 1 }), "{size} {power}");
            let beginning = read(&wal, page, Extent::Beginning).unwrap();
            assert_eq!(beginning.first, log.first);
        }
    }
    assert!(read(Path::new("/nonexistent/wal"), 2, Extent::Whole).unwrap().first.is_none());
}

/// The position that SQLite finds in a copy of the files.
fn recovered(folder: &Path, main: &[u8], wal: &[u8]) -> u64 {
    let path = folder.join("copy");
    std::fs::write(&path, main).unwrap();
    let _ = std::fs::remove_file(folder.join("copy-shm"));
    std::fs::write(folder.join("copy-wal"), wal).unwrap();
    let raw = Connection::open(&path).unwrap();
    let seq: i64 = raw.query_row("SELECT seq FROM store", [], |row| row.get(0)).unwrap();
    drop(raw);
    seq.unsigned_abs()
}

/// Cut anywhere, with any byte altered, or begun again over an older one: what is read is what
/// SQLite recovers.
#[test]
fn a_log_is_read_as_far_as_sqlite_reads_it() {
    let place = place("recovered");
    let (path, wal) = (place.0.join("a"), place.0.join("a-wal"));
    let (raw, page) = make(&path, 512);
    for seq in 1..=9 {
        set(&raw, Some([7; 16]), seq);
    }
    raw.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
    for seq in 10..=13 {
        set(&raw, Some([7; 16]), seq);
    }
    let (main, log) = (std::fs::read(&path).unwrap(), std::fs::read(&wal).unwrap());
    let ours = |bytes: &[u8]| {
        std::fs::write(place.0.join("ours"), bytes).unwrap();
        read(&place.0.join("ours"), page, Extent::Whole).unwrap()
    };
    assert_eq!(ours(&log).first.map(|at| at.seq), Some(10), "not what is left from before");
    for at in (0..log.len()).step_by(37) {
        let mut altered = log.clone();
        altered[at] ^= 0x20;
        for bytes in [&log[..at], &altered[..]] {
            let told = ours(bytes).last.map_or(9, |at| at.seq);
            assert_eq!(told, recovered(&place.0, &main, bytes), "at {at} of {}", bytes.len());
        }
    }
}
