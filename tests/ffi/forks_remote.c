/* Forks while three threads talk to other servers: a token manager in memory and in a folder, keys
 * that an issuer publishes, an API's door that asks for each token. The server is a process of its
 * own that keeps its connections open: two processes that share one get each other's answers. */
#define _GNU_SOURCE
#include "door.h"
#include "forks.h"
#include "oauth.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* ---- the server ---- */

static char published[1024];
static atomic_int number;
static int held[2], let_go[2]; /* pipes: a request is held, and may go on */

/* Reads one request; its length, or 0 at the end. */
static size_t read_request(int peer, char *request, size_t size) {
    size_t length = 0;
    for (;;) {
        const ssize_t more = recv(peer, request + length, size - 1 - length, 0);
        if (more <= 0) return 0;
        length += (size_t)more;
        request[length] = 0;
        const char *body = strstr(request, "\r\n\r\n");
        const char *told = strstr(request, "content-length: ");
        const size_t rest = told ? strtoul(told + 16, NULL, 10) : 0;
        if (body != NULL && length >= (size_t)(body + 4 - request) + rest) return length;
    }
}

static void *answer_requests(void *accepted) {
    const int peer = (int)(intptr_t)accepted;
    char request[16384], body[2048], text[2304], byte;
    while (read_request(peer, request, sizeof request) > 0) {
        /* The token that is asked for comes back, so that an answer is known to be to the question.
         */
        const char *asked = strstr(request, "token=");
        if (strncmp(request, "GET /keys", 9) == 0) {
            snprintf(body, sizeof body, "%s", published);
        } else if (strncmp(request, "POST /introspect", 16) == 0 && asked != NULL) {
            const int size = (int)strcspn(asked + 6, "& \r\n");
            snprintf(body, sizeof body,
                     "{\"active\":true,\"token_type\":\"Bearer\",\"sub\":\"%.*s\"}", size,
                     asked + 6);
        } else {
            if (strncmp(request, "POST /held", 10) == 0) {
                CHECK(write(held[1], "!", 1) == 1 && read(let_go[0], &byte, 1) == 1);
            }
            snprintf(body, sizeof body,
                     "{\"access_token\":\"at-%d\",\"token_type\":\"Bearer\",\"expires_in\":600}",
                     atomic_fetch_add(&number, 1));
        }
        const int size = snprintf(text, sizeof text,
                                  "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                                  "content-length: %zu\r\n\r\n%s",
                                  strlen(body), body);
        if (write(peer, text, (size_t)size) != size) break;
    }
    close(peer);
    return NULL;
}

static unsigned port;

/* Serves in a child until it is killed. */
static pid_t serve(void) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in place = {.sin_family = AF_INET};
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    CHECK(bind(listener, (struct sockaddr *)&place, size) == 0 && listen(listener, 64) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&place, &size) == 0);
    CHECK(pipe2(held, O_CLOEXEC) == 0 && pipe2(let_go, O_CLOEXEC) == 0);
    port = ntohs(place.sin_port);
    const pid_t server = fork();
    CHECK(server >= 0);
    if (server == 0) CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    while (server == 0) {
        pthread_t thread;
        const int peer = accept(listener, NULL, NULL);
        if (peer < 0) continue;
        CHECK(pthread_create(&thread, NULL, answer_requests, (void *)(intptr_t)peer) == 0);
        CHECK(pthread_detach(thread) == 0);
    }
    close(listener);
    return server;
}

/* ---- what is used ---- */

static gk_http *http;
static gk_oauth_client *client;
static gk_token_manager *manager;

static gk_token_manager *manager_of(const gk_oauth_client *of, const char *place) {
    gk_error err;
    gk_token_manager *made = NULL;
    gk_token_manager_options *options = gk_token_manager_options_new();
    if (place != NULL) gk_token_manager_options_folder(options, MINE(place));
    gk_token_manager_options_client_credentials(options, NULL);
    MUST(gk_token_manager_new(of, http, options, &made, &err));
    gk_token_manager_options_free(options);
    return made;
}

static void begin_tokens_in(const char *place) {
    client = local_client("c", "token_endpoint", port, "/token");
    manager = manager_of(client, place);
}

static void begin_memory(void) { begin_tokens_in(NULL); }

static void begin_folder(void) {
    char place[300];
    snprintf(place, sizeof place, "%s/tokens", folder);
    begin_tokens_in(place);
}

static void end_tokens(void) {
    gk_token_manager_free(manager);
    gk_oauth_client_free(client);
}

static void work_tokens(hand who) {
    gk_error err;
    gk_buf token, newer, shared;
    OWN_NAME(name, "api");
    MUST(gk_token_manager_access_token(manager, MINE(name), 60, &token, &err));
    const gk_refused_token refused = {MINE(name), token.data, token.len};
    MUST(gk_token_manager_replace(manager, &refused, &newer, &err));
    drawn(token.data, token.len);
    drawn(newer.data, newer.len);
    MUST(gk_token_manager_remove(manager, MINE(name), &err));
    MUST(gk_token_manager_access_token(manager, GK_TEXT("shared"), 60, &shared, &err));
    CHECK(strncmp(shared.data, "at-", 3) == 0);
    (void)who;
    gk_buf_free(&shared);
    gk_buf_free(&newer);
    gk_buf_free(&token);
}

/* ---- keys that an issuer publishes ---- */

static gk_key *key;
static gk_buf good, unknown;
static gk_remote_key_set *keys;
static gk_verifier *verifier;

static gk_buf signed_by(const gk_key *of) {
    gk_error err;
    gk_buf token;
    gk_signer *signer = NULL;
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_new(of, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err));
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    return token;
}

static gk_remote_key_set *remote_keys(void) {
    gk_error err;
    gk_remote_key_set *made = NULL;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/keys", port);
    gk_remote_key_set_options *options = gk_remote_key_set_options_new();
    gk_remote_key_set_options_url(options, MINE(url));
    gk_remote_key_set_options_allow_loopback_http(options, true);
    gk_remote_key_set_options_cooldown(options, 1);
    MUST(gk_remote_key_set_new(options, http, &made, &err));
    gk_remote_key_set_options_free(options);
    return made;
}

static gk_status says(const gk_buf *token) {
    gk_verified *verified = NULL;
    const gk_status status = gk_verifier_verify(verifier, token->data, token->len, &verified, NULL);
    gk_verified_free(verified);
    return status;
}

static void begin_keys(void) {
    gk_error err;
    gk_key *other = NULL;
    gk_policy *policy = gk_policy_new();
    good = signed_by(key);
    MUST(gk_key_generate(GK_ALG_ES256, &other, &err));
    unknown = signed_by(other);
    gk_key_free(other);
    keys = remote_keys();
    MUST(gk_verifier_following_remote(keys, policy, &verifier, &err));
    gk_policy_free(policy);
}

static void end_keys(void) {
    gk_verifier_free(verifier);
    gk_remote_key_set_free(keys);
    gk_buf_free(&unknown);
    gk_buf_free(&good);
}

static void work_keys(hand who) {
    gk_error err;
    gk_operation *operation = NULL;
    gk_remote_key_set *new = remote_keys();
    MUST(gk_remote_key_set_refresh(new, &operation, &err));
    MUST(gk_operation_run(operation, http, &err));
    gk_operation_free(operation);
    CHECK(!gk_remote_key_set_wants_refresh(new));
    gk_remote_key_set_free(new);
    CHECK(says(&good) == GK_STATUS_OK);
    CHECK(says(&unknown) == GK_STATUS_KEY_NOT_FOUND);
    (void)who;
}

/* ---- a door that asks ---- */

static gk_resource_server *door;

static void begin_door(void) {
    gk_error err;
    client = local_client("c", "introspection_endpoint", port, "/introspect");
    const char *options = "{\"audience\":\"https://api.example\","
                          "\"introspection\":{\"ttl\":5,\"require_audience\":false}}";
    const struct door_parts parts = {.asking = client, .http = http};
    MUST(open_door(options, parts, &door, &err));
}

static void end_door(void) {
    gk_resource_server_free(door);
    gk_oauth_client_free(client);
}

static void work_door(hand who) {
    gk_error err;
    gk_buf access;
    char header[96], subject[96];
    OWN_NAME(token, "opaque");
    snprintf(header, sizeof header, "Bearer %s", token);
    snprintf(subject, sizeof subject, "\"subject\":\"%s\"", token);
    MUST(knock_at(door, header, &access, &err));
    CHECK(strstr(access.data, subject) != NULL); /* the answer to another's question is no answer */
    gk_buf_free(&access);
    (void)who;
}

/* ---- a lock that a child must not keep ---- */

static void *first_refresh(void *of) {
    gk_error err;
    gk_buf token;
    MUST(gk_token_manager_access_token(of, GK_TEXT("held"), 60, &token, &err));
    gk_buf_free(&token);
    return NULL;
}

/* A worker is forked while a refresh is out; it never touches the tokens, and lives for long. */
static void a_worker_keeps_no_lock(void) {
    gk_error err;
    char place[300], byte;
    pthread_t thread;
    int ends[2];
    snprintf(place, sizeof place, "%s/held", folder);
    client = local_client("c", "token_endpoint", port, "/held");
    manager = manager_of(client, place);
    CHECK(pthread_create(&thread, NULL, first_refresh, manager) == 0);
    CHECK(read(held[0], &byte, 1) == 1 && pipe2(ends, O_CLOEXEC) == 0);
    const pid_t worker = fork();
    if (worker == 0) {
        close(ends[1]);
        alarm(2 * PATIENCE);
        _exit(read(ends[0], &byte, 1) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    CHECK(write(let_go[1], "!!", 2) == 2);
    CHECK(pthread_join(thread, NULL) == 0);
    gk_buf token, newer;
    MUST(gk_token_manager_access_token(manager, GK_TEXT("held"), 60, &token, &err));
    const gk_refused_token refused = {GK_TEXT("held"), token.data, token.len};
    MUST(gk_token_manager_replace(manager, &refused, &newer, &err));
    CHECK(strcmp(token.data, newer.data) != 0);
    CHECK(read(held[0], &byte, 1) == 1);
    gk_buf_free(&newer);
    gk_buf_free(&token);
    close(ends[1]);
    CHECK(ended_well(worker, "a worker that never touches the tokens"));
    close(ends[0]);
    /* The next round asks the server again. */
    MUST(gk_token_manager_remove(manager, GK_TEXT("held"), &err));
    end_tokens();
}

static const theme themes[] = {
    {"tokens in memory", GK_ALG_ANY, begin_memory, work_tokens, NULL, end_tokens},
    {"tokens in files", GK_ALG_ANY, begin_folder, work_tokens, NULL, end_tokens},
    {"remote keys", GK_ALG_ANY, begin_keys, work_keys, NULL, end_keys},
    {"a door that asks", GK_ALG_ANY, begin_door, work_door, NULL, end_door},
};

enum { THEMES = sizeof themes / sizeof *themes };

/* What the server publishes; it is forked after that. */
static void publish(void) {
    gk_error err;
    gk_key *half = NULL;
    gk_buf jwk;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_key_public(key, &half, &err));
    MUST(gk_key_to_jwk(half, &jwk, &err));
    snprintf(published, sizeof published, "{\"keys\":[%s]}", jwk.data);
    gk_buf_free(&jwk);
    gk_key_free(half);
}

int main(void) {
    bool well = true;
    make_folder();
    publish();
    const pid_t server = serve();
    http = local_http();
    for (size_t i = 0; i < THEMES; i++) {
        if (wanted(themes[i].name)) well &= forked(&themes[i], FEW);
    }
    const int all = rounds(1);
    for (int i = 0; i < all && wanted("worker"); i++) a_worker_keeps_no_lock();
    gk_http_free(http);
    gk_key_free(key);
    CHECK(kill(server, SIGKILL) == 0 && waitpid(server, NULL, 0) == server);
    remove_folder();
    if (!well) return EXIT_FAILURE;
    return passed("forks_remote");
}
