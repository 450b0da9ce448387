//! The command line: API keys, sessions, OAuth, peppers, tokens and JWKs for people and for
//! scripts.
//!
//! What a command is for goes to standard output and nothing else does: `KEY=$(gatekey key create
//! ...)` works. What a person should know as well goes to standard error. No secret is ever taken
//! from, or put into, an argument: it comes from a file, from standard input or from a prompt.
//!
//! Exit codes are those of `src/cli/exit.rs`, described in `docs/cli.md`.

mod apikey;
mod backup;
mod doctor;
mod exit;
mod given;
mod import;
mod input;
mod jwk;
mod keyring;
mod oauth;
mod operations;
mod output;
mod pages;
mod pepper;
mod revoke;
mod session;
mod spec;
mod store;
mod token;

use clap::{CommandFactory as _, Parser, Subcommand};
use exit::{Failure, Outcome};
use given::Given;
use output::Output;
use std::ffi::OsString;
use std::path::PathBuf;

/// API keys, sessions, OAuth, JSON Web Tokens and JWKs from the command line.
#[derive(Debug, Parser)]
#[command(
    name = "gatekey",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Secrets are read from files, standard input or a prompt, never from arguments.\n\
        Exit codes: 0 done, 1 refused, 2 wrong usage, 3 unusable input, 4 store or server, 5 internal, 130 interrupted."
)]
struct Cli {
    /// Write JSON, one value on one line, and errors as JSON too
    #[arg(long, global = true, display_order = 90)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make, look at, change and import API keys
    #[command(subcommand)]
    Key(Box<apikey::Command>),
    /// Add peppers, see which are needed, wrap every key under a new one
    #[command(subcommand)]
    Pepper(pepper::Command),
    /// See who is logged in, and log out
    #[command(subcommand)]
    Session(session::Command),
    /// Have services refuse tokens that are still good
    #[command(subcommand)]
    Revoke(revoke::Command),
    /// Make, rotate and publish the keys of a signer
    #[command(subcommand)]
    Keyring(keyring::Command),
    /// Back a store up, restore it, accept a restored one; copy it to another kind, check it, count
    /// what is in it, bring its tables forward
    #[command(subcommand)]
    Store(backup::Command),
    /// See whether all is well with a store: permissions, peppers, mark, clock, versions, what
    /// expires
    Doctor(doctor::Doctor),
    /// Sign in with another server, get tokens from it, ask about them, end them
    #[command(subcommand)]
    Oauth(oauth::Command),
    /// Print a rule by which scanners find leaked keys: of gitleaks, and as a regular expression
    ScanRule(apikey::ScanRule),
    /// Sign, verify and look into JSON Web Tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Make, convert and name keys (RFC 7517)
    #[command(subcommand)]
    Jwk(jwk::Command),
    /// Print the public halves of keys as a JWK Set, to be published
    Jwks(jwk::Jwks),
    /// Print the completions of a shell: gatekey completions bash > /etc/bash_completion.d/gatekey
    Completions(Completions),
    /// Write the manual pages of the commands into a folder, for section 1
    Man(Man),
}

#[derive(Debug, clap::Args)]
struct Completions {
    shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
struct Man {
    /// The folder, which is made if it is not there
    folder: PathBuf,
}

/// Runs the command line: the name of the program, then its arguments. The exit code.
pub fn main<T: Into<OsString>>(arguments: impl IntoIterator<Item = T>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    // Asked for, though the rest cannot be read.
    let json = arguments.iter().take_while(|&word| word != "--").any(|word| word == "--json");
    let given = Given::of(&arguments);
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => return exit::help(&error),
        Err(error) => {
            let told = given.hide(given::told(error, &arguments));
            if json {
                return Output::new(true, given).failure(&Failure::Usage(told.trim().to_owned()));
            }
            output::warn_of(&told);
            return exit::USAGE;
        }
    };
    let mut output = Output::new(cli.json, given);
    if let Some(refused) = Given::refused(&arguments) {
        return output.failure(&Failure::Usage(refused));
    }
    match run(cli.command, &mut output).and_then(|()| output.flush()) {
        Ok(()) => exit::DONE,
        Err(failure) => output.failure(&failure),
    }
}

fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Key(command) => apikey::run(*command, output),
        Command::Pepper(command) => pepper::run(command, output),
        Command::Session(command) => session::run(command, output),
        Command::Revoke(command) => revoke::run(command, output),
        Command::Keyring(command) => keyring::run(command, output),
        Command::Store(command) => backup::run(command, output),
        Command::Doctor(doctor) => doctor::run(&doctor, output),
        Command::Oauth(command) => oauth::run(command, output),
        Command::ScanRule(rule) => apikey::scan_rule(&rule, output),
        Command::Token(command) => token::run(command, output),
        Command::Jwk(command) => jwk::run(command, output),
        Command::Jwks(jwks) => jwk::jwks(&jwks, output),
        Command::Completions(Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "gatekey", &mut script);
            output.bytes(&script)
        }
        Command::Man(Man { folder }) => given::check_new(&folder).and_then(|()| {
            std::fs::create_dir_all(&folder)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), &folder))
                .map_err(|error| Failure::Input(format!("{}: {error}", folder.display())))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
