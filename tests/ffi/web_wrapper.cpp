// Everything in gatekey/web.hpp: each member is called.
#include "check.hpp"

#include <array>

namespace {

using namespace gatekey;

void cookies() {
    const cookie refresh("__Host-refresh");
    CHECK(refresh.set("v") == "__Host-refresh=v; Path=/; HttpOnly; Secure; SameSite=Lax");
    CHECK(refresh.clear().find("Max-Age=0") != std::string::npos);
    CHECK(refresh.read("a=1; __Host-refresh=v") == "v");
    CHECK(!refresh.read("a=1") && !refresh.read({}));
    THROWS(status::malformed_cookie, refresh.read("__Host-refresh=1;__Host-refresh=2"));
    THROWS(status::invalid_argument, refresh.set("a b"));

    cookie_attributes is;
    is.path = "/api";
    is.domain = "example.com";
    is.max_age = 60;
    is.same_site = same_site::none;
    is.partitioned = is.for_scripts = true;
    CHECK(cookie("a", is).set("v") == "a=v; Path=/api; Domain=example.com; Max-Age=60; Secure; "
                                      "SameSite=None; Partitioned");
    THROWS(status::invalid_configuration, cookie("__Host-a", is));
    is = {};
    is.same_site = same_site::strict;
    is.danger_allow_http = true;
    CHECK(cookie("a", is).set("v") == "a=v; Path=/; HttpOnly; SameSite=Strict");
}

void requests() {
    const std::array<std::uint8_t, 32> secret{1};
    const csrf strict(secret);
    const std::string token = strict.issue("s1");
    CHECK(token.size() == 64);
    strict.check("s1", token, {"POST"});
    strict.check("s1", {}, {"GET", "cross-site"});
    strict.check("s1", token, {"POST", {}, "https://a.example", "a.example"});
    THROWS(status::csrf_rejected, strict.check("s2", token, {"POST"}));
    THROWS(status::csrf_rejected, strict.check("s1", token, {"POST", "same-site"}));
    // A header that is there and empty is not one that is missing.
    THROWS(status::csrf_rejected, strict.check("s1", token, {"POST", std::string_view()}));
    csrf(secret, GK_CSRF_ALLOW_SAME_SITE).check("s1", token, {"POST", "same-site"});
    THROWS(status::weak_key, csrf(bytes_view(secret.data(), 31)));
}

} // namespace

int main() {
    cookies();
    requests();
    return passed("web_wrapper");
}
