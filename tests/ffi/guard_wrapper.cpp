// Everything in gatekey/guard.hpp, access.hpp and session_cookies.hpp: each member is called.
#include "check.hpp"

#include <array>
#include <map>

namespace {

using namespace gatekey;

constexpr std::string_view API = "https://api.example", OWN = "https://shop.example",
                           OTHER = "https://auth.example";
std::uint64_t read_now() { return 1800000000; }

const std::array<std::uint8_t, 32> SECRET{7};

store opened() { return store::open("memory:", store_options().pepper(1, SECRET).clock(read_now)); }

signer signer_of(const key_ring &ring, std::string_view issuer) {
    return signer::builder::following(ring)
        .issuer(issuer)
        .audience(API)
        .typ("at+jwt")
        .clock(read_now)
        .build();
}

struct world {
    gatekey::store store = opened();
    key_ring ring = store.key_ring(), others = key_ring::open("memory:", key_ring_options());
    gatekey::api_keys keys = store.api_keys();
    gatekey::sessions sessions = store.sessions(signer_of(ring, OWN));
    gatekey::revocations revocations = store.revocations();
    gatekey::csrf csrf{SECRET};
    session_cookies cookies = session_cookies::builder(csrf).build();
    oauth_client asking{oauth_config()
                            .client_id("rs")
                            .client_secret("a secret of 32 bytes or somewhat more")
                            .endpoint("introspection_endpoint", "https://auth.example/introspect")};
    http transport{};
    guard decides = guard::builder()
                        .api_keys(keys)
                        .sessions(sessions)
                        .tokens(resource_server::builder(API)
                                    .issuer(OTHER, others)
                                    .introspection(asking, transport))
                        .cookies(cookies)
                        .origin(OWN)
                        .trusted_proxy("10.0.0.0/8")
                        .forwarded_header("X-Real-IP")
                        .exact_names()
                        .csrf_header("X-Token")
                        .realm("shop")
                        .metadata_url("https://shop.example/meta")
                        .ipv6_prefix(56)
                        .clock(read_now)
                        .build();
    guard_demand read = guard_demand::builder().scope("orders:read").build();
};

std::string new_key(const api_keys &keys) {
    const auto issued =
        keys.create(api_key_spec().owner("acme").tenant("bank").name("tills").scope("orders:read"));
    return std::string(issued.secret.view());
}

session_spec spec() {
    return std::move(session_spec().claims(
        claims::from_json(R"({"scope":"orders:read","tenant":"bank","level":7,"staff":true})")));
}

void by_key(const world &all) {
    const std::string key = new_key(all.keys);
    // As servers have them: a multimap, a vector of pairs.
    const std::multimap<std::string, std::string> headers{{"Accept", "*/*"}, {"X-API-Key", key}};
    const guard_request request = std::move(guard_request("GET", "/orders")
                                                .headers(headers)
                                                .header("X-Real-IP", "192.0.2.7")
                                                .peer("10.0.0.1:80"));
    const auto decision = all.decides.clone().check(request, all.read);
    CHECK(decision && decision.is_allowed() && decision.http_status() == 200);
    CHECK(decision.body().empty() && decision.reason().status() == status::ok);
    const gatekey::access who = decision.access();
    CHECK(who.kind() == access_kind::api_key && who.kind_name() == "api_key");
    CHECK(who.proved_by() == proved_by::key && !who.is_anonymous());
    CHECK(who.subject() == "acme" && who.tenant() == "bank" && !who.issuer());
    CHECK(who.key_id() && who.client_id() == who.key_id() && !who.session());
    CHECK(who.scopes() == std::vector<std::string_view>{"orders:read"});
    CHECK(who.has_scope("orders:read") && !who.has_scope("orders:write"));
    CHECK(!who.expires_at() && who.claims_json() == "{}" && !who.other());
    CHECK(holds(who.key_record().value(), "\"name\":\"tills\""));
    CHECK(who.address() == "192.0.2.7" && who.get() != nullptr);
    CHECK(decision.header("vary") == "Authorization, Cookie, X-API-Key");
    CHECK(decision.headers().front().first == "Vary" && !decision.header("Set-Cookie"));
    THROWS(status::invalid_argument, decision.tokens());
    // It is a client's, where names collapse: but for a server that keeps such names out.
    CHECK(all.decides
              .check(guard_request("GET", "/").header("X-API-Key", key).collapsed_names(), all.read)
              .is_allowed());

    const auto refused = all.decides.check(guard_request("GET", "/orders"), all.read);
    CHECK(!refused && refused.http_status() == 401);
    CHECK(holds(std::string(refused.body()), "\"code\":\"missing_credentials\""));
    CHECK(holds(std::string(refused.header("WWW-Authenticate").value()), "realm=\"shop\""));
    CHECK(refused.reason().status() == status::missing_credentials);
    THROWS(status::missing_credentials, refused.access());
    const auto own = all.decides.refuse(status::insufficient_scope, all.read);
    CHECK(own.http_status() == 403 && own.reason().status() == status::insufficient_scope);
    CHECK(all.decides.metadata_path() == "/.well-known/oauth-protected-resource");
    CHECK(holds(all.decides.metadata(), "\"resource\""));
    CHECK(!guard::builder().api_keys(all.keys).api_key_header("X-Key").build().metadata_path());
    THROWS(status::invalid_configuration, guard::builder().realm("\"").api_keys(all.keys).build());
    const auto sessions_alone = guard_demand::builder().kind(access_kind::session).build();
    all.decides.check_demand(sessions_alone);
    THROWS(status::invalid_configuration,
           guard::builder().api_keys(all.keys).build().check_demand(sessions_alone));
}

// What a library of before has signed.
void by_former_token(const world &all) {
    std::vector<key> secrets;
    const std::string secret = "one secret, of 32 bytes or more..";
    secrets.push_back(key::from_secret(secret, alg::hs256));
    const key_set keys(secrets);
    former_tokens former(keys, "user_id", 4102444800);
    former.claim("type", "\"access\"").issuer("https://before.example").audience(API).leeway(30);
    const guard decides = guard::builder().former_tokens(former).build();
    const auto token = signer::builder(secrets[0])
                           .issuer("https://before.example")
                           .audience(API)
                           .ttl(300)
                           .build()
                           .sign(claims::from_json(R"({"user_id":7,"type":"access"})"));
    const std::string bearer = "Bearer " + token;
    const guard_request request =
        std::move(guard_request("GET", "/").header("Authorization", bearer));
    CHECK(decides.check(request, all.read).http_status() == 401);
    auto user = decides.former_user(request);
    CHECK(user && user->subject() == "7" && holds(std::string(user->claims_json()), "access"));
    CHECK(decides.check(request, all.read, *user).http_status() == 403);
    user->scope("orders:read").scope("orders:write");
    CHECK(decides.check(request, all.read, *user).access().subject() == "7");
    CHECK(decides.try_check(request, all.read, *user).value().is_allowed());
    guard_attempt attempt;
    CHECK(attempt.user(*user).check(decides, request, all.read).value().is_allowed());
    CHECK(!decides.former_user(guard_request("GET", "/")));
    THROWS(status::invalid_configuration,
           guard::builder().former_tokens(former_tokens(keys, "sub", 7)).build());
}

// The cookies of an answer, as a Cookie header has them; and the CSRF token.
std::pair<std::string, std::string> jar(const guard_decision &decision) {
    std::pair<std::string, std::string> kept;
    for (const auto &[name, value] : decision.headers()) {
        if (name != "Set-Cookie") continue;
        const auto pair = value.substr(0, value.find(';'));
        kept.first += (kept.first.empty() ? "" : "; ") + std::string(pair);
        if (pair.substr(0, 12) == "__Host-csrf=") kept.second = pair.substr(12);
    }
    return kept;
}

void by_session(const world &all) {
    const auto begun = all.decides.log_in("alice", spec());
    CHECK(begun && begun.access().is_anonymous() && begun.tokens().expires_in() == 900);
    const auto [cookies, token] = jar(begun);
    const auto page = [&, &cookies = cookies, &token = token](std::string_view method) {
        return std::move(guard_request(method, "/")
                             .header("Cookie", cookies)
                             .header("Origin", OWN)
                             .header("X-Token", token));
    };
    const auto decision = all.decides.check(page("POST"), all.read);
    const gatekey::access who = decision.access();
    CHECK(who.kind() == access_kind::session && who.proved_by() == proved_by::cookie);
    CHECK(who.issuer() == OWN && who.session() == begun.tokens().family() && !who.key_id());
    CHECK(who.expires_at() == read_now() + 900 && who.claim_str("tenant") == "bank");
    CHECK(who.claim_i64("level") == 7 && who.claim_bool("staff") && !who.address());
    CHECK(who.claim_json("level") == "7" && !who.claim_json("absent") && !who.key_record());
    THROWS(status::missing_claim, who.claim_str("absent"));
    THROWS(status::invalid_claim, who.claim_i64("staff"));
    THROWS(status::invalid_claim, who.claim_bool("level"));
    // By a form's field; without any; by a websocket of another origin.
    const auto bare = [&, &cookies = cookies](std::string_view method, std::string_view origin) {
        return std::move(
            guard_request(method, "/").header("Cookie", cookies).header("Origin", origin));
    };
    CHECK(all.decides.check(bare("POST", OWN).csrf_field(token), all.read).is_allowed());
    CHECK(all.decides.check(bare("POST", OWN), all.read).http_status() == 403);
    CHECK(all.decides.check(bare("POST", OWN).csrf_field({}), all.read).http_status() == 403);
    CHECK(all.decides.check(bare("GET", OWN).upgrade(), all.read).is_allowed());
    CHECK(!all.decides.check(bare("GET", "https://evil.test").upgrade(), all.read));

    const auto refreshed = all.decides.refresh(page("POST"), claims().claim_str("scope", "other"));
    CHECK(refreshed && !jar(refreshed).first.empty());
    const auto again = all.decides.refresh(page("POST"));
    CHECK(again.tokens().refresh_token() == refreshed.tokens().refresh_token());
    CHECK(!all.decides.refresh(guard_request("POST", "/")));
    CHECK(all.decides.log_out(page("POST")).is_allowed());
    CHECK(all.decides.check(page("GET"), all.read).reason().status() == status::revoked_token);
    THROWS(status::invalid_argument, all.decides.log_in(""));
}

void demands(const world &all) {
    const std::string key = new_key(all.keys);
    const auto token =
        signer_of(all.others, OTHER)
            .sign(claims::from_json(R"({"sub":"alice","client_id":"app","scope":"orders:read"})"));
    const auto pair = guard_demand::builder()
                          .kind(access_kind::jwt)
                          .kind(access_kind::opaque)
                          .pair(access_kind::api_key)
                          .build();
    guard_request both("GET", "/");
    both.header("X-API-Key", key).header("Authorization", "Bearer " + token);
    THROWS(status::invalid_configuration, guard_demand::builder().same_tenant().build());
    const std::string bearer = "Bearer " + token;
    const auto decision = all.decides.check(
        guard_request("GET", "/").header("X-API-Key", key).header("Authorization", bearer), pair);
    const gatekey::access who = decision.access();
    CHECK(who.kind() == access_kind::jwt && who.proved_by() == proved_by::bearer);
    CHECK(who.subject() == "alice" && who.other() && who.other()->subject() == "acme");
    const auto same = guard_demand::builder()
                          .kind(access_kind::jwt)
                          .pair(access_kind::api_key)
                          .same_tenant()
                          .same_subject()
                          .build();
    CHECK(
        all.decides
            .check(
                guard_request("GET", "/").header("X-API-Key", key).header("Authorization", bearer),
                same)
            .http_status() == 400);

    guard_request by_key("GET", "/");
    by_key.header("X-API-Key", key);
    const auto status_of = [&](const guard_demand::builder &demand) {
        return all.decides.check(by_key, demand.build()).http_status();
    };
    using of = guard_demand::builder;
    CHECK(status_of(of().any_scope("a").any_scope("orders:read").cost(0)) == 200);
    CHECK(status_of(of().tenant("bank")) == 200 && status_of(of().tenant("acme")) == 401);
    CHECK(status_of(of().claim("level", "7")) == 401 && status_of(of().acr_value("mfa")) == 401);
    CHECK(status_of(of().max_age(60)) == 401 && status_of(of().fresh()) == 401);
    CHECK(status_of(of().csrf_always()) == 200 && status_of(of().danger_no_csrf()) == 200);
    CHECK(status_of(of().kind(access_kind::session)) == 401);
    CHECK(status_of(of().limit("act", "1/min")) == 200);
    CHECK(status_of(of().limit("act", "1/min")) == 429);
    const auto optional = of().optional().build(), open = of().make_public().build();
    const auto log_in = of().make_public().own_pages().build();
    CHECK(all.decides.check(guard_request("GET", "/log-in"), log_in).is_allowed());
    CHECK(!all.decides.check(guard_request("POST", "/log-in"), log_in).is_allowed());
    const auto form = all.decides.form_token(guard_request("GET", "/log-in"));
    CHECK(!form.token.empty() && form.set_cookie->rfind("__Host-csrf=", 0) == 0);
    CHECK(open.is_public() && !optional.is_public() && open.clone().is_public());
    const guard_request nobody("GET", "/");
    CHECK(all.decides.check(nobody, open).access().is_anonymous());
    CHECK(all.decides.check(nobody, optional).access().kind() == access_kind::anonymous);
    CHECK(all.decides.check(nobody, optional).access().proved_by() == proved_by::nothing);
    CHECK(all.decides.check(by_key, all.read.in_tenant("bank")).is_allowed());
    CHECK(!all.decides.check(by_key, all.read.in_tenant({})));
}

// An issuer whose keys are in a file.
void keys_of_a_file(const world &all) {
    const auto keys = key_set::from_jwks(all.others.to_jwks());
    const auto decides = guard::builder()
                             .tokens(resource_server::builder(API).issuer(OTHER, keys))
                             .clock(read_now)
                             .build();
    const std::string bearer =
        "Bearer " + signer_of(all.others, OTHER)
                        .sign(claims::from_json(R"({"sub":"alice","client_id":"app"})"));
    const auto anybody = guard_demand::builder().build();
    const auto asked = std::move(guard_request("GET", "/").header("Authorization", bearer));
    CHECK(decides.check(asked, anybody).access().kind() == gatekey::access_kind::jwt);
}

void event_loops(const world &all) {
    const std::string key = new_key(all.keys);
    const auto with_key = std::move(guard_request("GET", "/").header("X-API-Key", key));
    // The store is looked at now and then, which memory is not enough for: just after it was.
    std::optional<guard_decision> known;
    for (int tries = 0; !known && tries < 1000; tries++) {
        CHECK(all.decides.check(with_key, all.read).is_allowed());
        known = all.decides.try_check(with_key, all.read);
    }
    CHECK(known && known->is_allowed());
    const auto asks = [] {
        return std::move(guard_request("GET", "/").header("Authorization", "Bearer opaque"));
    };
    CHECK(!all.decides.try_check(asks(), all.read));
    guard_attempt attempt;
    CHECK(attempt.about().empty() && !attempt.check(all.decides, asks(), all.read));
    CHECK(!attempt.about().empty());
    auto question = attempt.operation();
    THROWS(status::invalid_argument, attempt.operation());
    THROWS(status::invalid_argument, attempt.told(question));
    CHECK(question.next().kind == GK_STEP_REQUEST);
    question.feed(200, {{"content-type", "application/json"}}, R"({"active":false})");
    CHECK(question.next().kind == GK_STEP_DONE && question.result().size() == 0);
    attempt.told(question);
    const auto decided = attempt.may_wait().check(all.decides, asks(), all.read);
    CHECK(decided && decided->http_status() == 401);
}

void cookies(const world &all) {
    CHECK(all.cookies.name(session_cookie::csrf) == "__Host-csrf");
    CHECK(holds(all.cookies.clear(session_cookie::access), "__Host-access=; Path=/; Max-Age=0"));
    const auto own = session_cookies::builder(all.csrf)
                         .name(session_cookie::refresh, "again")
                         .refresh_path("/auth")
                         .same_site(same_site::strict)
                         .build();
    CHECK(own.name(session_cookie::refresh) == "__Secure-again");
    CHECK(holds(own.clear(session_cookie::access), "SameSite=Strict"));
    const auto http = session_cookies::builder(all.csrf).danger_allow_http().build();
    CHECK(http.name(session_cookie::access) == "access");
    THROWS(status::invalid_configuration,
           session_cookies::builder(all.csrf).name(session_cookie::csrf, "access").build());
    const auto listed = guard::builder()
                            .sessions(all.sessions)
                            .tokens(resource_server::builder(API).issuer(OTHER, all.others))
                            .revocations(all.revocations)
                            .cookies(http)
                            .origin("http://localhost:8080")
                            .build();
    CHECK(holds(jar(listed.log_in("alice")).first, "access=ey"));
    /* A list for nobody's tokens would do nothing. */
    THROWS(status::invalid_configuration,
           guard::builder().sessions(all.sessions).revocations(all.revocations).build());
}

} // namespace

int main() {
    const world all;
    by_key(all);
    by_former_token(all);
    by_session(all);
    demands(all);
    keys_of_a_file(all);
    event_loops(all);
    cookies(all);
    return passed("guard_wrapper");
}
