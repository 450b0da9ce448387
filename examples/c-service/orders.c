/* A service on libmicrohttpd with API keys, bearer tokens, and sessions in cookies:
 *
 *   orders [--port N] [--workers N] [--daemon PID_FILE]
 *
 * at 8080, in one process with threads, in the foreground, unless told.
 *
 * GATEKEY_STORE, such as sqlite:///auth.sqlite; GATEKEY_PUBLIC_URL, such as https://shop.example;
 * GATEKEY_CSRF_SECRET_FILE, with 32 random bytes; GATEKEY_TRUSTED_PROXIES, if one ends TLS;
 * PARTNER_ISSUER and PARTNER_JWKS, a file, if tokens of another issuer are taken. guarded.h is what
 * authentication adds, partner.h what that issuer does, serve.h how it runs; here are the routes.
 */
#define _GNU_SOURCE
#include "guarded.h"
#include "partner.h"
#include "serve.h"

static gk_guard_demand *reads, *writes, *logs_in, *open_to_all;

/* A log-in's form, as it arrives. */
struct form {
    struct MHD_PostProcessor *fields;
    size_t received;
    char user[64], password[64], csrf[128];
};

static struct form no_form; /* of a request without a body */

static const struct {
    const char *name, *password; /* yours have slow hashes */
} USERS[] = {{"alice", "correct horse battery staple"}};

/* {"caller":...,"kind":...}, by the writer of claims, which escapes. */
static enum MHD_Result says_who(struct MHD_Connection *connection, gk_guard_decision *decision) {
    const gk_access *who = gk_guard_decision_access(decision);
    const gk_str subject = gk_access_subject(who), kind = gk_access_kind_name(who);
    gk_claims *claims = gk_claims_new();
    gk_buf json = {NULL, 0};
    gk_error why;
    gk_claims_claim_str(claims, GK_TEXT("caller"), subject.data, subject.len);
    gk_claims_claim_str(claims, GK_TEXT("kind"), kind.data, kind.len);
    const gk_status status = gk_claims_to_json(claims, &json, &why);
    const enum MHD_Result done = answer(connection, decision, status ? 500 : 200,
                                        OF_TYPE("application/json"), (gk_str){json.data, json.len});
    gk_buf_free(&json);
    gk_claims_free(claims);
    return done;
}

static enum MHD_Result jwks(struct MHD_Connection *connection, gk_guard_decision *decision) {
    gk_buf json = {NULL, 0};
    gk_error why;
    const gk_status status = gk_key_ring_to_jwks(ring, &json, &why);
    const enum MHD_Result done = answer(connection, decision, status ? 500 : 200,
                                        OF_TYPE("application/json"), (gk_str){json.data, json.len});
    gk_buf_free(&json);
    return done;
}

static enum MHD_Result form_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *file, const char *type, const char *encoding,
                                  const char *data, uint64_t at, size_t len) {
    struct form *form = cls;
    char *field = strcmp(name, "user") == 0       ? form->user
                  : strcmp(name, "password") == 0 ? form->password
                  : strcmp(name, "csrf") == 0     ? form->csrf
                                                  : NULL;
    const size_t room = field == form->csrf ? sizeof form->csrf : sizeof form->user;
    (void)kind, (void)file, (void)type, (void)encoding;
    if (field == NULL || at + len >= room) return MHD_NO;
    if (len > 0) memcpy(field + at, data, len);
    return MHD_YES;
}

/* Only from a page of ours: else a page of another site would log its visitors in as a user of its
 * choice. Browsers say where a request comes from; those that do not send the form's token. */
static enum MHD_Result log_in(struct MHD_Connection *connection, struct form *form) {
    struct asked asked;
    gk_guard_decision *decision = NULL;
    bool good = false;
    gk_error why;
    ask(&asked, connection, "POST", "/log-in");
    asked.request.csrf_field = (gk_str){form->csrf, strlen(form->csrf)};
    const gk_status refused = gk_guard_check(guard, &asked.request, logs_in, &decision, &why);
    if (refused) {
        fprintf(stderr, "%s %s: %s\n", asked.peer, gk_status_name(refused), why.message);
        return answer(connection, decision, 0, NULL, (gk_str){NULL, 0});
    }
    for (size_t i = 0; i < sizeof USERS / sizeof *USERS; i++)
        good |= !strcmp(form->user, USERS[i].name) && !strcmp(form->password, USERS[i].password);
    if (!good)
        return answer(connection, decision, 401, OF_TYPE("text/plain"),
                      (gk_str){GK_TEXT("No such user, or another password.\n")});
    gk_guard_decision_free(decision);
    gk_claims *claims = gk_claims_new();
    gk_session_spec *spec = gk_session_spec_new();
    gk_claims_claim_str(claims, GK_TEXT("scope"), GK_TEXT("orders:read orders:write"));
    gk_session_spec_claims(spec, claims);
    const gk_status status =
        gk_guard_log_in(guard, form->user, strlen(form->user), spec, &decision, &why);
    if (status && gk_guard_refuse(guard, status, logs_in, &decision, &why))
        fprintf(stderr, "log-in: %s: %s\n", gk_status_name(why.status), why.message);
    gk_session_spec_free(spec);
    gk_claims_free(claims);
    return answer(connection, decision, 204, NULL, (gk_str){NULL, 0});
}

/* The page of the form, with a token for it. */
static enum MHD_Result log_in_page(struct MHD_Connection *connection, const struct asked *asked,
                                   gk_guard_decision *decision) {
    char page[512];
    gk_buf token = {NULL, 0}, cookie = {NULL, 0};
    gk_error why;
    const gk_status status = gk_guard_form_token(guard, &asked->request, &token, &cookie, &why);
    const int length = snprintf(
        page, sizeof page,
        "<!doctype html><title>Log in</title><form method=post><input name=user autocomplete="
        "username><input name=password type=password><input name=csrf type=hidden value=\"%s\">"
        "<button>Log in</button></form>\n",
        status ? "" : token.data);
    const char *const own[] = {"Content-Type", "text/html", "Set-Cookie", cookie.data, NULL};
    const enum MHD_Result done =
        answer(connection, decision, status ? 500 : 200, own, (gk_str){page, (size_t)length});
    gk_buf_free(&token);
    gk_buf_free(&cookie);
    return done;
}

/* For a body that is a form; NULL for others. */
static struct form *new_form(struct MHD_Connection *connection) {
    struct form *form = calloc(1, sizeof *form);
    if (form == NULL) return NULL;
    form->fields = MHD_create_post_processor(connection, 1024, form_field, form);
    if (form->fields != NULL) return form;
    free(form);
    return NULL;
}

/* What has no body is answered at the second call, which keeps the connection; what has one is
 * decided before it is read, but for a log-in's form, which is short. */
static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **kept) {
    (void)cls, (void)version;
    const bool gets = strcmp(method, "GET") == 0, posts = strcmp(method, "POST") == 0;
    const bool enters = posts && strcmp(path, "/log-in") == 0;
    if (*kept == NULL && !has_body(connection)) {
        *kept = &no_form;
        return MHD_YES;
    }
    if (*kept == NULL && enters && (*kept = new_form(connection)) != NULL) return MHD_YES;
    struct form *form = *kept == &no_form ? NULL : *kept;
    if (form != NULL && *size > 0) {
        const bool fits = (form->received += *size) <= 4096;
        const bool read = fits && MHD_post_process(form->fields, data, *size) == MHD_YES;
        *size = 0;
        return read ? MHD_YES : MHD_NO;
    }
    if (form != NULL) return log_in(connection, form);

    struct asked asked;
    gk_guard_decision *decision = NULL;
    gk_error why;
    gk_status status;
    const bool cancels = strcmp(method, "DELETE") == 0 && strncmp(path, "/orders/", 8) == 0 &&
                         path[8] != 0 && path[8 + strspn(path + 8, "0123456789")] == 0;
    const bool lists = gets && strcmp(path, "/orders") == 0;
    ask(&asked, connection, method, path);
    if (posts && strcmp(path, "/refresh") == 0)
        status = gk_guard_refresh(guard, &asked.request, NULL, &decision, &why);
    else if (posts && strcmp(path, "/log-out") == 0)
        status = gk_guard_log_out(guard, &asked.request, &decision, &why);
    else
        status = gk_guard_check(guard, &asked.request,
                                lists     ? reads
                                : cancels ? writes
                                : enters  ? logs_in
                                          : open_to_all,
                                &decision, &why);
    if (status) fprintf(stderr, "%s %s: %s\n", asked.peer, gk_status_name(status), why.message);
    if (status) return answer(connection, decision, 0, NULL, (gk_str){NULL, 0});
    if (enters)
        return answer(connection, decision, 415, OF_TYPE("text/plain"),
                      (gk_str){GK_TEXT("A form, please.\n")});
    if (lists || cancels) return says_who(connection, decision);
    if (posts && (strcmp(path, "/refresh") == 0 || strcmp(path, "/log-out") == 0))
        return answer(connection, decision, 204, NULL, (gk_str){NULL, 0});
    if (gets && strcmp(path, "/log-in") == 0) return log_in_page(connection, &asked, decision);
    if (gets && strcmp(path, "/.well-known/jwks.json") == 0) return jwks(connection, decision);
    return answer(connection, decision, 404, OF_TYPE("text/plain"),
                  (gk_str){GK_TEXT("Not found.\n")});
}

static void completed(void *cls, struct MHD_Connection *connection, void **kept,
                      enum MHD_RequestTerminationCode code) {
    struct form *form = *kept;
    (void)cls, (void)connection, (void)code;
    if (form == NULL || form == &no_form) return;
    MHD_destroy_post_processor(form->fields);
    explicit_bzero(form, sizeof *form);
    free(form);
    *kept = NULL;
}

static gk_guard_demand *built(gk_guard_demand_builder *builder) {
    gk_guard_demand *demand;
    must(gk_guard_demand_builder_build(builder, &demand, &err));
    must(gk_guard_check_demand(guard, demand, &err)); /* that a caller can meet it */
    gk_guard_demand_builder_free(builder);
    return demand;
}

int main(int argc, char **argv) {
    long port = 8080, workers = 0;
    const char *pid_file = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0) port = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--workers") == 0) workers = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--daemon") == 0) pid_file = argv[i + 1];
    }
    if (argc % 2 == 0 || port < 0 || port > 65535 || workers < 0 || workers > MOST_WORKERS)
        fprintf(stderr, "usage: orders [--port N] [--workers N] [--daemon PID_FILE]\n"), exit(2);
    const char *url = getenv("GATEKEY_STORE"), *path = getenv("GATEKEY_CSRF_SECRET_FILE");
    const char *origin = getenv("GATEKEY_PUBLIC_URL"); /* of our own pages */
    uint8_t secret[32];
    FILE *file = path == NULL ? NULL : fopen(path, "rb");
    if (url == NULL || origin == NULL || file == NULL || fread(secret, sizeof secret, 1, file) != 1)
        fprintf(stderr, "no GATEKEY_STORE, _PUBLIC_URL or _CSRF_SECRET_FILE with 32 bytes\n"),
            exit(2);
    fclose(file);
    const char *partner = getenv("PARTNER_ISSUER"), *keys = getenv("PARTNER_JWKS");
    gk_resource_server_builder *tokens =
        partner != NULL && keys != NULL ? tokens_of(partner, keys, origin) : NULL;
    open_guard(url, origin, getenv("GATEKEY_TRUSTED_PROXIES"), secret, tokens);
    gk_resource_server_builder_free(tokens);
    explicit_bzero(secret, sizeof secret);
    gk_guard_demand_builder *demand = gk_guard_demand_builder_new();
    gk_guard_demand_builder_scope(demand, GK_TEXT("orders:read"));
    reads = built(demand);
    demand = gk_guard_demand_builder_new();
    gk_guard_demand_builder_scope(demand, GK_TEXT("orders:write"));
    gk_guard_demand_builder_kind(demand, GK_ACCESS_SESSION);
    writes = built(demand);
    demand = gk_guard_demand_builder_new();
    gk_guard_demand_builder_public(demand);
    gk_guard_demand_builder_own_pages(demand);
    gk_guard_demand_builder_limit(demand, GK_TEXT("log-in"), GK_TEXT("5/min"));
    logs_in = built(demand);
    demand = gk_guard_demand_builder_new();
    gk_guard_demand_builder_public(demand);
    open_to_all = built(demand);

    const int code = run(listening((uint16_t)port), (int)workers, pid_file, handle, completed);
    gk_guard_demand_free(open_to_all);
    gk_guard_demand_free(logs_in);
    gk_guard_demand_free(writes);
    gk_guard_demand_free(reads);
    gk_guard_free(guard);
    gk_key_ring_free(ring);
    gk_store_free(store);
    return code;
}
