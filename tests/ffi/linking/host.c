/* A host loads plug-ins; threads use them; the host unloads them; then the threads end.
 *
 * usage: host unloaded|stays local|global URL PLUGIN...
 *
 * Whether they are still there after dlclose; their scope; how the URLs of their stores begin. Each
 * plug-in has a store of its own, for each may have a SQLite of its own, and two of those in one
 * process spoil each other's locks. */
#include "../../rounds/rounds.h"
#include "../check.h"

#include <dlfcn.h>
#include <pthread.h>

enum { MOST = 8 };

struct plugin {
    void *loaded;
    pthread_t thread;
    void (*key)(void);
    void (*keys)(void);
    void (*store)(const char *url);
};

static pthread_barrier_t step;
static bool little;

static void *work(void *argument) {
    const struct plugin *plugin = argument;
    little ? plugin->key() : plugin->keys();
    pthread_barrier_wait(&step); /* used */
    pthread_barrier_wait(&step); /* unloaded */
    return NULL;
}

static void load(struct plugin *plugin, const char *path, int scope) {
    plugin->loaded = dlopen(path, RTLD_NOW | scope);
    if (plugin->loaded == NULL) fprintf(stderr, "%s\n", dlerror());
    CHECK(plugin->loaded != NULL);
    *(void **)&plugin->key = dlsym(plugin->loaded, "plugin_key");
    *(void **)&plugin->keys = dlsym(plugin->loaded, "plugin_keys");
    *(void **)&plugin->store = dlsym(plugin->loaded, "plugin_store");
    CHECK(plugin->key != NULL && plugin->keys != NULL && plugin->store != NULL);
}

int main(int argc, char **argv) {
    CHECK(argc > 4 && argc <= 4 + MOST);
    const bool stays = strcmp(argv[1], "stays") == 0;
    const int scope = strcmp(argv[2], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
    const int count = argc - 4;
    char **paths = argv + 4;
    struct plugin plugins[MOST];
    for (int round = 0; round < rounds(3); round++) {
        little = round % 2 == 0;
        CHECK(pthread_barrier_init(&step, NULL, (unsigned)count + 1) == 0);
        for (int i = 0; i < count; i++) {
            load(&plugins[i], paths[i], scope);
            CHECK(pthread_create(&plugins[i].thread, NULL, work, &plugins[i]) == 0);
        }
        pthread_barrier_wait(&step);
        for (int i = 0; i < count; i++) {
            CHECK(dlclose(plugins[i].loaded) == 0);
            void *left = dlopen(paths[i], RTLD_NOW | RTLD_NOLOAD);
            CHECK((left != NULL) == stays);
            if (left != NULL) CHECK(dlclose(left) == 0);
        }
        pthread_barrier_wait(&step);
        for (int i = 0; i < count; i++) CHECK(pthread_join(plugins[i].thread, NULL) == 0);
        CHECK(pthread_barrier_destroy(&step) == 0);
    }
    /* What has been unloaded comes back, and all of them work side by side. */
    for (int i = 0; i < count; i++) load(&plugins[i], paths[i], scope);
    for (int i = 0; i < count; i++) {
        char url[4096];
        snprintf(url, sizeof url, "%s-%d.sqlite", argv[3], i);
        plugins[i].store(url);
    }
    return passed("host");
}
