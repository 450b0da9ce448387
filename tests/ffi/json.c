/* gk_json: what calls hand out as JSON, read. */
#include "refuse.h"

#include <math.h>

static gk_json *parsed(const char *text) {
    gk_error err;
    gk_json *json = NULL;
    MUST(gk_json_parse(text, strlen(text), &json, &err));
    CHECK(json != NULL);
    return json;
}

static bool is(gk_str text, const char *wanted) {
    return text.data != NULL && text.len == strlen(wanted) &&
           memcmp(text.data, wanted, text.len) == 0;
}

static void values(void) {
    gk_json *json =
        parsed(" {\"a\": \"Zo\\u00eb \\\"x\\\"\", \"\": \"\", \"n\": -12, \"big\": "
               "9223372036854775808, \"f\": 1.5e1, \"t\": true, \"no\": false, \"null\": null,"
               " \"list\": [[1], {\"deep\": [\"here\"]}, \"x\"], \"o\": {}} ");
    CHECK(gk_json_kind_of(json) == GK_JSON_OBJECT && gk_json_len(json) == 10);
    CHECK(is(gk_json_text(gk_json_member(json, GK_TEXT("a"))), "Zo\xC3\xAB \"x\""));
    CHECK(is(gk_json_text(gk_json_member(json, NULL, 0)), ""));
    CHECK(is(gk_json_name_at(json, 0), "a") && is(gk_json_name_at(json, 9), "o"));
    CHECK(gk_json_name_at(json, 10).data == NULL && gk_json_at(json, 10) == NULL);
    CHECK(gk_json_at(json, 2) == gk_json_member(json, GK_TEXT("n")));

    int64_t whole = 7;
    double number = 7;
    bool flag = false;
    CHECK(gk_json_integer(gk_json_member(json, GK_TEXT("n")), &whole) && whole == -12);
    CHECK(gk_json_integer(gk_json_member(json, GK_TEXT("n")), NULL));
    CHECK(!gk_json_integer(gk_json_member(json, GK_TEXT("big")), &whole) && whole == -12);
    CHECK(!gk_json_integer(gk_json_member(json, GK_TEXT("f")), &whole) && whole == -12);
    CHECK(gk_json_number(gk_json_member(json, GK_TEXT("f")), &number) && fabs(number - 15) < 1e-9);
    CHECK(gk_json_number(gk_json_member(json, GK_TEXT("big")), &number) && number > 9.2e18);
    CHECK(gk_json_bool(gk_json_member(json, GK_TEXT("t")), &flag) && flag);
    CHECK(gk_json_bool(gk_json_member(json, GK_TEXT("no")), &flag) && !flag);
    CHECK(gk_json_kind_of(gk_json_member(json, GK_TEXT("null"))) == GK_JSON_NULL);

    const gk_json *list = gk_json_member(json, GK_TEXT("list"));
    CHECK(gk_json_kind_of(list) == GK_JSON_LIST && gk_json_len(list) == 3);
    const gk_json *deep = gk_json_member(gk_json_at(list, 1), GK_TEXT("deep"));
    CHECK(is(gk_json_text(gk_json_at(deep, 0)), "here"));
    CHECK(gk_json_name_at(list, 0).data == NULL && gk_json_member(list, GK_TEXT("0")) == NULL);
    CHECK(gk_json_len(gk_json_member(json, GK_TEXT("o"))) == 0);

    /* Each kind is no other. */
    const char *names[] = {"a", "n", "t", "null", "list", "o", "none"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const gk_json *value = gk_json_member(json, names[i], strlen(names[i]));
        const gk_json_kind kind = gk_json_kind_of(value);
        CHECK((gk_json_text(value).data != NULL) == (kind == GK_JSON_TEXT));
        CHECK(gk_json_integer(value, NULL) == (kind == GK_JSON_NUMBER));
        CHECK(gk_json_number(value, NULL) == (kind == GK_JSON_NUMBER));
        CHECK(gk_json_bool(value, NULL) == (kind == GK_JSON_BOOL));
        CHECK((value == NULL) == (kind == GK_JSON_MISSING));
        CHECK(kind == GK_JSON_LIST || gk_json_len(value) == 0);
    }
    gk_json_free(json);
}

static void refused(void) {
    gk_error err;
    gk_json *none = (gk_json *)&err;
    const char *wrong[] = {"",     " ",     "{",           "{}x",         "{\"a\":1,\"a\":2}",
                           "[1,]", "01",    "nul",         "\"\\ud800\"", "\xEF\xBB\xBF{}",
                           "'a'",  "{a:1}", "\"caf\xE9\"", "1e999",       "[1] [2]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        none = (gk_json *)&err;
        FAILS(GK_STATUS_INVALID_ARGUMENT, gk_json_parse(wrong[i], strlen(wrong[i]), &none, &err));
        CHECK(none == NULL);
    }
    NO_HANDLE(gk_json, gk_json_parse, NOTEXT);
    REFUSED(gk_json_parse, GK_TEXT("{}"), NULL);
    /* As deep as is read, and one more. */
    char deep[80];
    for (size_t depth = 32; depth <= 33; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        const gk_status status = gk_json_parse(deep, 2 * depth, &none, &err);
        CHECK(status == (depth == 32 ? GK_STATUS_OK : GK_STATUS_INVALID_ARGUMENT));
        gk_json_free(none);
    }
    /* As long as is read, and one more. */
    const size_t most = 16 * 1024 * 1024;
    char *spaces = malloc(most + 1);
    CHECK(spaces != NULL);
    memset(spaces, ' ', most + 1);
    memcpy(spaces, "[]", 2);
    MUST(gk_json_parse(spaces, most, &none, &err));
    gk_json_free(none);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_json_parse(spaces, most + 1, &none, &err));
    free(spaces);

    gk_json_free(NULL);
    CHECK(gk_json_kind_of(NULL) == GK_JSON_MISSING && gk_json_member(NULL, GK_TEXT("a")) == NULL);
    CHECK(gk_json_len(NULL) == 0 && gk_json_at(NULL, 0) == NULL);
    CHECK(gk_json_name_at(NULL, 0).data == NULL && gk_json_text(NULL).data == NULL);
    CHECK(!gk_json_integer(NULL, NULL) && !gk_json_number(NULL, NULL) && !gk_json_bool(NULL, NULL));
    gk_json *object = parsed("{\"a\":1}");
    CHECK(gk_json_member(object, NULL, 3) == NULL && gk_json_member(object, "a", SIZE_MAX) == NULL);
    gk_json_free(object);
}

int main(int argc, char **argv) {
    CHECK(argc == 2 && calls_all(argv[1], "json.c", "gk_json_") == 11);
    values();
    refused();
    return passed("json");
}
