// Tokens for a machine, kept and refreshed, and an API that accepts them: oauth-cpp ISSUER BROWSER.
#include <gatekey.hpp>
#include <iostream>
using namespace gatekey;

int main(int argc, char **argv) {
    const std::string issuer = argc > 1 ? argv[1] : "", api = "https://api.example.test";
    const http wire(http_options().allow_loopback_http()); // https only, but for tests
    oauth_config config;
    config.client_id("m2m").client_secret("a-secret-of-the-tests-0123456789abcdef");
    config.issuer(issuer).allow_loopback_http();
    token_manager_options kept;
    kept.client_credentials(token_grant().scopes("api:read").resource(api));
    const token_manager tokens(oauth_client(config), wire, kept);
    const remote_key_set keys(remote_key_set_options().issuer(issuer).allow_loopback_http(), wire);
    const auto door = resource_server::builder(api).issuer(issuer, keys).build();
    const std::string sent = "Bearer " + std::string(tokens.access_token("api").view());
    for (const char *scope : {"api:read", "api:write"})
        std::cout << scope << ": " << name(door.check(sent, demand().scope(scope)).status) << '\n';
}
