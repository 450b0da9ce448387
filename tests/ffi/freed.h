/* free and realloc that look for secrets in what is given back. For a program that includes this
 * once, or a shared library that is loaded before the system's (LD_PRELOAD); with FREED_BY, only
 * what the library with this in its name gives back is looked at. */
#ifndef GATEKEY_TESTS_FREED_H
#define GATEKEY_TESTS_FREED_H
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREED_MOST 64

static char freed_marks[FREED_MOST][96]; /* the beginnings of secrets */
static size_t freed_lengths[FREED_MOST], freed_count, freed_number;
static char freed_text[2000];
static bool freed_armed;

bool freed_mark(const void *bytes, size_t len);
void freed_watch(bool armed);
size_t freed_found(void);
const char *freed_where(void);
void freed_forget(void);

/* No block that is given back may hold this from now on; whether there was room for it. */
bool freed_mark(const void *bytes, size_t len) {
    if (freed_count == FREED_MOST || len < 12) return false;
    freed_lengths[freed_count] = len < sizeof freed_marks[0] ? len : sizeof freed_marks[0];
    memcpy(freed_marks[freed_count], bytes, freed_lengths[freed_count]);
    freed_count++;
    return true;
}

void freed_watch(bool armed) { freed_armed = armed; }

size_t freed_found(void) { return freed_number; }

/* The sizes of the blocks, and how the secret began that was in each. */
const char *freed_where(void) { return freed_text; }

void freed_forget(void) { freed_count = freed_number = 0, freed_text[0] = 0; }

static bool freed_is_theirs(const void *caller) {
#ifdef FREED_BY
    Dl_info info;
    return dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
           strstr(info.dli_fname, FREED_BY) != NULL;
#else
    return caller != NULL;
#endif
}

static void freed_look(const void *block, size_t size, const void *caller) {
    if (!freed_armed) return;
    for (size_t i = 0; i < freed_count; i++) {
        if (memmem(block, size, freed_marks[i], freed_lengths[i]) == NULL) continue;
        if (!freed_is_theirs(caller)) return;
        const size_t used = strlen(freed_text);
        snprintf(freed_text + used, sizeof freed_text - used, "[%zu bytes: %.12s...] ", size,
                 freed_marks[i]);
        freed_number++;
        return;
    }
}

static void *freed_real(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (symbol == NULL) abort();
    return symbol;
}

static void freed_give_back(void *block) {
    static void (*real)(void *);
    if (real == NULL) *(void **)&real = freed_real("free");
    real(block);
}

void free(void *block) {
    if (block == NULL) return;
    freed_look(block, malloc_usable_size(block), __builtin_return_address(0));
    freed_give_back(block);
}

/* Never in place: a block that grows may be moved, and what was there stays. */
void *realloc(void *block, size_t size) {
    if (block == NULL) return malloc(size);
    const size_t old = malloc_usable_size(block);
    void *moved = size == 0 ? NULL : malloc(size);
    if (size != 0 && moved == NULL) return NULL;
    if (moved != NULL) memcpy(moved, block, old < size ? old : size);
    freed_look(block, old, __builtin_return_address(0));
    freed_give_back(block);
    return moved;
}

#endif
