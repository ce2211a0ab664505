/* Safetensors files: written, read back, and those that lie. */
#include "common/formats/safetensors.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct job {
    struct msa m; /* first: its address is that of both */
    const char *path;
};

static int enter(void **state)
{
    char name[] = "/tmp/msa-safetensors-XXXXXX";
    return !mkdtemp(name) || chdir(name) != 0 || !(*state = strdup(name));
}

static int leave(void **state)
{
    unlink("a");
    unlink("b");
    int failed = chdir("/") || rmdir(*state);
    free(*state);
    return failed;
}

static const float numbers[] = {1, -2.5f, 3e-40f, 4, 5, 6};

static const struct safetensor tensors[] = {
    {.name = "z.weight", .rank = 2, .shape = {2, 3}, .count = 6, .data = numbers},
    {.name = "a", .rank = 0, .count = 1, .data = numbers + 1},
    {.name = "m \"ü\"", .rank = 3, .shape = {4, 0, 2}, .count = 0, .data = numbers},
};
static const char *const metadata[][2] = {{"seed", "1"}, {"program", "msa-encode"}, {"empty", ""}};

static void write_one(struct msa *m)
{
    const char *path = ((struct job *)m)->path;
    struct checksum written = safetensors_write(m, path, tensors, 3, metadata, 3);
    assert_true(checksum_same(written, checksum_of_file(m, path, UINT64_MAX)));
}

/* The same in another order. */
static void write_other(struct msa *m)
{
    const struct safetensor order[] = {tensors[2], tensors[0], tensors[1]};
    const char *const pairs[][2] = {{"program", "msa-encode"}, {"empty", ""}, {"seed", "1"}};
    safetensors_write(m, ((struct job *)m)->path, order, 3, pairs, 3);
}

/* A tensor's first number, which it has whatever its dtype is. */
static float first_of(struct msa *m, const struct safetensor *t)
{
    float *copy;
    float first = *safetensor_floats(m, t, &copy);
    msa_free(m, copy);
    return first;
}

static void read_one(struct msa *m)
{
    struct safetensors *s = safetensors_open(m, ((struct job *)m)->path);
    const struct safetensor *z = safetensors_find(s, "z.weight"), *a = safetensors_find(s, "a"),
                            *none = safetensors_find(s, tensors[2].name);
    assert_int_equal(s->count, 3);
    assert_string_equal(s->tensors[0].name, "a");
    assert_string_equal(s->tensors[2].name, "z.weight");
    assert_int_equal(z->rank, 2);
    assert_int_equal(z->shape[1], 3);
    assert_memory_equal(z->data, numbers, sizeof numbers);
    assert_int_equal(a->rank, 0);
    assert_true(first_of(m, a) == -2.5f);
    assert_int_equal(none->count, 0);
    assert_null(safetensors_find(s, "b"));
    assert_int_equal(s->metadata_count, 3);
    assert_string_equal(s->metadata[0][0], "empty");
    assert_string_equal(safetensors_metadata(s, "program"), "msa-encode");
    assert_string_equal(safetensors_metadata(s, "empty"), "");
    assert_null(safetensors_metadata(s, "host"));
    safetensors_close(m, s);
}

static void runs(void (*body)(struct msa *), const char *path)
{
    struct job job = {.m.program = "test", .path = path};
    if (msa_run(&job.m, body) != MSA_OK)
        fail_msg("%s", job.m.error);
}

static char *contents(const char *path, size_t *size)
{
    static char bytes[4096];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    *size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return bytes;
}

static void put(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void round_trip(void **state)
{
    size_t size;
    (void)state;
    runs(write_one, "a");
    runs(read_one, "a");
    const char *bytes = contents("a", &size);
    size_t header = (uint8_t)bytes[0] | (size_t)(uint8_t)bytes[1] << 8;
    assert_int_equal((8 + header) % 64, 0);
    assert_int_equal(size, 8 + header + 7 * sizeof(float));
}

static void equal_contents(void **state)
{
    size_t size, other;
    (void)state;
    runs(write_one, "a");
    runs(write_other, "b");
    char *copy = malloc(4096);
    memcpy(copy, contents("a", &size), 4096);
    const char *bytes = contents("b", &other);
    assert_int_equal(size, other);
    assert_memory_equal(bytes, copy, size);
    free(copy);
}

static void write_twice(struct msa *m)
{
    const struct safetensor two[] = {tensors[0], tensors[0]};
    safetensors_write(m, "b", two, 2, NULL, 0);
}

static void equal_names(void **state)
{
    struct job job = {.m.program = "test"};
    (void)state;
    unlink("b");
    assert_int_equal(msa_run(&job.m, write_twice), MSA_FAILED);
    assert_non_null(strstr(job.m.error, "two names are equal"));
    assert_int_not_equal(access("b", F_OK), 0);
}

/* A header, and zeros behind it. */
static void put_header(const char *header, size_t data)
{
    static uint8_t bytes[1 << 19];
    size_t length = strlen(header);
    assert_true(8 + length + data <= sizeof bytes);
    memset(bytes, 0, sizeof bytes);
    for (int i = 0; i < 3; i++)
        bytes[i] = (uint8_t)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    put("a", bytes, 8 + length + data);
}

static void open_only(struct msa *m)
{
    safetensors_open(m, ((struct job *)m)->path);
}

static void expect_resembling(struct msa *m)
{
    assert_true(safetensors_resembles(m, ((struct job *)m)->path));
}

static void expect_corrupt(const char *part)
{
    struct job job = {.m.program = "test", .path = "a"};
    if (msa_run(&job.m, open_only) != MSA_CORRUPT || !strstr(job.m.error, part) ||
        strncmp(job.m.error, "a: ", 3) != 0)
        fail_msg("status %d, '%s' but expected '%s'", job.m.status, job.m.error, part);
    for (const char *c = job.m.error; *c; c++)
        assert_true((unsigned char)*c >= ' ');
}

/* Odd lengths of the header, as old writers left it: the numbers are copied to where they may be;
 * and lengths that begin as a pickle, zlib's, a stream and gzip's. */
static void lengths(void **state)
{
    static const int all[] = {56, 57, 58, 59, 376, 640, 896, 1152, 1408, 19928, 35615};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char header[1 << 16];
        snprintf(header, sizeof header, "%-*s", all[i],
                 "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}");
        put_header(header, 8);
        runs(open_only, "a");
        runs(expect_resembling, "a");
    }
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* 1.5 in each dtype of reals, and numbers that are none, so that some stand where no float may. */
// clang-format off
static const char foreign_header[] =
    "{" TENSOR("bool", "BOOL", "[1]", "[0,1]") ","
    TENSOR("half", "F16", "[1]", "[1,3]") ","
    TENSOR("brain", "BF16", "[1]", "[3,5]") ","
    TENSOR("double", "F64", "[1]", "[5,13]") ","
    TENSOR("float", "F32", "[1]", "[13,17]") "}";
// clang-format on
static const uint8_t foreign_data[] = {1, 0x00, 0x3e, 0xc0, 0x3f, 0, 0,    0,   0,
                                       0, 0,    0xf8, 0x3f, 0,    0, 0xc0, 0x3f};

static void read_foreign(struct msa *m)
{
    static const char *const reals[] = {"half", "brain", "double", "float"};
    struct safetensors *s = safetensors_open_foreign(m, ((struct job *)m)->path);
    assert_null(safetensors_find(s, "bool"));
    assert_true(safetensors_names(s, "bool"));
    assert_false(safetensors_names(s, "none"));
    for (int i = 0; i < 4; i++)
        assert_true(first_of(m, safetensors_find(s, reals[i])) == 1.5f);
    s->tensors[1].name = msa_strndup(m, "half", 4);
    safetensors_sort(m, s);
}

static void foreign(void **state)
{
    struct job job = {.m.program = "test", .path = "a"};
    uint8_t bytes[1024] = {(uint8_t)strlen(foreign_header), (uint8_t)(strlen(foreign_header) >> 8)};
    (void)state;
    memcpy(bytes + 8, foreign_header, strlen(foreign_header));
    memcpy(bytes + 8 + strlen(foreign_header), foreign_data, sizeof foreign_data);
    put("a", bytes, 8 + strlen(foreign_header) + sizeof foreign_data);
    assert_int_equal(msa_run(&job.m, read_foreign), MSA_CORRUPT);
    assert_string_equal(job.m.error, "a: two tensors are called 'half'");
    expect_corrupt("dtype BOOL but expected F32");
}

static long most_memory(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss;
}

/* Of a file with tensors of 2 GiB, the other one. */
static void read_small(struct msa *m)
{
    struct safetensors *s = safetensors_open_foreign(m, ((struct job *)m)->path);
    assert_int_equal(safetensors_find(s, "halves")->count, (size_t)1 << 30);
    assert_int_equal(safetensors_find(s, "floats")->count, (size_t)1 << 29);
    assert_true(first_of(m, safetensors_find(s, "small")) == 0);
    safetensors_close(m, s);
}

/* Behind a header of an odd length floats lie where none may be, and are copied too. */
static void what_nobody_asks_for_takes_no_memory(void **state)
{
    static const char header[] =
        "{" TENSOR("halves", "F16", "[1073741824]", "[0,2147483648]") "," TENSOR(
            "floats", "F32", "[536870912]",
            "[2147483648,4294967296]") "," TENSOR("small", "F32", "[1]",
                                                  "[4294967296,4294967300]") " }";
    (void)state;
    assert_int_equal(strlen(header) % 2, 1);
    put_header(header, 0);
    assert_int_equal(truncate("a", (off_t)(8 + strlen(header)) + (4L << 30) + 4), 0);
    long before = most_memory();
    runs(read_small, "a");
    assert_true(most_memory() - before < 16384); /* KiB */
}

static void lying_headers(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        const char *part;
    } files[] = {
        {"", 0, "header"},
        {"[]", 0, "no JSON object"},
        {"{", 0, "header, byte"},
        {"{\"x\":3}", 0, "dtype missing"},
        {"{" TENSOR("x", "F16", "[1]", "[0,2]") "}", 2, "tensor 'x': dtype F16 but expected F32"},
        {"{" TENSOR("x", "F32", "[2]", "[0,4]") "}", 4,
         "tensor 'x': 4 bytes but expected 2 values"},
        {"{" TENSOR("x", "F32", "[-1]", "[0,4]") "}", 4, "size 0 of its shape"},
        {"{" TENSOR("x", "F32", "[1.5]", "[0,4]") "}", 4, "size 0 of its shape"},
        {"{" TENSOR("x", "F32", "3", "[0,4]") "}", 4, "no list"},
        {"{" TENSOR("x", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "no list"},
        {"{" TENSOR("x", "F32", "[4611686018427387904,4]", "[0,0]") "}", 0, "size 1 of its shape"},
        {"{" TENSOR("x", "F32", "[4611686018427387904]", "[0,0]") "}", 0, "0 bytes"},
        {"{" TENSOR("x", "F32", "[1]", "[4,0]") "}", 4, "data_offsets"},
        {"{" TENSOR("x", "F32", "[1]", "[0]") "}", 4, "data_offsets"},
        {"{" TENSOR("x", "F32", "[1]", "[0,4]") "}", 8,
         "tensors end at 4 of the data but expected 8"},
        {"{" TENSOR("x", "F32", "[3]", "[0,12]") "}", 8,
         "tensors end at 12 of the data but expected 8"},
        {"{" TENSOR("x", "F32", "[1]", "[4,8]") "}", 8,
         "tensor 'x' starts at 4 of the data but expected 0"},
        {"{" TENSOR("x", "F32", "[2]", "[0,8]") "," TENSOR("y", "F32", "[1]", "[4,8]") "}", 8,
         "'y' starts at 4"},
        {"{" TENSOR("x", "F32", "[1]", "[0,4]") "," TENSOR("x", "F32", "[1]", "[4,8]") "}", 8,
         "duplicate"},
        {"{" TENSOR("x\\n", "F16", "[1]", "[0,2]") "}", 2, "tensor 'x?'"},
        {"{" TENSOR("x", "F32", "[2]", "[0,8]") "," TENSOR("y", "F32", "[1]", "[12,16]") "}", 16,
         "'y' starts at 12"},
        {"{" TENSOR("x", "F32", "[1]", "[0,4]") "," TENSOR("y", "F32", "[1]", "[0,4]") "}", 4,
         "starts at 0"},
        {"{" TENSOR("x", "F32", "[1]", "[0.0,4]") "}", 4, "data_offsets"},
        {"{" TENSOR("x", "F32", "[1]", "[-4,0]") "}", 4, "data_offsets"},
        {"{" TENSOR("x", "F32", "[1]", "[0,4,8]") "}", 8, "data_offsets"},
        {"{" TENSOR("x", "F32", "[1e0]", "[0,4]") "}", 4, "size 0 of its shape"},
        {"{" TENSOR("x", "F32", "[274877906944]", "[0,1099511627776]") "}", 4,
         "tensors end at 1099511627776 of the data but expected 4"},
        {"{" TENSOR("x", "F32", "[99999999999999999999]", "[0,4]") "}", 4, "header, byte"},
        {"{" TENSOR("\xff", "F32", "[1]", "[0,4]") "}", 4, "header, byte"},
        {"{" TENSOR("a\\u0000b", "F32", "[1]", "[0,4]") "}", 4, "header, byte"},
        {"{}{}", 0, "header, byte"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: 'k' is no string"},
        {"{\"x\":[[]]}", 0, "dtype missing"},
        {"{\"x\":[[[]]]}", 0, "header, byte 7: nested deeper than 3"},
        {"{\"[{[\\\"{\":[[[]]]}", 0, "header, byte 12: nested deeper than 3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        put_header(files[i].header, files[i].data);
        expect_corrupt(files[i].part);
    }
}

/* The header's length is believed only when the file is that long. */
static void lying_lengths(void **state)
{
    (void)state;
    put("a", "\0\0\0\0\0\0\0", 7);
    expect_corrupt("7 bytes");
    put("a", "", 0);
    expect_corrupt("0 bytes");
    put("a", "\x80\4}\x94.", 5);
    expect_corrupt("a pickle but expected parameters, a safetensors file");
    put("a", "PK\3\4", 4);
    expect_corrupt("a zip archive but expected parameters, a safetensors file");
    put("a", "\3\0\0\0\0\0\0\0{}", 10);
    expect_corrupt("header of 3 bytes in a file of 10");
    put("a", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    expect_corrupt("header of 18446744073709551615 bytes");
    put("a", "\0\0\0\1\0\0\0\0", 8);
    assert_int_equal(truncate("a", 20 << 20), 0);
    expect_corrupt("at most 1048576");
}

static void cut(void **state)
{
    char whole[4096];
    size_t size;
    (void)state;
    runs(write_one, "a");
    memcpy(whole, contents("a", &size), sizeof whole);
    for (size_t n = 0; n < size; n++) {
        put("a", whole, n);
        expect_corrupt("");
    }
}

static char noted[8]; /* by the file "a"; "": nothing */

static void read_note(struct msa *m)
{
    int fd = open("a", O_RDONLY | O_CLOEXEC);
    const char *note = safetensors_note(m, fd, "a", "k");
    snprintf(noted, sizeof noted, "%s", note ? note : "");
    close(fd);
}

/* A note of a header that is deeper, or has more in it, than one may be is none. */
static void notes(void **state)
{
    static const char note[] = "{\"__metadata__\":{\"k\":\"1\"},\"x\":";
    enum { MANY = (1 << 17) + 1 };
    static char many[sizeof note + 2 * MANY + 2];
    struct msa m = {0};
    (void)state;
    int at = snprintf(many, sizeof many, "%s[0", note);
    for (int i = 0; i < MANY; i++)
        at += snprintf(many + at, sizeof many - (size_t)at, ",0");
    snprintf(many + at, sizeof many - (size_t)at, "]}");
    put_header("{\"__metadata__\":{\"k\":\"1\"},\"x\":[[]]}", 0);
    assert_int_equal(msa_run(&m, read_note), MSA_OK);
    assert_string_equal(noted, "1");
    put_header("{\"__metadata__\":{\"k\":\"1\"},\"x\":[[[]]]}", 0);
    assert_int_equal(msa_run(&m, read_note), MSA_OK);
    assert_string_equal(noted, "");
    put_header(many, 0);
    assert_int_equal(msa_run(&m, read_note), MSA_OK);
    assert_string_equal(noted, "");
}

static void read_often(struct msa *m)
{
    size_t held = 0;
    int fd = open("a", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 200; i++) {
        if (i == 100)
            held = mallinfo2().uordblks;
        msa_free(m, safetensors_note(m, fd, "a", "k"));
        safetensors_close(m, safetensors_open(m, "a"));
    }
    assert_true(mallinfo2().uordblks < held + 4096);
    close(fd);
}

/* A training looks at its files at each checkpoint. With sanitizers mallinfo2 says nothing. */
static void what_was_read_is_given_back(void **state)
{
    struct msa m = {0};
    (void)state;
    put_header("{\"__metadata__\":{\"k\":\"1\"}}", 0);
    assert_int_equal(msa_run(&m, read_often), MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(equal_contents),
        cmocka_unit_test(equal_names),
        cmocka_unit_test(lengths),
        cmocka_unit_test(lying_headers),
        cmocka_unit_test(lying_lengths),
        cmocka_unit_test(cut),
        cmocka_unit_test(foreign),
        cmocka_unit_test(notes),
        cmocka_unit_test(what_was_read_is_given_back),
        cmocka_unit_test(what_nobody_asks_for_takes_no_memory),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, enter, leave);
}
