/* What data sets in streams stand on: frames read where they lie in memory, names that tell a
 * modality, families, files without a name. */
#include "common/dataset/tensor_names.h"
#include "common/run/temp_file.h"
#include "tests/unit/stream.h"

/* ---- A mapped stream is read as one from a descriptor ---- */

/* A run over bytes in memory. */
struct mapped {
    struct msa m; /* first: its address is that of both */
    struct mapping map;
    uint8_t *copy; /* of all bodies, one after the other */
    size_t size;
};

static void read_mapped(struct msa *m)
{
    struct mapped *job = (struct mapped *)m;
    struct reader *r = reader_open_mapped(m, job->map, "test");
    struct frame f;
    while (reader_next(r, &f)) {
        assert_true(f.body > job->map.bytes && f.body + f.length <= job->map.bytes + job->map.size);
        memcpy(job->copy + job->size, f.body, f.length);
        job->size += f.length;
        frame_free(&f);
    }
    reader_close(r);
}

static struct mapped read_bytes(const uint8_t *bytes, size_t size)
{
    struct mapped job = {.m.program = "test", .map = {bytes, size}, .copy = malloc(size + 1)};
    msa_run(&job.m, read_mapped);
    free(job.copy);
    return job;
}

static void write_small(struct msa *m, struct writer *w)
{
    size_t shape[] = {3, 2};
    static const float x[6] = {1, 2, 3, 4, 5, 6};
    header_write(header_new(m), w);
    for (int i = 0; i < 2; i++) {
        struct record r;
        record_new(m, &r);
        record_put(m, &r, tensor_of("x", F4, x, 2, shape));
        record_write(&r, w, FRAME_DATA);
        record_free(&r);
    }
    writer_end(w);
}

static void mapped_as_read(void **state)
{
    (void)state;
    struct bytes b = written((struct msa_common){0}, write_small);
    struct mapped whole = read_bytes(b.data, b.size);
    assert_int_equal(whole.m.status, MSA_OK);
    assert_int_equal(whole.size, b.size - 4 * FRAME_PREFIX);
    for (size_t size = 0; size < b.size; size++) {
        struct msa plain = reading((struct msa_common){0}, b.data, size, read_all);
        struct mapped cut = read_bytes(b.data, size);
        assert_int_equal(cut.m.status, MSA_CUT);
        assert_string_equal(cut.m.error, plain.error);
    }
    for (size_t bit = 0; bit < 8 * b.size; bit += 5) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct msa plain = reading((struct msa_common){0}, b.data, b.size, read_all);
        struct mapped flipped = read_bytes(b.data, b.size);
        assert_int_not_equal(flipped.m.status, MSA_OK);
        assert_int_equal(flipped.m.status, plain.status);
        assert_string_equal(flipped.m.error, plain.error);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    b.data[b.size] = 0; /* `written` has room for it */
    struct mapped longer = read_bytes(b.data, b.size + 1);
    assert_fails(&longer.m, MSA_CORRUPT, "bytes behind the end");
    free(b.data);
}

/* ---- Names ---- */

static void modalities(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int modality;
    } all[] = {{"text", TEXT},
               {"text_bert", TEXT},
               {"h_text", TEXT},
               {"vision", VISION},
               {"s_vision", VISION},
               {"audio", AUDIO},
               {"d_audio", AUDIO},
               {"raw_text", TEXT},
               {"audio_lengths", AUDIO},
               {"h_audio_lengths", -1},
               {"lengths", -1},
               {"label", -1},
               {"label_text", -1},
               {"label_audio", -1},
               {"y", -1},
               {"logits", -1},
               {"context", -1},
               {"audios", -1},
               {"", -1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (name_modality(all[i].name) != all[i].modality)
            fail_msg("'%s' is of modality %d", all[i].name, name_modality(all[i].name));
}

static void name_family(struct msa *m)
{
    m->settings = (void *)family_names[family_named(m, m->settings)];
}

static void families(void **state)
{
    (void)state;
    for (int i = 0; i < FAMILIES; i++) {
        struct msa m = {.program = "test", .settings = (void *)family_names[i]};
        assert_int_equal(msa_run(&m, name_family), MSA_OK);
        assert_string_equal(m.settings, family_names[i]);
    }
    struct msa none = {.program = "test", .settings = (void *)""},
               other = {.program = "test", .settings = (void *)"simsalabim"};
    msa_run(&none, name_family);
    assert_fails(&none, MSA_FAILED, "names no family");
    msa_run(&other, name_family);
    assert_fails(&other, MSA_FAILED, "'simsalabim', which is neither sims nor mosi");
}

/* ---- Files without a name ---- */

static void spool_some(struct msa *m)
{
    struct spool *s = spool_open(m);
    char first[7000], second[5];
    memset(first, 'a', sizeof first);
    memset(second, 'b', sizeof second);
    assert_null(spool_map(m, s).bytes);
    spool_write(m, s, first, sizeof first);
    spool_write(m, s, second, sizeof second);
    struct mapping map = spool_map(m, s);
    msa_free(m, s);
    assert_int_equal(map.size, sizeof first + sizeof second);
    assert_memory_equal(map.bytes, first, sizeof first);
    assert_memory_equal(map.bytes + sizeof first, second, sizeof second);
    mapping_close(m, map);
}

static void spools(void **state)
{
    (void)state;
    struct msa m = {.program = "test"};
    char directory[] = "/tmp/msa-spool-XXXXXX";
    assert_non_null(mkdtemp(directory));
    setenv("TMPDIR", directory, 1);
    assert_int_equal(msa_run(&m, spool_some), MSA_OK);
    assert_int_equal(rmdir(directory), 0); /* nothing is left in it */
    msa_run(&m, spool_some);
    assert_fails(&m, MSA_FAILED, "cannot write a temporary file in '/tmp/msa-spool-");
    unsetenv("TMPDIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped_as_read),
        cmocka_unit_test(modalities),
        cmocka_unit_test(families),
        cmocka_unit_test(spools),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
