//! What is known about well-known providers, as data in the form of a configuration
//! (`presets.json`).

use crate::base::json::{self, Value};

static PRESETS: &str = include_str!("presets.json");

/// The members that a preset sets.
pub(super) fn find(name: &str) -> Option<Value<'static>> {
    json::parse(PRESETS.as_bytes()).ok()?.member(name)
}

/// The names of the presets, in the order of the alphabet.
#[must_use]
pub fn oauth_presets() -> Vec<&'static str> {
    let all = json::parse(PRESETS.as_bytes()).ok();
    all.iter().flat_map(Value::members).map(|(name, _)| name.raw()).collect()
}
