//! Where the peppers come from: what the options of API keys, sessions and key rings share.

use super::boundary::Outcome;
use crate::{PepperSource, Peppers, Secret};

/// Peppers that were given one by one, which come first, or where else they are.
#[derive(Default)]
pub(super) struct PepperChoice {
    source: PepperSource,
    given: Vec<(u32, Secret)>,
}

/// Options, and where the peppers come from.
pub(super) struct WithPeppers<O> {
    pub(super) options: O,
    pub(super) peppers: PepperChoice,
}

impl<O> WithPeppers<O> {
    pub(super) fn new(options: O) -> Self {
        Self { options, peppers: PepperChoice::default() }
    }
}

impl PepperChoice {
    /// Adds a pepper: the active one, until another is added.
    pub(super) fn add(&mut self, number: u32, pepper: &[u8]) {
        self.given.push((number, Secret::new(pepper.to_vec())));
    }

    pub(super) fn file(&mut self, path: &str) {
        self.source = PepperSource::File(path.into());
    }

    pub(super) fn env(&mut self, name: &str) {
        self.source = PepperSource::Env(name.to_owned());
    }

    /// What was chosen.
    pub(super) fn source(&self) -> Outcome<PepperSource> {
        if self.given.is_empty() {
            return Ok(self.source.clone());
        }
        Ok(PepperSource::Given(Peppers::new(&self.given)?))
    }
}
