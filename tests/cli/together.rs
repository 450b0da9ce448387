//! Several runs of the program at one moment.

use super::Desk;
use std::process::Stdio;

/// Several that come at once make one store, with one pepper.
#[test]
fn a_new_store_is_made_once_by_all_who_come() {
    let desk = Desk::new("at_once");
    for turn in 0..8 {
        let store = format!("{turn}.sqlite");
        let words = ["key", "create", "--owner", "acme", "--store", &store];
        let made: Vec<_> = (0..4)
            .map(|_| {
                let mut program = desk.program();
                program.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
                program.spawn().unwrap()
            })
            .collect();
        for child in made {
            let output = child.wait_with_output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{told}");
            let key = String::from_utf8(output.stdout).unwrap();
            desk.verify(key.trim(), &["--store", &store]).done();
        }
    }
}
