//! The file of the mark: half written, damaged, raced for.

use super::{Marked, Position, parse, text_of};
use crate::store::Mark;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn place(test: &str) -> PathBuf {
    let name = format!("gatekey-mark-{test}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn marked(path: &Path) -> Marked {
    let store = path.with_extension("sqlite");
    Marked::new(&store, &Mark::At(path.to_owned()), &Arc::default()).unwrap()
}

fn at(seq: u64) -> Position {
    Position { id: Some([7; 16]), seq }
}

#[test]
fn a_line_is_read_back_and_no_other() {
    let text = text_of(at(42));
    assert_eq!(parse(text.as_bytes()), Some(at(42)));
    for index in 0..text.len() {
        let mut other = text.clone().into_bytes();
        other[index] ^= 1;
        assert_eq!(parse(&other), None, "{index}");
        assert_eq!(parse(&text.as_bytes()[..index]), None, "{index}");
    }
}

#[test]
fn it_never_goes_back_and_half_a_line_leaves_the_other() {
    let path = place("half");
    let mark = marked(&path);
    assert_eq!(mark.read().unwrap(), None);
    for seq in [1, 2, 5, 3, 9, 9, 4] {
        mark.follow(at(seq), seq % 2 == 0).unwrap();
    }
    assert_eq!(mark.read().unwrap(), Some(at(9)));
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len(), 1024);
    for slot in 0..2 {
        let mut torn = whole.clone();
        torn[slot * 512 + 20..slot * 512 + 512].fill(0);
        std::fs::write(&path, torn).unwrap();
        let left = mark.read().unwrap().unwrap();
        assert!(left == at(9) || left == at(5), "{left:?}");
        // And the next one is written whole.
        mark.follow(at(10), true).unwrap();
        assert_eq!(mark.read().unwrap(), Some(at(10)));
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn of_many_writers_the_greatest_stays() {
    let path = place("race");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let mark = marked(path);
                for seq in 0..200 {
                    mark.follow(at(seq * 4 + thread), false).unwrap();
                }
            });
        }
    });
    let mark = marked(&path);
    assert_eq!(mark.read().unwrap(), Some(at(799)));
    assert!(mark.follow(Position { id: Some([8; 16]), seq: 900 }, true).is_err());
    std::fs::remove_file(path).unwrap();
}
