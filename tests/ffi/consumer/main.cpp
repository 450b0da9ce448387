// A program of someone else's, which includes what was installed.
#include <gatekey.hpp>
#include <iostream>

int main() {
    const auto key = gatekey::key::generate(gatekey::alg::eddsa);
    const auto token =
        gatekey::signer::builder(key).build().sign(gatekey::claims().subject("alice"));
    const auto verifier = gatekey::verifier::with_key(key.public_key(), gatekey::policy());
    std::cout << *verifier.verify(token).subject() << " may come in\n";
}
