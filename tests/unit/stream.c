/* Frames, in and out: round trips, and everything that can be wrong with the bytes (frame.h). */
#include "tests/unit/stream.h"
#include "common/stream/body.h"

#include <sys/resource.h>
#include <sys/wait.h>

static const struct msa_common plain, zipped = {.gzip = true}, unchecked = {.no_crc = true};

static void write_map(struct writer *w, enum frame_kind kind, const char *key, int64_t i)
{
    struct body *b = body_begin(w);
    body_map(b, 1);
    body_str(b, key);
    body_int(b, i);
    body_write(w, b, kind);
}

static void write_small(struct msa *m, struct writer *w)
{
    header_write(header_new(m), w);
    write_map(w, FRAME_CONTROL, "epoch", 1);
    write_map(w, FRAME_METRICS, "mae", -3);
    writer_end(w);
}

static void read_small(struct msa *m, struct reader *r)
{
    struct frame f;
    assert_true(reader_next(r, &f));
    assert_int_equal(f.kind, FRAME_HEADER);
    assert_int_equal((uintptr_t)f.body % 64, 0);
    frame_free(&f);
    struct frame control;
    assert_true(reader_next(r, &control));
    assert_true(reader_next(r, &f));
    assert_int_equal(control.kind, FRAME_CONTROL);
    assert_int_equal(control.seq, 1);
    assert_int_equal(value_int(control.map, "epoch", 0), 1);
    assert_int_equal(f.kind, FRAME_METRICS);
    assert_int_equal(value_int(f.map, "mae", 0), -3);
    frame_free(&control);
    frame_free(&f);
    assert_true(reader_next(r, &f));
    assert_int_equal(f.kind, FRAME_END);
    assert_int_equal(value_int(f.map, "frames", 0), 3);
    assert_int_equal(reader_count(r), 4);
    frame_free(&f);
    assert_false(reader_next(r, &f));
    (void)m;
}

static void round_trip(void **state)
{
    (void)state;
    const struct msa_common *all[] = {&plain, &zipped, &unchecked};
    for (size_t i = 0; i < 3; i++) {
        struct bytes b = written(*all[i], write_small);
        struct msa m = reading(plain, b.data, b.size, read_small);
        assert_int_equal(m.status, MSA_OK);
        free(b.data);
    }
}

static void cut_everywhere(void **state)
{
    (void)state;
    const struct msa_common *all[] = {&plain, &zipped};
    for (size_t i = 0; i < 2; i++) {
        struct bytes b = written(*all[i], write_small);
        for (size_t size = 0; size < b.size; size++) {
            struct msa m = reading(plain, b.data, size, read_all);
            assert_fails(&m, MSA_CUT, size ? "test: cut off after" : "the file is empty");
        }
        free(b.data);
    }
}

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct bytes b = written(plain, write_small);
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct msa m = reading(plain, b.data, b.size, read_all);
        if (m.status != MSA_CORRUPT && m.status != MSA_CUT)
            fail_msg("bit %zu: status %d", bit, (int)m.status);
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(b.data);
}

/* The bytes of the small stream with one changed; expects the error. */
static void check_byte(size_t at, uint8_t byte, enum msa_status status, const char *error)
{
    struct bytes b = written(plain, write_small);
    b.data[at] = byte;
    struct msa m = reading(plain, b.data, b.size, read_all);
    assert_fails(&m, status, error);
    free(b.data);
}

static void wrong_prefixes(void **state)
{
    (void)state;
    check_byte(0, 0x80, MSA_CORRUPT, "test: frame 0: not a stream: begins with 80 4d");
    check_byte(2, 2, MSA_CORRUPT, "frame 0: version 2 of the format but expected 1");
    check_byte(3, 'D', MSA_CORRUPT, "frame 0: kind 44 ('D') but expected H or X");
    check_byte(4, 2, MSA_CORRUPT, "frame 0: unknown flags 0002");
    check_byte(4, 1, MSA_CORRUPT, "frame 0: flagged to be without CRC but has");
    check_byte(6, 1, MSA_CORRUPT, "frame 0: number 1 but expected 0");
    check_byte(13, 0x41, MSA_CORRUPT, "at most 1073741824 are allowed (--max-frame)");
    check_byte(20, 1, MSA_CORRUPT, "frame 0: CRC ");
}

static void no_crc(void **state)
{
    (void)state;
    struct bytes b = written(unchecked, write_small);
    assert_int_equal(b.data[4], 1);
    assert_memory_equal(b.data + 14, "\0\0\0\0", 4);
    free(b.data);
}

static void wrong_orders(void **state)
{
    (void)state;
    static const uint8_t empty[] = {0x80},
                         end[] = "\x81\xa6"
                                 "frames\x02",
                         array[] = {0x90};
    const struct {
        const char *kinds, *error;
    } cases[] = {{"HH", "frame 1: kind 48 ('H')"},
                 {"Hh", "frame 1: kind 68 ('h')"},
                 {"HDE", NULL},
                 {"HE", "frame 1: an end whose 'frames' is not 1"},
                 {"HDEE", "bytes behind the end"},
                 {"X", NULL},
                 {"XX", "bytes behind the end"},
                 {"Ha", "frame 1: body: not a map"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = {0};
        for (const char *k = cases[i].kinds; *k; k++) {
            uint32_t seq = (uint32_t)(k - cases[i].kinds);
            if (*k == 'a')
                append_frame(&b, 'D', seq, array, 1);
            else if (*k == 'E')
                append_frame(&b, 'E', seq, end, sizeof end - 1);
            else
                append_frame(&b, (uint8_t)*k, seq, empty, 1);
        }
        struct msa m = reading(plain, b.data, b.size, read_all);
        if (cases[i].error)
            assert_fails(&m, MSA_CORRUPT, cases[i].error);
        else
            assert_int_equal(m.status, MSA_OK);
        free(b.data);
    }
}

static void gzip_damaged(void **state)
{
    (void)state;
    struct bytes b = written(zipped, write_small);
    b.data[b.size - 6] ^= 1;
    struct msa m = reading(plain, b.data, b.size, read_all);
    assert_fails(&m, MSA_CORRUPT, "gzip: incorrect data check");
    b.data[b.size - 6] ^= 1;
    b.data[b.size] = 7;
    m = reading(plain, b.data, b.size + 1, read_all);
    assert_fails(&m, MSA_CORRUPT, "gzip: bytes behind its end");
    b.data[20] ^= 0x80;
    m = reading(plain, b.data, b.size, read_all);
    assert_int_equal(m.status, MSA_CORRUPT);
    free(b.data);
}

/* A frame that claims 1 GiB makes nobody allocate it. */
static void no_memory_on_trust(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    return; /* which needs terabytes of addresses */
#endif
    struct bytes b = {0};
    append_frame(&b, 'H', 0, "\x80", 1);
    memcpy(b.data + 10, "\0\0\0\x40", 4);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_AS, &(struct rlimit){64 << 20, 64 << 20});
        struct msa m = reading(plain, b.data, b.size, read_all);
        _exit((int)m.status);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), MSA_CUT);
    free(b.data);
}

static void read_large(struct msa *m, struct reader *r)
{
    struct frame f;
    struct record record;
    reader_next(r, &f);
    frame_free(&f);
    reader_next(r, &f);
    record_parse(m, &record, &f);
    const float *x = record_find(&record, "x")->data;
    assert_int_equal((uintptr_t)x % 64, 0);
    assert_int_equal(((const uint8_t *)x - record.frame.body) % 64, 0);
    for (int i = 0; i < 2100000; i++)
        assert_true(x[i] == (float)i);
    record_free(&record);
    read_all(m, r);
}

static void large_bodies(void **state)
{
    (void)state;
    const struct msa_common *all[] = {&plain, &zipped};
    for (size_t i = 0; i < 2; i++) {
        struct bytes b = written(*all[i], write_large);
        struct msa m = reading(plain, b.data, b.size, read_large);
        assert_int_equal(m.status, MSA_OK);
        m = reading((struct msa_common){.max_frame = 8000000}, b.data, b.size, read_all);
        assert_fails(&m, MSA_CORRUPT, "at most 8000000 are allowed");
        free(b.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(cut_everywhere),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(wrong_prefixes),
        cmocka_unit_test(no_crc),
        cmocka_unit_test(wrong_orders),
        cmocka_unit_test(gzip_damaged),
        cmocka_unit_test(no_memory_on_trust),
        cmocka_unit_test(large_bodies),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
