//! One store in the hand, and a fork: what it has handed out goes on in parent and children, each sees what the others
//! change, and a child that closes the store closes nobody else's.

use super::forks::{ended_well, forked};
use super::rounds::rounds;
use super::{child, folder};
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::keyring::KeyRingOptions;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::{Claims, ErrorKind, Policy, Signer, Store, Verifier};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

/// What a child does in this part.
pub(super) fn play(part: &str, folder: &Path) -> bool {
    let is_mine = part == "sharer";
    if is_mine {
        share(folder);
    }
    is_mine
}

fn share(folder: &Path) {
    let store = Store::open(folder.join("auth.sqlite").to_str().unwrap()).unwrap();
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    let ring = Arc::new(store.key_ring("default", KeyRingOptions::new()).unwrap());
    let signer = Signer::following(ring.clone()).build().unwrap();
    let sessions = store.sessions(Some(&signer), SessionOptions::new()).unwrap();
    let revocations = store.revocations(RevocationOptions::new()).unwrap();
    let policy = Policy::new().revocations(Arc::new(revocations));
    let verifier = Verifier::following(ring.clone(), policy).unwrap();

    let check = Check::new();
    let good = keys.create(&KeySpec::new("acme")).unwrap().secret;
    for round in 0..rounds(5) {
        let leaked = keys.create(&KeySpec::new("acme")).unwrap();
        let (alice, bob) = (format!("alice{round}"), format!("bob{round}"));
        let lives = sessions.start(&alice, &SessionSpec::default()).unwrap();
        let stays = sessions.start(&bob, &SessionSpec::default()).unwrap();
        let children = [0, 1].map(|number| {
            forked(|| {
                let own = keys.create(&KeySpec::new("child")).unwrap().secret;
                keys.verify(own.expose(), &check).unwrap();
                keys.verify(good.expose(), &check).unwrap();
                if number == 0 {
                    verifier.verify(lives.access_token.expose()).unwrap();
                    keys.revoke(&leaked.record.id, "leaked").unwrap();
                    assert_eq!(sessions.end_all(&alice).unwrap(), 1);
                    ring.rotate().unwrap();
                }
                // What is handed out in the child is over the same store.
                let more = store.revocations(RevocationOptions::new()).unwrap();
                more.revoke_session(&format!("{alice}-{number}")).unwrap();
                store.close().unwrap();
                let closed = keys.verify(good.expose(), &check).unwrap_err();
                assert_eq!(closed.kind(), ErrorKind::InvalidArgument);
                let closed = sessions.refresh(stays.refresh_token.expose(), None).unwrap_err();
                assert_eq!(closed.kind(), ErrorKind::InvalidArgument);
            })
        });
        for child in children {
            assert!(ended_well(child));
        }
        // 50 ms, within which changes of other processes are seen.
        std::thread::sleep(std::time::Duration::from_millis(60));
        keys.verify(good.expose(), &check).unwrap();
        let refused = keys.verify(leaked.secret.expose(), &check).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ApiKeyRevoked);
        let refused = verifier.verify(lives.access_token.expose()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RevokedToken);
        let refused = sessions.refresh(lives.refresh_token.expose(), None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::SessionEnded);
        let next = sessions.refresh(stays.refresh_token.expose(), None).unwrap();
        verifier.verify(next.access_token.expose()).unwrap();
        verifier.verify(signer.sign(&Claims::new().subject("carol")).unwrap()).unwrap();
    }
    store.close().unwrap();
}

#[test]
fn a_store_in_the_hand_goes_on_after_a_fork() {
    let folder = folder("shared_store");
    assert!(child("sharer", &folder, Stdio::null()).wait().unwrap().success());
    std::fs::remove_dir_all(&folder).unwrap();
}
