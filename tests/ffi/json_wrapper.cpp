// gatekey::json and json_view.
#include "check.hpp"

int main() {
    using gatekey::json;
    using gatekey::json_kind;
    const json read(
        R"({"set_cookies":["a=1","b=2"],"n":3,"f":0.5,"ok":true,"claims":{"email":"z@a.example"}})");
    CHECK(read["claims"]["email"].text() == "z@a.example");
    CHECK(!read["claims"]["none"]["deeper"][3].text().has_value());
    CHECK(read["n"].integer() == 3 && read["f"].number() == 0.5 && read["ok"].boolean() == true);
    CHECK(!read["f"].integer() && !read["n"].text() && !read["claims"].boolean());
    CHECK(read["set_cookies"].size() == 2 && read["set_cookies"][1].text() == "b=2");
    std::string all;
    for (const auto cookie : read["set_cookies"]) all += std::string(*cookie.text()) + ";";
    CHECK(all == "a=1;b=2;");
    CHECK(read.view().kind() == json_kind::object && read.view().size() == 5);
    CHECK(read.view().name_at(1) == "n" && read.view().name_at(9).empty());
    CHECK(!read["x"] && read["x"].kind() == json_kind::missing && read["n"]);
    for (const auto none : read["x"]) CHECK(!none);
    CHECK(json("[]").view().size() == 0);
    THROWS(gatekey::status::invalid_argument, json(R"({"a":1,"a":2})"));
    return passed("json_wrapper");
}
