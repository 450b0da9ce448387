"""docs/peers.md says what the peers do today."""

from __future__ import annotations

from scoreboard import PAGE, PEERS, Case, _accepts, cases, page

MOST = 0.5


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run tests/peers/scoreboard.py"


def test_the_peers_refuse_most_and_so_the_harness_works() -> None:
    """A harness that broke every call, or none, would show nothing."""
    for verify, families in PEERS.values():
        tried = [case for case in cases() if case.alg.startswith(families)]
        taken = [case for case in tried if _accepts(verify, case)]
        assert len(tried) > 100
        assert len(taken) < MOST * len(tried)


def test_the_peers_accept_the_good_twins() -> None:
    good = good_cases()
    assert good
    for name, (verify, families) in PEERS.items():
        for case in good:
            if case.alg.startswith(families):
                assert _accepts(verify, case), (name, case.alg)


def good_cases() -> list[Case]:
    """One good token of each key, in place of the hostile ones."""
    from gatekey import Key, Signer

    made = {}
    for case in cases():
        if case.alg not in made:
            key = Key.generate(case.alg)
            signer = Signer(
                key, issuer=case.issuer, audience=case.audience, clock=lambda now=case.now: now
            )
            public = key.to_jwk(private=case.alg.startswith("HS"))
            made[case.alg] = Case(
                "none",
                public,
                case.alg,
                case.issuer,
                case.audience,
                case.now,
                signer.sign({"sub": "ada"}),
            )
    return list(made.values())
