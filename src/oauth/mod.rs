//! Layer 4: OAuth 2.0 and OpenID Connect as a client: signing users in through another server,
//! tokens for machines, and the keys that such servers publish. Protocol code alone: what it asks
//! of other servers, and when, is an [`Operation`](crate::transport::Operation); nothing here has a
//! socket.
//!
//! `config`, `quirks`, `presets`, `variables`: what is known beforehand. `metadata`,
//! `remote_key_set`: what the server publishes. `login`, `login_options`, `login_cookie`,
//! `id_token`: signing in. `auth`, `answer`, `tokens`, `grants`: the token endpoint. `sent`: what
//! no error may show of a request. `rescue`: the refresh token of an answer that is spoilt.
//! `about`: users and tokens. `manager`, `slots`, `shelf`: tokens over time.

mod about;
mod answer;
mod auth;
mod client;
mod config;
mod grants;
mod id_token;
mod login;
mod login_cookie;
mod login_options;
mod manager;
mod metadata;
mod presets;
mod quirks;
mod remote_key_set;
mod renewal;
mod rescue;
mod return_to;
mod sent;
mod shelf;
mod slots;
mod token_grant;
mod tokens;
mod variables;

pub use about::{Introspection, UserInfo};
pub use auth::{AssertionAudience, AuthMethod};
pub use client::OAuthClient;
pub use config::OAuthConfig;
pub use grants::{DeviceCodes, TokenExchange};
pub use id_token::LogoutNotice;
pub use login::{BegunLogin, FinishedLogin};
pub use login_options::LoginOptions;
pub use manager::TokenManager;
pub use presets::oauth_presets;
pub use remote_key_set::{RemoteKeySet, RemoteKeySetOptions};
pub use token_grant::TokenGrant;
pub use tokens::OAuthTokens;
