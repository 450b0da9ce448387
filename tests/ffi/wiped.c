/* What the library gives back to malloc holds no secret: tokens, keys, peppers, cookies. free and
 * realloc are this program's own, and look first. */
#include "freed.h" /* first: it chooses what the system's headers declare */

#include "check.h"
#include "peppered.h"

/* From now on no block that is freed may hold this. */
static void mark(const void *bytes, size_t len) { CHECK(freed_mark(bytes, len)); }

/* The text of a member of a JSON object. */
static gk_str member(const gk_buf *json, const char *name) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *at = strstr(json->data, wanted);
    CHECK(at != NULL);
    at += strlen(wanted);
    return (gk_str){at, strcspn(at, "\"")};
}

static void mark_member(const gk_buf *json, const char *name) {
    const gk_str text = member(json, name);
    mark(text.data, text.len);
}

/* Nothing was found since the last time. */
static void clean(const char *what) {
    if (freed_found() > 0) fprintf(stderr, "%s: %s\n", what, freed_where());
    CHECK(freed_found() == 0);
    freed_forget();
}

static gk_error err;

/* ---- what is driven ---- */

/* The look itself: it finds what is left, and nothing else. */
static void looks(void) {
    char *block = malloc(200);
    CHECK(block != NULL);
    mark("a secret of the test", 20);
    explicit_bzero(block, 200);
    free(block);
    CHECK(freed_found() == 0);
    block = malloc(200);
    CHECK(block != NULL);
    snprintf(block, 200, "%s", "here: a secret of the test");
    char *moved = realloc(block, 4000);
    CHECK(moved != NULL);
    CHECK(freed_found() == 1);
    explicit_bzero(moved, 4000); /* a memset before free is optimized away */
    free(moved);
    CHECK(freed_found() == 1);
    freed_forget();
}

static void keys(void) {
    static const uint8_t secret[] = "a shared secret of 43 bytes, for all HMACs.";
    gk_key *key = NULL, *again = NULL;
    gk_buf jwk, pem;
    mark(secret, sizeof secret - 1);
    MUST(gk_key_from_secret(secret, sizeof secret - 1, GK_ALG_HS256, &key, &err));
    MUST(gk_key_to_private_jwk(key, &jwk, &err));
    mark_member(&jwk, "k");
    MUST(gk_key_from_jwk(jwk.data, jwk.len, GK_ALG_HS256, &again, &err));
    gk_buf_free(&jwk);
    gk_key_free(key);
    gk_key_free(again);
    clean("keys of HMAC");
    const gk_alg algs[] = {GK_ALG_ES256, GK_ALG_ES512, GK_ALG_EDDSA, GK_ALG_ML_DSA_44,
                           GK_ALG_RS256};
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        freed_watch(false); /* what is made here is not known before */
        MUST(gk_key_generate(algs[i], &key, &err));
        MUST(gk_key_to_private_jwk(key, &jwk, &err));
        mark_member(&jwk, algs[i] == GK_ALG_ML_DSA_44 ? "priv" : "d");
        MUST(gk_key_to_private_pem(key, &pem, &err));
        const char *end = strstr(pem.data, "\n-----END");
        CHECK(end != NULL && end - pem.data > 60);
        mark(end - 24, 24);
        freed_watch(true);
        gk_key_free(key);
        MUST(gk_key_from_jwk(jwk.data, jwk.len, algs[i], &key, &err));
        MUST(gk_key_from_pem(pem.data, pem.len, algs[i], &again, &err));
        gk_buf_free(&jwk);
        gk_buf_free(&pem);
        MUST(gk_key_to_private_jwk(again, &jwk, &err));
        MUST(gk_key_to_private_pem(key, &pem, &err));
        gk_buf_free(&jwk);
        gk_buf_free(&pem);
        gk_key_free(key);
        gk_key_free(again);
        clean("private keys");
    }
}

#define PEPPER "a pepper of the tests, 32 bytes."

static void api_keys(void) {
    gk_api_keys *keys = NULL;
    gk_store_options *options = gk_store_options_new();
    gk_store *store = NULL;
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_issued_api_key issued, rotated;
    gk_api_key_result result;
    mark(PEPPER, 32);
    gk_store_options_pepper(options, 1, (const uint8_t *)PEPPER, 32);
    MUST(gk_store_open(GK_TEXT("memory:"), options, &store, &err));
    MUST(gk_store_api_keys(store, NULL, &keys, &err));
    gk_store_options_free(options);
    gk_store_free(store);
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    mark(issued.secret.data + 20, 24);
    MUST(gk_api_keys_verify(keys, PRESENTED(LENT(issued.secret)), NULL, &result, &err));
    MUST(gk_api_keys_rotate(keys, issued.key_id, strlen(issued.key_id), 60, &rotated, &err));
    mark(rotated.secret.data + 20, 24);
    MUST(gk_api_keys_verify(keys, PRESENTED(LENT(rotated.secret)), NULL, &result, &err));
    MUST(gk_api_keys_verify(keys, PRESENTED(LENT(issued.secret)), NULL, &result, &err));
    gk_issued_api_key_free(&issued);
    gk_issued_api_key_free(&rotated);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
    clean("API keys");
}

static void sessions(void) {
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_sessions *sessions = NULL;
    gk_claims *claims = NULL;
    gk_session_tokens first, second;
    gk_buf token;
    mark(PEPPER, 32);
    gk_store *store = store_under("memory:", (const uint8_t *)PEPPER, 32);
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_claims_from_json(GK_TEXT("{\"role\":\"of the test\"}"), &claims, &err));
    MUST(gk_store_sessions(store, signer, NULL, &sessions, &err));
    gk_store_free(store);
    /* The claims as they stand in a token: `{"role":"of the test`. */
    mark("eyJyb2xlIjoib2YgdGhlIHRlc3Q", 26);
    gk_session_spec *spec = gk_session_spec_new();
    gk_session_spec_claims(spec, claims);
    MUST(gk_sessions_start(sessions, GK_TEXT("alice"), spec, &first, &err));
    gk_session_spec_free(spec);
    mark(first.refresh_token.data + 8, 24);
    MUST(gk_sessions_refresh(sessions, first.refresh_token.data, first.refresh_token.len, NULL,
                             &second, &err));
    mark(second.refresh_token.data + 8, 24);
    MUST(
        gk_sessions_end(sessions, second.refresh_token.data, second.refresh_token.len, NULL, &err));
    gk_session_tokens_free(&first);
    gk_session_tokens_free(&second);
    MUST(gk_signer_sign(signer, claims, &token, &err));
    gk_buf_free(&token);
    MUST(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err));
    gk_buf_free(&token);
    gk_claims_free(claims);
    gk_sessions_free(sessions);
    gk_signer_free(signer);
    gk_key_free(key);
    clean("sessions");
}

/* The cookies of a guard's answers, and what it has read of a request's. */
static void guarded(void) {
    static const uint8_t csrf_secret[32] = "a CSRF secret of the test: 32 by";
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_sessions *sessions = NULL;
    gk_csrf *csrf = NULL;
    gk_session_cookies_builder *baking = NULL;
    gk_session_cookies *cookies = NULL;
    gk_guard *guard = NULL;
    gk_guard_demand *demand = NULL;
    gk_guard_decision *decision = NULL;
    gk_session_tokens tokens;
    gk_store *store = store_under("memory:", (const uint8_t *)PEPPER, 32);
    MUST(gk_key_generate(GK_ALG_HS256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_store_sessions(store, signer, NULL, &sessions, &err));
    mark(csrf_secret, sizeof csrf_secret);
    MUST(gk_csrf_new(csrf_secret, sizeof csrf_secret, 0, &csrf, &err));
    MUST(gk_session_cookies_builder_new(csrf, &baking, &err));
    MUST(gk_session_cookies_builder_build(baking, &cookies, &err));
    gk_guard_builder *guarding = gk_guard_builder_new();
    gk_guard_builder_sessions(guarding, sessions);
    gk_guard_builder_cookies(guarding, cookies);
    MUST(gk_guard_builder_build(guarding, &guard, &err));
    gk_guard_demand_builder *wanted = gk_guard_demand_builder_new();
    MUST(gk_guard_demand_builder_build(wanted, &demand, &err));

    MUST(gk_guard_log_in(guard, GK_TEXT("alice"), NULL, &decision, &err));
    MUST(gk_guard_decision_tokens(decision, &tokens, &err));
    mark(tokens.refresh_token.data + 8, 24);
    mark(strrchr(tokens.access_token.data, '.') + 1, 24);
    char cookie[2048];
    snprintf(cookie, sizeof cookie, "__Host-access=%s", tokens.access_token.data);
    const gk_header sent = {{GK_TEXT("Cookie")}, {cookie, strlen(cookie)}};
    const gk_guard_request request = {{GK_TEXT("GET")}, {GK_TEXT("/")}, &sent, 1,
                                      {NULL, 0},        {NULL, 0},      0};
    gk_guard_decision_free(decision);
    MUST(gk_guard_check(guard, &request, demand, &decision, &err));
    gk_guard_decision_free(decision);
    explicit_bzero(cookie, sizeof cookie);

    /* Refreshed twice at once, which gives the same tokens: so they are known before. */
    gk_buf csrf_token;
    MUST(gk_csrf_issue(csrf, tokens.family, strlen(tokens.family), &csrf_token, &err));
    snprintf(cookie, sizeof cookie, "__Host-refresh=%s", tokens.refresh_token.data);
    gk_session_tokens_free(&tokens);
    const gk_header page[] = {{{GK_TEXT("Cookie")}, {cookie, strlen(cookie)}},
                              {{GK_TEXT("Sec-Fetch-Site")}, {GK_TEXT("same-origin")}},
                              {{GK_TEXT("X-CSRF-Token")}, {csrf_token.data, csrf_token.len}}};
    const gk_guard_request post = {{GK_TEXT("POST")}, {GK_TEXT("/")}, page, 3,
                                   {NULL, 0},         {NULL, 0},      0};
    for (int i = 0; i < 2; i++) {
        MUST(gk_guard_refresh(guard, &post, NULL, &decision, &err));
        MUST(gk_guard_decision_tokens(decision, &tokens, &err));
        if (i == 0) mark(tokens.refresh_token.data + 8, 24);
        gk_session_tokens_free(&tokens);
        gk_guard_decision_free(decision);
    }
    gk_buf_free(&csrf_token);
    explicit_bzero(cookie, sizeof cookie);

    gk_guard_demand_free(demand);
    gk_guard_demand_builder_free(wanted);
    gk_guard_free(guard);
    gk_guard_builder_free(guarding);
    gk_session_cookies_free(cookies);
    gk_session_cookies_builder_free(baking);
    gk_csrf_free(csrf);
    gk_sessions_free(sessions);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_free(key);
    gk_store_free(store);
    clean("guarded");
}

#define ACCESS "ACCESS-0123456789abcdef-of-the-test"
#define REFRESH "REFRESH-0123456789abcdef-of-the-test"
#define CLIENT_SECRET "CLIENT-0123456789abcdef-of-the-test"
#define FLOW_KEY "FLOW-0123456789abcdef-of-the-test"
#define CODE "CODE-0123456789abcdef-of-the-test"

static const char answer[] =
    "{\"access_token\":\"" ACCESS
    "\",\"token_type\":\"Bearer\",\"expires_in\":600,\"refresh_token\":\"\\u0052"
    "EFRESH-0123456789abcdef-of-the-test\"}";

static void answered(gk_operation *operation) {
    gk_step step;
    gk_request request;
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_REQUEST);
    MUST(gk_operation_request(operation, &request, &err));
    const gk_response response = {200, NULL, 0, answer, sizeof answer - 1};
    MUST(gk_operation_feed(operation, &response, &err));
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind == GK_STEP_DONE);
}

/* Put together by its setters, or from JSON. */
static gk_oauth_client *client(bool from_json) {
    gk_oauth_client *client = NULL;
    gk_oauth_config *config = gk_oauth_config_new();
    gk_oauth_config_client_id(config, GK_TEXT("c"));
    if (from_json) {
        gk_oauth_config_json(
            config, GK_TEXT("{\"client_secret\":\"" CLIENT_SECRET
                            "\",\"flow_keys\":[{\"number\":1,\"secret\":\"" FLOW_KEY "\"}]}"));
    } else {
        gk_oauth_config_client_secret(config, GK_TEXT(CLIENT_SECRET));
        gk_oauth_config_flow_key(config, 1, (const uint8_t *)FLOW_KEY, sizeof FLOW_KEY - 1);
    }
    gk_oauth_config_endpoint(config, GK_TEXT("authorization_endpoint"),
                             GK_TEXT("https://a.example/a"));
    gk_oauth_config_endpoint(config, GK_TEXT("token_endpoint"), GK_TEXT("https://a.example/t"));
    gk_oauth_config_redirect_uri(config, GK_TEXT("https://app.example/cb"));
    MUST(gk_oauth_client_new(config, &client, &err));
    gk_oauth_config_free(config);
    return client;
}

static void mark_tokens(void) {
    mark(ACCESS, sizeof ACCESS - 1);
    mark(REFRESH, sizeof REFRESH - 1);
    mark(CLIENT_SECRET, sizeof CLIENT_SECRET - 1);
    mark(FLOW_KEY, sizeof FLOW_KEY - 1);
    mark(CODE, sizeof CODE - 1);
}

static void grants(gk_buf *kept) {
    gk_operation *operation = NULL;
    gk_oauth_tokens *tokens = NULL, *copy = NULL;
    gk_json *json = NULL;
    mark_tokens();
    gk_oauth_client *oauth = client(false);
    MUST(gk_oauth_client_client_credentials(oauth, NULL, &operation, &err));
    answered(operation);
    MUST(gk_operation_result(operation, kept, &err));
    MUST(gk_operation_json(operation, &json, &err));
    gk_json_free(json);
    gk_operation_free(operation);
    clean("a grant");
    mark_tokens();
    MUST(gk_oauth_tokens_from_json(kept->data, kept->len, &tokens, &err));
    copy = gk_oauth_tokens_clone(tokens);
    gk_oauth_tokens_free(tokens);
    MUST(gk_oauth_client_refresh(oauth, copy, &operation, &err));
    gk_oauth_tokens_free(copy);
    answered(operation);
    MUST(gk_operation_tokens(operation, &tokens, &err));
    gk_oauth_tokens_free(tokens);
    gk_operation_free(operation);
    clean("a refresh");
    mark_tokens();
    gk_oauth_client_free(oauth);
    clean("a client");
    mark_tokens();
    gk_oauth_client_free(client(true));
    gk_token_exchange *exchange = gk_token_exchange_new();
    gk_token_exchange_subject(exchange, GK_TEXT(ACCESS), NULL, 0);
    gk_token_exchange_actor(exchange, GK_TEXT(REFRESH), NULL, 0);
    gk_token_exchange_free(exchange);
    gk_logout_options *leaving = gk_logout_options_new();
    gk_logout_options_id_token(leaving, GK_TEXT(CODE));
    gk_logout_options_free(leaving);
    clean("what is put together");
}

static void managed(const gk_buf *kept, const char *folder) {
    gk_http *http = NULL;
    gk_token_manager *manager = NULL;
    gk_oauth_tokens *tokens = NULL, *same = NULL;
    gk_buf out;
    mark_tokens();
    mark(PEPPER, 32);
    gk_oauth_client *oauth = client(false);
    MUST(gk_http_new(NULL, &http, &err));
    gk_token_manager_options *options = gk_token_manager_options_new();
    if (folder != NULL) {
        gk_token_manager_options_folder(options, folder, strlen(folder));
        gk_token_manager_options_pepper(options, 1, (const uint8_t *)PEPPER, 32);
    }
    MUST(gk_token_manager_new(oauth, http, options, &manager, &err));
    gk_token_manager_options_free(options);
    MUST(gk_oauth_tokens_from_json(kept->data, kept->len, &tokens, &err));
    MUST(gk_token_manager_put(manager, GK_TEXT("n"), tokens, &err));
    gk_oauth_tokens_free(tokens);
    MUST(gk_token_manager_tokens(manager, GK_TEXT("n"), 0, &same, &err));
    gk_oauth_tokens_free(same);
    MUST(gk_token_manager_access_token(manager, GK_TEXT("n"), 0, &out, &err));
    gk_buf_free(&out);
    const gk_refused_token refused = {GK_TEXT("n"), GK_TEXT("another one")};
    MUST(gk_token_manager_replace(manager, &refused, &out, &err));
    gk_buf_free(&out);
    gk_token_manager_free(manager);
    gk_http_free(http);
    gk_oauth_client_free(oauth);
    clean(folder == NULL ? "a manager in memory" : "a manager with a folder");
}

static void browsers(void) {
    gk_cookie *cookie = NULL;
    gk_csrf *csrf = NULL;
    gk_buf header, token;
    gk_str value;
    mark(REFRESH, sizeof REFRESH - 1);
    mark(PEPPER, 32);
    MUST(gk_cookie_new(GK_TEXT("__Host-refresh"), NULL, &cookie, &err));
    MUST(gk_cookie_set(cookie, GK_TEXT(REFRESH), &header, &err));
    MUST(gk_cookie_read(cookie, GK_TEXT("a=b; __Host-refresh=" REFRESH), &value, &err));
    gk_buf_free(&header);
    gk_cookie_free(cookie);
    MUST(gk_csrf_new((const uint8_t *)PEPPER, 32, 0, &csrf, &err));
    MUST(gk_csrf_issue(csrf, GK_TEXT("a session"), &token, &err));
    gk_buf_free(&token);
    gk_csrf_free(csrf);
    clean("cookies");
}

int main(void) {
    gk_buf tokens;
    char folder[] = "/tmp/gatekey-wiped-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    freed_watch(true);
    looks();
    keys();
    api_keys();
    sessions();
    guarded();
    grants(&tokens);
    managed(&tokens, NULL);
    managed(&tokens, folder);
    browsers();
    gk_buf_free(&tokens);
    freed_watch(false);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
    return passed("wiped");
}
