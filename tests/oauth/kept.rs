//! A token store that a test looks into, and that may be out of room.

use gatekey::store::{MemoryTokenStore, TokenStore};
use gatekey::{ErrorKind, Result, Secret};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

#[derive(Default)]
pub(crate) struct Kept {
    inner: MemoryTokenStore,
    entries: Mutex<BTreeSet<String>>,
    pub(crate) full: AtomicBool,
    pub(crate) saves: AtomicU32,
}

impl Kept {
    /// The names of the entries.
    pub(crate) fn entries(&self) -> Vec<String> {
        self.entries.lock().unwrap().iter().cloned().collect()
    }

    /// The texts that are kept under a name of the program's.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let is_of = |entry: &String| entry.rsplit_once('-').is_some_and(|(of, _)| of == name);
        let entries = self.entries().into_iter().filter(is_of);
        entries.map(|entry| self.load(&entry).unwrap().unwrap().expose_str().to_owned()).collect()
    }

    /// The only one.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let mut texts = self.texts(name);
        assert!(texts.len() < 2, "{:?}", self.entries());
        texts.pop()
    }
}

impl TokenStore for Kept {
    fn load(&self, name: &str) -> Result<Option<Secret>> {
        self.inner.load(name)
    }

    fn save(&self, name: &str, text: &Secret) -> Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(ErrorKind::StoreFull.into());
        }
        self.saves.fetch_add(1, Ordering::SeqCst);
        self.entries.lock().unwrap().insert(name.to_owned());
        self.inner.save(name, text)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.entries.lock().unwrap().remove(name);
        self.inner.remove(name)
    }
}
