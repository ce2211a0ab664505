/* Data sets in MMSA's layout: what is read, where it lies, and how sets that do not agree are
 * refused. The numbers of the sets follow from their place (tests/oracle/pickles.py). */
#include "common/dataset/dataset.h"
#include "common/formats/pickle/write.h"
#include "tests/unit/oracle.h"

#include <math.h>

struct job {
    struct msa m; /* first: its address is that of both */
    char *path;
    enum non_finite non_finite;
};

static struct job job_for(void **state, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.set.pkl", name);
    return (struct job){.m.program = "test", .path = oracle_path(state, file)};
}

static void run_well(struct job *job, void (*body)(struct msa *))
{
    if (msa_run(&job->m, body) != MSA_OK)
        fail_msg("%s", job->m.error);
    free(job->path);
}

static void run_badly(struct job *job, void (*body)(struct msa *), enum msa_status status,
                      const char *part)
{
    if (msa_run(&job->m, body) != status || !strstr(job->m.error, part) ||
        !strstr(job->m.error, job->path))
        fail_msg("status %d, '%s' but expected '%s'", job->m.status, job->m.error, part);
    free(job->path);
}

static struct dataset *open_job(struct msa *m)
{
    return dataset_open(m, ((struct job *)m)->path, NULL);
}

/* ---- Whole sets ---- */

/* What a tensor of the set is like; it must be there. */
static const struct schema_entry *entry(const struct dataset *d, const char *name)
{
    const struct schema_entry *e = schema_find(&d->schema, name);
    assert_non_null(e);
    return e;
}

static void read_tensor(struct dataset *d, enum split s, const char *name, size_t i,
                        enum non_finite non_finite, void *out)
{
    entry(d, name);
    dataset_read(d, s, dataset_find(d, name), i, non_finite, out);
}

static float label(struct dataset *d, enum split s, const char *name, size_t i)
{
    float number;
    read_tensor(d, s, name, i, NON_FINITE_FAIL, &number);
    return number;
}

static void check_features(struct dataset *d, enum split s, enum modality modality, size_t i)
{
    const struct schema_entry *e = entry(d, modality_names[modality]);
    float x[32];
    assert_true(e->rank == 3 && e->dtype == F4 && e->shape[1] * e->shape[2] <= 32);
    read_tensor(d, s, e->name, i, NON_FINITE_FAIL, x);
    for (size_t t = 0; t < e->shape[1]; t++)
        for (size_t f = 0; f < e->shape[2]; f++)
            assert_true(x[t * e->shape[2] + f] == 1000.f * s + 100.f * i + 10.f * t + f + modality);
}

static void check_text_bert(struct dataset *d, enum split s, size_t i)
{
    int64_t x[3 * 6];
    assert_int_equal(entry(d, "text_bert")->shape[2], 6);
    read_tensor(d, s, "text_bert", i, NON_FINITE_FAIL, x);
    for (int k = 0; k < 3; k++)
        for (int t = 0; t < 6; t++)
            assert_int_equal(x[6 * k + t], 1000 * (int)s + 100 * (int)i + 10 * k + t);
}

static int64_t length(struct dataset *d, enum split s, enum modality modality, size_t i)
{
    int64_t frames;
    const struct schema_entry *e = entry(d, length_names[modality]);
    assert_true(e->rank == 1 && e->dtype == I8);
    read_tensor(d, s, e->name, i, NON_FINITE_FAIL, &frames);
    return frames;
}

static void check_text(struct dataset *d, enum split s, enum record_text which, size_t i,
                       const char *format)
{
    char *text = dataset_text(d, s, which, i), *want = msa_format(d->m, format, (int)s, i);
    assert_string_equal(text, want);
    msa_free(d->m, text);
    msa_free(d->m, want);
}

static void check_sample(struct dataset *d, enum split s, size_t i)
{
    for (enum modality modality = 0; modality < MODALITIES; modality++)
        check_features(d, s, modality, i);
    check_text_bert(d, s, i);
    assert_int_equal(length(d, s, VISION, i), i % 3);
    assert_int_equal(length(d, s, AUDIO, i), i * 3 % 5);
    check_text(d, s, RECORD_ID, i, "v%d$_$%zu");
    check_text(d, s, RECORD_RAW_TEXT, i, "word %d, %zu");
    assert_true(label(d, s, "label", i) == (float)((double)i * .2 - .4));
    if (dataset_family(d) == FAMILY_MOSI)
        return;
    assert_float_equal(label(d, s, "label_text", i), .1f * i, 1e-6f);
    assert_float_equal(label(d, s, "label_vision", i), .1f * i + 1, 1e-6f);
    assert_float_equal(label(d, s, "label_audio", i), .1f * i + 2, 1e-6f);
}

static void check_set(struct dataset *d)
{
    static const size_t sizes[SPLITS] = {5, 3, 4}, frames[] = {3, 2, 4}, width[] = {4, 5, 2};
    for (int i = 0; i < MODALITIES; i++) {
        assert_int_equal(entry(d, modality_names[i])->shape[1], frames[i]);
        assert_int_equal(entry(d, modality_names[i])->shape[2], width[i]);
    }
    assert_true(d->labels[LABEL_JOINT] >= 0);
    assert_int_equal(dataset_find(d, "text_lengths"), -1);
    for (enum split s = 0; s < SPLITS; s++) {
        assert_int_equal(d->split[s].count, sizes[s]);
        for (size_t i = sizes[s]; i-- > 0;)
            check_sample(d, s, i);
    }
    assert_int_equal(d->zeroed, 0);
}

static void read_sims(struct msa *m)
{
    struct dataset *d = open_job(m);
    assert_int_equal(dataset_family(d), FAMILY_SIMS);
    check_set(d);
    dataset_close(d);
}

static void read_mosi(struct msa *m)
{
    struct dataset *d = open_job(m);
    assert_int_equal(dataset_family(d), FAMILY_MOSI);
    assert_int_equal(d->labels[TEXT], -1);
    check_set(d);
    dataset_close(d);
}

static void whole_sets(void **state)
{
    for (int protocol = 2; protocol <= 5; protocol++) {
        char name[32];
        snprintf(name, sizeof name, "sims-p%d", protocol);
        struct job job = job_for(state, name);
        run_well(&job, read_sims);
        snprintf(name, sizeof name, "mosi-p%d", protocol);
        job = job_for(state, name);
        run_well(&job, read_mosi);
    }
}

static void names(void **state)
{
    (void)state;
    assert_true(family_range(FAMILY_SIMS) == 1 && family_range(FAMILY_MOSI) == 3);
    assert_string_equal(family_names[FAMILY_SIMS], "sims");
    assert_string_equal(split_names[VALID], "valid");
    assert_string_equal(modality_names[VISION], "vision");
    assert_int_equal(modality_letters[AUDIO], 'A');
}

/* ---- Other layouts ---- */

static void read_flat(struct msa *m)
{
    struct dataset *d = open_job(m);
    assert_int_equal(d->split[TRAIN].count + d->split[VALID].count, 0);
    assert_int_equal(d->split[TEST].count, 1);
    for (enum modality modality = 0; modality < MODALITIES; modality++)
        check_features(d, TEST, modality, 0);
    check_text_bert(d, TEST, 0);
    assert_string_equal(dataset_text(d, TEST, RECORD_ID, 0), d->path); /* it is alone in its file */
    assert_null(dataset_text(d, TEST, RECORD_RAW_TEXT, 0));
    assert_int_equal(d->labels[LABEL_JOINT], -1);
}

static void flat(void **state)
{
    struct job job = job_for(state, "flat");
    run_well(&job, read_flat);
}

static void read_unlabelled(struct msa *m)
{
    struct dataset *d = open_job(m);
    assert_int_equal(d->labels[LABEL_JOINT], -1);
    assert_int_equal(dataset_family(d), -1);
    assert_string_equal(dataset_text(d, VALID, RECORD_ID, 2), "valid/2");
}

static void read_behind(struct msa *m)
{
    float x[32];
    read_tensor(open_job(m), TRAIN, "text", 5, NON_FINITE_FAIL, x);
}

static void unlabelled(void **state)
{
    struct job job = job_for(state, "no-labels");
    run_well(&job, read_unlabelled);
    job = job_for(state, "no-labels");
    run_badly(&job, read_behind, MSA_FAILED, "train: there is no sample 5");
}

static void read_empty_split(struct msa *m)
{
    struct dataset *d = open_job(m);
    assert_int_equal(d->split[TRAIN].count, 5);
    assert_int_equal(d->split[VALID].count, 0);
    assert_int_equal(d->split[TEST].count, 0);
    check_sample(d, TRAIN, 4);
}

static void empty_split(void **state)
{
    struct job job = job_for(state, "empty-valid");
    run_well(&job, read_empty_split);
}

static void read_one_frame(struct msa *m)
{
    struct dataset *d = open_job(m);
    assert_int_equal(entry(d, "vision")->shape[1], 1);
    assert_int_equal(entry(d, "vision")->shape[2], 5);
    check_features(d, TEST, VISION, 3);
}

static void one_frame(void **state)
{
    struct job job = job_for(state, "one-frame");
    run_well(&job, read_one_frame);
}

/* Lists, arrays of any numbers; those above L are L. */
static void read_other_lengths(struct msa *m)
{
    static const int64_t want[][MODALITIES] = {
        {0, 2, 0}, {1, 2, 4}, {3, 1, 4}, {2, 0, 1}, {3, 2, 3}};
    struct dataset *d = open_job(m);
    for (size_t i = 0; i < d->split[TRAIN].count; i++)
        for (enum modality modality = 0; modality < MODALITIES; modality++)
            assert_int_equal(length(d, TRAIN, modality, i), want[i][modality]);
}

static void read_no_audio(struct msa *m)
{
    struct dataset *d = open_job(m);
    assert_int_equal(dataset_find(d, "audio_lengths"), -1);
    assert_true(dataset_find(d, "vision_lengths") >= 0);
}

static void lengths(void **state)
{
    struct job job = job_for(state, "other-lengths");
    run_well(&job, read_other_lengths);
    job = job_for(state, "no-audio");
    run_well(&job, read_no_audio);
}

static void open_only(struct msa *m)
{
    open_job(m);
}

static void disagreeing(void **state)
{
    static const char *const sets[][2] = {
        {"short-audio", "train: 'audio' has 4 samples but expected 5, as 'text' has"},
        {"wide-valid", "valid: 'vision' is [3,2,6] but expected [*,2,5], as in another split"},
        {"no-text", "test: 'text' is not there but valid has it"},
        {"negative-length",
         "valid: sample 1, 'vision_lengths': -1 but expected a whole number from 0"},
        {"negative-lengths",
         "valid: sample 0, 'audio_lengths': -2 but expected a whole number from 0"},
        {"broken-length",
         "valid: sample 2, 'audio_lengths': 2.5 but expected a whole number from 0"},
        {"nan-length", "valid: sample 2, 'vision_lengths': nan but expected a whole number from 0"},
        {"text-length", "valid: sample 1, 'vision_lengths': str but expected a number"},
        {"texts-for-lengths", "valid: 'audio_lengths' is <U1 but expected an array of numbers"},
        {"many-lengths",
         "valid: 'audio_lengths' has 6 values but expected one for each of 3 samples"},
        {"few-lengths", "valid: 'vision_lengths' has 2 samples but expected 3, as 'text' has"},
        {"lengths-of-some", "valid: 'vision_lengths' is not there but test has it"},
        {"no-set", "a dict of neither splits"},
        {"list", "the pickle is list but expected dict"},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct job job = job_for(state, sets[i][0]);
        run_badly(&job, open_only, MSA_CORRUPT, sets[i][1]);
    }
}

/* ---- Numbers that are not finite ---- */

static void read_zeroed(struct msa *m)
{
    struct dataset *d = open_job(m);
    float x[32];
    read_tensor(d, TRAIN, "audio", 1, NON_FINITE_FAIL, x);
    assert_true(x[2 * 2 + 1] == 0 && x[2 * 2] == 122);
    assert_int_equal(d->zeroed, 0);
    read_tensor(d, TRAIN, "vision", 1, NON_FINITE_KEEP, x);
    assert_true(isnan(x[5 + 3]));
    read_tensor(d, TRAIN, "vision", 1, NON_FINITE_ZERO, x);
    assert_true(x[5 + 3] == 0);
    read_tensor(d, TRAIN, "text", 1, NON_FINITE_ZERO, x);
    assert_true(x[2] == 0);
    assert_int_equal(d->zeroed, 2);
}

static void read_infinite(struct msa *m)
{
    float x[32];
    read_tensor(open_job(m), TRAIN, "text", 1, NON_FINITE_FAIL, x);
}

static void non_finite(void **state)
{
    struct job job = job_for(state, "infinite");
    run_well(&job, read_zeroed);
    job = job_for(state, "infinite");
    run_badly(&job, read_infinite, MSA_CORRUPT,
              "train: sample 1, 'text', frame 0, feature 2: -inf");
}

/* ---- Standardization ---- */

static void read_standardization(struct msa *m)
{
    struct dataset *d = open_job(m);
    float mean[5], scale[5];
    dataset_standardization(d, dataset_find(d, "vision"), NON_FINITE_ZERO, false, mean, scale);
    /* feature 0 of the frames that count: 1 2 3 4 5 7; feature 4: five times 0, and -3 */
    assert_float_equal(mean[0], 22. / 6, 1e-6);
    assert_float_equal(scale[0], 1 / sqrt(140. / 36), 1e-6);
    assert_float_equal(mean[4], -.5, 1e-6);
    assert_float_equal(scale[4], 1 / sqrt(45. / 36), 1e-6);
    assert_true(mean[1] == 0 && scale[1] == 1);
    assert_int_equal(d->zeroed, 0);
}

static void standardization(void **state)
{
    struct job job = job_for(state, "padded");
    run_well(&job, read_standardization);
}

static void read_no_train(struct msa *m)
{
    float x[5];
    struct dataset *d = open_job(m);
    dataset_standardization(d, dataset_find(d, "vision"), NON_FINITE_ZERO, false, x, x);
}

static void no_train(void **state)
{
    struct job job = job_for(state, "flat");
    run_badly(&job, read_no_train, MSA_FAILED, "no train split");
}

/* ---- Sets that this project writes ---- */

static void write_small(FILE *to)
{
    static const float text[2][3] = {{1, 2, 3}, {4, 5, 6}};
    static const uint32_t ids[2][3] = {{'a', 'b', 'c'}, {0xe9}};
    pickle_write_begin(to);
    pickle_write_dict(to);
    pickle_write_text(to, "test");
    pickle_write_dict(to);
    pickle_write_text(to, "text");
    pickle_write_array(to, "f4", 2, (size_t[]){2, 3});
    fwrite(text, sizeof text, 1, to);
    pickle_write_array_end(to);
    pickle_write_text(to, "id");
    pickle_write_array(to, "U3", 1, (size_t[]){2});
    fwrite(ids, sizeof ids, 1, to);
    pickle_write_array_end(to);
    pickle_write_text(to, "regression_labels");
    pickle_write_list(to);
    pickle_write_int(to, -1);
    pickle_write_int(to, 70000);
    pickle_write_list_end(to);
    pickle_write_dict_end(to);
    pickle_write_dict_end(to);
    pickle_write_end(to);
}

static void read_small(struct msa *m)
{
    struct dataset *d = open_job(m);
    float x[3];
    assert_int_equal(d->split[TEST].count, 2);
    read_tensor(d, TEST, "text", 1, NON_FINITE_FAIL, x);
    assert_true(x[0] == 4 && x[2] == 6);
    assert_string_equal(dataset_text(d, TEST, RECORD_ID, 0), "abc");
    assert_string_equal(dataset_text(d, TEST, RECORD_ID, 1), "é");
    assert_true(label(d, TEST, "label", 0) == -1);
    assert_true(label(d, TEST, "label", 1) == 70000);
}

static void written(void **state)
{
    struct job job = job_for(state, "written");
    FILE *to = fopen(job.path, "wb");
    assert_non_null(to);
    write_small(to);
    fclose(to);
    run_well(&job, read_small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_sets),  cmocka_unit_test(names),
        cmocka_unit_test(flat),        cmocka_unit_test(unlabelled),
        cmocka_unit_test(empty_split), cmocka_unit_test(one_frame),
        cmocka_unit_test(lengths),     cmocka_unit_test(disagreeing),
        cmocka_unit_test(non_finite),  cmocka_unit_test(standardization),
        cmocka_unit_test(no_train),    cmocka_unit_test(written),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, oracle_make, oracle_remove);
}
