// Everything in gatekey/apikey.hpp: each member is called.
#include "check.hpp"

#include <array>
#include <map>

using namespace gatekey;

int main() {
    std::uint64_t now = 1800000000;
    const std::array<std::uint8_t, 32> pepper{1};
    const auto store = store::open("memory:", store_options().pepper(1, pepper));
    const auto keys = store.api_keys(
        api_key_options().prefix("acme").env("test").strict().max_stale(10).limits("").clock(
            [&] { return now; }));
    const auto boss = keys.acting_as("boss");
    const auto issued = boss.create(api_key_spec()
                                        .owner("acme")
                                        .name("CI")
                                        .tenant("north")
                                        .meta("{}")
                                        .scope("read")
                                        .cidr("10.0.0.0/8")
                                        .not_before(now)
                                        .expires_in(100)
                                        .rate(3, 60)
                                        .credits(2, 1, 60));
    CHECK(issued.secret.view().substr(0, 10) == "acme_test_");
    THROWS(status::api_key_not_found, keys.owned_by("acme").revoke(issued.key_id));
    CHECK(holds(keys.owned_by("acme", "north").record_json(issued.key_id), "\"owner\":\"acme\""));
    CHECK(holds(issued.record_json, "\"created_by\":\"boss\""));
    CHECK(!holds(issued.record_json, issued.secret.view().substr(23)));

    const auto needs = api_key_check().scope("read").tenant("north").cost(2);
    const auto granted = keys.verify(issued.secret.view(), needs, "10.0.0.1");
    CHECK(granted && granted.ok() && granted.status() == status::ok);
    CHECK(granted.owner() == "acme" && granted.tenant() == "north");
    CHECK(granted.expires_at() == now + 100 && granted.http_status() == 200);
    const std::string id(granted.key_id());
    const auto limited = keys.try_verify(issued.secret.view(), needs, "10.0.0.1");
    CHECK(!limited && limited.status() == status::rate_limited && limited.http_status() == 429);
    CHECK(limited.retry_after_ms() > 0 && limited.key_id() == id && !limited.expires_at());
    try {
        static_cast<void>(keys.verify(issued.secret.view(), needs, "10.0.0.1"));
        CHECK(false);
    } catch (const gatekey::error &refused) {
        CHECK(refused.http_status() == 429 && refused.retry_after_ms() > 0);
    }
    CHECK(keys.try_verify("x", needs, "10.0.0.1").key_id().empty());
    try {
        static_cast<void>(keys.verify(issued.secret.view(), needs, "10.0.0.1"));
        CHECK(false);
    } catch (const error &refused) {
        CHECK(refused.status() == status::rate_limited && refused.api_key_id() == id);
    }
    THROWS(status::api_key_address, static_cast<void>(keys.verify(issued.secret.view())));
    THROWS(status::malformed_api_key, static_cast<void>(keys.verify("x")));
    CHECK(http_status(status::insufficient_scope) == 403);

    // A key of a date, and one that another system has revoked.
    const auto dated = keys.create(api_key_spec().owner("acme").expires_at(now + 60));
    CHECK(keys.verify(dated.secret.view()).expires_at() == now + 60);
    THROWS(status::invalid_argument,
           keys.create(api_key_spec().owner("acme").expires_at(now + 60).expires_in(60)));
    THROWS(status::invalid_argument, keys.create(api_key_spec().owner("acme").revoked()));
    api_key_import ended;
    ended.add(api_key_spec().owner("acme").revoked(), "another-systems-key");
    CHECK(holds(keys.import("plaintext", ended), "\"imported\":1"));
    CHECK(keys.try_verify("another-systems-key", needs).status() == status::api_key_revoked);

    keys.update(id, api_key_spec().clear(api_key_field::cidrs).clear(api_key_field::rate));
    keys.update(id, api_key_spec().clear(api_key_field::credits).expires_at(now + 5));
    CHECK(keys.verify(issued.secret.view()).expires_at() == now + 5);
    const auto rotated = keys.rotate(id, 60);
    CHECK(keys.try_verify(issued.secret.view(), needs).ok());
    CHECK(keys.try_verify(rotated.secret.view(), needs).ok());
    keys.disable(id, "unpaid");
    CHECK(keys.try_verify(rotated.secret.view(), needs).status() == status::api_key_disabled);
    keys.enable(id);
    keys.revoke(id, "leaked");
    THROWS(status::invalid_argument, keys.enable(id));
    keys.refresh();
    keys.flush();
    THROWS(status::invalid_configuration, keys.check_limits());
    CHECK(holds(keys.record_json(id), "\"status\":\"revoked\""));
    CHECK(issued.key_id == id && rotated.key_id == id);
    CHECK(holds(keys.list_json(filter().owner("acme").tenant("north").limit(5)), id));
    CHECK(!holds(keys.list_json(filter().owner("acme").cursor(id)), id));
    CHECK(holds(keys.list_json(), id) && holds(keys.audit_json(), id));
    THROWS(status::invalid_argument, static_cast<void>(keys.audit_json(filter().owner("acme"))));
    CHECK(holds(keys.audit_json(filter().key_id(id)), "\"action\":\"revoke\""));
    CHECK(holds(keys.pepper_report_json(), "\"pepper\":1"));
    CHECK(keys.wrap_peppers() == 0);
    now += 10;
    CHECK(keys.purge(now) == 2);

    const auto rows =
        std::move(api_key_import().add(api_key_spec().owner("o"), "pub.legacy-key", "pub"));
    CHECK(holds(keys.import("plaintext", rows), "\"imported\":1"));
    auto wrong = api_key_import();
    wrong.add(api_key_spec().owner("o").scope("\xff"), "pub.another-key", "pub");
    THROWS(status::invalid_argument, static_cast<void>(keys.import("plaintext", wrong)));
    CHECK(keys.verify("pub.legacy-key").owner() == "o");

    const std::map<std::string, std::string> headers{{"X-API-Key", "k"}};
    CHECK(api_key_from_headers(headers) == "k");
    CHECK(!api_key_from_headers(std::map<std::string, std::string>{}));
    const std::map<std::string, std::string> two{{"X-API-Key", "k"}, {"Authorization", "Bearer t"}};
    CHECK(api_key_from_headers(two, credential_place::api_key) == "k");
    CHECK(api_key_from_headers(two, credential_place::authorization) == "t");
    THROWS(status::several_credentials, static_cast<void>(api_key_from_headers(two)));
    const auto rule = scan_rule::of("acme");
    CHECK(holds(rule.gitleaks, rule.regex));
    THROWS(status::invalid_argument, static_cast<void>(scan_rule::of("A")));
    THROWS(status::invalid_argument, static_cast<void>(api_keys::open("no://where")));

    auto copy = keys.clone();
    copy.close();
    THROWS(status::invalid_argument, static_cast<void>(keys.verify("x_live")));
    return passed("apikey_wrapper");
}
