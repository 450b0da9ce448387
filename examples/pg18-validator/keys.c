/*
 * An issuer's keys, shared by the backends of a cluster.
 *
 * Each log-in is a new process, so what one has fetched must outlive it: the keys are kept in a
 * file of the data directory, gatekey_keys/HASH.jwks. A log-in that finds them too old, or meets a
 * token of a key that is not there, takes the lock of HASH.lock and starts the program
 * gatekey_keys, which inherits the lock and holds it until it has fetched the keys or failed. So
 * there is one fetch at a time for the whole cluster, and no backend ever waits for the network: it
 * waits for a file, with PostgreSQL's own primitives, and can be stopped at any time.
 */
#include "validator.h"

#include "common/hashfn.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "port.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "gatekey_keys"
#define LARGEST_SET (600 * 1024) /* the core takes 512 KiB */
#define TTL 600
#define MAX_STALE 86400
/* Seconds between two fetches; after failures 1, 2, 4 and so on up to it. */
#define COOLDOWN 30
#define WAIT_FOR_RENEWAL 1000
#define MS 1000LL /* times are in milliseconds, ages in seconds */
#define LOOK_MS 20
#define LOCK_FD 3 /* as gatekey_keys expects it */

extern char **environ;

static int64 now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * MS + now.tv_nsec / 1000000;
}

/* As old as can be, if the time cannot be: a file may say anything. */
static int64 age_ms(int64 since) { return since < 0 ? INT64_MAX : now_ms() - since; }

static const char *authorities_of(const policy *p) {
    return value_of(p, CA_FILE) != NULL ? value_of(p, CA_FILE) : "";
}

/* Where the keys are, in the words of gk_remote_key_set_options_json. */
static char *place_of(const policy *p) {
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfoChar(&json, '{');
    if (value_of(p, JWKS_URL) != NULL)
        add_text(&json, "url", value_of(p, JWKS_URL));
    else
        add_text(&json, "issuer", value_of(p, ISSUER));
    if (value_of(p, METADATA_URL) != NULL)
        add_text(&json, "metadata_url", value_of(p, METADATA_URL));
    if (value_of(p, ALLOW_LOOPBACK_HTTP) != NULL &&
        strcmp(value_of(p, ALLOW_LOOPBACK_HTTP), "on") == 0)
        appendStringInfoString(&json, ",\"allow_loopback_http\":true");
    appendStringInfoChar(&json, '}');
    return json.data;
}

/* Whose keys a file has: those that another authority vouched for are others. */
static char *owner_of(const policy *p, const char *place) {
    return psprintf("%s %s", place, authorities_of(p));
}

static char *file_of(const policy *p, const char *place, const char *kind) {
    char *of = owner_of(p, place);
    uint64 hash = hash_bytes_extended((const unsigned char *)of, (int)strlen(of), 0);
    return psprintf(FOLDER "/%016llx.%s", (unsigned long long)hash, kind);
}

keys keys_of(const policy *p, char **why) {
    keys k = {NULL, 0};
    gk_error e;
    gk_buf own = {NULL, 0};
    size_t len = 0;
    const char *file = value_of(p, JWKS_FILE);
    char *place = file == NULL ? place_of(p) : NULL;
    char *text = read_file(file != NULL ? file : file_of(p, place, "jwks"), LARGEST_SET, &len, why);
    if (text == NULL) return k;
    if (file == NULL) {
        gk_json *json = NULL;
        char *owner = owner_of(p, place);
        int64 most = p->values[KEYS_MAX_STALE] != NIL ? p->numbers[KEYS_MAX_STALE] : MAX_STALE;
        bool whole = gk_json_parse(text, len, &json, &e) == GK_STATUS_OK &&
                     gk_json_integer(gk_json_member(json, GK_TEXT("fetched")), &k.fetched);
        gk_str of = gk_json_text(gk_json_member(json, GK_TEXT("of")));
        bool ours = whole && of.len == strlen(owner) && memcmp(of.data, owner, of.len) == 0;
        gk_json_free(json);
        /* Keys of the future were written before the clock was set back: their age is unknown. */
        if (!ours || age_ms(k.fetched) < -COOLDOWN * MS || age_ms(k.fetched) > most * MS) {
            k.fetched = 0;
            *why = "the keys that are kept are too old, or are not readable";
            return k;
        }
    }
    if (gk_key_set_from_jwks(text, len, GK_ALG_RS256, &k.set, &e) != GK_STATUS_OK)
        *why = psprintf("the keys cannot be read: %s", e.message);
    else if (gk_key_set_to_jwks(k.set, &own, &e) != GK_STATUS_OK) {
        /* A secret: who can verify with it can sign. */
        *why = psprintf("the keys cannot be used: %s", e.message);
        gk_key_set_free(k.set);
        k.set = NULL;
    }
    gk_buf_free(&own);
    return k;
}

/* The program beside this module. */
static char *fetcher(void) {
    Dl_info info;
    if (dladdr((const void *)&keys_of, &info) == 0 || info.dli_fname == NULL) return NULL;
    char *path = pstrdup(info.dli_fname);
    char *slash = strrchr(path, '/');
    if (slash == NULL) return NULL;
    *slash = '\0';
    return psprintf("%s/gatekey_keys", path);
}

/* Starts it with the lock, detached: it ends by itself, at the latest after half a minute. */
static bool start(const policy *p, char *place, int lock, char **why) {
    char *path = fetcher();
    char *words[] = {
        "gatekey_keys", file_of(p, place, "jwks"), place, pstrdup(authorities_of(p)), "locked",
        NULL,
    };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    pid_t child = 0;
    int failed, status = 0;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, lock, LOCK_FD);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    failed = path == NULL ? ENOENT : posix_spawn(&child, path, &files, &how, words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    /* Its first act is to leave this process behind. */
    while (failed == 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (failed == 0 && status == 0) return true;
    errno = failed;
    *why = failed != 0 ? psprintf("cannot run \"%s\": %m", path != NULL ? path : "gatekey_keys")
                       : psprintf("\"%s\" does not run (status %d)", path, status);
    return false;
}

typedef enum { NEWER, BUSY, STARTED, NO_USE } state;

/*
 * The lock file tells when a fetch was begun last, how many have failed since the last good one,
 * and why: the program writes that line again when it ends.
 */
static state try_to_fetch(const policy *p, char *place, int64 fetched, char **why) {
    char *path = file_of(p, place, "lock"), line[600] = "";
    long long begun = 0, failures = 0;
    int reason = 0;
    char *ignored = NULL;
    keys k = keys_of(p, &ignored);
    bool newer = k.set != NULL && k.fetched != fetched;
    gk_key_set_free(k.set);
    if (newer) return NEWER;
    if (mkdir(FOLDER, S_IRWXU) != 0 && errno != EEXIST) {
        *why = psprintf("cannot make \"%s\" in the data directory: %m", FOLDER);
        return NO_USE;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        *why = psprintf("cannot open \"%s\": %m", path);
        return NO_USE;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        *why = "the issuer does not answer";
        return BUSY;
    }
    /* The one who held it may have fetched them just now. */
    k = keys_of(p, &ignored);
    newer = k.set != NULL && k.fetched != fetched;
    gk_key_set_free(k.set);
    state result = NEWER;
    if (!newer) {
        ssize_t got = pread(fd, line, sizeof line - 1, 0);
        if (got > 0) line[got] = '\0';
        if (sscanf(line, "%lld %lld %n", &begun, &failures, &reason) < 2 || begun < 0)
            begun = failures = 0;
        failures = Max(0, Min(failures, 1000));
        int64 now = now_ms();
        int64 pause = failures == 0 ? COOLDOWN : Min(COOLDOWN, 1 << Min(failures - 1, 5));
        /* A clock that was set back does not stop the fetching. */
        if (begun <= now && now < begun + pause * MS) {
            *why = failures > 0 ? psprintf("the keys could not be fetched: %s", line + reason)
                                : "the keys were fetched a moment ago";
            result = NO_USE;
        } else {
            int n = snprintf(line, sizeof line, "%lld %lld it was ended\n", (long long)now,
                             failures + 1);
            result = STARTED;
            /* A disk that is full leaves the line as it was. */
            if (pwrite(fd, line, (size_t)n, 0) != n || ftruncate(fd, n) != 0) {
                *why = psprintf("cannot write \"%s\": %m", path);
                result = NO_USE;
            } else if (!start(p, place, fd, why))
                result = NO_USE;
        }
    }
    close(fd);
    return result;
}

bool newer_keys(const policy *p, int64 fetched, int wait_ms, char **why) {
    if (value_of(p, JWKS_FILE) != NULL) return false;
    char *place = place_of(p);
    for (int waited = 0;; waited += LOOK_MS) {
        state now = try_to_fetch(p, place, fetched, why);
        if (now == NEWER) return true;
        if (now == NO_USE || waited >= wait_ms) return false;
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS,
                  PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        /* No frame of gatekey's is on the stack, and no handle is held. */
        CHECK_FOR_INTERRUPTS();
        if (!pq_check_connection()) {
            *why = "the client is gone";
            return false;
        }
    }
}

void renew(const policy *p, keys *k, char **why) {
    int64 ttl = (p->values[KEYS_TTL] != NIL ? p->numbers[KEYS_TTL] : TTL) * MS;
    int64 age = age_ms(k->fetched);
    char *ignored = NULL;
    if (value_of(p, JWKS_FILE) != NULL || age <= ttl) return;
    gk_key_set_free(k->set);
    k->set = NULL;
    newer_keys(p, k->fetched, age > 2 * ttl ? WAIT_FOR_RENEWAL : 0, &ignored);
    *k = keys_of(p, why);
}
