/* The forks of real life: a daemon whose parent is gone, a parent that frees its handle, children
 * of children, children that only execute something, a thread that forks, a child that ends with
 * exit, and a fork that goes round pthread_atfork. What a child was told is done is done for a
 * process that is executed afterwards, too. */
#define _GNU_SOURCE
#include "forks.h"
#include "peppered.h"

#include <errno.h>
#include <spawn.h>

#define MINE(text) (text), strlen(text)

extern char **environ;

enum { MAX_STALE = 3 };

static const uint8_t PEPPER[32] = {1, 2, 3};

static char url[300];
static gk_api_keys *keys;
static gk_api_key_spec *spec;

static void open_keys(void) {
    gk_error err;
    gk_api_key_options *options = gk_api_key_options_new();
    gk_api_key_options_max_stale(options, MAX_STALE);
    snprintf(url, sizeof url, "sqlite:///%s/keys.sqlite", folder);
    gk_store *store = store_under(url, PEPPER, sizeof PEPPER);
    MUST(gk_store_api_keys(store, options, &keys, &err));
    gk_store_free(store);
    gk_api_key_options_free(options);
}

/* A key of the store: its text and its id. */
typedef struct {
    char secret[128], id[GK_API_KEY_ID_SIZE];
} api_key;

static gk_status answer(const char *secret, char *id) {
    gk_api_key_result result;
    const gk_status status = gk_api_keys_verify(keys, PRESENTED(MINE(secret)), NULL, &result, NULL);
    if (id != NULL) strcpy(id, result.key_id);
    return status;
}

static api_key created(void) {
    gk_error err;
    gk_issued_api_key issued;
    api_key made;
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    CHECK(issued.secret.len < sizeof made.secret);
    strcpy(made.secret, issued.secret.data);
    gk_issued_api_key_free(&issued);
    CHECK(answer(made.secret, made.id) == GK_STATUS_OK);
    return made;
}

static void end_key(const api_key *gone) {
    gk_error err;
    MUST(gk_api_keys_revoke(keys, MINE(gone->id), GK_TEXT("leaked"), &err));
    CHECK(answer(gone->secret, NULL) == GK_STATUS_API_KEY_REVOKED);
}

/* What a process says that is executed now: it opens the store, asks, and closes it. */
static bool others_say(gk_status status, const api_key *of) {
    return executed("expect", gk_status_name(status), of->secret);
}

static bool others_revoke(const api_key *gone) { return executed("revoke", "", gone->secret); }

static int in_another_process(char **words) {
    snprintf(folder, sizeof folder, "%s", words[4]);
    alarm(PATIENCE);
    open_keys();
    char id[GK_API_KEY_ID_SIZE];
    const gk_status status = answer(words[3], id);
    if (strcmp(words[1], "revoke") == 0) {
        CHECK(status == GK_STATUS_OK);
        gk_error err;
        MUST(gk_api_keys_revoke(keys, MINE(id), GK_TEXT("by the operator"), &err));
    } else if (strcmp(gk_status_name(status), words[2]) != 0) {
        fprintf(stderr, "expected %s, not %s\n", words[2], gk_status_name(status));
        return EXIT_FAILURE;
    }
    gk_api_keys_free(keys);
    return EXIT_SUCCESS;
}

/* A pipe: one process waits there until the other says that it may go on. */
typedef struct {
    int ends[2];
} gate;

static gate closed_gate(void) {
    gate made;
    CHECK(pipe2(made.ends, O_CLOEXEC) == 0);
    return made;
}

static void let_pass(const gate *at) { CHECK(write(at->ends[1], "!", 1) == 1); }

static void wait_at(const gate *at) {
    char byte;
    CHECK(read(at->ends[0], &byte, 1) == 1);
}

static void close_gate(const gate *at) {
    close(at->ends[0]);
    close(at->ends[1]);
}

/* All that a store is for, in a process that was forked from the one that opened it. */
static void lives_on(const api_key *mine, const api_key *operators) {
    CHECK(answer(mine->secret, NULL) == GK_STATUS_OK);
    CHECK(others_say(GK_STATUS_OK, mine)); /* it comes and goes, as the command line does */
    end_key(mine);
    CHECK(others_say(GK_STATUS_API_KEY_REVOKED, mine));
    CHECK(others_revoke(operators));
    IN_THE_END(answer(operators->secret, NULL) == GK_STATUS_API_KEY_REVOKED);
    const api_key new = created();
    CHECK(others_say(GK_STATUS_OK, &new));
    end_key(&new);
    CHECK(others_say(GK_STATUS_API_KEY_REVOKED, &new));
}

/* What is told of a shape to the process that has ended last. */
static void after(const api_key *mine, const api_key *operators) {
    CHECK(others_say(GK_STATUS_API_KEY_REVOKED, mine));
    CHECK(others_say(GK_STATUS_API_KEY_REVOKED, operators));
    IN_THE_END(answer(mine->secret, NULL) == GK_STATUS_API_KEY_REVOKED);
    IN_THE_END(answer(operators->secret, NULL) == GK_STATUS_API_KEY_REVOKED);
}

/* Runs a shape in a child, so that it may end as it wishes: a daemon has no parent left. */
#define IN_A_CHILD(name, ...)                                                                      \
    do {                                                                                           \
        const pid_t shape = fork();                                                                \
        if (shape == 0) {                                                                          \
            alarm(PATIENCE);                                                                       \
            __VA_ARGS__;                                                                           \
            _exit(EXIT_SUCCESS);                                                                   \
        }                                                                                          \
        CHECK(ended_well(shape, name));                                                            \
    } while (0)

/* ---- the shapes ---- */

/* daemon(3): the parent ends, by _exit or with its handle freed, and the child goes on. */
static void daemonises(bool frees) {
    const api_key mine = created(), operators = created();
    const gate parent_is_gone = closed_gate(), all_is_done = closed_gate();
    char said = 0;
    gk_api_keys_free(keys); /* nobody else has the store open */
    IN_A_CHILD("daemon", {
        open_keys(); /* a store of its own; it has read and written */
        const api_key warm = created();
        end_key(&warm);
        const pid_t daemon = fork();
        CHECK(daemon >= 0);
        if (daemon == 0) {
            alarm(PATIENCE);
            wait_at(&parent_is_gone);
            lives_on(&mine, &operators);
            let_pass(&all_is_done);
            _exit(EXIT_SUCCESS);
        }
        if (frees) gk_api_keys_free(keys);
    });
    let_pass(&parent_is_gone);
    close(all_is_done.ends[1]); /* so that a daemon that fails is noticed */
    CHECK(read(all_is_done.ends[0], &said, 1) == 1);
    close(all_is_done.ends[0]);
    close_gate(&parent_is_gone);
    open_keys();
    after(&mine, &operators);
}

/* The parent lives and frees its handle; the child has used its own before and goes on. */
static void parent_frees(void) {
    const api_key mine = created(), operators = created();
    const gate is_freed = closed_gate(), has_written = closed_gate();
    const pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        const api_key warm = created();
        end_key(&warm);
        let_pass(&has_written);
        wait_at(&is_freed);
        lives_on(&mine, &operators);
        gk_api_keys_free(keys);
        _exit(EXIT_SUCCESS);
    }
    wait_at(&has_written);
    gk_api_keys_free(keys);
    let_pass(&is_freed);
    CHECK(ended_well(child, "a parent that frees"));
    close_gate(&is_freed);
    close_gate(&has_written);
    open_keys();
    after(&mine, &operators);
}

/* The child frees what it was forked with, and what the parent does goes on. */
static void child_frees(void) {
    const api_key mine = created(), operators = created();
    IN_A_CHILD("a child that frees", gk_api_keys_free(keys));
    IN_A_CHILD("a child that exits", exit(EXIT_SUCCESS));
    IN_A_CHILD("a child that frees and exits", gk_api_keys_free(keys); exit(EXIT_SUCCESS));
    IN_A_CHILD("a child that closes", CHECK(gk_api_keys_close(keys, NULL) == GK_STATUS_OK));
    lives_on(&mine, &operators);
    after(&mine, &operators);
}

/* Children of children, each of which works, down to the last. */
static void generation_of(int left, const api_key *each) {
    IN_A_CHILD("a child of children", {
        if (left > 0) generation_of(left - 1, each);
        end_key(&each[left]);
        const api_key new = created();
        CHECK(answer(new.secret, NULL) == GK_STATUS_OK);
    });
}

static void children_fork(void) {
    api_key each[4];
    for (int i = 0; i < 4; i++) each[i] = created();
    generation_of(3, each);
    for (int i = 0; i < 4; i++) {
        CHECK(others_say(GK_STATUS_API_KEY_REVOKED, &each[i]));
        IN_THE_END(answer(each[i].secret, NULL) == GK_STATUS_API_KEY_REVOKED);
    }
}

/* A grandchild that goes on when its parent has ended, as a double fork of a daemon. */
static void double_fork(void) {
    const api_key mine = created(), operators = created();
    const gate done = closed_gate();
    char said = 0;
    gk_api_keys_free(keys); /* nobody else has the store open */
    IN_A_CHILD("a double fork", {
        open_keys();
        const api_key warm = created();
        end_key(&warm);
        const pid_t first = fork();
        if (first == 0 && fork() == 0) {
            alarm(PATIENCE);
            usleep(50000); /* its parent may have ended, or not */
            lives_on(&mine, &operators);
            let_pass(&done);
        }
        if (first == 0) _exit(EXIT_SUCCESS);
        CHECK(ended_well(first, "the first child of a double fork"));
    });
    close(done.ends[1]);
    CHECK(read(done.ends[0], &said, 1) == 1);
    close(done.ends[0]);
    open_keys();
    after(&mine, &operators);
}

static void work_with_keys(hand who) {
    const api_key made = created();
    if (who == CHILD) return;
    end_key(&made);
    promise_text("revoked", made.secret);
}

static void judge_keys(const char *kind, char *value) {
    CHECK(strcmp(kind, "revoked") == 0);
    IN_THE_END(answer(value, NULL) == GK_STATUS_API_KEY_REVOKED);
}

static void free_keys(void) { gk_api_keys_free(keys); }

static const theme executing = {"executing",    GK_ALG_ANY, open_keys,
                                work_with_keys, judge_keys, free_keys};

/* Children that only execute something, in every way that there is: the parent's threads go on. */
static void children_execute(void) {
    char path[512];
    pthread_t threads[BUSY];
    char *words[] = {"/bin/true", NULL};
    current = &executing;
    snprintf(path, sizeof path, "%s/promises", folder);
    promises = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    CHECK(promises >= 0);
    stop = false;
    for (int i = 0; i < BUSY; i++) CHECK(pthread_create(&threads[i], NULL, keep_busy, NULL) == 0);
    const int all = rounds(FEW);
    for (int i = 0; i < all; i++) {
        pid_t child = 0;
        alarm(2 * PATIENCE);
        if (i % 3 == 0) {
            CHECK(posix_spawn(&child, words[0], NULL, NULL, words, environ) == 0);
        } else {
            child = i % 3 == 1 ? fork() : vfork();
            if (child == 0) {
                execv(words[0], words);
                _exit(127);
            }
        }
        CHECK(ended_well(child, "a child that executes"));
        work_with_keys(PARENT);
    }
    stop = true;
    for (int i = 0; i < BUSY; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(judge_all(path) > (size_t)all);
    CHECK(executed("witness", "executing", ""));
    close(promises);
    alarm(0);
}

/* A thread forks that has not opened the store. */
static void *forks_itself(void *of) {
    const api_key *each = of;
    IN_A_CHILD("a fork of a thread", end_key(&each[0]));
    end_key(&each[1]);
    return NULL;
}

static void thread_forks(void) {
    api_key each[2] = {created(), created()};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, forks_itself, each) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    after(&each[0], &each[1]);
}

/* A child that nobody was told of: no handler of pthread_atfork has run. It may not go on, and what
 * it draws is its own. */
static void raw_fork(void) {
    gk_error err;
    const api_key mine = created();
    gk_key *key = NULL;
    char ours[GK_THUMBPRINT_SIZE], theirs[GK_THUMBPRINT_SIZE];
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    MUST(gk_key_generate(GK_ALG_HS256, &key, &err));
    MUST(gk_key_thumbprint(key, &ours, &err));
    gk_key_free(key);
    if (child == 0) {
        alarm(PATIENCE);
        gk_issued_api_key none;
        FAILS(GK_STATUS_STORE_UNAVAILABLE, gk_api_keys_create(keys, spec, &none, &err));
        FAILS(GK_STATUS_STORE_UNAVAILABLE,
              gk_api_keys_revoke(keys, MINE(mine.id), GK_TEXT("leaked"), &err));
        /* What it has in memory is good for as long as that of a store that cannot be reached. */
        IN_THE_END(answer(mine.secret, NULL) == GK_STATUS_STORE_UNAVAILABLE);
        CHECK(write(ends[1], ours, sizeof ours) == sizeof ours);
        _exit(EXIT_SUCCESS);
    }
    CHECK(ended_well(child, "a fork that goes round pthread_atfork"));
    CHECK(read(ends[0], theirs, sizeof theirs) == sizeof theirs && strcmp(ours, theirs) != 0);
    close(ends[0]);
    close(ends[1]);
    CHECK(answer(mine.secret, NULL) == GK_STATUS_OK);
    end_key(&mine);
    CHECK(others_say(GK_STATUS_API_KEY_REVOKED, &mine));
}

int main(int argc, char **argv) {
    if (witnessed(argc, argv, &executing, 1) != NULL) return witness(&executing);
    if (argc == 5) return in_another_process(argv);
    make_folder();
    spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    open_keys();
    const int all = rounds(2);
    for (int i = 0; i < all; i++) {
        if (wanted("daemonises")) daemonises(i % 2 == 1);
        if (wanted("parent frees")) parent_frees();
        if (wanted("child frees")) child_frees();
        if (wanted("children fork")) children_fork();
        if (wanted("double fork")) double_fork();
        if (wanted("thread forks")) thread_forks();
    }
    if (wanted("children execute")) children_execute();
    if (wanted("raw fork")) raw_fork();
    gk_api_keys_free(keys);
    gk_api_key_spec_free(spec);
    remove_folder();
    return passed("forks_shapes");
}
