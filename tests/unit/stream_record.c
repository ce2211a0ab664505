/* Headers, records and gradients: what is known is checked, what is not
 * passes through (record.h). */
#include "tests/unit/stream.h"

static const struct msa_common plain;

/* ---- H ---- */

static void write_header(struct msa *m, struct writer *w)
{
    struct header *h = header_new(m);
    h->train = true;
    strcpy(h->family, "sims");
    h->range = 1;
    h->seed = UINT64_MAX;
    h->epochs = 4;
    h->steps = 30;
    strcpy(h->address, "@0012f");
    schema_add(m, &h->schema, "text", F4, 3, (size_t[]){9, 50, 5}, false);
    assert_int_equal(schema_find(&h->schema, "text")->shape[0], 0);
    schema_add(m, &h->schema, "gone", F4, 1, (size_t[]){0}, false);
    schema_add(m, &h->schema, "text", I8, 2, (size_t[]){0, 7}, true);
    schema_remove(&h->schema, "gone");
    schema_remove(&h->schema, "never");
    schema_add(m, &h->schema, "u", F4, 2, (size_t[]){0, 2}, false);
    static char columns[][TENSOR_NAME + 1] = {"s_text", "d_text"};
    schema_columns(&h->schema, "u", columns);
    value_set(m, h->zone, &h->map, "colour", value_str(m, h->zone, "blue"));
    header_sign(h);
    header_write(h, w);
    writer_end(w);
}

static void check_header(const struct header *h)
{
    assert_true(h->train && !h->back);
    assert_string_equal(h->family, "sims");
    assert_true(h->range == 1 && h->seed == UINT64_MAX && h->epochs == 4 && h->steps == 30);
    assert_string_equal(h->address, "@0012f");
    assert_int_equal(h->schema.count, 2);
    const struct schema_entry *e = schema_find(&h->schema, "text");
    assert_int_equal(e->dtype, I8);
    assert_int_equal(e->rank, 2);
    assert_int_equal(e->shape[0], 0);
    assert_int_equal(e->shape[1], 7);
    assert_true(e->gradient);
    assert_null(e->columns);
    e = schema_find(&h->schema, "u");
    assert_string_equal(e->columns[0], "s_text");
    assert_string_equal(e->columns[1], "d_text");
    assert_null(schema_find(&h->schema, "gone"));
    assert_true(value_equals(value_get(&h->map, "colour"), "blue"));
}

static void read_header(struct msa *m, struct reader *r)
{
    struct frame f;
    reader_next(r, &f);
    static const char *const order[] = {"version", "mode",   "family",   "range", "seed", "epochs",
                                        "steps",   "schema", "pipeline", "back",  "need", "colour"};
    assert_int_equal(f.map->via.map.size, 12);
    for (int i = 0; i < 12; i++)
        assert_true(value_equals(&f.map->via.map.ptr[i].key, order[i]));
    struct header *h = header_parse(m, &f);
    frame_free(&f);
    check_header(h);
    assert_int_equal(header_position(h), 1);
    header_sign(h);
    assert_int_equal(header_position(h), 2);
    const value *self = &value_get(&h->map, "pipeline")->via.array.ptr[1];
    assert_true(value_equals(value_get(self, "name"), "msa-test"));
    assert_true(value_equals(value_get(self, "version"), MSA_VERSION));
    assert_true(value_equals(&value_get(self, "argv")->via.array.ptr[0], "--x"));
}

static void header_round_trip(void **state)
{
    (void)state;
    struct bytes b = written(plain, write_header);
    struct msa m = reading(plain, b.data, b.size, read_header);
    assert_int_equal(m.status, MSA_OK);
    struct bytes again = written(plain, write_header);
    assert_int_equal(b.size, again.size);
    assert_memory_equal(b.data, again.data, b.size);
    free(b.data);
    free(again.data);
}

static void parse_header(struct msa *m, struct reader *r)
{
    struct frame f;
    reader_next(r, &f);
    header_parse(m, &f);
}

/* A tensor 't' of two columns, up to the value that says what they are. */
#define COLUMNS                                                                                    \
    "\x82\xa4mode\xa4"                                                                             \
    "eval\xa6schema\x81\xa1t\x83\xa5"                                                              \
    "dtype\xa3<f4\xa5shape\x92\x01\x02\xa7"                                                        \
    "columns"

static void wrong_headers(void **state)
{
    (void)state;
    static const struct {
        const char *body, *error;
    } cases[] = {
        {"\x81\xa4mode\xa4"
         "eval",
         NULL},
        {"\x82\xa4mode\xa4"
         "eval\xa4seed\xcd\x01\x01",
         NULL},
        {"\x80", "frame 0: mode '' but expected train, eval or back"},
        {"\x81\xa4mode\xa3"
         "abc",
         "mode 'abc' but"},
        {"\x81\xa4mode\x01", "'mode' is not a str"},
        {"\x82\xa4mode\xa4"
         "eval\xa7version\x02",
         "'version' is not 1"},
        {"\x82\xa4mode\xa4"
         "eval\xa4seed\xff",
         "'seed' is no whole number from 0"},
        {"\x82\xa4mode\xa4"
         "eval\xa6"
         "epochs\xff",
         "'epochs' is no whole number from 0"},
        {"\x82\xa4mode\xa4"
         "eval\xa5range\xa1x",
         "'range' is no finite number"},
        {"\x82\xa4mode\xa4"
         "eval\xa4need\x91\xa3new",
         "needs 'new', which this version does not know"},
        {"\x82\xa4mode\xa4"
         "eval\xa6"
         "family\xa8"
         "abcdefgh",
         "str of at most 7 bytes"},
        {"\x82\xa4mode\xa4"
         "eval\xa8pipeline\x80",
         "'pipeline' is not an array"},
        {"\x82\xa4mode\xa4"
         "eval\xa6schema\x81\xa1t\x80",
         "frame 0, tensor 't': schema: 'dtype'"},
        {"\x82\xa4mode\xa4"
         "eval\xa6schema\x81\xa1t\x81\xa5"
         "dtype\xa3<f4",
         "tensor 't': schema: 'shape'"},
        {COLUMNS "\x92\xa1p\xa1q", NULL},
        {COLUMNS "\x91\xa1p",
         "tensor 't': schema: 'columns' is not an array with an item for each column"},
        {COLUMNS "\xa1p",
         "tensor 't': schema: 'columns' is not an array with an item for each column"},
        {COLUMNS "\x92\xa1p\x01",
         "tensor 't': schema: column 1 is not a printable str of 1 to 64 bytes"},
        {COLUMNS "\x92\xa1\t\xa1q",
         "tensor 't': schema: column 0 is not a printable str of 1 to 64 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = {0};
        append_frame(&b, 'H', 0, cases[i].body, strlen(cases[i].body));
        struct msa m = reading(plain, b.data, b.size, parse_header);
        if (cases[i].error)
            assert_fails(&m, MSA_CORRUPT, cases[i].error);
        else
            assert_int_equal(m.status, MSA_OK);
        free(b.data);
    }
}

/* ---- D and G ---- */

static const float numbers[] = {1, 2, 3, 4, 5, 6};

static void write_record(struct msa *m, struct writer *w)
{
    struct record r;
    header_write(header_new(m), w);
    record_new(m, &r);
    r.epoch = 2;
    r.step = 17;
    strcpy(r.split, "train");
    r.train = true;
    value id = value_nils(m, r.zone, 2), said = value_nils(m, r.zone, 2), loss = value_map();
    id.via.array.ptr[0] = value_str(m, r.zone, "a$_$1");
    id.via.array.ptr[1] = value_str(m, r.zone, "a$_$2");
    said.via.array.ptr[0] = said.via.array.ptr[1] = value_str(m, r.zone, "I loved it");
    value_set(m, r.zone, &loss, "msr", value_of_real(.25));
    value_set(m, r.zone, &r.map, "raw_text", said);
    value_set(m, r.zone, &r.map, "colour", value_of_int(7));
    value_set(m, r.zone, &r.map, "lr", value_of_real(1e-4));
    value_set(m, r.zone, &r.map, "loss", loss);
    value_set(m, r.zone, &r.map, "id", id);
    record_put(m, &r, tensor_of("y", F4, numbers + 2, 1, (size_t[]){2}));
    record_put(m, &r, tensor_of("gone", F4, numbers, 1, (size_t[]){2}));
    record_put(m, &r, tensor_of("x", F4, numbers, 2, (size_t[]){2, 3}));
    record_put(m, &r, tensor_of("y", F4, numbers, 1, (size_t[]){2}));
    record_remove(&r, "gone");
    record_remove(&r, "never");
    record_write(&r, w, FRAME_DATA);
    record_write(&r, w, FRAME_GRADIENT);
    record_free(&r);
    writer_end(w);
}

static void check_order(const struct frame *f, const char *const *keys)
{
    uint32_t i = 0;
    for (; keys[i]; i++)
        assert_true(i < f->map->via.map.size && value_equals(&f->map->via.map.ptr[i].key, keys[i]));
    assert_int_equal(f->map->via.map.size, i);
}

static void read_record(struct msa *m, struct reader *reader)
{
    static const char *const data[] = {"epoch", "step",    "split",  "train", "id", "raw_text",
                                       "loss",  "tensors", "colour", "lr",    NULL};
    static const char *const gradient[] = {"epoch",  "step", "lr", "tensors", "raw_text",
                                           "colour", "loss", "id", NULL};
    struct frame f;
    struct record r;
    reader_next(reader, &f);
    frame_free(&f);
    reader_next(reader, &f);
    check_order(&f, data);
    record_parse(m, &r, &f);
    assert_null(f.body);
    assert_true(r.epoch == 2 && r.step == 17 && r.train && r.samples == 2 && r.count == 2);
    assert_string_equal(r.split, "train");
    assert_string_equal(r.tensors[0].name, "y");
    assert_true(tensor_value(&r.tensors[0], 1) == 2 && tensor_value(record_find(&r, "x"), 5) == 6);
    assert_null(record_find(&r, "gone"));
    assert_int_equal(value_int(&r.map, "colour", 0), 7);
    assert_null(value_get(&r.map, "epoch"));
    assert_null(value_get(&r.map, "tensors"));
    assert_int_equal(value_get(&r.map, "id")->via.array.size, 2);
    record_free(&r);
    reader_next(reader, &f);
    assert_int_equal(f.kind, FRAME_GRADIENT);
    check_order(&f, gradient);
    frame_free(&f);
    read_all(m, reader);
}

static void record_round_trip(void **state)
{
    (void)state;
    struct bytes b = written(plain, write_record);
    struct msa m = reading(plain, b.data, b.size, read_record);
    assert_int_equal(m.status, MSA_OK);
    free(b.data);
}

/* A header and a record with t0 to t127. */
static void write_many(struct msa *m, struct writer *w)
{
    struct header *h = header_new(m);
    struct record r;
    record_new(m, &r);
    for (int i = 0; i < RECORD_TENSORS; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", i);
        schema_add(m, &h->schema, name, F4, 1, (size_t[]){0}, false);
        record_put(m, &r, tensor_of(name, F4, numbers, 1, (size_t[]){2}));
    }
    header_write(h, w);
    record_write(&r, w, FRAME_DATA);
    writer_end(w);
}

static void read_many(struct msa *m, struct reader *reader)
{
    struct frame f;
    struct record r;
    reader_next(reader, &f);
    struct header *h = header_parse(m, &f);
    frame_free(&f);
    assert_int_equal(h->schema.count, 128);
    reader_next(reader, &f);
    record_parse(m, &r, &f);
    assert_int_equal(r.count, 128);
    assert_true(tensor_value(record_promised(&r, schema_find(&h->schema, "t127")), 1) == 2);
    record_put(m, &r, tensor_of("t128", F4, numbers, 1, (size_t[]){2}));
}

static void add_many(struct msa *m, struct reader *reader)
{
    struct frame f;
    reader_next(reader, &f);
    struct header *h = header_parse(m, &f);
    schema_add(m, &h->schema, "t128", F4, 1, (size_t[]){0}, false);
}

static void a_record_has_room_for_128_tensors(void **state)
{
    (void)state;
    struct bytes b = written(plain, write_many);
    struct msa m = reading(plain, b.data, b.size, read_many);
    assert_fails(&m, MSA_FAILED, "no room for tensor 't128' in a record of 128");
    m = reading(plain, b.data, b.size, add_many);
    assert_fails(&m, MSA_FAILED, "schema: no room for tensor 't128', 128 are there");
    free(b.data);
}

static void parse_record(struct msa *m, struct reader *reader)
{
    struct frame f;
    struct record r;
    reader_next(reader, &f);
    frame_free(&f);
    reader_next(reader, &f);
    record_parse(m, &r, &f);
    record_free(&r);
}

#define TENSOR(shape, data)                                                                        \
    "\x85\xc4\x02nd\xc3\xc4\x04type\xa3|u1\xc4\x04kind\xc4\x01 \xc4\x05shape" shape "\xc4\x04"     \
    "data" data

static void wrong_records(void **state)
{
    (void)state;
    static const struct {
        const char *body, *error;
    } cases[] = {
        {"\x80", "frame 1: no 'tensors'"},
        {"\x81\xa7tensors\x80", NULL},
        {"\x81\xa7tensors\x90", "frame 1: 'tensors' is not a map"},
        {"\x82\xa7tensors\x80\xa5"
         "epoch\xff",
         "'epoch' is no whole number from 0"},
        {"\x82\xa7tensors\x80\xa5"
         "train\x01",
         "'train' is not true or false"},
        {"\x82\xa7tensors\x80\xa5split\xa8"
         "training",
         "'split' is not a printable str of at most 7"},
        {"\x82\xa7tensors\x80\xa4loss\x81\xa1"
         "a\xa1"
         "b",
         "'loss' is not a map of str to numbers"},
        {"\x82\xa7tensors\x80\xa6weight\x90", "'weight' is not a map"},
        {"\x82\xa7tensors\x80\xa2id\x91\x01", "'id' has an item that is not a str"},
        {"\x81\xa7tensors\x81\xa1t" TENSOR("\x91\x01", "\xc4\x01x"), "tensor 't': structured"},
        {"\x81\xa7tensors\x81\xa1t\x01", "frame 1, tensor 't': not a tensor"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = {0};
        append_frame(&b, 'H', 0, "\x80", 1);
        append_frame(&b, 'D', 1, cases[i].body, strlen(cases[i].body));
        struct msa m = reading(plain, b.data, b.size, parse_record);
        if (cases[i].error)
            assert_fails(&m, MSA_CORRUPT, cases[i].error);
        else
            assert_int_equal(m.status, MSA_OK);
        free(b.data);
    }
}

static size_t shapes[2];
static size_t ids;

static void write_samples(struct msa *m, struct writer *w)
{
    struct record r;
    header_write(header_new(m), w);
    record_new(m, &r);
    value id = value_nils(m, r.zone, ids);
    for (size_t i = 0; i < ids; i++)
        id.via.array.ptr[i] = value_str(m, r.zone, "i");
    value_set(m, r.zone, &r.map, "id", id);
    record_put(m, &r, tensor_of("a", F4, numbers, 1, &shapes[0]));
    record_put(m, &r, tensor_of("b", F4, numbers, 1, &shapes[1]));
    record_write(&r, w, FRAME_DATA);
    writer_end(w);
}

static void samples_agree(void **state)
{
    (void)state;
    static const struct {
        size_t a, b, ids;
        const char *error;
    } cases[] = {{2, 2, 2, NULL},
                 {0, 0, 0, NULL},
                 {2, 3, 2, "frame 1, tensor 'b': 3 samples but expected 2, as 'a' has"},
                 {2, 2, 3, "frame 1: 'id' has 3 samples but expected 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        shapes[0] = cases[i].a;
        shapes[1] = cases[i].b;
        ids = cases[i].ids;
        struct bytes b = written(plain, write_samples);
        struct msa m = reading(plain, b.data, b.size, parse_record);
        if (cases[i].error)
            assert_fails(&m, MSA_CORRUPT, cases[i].error);
        else
            assert_int_equal(m.status, MSA_OK);
        free(b.data);
    }
}

/* ---- samples and index ---- */

static value samples; /* of the header; MSGPACK_OBJECT_NIL: it has none */
static const char *samples_key;
static enum dtype index_dtype;
static int64_t index_numbers[2];
static bool index_comes;

static void write_index(struct msa *m, struct writer *w)
{
    struct header *h = header_new(m);
    struct record r;
    if (samples_key) {
        value map = value_map();
        value_set(m, h->zone, &map, "train", samples);
        value_set(m, h->zone, &h->map, samples_key, map);
    }
    if (index_comes)
        schema_add(m, &h->schema, "index", index_dtype, 1, (size_t[]){0}, false);
    header_write(h, w);
    record_new(m, &r);
    strcpy(r.split, "train");
    record_put(m, &r, tensor_of("index", I8, index_numbers, 1, (size_t[]){2}));
    record_write(&r, w, FRAME_DATA);
    record_free(&r);
    writer_end(w);
}

static void read_index(struct msa *m, struct reader *reader)
{
    struct frame f;
    struct record r;
    reader_next(reader, &f);
    struct header *h = header_parse(m, &f);
    frame_free(&f);
    reader_next(reader, &f);
    record_parse(m, &r, &f);
    const int64_t *index = record_index(&r, h);
    assert_true(index_comes == (index != NULL));
    for (int i = 0; index && i < 2; i++)
        assert_int_equal(index[i], index_numbers[i]);
    record_free(&r);
}

static void index_is_as_promised(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int64_t samples; /* -1: a value of another type */
        enum dtype dtype;
        int64_t numbers[2];
        const char *error;
    } cases[] = {
        {"samples", 5, I8, {4, 0}, NULL},
        {NULL, 0, I8, {0, INT64_MAX}, NULL},
        {"samples",
         5,
         I8,
         {4, 5},
         "frame 1, tensor 'index': [1] is 5 but expected a number from 0, "
         "below the 5 samples of split 'train'"},
        {"splits", 4, I8, {4, 0}, "[0] is 4 but expected a number from 0, below the 4 samples"},
        {NULL, 0, I8, {3, -1}, "frame 1, tensor 'index': [1] is -1 but expected a number from 0"},
        {"samples", 5, I4, {0, 1}, "header: 'index' is <i4 [0] but expected <i8 [0]"},
        {"samples",
         -1,
         I8,
         {0, 1},
         "header: 'samples' has no whole number from 0 for split 'train'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        index_comes = true;
        samples_key = cases[i].key;
        samples = cases[i].samples < 0 ? value_of_bool(true) : value_of_int(cases[i].samples);
        index_dtype = cases[i].dtype;
        memcpy(index_numbers, cases[i].numbers, sizeof index_numbers);
        struct bytes b = written(plain, write_index);
        struct msa m = reading(plain, b.data, b.size, read_index);
        if (cases[i].error)
            assert_fails(&m, MSA_CORRUPT, cases[i].error);
        else
            assert_int_equal(m.status, MSA_OK);
        free(b.data);
    }
    index_comes = false;
    struct bytes b = written(plain, write_index);
    assert_int_equal(reading(plain, b.data, b.size, read_index).status, MSA_OK);
    free(b.data);
}

static void ask_samples(struct msa *m)
{
    struct header *h = header_new(m);
    value map = value_map();
    assert_int_equal(header_samples(h, "valid"), -1);
    value_set(m, h->zone, &map, "train", value_of_int(7));
    value_set(m, h->zone, &h->map, "samples", map);
    assert_int_equal(header_samples(h, "train"), 7);
    assert_int_equal(header_samples(h, "valid"), 0);
}

static void samples_of_a_split(void **state)
{
    (void)state;
    struct msa m = {.program = "msa-test"};
    assert_int_equal(msa_run(&m, ask_samples), MSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_round_trip),    cmocka_unit_test(wrong_headers),
        cmocka_unit_test(record_round_trip),    cmocka_unit_test(a_record_has_room_for_128_tensors),
        cmocka_unit_test(wrong_records),        cmocka_unit_test(samples_agree),
        cmocka_unit_test(index_is_as_promised), cmocka_unit_test(samples_of_a_split),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
