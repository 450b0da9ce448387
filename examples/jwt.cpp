// The main job in C++: sign, verify, refuse, and verify what others made. Run by `make demo-c`.
//
// usage: tokens JWKS TOKEN, two files that examples/mint_with_pyjwt.py has written
#include "rfc7515.h"

#include <cstdlib>
#include <fstream>
#include <gatekey.hpp>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace {

constexpr auto issuer = "https://auth.example";
constexpr auto audience = "orders";

std::ostream &show(std::string_view what) {
    return std::cout << "  " << std::left << std::setw(15) << what << ' ';
}

// Shows why a token is refused; one that is accepted here ends the demo.
void show_refusal(std::string_view what, const gatekey::verifier &verifier, std::string_view token,
                  std::string_view remark = {}) {
    const auto result = verifier.try_verify(token); // a bad token is not exceptional
    if (result) throw std::logic_error(std::string(what) + ": this token must not be accepted");
    const auto &error = result.error();
    show(what) << "refused, " << error.name() << " (" << static_cast<int>(error.status())
               << "): " << (remark.empty() ? error.what() : remark) << '\n';
}

// Generates a key, signs with it and verifies with its public half.
void sign_and_verify() {
    const auto key = gatekey::key::generate(gatekey::alg::es256);
    const auto signer =
        gatekey::signer::builder(key).issuer(issuer).audience(audience).ttl(300).build();
    auto token = signer.sign(gatekey::claims().subject("alice").claim_str("scope", "orders:read"));
    show("signed") << gatekey::name(key.alg()) << ", " << token.size() << " bytes, kid "
                   << key.kid().substr(0, 10) << "...\n";

    const auto verifier = gatekey::verifier::with_key(
        key.public_key(), gatekey::policy().expect_issuer(issuer).expect_audience(audience));
    const auto claims = verifier.verify(token);
    show("verified") << "sub " << *claims.subject() << ", scope " << claims.claim_str("scope")
                     << ", exp " << *claims.expires_at() << '\n';

    show_refusal("expired", verifier,
                 signer.sign(gatekey::claims().subject("alice").expires_at(1'700'000'000)));

    auto &flipped = token[token.rfind('.') - 4];
    flipped = flipped == 'A' ? 'B' : 'A';
    show_refusal("tampered", verifier, token);

    const auto elsewhere = gatekey::signer::builder(key).issuer(issuer).audience("billing").build();
    show_refusal("wrong audience", verifier, elsewhere.sign(gatekey::claims().subject("alice")));
}

// Verifies the tokens that RFC 7515 prints, at a moment when they were good.
void verify_rfc_tokens() {
    gatekey::policy policy;
    policy.expect_issuer("joe").clock([] { return std::uint64_t{RFC7515_EXPIRY - 1}; });
    for (const auto &[name, alg, jwk, token] : rfc7515_tokens) {
        const auto key = gatekey::key::from_jwk(jwk, static_cast<gatekey::alg>(alg));
        const auto verifier = gatekey::verifier::with_key(key, policy);
        if (key.alg() == gatekey::alg::es512) {
            show_refusal(name, verifier, token, "not a JWT: its payload is a word");
            continue;
        }
        const auto claims = verifier.verify(token);
        show(name) << gatekey::name(claims.alg()) << ", iss " << *claims.issuer() << ", is_root "
                   << *claims.claim_json("http://example.com/is_root") << '\n';
    }
}

std::string read_file(const char *path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(std::string(path) + " cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

// Verifies what PyJWT has minted, knowing only its published key set.
void verify_pyjwt_token(const char *jwks, const char *token) {
    const gatekey::verifier verifier(
        gatekey::key_set::from_jwks(read_file(jwks)),
        gatekey::policy().expect_issuer("https://pyjwt.example").expect_audience("gatekey-demo"));
    const auto claims = verifier.verify(read_file(token));
    show("PyJWT") << gatekey::name(claims.alg()) << ", iss " << *claims.issuer() << ", sub "
                  << *claims.subject() << ", kid " << claims.key_id() << '\n';
}

} // namespace

int main(int argc, char **argv) try {
    if (argc != 3) {
        std::cerr << "usage: " << argv[0] << " JWKS TOKEN\n";
        return EXIT_FAILURE;
    }
    std::cout << "gatekey " << gatekey::version() << " from C++\n";
    sign_and_verify();
    verify_rfc_tokens();
    verify_pyjwt_token(argv[1], argv[2]);
    return EXIT_SUCCESS;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
}
