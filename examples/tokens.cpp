// Sign and verify tokens, refuse others, and verify what PyJWT has made: tokens-cpp JWKS TOKEN,
// both of which examples/mint_with_pyjwt.py writes down.
#include <cstdlib>
#include <gatekey.hpp>
#include <iostream>
#include <string>

constexpr auto issuer = "https://auth.example";

static std::string sign(const gatekey::key &key, std::string_view audience,
                        std::int64_t expires_at = 0) {
    const auto signer = gatekey::signer::builder(key).issuer(issuer).audience(audience).build();
    gatekey::claims claims;
    claims.subject("alice").claim_str("scope", "orders:read");
    if (expires_at != 0) claims.expires_at(expires_at);
    return signer.sign(claims);
}

// Says who a token is about, or why it is refused; what is not as it should be ends the program.
static void show(const gatekey::verifier &verifier, std::string_view token,
                 gatekey::status wanted) {
    const auto claims = verifier.try_verify(token); // a bad token is not exceptional
    if (claims)
        std::cout << "verified: sub " << *claims->subject() << '\n';
    else
        std::cout << "refused: " << claims.error().name() << ": " << claims.error().what() << '\n';
    if (claims.status() != wanted) std::exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
    if (argc != 3) return std::cerr << "usage: tokens-cpp JWKS TOKEN\n", EXIT_FAILURE;
    const auto key = gatekey::key::generate(gatekey::alg::es256);
    const auto verifier = gatekey::verifier::with_key(
        key.public_key(), gatekey::policy().expect_issuer(issuer).expect_audience("orders"));
    auto token = sign(key, "orders");
    show(verifier, token, gatekey::status::ok);
    show(verifier, sign(key, "orders", 1'700'000'000), gatekey::status::expired);
    show(verifier, sign(key, "billing"), gatekey::status::invalid_audience);
    auto &letter = token[token.rfind('.') - 4]; // of the claims
    letter = letter == 'A' ? 'B' : 'A';
    show(verifier, token, gatekey::status::invalid_signature);

    const gatekey::verifier theirs(
        gatekey::key_set::from_jwks(argv[1]),
        gatekey::policy().expect_issuer("https://pyjwt.example").expect_audience("gatekey-demo"));
    show(theirs, argv[2], gatekey::status::ok);
}
