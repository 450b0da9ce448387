// gatekey/oauth.hpp: the same as oauth.c from C++: handles, results, what is thrown and what is
// not.
#include "check.hpp"

namespace {

constexpr const char *metadata =
    R"({"issuer":"https://auth.example","authorization_endpoint":"https://auth.example/a",)"
    R"("token_endpoint":"https://auth.example/t","jwks_uri":"https://auth.example/k",)"
    R"("userinfo_endpoint":"https://auth.example/u","introspection_endpoint":"https://auth.example/i",)"
    R"("revocation_endpoint":"https://auth.example/r","end_session_endpoint":"https://auth.example/e",)"
    R"("device_authorization_endpoint":"https://auth.example/d"})";
constexpr const char *tokens =
    R"({"issuer":"https://auth.example","access_token":"at-1","refresh_token":"rt-1","scopes":[]})";
constexpr const char *given = R"({"access_token":"at-2","token_type":"Bearer"})";

// Answers each request of an operation in turn.
std::string drive(gatekey::operation operation, std::vector<std::string> answers) {
    std::size_t next = 0;
    for (;;) {
        const gk_step step = operation.next();
        if (step.kind == GK_STEP_DONE) break;
        if (step.kind == GK_STEP_WAIT) continue;
        const gk_request request = operation.request();
        CHECK(request.headers > 0 && !operation.header(0).first.empty());
        operation.feed(200, {{"content-type", "application/json"}}, answers.at(next++));
    }
    CHECK(next == answers.size());
    return std::string(operation.result().view());
}

} // namespace

int main() {
    const gatekey::oauth_client made(
        R"({"client_id":"c","client_secret":"s","issuer":"https://auth.example",)"
        R"("redirect_uri":"https://app.example/cb"})");
    const gatekey::oauth_client client = made.clone();
    const std::string begun = drive(client.begin(), {metadata});
    CHECK(holds(begun, "https://auth.example/a?response_type=code"));
    const std::string state = begun.substr(begun.find("state=") + 6, 43);
    const std::string set = begun.substr(begun.find("__Host-gk_flow_"));
    const std::string callback = "code=x&state=" + state;
    const std::string cookie = set.substr(0, set.find(';'));
    CHECK(holds(client.end_login(callback), "Max-Age=0"));
    CHECK(holds(drive(client.finish(callback, cookie), {given}), "at-2"));
    THROWS(gatekey::status::oauth_state_mismatch, client.finish(callback, ""));

    CHECK(holds(drive(client.refresh(tokens), {given}), "rt-1"));
    CHECK(holds(drive(client.client_credentials(R"({"scopes":["a"]})"), {given}),
                "\"scopes\":[\"a\"]"));
    CHECK(holds(drive(client.jwt_bearer("a.b.c"), {given}), "at-2"));
    CHECK(holds(drive(client.token_exchange(R"({"subject_token":"x"})"), {given}), "at-2"));
    CHECK(holds(drive(client.userinfo(tokens), {R"({"sub":"alice"})"}), "alice"));
    CHECK(holds(drive(client.introspect("t"), {R"({"active":true})"}), "\"active\":true"));
    CHECK(drive(client.revoke("t", true), {""}).empty());
    CHECK(
        holds(drive(client.logout_url("", "https://app.example/"), {}), "https://auth.example/e?"));

    gatekey::operation codes = client.device_codes();
    CHECK(codes.next().kind == GK_STEP_REQUEST);
    codes.feed(200, {},
               R"({"device_code":"d","user_code":"U","expires_in":9,)"
               R"("verification_uri":"https://auth.example/v"})");
    CHECK(codes.next().kind == GK_STEP_DONE);
    CHECK(holds(drive(client.poll(codes), {given}), "at-2"));

    gatekey::operation refused = client.client_credentials();
    CHECK(refused.next().kind == GK_STEP_REQUEST);
    refused.feed(429, {{"Retry-After", "3"}}, "");
    THROWS(gatekey::status::oauth_server_failed, refused.next());
    CHECK(refused.retry_after() == 3000 && refused.peer_code().empty());
    gatekey::operation failed = client.logout_notice("a.b.c");
    CHECK(failed.next().kind == GK_STEP_REQUEST);
    failed.fail(gatekey::status::deadline_exceeded);
    THROWS(gatekey::status::deadline_exceeded, failed.next());

    const gatekey::http transport = gatekey::http(R"({"allow_loopback_http":true})").clone();
    const gatekey::oauth_client nobody(
        R"({"client_id":"c","token_endpoint":"http://127.0.0.1:1/","allow_loopback_http":true})");
    THROWS(gatekey::status::connection_failed, nobody.client_credentials().run(transport));
    const gatekey::token_manager manager = gatekey::token_manager(nobody, transport).clone();
    THROWS(gatekey::status::oauth_no_token, manager.access_token("a"));
    manager.put("a", R"({"issuer":"i","access_token":"at-3","scopes":[]})");
    CHECK(manager.access_token("a").view() == "at-3" &&
          holds(std::string(manager.tokens("a").view()), "at-3"));
    THROWS(gatekey::status::oauth_no_token, manager.replace("a", "at-3"));
    manager.remove("a");

    const gatekey::remote_key_set keys(R"({"url":"https://auth.example/k"})");
    CHECK(keys.clone().wants_refresh());
    const gatekey::key key = gatekey::key::generate(gatekey::alg::es256);
    CHECK(drive(keys.refresh(), {"{\"keys\":[" + key.public_key().to_jwk() + "]}"}).empty());
    const gatekey::verifier verifier = keys.following(gatekey::policy());
    CHECK(!verifier.try_verify("x"));
    std::vector<gatekey::issuer_rule> rules;
    rules.push_back(keys.rule("https://auth.example"));
    CHECK(!gatekey::verifier::for_issuers(rules, gatekey::policy()).try_verify("x"));
    const gatekey::remote_key_set remote(
        R"({"url":"http://127.0.0.1:1/","allow_loopback_http":true})", transport);
    THROWS(gatekey::status::connection_failed, remote.following(gatekey::policy()));

    using door = gatekey::resource_server::builder;
    const gatekey::resource_server api =
        door("https://api.example").issuer("https://auth.example", keys).build().clone();
    const auto outcome = api.check("Bearer x");
    CHECK(!outcome && outcome.status == gatekey::status::malformed_token);
    CHECK(holds(outcome.challenge, "invalid_token") && outcome.access.empty());
    CHECK(holds(api.metadata(), "https://auth.example"));
    const gatekey::demand demand =
        std::move(gatekey::demand().scope("a").acr_value("b").max_age(9));
    CHECK(holds(api.check("Bearer x", demand, "192.0.2.1").challenge, "invalid_token"));
    const auto read = door::from_json(R"({"audience":"a","issuer":"https://auth.example"})")
                          .keys(keys)
                          .token_type("JWT")
                          .algorithms({gatekey::alg::es256})
                          .leeway(5)
                          .metadata_url("https://api.example/m")
                          .scopes_supported("read write")
                          .build()
                          .metadata();
    CHECK(holds(read, "\"read\",\"write\""));
    const auto wrong = THROWS(gatekey::status::invalid_configuration,
                              door::from_json(R"({"audience":"a","introspection":{"ttl":"5"}})"));
    CHECK(wrong.claim() == "introspection.ttl");
    THROWS(gatekey::status::invalid_configuration, door("a").introspection_ttl(1, 1).build());
    return passed("oauth_wrapper");
}
