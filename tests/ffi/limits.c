/* Limits that machines share, from C: two stores and two guards, as two machines have them. Its
   argument is the URL of a Valkey. */
#include "check.h"
#include "peppered.h"

static const uint8_t PEPPER[32] = {7};

static gk_status opened(const char *url, gk_store **store, gk_error *err) {
    gk_store_options *options = gk_store_options_new();
    gk_store_options_pepper(options, 1, PEPPER, sizeof PEPPER);
    gk_store_options_limits(options, url, strlen(url));
    gk_store_options_strict(options, true);
    const gk_status status = gk_store_open(GK_TEXT("memory:"), options, store, err);
    gk_store_options_free(options);
    return status;
}

static bool says(const gk_buf *json, const char *text) {
    return json->data != NULL && strstr((const char *)json->data, text) != NULL;
}

/* A limit of five that two guards count together: one over what is in a store, and one with its
 * own. Whether neither was alone, as one may be whose first connection takes a busy machine long.
 */
static bool guards(const char *url, const char *name) {
    gk_error err;
    gk_store *store = NULL;
    gk_api_keys *keys = NULL;
    MUST(opened(url, &store, &err));
    MUST(gk_store_api_keys(store, NULL, &keys, &err));
    gk_guard *both[2] = {NULL, NULL};
    gk_api_keys *own = NULL;
    gk_store *plain = store_under("memory:", PEPPER, sizeof PEPPER);
    MUST(gk_store_api_keys(plain, NULL, &own, &err));
    for (int i = 0; i < 2; i++) {
        gk_guard_builder *builder = gk_guard_builder_new();
        gk_guard_builder_api_keys(builder, i == 0 ? keys : own);
        if (i == 1) gk_guard_builder_limits(builder, url, strlen(url));
        MUST(gk_guard_builder_build(builder, &both[i], &err));
        gk_guard_builder_free(builder);
    }
    gk_guard_demand_builder *public = gk_guard_demand_builder_new();
    gk_guard_demand_builder_public(public);
    gk_guard_demand_builder_limit(public, name, strlen(name), GK_TEXT("5/366d"));
    gk_guard_demand *demand = NULL;
    MUST(gk_guard_demand_builder_build(public, &demand, &err));
    gk_guard_demand_builder_free(public);
    int allowed = 0;
    for (int i = 0; i < 12; i++) {
        gk_guard_request request;
        memset(&request, 0, sizeof request);
        request.method = (gk_str){GK_TEXT("POST")};
        request.path = (gk_str){GK_TEXT("/log-in")};
        request.peer = (gk_str){GK_TEXT("192.0.2.1")};
        gk_guard_decision *decision = NULL;
        const gk_status status = gk_guard_check(both[i % 2], &request, demand, &decision, &err);
        CHECK(status == GK_STATUS_OK || status == GK_STATUS_RATE_LIMITED);
        if (gk_guard_decision_is_allowed(decision)) allowed++;
        gk_guard_decision_free(decision);
    }
    bool together = true;
    for (int i = 0; i < 2; i++) {
        gk_buf json;
        MUST(gk_guard_limits_state(both[i], &json, &err));
        together = together && says(&json, "\"connected\":true") && says(&json, "\"alone\":0");
        gk_buf_free(&json);
    }
    CHECK(!together || allowed == 5);
    gk_guard_demand_free(demand);
    for (int i = 0; i < 2; i++) gk_guard_free(both[i]);
    gk_api_keys_free(own);
    gk_api_keys_free(keys);
    gk_store_free(plain);
    gk_store_free(store);
    return together;
}

/* Once the server has answered. */
static void wait_for_server(const gk_api_keys *keys) {
    gk_error err;
    gk_status status = GK_STATUS_STORE_UNAVAILABLE;
    for (int i = 0; i < 20 && status != GK_STATUS_OK; i++)
        status = gk_api_keys_check_limits(keys, &err);
    MUST(status);
}

/* A key's rate, by what a store says and by what keys say for themselves. */
static void keys(const char *url) {
    gk_error err;
    gk_store *store = NULL;
    gk_api_keys *here = NULL, *there = NULL;
    MUST(opened(url, &store, &err));
    MUST(gk_store_api_keys(store, NULL, &here, &err));
    gk_api_key_options *options = gk_api_key_options_new();
    gk_api_key_options_limits(options, url, strlen(url));
    MUST(gk_store_api_keys(store, options, &there, &err));
    gk_api_key_options_free(options);
    wait_for_server(here);
    wait_for_server(there);
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    gk_api_key_spec_rate(spec, 4, 31622400);
    gk_issued_api_key issued;
    MUST(gk_api_keys_create(here, spec, &issued, &err));
    gk_api_key_spec_free(spec);
    int allowed = 0;
    for (int i = 0; i < 8; i++) {
        const gk_api_keys *one = i % 2 == 0 ? here : there;
        const gk_status status =
            gk_api_keys_verify(one, PRESENTED(LENT(issued.secret)), NULL, NULL, &err);
        if (status == GK_STATUS_OK) allowed++;
        CHECK(status == GK_STATUS_OK || status == GK_STATUS_RATE_LIMITED);
    }
    CHECK(allowed == 4);
    gk_buf json;
    MUST(gk_store_limits_state(store, &json, &err));
    CHECK(says(&json, "\"server\":\"redis://127.0.0.1:") && says(&json, "\"connected\":true"));
    gk_buf_free(&json);
    gk_issued_api_key_free(&issued);
    gk_api_keys_free(there);
    gk_api_keys_free(here);
    gk_store_free(store);
}

/* URLs that are none, and servers that are not there. */
static void refusals(void) {
    gk_error err;
    gk_store *store = NULL;
    CHECK(opened("redis://127.0.0.1:x", &store, &err) == GK_STATUS_INVALID_ARGUMENT);
    CHECK(opened("redis://cache.example", &store, &err) == GK_STATUS_INVALID_CONFIGURATION);
    CHECK(strstr(err.message, "TLS") != NULL);
    MUST(opened("redis://:Zx9%21kQ@127.0.0.1:1", &store, &err));
    gk_api_keys *keys = NULL;
    MUST(gk_store_api_keys(store, NULL, &keys, &err));
    CHECK(gk_api_keys_check_limits(keys, &err) == GK_STATUS_STORE_UNAVAILABLE);
    CHECK(strstr(err.message, "Zx9") == NULL);
    gk_buf json;
    MUST(gk_store_limits_state(store, &json, &err));
    CHECK(says(&json, "\"unreachable\":1") && !says(&json, "Zx9"));
    gk_buf_free(&json);
    gk_api_keys_free(keys);
    gk_store_free(store);
    gk_store *plain = store_under("memory:", PEPPER, sizeof PEPPER);
    MUST(gk_store_limits_state(plain, &json, &err));
    CHECK(json.data == NULL && json.len == 0);
    gk_store_free(plain);
    gk_guard_builder *builder = gk_guard_builder_new();
    gk_guard_builder_limits(builder, GK_TEXT("http://127.0.0.1"));
    gk_guard *guard = NULL;
    CHECK(gk_guard_builder_build(builder, &guard, &err) != GK_STATUS_OK);
    gk_guard_builder_free(builder);
}

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "";
    bool together = false;
    static const char *const names[] = {"log-in", "sign-in", "refresh", "reset", "invite"};
    for (size_t i = 0; i < 5 && !together; i++) together = guards(url, names[i]);
    CHECK(together);
    keys(url);
    refusals();
    return passed("limits");
}
