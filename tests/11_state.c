/* Chapter 11: the state of a run. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "memory.h"
#include "state.h"

#include "fails_with.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[128];

/* A run of everything that a state can hold. */
struct run {
    struct dl_params model, averages;
    struct dl_random random;
    int64_t steps;
    int order[10], at;
    double best[2];
    struct dl_text log;
    struct dl_state state;
};

static void begin(struct run *r, int seed)
{
    *r = (struct run){0};
    dl_random_seed(&r->random, (uint64_t)seed);
    dl_param(&r->model, "fc1.weight", DL_SHAPE(4, 5));
    dl_param(&r->model, "fc1.bias", DL_SHAPE(4));
    dl_param(&r->averages, "exp_avg.fc1.weight", DL_SHAPE(4, 5));
    dl_param(&r->averages, "exp_avg.fc1.bias", DL_SHAPE(4));
    for (int k = 0; k < 2; k++) {
        dl_tensor *w = r->model.list[k].tensor, *m = r->averages.list[k].tensor;
        for (size_t i = 0; i < w->size; i++) {
            dl_data(w)[i] = (dl_real)dl_random_normal(&r->random);
            dl_data(m)[i] = 0;
        }
    }
    dl_random_permutation(&r->random, r->order, 10);
    dl_state_params(&r->state, "", &r->model);
    dl_state_params(&r->state, "train/", &r->averages);
    dl_state_random(&r->state, "train/random", &r->random);
    dl_state_count(&r->state, "train/steps", &r->steps, 0, INT64_MAX);
    dl_state_ints(&r->state, "train/order", 10, r->order, 0, 9);
    dl_state_ints(&r->state, "train/at", 1, &r->at, 0, 10);
    dl_state_doubles(&r->state, "train/best", 2, r->best);
    dl_state_text(&r->state, "train/log", &r->log);
    dl_state_note(&r->state, "batch", "1");
    dl_state_note(&r->state, "seed", "three \"3\"");
}

/* One step depends on all of it, and changes all of it. */
static void step(struct run *r)
{
    if (r->at == 10) {
        dl_random_permutation(&r->random, r->order, 10);
        r->at = 0;
    }
    dl_real x = (dl_real)r->order[r->at++], noise = (dl_real)dl_random_normal(&r->random);
    r->steps++;
    for (int k = 0; k < 2; k++) {
        dl_tensor *w = r->model.list[k].tensor, *m = r->averages.list[k].tensor;
        for (size_t i = 0; i < w->size; i++) {
            dl_data(m)[i] = (dl_real)0.9 * dl_data(m)[i] + noise * (dl_data(w)[i] - x) / (dl_real)r->steps;
            dl_data(w)[i] -= (dl_real)0.1 * dl_data(m)[i];
        }
        r->best[k] = fmin(r->best[k], dl_data(w)[0]);
    }
    dl_text_add(&r->log, "%lld\t%.9g\n", (long long)r->steps, r->best[0]);
}

static void end(struct run *r)
{
    dl_params_free(&r->model);
    dl_params_free(&r->averages);
    dl_text_free(&r->log);
    dl_state_free(&r->state);
}

static void same(const struct run *a, const struct run *b)
{
    for (int k = 0; k < 2; k++) {
        dl_tensor *v = a->model.list[k].tensor, *w = b->model.list[k].tensor;
        cr_assert(memcmp(dl_data(v), dl_data(w), v->size * sizeof(dl_real)) == 0, "the model");
        v = a->averages.list[k].tensor, w = b->averages.list[k].tensor;
        cr_assert(memcmp(dl_data(v), dl_data(w), v->size * sizeof(dl_real)) == 0, "the averages");
    }
    cr_assert(memcmp(a->random.state, b->random.state, sizeof a->random.state) == 0);
    cr_assert(a->random.at == b->random.at && a->random.has_spare == b->random.has_spare);
    cr_assert(memcmp(&a->random.spare, &b->random.spare, 8) == 0);
    cr_assert(a->steps == b->steps && a->at == b->at && memcmp(a->order, b->order, sizeof a->order) == 0);
    cr_assert(memcmp(a->best, b->best, sizeof a->best) == 0);
    cr_assert(a->log.n == b->log.n && memcmp(a->log.bytes ? a->log.bytes : "", b->log.bytes ? b->log.bytes : "",
                                             a->log.n) == 0);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/dlfs-11-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    sprintf(path, "%s/x.safetensors", folder);
}

static void remove_folder(void)
{
    char command[80];
    sprintf(command, "rm -rf %s", folder);
    cr_assert(eq(int, system(command), 0));
    cr_assert(eq(sz, dl_pool_use().blocks, 0));
    dl_pool_drain();
}
TestSuite(state, .init = make_folder, .fini = remove_folder);

static bool contains(const char *what) { return strstr(dl_error_text(), what) != NULL; }

static char *bytes_of(size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(100000);
    *n = fread(bytes, 1, 100000, f);
    fclose(f);
    return bytes;
}

Test(state, stopped_after_any_step_and_loaded_the_run_goes_on_to_the_bit)
{
    struct run whole;
    begin(&whole, 1);
    for (int i = 0; i < 30; i++)
        step(&whole);
    size_t n, m;
    cr_assert(dl_state_save(&whole.state, path), "%s", dl_error_text());
    char *want = bytes_of(&n);
    for (int stop = 0; stop <= 30; stop++) {
        struct run first, second;
        begin(&first, 1);
        for (int i = 0; i < stop; i++)
            step(&first);
        cr_assert(dl_state_save(&first.state, path));
        begin(&second, 2);
        for (int i = 0; i < stop % 7; i++)
            step(&second);                          /* whatever was there is overwritten */
        uint64_t version = second.model.list[0].tensor->storage->version;
        cr_assert(dl_state_load(&second.state, path), "%s", dl_error_text());
        cr_assert(second.model.list[0].tensor->storage->version > version, "nobody was told");
        same(&first, &second);
        for (int i = stop; i < 30; i++)
            step(&second);
        same(&whole, &second);
        cr_assert(dl_state_save(&second.state, path));
        char *got = bytes_of(&m);
        cr_assert(n == m && memcmp(want, got, n) == 0, "the files differ");
        free(got);
        end(&first), end(&second);
    }
    free(want);
    end(&whole);
}

Test(state, each_item_left_out_of_the_file_is_missed_and_nothing_is_changed)
{
    struct run r, before;
    struct dl_safetensors f;
    begin(&r, 3);
    for (int i = 0; i < 4; i++)
        step(&r);
    cr_assert(dl_state_save(&r.state, path) && dl_safetensors_read(&f, path));
    for (int k = 0; k < f.n; k++) {
        char name[100], message[140];
        struct dl_entry list[40];
        strcpy(name, f.list[k].name);
        for (int i = 0, j = 0; i < f.n; i++)
            if (i != k)
                list[j++] = f.list[i];
        struct dl_note notes[] = {{"batch", "1"}, {"seed", "three \"3\""}};
        cr_assert(dl_safetensors_write(path, f.n - 1, list, 2, notes));
        begin(&before, 5), end(&r), begin(&r, 5);
        cr_assert(not(dl_state_load(&r.state, path)));
        sprintf(message, "it has no '%s'", name);
        cr_assert(contains(message), "%s", dl_error_text());
        same(&r, &before);
        end(&before);
        memcpy(list, f.list, (size_t)f.n * sizeof *list);
        list[k].type = list[k].type == DL_F64 ? DL_I64 : list[k].type == DL_I64 ? DL_F64
                       : list[k].type == DL_F32 ? DL_I32 : list[k].type == DL_I32 ? DL_F32
                       : list[k].type == DL_U8 ? DL_I8 : DL_U8;
        cr_assert(dl_safetensors_write(path, f.n, list, 2, notes));
        cr_assert(not(dl_state_load(&r.state, path)));
        cr_assert(contains("has another type or shape"), "%s", dl_error_text());
    }
    dl_safetensors_free(&f);
    end(&r);
}

static void refused_after(void (*change)(struct run *r), const char *why)
{
    struct run r, s, t;
    begin(&r, 3), begin(&s, 4), begin(&t, 4);
    change(&r);
    cr_assert(dl_state_save(&r.state, path), "%s", dl_error_text());
    cr_assert(not(dl_state_load(&s.state, path)));
    cr_assert(contains(why), "%s", dl_error_text());
    cr_assert(strchr(dl_error_text(), '\n') == NULL);
    same(&s, &t);
    end(&r), end(&s), end(&t);
}

static void at_is_11(struct run *r) { r->at = 11; }
static void at_is_negative(struct run *r) { r->at = -1; }
static void order_has_10(struct run *r) { r->order[9] = 10; }
static void random_at_625(struct run *r) { r->random.at = 625; }
static void random_at_negative(struct run *r) { r->random.at = -1; }
static void spare_is_2(struct run *r) { memset(&r->random.has_spare, 2, 1); }
static void steps_negative(struct run *r) { r->steps = -1; }
static void one_more(struct run *r) { dl_state_doubles(&r->state, "train/more", 2, r->best); }
static void batch_2(struct run *r) { strcpy((char *)r->state.note[0].value, "2"); }
static void no_batch(struct run *r) { strcpy((char *)r->state.note[0].key, "botch"); }
static void evil_note(struct run *r) { strcpy((char *)r->state.note[1].value, "th\n\nee"); }

Test(state, integers_out_of_their_limits_are_refused)
{
    refused_after(at_is_11, "'train/at' is 11, and must be from 0 to 10");
    refused_after(at_is_negative, "'train/at' is -1");
    refused_after(order_has_10, "'train/order' is 10, and must be from 0 to 9");
    refused_after(random_at_625, "'train/random.at' is 625");
    refused_after(random_at_negative, "'train/random.at' is -1");
    refused_after(spare_is_2, "'train/random.has_spare' is 2");
    refused_after(steps_negative, "'train/steps' is -1");
}

Test(state, options_and_things_that_differ_are_refused)
{
    refused_after(one_more, "it has 14 things, and we know 13");
    refused_after(batch_2, "it was written with batch 2, and not 1");
    refused_after(no_batch, "it was written with batch none, and not 1");
    refused_after(evil_note, "with seed th??ee, and not three");
}

Test(state, a_valid_file_without_a_checksum_is_refused)
{
    struct run r;
    size_t n;
    begin(&r, 3);
    cr_assert(dl_state_save(&r.state, path));
    char *bytes = bytes_of(&n);
    memcpy(strstr(bytes + 8, "dlfs.crc32"), "dlfs.crc31", 10);
    FILE *f = fopen(path, "wb");
    fwrite(bytes, 1, n, f);
    fclose(f);
    free(bytes);
    cr_assert(not(dl_state_load(&r.state, path)));
    cr_assert(contains("no checksum"), "%s", dl_error_text());
    end(&r);
}

/* Every bit of a file: with the checksum demanded, none can be turned unnoticed. */
Test(state, with_any_bit_turned_it_is_refused)
{
    struct run r;
    size_t n;
    begin(&r, 3);
    step(&r);
    cr_assert(dl_state_save(&r.state, path));
    char *bytes = bytes_of(&n);
    dl_state_save(&r.state, path);
    for (size_t i = 0; i < 8 * n; i++) {
        struct dl_safetensors f;
        bytes[i / 8] ^= (char)(1 << i % 8);
        bool good = dl_safetensors_parse(&f, bytes, n);
        cr_assert(not(good && f.has_crc), "bit %zu", i);
        dl_safetensors_free(&f);
        if (good) {
            FILE *file = fopen(path, "wb");
            fwrite(bytes, 1, n, file);
            fclose(file);
            cr_assert(not(dl_state_load(&r.state, path)), "bit %zu", i);
        }
        bytes[i / 8] ^= (char)(1 << i % 8);
    }
    free(bytes);
    end(&r);
}

Test(state, initial_weights_can_be_taken_from_a_checkpoint)
{
    struct run r, s;
    begin(&r, 3), begin(&s, 4);
    step(&r);
    cr_assert(dl_state_save(&r.state, path));
    cr_assert(dl_params_load(&s.model, path), "%s", dl_error_text());
    for (int k = 0; k < 2; k++)
        cr_assert(dl_equal(r.model.list[k].tensor, s.model.list[k].tensor));
    end(&r), end(&s);
}

Test(state, a_text_grows_and_may_be_empty)
{
    struct dl_text t = {0};
    for (int i = 0; i < 1000; i++)
        dl_text_add(&t, "%d\n", i);
    cr_assert(eq(sz, t.n, 2 * 10 + 3 * 90 + 4 * 900));
    cr_assert(strncmp(t.bytes, "0\n1\n2\n", 6) == 0 && strcmp(t.bytes + t.n - 8, "998\n999\n") == 0);
    dl_text_free(&t);
    dl_text_add(&t, "%s", "");
    cr_assert(eq(sz, t.n, 0));
    dl_text_free(&t);
}

Test(state, names_twice_are_a_mistake_of_the_caller)
{
    struct run r;
    begin(&r, 3);
    fails_with(dl_state_doubles(&r.state, "train/best", 1, r.best), "train/best is on the list already");
    end(&r);
}
