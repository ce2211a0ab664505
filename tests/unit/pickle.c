/* The pickle reader against what Python and NumPy wrote, and against files that lie. */
#include "common/formats/pickle/pickle.h"
#include "tests/unit/oracle.h"

#include <glob.h>
#include <math.h>

/* What a run of the reader works on. */
struct job {
    struct msa m; /* first: its address is that of both */
    const char *path, *stem;
};

static struct pickle *open_pickle(struct msa *m)
{
    const char *path = ((struct job *)m)->path;
    return pickle_open(m, path, mapping_of(m, path), NULL, NULL);
}

static void load(struct msa *m)
{
    pickle_close(open_pickle(m));
}

static void read_last(struct msa *m)
{
    struct pickle *p = open_pickle(m);
    const struct pickle_array *a = pickle_get(p->root, "a")->array;
    float last;
    pickle_numbers(p, a, a->count - 1, 1, &last);
}

/* STEM.EXTENSION beside the pickle. */
static char *expected(const struct job *job, const char *extension, size_t *size)
{
    char path[256];
    snprintf(path, sizeof path, "%s.%s", job->stem, extension);
    return oracle_read(path, size);
}

static void compare_numbers(struct job *job, struct pickle *p, const struct pickle_array *a)
{
    size_t size;
    char *want = expected(job, "f32", &size);
    if (!want)
        return;
    float *found = msa_calloc(&job->m, a->count, sizeof *found);
    assert_int_equal(size, a->count * sizeof *found);
    pickle_numbers(p, a, 0, a->count, found);
    for (size_t i = 0; i < a->count; i++)
        assert_true(isnan(found[i]) ? isnan(((float *)want)[i]) : found[i] == ((float *)want)[i]);
    for (size_t first = 0; first < a->count;
         first = first * 3 + 1) { /* any piece is like the whole */
        size_t n = (a->count - first + 1) / 2;
        float *piece = msa_calloc(&job->m, n, sizeof *piece);
        pickle_numbers(p, a, first, n, piece);
        assert_memory_equal(piece, found + first, n * sizeof *piece);
    }
    free(want);
}

static void compare_integers(struct job *job, struct pickle *p, const struct pickle_array *a)
{
    size_t size;
    char *want = expected(job, "i64", &size);
    if (!want)
        return;
    int64_t *found = msa_calloc(&job->m, a->count, sizeof *found);
    assert_int_equal(size, a->count * sizeof *found);
    pickle_integers(p, a, 0, a->count, found);
    assert_memory_equal(found, want, size);
    free(want);
}

static void compare_texts(struct job *job, struct pickle *p, const struct pickle_array *a)
{
    size_t size, at = 0;
    char *want = expected(job, "text", &size);
    if (!want)
        return;
    for (size_t i = 0; i < a->count; i++) {
        char *found = pickle_string(p, a, i);
        assert_true(at + strlen(found) < size);
        assert_memory_equal(want + at, found, strlen(found));
        at += strlen(found);
        assert_int_equal(want[at++], '\n');
    }
    assert_int_equal(at, size);
    free(want);
}

static void compare(struct msa *m)
{
    struct job *job = (struct job *)m;
    struct pickle *p = open_pickle(m);
    const struct pickle_value *value = pickle_get(p->root, "a");
    assert_non_null(value);
    assert_int_equal(value->kind, PICKLE_ARRAY);
    assert_null(pickle_get(p->root, "c"));
    compare_numbers(job, p, value->array);
    compare_integers(job, p, value->array);
    compare_texts(job, p, value->array);
    pickle_close(p);
}

static bool one_exists(const char *stem)
{
    const char *const extensions[] = {"f32", "i64", "text"};
    char path[256];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s.%s", stem, extensions[i]);
        if (access(path, R_OK) == 0)
            return true;
    }
    return false;
}

/* Calls check(path, stem) for the files that end so. */
static size_t each_file(void **state, const char *end,
                        bool (*check)(const char *path, const char *stem))
{
    char *pattern = oracle_path(state, "*");
    size_t count = 0;
    glob_t found;
    pattern = realloc(pattern, strlen(pattern) + strlen(end) + 1);
    assert_int_equal(glob(strcat(pattern, end), 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        char *stem = strndup(path, strlen(path) - strlen(end));
        count += check(path, stem);
        free(stem);
    }
    globfree(&found);
    free(pattern);
    return count;
}

static bool check_good(const char *path, const char *stem)
{
    struct job job = {.m.program = "test", .path = path, .stem = stem};
    if (!one_exists(stem))
        return false;
    if (msa_run(&job.m, compare) != MSA_OK)
        fail_msg("%s", job.m.error);
    return true;
}

static void good(void **state)
{
    assert_true(each_file(state, ".pkl", check_good) > 100);
}

static bool check_bad(const char *path, const char *stem)
{
    struct job job = {.m.program = "test", .stem = stem};
    size_t size;
    char *part = oracle_read(path, &size), *pickle = NULL;
    assert_true(asprintf(&pickle, "%s.pkl", stem) > 0);
    job.path = pickle;
    enum msa_status status = msa_run(&job.m, load);
    if (status == MSA_OK) /* what is wrong in text is seen when it is decoded */
        status = msa_run(&job.m, read_last);
    if (status != MSA_CORRUPT || !strstr(job.m.error, part) || !strstr(job.m.error, pickle))
        fail_msg("%s: status %d, '%s' but expected '%s'", pickle, status, job.m.error, part);
    for (const char *c = job.m.error; *c; c++)
        assert_true(*c >= ' ' && *c < 0x7f);
    free(pickle);
    free(part);
    return true;
}

static void bad(void **state)
{
    assert_true(each_file(state, ".bad", check_bad) > 40);
    char *executed = oracle_path(state, "executed");
    assert_int_not_equal(access(executed, F_OK), 0);
    free(executed);
}

/* Runs the reader over bytes in a file. */
static enum msa_status load_bytes(struct job *job, const char *path, const char *bytes, size_t size)
{
    oracle_write(path, bytes, size);
    *job = (struct job){.m.program = "test", .path = path};
    return msa_run(&job->m, load);
}

static bool check_cut(const char *path, const char *stem)
{
    size_t size;
    char *bytes = oracle_read(path, &size), *cut = NULL;
    struct job job;
    assert_true(asprintf(&cut, "%s.part", stem) > 0);
    for (size_t n = 0; n < size; n++)
        if (load_bytes(&job, cut, bytes, n) != MSA_CORRUPT)
            fail_msg("%s cut after %zu bytes: '%s'", path, n, job.m.error);
    assert_int_equal(load_bytes(&job, cut, bytes, size), MSA_OK);
    free(bytes);
    free(cut);
    return true;
}

static void cut(void **state)
{
    assert_int_equal(each_file(state, ".cut", check_cut), 4);
}

/* Any byte changed to any of some: either it still is a pickle, or it is refused. */
static bool check_flips(const char *path, const char *stem)
{
    static const uint8_t others[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '(', '.', '0',
                                     'R',  'a',  'b',  'h',  's',  't', 0x94};
    size_t size;
    char *bytes = oracle_read(path, &size), *flipped = NULL;
    struct job job;
    assert_true(asprintf(&flipped, "%s.part", stem) > 0);
    for (size_t i = 0; i < size; i++) {
        char kept = bytes[i];
        for (size_t k = 0; k < sizeof others; k++) {
            bytes[i] = (char)others[k];
            enum msa_status status = load_bytes(&job, flipped, bytes, size);
            assert_true(status == MSA_OK || status == MSA_CORRUPT);
        }
        bytes[i] = kept;
    }
    free(bytes);
    free(flipped);
    return true;
}

static void flips(void **state)
{
    assert_int_equal(each_file(state, ".cut", check_flips), 4);
}

static const struct pickle_value *get(const struct pickle *p, const char *key,
                                      enum pickle_kind kind)
{
    const struct pickle_value *value = pickle_get(p->root, key);
    assert_non_null(value);
    assert_int_equal(value->kind, kind);
    return value;
}

static void read_scalars(struct msa *m)
{
    struct pickle *p = open_pickle(m);
    assert_true(get(p, "f", PICKLE_REAL)->real == 0.1);
    assert_true(get(p, "h", PICKLE_REAL)->real == 1.5);
    assert_true(get(p, "r", PICKLE_REAL)->real == -2.5);
    assert_int_equal(get(p, "i", PICKLE_INT)->integer, -7);
    assert_int_equal(get(p, "u", PICKLE_INT)->integer, 200);
    assert_true(get(p, "l", PICKLE_INT)->integer == (int64_t)1 << 40);
    assert_true(get(p, "m", PICKLE_INT)->integer == INT64_MIN);
    assert_int_equal(get(p, "t", PICKLE_BOOL)->integer, 1);
    assert_string_equal(pickle_text(p, get(p, "s", PICKLE_TEXT)), "日本");
    assert_int_equal(get(p, "e", PICKLE_DICT)->length, 0);
    assert_int_equal(get(p, "d", PICKLE_DICT)->length, 1);
    const struct pickle_value *list = pickle_get(pickle_get(p->root, "d"), "k");
    assert_int_equal(list->length, 2);
    assert_string_equal(pickle_text(p, list->items[1]->items[1]), "x");
    get(p, "n", PICKLE_NONE);
}

static bool check_scalars(const char *path, const char *stem)
{
    struct job job = {.m.program = "test", .path = path, .stem = stem};
    if (msa_run(&job.m, read_scalars) != MSA_OK)
        fail_msg("%s", job.m.error);
    return true;
}

static void scalars(void **state)
{
    assert_int_equal(each_file(state, ".val", check_scalars), 4);
}

static void read_misfits(struct msa *m)
{
    struct job *job = (struct job *)m;
    struct pickle *p = open_pickle(m);
    const struct pickle_array *a = pickle_get(p->root, "a")->array;
    float one;
    int64_t whole;
    if (strcmp(job->stem, "text") == 0)
        pickle_string(p, a, 0);
    else if (strcmp(job->stem, "range") == 0)
        pickle_numbers(p, a, a->count, 1, &one);
    else
        pickle_integers(p, a, 0, 1, &whole);
}

/* Asking for what an array does not hold. */
static void misfits(void **state)
{
    static const char *const asked[][2] = {
        {"text", "expected text"}, {"range", "elements"}, {"int", "integers"}};
    char *path = oracle_path(state, "f8-le-p4.pkl");
    for (size_t i = 0; i < 3; i++) {
        struct job job = {.m.program = "test", .path = path, .stem = asked[i][0]};
        assert_int_equal(msa_run(&job.m, read_misfits), MSA_CORRUPT);
        assert_non_null(strstr(job.m.error, asked[i][1]));
    }
    free(path);
}

/* Text that is no array's bytes is found wherever it is: two bytes in the place of one code
 * point. */
static void damaged_latin1(void **state)
{
    char *path = oracle_path(state, "long-p2.pkl"), *copy = oracle_path(state, "damaged");
    size_t size, damaged = 0;
    char *bytes = oracle_read(path, &size);
    for (size_t at = 2000; at + 1000 < size; at += 997) {
        struct job job = {.m.program = "test", .path = copy, .stem = "damaged"};
        char old = bytes[at];
        bytes[at] = (char)0xe2; /* begins a code point of three bytes */
        oracle_write(copy, bytes, size);
        bytes[at] = old;
        assert_int_equal(msa_run(&job.m, read_last), MSA_CORRUPT);
        assert_non_null(strstr(job.m.error, "not their latin1"));
        damaged++;
    }
    assert_true(damaged > 100);
    free(bytes);
    free(path);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),           cmocka_unit_test(bad),     cmocka_unit_test(cut),
        cmocka_unit_test(flips),          cmocka_unit_test(scalars), cmocka_unit_test(misfits),
        cmocka_unit_test(damaged_latin1),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, oracle_make, oracle_remove);
}
