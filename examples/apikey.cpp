// Issue an API key, verify, rotate and revoke it.
#include <gatekey.hpp>
#include <iostream>

int main(int argc, char **argv) {
    const auto keys = gatekey::api_keys::open(argc > 1 ? argv[1] : "sqlite:///keys.sqlite");
    const auto issued =
        keys.create(gatekey::api_key_spec().owner("acme").scope("orders:read").rate(100, 60));
    std::cout << "show this once: " << issued.secret.view().substr(0, 20) << "...\n";

    const auto check = gatekey::api_key_check().scope("orders:read");
    const auto granted = keys.verify(issued.secret.view(), check); // or throws a gatekey::error
    std::cout << granted.owner() << " may read orders\n";

    const auto rotated = keys.rotate(granted.key_id(), 3600); // the old one is good for an hour
    std::cout << "the new secret: " << name(keys.try_verify(rotated.secret.view(), check).status());
    keys.revoke(granted.key_id(), "leaked");
    const auto refused = keys.try_verify(rotated.secret.view(), check);
    std::cout << "\nafter revoking: " << name(refused.status()) << '\n';
}
