// Sign a token and verify it.
#include <gatekey.hpp>
#include <iostream>

int main() {
    const auto key = gatekey::key::generate(gatekey::alg::es256);
    const auto signer =
        gatekey::signer::builder(key).issuer("https://auth.example").audience("orders").build();
    const auto token =
        signer.sign(gatekey::claims().subject("alice").claim_str("scope", "orders:read"));

    const auto verifier = gatekey::verifier::with_key(
        key.public_key(),
        gatekey::policy().expect_issuer("https://auth.example").expect_audience("orders"));
    const auto claims = verifier.verify(token); // or throws a gatekey::error
    std::cout << *claims.subject() << " may " << claims.claim_str("scope") << '\n';
}
