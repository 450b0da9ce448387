//! OAuth 2.0 and OpenID Connect through the public API: against a certified authorization server (`real`), and
//! against a hostile one of the project's own, one test for each row of the attack catalogue in
//! `docs/threat-model.md`.

#![cfg(feature = "http")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail loudly and say why"
)]

#[path = "../it/forge.rs"]
#[expect(dead_code, reason = "the tokens of the other test program are made with the rest of it")]
mod forge;

mod authority;
mod evil;
mod gate;
mod kept;
mod provider;

mod addresses;
mod answers;
mod callbacks;
mod callers;
mod clocks;
mod discovery;
mod door_rules;
mod doors;
mod doors_asked;
mod doors_places;
mod echoes;
mod exhaustion;
mod id_tokens;
mod left_alone;
mod logout_tokens;
mod machines;
mod named;
mod nulls;
mod one_for_all;
mod operations;
mod presets;
mod presets_documented;
mod real;
mod refreshes;
mod refusals;
mod remedies;
mod remote_key_sets;
mod resources;
mod secrets;
mod signed_users;
mod token_entries;
mod token_managers;
mod users;
mod variables;
