// The same as oauth.c from C++: what is put together, handles, results, what is thrown and what is
// not.
#include "check.hpp"

#include <algorithm>

namespace {

constexpr const char *metadata =
    R"({"issuer":"https://auth.example","authorization_endpoint":"https://auth.example/a",)"
    R"("token_endpoint":"https://auth.example/t","jwks_uri":"https://auth.example/k",)"
    R"("userinfo_endpoint":"https://auth.example/u","introspection_endpoint":"https://auth.example/i",)"
    R"("revocation_endpoint":"https://auth.example/r","end_session_endpoint":"https://auth.example/e",)"
    R"("device_authorization_endpoint":"https://auth.example/d"})";
constexpr const char *kept =
    R"({"issuer":"https://auth.example","access_token":"at-1","refresh_token":"rt-1","scopes":[]})";
constexpr const char *given = R"({"access_token":"at-2","token_type":"Bearer"})";

// Answers each request of an operation in turn.
void answer(gatekey::operation &operation, const std::vector<std::string> &answers) {
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
}

gatekey::json drive(gatekey::operation operation, const std::vector<std::string> &answers) {
    answer(operation, answers);
    return operation.json();
}

gatekey::oauth_tokens driven(gatekey::operation operation,
                             const std::vector<std::string> &answers) {
    answer(operation, answers);
    return operation.tokens();
}

// Every setter of what is put together, each with something that is right.
void setters(const gatekey::http &transport) {
    std::uint64_t asked = 0;
    const gatekey::key key = gatekey::key::generate(gatekey::alg::es256);
    const auto seen = gatekey::revocations::open("memory:");
    gatekey::oauth_config config;
    config.json(R"({"leeway":601})")
        .preset("auth0")
        .variable("domain", "acme.example")
        .client_id("c")
        .client_secret("s")
        .private_key(key)
        .auth_method("private_key_jwt")
        .issuer("https://auth.example")
        .metadata_url("https://auth.example/m")
        .discover(false)
        .endpoint("token_endpoint", "https://auth.example/t")
        .quirks(R"({"no_nonce":true})")
        .redirect_uri("https://app.example/cb")
        .scopes("openid email")
        .id_token_algorithms({gatekey::alg::es256})
        .trusted_audience("other")
        .allowed_tenant("t")
        .flow_key(1, std::string(32, 'k'))
        .replay(seen)
        .require_pkce()
        .allow_loopback_http()
        .leeway(5)
        .deadline_ms(1000)
        .clock([&asked] { return asked++, std::uint64_t{1800000000}; })
        .random([](std::uint8_t *out, std::size_t len) {
            return std::fill_n(out, len, std::uint8_t{7}), true;
        });
    const gatekey::oauth_client client(config);
    gatekey::operation grant = client.client_credentials();
    CHECK(grant.next().kind == GK_STEP_REQUEST && asked > 0);
    CHECK(THROWS(gatekey::status::invalid_configuration,
                 gatekey::oauth_client(config.preset("nobody")))
              .claim() == "preset");

    gatekey::login_options login;
    login.json("{}").scopes("a").return_to("/").prompt("none").login_hint("h").acr_values("v");
    login.max_age(1).resource("r").parameter("audience", "x");
    CHECK(THROWS(gatekey::status::invalid_argument, client.begin(login.parameter("state", "x")))
              .claim() == "parameters.state");
    gatekey::token_exchange exchange;
    exchange.json("{}").subject("t").actor("a", "urn:x").requested_type("urn:y").audience("x");
    exchange.grant(gatekey::token_grant().json("{}").scopes("a").resource("r").parameter("p", "v"));
    CHECK(client.token_exchange(exchange).get() != nullptr);
    gatekey::remote_key_set_options keys;
    keys.json("{}").ttl(60).ttl_between(1, 60).cooldown(9).max_stale(60).deadline_ms(1000);
    keys.rsa_alg(gatekey::alg::ps256).allow_loopback_http().clock([] { return std::uint64_t{7}; });
    CHECK(THROWS(gatekey::status::invalid_configuration, gatekey::remote_key_set(keys)).claim() ==
          "url");
    CHECK(gatekey::remote_key_set(keys.issuer("https://auth.example"), transport).wants_refresh());
    keys.metadata_url("http://auth.example/m");
    CHECK(THROWS(gatekey::status::invalid_configuration, gatekey::remote_key_set(keys)).claim() ==
          "metadata_url");
    gatekey::http_options proxied;
    CHECK(gatekey::http(proxied.proxy("http://proxy.example:3128")).get() != nullptr);
    CHECK(THROWS(gatekey::status::invalid_configuration, gatekey::http(proxied.public_only()))
              .claim() == "proxy");
    gatekey::http_options how;
    how.json("{}").allow_loopback_http().public_only().deadline_ms(1000).connect_ms(500);
    CHECK(gatekey::http(how).get() != nullptr);
    CHECK(
        THROWS(gatekey::status::invalid_configuration, gatekey::http(how.ca_pem("none"))).claim() ==
        "ca_pem");
    gatekey::http_options pair;
    CHECK(THROWS(gatekey::status::invalid_configuration,
                 gatekey::http(pair.client_certificate_pem("none", "none")))
              .claim() == "client_key_pem");
    gatekey::token_manager_options where;
    where.refresh_with(gatekey::token_grant().parameter("p", "v"));
    where.client_credentials().pepper(1, std::string(32, 'p'));
    CHECK(gatekey::token_manager(client, transport, where).get() != nullptr);
    CHECK(THROWS(gatekey::status::invalid_argument,
                 gatekey::token_manager(client, transport, where.pepper(2, std::string("short"))))
              .claim() == "pepper");
    THROWS(gatekey::status::invalid_argument,
           gatekey::token_manager(client, transport,
                                  gatekey::token_manager_options().folder("caf\xE9")));
}

} // namespace

int main() {
    const gatekey::oauth_client made(gatekey::oauth_config()
                                         .client_id("c")
                                         .client_secret("s")
                                         .issuer("https://auth.example")
                                         .redirect_uri("https://app.example/cb"));
    const gatekey::oauth_client client = made.clone();
    const gatekey::json begun = drive(client.begin(), {metadata});
    const std::string url(begun["url"].text().value());
    CHECK(holds(url, "https://auth.example/a?response_type=code"));
    const std::string set(begun["set_cookies"][0].text().value());
    const std::string callback = "code=x&state=" + url.substr(url.find("state=") + 6, 43);
    const std::string cookie = set.substr(0, set.find(';'));
    CHECK(holds(set, "__Host-gk_flow_") && holds(client.end_login(callback), "Max-Age=0"));
    CHECK(drive(client.finish(callback, cookie), {given})["tokens"]["access_token"].text() ==
          "at-2");
    CHECK(driven(client.finish(callback, cookie), {given}).access_token() == "at-2");
    THROWS(gatekey::status::oauth_state_mismatch, client.finish(callback, ""));

    const auto tokens = gatekey::oauth_tokens::from_json(kept).clone();
    CHECK(gatekey::oauth_tokens::from_json(tokens.to_json().view()).access_token() == "at-1");
    CHECK(tokens.issuer() == "https://auth.example" && tokens.scopes().empty());
    CHECK(!tokens.id_token() && !tokens.subject() && !tokens.expires_at());
    CHECK(tokens.resources().empty());
    CHECK(!tokens.issued_token_type() && tokens.claims().view().kind() == gatekey::json_kind::null);
    const auto whole = gatekey::oauth_tokens::from_json(
        R"({"issuer":"i","access_token":"a","expires_at":9,"scopes":["x","y"],"id_token":"t",)"
        R"("claims":{"email":"e"},"subject":"s","resources":["r"],"issued_token_type":"k"})");
    CHECK(whole.claims()["email"].text() == "e" && whole.expires_at() == 9u);
    CHECK(whole.scopes() == std::vector<std::string_view>({"x", "y"}) && whole.subject() == "s");
    CHECK(whole.id_token() == "t" && whole.issued_token_type() == "k");
    CHECK(whole.resources() == std::vector<std::string_view>({"r"}));
    THROWS(gatekey::status::store_corrupt, gatekey::oauth_tokens::from_json("{}"));

    CHECK(driven(client.refresh(tokens), {given}).refresh_token() == "rt-1");
    gatekey::token_grant more;
    more.parameter("p", "v").resource("https://api.example");
    const auto old = gatekey::oauth_tokens::from_refresh_token("https://auth.example", "rt-0");
    CHECK(old.expires_at() == 0u && old.access_token().empty());
    const auto renewed = driven(client.refresh(old, more), {given});
    CHECK(renewed.resources() == std::vector<std::string_view>({"https://api.example"}));
    CHECK(driven(client.finish(callback, cookie, more), {given}).resources().size() == 1);
    CHECK(drive(client.metadata(), {})["token_endpoint"].text() == "https://auth.example/t");
    CHECK(client.userinfo("at").next().kind == GK_STEP_REQUEST);
    CHECK(client.introspect("at", more).next().kind == GK_STEP_REQUEST);
    gatekey::operation odd = client.refresh(tokens);
    CHECK(odd.next().kind == GK_STEP_REQUEST);
    odd.feed(200, {}, R"({"access_token":"at-2","refresh_token":"rt-2"})");
    THROWS(gatekey::status::oauth_malformed_response, odd.next());
    CHECK(odd.tokens().refresh_token() == "rt-2" && !odd.tokens().verified_email());
    THROWS(gatekey::status::invalid_configuration,
           gatekey::oauth_client(gatekey::oauth_config().client_id("c").assertion_audience("x")));
    for (const std::string audience : {"issuer", "token_endpoint"}) {
        const gatekey::oauth_client signing(gatekey::oauth_config()
                                                .client_id("c")
                                                .client_secret("a secret of 32 bytes, or even more")
                                                .auth_method("client_secret_jwt")
                                                .assertion_audience(audience)
                                                .assertion_header("v", "1")
                                                .issuer("https://auth.example"));
        gatekey::operation asked = signing.client_credentials();
        CHECK(asked.next().kind == GK_STEP_REQUEST);
        asked.feed(200, {}, metadata);
        CHECK(asked.next().kind == GK_STEP_REQUEST);
        const gk_request request = asked.request();
        const std::string body(request.body.data, request.body.len);
        const std::string token = body.substr(body.find("client_assertion=") + 17);
        const auto claims = gatekey::danger_decode_unverified(token.substr(0, token.find('&')));
        const bool is_issuer = audience == "issuer";
        CHECK(holds(std::string(claims.claims_json()), is_issuer
                                                           ? R"("aud":"https://auth.example")"
                                                           : R"("aud":"https://auth.example/t")"));
    }
    const auto granted =
        driven(client.client_credentials(gatekey::token_grant().scopes("a")), {given});
    CHECK(granted.scopes() == std::vector<std::string_view>{"a"});
    CHECK(driven(client.jwt_bearer("a.b.c"), {given}).access_token() == "at-2");
    const auto exchanged =
        driven(client.token_exchange(gatekey::token_exchange().subject("x")), {given});
    CHECK(exchanged.access_token() == "at-2");
    const auto info = drive(client.userinfo(tokens), {R"({"sub":"alice"})"});
    CHECK(info["subject"].text() == "alice");
    CHECK(drive(client.introspect("t"), {R"({"active":true})"})["active"].boolean() == true);
    CHECK(drive(client.revoke("t", true), {""}).view().kind() == gatekey::json_kind::null);
    const auto leaving = drive(
        client.logout_url(
            gatekey::logout_options().post_logout_redirect_uri("https://app.example/").state("s")),
        {});
    CHECK(holds(std::string(leaving.view().text().value()), "https://auth.example/e?"));
    CHECK(holds(std::string(drive(client.logout_url(gatekey::logout_options().id_token("t")), {})
                                .view()
                                .text()
                                .value()),
                "id_token_hint=t"));

    gatekey::operation codes = client.device_codes();
    CHECK(codes.next().kind == GK_STEP_REQUEST);
    codes.feed(200, {},
               R"({"device_code":"d","user_code":"U","expires_in":9,)"
               R"("verification_uri":"https://auth.example/v"})");
    CHECK(codes.next().kind == GK_STEP_DONE);
    CHECK(holds(std::string(codes.result().view()), "\"user_code\":\"U\""));
    THROWS(gatekey::status::invalid_argument, codes.tokens());
    CHECK(driven(client.poll(codes), {given}).access_token() == "at-2");

    gatekey::operation refused = client.client_credentials();
    CHECK(refused.next().kind == GK_STEP_REQUEST);
    refused.feed(429, {{"Retry-After", "3"}}, "");
    THROWS(gatekey::status::oauth_server_failed, refused.next());
    CHECK(refused.retry_after() == 3000 && refused.peer_code().empty());
    gatekey::operation failed = client.logout_notice("a.b.c");
    CHECK(failed.next().kind == GK_STEP_REQUEST);
    failed.fail(gatekey::status::deadline_exceeded);
    THROWS(gatekey::status::deadline_exceeded, failed.next());

    const gatekey::http transport =
        gatekey::http(gatekey::http_options().allow_loopback_http()).clone();
    setters(transport);
    const gatekey::oauth_client nobody(gatekey::oauth_config()
                                           .client_id("c")
                                           .endpoint("token_endpoint", "http://127.0.0.1:1/")
                                           .allow_loopback_http());
    THROWS(gatekey::status::connection_failed, nobody.client_credentials().run(transport));
    const gatekey::token_manager manager = gatekey::token_manager(nobody, transport).clone();
    THROWS(gatekey::status::oauth_no_token, manager.access_token("a"));
    manager.put("a", gatekey::oauth_tokens::from_json(
                         R"({"issuer":"http://127.0.0.1:1/","access_token":"at-3"})"));
    CHECK(manager.access_token("a").view() == "at-3" &&
          manager.tokens("a").access_token() == "at-3");
    THROWS(gatekey::status::oauth_no_token, manager.replace("a", "at-3"));
    manager.remove("a");

    const gatekey::token_manager driven_by_hand(
        client, gatekey::token_manager_options().client_credentials());
    CHECK(!driven_by_hand.known("a"));
    THROWS(gatekey::status::invalid_argument, driven_by_hand.access_token("a"));
    gatekey::operation first = driven_by_hand.renewal("a"), second = driven_by_hand.renewal("a", 1);
    CHECK(first.next().kind == GK_STEP_REQUEST && second.next().kind == GK_STEP_WAIT);
    THROWS(gatekey::status::store_unavailable, driven_by_hand.put("a", tokens));
    first.feed(200, {}, given);
    CHECK(first.next().kind == GK_STEP_DONE && second.next().kind == GK_STEP_DONE);
    CHECK(first.tokens().access_token() == "at-2" && second.tokens().access_token() == "at-2");
    CHECK(driven_by_hand.known("a")->access_token() == "at-2");
    CHECK(driven(driven_by_hand.replacement("a", "at-2"),
                 {R"({"access_token":"at-4","token_type":"Bearer"})"})
              .access_token() == "at-4");

    const gatekey::remote_key_set keys(
        gatekey::remote_key_set_options().url("https://auth.example/k"));
    CHECK(keys.clone().wants_refresh());
    const gatekey::key key = gatekey::key::generate(gatekey::alg::es256);
    const auto nothing = drive(keys.refresh(), {"{\"keys\":[" + key.public_key().to_jwk() + "]}"});
    CHECK(nothing.view().kind() == gatekey::json_kind::null);
    const gatekey::verifier verifier = keys.following(gatekey::policy());
    CHECK(!verifier.try_verify("x"));
    std::vector<gatekey::issuer_rule> rules;
    rules.push_back(keys.rule("https://auth.example"));
    CHECK(!gatekey::verifier::for_issuers(rules, gatekey::policy()).try_verify("x"));
    const gatekey::remote_key_set remote(
        gatekey::remote_key_set_options().url("http://127.0.0.1:1/").allow_loopback_http(),
        transport);
    // Nobody is there: made all the same, and told when there is a token.
    const gatekey::verifier late = remote.following(gatekey::policy());
    THROWS(gatekey::status::connection_failed, late.verify("eyJhbGciOiJFUzI1NiJ9.e30.AA"));

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
    const auto clientless =
        THROWS(gatekey::status::invalid_configuration,
               door("").issuer("https://a.example", keys).any_audience().build());
    CHECK(clientless.claim() == "clients");
    const auto several = door("https://api.example")
                             .issuer("https://a.example", keys)
                             .issuer("https://b.example", keys)
                             .any_audience()
                             .client("app")
                             .allow_missing_type()
                             .claim("token_type", R"("access")")
                             .tenant_claim("tid")
                             .build();
    CHECK(holds(several.metadata(), "[\"https://a.example\",\"https://b.example\"]"));
    const auto rule = std::move(gatekey::door_rule()
                                    .audience("urn:b")
                                    .client("svc")
                                    .token_type("JWT")
                                    .allow_missing_type()
                                    .claim("token_type", R"("access")")
                                    .algorithms({gatekey::alg::es256})
                                    .leeway(9)
                                    .tenant_claim("tid"));
    (void)door("https://api.example")
        .issuer("https://a.example", keys)
        .issuer_rule("https://a.example", rule)
        .build();
    const auto unknown =
        THROWS(gatekey::status::invalid_configuration, door("https://api.example")
                                                           .issuer("https://a.example", keys)
                                                           .issuer_rule("https://b.example", rule)
                                                           .build());
    CHECK(unknown.claim() == "issuers");
    const auto anybody =
        THROWS(gatekey::status::invalid_configuration,
               door("https://api.example")
                   .issuer("https://a.example", keys)
                   .issuer_rule("https://a.example", gatekey::door_rule().any_audience())
                   .build());
    CHECK(anybody.claim() == "clients");
    gatekey::demand decided;
    decided.tenant("bank").decided_by(gatekey::credential_place::api_key);
    const auto two = several.check(gatekey::caller{"Bearer x", "k", {}});
    CHECK(two.status == gatekey::status::several_credentials);
    CHECK(several.check({"Bearer x", {}, {}}, decided).status ==
          gatekey::status::missing_credentials);
    CHECK(several.check({{}, "k", {}}, decided).status == gatekey::status::unknown_api_key);
    CHECK(several.check({{}, "", {}}).status == gatekey::status::malformed_api_key);
    THROWS(gatekey::status::invalid_configuration, door("a").introspection_ttl(1, 1).build());
    THROWS(gatekey::status::invalid_configuration, door("a").unknown_tokens(1).build());
    return passed("oauth_wrapper");
}
