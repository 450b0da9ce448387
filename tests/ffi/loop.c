/* Many operations in one event loop, driven by hand: what one of them asks for is asked once for
 * all, whatever becomes of that one. And the operations of a token manager. */
#define _GNU_SOURCE
#include "oauth.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define METADATA                                                                                   \
    "{\"issuer\":\"https://auth.example\",\"token_endpoint\":\"https://auth.example/t\","          \
    "\"authorization_endpoint\":\"https://auth.example/a\","                                       \
    "\"introspection_endpoint\":\"https://auth.example/i\"}"
#define KEY                                                                                        \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"EdDSA\",\"kid\":\"one\","                      \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define CONFIG                                                                                     \
    "\"issuer\":\"https://auth.example\",\"client_id\":\"c\",\"client_secret\":\"s\","             \
    "\"redirect_uri\":\"https://app.example/cb\""

enum { MANY = 50, SILENT = 3, MOST_TURNS = 100 };

static gk_error err;

static gk_oauth_client *client_with(const char *more) {
    char config[512];
    gk_oauth_client *client;
    snprintf(config, sizeof config, "{" CONFIG "%s}", more);
    MUST(client_of_json(config, &client, &err));
    return client;
}

/* A manager for event loops, in a folder unless NULL. */
static gk_token_manager *manager_of(const gk_oauth_client *client, const char *folder) {
    gk_token_manager *manager;
    gk_token_manager_options *options = gk_token_manager_options_new();
    gk_token_manager_options_client_credentials(options, NULL);
    if (folder != NULL) gk_token_manager_options_folder(options, MINE(folder));
    MUST(gk_token_manager_new(client, NULL, options, &manager, &err));
    gk_token_manager_options_free(options);
    return manager;
}

static gk_operation *renewal(const gk_token_manager *manager, const char *name) {
    gk_operation *operation;
    MUST(gk_token_manager_renewal(manager, MINE(name), 60, &operation, &err));
    return operation;
}

/* What an operation wants, which it must not fail at. */
static int32_t wants(gk_operation *operation) {
    gk_step step;
    MUST(gk_operation_next(operation, &step, &err));
    CHECK(step.kind != GK_STEP_WAIT || (step.wait_ms > 0 && step.wait_ms <= 50));
    return step.kind;
}

static bool asks_for(const gk_operation *operation, const char *purpose) {
    gk_request request;
    MUST(gk_operation_request(operation, &request, &err));
    return str_is(request.purpose, purpose);
}

/* How often each was asked for, and what is answered; 0 for no answer at all. */
static struct server {
    unsigned metadata, token, introspection, keys;
    uint16_t status;
} server;

static void answer(gk_operation *operation) {
    char body[256] = "{\"active\":true}";
    bool is_metadata = false;
    if (asks_for(operation, "metadata"))
        is_metadata = true, server.metadata++;
    else if (asks_for(operation, "introspection"))
        server.introspection++;
    else if (asks_for(operation, "keys"))
        server.keys++, strcpy(body, "{\"keys\":[" KEY "]}");
    else
        snprintf(body, sizeof body,
                 "{\"access_token\":\"at-%u\",\"token_type\":\"Bearer\",\"expires_in\":300}",
                 ++server.token);
    const char *said = is_metadata ? METADATA : body;
    const gk_response response = {server.status, NULL, 0, MINE(said)};
    if (server.status == 0)
        MUST(gk_operation_fail(operation, GK_STATUS_CONNECTION_FAILED, &err));
    else
        MUST(gk_operation_feed(operation, &response, &err));
}

/* Drives all of them to their end. The server is silent for some turns before each answer. The
 * status that each has ended with must be the same. */
static void drive(gk_operation *const *all, gk_status wanted) {
    unsigned asked[MANY] = {0}; /* the turn in which it has asked; 0 for none is out */
    bool over[MANY] = {false};
    size_t left = MANY;
    for (unsigned turn = 1; left > 0; turn++) {
        CHECK(turn < MOST_TURNS);
        for (size_t i = 0; i < MANY; i++) {
            if (over[i] || (asked[i] > 0 && turn < asked[i] + SILENT)) continue;
            if (asked[i] > 0) answer(all[i]);
            gk_step step;
            const gk_status status = gk_operation_next(all[i], &step, &err);
            asked[i] = step.kind == GK_STEP_REQUEST ? turn : 0;
            over[i] = status != GK_STATUS_OK || step.kind == GK_STEP_DONE;
            if (over[i]) left--;
            if (over[i] && status != wanted) FAILS(wanted, status);
            if (status != GK_STATUS_OK) CHECK(gk_operation_retry_after(all[i]) > 0);
        }
    }
}

static void free_all(gk_operation *const *all) {
    for (size_t i = 0; i < MANY; i++) gk_operation_free(all[i]);
}

static bool gives(const gk_operation *operation, const char *access_token) {
    gk_oauth_tokens *tokens;
    MUST(gk_operation_tokens(operation, &tokens, &err));
    const bool is_it = str_is(gk_oauth_tokens_access_token(tokens), access_token);
    gk_oauth_tokens_free(tokens);
    return is_it;
}

static bool knows(const gk_token_manager *manager, const char *access_token) {
    gk_oauth_tokens *tokens;
    MUST(gk_token_manager_known(manager, GK_TEXT("api"), 60, &tokens, &err));
    const bool is_it = tokens != NULL && access_token != NULL &&
                       str_is(gk_oauth_tokens_access_token(tokens), access_token);
    CHECK(is_it || tokens == NULL);
    gk_oauth_tokens_free(tokens);
    return is_it;
}

static void metadata_once(void) {
    gk_operation *all[MANY];
    gk_oauth_client *client = client_with("");
    server = (struct server){.status = 200};
    for (size_t i = 0; i < MANY; i++)
        MUST(gk_oauth_client_begin(client, NULL, NULL, 0, &all[i], &err));
    drive(all, GK_STATUS_OK);
    CHECK(server.metadata == 1 && server.token == 0);
    free_all(all);
    for (size_t i = 0; i < MANY; i++)
        MUST(gk_oauth_client_client_credentials(client, NULL, &all[i], &err));
    drive(all, GK_STATUS_OK);
    CHECK(server.metadata == 1 && server.token == MANY);
    free_all(all);
    gk_oauth_client_free(client);

    client = client_with("");
    server = (struct server){.status = 200};
    for (size_t i = 0; i < MANY; i++)
        MUST(gk_oauth_client_introspect(client, GK_TEXT("token"), &all[i], &err));
    drive(all, GK_STATUS_OK);
    CHECK(server.metadata == 1 && server.introspection == MANY);
    free_all(all);
    gk_oauth_client_free(client);
}

static void keys_once(void) {
    gk_operation *all[MANY];
    gk_remote_key_set *keys;
    gk_remote_key_set_options *options = gk_remote_key_set_options_new();
    gk_remote_key_set_options_url(options, GK_TEXT("https://auth.example/k"));
    MUST(gk_remote_key_set_new(options, NULL, &keys, &err));
    gk_remote_key_set_options_free(options);
    const gk_status outcomes[] = {GK_STATUS_OK, GK_STATUS_OK, GK_STATUS_OAUTH_SERVER_FAILED};
    for (unsigned i = 0; i < 3; i++) {
        server = (struct server){.status = outcomes[i] == GK_STATUS_OK ? 200 : 503};
        CHECK(gk_remote_key_set_wants_refresh(keys) == (i == 0));
        for (size_t j = 0; j < MANY; j++) MUST(gk_remote_key_set_refresh(keys, &all[j], &err));
        drive(all, outcomes[i]);
        CHECK(server.keys == 1);
        free_all(all);
    }
    gk_remote_key_set_free(keys);
}

static void renewed_once(void) {
    gk_operation *all[MANY];
    gk_oauth_client *client = client_with("");
    gk_token_manager *manager = manager_of(client, NULL);
    server = (struct server){.status = 200};
    CHECK(!knows(manager, NULL));
    for (size_t i = 0; i < MANY; i++) all[i] = renewal(manager, "api");
    drive(all, GK_STATUS_OK);
    CHECK(server.metadata == 1 && server.token == 1);
    for (size_t i = 0; i < MANY; i++) CHECK(gives(all[i], "at-1"));
    free_all(all);
    CHECK(knows(manager, "at-1"));

    /* From memory, at the first step. */
    gk_operation *again = renewal(manager, "api");
    CHECK(wants(again) == GK_STEP_DONE && gives(again, "at-1"));
    gk_operation_free(again);

    /* An API refuses it for all of them. */
    const gk_refused_token refused = {GK_TEXT("api"), GK_TEXT("at-1")};
    for (size_t i = 0; i < MANY; i++)
        MUST(gk_token_manager_replacement(manager, &refused, &all[i], &err));
    drive(all, GK_STATUS_OK);
    CHECK(server.metadata == 1 && server.token == 2);
    for (size_t i = 0; i < MANY; i++) CHECK(gives(all[i], "at-2"));
    free_all(all);

    /* It was replaced a moment ago: not again so soon. */
    gk_operation *newer;
    const gk_refused_token too = {GK_TEXT("api"), GK_TEXT("at-2")};
    MUST(gk_token_manager_replacement(manager, &too, &newer, &err));
    CHECK(wants(newer) == GK_STEP_DONE && gives(newer, "at-2"));
    gk_operation_free(newer);

    /* What is good for one caller is given at once, also while another wants a newer one. */
    char kept[256];
    gk_oauth_tokens *tokens;
    snprintf(kept, sizeof kept,
             "{\"issuer\":\"https://auth.example\",\"access_token\":\"at-0\",\"scopes\":[],"
             "\"refresh_token\":\"rt-0\",\"expires_at\":%lld}",
             (long long)time(NULL) + 1000);
    MUST(gk_oauth_tokens_from_json(MINE(kept), &tokens, &err));
    MUST(gk_token_manager_put(manager, GK_TEXT("a user"), tokens, &err));
    gk_oauth_tokens_free(tokens);
    MUST(gk_token_manager_renewal(manager, GK_TEXT("a user"), 2000, &newer, &err));
    gk_operation *patient = renewal(manager, "a user"), *other = renewal(manager, "another name");
    CHECK(wants(newer) == GK_STEP_REQUEST);
    CHECK(wants(patient) == GK_STEP_DONE && gives(patient, "at-0"));
    CHECK(wants(other) == GK_STEP_REQUEST);
    gk_operation_free(newer);
    gk_operation_free(patient);
    gk_operation_free(other);

    /* The operation outlives the manager and the client. */
    all[0] = renewal(manager, "a third name");
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
    CHECK(wants(all[0]) == GK_STEP_REQUEST && asks_for(all[0], "token"));
    answer(all[0]);
    CHECK(wants(all[0]) == GK_STEP_DONE && gives(all[0], "at-3"));
    gk_operation_free(all[0]);
}

/* One failure for all of them, and none asks again until it is worth a try. */
static void failed_once(void) {
    gk_operation *all[MANY];
    gk_oauth_client *client = client_with("");
    gk_token_manager *manager = manager_of(client, NULL);
    server = (struct server){.status = 0};
    for (size_t i = 0; i < MANY; i++)
        MUST(gk_oauth_client_begin(client, NULL, NULL, 0, &all[i], &err));
    drive(all, GK_STATUS_CONNECTION_FAILED);
    CHECK(server.metadata == 1);
    free_all(all);
    for (size_t i = 0; i < MANY; i++) all[i] = renewal(manager, "api");
    drive(all, GK_STATUS_CONNECTION_FAILED);
    CHECK(server.metadata == 1 && server.token == 0);
    free_all(all);
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);

    client = client_with(",\"token_endpoint\":\"https://auth.example/t\",\"discover\":false");
    manager = manager_of(client, NULL);
    server = (struct server){.status = 503};
    for (size_t i = 0; i < MANY; i++) all[i] = renewal(manager, "api");
    drive(all, GK_STATUS_OAUTH_SERVER_FAILED);
    CHECK(server.token == 1 && !knows(manager, NULL));
    free_all(all);
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
}

/* The one that asks is freed: the next asks. */
static void freed(void) {
    gk_oauth_client *client = client_with("");
    gk_token_manager *manager = manager_of(client, NULL);
    gk_operation *first, *second, *third;
    server = (struct server){.status = 200};
    MUST(gk_oauth_client_begin(client, NULL, NULL, 0, &first, &err));
    MUST(gk_oauth_client_begin(client, NULL, NULL, 0, &second, &err));
    MUST(gk_oauth_client_begin(client, NULL, NULL, 0, &third, &err));
    CHECK(wants(first) == GK_STEP_REQUEST && wants(second) == GK_STEP_WAIT);
    CHECK(wants(third) == GK_STEP_WAIT);
    gk_operation_free(first);
    CHECK(wants(second) == GK_STEP_REQUEST && wants(third) == GK_STEP_WAIT);
    answer(second);
    CHECK(wants(third) == GK_STEP_WAIT); /* fed, but not driven yet */
    CHECK(wants(second) == GK_STEP_DONE && wants(third) == GK_STEP_DONE);
    gk_operation_free(second);
    gk_operation_free(third);

    first = renewal(manager, "api"), second = renewal(manager, "api");
    CHECK(wants(first) == GK_STEP_REQUEST && wants(second) == GK_STEP_WAIT);
    gk_operation_free(first);
    CHECK(wants(second) == GK_STEP_REQUEST);
    answer(second);
    CHECK(wants(second) == GK_STEP_DONE && gives(second, "at-1"));
    gk_operation_free(second);
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
}

/* The one that asks is not driven any more: after its deadline, and a second, another one asks. */
static void forgotten(void) {
    const struct timespec deadline_and_grace = {1, 100000000};
    gk_oauth_client *client = client_with(",\"deadline_ms\":20");
    gk_oauth_client *ready = client_with(",\"deadline_ms\":20,\"discover\":false,"
                                         "\"token_endpoint\":\"https://auth.example/t\"");
    gk_token_manager *manager = manager_of(ready, NULL);
    gk_operation *lost, *next, *lost_renewal = renewal(manager, "api");
    gk_operation *next_renewal = renewal(manager, "api"), *third = renewal(manager, "api");
    server = (struct server){.status = 200};
    MUST(gk_oauth_client_begin(client, NULL, NULL, 0, &lost, &err));
    MUST(gk_oauth_client_begin(client, NULL, NULL, 0, &next, &err));
    CHECK(wants(lost) == GK_STEP_REQUEST && wants(next) == GK_STEP_WAIT);
    CHECK(wants(lost_renewal) == GK_STEP_REQUEST && wants(next_renewal) == GK_STEP_WAIT);
    nanosleep(&deadline_and_grace, NULL);
    CHECK(wants(next) == GK_STEP_REQUEST && asks_for(next, "metadata"));
    answer(next);
    CHECK(wants(next) == GK_STEP_DONE);
    CHECK(wants(next_renewal) == GK_STEP_REQUEST && wants(third) == GK_STEP_WAIT);
    answer(next_renewal);
    CHECK(wants(next_renewal) == GK_STEP_DONE && gives(next_renewal, "at-1"));
    CHECK(wants(third) == GK_STEP_DONE && gives(third, "at-1"));
    /* What comes late replaces nothing. */
    answer(lost), answer(lost_renewal);
    CHECK(wants(lost) == GK_STEP_DONE);
    gk_step step;
    FAILS(GK_STATUS_STORE_UNAVAILABLE, gk_operation_next(lost_renewal, &step, &err));
    CHECK(knows(manager, "at-1"));
    gk_operation *all[] = {lost, next, lost_renewal, next_renewal, third};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) gk_operation_free(all[i]);
    gk_token_manager_free(manager);
    gk_oauth_client_free(ready);
    gk_oauth_client_free(client);
}

/* Nothing of a manager without a transport waits, in whatever way it is used. */
static void never_waits(void) {
    gk_oauth_client *client = client_with(",\"discover\":false,"
                                          "\"token_endpoint\":\"https://auth.example/t\"");
    gk_oauth_tokens *tokens, *none;
    gk_buf token;
    const gk_refused_token refused = {GK_TEXT("api"), GK_TEXT("at-0")};
    MUST(gk_oauth_tokens_from_json(
        GK_TEXT("{\"issuer\":\"https://auth.example\",\"access_token\":\"at-0\",\"scopes\":[]}"),
        &tokens, &err));
    gk_token_manager *manager = manager_of(client, NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &token, &err));
    CHECK(strstr(err.message, "renewal") != NULL);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_token_manager_tokens(manager, GK_TEXT("api"), 60, &none, &err));
    gk_operation *out = renewal(manager, "api");
    CHECK(wants(out) == GK_STEP_REQUEST);
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &token, &err));
    FAILS(GK_STATUS_STORE_UNAVAILABLE, gk_token_manager_put(manager, GK_TEXT("api"), tokens, &err));
    FAILS(GK_STATUS_STORE_UNAVAILABLE, gk_token_manager_remove(manager, GK_TEXT("api"), &err));
    FAILS(GK_STATUS_STORE_UNAVAILABLE, gk_token_manager_replace(manager, &refused, &token, &err));
    MUST(gk_token_manager_put(manager, GK_TEXT("another"), tokens, &err));
    gk_operation_free(out);
    MUST(gk_token_manager_put(manager, GK_TEXT("api"), tokens, &err));
    MUST(gk_token_manager_access_token(manager, GK_TEXT("api"), 60, &token, &err));
    CHECK(buf_is(token, "at-0"));
    gk_buf_free(&token);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_token_manager_replace(manager, &refused, &token, &err));
    MUST(gk_token_manager_remove(manager, GK_TEXT("api"), &err));
    CHECK(!knows(manager, NULL));
    gk_token_manager_free(manager);
    gk_oauth_tokens_free(tokens);
    gk_oauth_client_free(client);
}

/* A process with work that another one waits for. */
struct child {
    pid_t process;
    int tells, ends;
};

/* Runs this in a child, which is there until the parent closes `ends`. */
static struct child forked(bool (*work)(const gk_token_manager *, gk_operation *),
                           const gk_token_manager *manager, gk_operation *operation) {
    int told[2], ended[2];
    char byte = 0;
    CHECK(pipe(told) == 0 && pipe(ended) == 0);
    const pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        close(ended[1]);
        const bool fine = work(manager, operation) && write(told[1], "x", 1) == 1 &&
                          read(ended[0], &byte, 1) == 0;
        /* Not by an end of this program: Valgrind would count what is the parent's. */
        if (fine) execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    close(told[1]), close(ended[0]);
    CHECK(read(told[0], &byte, 1) == 1);
    return (struct child){process, told[0], ended[1]};
}

static void end(struct child child) {
    int status = 1;
    close(child.ends), close(child.tells);
    CHECK(waitpid(child.process, &status, 0) == child.process && status == 0);
}

static bool goes_on(const gk_token_manager *manager, gk_operation *of_the_parent) {
    gk_operation *own = renewal(manager, "api");
    bool fine = wants(own) == GK_STEP_REQUEST; /* the parent's is none that it could wait for */
    answer(own);
    fine = fine && wants(own) == GK_STEP_DONE && gives(own, "at-1") && knows(manager, "at-1");
    gk_operation_free(own);
    gk_operation_free(of_the_parent);
    return fine && knows(manager, "at-1");
}

static bool has_it_out(const gk_token_manager *manager, gk_operation *operation) {
    (void)manager;
    return wants(operation) == GK_STEP_REQUEST;
}

static void processes(void) {
    gk_oauth_client *client = client_with(",\"discover\":false,"
                                          "\"token_endpoint\":\"https://auth.example/t\"");
    gk_token_manager *manager = manager_of(client, NULL);
    server = (struct server){.status = 200};
    gk_operation *out = renewal(manager, "api");
    CHECK(wants(out) == GK_STEP_REQUEST);
    end(forked(goes_on, manager, out));
    answer(out);
    CHECK(wants(out) == GK_STEP_DONE && gives(out, "at-1"));
    gk_operation_free(out);
    gk_token_manager_free(manager);

    /* In a folder, another process has it out: an operation of this one waits as operations do. */
    char folder[] = "/tmp/gatekey-loop-XXXXXX", command[64];
    CHECK(mkdtemp(folder) != NULL);
    manager = manager_of(client, folder);
    out = renewal(manager, "api");
    const struct child other = forked(has_it_out, manager, out);
    for (int i = 0; i < 5; i++) CHECK(wants(out) == GK_STEP_WAIT);
    gk_oauth_tokens *tokens;
    gk_operation *second = renewal(manager, "another name");
    CHECK(wants(second) == GK_STEP_REQUEST); /* that is nobody's */
    answer(second);
    CHECK(wants(second) == GK_STEP_DONE);
    MUST(gk_operation_tokens(second, &tokens, &err));
    gk_operation_free(second);
    FAILS(GK_STATUS_STORE_UNAVAILABLE, gk_token_manager_put(manager, GK_TEXT("api"), tokens, &err));
    gk_oauth_tokens_free(tokens);
    end(other); /* without an answer */
    CHECK(wants(out) == GK_STEP_REQUEST);
    answer(out);
    CHECK(wants(out) == GK_STEP_DONE);
    gk_operation_free(out);
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

int main(void) {
    metadata_once();
    keys_once();
    renewed_once();
    failed_once();
    freed();
    forgotten();
    never_waits();
    processes();
    return passed("loop");
}
