//! The command line `gatekey`: see `src/cli`.

fn main() -> std::process::ExitCode {
    gatekey::cli::main(std::env::args_os()).into()
}
