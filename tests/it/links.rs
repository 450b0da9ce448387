//! A store that has several names: links to the file or to its folder. Each finds the same peppers, mark and limits, and
//! none makes new ones.

#![cfg(all(unix, feature = "sqlite"))]

use gatekey::ErrorKind;
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::backup::{
    AcknowledgeOptions, BackupOptions, RestoreOptions, store_acknowledge_restore, store_backup,
    store_restore,
};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::{open_api_keys, open_key_ring, open_revocations, open_sessions};
use gatekey::pepper::{PepperSource, pepper_beside};
use gatekey::revocations::RevocationOptions;
use gatekey::session::SessionOptions;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const BESIDE: PepperSource = PepperSource::Beside;

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("gatekey-links-{test}-{}", std::process::id());
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("real")).unwrap();
        std::fs::create_dir_all(path.join("links")).unwrap();
        symlink("../real", path.join("links/folder")).unwrap();
        symlink("../real/auth.sqlite", path.join("links/relative")).unwrap();
        symlink(path.join("links/relative"), path.join("links/chain")).unwrap();
        Self(path)
    }

    /// All names of the store, its own at the end.
    fn names(&self) -> Vec<PathBuf> {
        ["links/chain", "links/relative", "links/folder/auth.sqlite", "real/auth.sqlite"]
            .map(|name| self.0.join(name))
            .to_vec()
    }

    /// What lies beside the links and the real file.
    fn files(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join(folder)).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn url(path: &Path) -> String {
    format!("sqlite:///{}", path.display())
}

#[test]
fn every_name_of_a_store_finds_what_belongs_to_it() {
    let count = Folder::new("count").names().len();
    // Made under each of its names, also under a link that leads nowhere yet.
    for first in 0..count {
        let folder = Folder::new("names");
        let names = folder.names();
        let opened = open_api_keys(&url(&names[first]), &BESIDE, ApiKeyOptions::new()).unwrap();
        let pepper = folder.0.join("real/auth.sqlite.pepper");
        assert_eq!(opened.new_pepper_file.as_ref(), Some(&pepper), "{:?}", names[first]);
        let issued = opened.keys.create(&KeySpec::new("acme")).unwrap();
        for name in &names {
            let url = url(name);
            assert_eq!(pepper_beside(name), pepper);
            let there = open_api_keys(&url, &BESIDE, ApiKeyOptions::new()).unwrap();
            assert!(there.keys.verify(issued.secret.expose(), &Check::new()).is_ok(), "{name:?}");
            there.keys.create(&KeySpec::new("acme")).unwrap();
            open_key_ring(&url, &BESIDE, KeyRingOptions::new()).unwrap().ring.rotate().unwrap();
            open_sessions(&url, &BESIDE, None, SessionOptions::new()).unwrap();
            open_revocations(&url, RevocationOptions::new()).unwrap().revoke_key("a").unwrap();
        }
        assert_eq!(folder.files("links"), ["chain", "folder", "relative"], "{:?}", names[first]);
    }
}

#[test]
fn a_store_is_backed_up_restored_and_acknowledged_under_each_name() {
    let folder = Folder::new("restored");
    let (names, none) = (folder.names(), &mut |_, _| Ok(()));
    let opened = open_api_keys(&url(&names[3]), &BESIDE, ApiKeyOptions::new()).unwrap();
    let issued = opened.keys.create(&KeySpec::new("acme")).unwrap();
    for (number, name) in names.iter().enumerate() {
        let (backup, pepper) =
            (folder.0.join(format!("b{number}")), folder.0.join(format!("p{number}")));
        let options = BackupOptions { pepper_to: Some(pepper), ..BackupOptions::default() };
        store_backup(&url(name), &backup, &options, none).unwrap();
    }
    opened.keys.revoke(&issued.record.id, "leaked").unwrap();
    drop(opened);
    for (number, name) in names.iter().enumerate() {
        let backup = folder.0.join(format!("b{number}"));
        let options = RestoreOptions::default();
        let report = store_restore(&backup, &url(name), options, none).unwrap();
        assert!(
            report.must_acknowledge && report.replaced.unwrap().starts_with(folder.0.join("real"))
        );
        assert!(names[1].symlink_metadata().unwrap().is_symlink(), "{name:?}");
        for name in &names {
            let error = open_api_keys(&url(name), &BESIDE, ApiKeyOptions::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreRestored, "{name:?}");
        }
        let now = gatekey::Clock::now(&gatekey::SystemClock) + 1;
        let options = AcknowledgeOptions { revoke_before: now, ..AcknowledgeOptions::default() };
        let done = store_acknowledge_restore(&url(name), &BESIDE, options).unwrap();
        assert_eq!(done.api_keys, 1);
    }
    assert_eq!(folder.files("links"), ["chain", "folder", "relative"]);
    // A link is not overwritten either, wherever it leads.
    symlink("nowhere", folder.0.join("taken")).unwrap();
    let taken =
        store_backup(&url(&names[0]), &folder.0.join("taken"), &BackupOptions::default(), none);
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// A link that is turned to another store while a process has it open leads to that one from then on.
#[test]
fn a_link_that_is_turned_leads_to_the_other_store() {
    let folder = Folder::new("turned");
    let (link, other) = (folder.0.join("links/relative"), folder.0.join("real/other.sqlite"));
    let open = |path: &Path| open_revocations(&url(path), RevocationOptions::new()).unwrap();
    let here = open(&link);
    here.revoke_key("a").unwrap();
    open(&other).revoke_key("b").unwrap();
    std::fs::remove_file(&link).unwrap();
    symlink(&other, &link).unwrap();
    here.revoke_key("c").unwrap();
    assert_eq!(open(&other).len(), 2, "b and c");
    assert_eq!(open(&folder.0.join("real/auth.sqlite")).len(), 1, "a");
}
