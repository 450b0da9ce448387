//! `GATEKEY_ROUNDS`: how often the tests do what they do many times. One stands for the few rounds of `make test`,
//! ten for `make test-all`.

/// `few` in `make test`, ten times as many in `make test-all`.
pub(crate) fn rounds(few: u32) -> u32 {
    let times = std::env::var("GATEKEY_ROUNDS").map_or(1, |rounds| match rounds.parse() {
        Ok(rounds) if rounds > 0 => rounds,
        _ => panic!("GATEKEY_ROUNDS is {rounds:?}, not a whole number above 0"),
    });
    few * times
}
