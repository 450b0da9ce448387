//! Where a mark may lie: a URL that names a file for it never has another file written over.

#![cfg(feature = "sqlite")]

use gatekey::backup::{
    AcknowledgeOptions, BackupOptions, RestoreOptions, store_acknowledge_restore, store_backup,
    store_restore,
};
use gatekey::keyring::KeyRingOptions;
use gatekey::pepper::PepperSource;
use gatekey::revocations::RevocationOptions;
use gatekey::{Error, ErrorKind, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder, removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("gatekey-places-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The URL of a store or folder, with its mark in a file of this place.
    fn url(&self, scheme: &str, store: &str, mark: &str) -> String {
        let (store, mark) = (self.file(store), self.file(mark));
        format!("{scheme}{}?mark={}", store.display(), mark.display())
    }

    fn store(&self, name: &str) -> Result<(), Error> {
        open(&format!("sqlite:///{}", self.file(name).display()))
    }

    fn ring(&self, name: &str) -> Result<(), Error> {
        open_ring(&format!("folder:{}", self.file(name).display()))
    }

    /// Everything in it, by its path.
    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(path.clone());
                    found.insert(path, Vec::new());
                } else {
                    let text = fs::read(&path).unwrap_or_default(); // a link may lead nowhere
                    found.insert(path, text);
                }
            }
        }
        found
    }

    /// It is refused for its URL, and nothing is made, changed or taken away.
    fn refused(&self, what: &str, work: impl FnOnce() -> Result<(), Error>) {
        self.refused_as(ErrorKind::InvalidArgument, what, work);
    }

    fn refused_as(&self, kind: ErrorKind, what: &str, work: impl FnOnce() -> Result<(), Error>) {
        let before = self.contents();
        let done = work();
        assert!(self.contents() == before, "{what}: files have changed");
        assert_eq!(done.expect_err(what).kind(), kind, "{what}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(url: &str) -> Result<(), Error> {
    let store = Store::open(url)?;
    store.revocations(RevocationOptions::new())?.revoke_key("kid")?;
    store.close()
}

fn open_ring(url: &str) -> Result<(), Error> {
    let store = Store::open(url)?;
    store.key_ring("", KeyRingOptions::new())?;
    store.close()
}

fn back_up(url: &str, to: &Path) -> Result<(), Error> {
    store_backup(url, to, &BackupOptions::default(), &mut |_, _| Ok(())).map(drop)
}

fn restore(from: &Path, url: &str) -> Result<(), Error> {
    store_restore(from, url, RestoreOptions::default(), &mut |_, _| Ok(())).map(drop)
}

fn acknowledge(url: &str) -> Result<(), Error> {
    let options = AcknowledgeOptions::default();
    store_acknowledge_restore(url, &PepperSource::Beside, options).map(drop)
}

/// A store `a`, a backup of it, a folder of key rings, and files of other programs.
fn furnished(test: &str) -> Place {
    let place = Place::new(test);
    place.store("a").unwrap();
    back_up(&format!("sqlite:///{}", place.file("a").display()), &place.file("backup")).unwrap();
    place.ring("rings").unwrap();
    fs::write(place.file("notes.txt"), "what a person wrote\n").unwrap();
    fs::write(place.file("long.txt"), "a line\n".repeat(400)).unwrap();
    fs::write(place.file("bytes"), [0xff, 0, 7]).unwrap();
    place
}

const OTHERS: [&str; 7] =
    ["notes.txt", "long.txt", "bytes", "a", "a.pepper", "backup", "rings/default.1.ring"];

#[test]
fn a_file_that_is_no_mark_is_left_alone() {
    let place = furnished("others");
    for other in OTHERS.into_iter().chain(["rings.mark", "rings/folder.id"]) {
        let new = place.url("sqlite:///", "new", other);
        place.refused(other, || open(&new));
        place.refused(other, || restore(&place.file("backup"), &new));
        let there = place.url("sqlite:///", "a", other);
        place.refused(other, || open(&there));
        place.refused(other, || acknowledge(&there));
        place.refused(other, || back_up(&there, &place.file("to")));
        place.refused(other, || restore(&place.file("backup"), &there));
    }
    for other in OTHERS.into_iter().chain(["a.mark"]) {
        place.refused(other, || open_ring(&place.url("folder:", "new", other)));
        place.refused(other, || open_ring(&place.url("folder:", "rings", other)));
        place.refused(other, || acknowledge(&place.url("folder:", "rings", other)));
    }
    // A folder is no file, and neither is a device.
    for scheme in ["sqlite:///", "folder:"] {
        place.refused("folder", || open(&place.url(scheme, "new", "rings")));
        let device = format!("{scheme}{}?mark=/dev/null", place.file("new").display());
        if cfg!(unix) {
            place.refused("device", || open(&device));
        }
    }
    place.store("a").unwrap();
    place.ring("rings").unwrap();
}

#[test]
fn no_mark_is_written_over_what_belongs_to_a_store() {
    let place = furnished("own");
    // Also where nothing is yet: the file will be.
    for ending in ["", ".pepper", "-wal", "-shm", "-journal", ".limits", "-WAL"] {
        for store in ["new", "a"] {
            let url = place.url("sqlite:///", store, &format!("{store}{ending}"));
            place.refused(&url, || open(&url));
            place.refused(&url, || restore(&place.file("backup"), &url));
            if store == "a" {
                place.refused(&url, || acknowledge(&url));
                place.refused(&url, || back_up(&url, &place.file("to")));
            }
        }
        if !ending.is_empty() {
            let url = place.url("sqlite:///", "new", &format!("a{ending}"));
            place.refused(&url, || open(&url));
        }
    }
    for folder in ["new", "rings"] {
        for inside in ["", "/default.1.ring", "/default.2.ring", "/folder.id", "/other"] {
            let url = place.url("folder:", folder, &format!("{folder}{inside}"));
            place.refused(&url, || open_ring(&url));
            if folder == "rings" {
                place.refused(&url, || acknowledge(&url));
            }
        }
    }
    place.store("a").unwrap();
    place.ring("rings").unwrap();
}

#[cfg(unix)]
#[test]
fn links_lead_to_no_other_file() {
    use std::os::unix::fs::symlink;
    let place = furnished("links");
    fs::write(place.file("empty"), "").unwrap();
    fs::hard_link(place.file("empty"), place.file("hard")).unwrap();
    symlink(&place.0, place.file("here")).unwrap();
    for (to, link) in [
        ("notes.txt", "to-notes"),
        ("new", "to-new"),
        ("new-wal", "to-wal"),
        ("empty.pepper", "to-pepper"),
        ("a", "to-a"),
        ("rings/x", "to-ring"),
    ] {
        symlink(place.file(to), place.file(link)).unwrap();
    }
    for (store, mark) in [
        ("new", "to-notes"),
        ("new", "to-new"),
        ("new", "here/new"),
        ("here/new", "new"),
        ("to-new", "new"),
        ("new", "to-wal"),
        ("empty", "to-pepper"),
        ("empty", "hard"), // the store itself
        ("a", "to-a"),
        ("to-a", "a"),
    ] {
        let url = place.url("sqlite:///", store, mark);
        place.refused(&url, || open(&url));
        if store.ends_with('a') {
            place.refused(&url, || acknowledge(&url));
        }
    }
    for (folder, mark) in [
        ("rings", "to-ring"),
        ("here/rings", "rings/x"),
        ("rings", "here/rings/x"),
        ("new", "here/new/x"),
        ("here/new", "new/x"),
        ("new", "to-notes"),
    ] {
        let url = place.url("folder:", folder, mark);
        place.refused(&url, || open_ring(&url));
    }
}

/// The usual place of a mark is no other: what was put there by hand stays.
#[test]
fn a_strange_file_beside_the_store_stays() {
    let place = furnished("beside");
    for name in ["a", "new"] {
        fs::write(place.file(&format!("{name}.mark")), "not ours\n").unwrap();
        let url = format!("sqlite:///{}", place.file(name).display());
        place.refused_as(ErrorKind::StoreRestored, name, || open(&url));
        place.refused_as(ErrorKind::StoreRestored, name, || restore(&place.file("backup"), &url));
    }
    let url = format!("sqlite:///{}", place.file("a").display());
    place.refused_as(ErrorKind::StoreRestored, "acknowledge", || acknowledge(&url));
    fs::remove_file(place.file("a.mark")).unwrap();
    acknowledge(&url).unwrap();
    place.store("a").unwrap();
    let rings = format!("folder:{}", place.file("rings").display());
    fs::write(place.file("rings.mark"), "not ours\n").unwrap();
    place.refused_as(ErrorKind::StoreRestored, "rings", || open_ring(&rings));
    place.refused_as(ErrorKind::StoreRestored, "rings", || acknowledge(&rings));
}

/// A file that takes the mark's place while the store is open.
#[test]
fn a_file_that_comes_into_its_place_stays() {
    let place = Place::new("later");
    for scheme in ["sqlite:///", "folder:"] {
        let mark = place.file("there");
        let store = Store::open(&place.url(scheme, &scheme[..6], "there")).unwrap();
        let ring = store.key_ring("", KeyRingOptions::new()).unwrap();
        let said = fs::read(&mark).unwrap();
        fs::write(&mark, "what a person wrote\n").unwrap();
        assert_eq!(ring.rotate().unwrap_err().kind(), ErrorKind::InvalidArgument, "{scheme}");
        assert_eq!(fs::read(&mark).unwrap(), b"what a person wrote\n", "{scheme}");
        fs::write(&mark, said).unwrap();
        ring.rotate().unwrap();
        store.close().unwrap();
        fs::remove_file(&mark).unwrap();
    }
}

/// What a crash leaves of a mark, and a file that was made for it, are taken.
#[test]
fn an_empty_file_and_half_a_mark_are_taken() {
    let place = Place::new("half");
    for (name, text) in [("empty", &b""[..]), ("zeros", &[0; 512]), ("half", b"gatekey-mark 1 00")]
    {
        fs::write(place.file(name), text).unwrap();
        let url = place.url("sqlite:///", &format!("{name}.sqlite"), name);
        open(&url).unwrap();
        open(&url).unwrap();
        assert!(fs::read(place.file(name)).unwrap().starts_with(b"gatekey-mark 1 "), "{name}");
        // Damaged later, it is missed, and can be acknowledged.
        fs::write(place.file(name), text).unwrap();
        assert_eq!(open(&url).unwrap_err().kind(), ErrorKind::StoreRestored, "{name}");
        acknowledge(&url).unwrap();
        open(&url).unwrap();
    }
}

#[test]
fn none_is_written_in_small_letters() {
    let place = Place::new("none");
    for scheme in ["sqlite:///", "folder:"] {
        for none in ["NONE", "None", "nOnE"] {
            let url = format!("{scheme}{}?mark={none}", place.file("new").display());
            place.refused(&url, || open(&url));
            assert!(!Path::new(none).exists());
        }
    }
}
