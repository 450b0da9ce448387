/* What is put together for OAuth: an OAuth client, log-ins, log-outs, grants, exchanges, remote
 * keys, a transport, a token manager. Every setter with no handle, with what is no argument, with
 * a value that is wrong (the call that uses it names the member), and with one that is right.
 *
 * usage: oauth_setters ROOT, the directory of the repository */
#include "refuse.h"

#include "oauth.h"

static const uint8_t PEPPER[32] = {1};
static gk_error err;
static gk_http *http;
static gk_oauth_client *client;
static int releases = 0;

static uint64_t now(void *user) {
    (void)user;
    return 1800000000;
}
static bool fill_random(void *user, uint8_t *out, size_t len) {
    (void)user;
    memset(out, 7, len);
    return true;
}
static void released(void *user) { ++*(int *)user; }

/* ---- what each of them is used by ---- */

static gk_oauth_config *fresh_gk_oauth_config(void) {
    gk_oauth_config *fresh = gk_oauth_config_new();
    gk_oauth_config_client_id(fresh, GK_TEXT("c"));
    gk_oauth_config_endpoint(fresh, GK_TEXT("token_endpoint"), GK_TEXT("https://auth.example/t"));
    gk_oauth_config_endpoint(fresh, GK_TEXT("authorization_endpoint"),
                             GK_TEXT("https://auth.example/a"));
    gk_oauth_config_endpoint(fresh, GK_TEXT("end_session_endpoint"),
                             GK_TEXT("https://auth.example/e"));
    gk_oauth_config_redirect_uri(fresh, GK_TEXT("https://app.example/cb"));
    return fresh;
}
static gk_status use_gk_oauth_config(const gk_oauth_config *built, gk_error *why) {
    gk_oauth_client *made = NULL;
    const gk_status status = gk_oauth_client_new(built, &made, why);
    CHECK((made != NULL) == (status == GK_STATUS_OK));
    gk_oauth_client_free(made);
    return status;
}

/* An operation that was made, or not; it is freed. */
static gk_status made(gk_status status, gk_operation *operation) {
    CHECK((operation != NULL) == (status == GK_STATUS_OK));
    gk_operation_free(operation);
    return status;
}

static gk_login_options *fresh_gk_login_options(void) { return gk_login_options_new(); }
static gk_status use_gk_login_options(const gk_login_options *built, gk_error *why) {
    gk_operation *begun = NULL;
    const gk_status status = gk_oauth_client_begin(client, built, NULL, 0, &begun, why);
    return made(status, begun);
}

static gk_logout_options *fresh_gk_logout_options(void) { return gk_logout_options_new(); }
static gk_status use_gk_logout_options(const gk_logout_options *built, gk_error *why) {
    gk_operation *begun = NULL;
    const gk_status status = gk_oauth_client_logout_url(client, built, &begun, why);
    return made(status, begun);
}

static gk_token_grant *fresh_gk_token_grant(void) { return gk_token_grant_new(); }
static gk_status use_gk_token_grant(const gk_token_grant *built, gk_error *why) {
    gk_operation *begun = NULL;
    const gk_status status = gk_oauth_client_client_credentials(client, built, &begun, why);
    return made(status, begun);
}

static gk_token_exchange *fresh_gk_token_exchange(void) {
    gk_token_exchange *fresh = gk_token_exchange_new();
    gk_token_exchange_subject(fresh, GK_TEXT("t"), NULL, 0);
    return fresh;
}
static gk_status use_gk_token_exchange(const gk_token_exchange *built, gk_error *why) {
    gk_operation *begun = NULL;
    const gk_status status = gk_oauth_client_token_exchange(client, built, &begun, why);
    return made(status, begun);
}

static gk_remote_key_set_options *fresh_gk_remote_key_set_options(void) {
    gk_remote_key_set_options *fresh = gk_remote_key_set_options_new();
    gk_remote_key_set_options_url(fresh, GK_TEXT("https://auth.example/k"));
    return fresh;
}
static gk_status use_gk_remote_key_set_options(const gk_remote_key_set_options *built,
                                               gk_error *why) {
    gk_remote_key_set *keys = NULL;
    const gk_status status = gk_remote_key_set_new(built, http, &keys, why);
    CHECK((keys != NULL) == (status == GK_STATUS_OK));
    gk_remote_key_set_free(keys);
    return status;
}

static gk_http_options *fresh_gk_http_options(void) { return gk_http_options_new(); }
static gk_status use_gk_http_options(const gk_http_options *built, gk_error *why) {
    gk_http *opened = NULL;
    const gk_status status = gk_http_new(built, &opened, why);
    CHECK((opened != NULL) == (status == GK_STATUS_OK));
    gk_http_free(opened);
    return status;
}

static gk_token_manager_options *fresh_gk_token_manager_options(void) {
    return gk_token_manager_options_new();
}
static gk_status use_gk_token_manager_options(const gk_token_manager_options *built,
                                              gk_error *why) {
    gk_token_manager *manager = NULL;
    const gk_status status = gk_token_manager_new(client, http, built, &manager, why);
    CHECK((manager != NULL) == (status == GK_STATUS_OK));
    gk_token_manager_free(manager);
    return status;
}

/* ---- what is wrong in the same way with all of them ---- */

/* A value that is wrong: the call that uses it names the member, and what is set later does not
 * change that. */
#define WRONG(type, status, member, setter, ...)                                                   \
    do {                                                                                           \
        type *built = fresh_##type();                                                              \
        CALL(type##_##setter)(built, __VA_ARGS__);                                                 \
        FAILS(status, use_##type(built, &err));                                                    \
        if (strcmp(gk_error_claim(&err), member) != 0)                                             \
            fprintf(stderr, "%s: the member is \"%s\"\n", #type "_" #setter,                       \
                    gk_error_claim(&err));                                                         \
        CHECK(strcmp(gk_error_claim(&err), member) == 0);                                          \
        CHECK(strstr(err.message, member) != NULL);                                                \
        CHECK(use_##type(built, NULL) == status);                                                  \
        type##_free(built);                                                                        \
    } while (0)
#define MISFIT(type, member, setter, ...)                                                          \
    WRONG(type, GK_STATUS_INVALID_CONFIGURATION, member, setter, __VA_ARGS__)
#define UNFIT(type, member, setter, ...)                                                           \
    WRONG(type, GK_STATUS_INVALID_ARGUMENT, member, setter, __VA_ARGS__)

/* A value that is right. */
#define FINE(type, setter, ...)                                                                    \
    do {                                                                                           \
        type *built = fresh_##type();                                                              \
        CALL(type##_##setter)(built, __VA_ARGS__);                                                 \
        MUST(use_##type(built, &err));                                                             \
        type##_free(built);                                                                        \
    } while (0)

/* One JSON object: no handle, no text, no JSON, no object, no such member. */
#define JSON_SETTER(type)                                                                          \
    do {                                                                                           \
        IGNORED(type##_json, NULL, GK_TEXT("{}"));                                                 \
        STICKS(type, type##_json, NOTEXT);                                                         \
        MISFIT(type, "", json, NULL, 0);                                                           \
        MISFIT(type, "", json, LATIN1);                                                            \
        MISFIT(type, "", json, GK_TEXT("{"));                                                      \
        MISFIT(type, "", json, GK_TEXT("[]"));                                                     \
        MISFIT(type, "typo", json, GK_TEXT("{\"typo\":1}"));                                       \
        FINE(type, json, GK_TEXT("{}"));                                                           \
    } while (0)

/* Two texts: each of them no text, no UTF-8. */
#define PAIR_SETTER(type, function, name)                                                          \
    do {                                                                                           \
        IGNORED(function, NULL, name, TEXT);                                                       \
        STICKS(type, function, NOTEXT, TEXT);                                                      \
        STICKS(type, function, LATIN1, TEXT);                                                      \
        STICKS(type, function, name, NOTEXT);                                                      \
        STICKS(type, function, name, LATIN1);                                                      \
    } while (0)

/* A callback: the pointer that belongs to it is released once, whatever becomes of it. */
#define CALLBACK_SETTER(type, function, good)                                                      \
    do {                                                                                           \
        releases = 0;                                                                              \
        IGNORED(function, NULL, good, &releases, released);                                        \
        CHECK(releases == 1);                                                                      \
        STICKS(type, function, NULL, &releases, released);                                         \
        CHECK(releases == 2);                                                                      \
        type *late = fresh_##type();                                                               \
        function(late, NULL, NULL, NULL);                                                          \
        function(late, good, &releases, released);                                                 \
        CHECK(releases == 3);                                                                      \
        type##_free(late);                                                                         \
        type *used = fresh_##type();                                                               \
        function(used, good, &releases, released);                                                 \
        MUST(use_##type(used, &err));                                                              \
        CHECK(releases == 3);                                                                      \
        type##_free(used);                                                                         \
        CHECK(releases == 4);                                                                      \
    } while (0)

/* A number or a flag. */
#define PLAIN_SETTER(type, setter, ...)                                                            \
    do {                                                                                           \
        IGNORED(type##_##setter, NULL, __VA_ARGS__);                                               \
        FINE(type, setter, __VA_ARGS__);                                                           \
    } while (0)

/* ---- each of them ---- */

static void configs(void) {
    JSON_SETTER(gk_oauth_config);
    MISFIT(gk_oauth_config, "client_id", json, GK_TEXT("{\"client_id\":1}"));
    MISFIT(gk_oauth_config, "quirks.no_pkce", json, GK_TEXT("{\"quirks\":{\"no_pkce\":1}}"));
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_client_id);
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_client_secret);
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_assertion_audience);
    PAIR_SETTER(gk_oauth_config, gk_oauth_config_assertion_header, TEXT);
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_auth_method);
    MISFIT(gk_oauth_config, "assertion_audience", assertion_audience, GK_TEXT("token"));
    FINE(gk_oauth_config, assertion_audience, GK_TEXT("token_endpoint"));
    MISFIT(gk_oauth_config, "token_endpoint_auth_method", auth_method, GK_TEXT("secret"));
    FINE(gk_oauth_config, auth_method, GK_TEXT("none"));
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_issuer);
    FINE(gk_oauth_config, issuer, GK_TEXT("https://auth.example"));
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_preset);
    MISFIT(gk_oauth_config, "preset", preset, GK_TEXT("nobody"));
    FINE(gk_oauth_config, preset, GK_TEXT("google"));
    MISFIT(gk_oauth_config, "variables.domain", preset,
           GK_TEXT("auth0")); /* the variable that is missing */
    PAIR_SETTER(gk_oauth_config, gk_oauth_config_variable, TEXT);
    MISFIT(gk_oauth_config, "variables.domain", variable, GK_TEXT("domain"),
           GK_TEXT("acme.example"));
    gk_oauth_config *both = fresh_gk_oauth_config();
    gk_oauth_config_preset(both, GK_TEXT("auth0"));
    gk_oauth_config_variable(both, GK_TEXT("domain"), GK_TEXT("acme.example"));
    MUST(use_gk_oauth_config(both, &err));
    gk_oauth_config_free(both);
    PAIR_SETTER(gk_oauth_config, gk_oauth_config_endpoint, GK_TEXT("jwks_uri"));
    MISFIT(gk_oauth_config, "typo", endpoint, GK_TEXT("typo"), GK_TEXT("https://auth.example/"));
    MISFIT(gk_oauth_config, "jwks_uri", endpoint, GK_TEXT("jwks_uri"), GK_TEXT("http://h/"));
    FINE(gk_oauth_config, endpoint, GK_TEXT("jwks_uri"), GK_TEXT("https://auth.example/k"));
    IGNORED(gk_oauth_config_quirks, NULL, GK_TEXT("{}"));
    STICKS(gk_oauth_config, gk_oauth_config_quirks, NOTEXT);
    MISFIT(gk_oauth_config, "quirks", quirks, LATIN1);
    MISFIT(gk_oauth_config, "quirks", quirks, GK_TEXT("[]"));
    MISFIT(gk_oauth_config, "quirks.typo", quirks, GK_TEXT("{\"typo\":true}"));
    MISFIT(gk_oauth_config, "quirks.no_nonce", quirks, GK_TEXT("{\"no_nonce\":\"yes\"}"));
    FINE(gk_oauth_config, quirks, GK_TEXT("{\"comma_scopes\":true}"));
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_metadata_url);
    MISFIT(gk_oauth_config, "metadata_url", metadata_url, GK_TEXT("http://h/"));
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_redirect_uri);
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_scopes);
    WRONG(gk_oauth_config, GK_STATUS_INVALID_ARGUMENT, "scopes", scopes, GK_TEXT("a \"b\""));
    FINE(gk_oauth_config, scopes, GK_TEXT(" openid  email "));
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_trusted_audience);
    FINE(gk_oauth_config, trusted_audience, TEXT);
    TEXT_SETTER(gk_oauth_config, gk_oauth_config_allowed_tenant);
    FINE(gk_oauth_config, allowed_tenant, TEXT);
    PLAIN_SETTER(gk_oauth_config, discover, false);
    PLAIN_SETTER(gk_oauth_config, require_pkce, true);
    PLAIN_SETTER(gk_oauth_config, allow_loopback_http, true);
    PLAIN_SETTER(gk_oauth_config, leeway, 600);
    PLAIN_SETTER(gk_oauth_config, deadline_ms, 1);

    const gk_alg algs[] = {GK_ALG_ES256, 99};
    IGNORED(gk_oauth_config_id_token_algorithms, NULL, algs, 1);
    STICKS(gk_oauth_config, gk_oauth_config_id_token_algorithms, NULL, 1);
    STICKS(gk_oauth_config, gk_oauth_config_id_token_algorithms, algs, 2);
    FINE(gk_oauth_config, id_token_algorithms, algs, 1);

    IGNORED(gk_oauth_config_flow_key, NULL, 1, PEPPER, sizeof PEPPER);
    STICKS(gk_oauth_config, gk_oauth_config_flow_key, 1, NORAW);
    UNFIT(gk_oauth_config, "flow_keys", flow_key, 1, PEPPER, 15);
    UNFIT(gk_oauth_config, "flow_keys", flow_key, 0, PEPPER, sizeof PEPPER);
    FINE(gk_oauth_config, flow_key, 7, PEPPER, sizeof PEPPER);

    gk_key *key;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    IGNORED(gk_oauth_config_private_key, NULL, key);
    STICKS(gk_oauth_config, gk_oauth_config_private_key, NULL);
    FINE(gk_oauth_config, private_key, key);
    gk_key_free(key);
    gk_revocations *seen;
    MUST(gk_revocations_open(GK_TEXT("memory:"), NULL, &seen, &err));
    IGNORED(gk_oauth_config_replay, NULL, seen);
    STICKS(gk_oauth_config, gk_oauth_config_replay, NULL);
    FINE(gk_oauth_config, replay, seen);
    gk_revocations_free(seen);
    CALLBACK_SETTER(gk_oauth_config, gk_oauth_config_clock, now);
    CALLBACK_SETTER(gk_oauth_config, gk_oauth_config_random, fill_random);
}

/* JSON overrides what was set before, and what is set later overrides it. */
static void in_turn(void) {
    gk_oauth_config *config = fresh_gk_oauth_config();
    gk_oauth_config_leeway(config, 601);
    gk_oauth_config_json(config, GK_TEXT("{\"leeway\":600,\"deadline_ms\":0}"));
    gk_oauth_config_deadline_ms(config, 1);
    MUST(use_gk_oauth_config(config, &err));
    gk_oauth_config_json(config, GK_TEXT("{\"leeway\":601}"));
    FAILS(GK_STATUS_INVALID_ARGUMENT, use_gk_oauth_config(config, &err));
    gk_oauth_config_leeway(config, 60);
    MUST(use_gk_oauth_config(config, &err));
    /* What was wrong first is what is told. */
    gk_oauth_config_preset(config, GK_TEXT("nobody"));
    gk_oauth_config_auth_method(config, GK_TEXT("nothing"));
    gk_oauth_config_preset(config, GK_TEXT("github"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_oauth_config(config, &err));
    CHECK(strcmp(gk_error_claim(&err), "preset") == 0);
    gk_oauth_config_free(config);
    gk_token_exchange *exchange = gk_token_exchange_new();
    gk_token_exchange_json(exchange, GK_TEXT("{\"actor_token\":\"a\",\"audience\":\"x\"}"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_token_exchange(exchange, &err));
    CHECK(strcmp(gk_error_claim(&err), "subject_token") == 0);
    gk_token_exchange_json(exchange, GK_TEXT("{\"subject_token\":\"t\"}"));
    MUST(use_gk_token_exchange(exchange, &err));
    gk_token_exchange_free(exchange);
}

static void users(void) {
    JSON_SETTER(gk_login_options);
    MISFIT(gk_login_options, "max_age", json, GK_TEXT("{\"max_age\":\"1\"}"));
    TEXT_SETTER(gk_login_options, gk_login_options_scopes);
    UNFIT(gk_login_options, "scopes", scopes, GK_TEXT("a\\b"));
    TEXT_SETTER(gk_login_options, gk_login_options_return_to);
    FINE(gk_login_options, return_to, GK_TEXT("https://elsewhere.example"));
    TEXT_SETTER(gk_login_options, gk_login_options_prompt);
    UNFIT(gk_login_options, "prompt", prompt, GK_TEXT("log\nin"));
    TEXT_SETTER(gk_login_options, gk_login_options_login_hint);
    UNFIT(gk_login_options, "login_hint", login_hint, NULL, 0);
    TEXT_SETTER(gk_login_options, gk_login_options_acr_values);
    UNFIT(gk_login_options, "acr_values", acr_values, GK_TEXT("gold\t"));
    TEXT_SETTER(gk_login_options, gk_login_options_resource);
    UNFIT(gk_login_options, "resources", resource, GK_TEXT("\x7f"));
    PAIR_SETTER(gk_login_options, gk_login_options_parameter, TEXT);
    UNFIT(gk_login_options, "parameters", parameter, NULL, 0, TEXT);
    UNFIT(gk_login_options, "parameters.audience", parameter, GK_TEXT("audience"), NULL, 0);
    UNFIT(gk_login_options, "parameters.state", parameter, GK_TEXT("state"), TEXT);
    FINE(gk_login_options, parameter, GK_TEXT("audience"), TEXT);
    PLAIN_SETTER(gk_login_options, max_age, 60);

    TEXT_SETTER(gk_logout_options, gk_logout_options_id_token);
    FINE(gk_logout_options, id_token, TEXT);
    TEXT_SETTER(gk_logout_options, gk_logout_options_post_logout_redirect_uri);
    UNFIT(gk_logout_options, "post_logout_redirect_uri", post_logout_redirect_uri,
          GK_TEXT("https://a\n"));
    TEXT_SETTER(gk_logout_options, gk_logout_options_state);
    UNFIT(gk_logout_options, "state", state, GK_TEXT("\n"));
    FINE(gk_logout_options, state, TEXT);
}

static void machines(void) {
    JSON_SETTER(gk_token_grant);
    MISFIT(gk_token_grant, "resources", json, GK_TEXT("{\"resources\":\"a\"}"));
    TEXT_SETTER(gk_token_grant, gk_token_grant_scopes);
    UNFIT(gk_token_grant, "scopes", scopes, GK_TEXT("a\""));
    TEXT_SETTER(gk_token_grant, gk_token_grant_resource);
    UNFIT(gk_token_grant, "resources", resource, GK_TEXT("\n"));
    PAIR_SETTER(gk_token_grant, gk_token_grant_parameter, TEXT);
    UNFIT(gk_token_grant, "parameters", parameter, GK_TEXT("\n"), TEXT);
    UNFIT(gk_token_grant, "parameters.audience", parameter, GK_TEXT("audience"), GK_TEXT("\n"));
    UNFIT(gk_token_grant, "parameters.scope", parameter, GK_TEXT("scope"), TEXT);
    FINE(gk_token_grant, parameter, GK_TEXT("audience"), TEXT);

    JSON_SETTER(gk_token_exchange);
    MISFIT(gk_token_exchange, "audience", json, GK_TEXT("{\"audience\":[]}"));
    PAIR_SETTER(gk_token_exchange, gk_token_exchange_subject, TEXT);
    MISFIT(gk_token_exchange, "subject_token", subject, NULL, 0, TEXT);
    PAIR_SETTER(gk_token_exchange, gk_token_exchange_actor, TEXT);
    FINE(gk_token_exchange, actor, TEXT, NULL, 0);
    TEXT_SETTER(gk_token_exchange, gk_token_exchange_requested_type);
    FINE(gk_token_exchange, requested_type, GK_TEXT("urn:ietf:params:oauth:token-type:jwt"));
    TEXT_SETTER(gk_token_exchange, gk_token_exchange_audience);
    FINE(gk_token_exchange, audience, TEXT);
    gk_token_grant *grant = granting("a\"", NULL);
    IGNORED(gk_token_exchange_grant, NULL, grant);
    STICKS(gk_token_exchange, gk_token_exchange_grant, NULL);
    UNFIT(gk_token_exchange, "scopes", grant, grant);
    gk_token_grant_scopes(grant, GK_TEXT("a"));
    FINE(gk_token_exchange, grant, grant);
    IGNORED(gk_token_manager_options_client_credentials, NULL, grant);
    FINE(gk_token_manager_options, client_credentials, grant);
    FINE(gk_token_manager_options, client_credentials, NULL);
    IGNORED(gk_token_manager_options_refresh_with, NULL, grant);
    FINE(gk_token_manager_options, refresh_with, grant);
    FINE(gk_token_manager_options, refresh_with, NULL);
    gk_token_grant_scopes(grant, LATIN1);
    STICKS(gk_token_exchange, gk_token_exchange_grant, grant);
    STICKS(gk_token_manager_options, gk_token_manager_options_refresh_with, grant);
    STICKS(gk_token_manager_options, gk_token_manager_options_client_credentials, grant);
    gk_token_grant_free(grant);

    TEXT_SETTER(gk_token_manager_options, gk_token_manager_options_folder);
    IGNORED(gk_token_manager_options_pepper, NULL, 1, PEPPER, sizeof PEPPER);
    STICKS(gk_token_manager_options, gk_token_manager_options_pepper, 1, NORAW);
    UNFIT(gk_token_manager_options, "pepper", pepper, 1, PEPPER, 15);
    UNFIT(gk_token_manager_options, "pepper", pepper, 0, PEPPER, sizeof PEPPER);
    FINE(gk_token_manager_options, pepper, 1, PEPPER, sizeof PEPPER);
}

static void keys_and_transports(void) {
    JSON_SETTER(gk_remote_key_set_options);
    WRONG(gk_remote_key_set_options, GK_STATUS_INVALID_ARGUMENT, "rsa_alg", json,
          GK_TEXT("{\"rsa_alg\":\"RS1\"}"));
    TEXT_SETTER(gk_remote_key_set_options, gk_remote_key_set_options_url);
    MISFIT(gk_remote_key_set_options, "url", url, GK_TEXT("http://auth.example/k"));
    TEXT_SETTER(gk_remote_key_set_options, gk_remote_key_set_options_issuer);
    MISFIT(gk_remote_key_set_options, "url", issuer, GK_TEXT("https://auth.example")); /* both */
    PLAIN_SETTER(gk_remote_key_set_options, ttl, 60);
    PLAIN_SETTER(gk_remote_key_set_options, ttl_between, 1, 366 * 86400);
    UNFIT(gk_remote_key_set_options, "min_ttl", ttl_between, 0, 60);
    UNFIT(gk_remote_key_set_options, "min_ttl", ttl_between, 61, 60);
    UNFIT(gk_remote_key_set_options, "max_ttl", ttl_between, 1, 366 * 86400 + 1);
    PLAIN_SETTER(gk_remote_key_set_options, cooldown, 86400);
    UNFIT(gk_remote_key_set_options, "cooldown", cooldown, 86401);
    PLAIN_SETTER(gk_remote_key_set_options, max_stale, 366 * 86400);
    UNFIT(gk_remote_key_set_options, "max_stale", max_stale, 366 * 86400 + 1);
    PLAIN_SETTER(gk_remote_key_set_options, rsa_alg, GK_ALG_PS256);
    STICKS(gk_remote_key_set_options, gk_remote_key_set_options_rsa_alg, GK_ALG_ANY);
    STICKS(gk_remote_key_set_options, gk_remote_key_set_options_rsa_alg, 99);
    PLAIN_SETTER(gk_remote_key_set_options, allow_loopback_http, true);
    PLAIN_SETTER(gk_remote_key_set_options, deadline_ms, 1);
    CALLBACK_SETTER(gk_remote_key_set_options, gk_remote_key_set_options_clock, now);
    gk_remote_key_set_options *issuer = gk_remote_key_set_options_new();
    gk_remote_key_set_options_issuer(issuer, GK_TEXT("auth.example"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_remote_key_set_options(issuer, &err));
    CHECK(strcmp(gk_error_claim(&err), "issuer") == 0);
    gk_remote_key_set_options_issuer(issuer, GK_TEXT("https://auth.example"));
    MUST(use_gk_remote_key_set_options(issuer, &err));
    gk_remote_key_set_options_metadata_url(issuer, GK_TEXT("https://auth.example/m"));
    MUST(use_gk_remote_key_set_options(issuer, &err));
    gk_remote_key_set_options_metadata_url(issuer, GK_TEXT("http://auth.example/m"));
    FAILS(GK_STATUS_INVALID_CONFIGURATION, use_gk_remote_key_set_options(issuer, &err));
    CHECK(strcmp(gk_error_claim(&err), "metadata_url") == 0);
    gk_remote_key_set_options_free(issuer);
    TEXT_SETTER(gk_remote_key_set_options, gk_remote_key_set_options_metadata_url);
    MISFIT(gk_remote_key_set_options, "metadata_url", metadata_url,
           GK_TEXT("https://auth.example/m")); /* of no issuer */

    JSON_SETTER(gk_http_options);
    TEXT_SETTER(gk_http_options, gk_http_options_proxy);
    FINE(gk_http_options, proxy, GK_TEXT("http://user:pass@proxy.example:3128"));
    MISFIT(gk_http_options, "proxy", proxy, GK_TEXT("https://proxy.example"));
    MISFIT(gk_http_options, "proxy", proxy, GK_TEXT("http://a%0d%0ab:c@proxy.example"));
    MISFIT(gk_http_options, "proxy", json,
           GK_TEXT("{\"proxy\":\"http://h:1\",\"public_only\":true}"));
    MISFIT(gk_http_options, "deadline_ms", json, GK_TEXT("{\"deadline_ms\":-1}"));
    UNFIT(gk_http_options, "client_key_pem", json, GK_TEXT("{\"client_certificate_pem\":\"\"}"));
    UNFIT(gk_http_options, "client_certificate_pem", json, GK_TEXT("{\"client_key_pem\":\"\"}"));
    PLAIN_SETTER(gk_http_options, allow_loopback_http, true);
    PLAIN_SETTER(gk_http_options, public_only, true);
    PLAIN_SETTER(gk_http_options, deadline_ms, 120000);
    UNFIT(gk_http_options, "deadline_ms", deadline_ms, 0);
    PLAIN_SETTER(gk_http_options, connect_ms, 1);
    UNFIT(gk_http_options, "connect_ms", connect_ms, 120001);
    IGNORED(gk_http_options_ca_pem, NULL, TEXT);
    STICKS(gk_http_options, gk_http_options_ca_pem, NOTEXT);
    MISFIT(gk_http_options, "ca_pem", ca_pem, LATIN1);
    MISFIT(gk_http_options, "ca_pem", ca_pem, NULL, 0); /* none, never all of them */
    IGNORED(gk_http_options_client_certificate_pem, NULL, TEXT, TEXT);
    STICKS(gk_http_options, gk_http_options_client_certificate_pem, NOTEXT, TEXT);
    STICKS(gk_http_options, gk_http_options_client_certificate_pem, TEXT, NOTEXT);
    MISFIT(gk_http_options, "client_key_pem", client_certificate_pem, TEXT, TEXT);
    gk_key *key;
    gk_buf pem;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_key_to_private_pem(key, &pem, &err));
    MISFIT(gk_http_options, "client_certificate_pem", client_certificate_pem, TEXT, pem.data,
           pem.len);
    gk_buf_free(&pem);
    gk_key_free(key);
}

/* Options that are used may be changed and used again, and freed. */
static void news_and_frees(void) {
    CALL(gk_oauth_config_free)(CALL(gk_oauth_config_new)());
    CALL(gk_login_options_free)(CALL(gk_login_options_new)());
    CALL(gk_logout_options_free)(CALL(gk_logout_options_new)());
    CALL(gk_token_grant_free)(CALL(gk_token_grant_new)());
    CALL(gk_token_exchange_free)(CALL(gk_token_exchange_new)());
    CALL(gk_remote_key_set_options_free)(CALL(gk_remote_key_set_options_new)());
    CALL(gk_http_options_free)(CALL(gk_http_options_new)());
    CALL(gk_token_manager_options_free)(CALL(gk_token_manager_options_new)());
    gk_oauth_config_free(NULL);
    gk_login_options_free(NULL);
    gk_logout_options_free(NULL);
    gk_token_grant_free(NULL);
    gk_token_exchange_free(NULL);
    gk_remote_key_set_options_free(NULL);
    gk_http_options_free(NULL);
    gk_token_manager_options_free(NULL);
}

int main(int argc, char **argv) {
    static const char *const HERE[] = {"gk_oauth_config_",   "gk_login_options_",
                                       "gk_logout_options_", "gk_token_grant_",
                                       "gk_token_exchange_", "gk_remote_key_set_options_",
                                       "gk_http_options_",   "gk_token_manager_options_"};
    CHECK(argc == 2);
    gk_oauth_config *config = fresh_gk_oauth_config();
    MUST(client_of(config, &client, &err));
    MUST(gk_http_new(NULL, &http, &err));
    configs();
    in_turn();
    users();
    machines();
    keys_and_transports();
    news_and_frees();
    gk_http_free(http);
    gk_oauth_client_free(client);
    CHECK(all_called(argv[1], HERE, sizeof HERE / sizeof *HERE, true) == 89);
    return passed("oauth_setters");
}
