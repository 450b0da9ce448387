// Log in, refresh, catch a stolen refresh token, log out everywhere.
#include <gatekey.hpp>
#include <iostream>

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "sqlite:///sessions.sqlite";
    const auto store = gatekey::store::open(url);
    const auto ring = store.key_ring();
    const auto signer = gatekey::signer::builder::following(ring).build();
    const auto sessions = store.sessions(signer);
    const auto verifier =
        gatekey::verifier::following(ring, gatekey::policy().revocations(sessions.revocations()));

    const auto first = sessions.start("alice");
    const auto second = sessions.refresh(first.refresh_token()); // or throws a gatekey::error
    const auto third = sessions.refresh(second.refresh_token());
    std::cout << "logged in, for " << third.expires_in() << " seconds\n";

    const auto stolen = sessions.try_refresh(first.refresh_token()); // someone has kept a copy
    std::cout << "the first refresh token again: " << name(stolen.status()) << '\n';

    const auto laptop = sessions.start("alice"), phone = sessions.start("alice");
    std::cout << "logged out everywhere: " << sessions.end_all("alice") << " sessions\n";
    const auto refused = verifier.try_verify(phone.access_token());
    std::cout << "the phone's access token: " << name(refused.status()) << '\n';
}
