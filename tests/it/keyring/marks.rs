//! The mark of a folder of key rings: an older copy of the folder, one that was lost and one that is another's are told,
//! and refused until someone has accepted them.

use crate::apikey::Folder;
use crate::session::refused;
use gatekey::backup::{
    AcknowledgeOptions, Acknowledged, BackupOptions, RestoreOptions, store_acknowledge_restore,
    store_backup, store_restore,
};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::open_key_ring;
use gatekey::pepper::PepperSource;
use gatekey::store::{Mark, RingFolder};
use gatekey::{Alg, Clock as _, Error, ErrorKind, KeyRing, SystemClock};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn copy_of_rings(from: &Path, to: &Path) {
    drop(RingFolder::open_with(to, &Mark::None).unwrap()); // for its owner alone
    for entry in fs::read_dir(to).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn open_named(named: &str, name: &str) -> Result<KeyRing, Error> {
    let options = KeyRingOptions::new().alg(Alg::EdDsa).name(name);
    open_key_ring(named, &PepperSource::Beside, options).map(|opened| opened.ring)
}

/// How the folder at a path is named.
fn url(path: &Path) -> String {
    format!("folder:{}", path.display())
}

fn open(path: &Path) -> Result<KeyRing, Error> {
    open_named(&url(path), "default")
}

fn active(path: &Path) -> String {
    open(path).unwrap().active().unwrap().kid
}

/// Accepts a folder; with an end to its keys, or as it is.
fn accept(path: &Path, ends: bool) -> Acknowledged {
    let options = AcknowledgeOptions {
        revoke_before: if ends { SystemClock.now() + 1 } else { 0 },
        ..AcknowledgeOptions::default()
    };
    store_acknowledge_restore(&url(path), &PepperSource::Beside, options).unwrap()
}

fn restored(path: &Path, what: &str) {
    refused(open(path).map(drop), ErrorKind::StoreRestored, what);
}

/// An older folder that is put back while nobody has it open, and accepted: by the path of the folder, and of a link to
/// it.
#[test]
fn an_older_folder_is_refused_until_it_is_acknowledged() {
    for (keeps, ends) in [(false, true), (true, true), (false, false)] {
        let folder = Folder::new("older_folder");
        let (path, kept, link) = (folder.path("ring"), folder.path("kept"), folder.path("link"));
        let ring = open(&path).unwrap();
        let leaked = ring.active().unwrap().kid;
        copy_of_rings(&path, &kept);
        ring.remove(&leaked).unwrap();
        drop(ring);
        let newer = folder.path("newer");
        copy_of_rings(&path, &newer);
        copy_of_rings(&kept, &path);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for name in [&path, &link] {
            restored(name, "an older folder");
            refused(RingFolder::open(name).map(drop), ErrorKind::StoreRestored, "by itself");
        }
        let options = AcknowledgeOptions {
            revoke_before: if ends { SystemClock.now() + 1 } else { 0 },
            keep_key_rings: keeps,
            ..AcknowledgeOptions::default()
        };
        let done = store_acknowledge_restore(&url(&link), &PepperSource::Beside, options).unwrap();
        let replaces = ends && !keeps;
        assert_eq!((done.key_rings, done.was_refused), (u64::from(replaces), true));
        for name in [&path, &link] {
            let ring = open(name).unwrap();
            assert_eq!(ring.keys().unwrap().iter().any(|key| key.kid == leaked), !replaces);
        }
        assert!(!folder.path("link.mark").exists(), "beside the folder itself");
        open(&path).unwrap().rotate().unwrap();
        // What it was before is another folder now, however far it had come.
        copy_of_rings(&newer, &path);
        restored(&path, "its former self");
    }
}

#[test]
fn a_healthy_folder_was_not_refused() {
    let folder = Folder::new("healthy_ring");
    let path = folder.path("ring");
    let (ring, first) = (open(&path).unwrap(), active(&path));
    let done = accept(&path, false);
    assert_eq!((done.key_rings, done.was_refused), (0, false));
    assert_eq!(active(&path), first);
    let done = accept(&path, true);
    assert_eq!((done.key_rings, done.was_refused), (1, false));
    assert_ne!(active(&path), first);
    ring.refresh().unwrap();
    assert_eq!(ring.active().unwrap().kid, active(&path), "programs go on");
}

#[test]
fn a_folder_that_is_gone_is_not_made_again() {
    let folder = Folder::new("lost_ring");
    let (path, mark, kept) = (folder.path("ring"), folder.path("ring.mark"), folder.path("kept"));
    let (first, other) = (active(&path), open_named(&url(&path), "other").unwrap());
    copy_of_rings(&path, &kept);
    fs::remove_dir_all(&path).unwrap();
    restored(&path, "no folder");
    assert!(!path.exists());
    refused(other.rotate().map(drop), ErrorKind::StoreRestored, "nor by who has it open");
    // An empty one is none either, with or without its id.
    for leaves in ["folder.id", "nothing"] {
        copy_of_rings(&kept, &path);
        for entry in fs::read_dir(&path).unwrap().map(Result::unwrap) {
            if entry.file_name() != leaves {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        restored(&path, "an empty folder");
        refused(other.rotate().map(drop), ErrorKind::StoreRestored, "nor by who has it open");
    }
    // A ring of several.
    copy_of_rings(&kept, &path);
    assert_eq!(active(&path), first);
    fs::remove_file(path.join("other.1.ring")).unwrap();
    restored(&path, "a ring is gone");
    accept(&path, false);
    assert_eq!(active(&path), first);
    // To begin again.
    fs::remove_dir_all(&path).unwrap();
    fs::remove_file(&mark).unwrap();
    assert_ne!(active(&path), first);
    for entry in fs::read_dir(&path).unwrap().map(Result::unwrap) {
        if entry.file_name() != "folder.id" {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    fs::remove_file(&mark).unwrap();
    open(&path).unwrap();
}

#[test]
fn a_folder_without_its_mark_or_with_another_is_a_copy() {
    let folder = Folder::new("copied_ring");
    let (path, moved) = (folder.path("ring"), folder.path("moved"));
    let first = active(&path);
    fs::rename(&path, &moved).unwrap();
    restored(&moved, "its mark is missing");
    assert!(accept(&moved, false).was_refused);
    assert_eq!(active(&moved), first);
    // The mark of the folder that it was.
    fs::rename(&moved, &path).unwrap();
    restored(&path, "another id");
    for text in ["", "half a line", "gatekey-ring-mark 1 00\n"] {
        fs::write(folder.path("ring.mark"), text).unwrap();
        restored(&path, "a mark that is none");
    }
    assert!(accept(&path, false).was_refused);
    assert_eq!(active(&path), first);
    // Killed while it was being accepted: it is refused still.
    let id = fs::read_to_string(path.join("folder.id")).unwrap();
    fs::write(path.join("folder.id"), format!("{} marked\n", "0".repeat(32))).unwrap();
    restored(&path, "the folder has its new id, the mark has not");
    fs::write(path.join("folder.id"), id).unwrap();
    assert_eq!(active(&path), first);
}

/// Folders of before there were marks, and what a process that is killed leaves.
#[test]
fn a_mark_is_made_and_brought_forward() {
    let folder = Folder::new("marked_ring");
    let (path, mark) = (folder.path("ring"), folder.path("ring.mark"));
    let ring = open(&path).unwrap();
    let first = ring.active().unwrap().kid;
    let (id, said) = (path.join("folder.id"), fs::read_to_string(&mark).unwrap());
    let whole = fs::read_to_string(&id).unwrap();
    // (what is in the folder, what the mark says)
    let begun = whole.replace(" marked", "");
    let none = said.replace("default 1\n", "");
    assert!(begun != whole && none != said);
    for (standing, says) in [
        (None, None),
        (Some(&begun), None),
        (Some(&begun), Some(&said)),
        (Some(&whole), Some(&none)),
    ] {
        for (file, text) in [(&id, standing), (&mark, says)] {
            let _ = fs::remove_file(file);
            if let Some(text) = text {
                fs::write(file, text).unwrap();
            }
        }
        assert_eq!(active(&path), first, "{standing:?} {says:?}");
        assert!(fs::read_to_string(&mark).unwrap().ends_with("default 1\n"));
        assert!(fs::read_to_string(&id).unwrap().ends_with(" marked\n"));
    }
    // A mark that is deleted while the folder is open comes back with the next change.
    let ring = open(&path).unwrap();
    fs::remove_file(&mark).unwrap();
    ring.rotate().unwrap();
    assert!(fs::read_to_string(&mark).unwrap().ends_with("default 2\n"));
    ring.rotate().unwrap();
    assert!(fs::read_to_string(&mark).unwrap().ends_with("default 3\n"));
    // Killed before there was a ring.
    fs::remove_dir_all(&path).unwrap();
    fs::write(&mark, none).unwrap();
    assert_ne!(active(&path), first);
    assert!(fs::read_to_string(&mark).unwrap().ends_with("default 1\n"));
}

#[test]
fn the_mark_of_a_folder_lies_where_it_is_said_to() {
    let folder = Folder::new("ring_mark_elsewhere");
    let (path, kept, there) = (folder.path("ring"), folder.path("kept"), folder.path("there"));
    let named = |end: &str| PathBuf::from(format!("{}?mark={end}", path.display()));
    // Where no mark can be made, no key is made.
    refused(open(&named("/no/such/folder/x")).map(drop), ErrorKind::StoreUnavailable, "no place");
    assert!(!path.join("default.1.ring").exists());
    let elsewhere = named(there.to_str().unwrap());
    let ring = open(&elsewhere).unwrap();
    assert!(there.exists() && !folder.path("ring.mark").exists());
    restored(&path, "one that does not say so");
    copy_of_rings(&path, &kept);
    ring.rotate().unwrap();
    copy_of_rings(&kept, &path);
    restored(&elsewhere, "an older one");
    open(&named("none")).unwrap();
    assert!(accept(&elsewhere, false).was_refused);
    open(&elsewhere).unwrap();
    refused(open(&named("")).map(drop), ErrorKind::InvalidArgument, "nowhere");
    refused(open(Path::new("?mark=none")).map(drop), ErrorKind::InvalidArgument, "no folder");
}

/// Who has a folder open is not taken along by a restore, accepted or not, with its mark or without.
#[test]
fn a_running_program_keeps_to_its_folder() {
    let folder = Folder::new("kept_ring");
    let (path, mark, kept) = (folder.path("ring"), folder.path("ring.mark"), folder.path("kept"));
    let ring = open(&path).unwrap();
    copy_of_rings(&path, &kept);
    let said = fs::read(&mark).unwrap();
    ring.rotate().unwrap();
    let late = open(&path).unwrap();
    copy_of_rings(&kept, &path);
    fs::write(&mark, said).unwrap();
    for open in [&ring, &late] {
        refused(open.refresh(), ErrorKind::StoreRestored, "put back together with its mark");
    }
    fs::remove_file(&mark).unwrap();
    assert!(accept(&path, true).was_refused);
    for open in [&ring, &late] {
        refused(open.refresh(), ErrorKind::StoreRestored, "accepted: to be started again");
        refused(open.rotate().map(drop), ErrorKind::StoreRestored, "a change");
    }
    open(&path).unwrap().rotate().unwrap();
}

#[test]
fn a_folder_is_copied_not_backed_up() {
    let folder = Folder::new("ring_backup");
    let path = folder.path("ring");
    open(&path).unwrap();
    let plain = path.to_str().unwrap().to_owned();
    for named in [plain.clone(), format!("sqlite:///{plain}")] {
        let none = &mut |_, _| Ok(());
        let options = BackupOptions::default();
        let backup = store_backup(&named, &folder.path("to"), &options, none).unwrap_err();
        let onto = store_restore(&folder.path("x"), &named, RestoreOptions::default(), none);
        let from = store_restore(&path, "sqlite:///x", RestoreOptions::default(), none);
        for error in [backup, onto.unwrap_err(), from.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{named}");
            assert!(error.message().contains("cp -a"), "{error}");
        }
    }
}
