//! The C ABI, from which `build.rs` renders `include/gatekey.h`. The comments before the modules
//! below are the headings of the header, whose order is theirs; a function whose name begins with a
//! type's stands where that does.
//!
//! Every extern body is one call of a function in `boundary` or `sticky`, which catches panics and
//! turns an error into a status; setters keep theirs for the call that uses what was set. Handles
//! arrive as `Option<&T>` (shared), `Option<&mut T>` (exclusive) or `Option<Box<T>>` (given up), so
//! that ownership is a type; bytes arrive as a pointer and a length. The documentation is written
//! for the reader of the header.
//!
//! Refused everywhere: NULL where something is required, text that is not UTF-8, numbers that name
//! no algorithm. What the C caller alone can guarantee is listed at the top of the header: pointers
//! are valid for the lengths given, handles are alive and used as `const` says.

#![expect(unsafe_code, reason = "the one folder where pointers from C become references")]
#![expect(non_camel_case_types, reason = "these are the names that C sees")]
#![expect(
    unsafe_op_in_unsafe_fn,
    reason = "an extern body only passes its pointers to `boundary`, whose contract is the header's"
)]
#![expect(
    clippy::missing_safety_doc,
    reason = "the contract is the documentation of the header: its first comment and every @param"
)]

mod boundary;

mod sticky;

// # Version
//
// The number of the ABI and the version of the library: what a program that loads libgatekey.so
// checks first.

mod version;

// # Errors
//
// A call that can fail returns a gk_status and describes it in a gk_error of the caller's. The
// blocks of numbers are in docs/errors.md: to 999 mistakes of the program, the 1000s tokens, the
// 2000s keys, the 3000s API keys, the 4000s sessions and cookies, the 5000s OAuth, the 6000s
// stores, the 7000s transports.

mod status;

mod error;

// # Text and buffers
//
// What comes out: a gk_str is lent by a handle, a gk_buf belongs to the caller.

mod buf;

// # Callbacks
//
// Functions of the program's that the library calls: its clock, its randomness, and the release of
// what belongs to them.

mod callback;

// # JSON
//
// Reads what other calls hand out as JSON, by the library's own strict parser.

mod json;

// # Algorithms
//
// The signature algorithms (RFC 7518, RFC 8037, RFC 9964) by number. A key is bound to one of them.

mod alg;

// # Keys
//
// A key of one algorithm: generated, or read from PEM, DER or a JWK (RFC 7517), and given out as
// such.

mod key;

mod key_callback;

mod key_options;

// # Key sets
//
// Several keys, of which a token's header names one: a JWKS (RFC 7517 section 5).

mod key_set;

// # Verifiers
//
// Verify JSON Web Tokens (RFC 7519) with keys, by a policy. What a policy says nothing about is
// refused. gk_verified is what a token says that was good; gk_unverified is what an attacker may
// have written.

mod policy;

mod verifier;

mod verified;

mod unverified;

// # Signers
//
// Sign JSON Web Tokens with one key, and put together what they say.

mod claims;

mod signer;

// # Lists
//
// Which records the calls give that list something, a page at a time.

mod filter;

// # Backups
//
// Copies of what is kept, and what is to be done when one is put back (docs/backups.md).

mod backup;

// # Store
//
// An open store: it hands out API keys, sessions, revocations and key rings over one pool,
// one pepper setting and one clock.

mod store_options;

mod store;

// # API keys
//
// Keys that a service issues to its callers: made, found by what a request brings, limited,
// rotated, revoked. Open gk_api_keys once in a process, and call gk_api_keys_verify for each
// request.

mod apikey_options;

mod apikey_spec;

mod apikey;

mod apikey_owned;

mod apikey_verify;

// # Sessions
//
// Users that have logged in: a short access token that any verifier accepts, and a refresh token
// that is exchanged for the next one each time, so that a stolen one shows.

mod session_options;

mod session_spec;

mod session;

// # Revocations
//
// Tokens that are not good any more, although their signature and their dates are; for policies
// (gk_policy_revocations).

mod revocations_options;

mod revocations;

// # Key rings
//
// Signing keys of a service, kept under a pepper and rotated; signers and verifiers follow them.

mod keyring_options;

mod keyring;

// # Web: cookies and CSRF
//
// Cookies that hold secrets (RFC 6265bis), and requests that another site has not caused.

mod web;

// # OAuth client
//
// Log-ins and tokens of other servers (OAuth 2.0, OpenID Connect). A call that needs an answer of
// the server begins a gk_operation, which asks for requests; gk_operation_run carries them out.

mod oauth_config;

mod oauth_client;

mod login;

mod logout;

mod token_grant;

mod oauth_tokens;

mod token_manager;

mod operation;

// # Resource server
//
// The check of an API's incoming requests: JWTs of an issuer, opaque tokens and API keys, in one
// call.

mod demand;

mod resource;

mod door_rule;

// # Guard
//
// One decision for every door of a service (docs/guard.md): a request goes in as the server has
// it; who calls comes out, or the whole answer of a refusal.

mod session_cookies;

mod access;

mod guard_demand;

mod guard_builder;

mod guard;

mod guard_decision;

mod guard_attempt;

mod guard_former;

// # Remote keys
//
// The keys of another server (its JWKS), fetched when needed and kept fresh.

mod remote_key_set;

// # Transport
//
// What carries requests to other servers, for programs without an event loop of their own.

mod http;

pub use access::*;
pub use alg::*;
pub use apikey::*;
pub use apikey_options::*;
pub use apikey_owned::*;
pub use apikey_spec::*;
pub use apikey_verify::*;
pub use backup::*;
pub use buf::*;
pub use callback::*;
pub use claims::*;
pub use demand::*;
pub use door_rule::*;
pub use error::*;
pub use filter::*;
pub use guard::*;
pub use guard_attempt::*;
pub use guard_builder::*;
pub use guard_decision::*;
pub use guard_demand::*;
pub use guard_former::*;
pub use http::*;
pub use json::*;
pub use key::*;
pub use key_callback::*;
pub use key_options::*;
pub use key_set::*;
pub use keyring::*;
pub use keyring_options::*;
pub use login::*;
pub use logout::*;
pub use oauth_client::*;
pub use oauth_config::*;
pub use oauth_tokens::*;
pub use operation::*;
pub use policy::*;
pub use remote_key_set::*;
pub use resource::*;
pub use revocations::*;
pub use revocations_options::*;
pub use session::*;
pub use session_cookies::*;
pub use session_options::*;
pub use session_spec::*;
pub use signer::*;
pub use status::*;
pub use store::*;
pub use store_options::*;
pub use token_grant::*;
pub use token_manager::*;
pub use unverified::*;
pub use verified::*;
pub use verifier::*;
pub use version::*;
pub use web::*;

#[cfg(test)]
mod tests;
