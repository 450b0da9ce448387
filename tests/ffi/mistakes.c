/* Mistakes on purpose: the message of each names what was given, what is wanted and what to do, in
 * the words of C. One table: what is done, the status, and the words that must be in the message.
 */
#include "check.h"
#include "peppered.h"
#include "vectors.h"

#define NOW 1795000000
#define ISSUER "https://auth.example"
#define TOKEN "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r"

static gk_error err;
static gk_key *key;
static gk_key *rsa;
static gk_api_keys *keys;
static gk_buf api_key;

static uint64_t now(void *user) {
    (void)user;
    return NOW;
}

static gk_policy *policy(void) {
    gk_policy *made = gk_policy_new();
    gk_policy_clock(made, now, NULL, NULL);
    return made;
}

/* A token with these claims, that expires in a minute unless they say otherwise. */
static gk_buf signed_by(const gk_key *with, const char *claims, const char *typ) {
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_buf token;
    MUST(gk_signer_builder_new(with, &builder, &err));
    gk_signer_builder_no_ttl(builder);
    gk_signer_builder_allow_missing_exp(builder);
    gk_signer_builder_clock(builder, now, NULL, NULL);
    gk_signer_builder_typ(builder, typ, strlen(typ));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_sign_json(signer, claims, strlen(claims), &token, &err));
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    return token;
}

/* Consumes the policy. */
static gk_status presented(gk_policy *demanded, const char *token, size_t token_len) {
    gk_verifier *verifier = NULL;
    gk_verified *verified = NULL;
    gk_status status = gk_verifier_with_key(key, demanded, &verifier, &err);
    gk_policy_free(demanded);
    if (status != GK_STATUS_OK) return status;
    status = gk_verifier_verify(verifier, token, token_len, &verified, &err);
    CHECK(verified == NULL);
    gk_verifier_free(verifier);
    return status;
}

static gk_status claims_under(gk_policy *demanded, const char *claims, const char *typ) {
    gk_buf token = signed_by(key, claims, typ);
    const gk_status status = presented(demanded, token.data, token.len);
    gk_buf_free(&token);
    return status;
}

static gk_status claims(const char *json) { return claims_under(policy(), json, "JWT"); }

/* A good token between two texts. */
static gk_status between(const char *before, const char *after, size_t after_len) {
    char text[1024];
    gk_buf token = signed_by(key, "{\"exp\":1795000060}", "JWT");
    const size_t length = (size_t)snprintf(text, sizeof text, "%s%s", before, token.data);
    memcpy(text + length, after, after_len);
    gk_buf_free(&token);
    return presented(policy(), text, length + after_len);
}

static gk_status bearer(void) { return between("Bearer ", "", 0); }
static gk_status line_end(void) { return between("", "\n", 1); }
static gk_status end_of_string(void) { return between("", "", 1); }
static gk_status in_quotes(void) { return between("\"", "\"", 1); }
static gk_status jwe(void) {
    return presented(policy(), GK_TEXT("eyJhbGciOiJkaXIifQ..aaaa.bbbb.cccc"));
}
static gk_status an_api_key(void) { return presented(policy(), api_key.data, api_key.len); }
static gk_status a_pem(void) {
    return presented(policy(), GK_TEXT("-----BEGIN PUBLIC KEY-----\nMFkw\n"));
}
static gk_status opaque(void) { return presented(policy(), GK_TEXT("2YotnFZFEjr1zCsicMWpAA")); }
static gk_status padded(void) { return between("", "=", 1); }
static gk_status expired(void) { return claims("{\"exp\":1794999988}"); }
static gk_status early(void) { return claims("{\"exp\":1795000060,\"nbf\":1795000003}"); }
static gk_status no_exp(void) { return claims("{}"); }
static gk_status unnamed_audience(void) {
    return claims("{\"exp\":1795000060,\"aud\":\"orders\"}");
}
static gk_status unnamed_issuer(void) {
    return claims("{\"exp\":1795000060,\"iss\":\"" ISSUER "\"}");
}

static gk_status with_slash(void) {
    gk_policy *demanded = policy();
    gk_policy_expect_issuer(demanded, GK_TEXT(ISSUER));
    return claims_under(demanded, "{\"exp\":1795000060,\"iss\":\"" ISSUER "/\"}", "JWT");
}

static gk_status other_audience(void) {
    gk_policy *demanded = policy();
    gk_policy_expect_audience(demanded, GK_TEXT("orders"));
    return claims_under(demanded, "{\"exp\":1795000060,\"aud\":\"shop\"}", "JWT");
}

static gk_status other_type(void) {
    return claims_under(policy(), "{\"exp\":1795000060}", "at+jwt");
}

static gk_status required(void) {
    gk_policy *demanded = policy();
    gk_policy_require_claim(demanded, GK_TEXT("tid"));
    return claims_under(demanded, "{\"exp\":1795000060}", "JWT");
}

static gk_status too_long(void) {
    gk_policy *demanded = policy();
    gk_policy_max_token_bytes(demanded, 50);
    return claims_under(demanded, "{\"exp\":1795000060}", "JWT");
}

static gk_status much_leeway(void) {
    gk_policy *demanded = policy();
    gk_policy_leeway(demanded, 3600);
    return claims_under(demanded, "{\"exp\":1795000060}", "JWT");
}

static gk_status other_algorithm(void) {
    gk_buf token = signed_by(rsa, "{\"exp\":1795000060}", "JWT");
    const gk_status status = presented(policy(), token.data, token.len);
    gk_buf_free(&token);
    return status;
}

static gk_status in_milliseconds(void) {
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_buf token;
    MUST(gk_signer_builder_new(key, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    const gk_status status =
        gk_signer_sign_json(signer, GK_TEXT("{\"exp\":1795000060000}"), &token, &err);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    return status;
}

static gk_status short_secret(void) {
    gk_key *made = NULL;
    return gk_key_from_secret((const uint8_t *)"hunter2", 7, GK_ALG_HS256, &made, &err);
}

static gk_status pem_as_jwk(void) {
    gk_key *made = NULL;
    return gk_key_from_jwk(GK_TEXT("-----BEGIN PUBLIC KEY-----\nMFkw\n"), GK_ALG_ANY, &made, &err);
}

static gk_status number_as_kid(void) {
    gk_key *made = NULL;
    return gk_key_from_jwk(GK_TEXT("{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":7,\"k\":\"AAAA\"}"),
                           GK_ALG_ANY, &made, &err);
}

static gk_status path_as_key(void) {
    gk_key *made = NULL;
    return gk_key_from_pem(GK_TEXT("/etc/keys/key.pem"), GK_ALG_RS256, &made, &err);
}

static gk_status verify_key(const char *text, size_t text_len) {
    gk_api_key_result result;
    const gk_api_key_request request = {{text, text_len}, {NULL, 0}};
    return gk_api_keys_verify(keys, &request, NULL, &result, &err);
}

static gk_status token_for_a_key(void) {
    gk_buf token = signed_by(key, "{\"exp\":1795000060}", "JWT");
    const gk_status status = verify_key(token.data, token.len);
    gk_buf_free(&token);
    return status;
}

static gk_status end_of_key(void) { return verify_key(api_key.data, api_key.len + 1); }
static gk_status cut_key(void) { return verify_key(api_key.data, api_key.len - 1); }
static gk_status key_of_elsewhere(void) {
    return verify_key(GK_TEXT("acme_test_ZrGVsZGXxOYH_ReVXFsMBjAbUaIrqdRh3VbXGpYSRUf1fXuf0"));
}

static gk_status short_csrf(void) {
    gk_csrf *csrf = NULL;
    return gk_csrf_new((const uint8_t *)"short", 5, 0, &csrf, &err);
}

static gk_status client_with(void (*set)(gk_oauth_config *config)) {
    gk_oauth_client *client = NULL;
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_client_id(config, GK_TEXT("id"));
    gk_oauth_config_issuer(config, GK_TEXT(ISSUER));
    set(config);
    const gk_status status = gk_oauth_client_new(config, &client, &err);
    gk_oauth_config_free(config);
    return status;
}

static void over_http(gk_oauth_config *config) {
    gk_oauth_config_issuer(config, GK_TEXT("http://auth.example"));
}
static void by_no_method(gk_oauth_config *config) {
    gk_oauth_config_auth_method(config, GK_TEXT("basic"));
}
static void for_an_hour(gk_oauth_config *config) { gk_oauth_config_deadline_ms(config, 3600000); }
static gk_status http_issuer(void) { return client_with(over_http); }
static gk_status no_method(void) { return client_with(by_no_method); }
static gk_status long_deadline(void) { return client_with(for_an_hour); }

static gk_status store_at(const char *url) {
    gk_store *store = NULL;
    return opened_store(url, NULL, 0, &store, &err);
}

static gk_status key_as_store(void) { return store_at(api_key.data); }
static gk_status token_as_store(void) { return store_at(TOKEN); }
static gk_status jwk_as_store(void) { return store_at("{\"kty\":\"oct\",\"k\":\"eyJhbGci\"}"); }
static gk_status password_in_store(void) { return store_at("postgres://app:eyJhbGci@db/auth"); }

static gk_status revoked(gk_status (*revoke)(const gk_revocations *list)) {
    gk_store *store = store_under("memory:", (const uint8_t *)TOKEN, 32);
    gk_revocations *list = NULL;
    MUST(gk_store_revocations(store, NULL, &list, &err));
    const gk_status status = revoke(list);
    gk_revocations_free(list);
    gk_store_free(store);
    return status;
}

static gk_status of_subject(const gk_revocations *list) {
    return gk_revocations_revoke_subject(list, GK_TEXT(TOKEN), &err);
}
static gk_status of_key(const gk_revocations *list) {
    return gk_revocations_revoke_key(list, api_key.data, api_key.len, &err);
}
static gk_status token_as_subject(void) { return revoked(of_subject); }
static gk_status key_as_kid(void) { return revoked(of_key); }

static gk_status whole_key_revoked(void) {
    return gk_api_keys_revoke(keys, api_key.data, api_key.len, GK_TEXT("leaked"), &err);
}

static gk_status rotated_again(void) {
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_issued_api_key issued;
    gk_api_key_result result;
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    gk_api_key_spec_free(spec);
    const gk_api_key_request request = {{issued.secret.data, issued.secret.len}, {NULL, 0}};
    MUST(gk_api_keys_verify(keys, &request, NULL, &result, &err));
    const char *id = result.key_id;
    MUST(gk_api_keys_revoke(keys, id, strlen(id), GK_TEXT("leaked"), &err));
    gk_buf_free(&issued.secret);
    gk_buf_free(&issued.record);
    return gk_api_keys_rotate(keys, id, strlen(id), 0, &issued, &err);
}

static gk_status no_cursor(void) {
    gk_filter *filter = gk_filter_new();
    gk_buf page;
    gk_filter_cursor(filter, GK_TEXT("nope"));
    const gk_status status = gk_api_keys_list(keys, filter, &page, &err);
    gk_filter_free(filter);
    return status;
}

static gk_status two_in_one(void) {
    gk_policy *demanded = policy();
    gk_policy_require_claim(demanded, GK_TEXT("sub exp"));
    return claims_under(demanded, "{\"exp\":1795000060}", "JWT");
}

static gk_status large_header(void) {
    gk_policy *demanded = policy();
    gk_policy_max_header_bytes(demanded, 1000000000);
    return claims_under(demanded, "{\"exp\":1795000060}", "JWT");
}

/* A guard that lacks something, or is asked for what it lacks. */
static gk_status guard_with(void (*set)(gk_guard_builder *builder), gk_guard **guard) {
    gk_guard_builder *builder = gk_guard_builder_new();
    set(builder);
    const gk_status status = gk_guard_builder_build(builder, guard, &err);
    gk_guard_builder_free(builder);
    return status;
}
static void with_nothing(gk_guard_builder *builder) { (void)builder; }
static void with_keys(gk_guard_builder *builder) { gk_guard_builder_api_keys(builder, keys); }
static void with_quotes(gk_guard_builder *builder) {
    with_keys(builder);
    gk_guard_builder_realm(builder, GK_TEXT("\"shop\""));
}
static void with_no_proxy(gk_guard_builder *builder) {
    with_keys(builder);
    gk_guard_builder_forwarded_header(builder, GK_TEXT("Forwarded"));
}
static gk_status guard_of_nothing(void) {
    gk_guard *none = NULL;
    return guard_with(with_nothing, &none);
}
static gk_status quoted_realm(void) {
    gk_guard *none = NULL;
    return guard_with(with_quotes, &none);
}
static gk_status no_proxy(void) {
    gk_guard *none = NULL;
    return guard_with(with_no_proxy, &none);
}
static gk_status guarded(gk_status (*act)(const gk_guard *guard)) {
    gk_guard *guard = NULL;
    MUST(guard_with(with_keys, &guard));
    const gk_status status = act(guard);
    gk_guard_free(guard);
    return status;
}
static gk_status without_demand(const gk_guard *guard) {
    const gk_guard_request request = {{GK_TEXT("GET")}, {GK_TEXT("/")}, NULL, 0,
                                      {NULL, 0},        {NULL, 0},      0};
    gk_guard_decision *none = NULL;
    return gk_guard_check(guard, &request, NULL, &none, &err);
}
static gk_status without_sessions(const gk_guard *guard) {
    gk_guard_decision *none = NULL;
    return gk_guard_log_in(guard, GK_TEXT("alice"), NULL, &none, &err);
}
static gk_status no_demand(void) { return guarded(without_demand); }
static gk_status no_sessions(void) { return guarded(without_sessions); }
static gk_status scopes_in_one(void) {
    gk_guard_demand_builder *builder = gk_guard_demand_builder_new();
    gk_guard_demand *none = NULL;
    gk_guard_demand_builder_scope(builder, GK_TEXT("orders:read orders:write"));
    const gk_status status = gk_guard_demand_builder_build(builder, &none, &err);
    gk_guard_demand_builder_free(builder);
    return status;
}
static gk_status no_question(void) {
    gk_guard_attempt *attempt = gk_guard_attempt_new();
    gk_operation *none = NULL;
    const gk_status status = gk_guard_attempt_operation(attempt, &none, &err);
    gk_guard_attempt_free(attempt);
    return status;
}

static const struct {
    gk_status (*act)(void);
    gk_status status;
    const char *words;
} ROWS[] = {
    {bearer, GK_STATUS_MALFORMED_TOKEN, "`Bearer `|without"},
    {line_end, GK_STATUS_MALFORMED_TOKEN, "line end|strip"},
    {end_of_string, GK_STATUS_MALFORMED_TOKEN, "NUL|length"},
    {in_quotes, GK_STATUS_MALFORMED_TOKEN, "quotes|without"},
    {jwe, GK_STATUS_MALFORMED_TOKEN, "JWE|encrypted"},
    {an_api_key, GK_STATUS_MALFORMED_TOKEN, "API key"},
    {a_pem, GK_STATUS_MALFORMED_TOKEN, "PEM"},
    {opaque, GK_STATUS_MALFORMED_TOKEN, "opaque|three parts"},
    {padded, GK_STATUS_MALFORMED_TOKEN, "`=`|gk_policy_allow_padding"},
    {expired, GK_STATUS_EXPIRED, "`exp` was 12 s ago|gk_policy_leeway"},
    {early, GK_STATUS_NOT_YET_VALID, "`nbf` is in 3 s|gk_policy_leeway"},
    {no_exp, GK_STATUS_MISSING_CLAIM, "`exp`|gk_policy_allow_missing_exp"},
    {unnamed_audience, GK_STATUS_INVALID_AUDIENCE,
     "`aud` is `orders`|gk_policy_expect_audience|gk_policy_ignore_audience"},
    {unnamed_issuer, GK_STATUS_INVALID_ISSUER,
     "`iss`|gk_policy_expect_issuer|gk_policy_ignore_issuer"},
    {with_slash, GK_STATUS_INVALID_ISSUER, "slash|`iss`"},
    {other_audience, GK_STATUS_INVALID_AUDIENCE, "`aud` is `shop`, expected `orders`"},
    {other_type, GK_STATUS_INVALID_TYPE, "`typ` is `at+jwt`|gk_policy_expect_type"},
    {required, GK_STATUS_MISSING_CLAIM, "`tid`|required"},
    {too_long, GK_STATUS_TOKEN_TOO_LARGE, "`max_token_bytes`|at most 50"},
    {much_leeway, GK_STATUS_INVALID_CONFIGURATION, "`leeway`|600"},
    {other_algorithm, GK_STATUS_INVALID_ALGORITHM, "`alg` is RS256|expected HS256"},
    {in_milliseconds, GK_STATUS_INVALID_ARGUMENT, "`exp`|milliseconds"},
    {short_secret, GK_STATUS_WEAK_KEY, "7 bytes, at least 32|gk_key_generate"},
    {pem_as_jwk, GK_STATUS_INVALID_KEY, "PEM|from_pem"},
    {number_as_kid, GK_STATUS_INVALID_KEY, "`kid` is a number"},
    {path_as_key, GK_STATUS_INVALID_KEY, "path|read the file"},
    {token_for_a_key, GK_STATUS_MALFORMED_API_KEY, "token (JWT)"},
    {end_of_key, GK_STATUS_MALFORMED_API_KEY, "NUL|length"},
    {cut_key, GK_STATUS_MALFORMED_API_KEY, "checksum|cut"},
    {short_csrf, GK_STATUS_WEAK_KEY, "`secret`|32"},
    {http_issuer, GK_STATUS_INVALID_CONFIGURATION, "`issuer`|https|`allow_loopback_http`"},
    {no_method, GK_STATUS_INVALID_CONFIGURATION, "`auth_method`|client_secret_basic"},
    {long_deadline, GK_STATUS_INVALID_ARGUMENT, "`deadline`|120 s"},
    {key_as_store, GK_STATUS_INVALID_ARGUMENT, "API key|not shown|sqlite:///path"},
    {token_as_store, GK_STATUS_INVALID_ARGUMENT, "token (JWT)|not shown|sqlite:///path"},
    {jwk_as_store, GK_STATUS_INVALID_ARGUMENT, "JWK|not shown|sqlite:///path"},
    {password_in_store, GK_STATUS_INVALID_CONFIGURATION, "PostgreSQL|pepper"},
    {token_as_subject, GK_STATUS_INVALID_ARGUMENT, "whole token|`sub`|Nothing was revoked"},
    {key_as_kid, GK_STATUS_INVALID_ARGUMENT, "whole API key|id|Nothing was revoked"},
    {whole_key_revoked, GK_STATUS_INVALID_ARGUMENT, "whole API key|its id"},
    {rotated_again, GK_STATUS_INVALID_ARGUMENT, "revoked, for good"},
    {no_cursor, GK_STATUS_INVALID_ARGUMENT, "`cursor`|first page"},
    {two_in_one, GK_STATUS_INVALID_CONFIGURATION, "`required`|space|several"},
    {large_header, GK_STATUS_INVALID_CONFIGURATION, "`max_header_bytes`|1048576"},
    {guard_of_nothing, GK_STATUS_INVALID_CONFIGURATION, "`tokens`|`api_keys`"},
    {quoted_realm, GK_STATUS_INVALID_CONFIGURATION, "realm|without quotes"},
    {no_proxy, GK_STATUS_INVALID_CONFIGURATION, "gk_guard_builder_trusted_proxy|never be read"},
    {no_demand, GK_STATUS_INVALID_ARGUMENT, "`demand` is NULL"},
    {no_sessions, GK_STATUS_INVALID_CONFIGURATION, "without sessions"},
    {scopes_in_one, GK_STATUS_INVALID_CONFIGURATION, "16 scopes|each on its own"},
    {no_question, GK_STATUS_INVALID_ARGUMENT, "no question|gk_guard_attempt_check"},
};

/* Names of Rust, of Python and of the command line. */
static const char *const FOREIGN[] = {"::",    "Policy", "policy ", "gatekey.ANY",
                                      "=True", "--",     "Some("};

static int wrong(size_t row) {
    char word[128];
    int count = 0;
    memset(&err, 0, sizeof err);
    const gk_status status = ROWS[row].act();
    const char *rest = ROWS[row].words;
    if (status != ROWS[row].status) {
        fprintf(stderr, "%zu: %s: %s\n", row, gk_status_name(status), err.message);
        count++;
    }
    while (*rest != 0) {
        const size_t length = strcspn(rest, "|");
        memcpy(word, rest, length);
        word[length] = 0;
        rest += length + (rest[length] != 0);
        if (strstr(err.message, word) != NULL) continue;
        fprintf(stderr, "%zu: no \"%s\" in: %s\n", row, word, err.message);
        count++;
    }
    for (size_t at = 0; at < sizeof FOREIGN / sizeof *FOREIGN; at++) {
        const char *found = strstr(err.message, FOREIGN[at]);
        if (found == NULL || strncmp(found, "-----", 5) == 0) continue;
        fprintf(stderr, "%zu: \"%s\" in: %s\n", row, FOREIGN[at], err.message);
        count++;
    }
    if (strstr(err.message, "eyJhbGci") != NULL || strstr(err.message, api_key.data) != NULL) {
        fprintf(stderr, "%zu: a secret in: %s\n", row, err.message);
        count++;
    }
    const char *public_message = gk_status_public_message(status);
    return count +
           (strstr(public_message, "orders") != NULL || strchr(public_message, '`') != NULL);
}

#ifndef GATEKEY_BEFORE_REMEDIES
/* The remedy is the end of the message, and lies in it. */
static void remedies(void) {
    CHECK(unnamed_audience() == GK_STATUS_INVALID_AUDIENCE);
    const char *remedy = gk_error_remedy(&err);
    CHECK(strstr(remedy, "gk_policy_expect_audience") != NULL &&
          strncmp(remedy, "Name it", 7) == 0);
    CHECK(remedy > err.message && strcmp(strstr(err.message, remedy), remedy) == 0);
    CHECK(strcmp(gk_error_claim(&err), "aud") == 0);
    CHECK(bearer() == GK_STATUS_MALFORMED_TOKEN);
    CHECK(gk_error_remedy(&err)[0] == 0 && gk_error_remedy(NULL)[0] == 0);
    gk_policy *fine = policy();
    gk_verifier *verifier = NULL;
    MUST(gk_verifier_with_key(key, fine, &verifier, &err));
    CHECK(gk_error_remedy(&err)[0] == 0 && gk_error_claim(&err)[0] == 0);
    gk_verifier_free(verifier);
    gk_policy_free(fine);
}
#endif

int main(int argc, char **argv) {
    CHECK(argc == 2);
    int failed = 0;
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_issued_api_key issued;
    static const uint8_t PEPPER[32] = {1, 2, 3};
    gk_store *store = store_under("memory:", PEPPER, sizeof PEPPER);
    MUST(gk_key_generate(GK_ALG_HS256, &key, &err));
    rsa = fixed_key(argv[1], "rs256");
    MUST(gk_store_api_keys(store, NULL, &keys, &err));
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    api_key = issued.secret;
    for (size_t row = 0; row < sizeof ROWS / sizeof *ROWS; row++) {
        const int found = wrong(row);
        failed += found > 0;
        checks_made++;
    }
    if (failed > 0) fprintf(stderr, "%d of %zu are wrong\n", failed, sizeof ROWS / sizeof *ROWS);
    CHECK(failed == 0);
    CHECK(key_of_elsewhere() != GK_STATUS_OK);
#ifndef GATEKEY_BEFORE_REMEDIES
    remedies();
#endif
    gk_buf_free(&issued.secret);
    gk_buf_free(&issued.record);
    gk_api_keys_free(keys);
    gk_api_key_spec_free(spec);
    gk_store_free(store);
    gk_key_free(rsa);
    gk_key_free(key);
    printf("mistakes: ok (%d checks)\n", checks_made);
    return 0;
}
