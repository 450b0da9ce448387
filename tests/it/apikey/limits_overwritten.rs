//! The table of rates while it is in use: overwritten, replaced, cut off, copied with holes.

use super::shared_limits::{create, header, open, passes};
use super::{Folder, NOW, pepper};
use gatekey::ApiKeys;
use gatekey::apikey::{ApiKeyOptions, Check};
use gatekey::clock::FixedClock;
use gatekey::store::{Limits, SqliteStore};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

const ENTRIES: usize = 32_768;

/// Writes over the file in place, as `dd conv=notrunc` does: it stays mapped.
fn overwrite(table: &Path, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(table).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

/// Puts a file in its place, as an editor does.
fn replace(table: &Path, bytes: &[u8]) {
    let beside = table.with_extension("beside");
    std::fs::write(&beside, bytes).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&beside, table).unwrap();
}

/// What is done to the file, and how.
type Damage = (&'static str, fn(&Path));

fn damages() -> Vec<Damage> {
    vec![
        ("removed", |table| std::fs::remove_file(table).unwrap()),
        ("its header zeroed", |table| overwrite(table, &[0; 4096])),
        ("zeroed", |table| overwrite(table, &vec![0; 65_536 + ENTRIES * 16])),
        ("its header 0xff", |table| overwrite(table, &[0xff; 64])),
        ("0xff", |table| overwrite(table, &vec![0xff; 65_536 + ENTRIES * 16])),
        ("replaced by nothing", |table| replace(table, b"")),
        ("replaced by 0xff", |table| replace(table, &vec![0xff; 65_536 + ENTRIES * 16])),
        ("replaced by an empty table", |table| {
            replace(table, &[&header(1, 15)[..], &vec![0; ENTRIES * 16]].concat());
        }),
        ("overwritten by another table", |table| {
            let mut other = header(1, 15);
            other[24..40].fill(7);
            overwrite(table, &[&other[..], &vec![0; ENTRIES * 16]].concat());
        }),
        ("made longer", |table| {
            std::fs::OpenOptions::new()
                .write(true)
                .open(table)
                .unwrap()
                .write_all_at(b"x", 65_536 + ENTRIES as u64 * 16)
                .unwrap();
        }),
    ]
}

/// Asked, it says that the table is shared only when it is: who opens the store now counts in the same one.
#[test]
fn a_table_that_is_damaged_in_use_is_made_anew() {
    for (what, damage) in damages() {
        let folder = Folder::new("limits-overwritten");
        let (store, table) = (folder.path("a.sqlite"), folder.path("a.sqlite.limits"));
        let open = || open(&store, Limits::Beside).unwrap();
        let (here, there) = (open(), open());
        let issued = create(&here, 5);
        there.refresh().unwrap();
        for keys in [&here, &there] {
            keys.verify(issued.secret.expose(), &Check::new()).unwrap();
        }
        damage(&table);
        here.check_limits().unwrap();
        there.check_limits().unwrap();
        here.verify(issued.secret.expose(), &Check::new()).unwrap();
        let third = open();
        third.check_limits().unwrap();
        third.verify(issued.secret.expose(), &Check::new()).unwrap();
        let left = (passes(&third, &issued), passes(&there, &issued), passes(&here, &issued));
        assert!(left.0 <= 2 && left.1 == 0 && left.2 == 0, "{what}: {left:?}");
        let bytes = std::fs::read(&table).unwrap();
        assert!(bytes.starts_with(b"gatekey limits\r\n"), "{what}");
        assert_eq!(bytes.len(), 65_536 + ENTRIES * 16, "{what}");
    }
}

/// Nobody need ask: the next look at the store is enough.
#[test]
fn damage_is_noticed_by_the_next_look() {
    for (what, damage) in damages() {
        let folder = Folder::new("limits-noticed");
        let (store, table) = (folder.path("a.sqlite"), folder.path("a.sqlite.limits"));
        let clock = Arc::new(FixedClock::new(NOW));
        let options = ApiKeyOptions::new().clock(clock.clone());
        let store = SqliteStore::open(&store).unwrap();
        let keys = ApiKeys::open(Arc::new(store), pepper(&[1]), options).unwrap();
        let issued = create(&keys, 5);
        keys.verify(issued.secret.expose(), &Check::new()).unwrap();
        let before = std::fs::read(&table).unwrap();
        damage(&table);
        clock.advance(1);
        keys.verify(issued.secret.expose(), &Check::new()).unwrap();
        let after = std::fs::read(&table).unwrap();
        assert_eq!((after.len(), &after[..24]), (before.len(), &before[..24]), "{what}");
        let used = after[65_536..].iter().any(|byte| *byte != 0);
        assert!(used, "{what}: the request was not counted in the file that is there");
    }
}

/// Blocks are set aside: a hole that a full disk has no room for kills who writes to it.
#[test]
#[cfg(target_os = "linux")]
fn a_table_with_holes_is_filled_up() {
    let folder = Folder::new("limits-holes");
    let (store, table) = (folder.path("a.sqlite"), folder.path("a.sqlite.limits"));
    let length = 65_536 + ENTRIES as u64 * 16;
    std::fs::write(&table, header(1, 15)).unwrap();
    std::fs::OpenOptions::new().write(true).open(&table).unwrap().set_len(length).unwrap();
    std::fs::set_permissions(&table, std::fs::Permissions::from_mode(0o600)).unwrap();
    let blocks = || std::fs::metadata(&table).unwrap().blocks() * 512;
    if blocks() >= length {
        eprintln!("skipped: this file system makes no holes");
        return;
    }
    let keys = open(&store, Limits::Beside).unwrap();
    assert_eq!(passes(&keys, &create(&keys, 3)), 3);
    keys.check_limits().unwrap();
    assert!(blocks() >= length, "{} of {length}", blocks());
}
