//! Names of one file: itself, links, chains of links, a linked folder; there, and not there yet.

use super::real_path;
use std::os::unix::fs::symlink;

#[test]
fn every_name_of_a_file_leads_to_one_path() {
    let name = format!("gatekey-real-path-{}", std::process::id());
    let folder = std::env::temp_dir().canonicalize().unwrap().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("there")).unwrap();
    symlink("there", folder.join("linked")).unwrap();
    symlink("linked/a", folder.join("relative")).unwrap();
    symlink(folder.join("relative"), folder.join("chain")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    let wanted = folder.join("there/a");
    for there in [false, true] {
        if there {
            std::fs::write(&wanted, "").unwrap();
        }
        for name in ["there/a", "linked/a", "relative", "chain", "linked/../there/a"] {
            assert_eq!(real_path(&folder.join(name)), wanted, "{name}, there: {there}");
        }
    }
    assert_eq!(real_path(&folder.join("linked")), folder.join("there"));
    assert!(real_path(&folder.join("loop")).starts_with(&folder), "a loop ends");
    assert_eq!(real_path(&folder.join("no/folder")), folder.join("no/folder"));
    std::fs::remove_dir_all(folder).unwrap();
}
