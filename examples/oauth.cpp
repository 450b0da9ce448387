// Tokens for a machine, kept and refreshed, and an API that accepts them: oauth-cpp ISSUER BROWSER.
#include <cstdio>
#include <gatekey.hpp>

int main(int argc, char **argv) try {
    if (argc < 2) return std::fprintf(stderr, "usage: oauth-cpp ISSUER\n"), 2;
    const std::string issuer = std::string("\"issuer\":\"") + argv[1] + "\"";
    const std::string local = R"(,"allow_loopback_http":true)";
    const gatekey::http http("{" + local.substr(1) + "}");
    const gatekey::oauth_client client(
        "{" + issuer + local +
        R"(,"client_id":"m2m","client_secret":"a-secret-of-the-tests-0123456789abcdef"})");
    const gatekey::token_manager tokens(
        client, http, {}, R"({"scopes":["api:read"],"resources":["https://api.example.test"]})");

    const gatekey::remote_key_set keys("{" + issuer + local + "}", http);
    const gatekey::resource_server api =
        gatekey::resource_server::builder("https://api.example.test").issuer(argv[1], keys).build();

    const std::string header = "Bearer " + std::string(tokens.access_token("api").view());
    for (const char *scope : {"api:read", "api:write"}) {
        const auto demand = std::move(gatekey::demand().scope(scope));
        if (const auto outcome = api.check(header, demand))
            std::printf("%s: %s\n", scope, outcome.access.substr(0, 32).c_str());
        else
            std::printf("%s: %s\n", scope, outcome.challenge.c_str());
    }
} catch (const gatekey::error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
