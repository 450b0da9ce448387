//! Layer 3: peppers: numbered secrets outside of the store, under which whatever proves a key or a
//! session is kept. A row says which it needs, so that new ones can come.
//!
//! Each use of a pepper has a tag of its own in front of the message, so that no MAC can stand in
//! for another.

mod file;

pub use self::file::{PepperSource, add_pepper, pepper_beside, read_pepper_file, read_peppers};
pub(crate) use self::file::{make_pepper_file, random_pepper};

use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::{Hash, constant_time_eq, hmac};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Backend, PepperCheck};
use std::fmt;
use std::sync::Arc;

/// Numbered secrets, oldest first; new keys are made under the last. Wiped when dropped.
#[derive(Clone)]
pub struct Peppers(Arc<[Pepper]>);

struct Pepper {
    number: u32,
    key: hmac::Key,
}

const WRONG: Error = Error::new(
    ErrorKind::WrongPepper,
    "The pepper is not the one that this store was made with; give the right one, or everything fails.",
);

const MISSING: Error = Error::new(
    ErrorKind::WrongPepper,
    "A row of the store was made under a pepper that was not given; give all of them, oldest first.",
);

const UNCHECKED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "What a pepper is checked by (table `pepper`) cannot be read, so it is not known whether the given one is right; \
     restore the store from a backup.",
);

const ALTERED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "A row of the store is damaged or was altered from outside; restore it from a backup.",
);

impl Peppers {
    /// The peppers with their numbers, oldest first: 1 to 16 of them, each of at least 16 bytes (32
    /// are usual), with distinct numbers from 1.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn new(peppers: &[(u32, Secret)]) -> Result<Self> {
        Self::named("pepper", peppers)
    }

    /// As [`Self::new`], of secrets that an error calls `what`: the option that they are given by.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn named(what: &'static str, peppers: &[(u32, Secret)]) -> Result<Self> {
        if peppers.is_empty() || peppers.len() > 16 {
            return Err(argument("There must be 1 to 16 numbered secrets.").about_claim(what));
        }
        for (at, (number, secret)) in peppers.iter().enumerate() {
            let earlier = peppers.iter().take(at);
            if *number == 0 || earlier.clone().any(|(other, _)| other == number) {
                return Err(argument("The numbers of secrets are distinct, and begin with 1.")
                    .about_secret(what, *number));
            }
            if secret.expose().len() < 16 {
                return Err(argument("A secret has at least 16 bytes; 32 random ones are best.")
                    .about_secret(what, *number));
            }
            if earlier.clone().any(|(_, other)| other.expose() == secret.expose()) {
                return Err(argument("Two secrets have the same bytes; make a new one.")
                    .about_secret(what, *number));
            }
        }
        let keys = peppers.iter().map(|(number, secret)| Pepper {
            number: *number,
            key: hmac::Key::new(Hash::Sha256, secret.expose()),
        });
        Ok(Self(keys.collect()))
    }

    /// As [`Self::named`], of what a pepper file holds: see [`read_peppers`].
    ///
    /// # Errors
    /// `InvalidArgument`, with the line.
    pub fn read(what: &'static str, text: &str) -> Result<Self> {
        file::read(what, text)
    }

    /// The number of the pepper that new keys are made under.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.0.last().map_or(0, |pepper| pepper.number)
    }

    /// The numbers, oldest first.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.0.iter().map(|pepper| pepper.number)
    }

    /// Whether there is a pepper of this number.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        self.key(number).is_some()
    }

    #[inline]
    fn key(&self, number: u32) -> Option<&hmac::Key> {
        self.0.iter().rev().find(|pepper| pepper.number == number).map(|pepper| &pepper.key)
    }

    /// A MAC under one pepper.
    #[inline]
    pub(crate) fn mac(&self, pepper: u32, message: &[u8]) -> Option<[u8; 32]> {
        let mut out = [0; 64];
        self.key(pepper)?.sign(message, &mut out).try_into().ok()
    }

    /// What tells whether a pepper is the one it should be; zeros for one that is not here.
    pub(crate) fn check(&self, pepper: u32) -> [u8; 16] {
        let mac = self.mac(pepper, b"gkp pepper check");
        mac.and_then(|mac| mac.first_chunk().copied()).unwrap_or_default()
    }

    /// A MAC over a whole row; zeros for a pepper that is not here.
    fn seal_of(&self, pepper: u32, row: &impl Row) -> [u8; 16] {
        let mac = self.mac(pepper, &row.fields().0);
        mac.and_then(|mac| mac.first_chunk().copied()).unwrap_or_default()
    }

    /// Refuses a row that was altered from outside, or cannot be told from one.
    ///
    /// # Errors
    /// `StoreCorrupt`: its seal is not good. `WrongPepper`: the pepper of the seal is not here.
    pub(crate) fn check_row(&self, row: &impl Row) -> Result<()> {
        let (pepper, seal) = row.seal();
        if !self.contains(pepper) {
            return Err(MISSING.about_secret("pepper", pepper));
        }
        if constant_time_eq(&self.seal_of(pepper, row), &seal) { Ok(()) } else { Err(ALTERED) }
    }

    /// Holds the peppers at hand against those that the store was made with.
    pub(crate) fn check_known(&self, store: &dyn Backend) -> Result<Vec<PepperCheck>> {
        let known = store.pepper_checks()?;
        self.check_all(&known)?;
        Ok(known)
    }

    /// The same, of what is known of them.
    pub(crate) fn check_all(&self, known: &[PepperCheck]) -> Result<()> {
        for check in known {
            if self.contains(check.pepper) && self.check(check.pepper) != check.check {
                let error = if check.check == [0; 16] { UNCHECKED } else { WRONG };
                return Err(error.about_secret("pepper", check.pepper));
            }
        }
        Ok(())
    }

    /// Holds the peppers at hand against those that the store was made with, and makes the active
    /// one known to it; `now` is in seconds since the Unix epoch.
    pub(crate) fn check_against(&self, store: &dyn Backend, now: u64) -> Result<()> {
        let known = self.check_known(store)?;
        let pepper = self.active();
        if known.iter().any(|check| check.pepper == pepper) {
            return Ok(());
        }
        let check = self.check(pepper);
        match store.add_pepper_check(&PepperCheck { pepper, check, since: now }) {
            // Verification works without; nothing can be made under it anyway.
            Err(error) if error.kind() == ErrorKind::StoreReadOnly => {}
            other => other?,
        }
        // Someone else may have been faster, with another value.
        let known = store.pepper_checks()?;
        let own = known.iter().find(|check| check.pepper == pepper);
        if own.is_some_and(|own| own.check != check) {
            Err(WRONG.about_secret("pepper", pepper))
        } else {
            Ok(())
        }
    }
}

/// A row that has a seal: a MAC over all of it, so that one altered from outside is found.
pub(crate) trait Row {
    /// The row as bytes, without its seal and what changes with use.
    fn fields(&self) -> Fields;

    /// The pepper of the seal, and the seal.
    fn seal(&self) -> (u32, [u8; 16]);

    fn set_seal(&mut self, pepper: u32, seal: [u8; 16]);
}

/// A row that may be changed and sealed: its seal was good when it was read, or it is new. Nothing
/// else is ever sealed, so that what someone altered in the store is never made good.
pub(crate) struct Checked<T>(T);

impl<T: Row> Checked<T> {
    /// A row that is in no store yet.
    pub(crate) const fn new(row: T) -> Self {
        Self(row)
    }

    /// A row that a store has given.
    ///
    /// # Errors
    /// Those of [`Peppers::check_row`].
    pub(crate) fn read(peppers: &Peppers, row: T) -> Result<Self> {
        peppers.check_row(&row)?;
        Ok(Self(row))
    }

    /// The row as it is now, sealed under the active pepper.
    pub(crate) fn seal(self, peppers: &Peppers) -> T {
        let mut row = self.0;
        let pepper = peppers.active();
        let seal = peppers.seal_of(pepper, &row);
        row.set_seal(pepper, seal);
        row
    }
}

impl<T> std::ops::Deref for Checked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Checked<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// A row as bytes: a tag, then every field with its length in front.
pub(crate) struct Fields(Vec<u8>);

impl Fields {
    pub(crate) fn new(tag: &[u8]) -> Self {
        let mut row = Vec::with_capacity(512);
        row.extend_from_slice(tag);
        Self(row)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// The row itself, as what something else belongs to.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// No number is not the number 0.
    pub(crate) fn number(&mut self, number: impl Into<Option<u64>>) {
        match number.into() {
            Some(number) => self.bytes(&number.to_be_bytes()),
            None => self.bytes(&[]),
        }
    }
}

/// Names the numbers only.
impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peppers").field(&self.ids().collect::<Vec<_>>()).finish()
    }
}
