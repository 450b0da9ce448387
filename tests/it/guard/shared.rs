//! Limits that several guards count together, in a real Valkey.

use super::*;
use crate::shared_limits::Server;

#[test]
fn guards_count_together_and_refusals_take_nothing() {
    let Some(server) = Server::own("guards_count_together_and_refusals_take_nothing", &[]) else {
        return;
    };
    let made = || service_with(|builder| builder.limits(server.url()));
    let (here, there, alone) = (made(), made(), service());
    let limit = demand(|d| d.limit("orders", "3/366d"));
    for service in [&here, &there] {
        // In memory alone nothing is decided.
        let asked = get().key(&service.key(|_| ()));
        assert!(asked.with(|request| service.guard.try_check(request, &limit)).is_none());
        for _ in 0..5 {
            refused(&service.on(get().bearer("junk"), &limit), 401);
        }
    }
    let admitted = |service: &Service, peer: &str| {
        let asked = get().key(&service.key(|_| ())).peer(peer);
        (0..5).filter(|_| service.on(asked.clone(), &limit).is_allowed()).count()
    };
    assert!(there.on(get().key(&there.key(|_| ())), &limit).is_allowed());
    assert_eq!([admitted(&here, "192.0.2.7"), admitted(&there, "192.0.2.7")], [2, 0]);
    assert_eq!(admitted(&there, "192.0.2.8"), 3, "another address");
    assert_eq!(admitted(&alone, "192.0.2.7"), 3, "who counts alone");
    // What is left is told as ever, and how long it takes.
    let last = here.on(get().key(&here.key(|_| ())).peer("192.0.2.9"), &limit);
    assert!(last.header("ratelimit").is_some_and(|told| told.contains("r=2")), "{last:?}");
    assert!(here.guard.limits_state().is_some_and(|state| state.alone == 0 && state.connected));
    assert!(alone.guard.limits_state().is_none());
    // Nobody is there any more: each has its part, of which it knows what was used. The first one has
    // perhaps not seen the second.
    server.obey("kill");
    assert_eq!(admitted(&here, "192.0.2.7"), 0);
    let parts = [admitted(&here, "192.0.2.10"), admitted(&there, "192.0.2.10")];
    assert!(parts.iter().sum::<usize>() <= 4 && parts[0] > 0, "{parts:?}");
}
