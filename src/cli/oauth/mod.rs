//! `gatekey oauth ...`: signing in with another server, tokens for machines and devices, and what
//! becomes of them.

mod loopback;

use self::loopback::Loopback;
use super::exit::{Failure, Outcome, REFUSED};
use super::given::check_new;
use super::input::{self, PassphraseArgs, duration};
use super::jwk::read_key;
use super::output::{self, Output, Shown};
use crate::json::ObjectWriter;
use crate::jwk::KeyOptions;
use crate::oauth::{
    AuthMethod, BegunLogin, LoginOptions, OAuthConfig, OAuthTokens, TokenGrant, TokenManager,
};
use crate::store::TokenFolder;
use crate::transport::{HttpOptions, HttpTransport};
use crate::{Clock as _, Error, ErrorKind, OAuthClient, Secret, SystemClock, ToJson as _};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sign in with a browser on this machine (RFC 8252) and print the access token
    Login(Box<Login>),
    /// Get an access token for the client itself, or the kept one of a user, refreshed if need be
    Token(Box<Token>),
    /// Sign in on another device: shows a code and waits (RFC 8628)
    Device(Box<Device>),
    /// Ask whether a token, read from standard input, is good (RFC 7662)
    Introspect(Box<About>),
    /// End a token, read from standard input, at the server (RFC 7009)
    Revoke(Box<Revoke>),
}

/// The authorization server, and the client as it is registered there.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// The authorization server, by its issuer
    #[arg(long, value_name = "URL", env = "GATEKEY_OAUTH_ISSUER", hide_env_values = true, required_unless_present_any = ["preset", "config"])]
    issuer: Option<String>,
    /// A well-known provider instead: github, google, microsoft, ...
    #[arg(long, conflicts_with = "issuer")]
    preset: Option<String>,
    /// A value for a placeholder of the preset: tenant=..., domain=...
    #[arg(long, value_name = "NAME=VALUE", requires = "preset", value_parser = pair)]
    set: Vec<(String, String)>,
    /// A file with the whole configuration as JSON, as docs/oauth.md has it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["issuer", "preset"])]
    config: Option<PathBuf>,
    /// The client's id
    #[arg(
        long,
        value_name = "ID",
        env = "GATEKEY_OAUTH_CLIENT_ID",
        hide_env_values = true,
        required_unless_present = "config"
    )]
    client_id: Option<String>,
    /// A file with the client's secret; - for standard input. Without one the client is public
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// A file with the client's private key (JWK, PEM or DER), for private_key_jwt; - for standard
    /// input
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// How the client proves who it is: client_secret_basic, client_secret_post, private_key_jwt,
    /// ... [default: the best that there is]
    #[arg(long, value_name = "METHOD", value_parser = AuthMethod::from_name)]
    auth_method: Option<AuthMethod>,
    /// Certificate authorities (PEM) to trust instead of Mozilla's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A proxy for requests to other servers: http://host:port, or `environment` for what
    /// https_proxy and no_proxy say
    #[arg(long, value_name = "ADDRESS")]
    proxy: Option<String>,
    /// Allow plain HTTP to this very machine, for tests
    #[arg(long)]
    allow_loopback_http: bool,
}

/// What the token is for.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// A scope to ask for; several times for several
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// An API that the token is for (RFC 8707); several times for several
    #[arg(long, value_name = "URL")]
    resource: Vec<String>,
    /// A parameter of the server's own, for example audience=...; several times for several
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    param: Vec<(String, String)>,
}

/// Where tokens are kept.
#[derive(Debug, clap::Args)]
pub(super) struct Kept {
    /// A folder that only its owner may read, in which the tokens are kept instead of printed
    #[arg(long, value_name = "FOLDER", requires = "name")]
    folder: Option<PathBuf>,
    /// The name that they are kept under
    #[arg(long, value_name = "NAME", requires = "folder")]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Login {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    kept: Kept,
    /// The port to come back to on 127.0.0.1 [default: any that is free]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// The path to come back to, as it is registered
    #[arg(long, value_name = "PATH", default_value = "/callback")]
    path: String,
    /// `prompt` of the request: login, consent, select_account
    #[arg(long)]
    prompt: Option<String>,
    /// Only print the address; open no browser
    #[arg(long)]
    no_browser: bool,
    /// The command that opens an address
    #[arg(
        long,
        value_name = "COMMAND",
        env = "BROWSER",
        default_value = "xdg-open",
        hide_env_values = true
    )]
    browser: String,
    /// How long to wait for the browser to come back
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    kept: Kept,
    /// For how long it must be good at least
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    min_ttl: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct Device {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, clap::Args)]
pub(super) struct About {
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    server: Server,
    /// It is an access token; otherwise a refresh token, which ends its access tokens too
    #[arg(long)]
    access_token: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Login(login) => run_login(&login, output),
        Command::Token(token) => run_token(&token, output),
        Command::Device(device) => run_device(&device, output),
        Command::Introspect(about) => {
            let (client, http) = about.server.open(None)?;
            let token = input::line_of("-".as_ref(), "token")?;
            let told = client.introspect(&token).run(&http)?;
            let claims = crate::json::parse(told.claims_json.as_bytes())?;
            output.either(&told.to_json(), || output::pretty(&claims))?;
            if told.active {
                Ok(())
            } else {
                Err(Failure::Exit(
                    REFUSED,
                    ErrorKind::TokenInactive,
                    "The token is not active.".to_owned(),
                ))
            }
        }
        Command::Revoke(revoke) => {
            let (client, http) = revoke.server.open(None)?;
            let token = input::line_of("-".as_ref(), "token")?;
            client.revoke(&token, !revoke.access_token).run(&http)?;
            output.either("{}", || "Revoked.".to_owned())
        }
    }
}

impl Server {
    fn open(&self, redirect_uri: Option<&str>) -> Outcome<(OAuthClient, HttpTransport)> {
        let mut config = match &self.config {
            Some(path) => OAuthConfig::from_json(input::file(path)?.expose())?,
            None => OAuthConfig::new(self.client_id.clone().unwrap_or_default()),
        };
        if let Some(preset) = &self.preset {
            config = config.preset(preset)?;
        }
        if let Some(issuer) = &self.issuer {
            config = config.issuer(issuer);
        }
        for (name, value) in &self.set {
            config = config.variable(name, value);
        }
        if let Some(path) = &self.client_secret_file {
            config = config.client_secret(input::line_of(path, "client secret")?);
        }
        if let Some(path) = &self.private_key {
            let text = input::file(path)?;
            let key = read_key(text.expose(), KeyOptions::new(), &self.passphrase);
            let about = |failure: Failure| failure.about(&path.display().to_string());
            config = config.private_key(&key.map_err(about)?);
        }
        if let Some(method) = self.auth_method {
            config = config.auth_method(method);
        }
        if let Some(uri) = redirect_uri {
            config = config.redirect_uri(uri);
        }
        if self.allow_loopback_http {
            config = config.allow_loopback_http(true);
        }
        let mut http = HttpOptions::new().allow_loopback_http(self.allow_loopback_http);
        if let Some(path) = &self.ca {
            http = http.ca_pem(input::file(path)?.expose());
        }
        if let Some(proxy) = &self.proxy {
            http = http.proxy(proxy);
        }
        Ok((OAuthClient::new(config)?, HttpTransport::new(http)?))
    }
}

impl Wanted {
    fn grant(&self) -> TokenGrant {
        let mut grant = TokenGrant::new().scopes(&self.scopes());
        for resource in &self.resource {
            grant = grant.resource(resource);
        }
        for (name, value) in &self.param {
            grant = grant.parameter(name, value);
        }
        grant
    }

    fn login(&self) -> LoginOptions {
        let mut options = LoginOptions::new();
        if !self.scope.is_empty() {
            options = options.scopes(&self.scopes());
        }
        for resource in &self.resource {
            options = options.resource(resource);
        }
        for (name, value) in &self.param {
            options = options.parameter(name, value);
        }
        options
    }

    fn scopes(&self) -> Vec<&str> {
        self.scope.iter().map(String::as_str).collect()
    }
}

fn run_login(login: &Login, output: &mut Output) -> Outcome<()> {
    let loopback = Loopback::bind(login.port, &login.path)?;
    let (client, http) = login.server.open(Some(&loopback.redirect_uri()))?;
    let mut options = login.wanted.login();
    if let Some(prompt) = &login.prompt {
        options = options.prompt(prompt);
    }
    let begun = client.begin(&options, "")?.run(&http)?;
    if login.no_browser || !loopback::open(&login.browser, &begun.url) {
        let mut json = ObjectWriter::new();
        json.text("open", &begun.url);
        let text = ["Open this address in a browser on this machine:", &begun.url];
        output.ask(&json.end(), Shown::lines(text));
    }
    // What a browser would send.
    let cookies: Vec<&str> =
        begun.set_cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
    let cookies = cookies.join("; ");
    let until = Loopback::end_of(Duration::from_secs(login.timeout));
    let spinner = spinner("waiting for the browser");
    let (callback, operation) = loop {
        let callback = loopback.wait(until)?.ok_or_else(|| {
            let late = "The browser did not come back in time; try again.".to_owned();
            Failure::Exit(REFUSED, ErrorKind::DeadlineExceeded, late)
        })?;
        match client.finish(callback.query(), &cookies) {
            // Any program and any page can call this port; what has another state is not our
            // browser.
            Err(error) if is_stray(&error, &client, &begun, callback.query()) => {
                callback.answer(false);
            }
            begun => break (callback, begun),
        }
    };
    spinner.finish_and_clear();
    let finished = operation.and_then(|operation| operation.run(&http));
    callback.answer(finished.is_ok());
    let finished = finished?;
    let who = finished.subject.as_deref().unwrap_or("the user").to_owned();
    output.note(format!("Signed in as {who}."));
    hand_over(&finished.tokens, client, http, &login.kept, output)
}

/// Whether a callback is about another log-in than the one that has begun, or about none.
fn is_stray(error: &Error, client: &OAuthClient, begun: &BegunLogin, query: &str) -> bool {
    let name = |cookie: &str| cookie.split('=').next().map(str::to_owned);
    let ended = client.end_login(query).and_then(|cookie| name(&cookie));
    let own = begun.set_cookies.first().and_then(|cookie| name(cookie));
    error.kind() == ErrorKind::OauthStateMismatch && (ended.is_none() || ended != own)
}

fn run_device(device: &Device, output: &mut Output) -> Outcome<()> {
    let (client, http) = device.server.open(None)?;
    let codes = client.device_codes(&device.wanted.grant())?.run(&http)?;
    let text = format!("Open {} and enter {}", codes.verification_uri, codes.user_code);
    let or = codes.verification_uri_complete.as_ref().map(|uri| format!("or open {uri}"));
    output.ask(&codes.to_json(), Shown::lines(std::iter::once(text).chain(or)));
    let left = output::distance(codes.expires_at, SystemClock.now());
    let spinner = spinner(&format!("waiting for the user; the code expires {left}"));
    let tokens = client.poll(&codes).run(&http);
    spinner.finish_and_clear();
    hand_over(&tokens?, client, http, &device.kept, output)
}

fn run_token(token: &Token, output: &mut Output) -> Outcome<()> {
    let (client, http) = token.server.open(None)?;
    let Some((folder, name)) = token.kept.folder.as_ref().zip(token.kept.name.as_deref()) else {
        let tokens = client.client_credentials(&token.wanted.grant())?.run(&http)?;
        return show(&tokens, output);
    };
    let store = Arc::new(kept_in(folder)?);
    let manager = TokenManager::new(client, store, Arc::new(http));
    let manager = manager.client_credentials(token.wanted.grant());
    let manager = manager.refresh_with(token.wanted.grant());
    let tokens = manager.tokens(name, token.min_ttl)?;
    show(&tokens, output)
}

fn kept_in(folder: &Path) -> Outcome<TokenFolder> {
    check_new(folder)?;
    Ok(TokenFolder::open(folder)?)
}

/// Keeps the tokens, or prints them.
fn hand_over(
    tokens: &OAuthTokens,
    client: OAuthClient,
    http: HttpTransport,
    kept: &Kept,
    output: &mut Output,
) -> Outcome<()> {
    let Some((folder, name)) = kept.folder.as_ref().zip(kept.name.as_deref()) else {
        return show(tokens, output);
    };
    let store = Arc::new(kept_in(folder)?);
    TokenManager::new(client, store, Arc::new(http)).put(name, tokens)?;
    output.note(format!("The tokens are kept as {name} in {}.", folder.display()));
    Ok(())
}

/// The access token for a script, or all of it as JSON.
fn show(tokens: &OAuthTokens, output: &mut Output) -> Outcome<()> {
    let json: Secret = tokens.to_secret_json();
    output.either(json.expose_str(), || tokens.access_token.expose_str().to_owned())
}

/// Something that moves while a person waits; nothing where no person looks.
fn spinner(message: &str) -> ProgressBar {
    if !output::is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(message.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
