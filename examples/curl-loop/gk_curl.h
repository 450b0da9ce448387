/* gatekey's operations over libcurl's multi interface: one thread, many operations, no call that
 * waits. To be copied into a program; it needs libcurl 7.85 or later, and POSIX.
 *
 *   gk_curl_start    takes an operation over, and says what has become of it by a function
 *   gk_curl_work     does all that can be done now
 *   gk_curl_timeout  how long the loop may sleep, at most: in curl_multi_poll, with the program's
 *                    own descriptors
 *
 * What a request says is kept: its deadline for all of it, the size of its answer, no redirect, no
 * compression, one attempt. TLS is verified. Plain http goes to this machine only, which the client
 * must allow too; link-local addresses, where clouds keep credentials, are not reached. */
#ifndef GK_CURL_H
#define GK_CURL_H

#include <arpa/inet.h>
#include <curl/curl.h>
#include <gatekey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { GK_CURL_MOST_HEADERS = 100, GK_CURL_MOST_HEADER_BYTES = 65536 };
#define GK_CURL_NEVER UINT64_MAX

/* What has become of an operation: gk_operation_tokens, _json and _result give what it has ended
 * with, unless the status says otherwise. It is freed afterwards. Here, others may be started. */
typedef void gk_curl_done(const gk_operation *operation, const gk_error *err, void *user);

/* Bytes of an answer, and how many there may be. */
struct gk_curl_bytes {
    char *data;
    size_t len, max;
};

struct gk_curl_job {
    struct gk_curl_job *next, *due; /* all of them; those that are due */
    gk_operation *operation;
    gk_curl_done *done;
    void *user;
    uint64_t wakes_at; /* GK_CURL_NEVER while a request is out */
    CURL *easy;
    struct curl_slist *sent;
    struct gk_curl_bytes head, body;
    bool is_plain, is_blocked, is_too_large;
};

struct gk_curl {
    CURLM *multi;
    const char *ca_file; /* authorities instead of the system's; NULL for those */
    struct gk_curl_job *jobs;
    size_t count; /* of the operations that are not over */
};

/* Milliseconds of a clock that does not jump. */
static inline uint64_t gk_curl_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* False: there is no memory, and nothing to end. curl_global_init comes first. */
static inline bool gk_curl_begin(struct gk_curl *curl, const char *ca_file) {
    *curl = (struct gk_curl){.multi = curl_multi_init(), .ca_file = ca_file};
    return curl->multi != NULL;
}

/* ---- answers ---- */

/* They may be secret. */
static inline void gk_curl_wipe(struct gk_curl_bytes *bytes) {
    volatile char *data = bytes->data;
    for (size_t i = 0; i < bytes->len; i++) data[i] = 0;
    free(bytes->data);
    *bytes = (struct gk_curl_bytes){NULL, 0, 0};
}

static inline size_t gk_curl_append(struct gk_curl_job *job, struct gk_curl_bytes *to,
                                    const char *data, size_t len) {
    if (len > to->max - to->len) return job->is_too_large = true, 0;
    char *grown = malloc(to->len + len + 1);
    if (grown == NULL) return 0;
    if (to->len > 0) memcpy(grown, to->data, to->len);
    memcpy(grown + to->len, data, len);
    const struct gk_curl_bytes both = {grown, to->len + len, to->max};
    gk_curl_wipe(to);
    *to = both;
    return len;
}

static inline size_t gk_curl_on_body(char *data, size_t one, size_t len, void *user) {
    struct gk_curl_job *job = user;
    (void)one;
    return gk_curl_append(job, &job->body, data, len);
}

static inline size_t gk_curl_on_header(char *line, size_t one, size_t len, void *user) {
    struct gk_curl_job *job = user;
    (void)one;
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) job->head.len = 0; /* 100 comes before others */
    return gk_curl_append(job, &job->head, line, len);
}

/* The lines as headers; how many, or GK_CURL_MOST_HEADERS + 1 if there are more. */
static inline size_t gk_curl_headers(const struct gk_curl_bytes *head, gk_header *headers) {
    size_t count = 0;
    if (head->len == 0) return 0;
    const char *line = head->data, *end = head->data + head->len;
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next != NULL ? next : end;
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        if (colon != NULL && count == GK_CURL_MOST_HEADERS) return GK_CURL_MOST_HEADERS + 1;
        if (colon != NULL) {
            const char *value = colon + 1;
            while (value < stop && (*value == ' ' || *value == '\t')) value++;
            while (stop > value && strchr(" \t\r", stop[-1]) != NULL) stop--;
            headers[count++] =
                (gk_header){{line, (size_t)(colon - line)}, {value, (size_t)(stop - value)}};
        }
        line = next != NULL ? next + 1 : end;
    }
    return count;
}

static inline gk_status gk_curl_reason(CURLcode code, const struct gk_curl_job *job) {
    if (job->is_too_large) return GK_STATUS_RESPONSE_TOO_LARGE;
    if (job->is_blocked) return GK_STATUS_REQUEST_BLOCKED;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return GK_STATUS_DEADLINE_EXCEEDED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return GK_STATUS_TLS_FAILED;
    default:
        return GK_STATUS_CONNECTION_FAILED;
    }
}

/* ---- requests ---- */

static inline bool gk_curl_may_reach(const struct sockaddr *to, bool is_plain) {
    static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
    const uint8_t *v4 = NULL, *v6 = NULL;
    if (to->sa_family == AF_INET)
        v4 = (const uint8_t *)&((const struct sockaddr_in *)(const void *)to)->sin_addr;
    else if (to->sa_family == AF_INET6)
        v6 = ((const struct sockaddr_in6 *)(const void *)to)->sin6_addr.s6_addr;
    else
        return false;
    if (v6 != NULL && memcmp(v6, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12) == 0) v4 = v6 + 12;
    if (v4 != NULL) return is_plain ? v4[0] == 127 : v4[0] != 169 || v4[1] != 254;
    if (is_plain) return memcmp(v6, loopback.s6_addr, 16) == 0;
    return v6[0] != 0xFE || (v6[1] & 0xC0) != 0x80;
}

static inline curl_socket_t gk_curl_on_socket(void *user, curlsocktype purpose,
                                              struct curl_sockaddr *to) {
    struct gk_curl_job *job = user;
    (void)purpose;
    if (!gk_curl_may_reach(&to->addr, job->is_plain))
        return job->is_blocked = true, CURL_SOCKET_BAD;
    return socket(to->family, to->socktype, to->protocol);
}

/* Lets go of what a request had. */
static inline void gk_curl_clear(struct gk_curl *curl, struct gk_curl_job *job) {
    if (job->easy != NULL) curl_multi_remove_handle(curl->multi, job->easy);
    curl_easy_cleanup(job->easy);
    curl_slist_free_all(job->sent);
    gk_curl_wipe(&job->head);
    gk_curl_wipe(&job->body);
    job->easy = NULL, job->sent = NULL;
    job->is_blocked = job->is_too_large = false;
}

static inline bool gk_curl_add_header(struct gk_curl_job *job, const char *line) {
    struct curl_slist *longer = curl_slist_append(job->sent, line);
    if (longer != NULL) job->sent = longer;
    return longer != NULL;
}

/* Everything that a request says, and nothing from the environment. */
static inline bool gk_curl_send(struct gk_curl *curl, struct gk_curl_job *job,
                                const gk_request *request) {
    CURL *easy = job->easy = curl_easy_init();
    char *url = strndup(request->url.data, request->url.len);
    bool fine = easy != NULL && url != NULL && gk_curl_add_header(job, "Expect:");
    for (size_t i = 0; fine && i < request->headers; i++) {
        const gk_header header = gk_operation_header(job->operation, i);
        const size_t size = header.name.len + header.value.len + 3;
        char *line = malloc(size);
        if (line != NULL)
            snprintf(line, size, "%.*s: %.*s", (int)header.name.len, header.name.data,
                     (int)header.value.len, header.value.data);
        fine = line != NULL && gk_curl_add_header(job, line);
        free(line);
    }
    job->is_plain = url != NULL && strncasecmp(url, "http://", 7) == 0;
    job->head.max = GK_CURL_MOST_HEADER_BYTES;
    job->body.max = request->max_body;
#define GK_CURL_SET(option, value) (fine = fine && !curl_easy_setopt(easy, option, value))
    GK_CURL_SET(CURLOPT_URL, url);
    GK_CURL_SET(CURLOPT_HTTPHEADER, job->sent);
    if (request->method.len == 4) { /* POST: once, on a connection of its own */
        GK_CURL_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        GK_CURL_SET(CURLOPT_COPYPOSTFIELDS, request->body.len > 0 ? request->body.data : "");
        GK_CURL_SET(CURLOPT_FRESH_CONNECT, 1L);
        GK_CURL_SET(CURLOPT_FORBID_REUSE, 1L);
    }
    GK_CURL_SET(CURLOPT_TIMEOUT_MS, (long)request->deadline_ms);
    GK_CURL_SET(CURLOPT_PROTOCOLS_STR, job->is_plain ? "http" : "https");
    GK_CURL_SET(CURLOPT_FOLLOWLOCATION, 0L);
    GK_CURL_SET(CURLOPT_PROXY, ""); /* or the program's own */
    GK_CURL_SET(CURLOPT_NOSIGNAL, 1L);
    GK_CURL_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    GK_CURL_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    GK_CURL_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (curl->ca_file != NULL) GK_CURL_SET(CURLOPT_CAINFO, curl->ca_file);
    GK_CURL_SET(CURLOPT_OPENSOCKETFUNCTION, gk_curl_on_socket);
    GK_CURL_SET(CURLOPT_OPENSOCKETDATA, job);
    GK_CURL_SET(CURLOPT_HEADERFUNCTION, gk_curl_on_header);
    GK_CURL_SET(CURLOPT_HEADERDATA, job);
    GK_CURL_SET(CURLOPT_WRITEFUNCTION, gk_curl_on_body);
    GK_CURL_SET(CURLOPT_WRITEDATA, job);
    GK_CURL_SET(CURLOPT_PRIVATE, job);
#undef GK_CURL_SET
    free(url);
    return fine && curl_multi_add_handle(curl->multi, easy) == CURLM_OK;
}

/* ---- operations ---- */

static inline void gk_curl_over(struct gk_curl *curl, struct gk_curl_job *job,
                                const gk_error *err) {
    struct gk_curl_job **at = &curl->jobs;
    while (*at != job) at = &(*at)->next;
    *at = job->next;
    curl->count--;
    job->done(job->operation, err, job->user);
    gk_operation_free(job->operation);
    free(job);
}

/* Sees to what the operation wants: a request, a wait, or nothing more. */
static inline void gk_curl_step(struct gk_curl *curl, struct gk_curl_job *job) {
    gk_error err;
    gk_step step;
    gk_request request;
    while (!gk_operation_next(job->operation, &step, &err) && step.kind != GK_STEP_DONE) {
        if (step.kind == GK_STEP_WAIT) {
            job->wakes_at = gk_curl_now() + step.wait_ms;
            return;
        }
        job->wakes_at = GK_CURL_NEVER;
        if (gk_operation_request(job->operation, &request, &err)) break;
        if (gk_curl_send(curl, job, &request)) return;
        gk_curl_clear(curl, job);
        if (gk_operation_fail(job->operation, GK_STATUS_CONNECTION_FAILED, &err)) break;
    }
    gk_curl_over(curl, job, &err);
}

static inline void gk_curl_answered(struct gk_curl *curl, struct gk_curl_job *job, CURLcode code) {
    gk_error err;
    gk_header headers[GK_CURL_MOST_HEADERS];
    long status = 0;
    const size_t count = gk_curl_headers(&job->head, headers);
    if (count > GK_CURL_MOST_HEADERS) job->is_too_large = true;
    if (code == CURLE_OK) curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
    const gk_response response = {(uint16_t)status, headers, count, job->body.data, job->body.len};
    gk_status told;
    if (code != CURLE_OK || job->is_too_large)
        told = gk_operation_fail(job->operation, gk_curl_reason(code, job), &err);
    else
        told = gk_operation_feed(job->operation, &response, &err);
    gk_curl_clear(curl, job);
    if (told)
        gk_curl_over(curl, job, &err);
    else
        gk_curl_step(curl, job);
}

/* Takes an operation over, which is driven from the next gk_curl_work on. False: there is no
 * memory, and the operation is freed. */
static inline bool gk_curl_start(struct gk_curl *curl, gk_operation *operation, gk_curl_done *done,
                                 void *user) {
    struct gk_curl_job *job = calloc(1, sizeof *job);
    if (job == NULL) return gk_operation_free(operation), false;
    job->operation = operation, job->done = done, job->user = user;
    job->next = curl->jobs;
    curl->jobs = job;
    curl->count++;
    return true;
}

/* Does all that can be done now, and never waits. */
static inline void gk_curl_work(struct gk_curl *curl) {
    const uint64_t now = gk_curl_now();
    struct gk_curl_job *due = NULL;
    for (struct gk_curl_job *job = curl->jobs; job != NULL; job = job->next)
        if (job->wakes_at <= now) job->due = due, due = job;
    while (due != NULL) {
        struct gk_curl_job *job = due;
        due = job->due;
        gk_curl_step(curl, job);
    }
    int running, left;
    curl_multi_perform(curl->multi, &running);
    for (CURLMsg *told; (told = curl_multi_info_read(curl->multi, &left)) != NULL;) {
        struct gk_curl_job *job = NULL;
        const CURLcode code = told->data.result;
        if (told->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(told->easy_handle, CURLINFO_PRIVATE, &job);
        gk_curl_answered(curl, job, code);
    }
}

/* How many milliseconds the loop may sleep: `most`, or less if an operation waits for less. libcurl
 * has limits of its own, which curl_multi_poll keeps. */
static inline int gk_curl_timeout(const struct gk_curl *curl, int most) {
    const uint64_t now = gk_curl_now();
    uint64_t least = (uint64_t)most;
    for (const struct gk_curl_job *job = curl->jobs; job != NULL; job = job->next) {
        if (job->wakes_at <= now) return 0;
        if (job->wakes_at - now < least) least = job->wakes_at - now;
    }
    return (int)least;
}

/* Gives up what is under way: nothing is said of it. */
static inline void gk_curl_end(struct gk_curl *curl) {
    while (curl->jobs != NULL) {
        struct gk_curl_job *job = curl->jobs;
        curl->jobs = job->next;
        gk_curl_clear(curl, job);
        gk_operation_free(job->operation);
        free(job);
    }
    curl_multi_cleanup(curl->multi);
}

#endif
