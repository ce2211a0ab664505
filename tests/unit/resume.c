/* What a stage takes out of a state, and in which order a resumed line may stand
 * (common/stream/resume.h). */
#include "common/stream/resume.h"
#include "common/stream/tensor_codec.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

/* ---- A tensor ---- */

static struct {
    enum dtype dtype;
    int rank;
    size_t shape[TENSOR_RANK];
    const char *error; /* where two F4 are to be taken */
    const char *any;   /* where any number of F4 */
} tensors[] = {
    {F4, 1, {2}, NULL, NULL},
    {F4, 1, {1}, "'kept' is <f4 [1] but expected <f4 [2]", NULL},
    {F4, 1, {0}, "'kept' is <f4 [0] but expected <f4 [2]", NULL},
    {I4,
     1,
     {2},
     "'kept' is <i4 [2] but expected <f4 [2]",
     "'kept' is <i4 [2] but expected <f4 [n]"},
    {F4,
     2,
     {1, 2},
     "'kept' is <f4 [1,2] but expected <f4 [2]",
     "is <f4 [1,2] but expected <f4 [n]"},
};

struct taking {
    struct msa m; /* first */
    size_t tensor;
    long count;
};

static void take(struct msa *m)
{
    const struct taking *taking = (struct taking *)m;
    static const float numbers[] = {1.5f, -2};
    size_t i = taking->tensor;
    msgpack_zone *zone = value_zone(m);
    struct tensor t =
        tensor_of("kept", tensors[i].dtype, numbers, tensors[i].rank, tensors[i].shape);
    value state = value_map();
    value_set(m, zone, &state, "kept", value_of_tensor(m, zone, &t));
    struct tensor found = resume_tensor(m, &state, "kept", F4, taking->count);
    assert_int_equal(found.count, tensors[i].shape[0]);
    for (size_t k = 0; k < found.count; k++)
        assert_true(tensor_value(&found, k) == numbers[k]);
}

static void ends(struct msa *m, void (*body)(struct msa *), enum msa_status status,
                 const char *error)
{
    m->program = m->program ? m->program : "msa-test";
    enum msa_status found = msa_run(m, body);
    if (found != (error ? status : MSA_OK) || (error && !strstr(m->error, error)))
        fail_msg("%d, '%s' but expected '%s'", (int)found, m->error, error ? error : "nothing");
}

static void a_tensor_is_as_it_must_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        struct taking two = {.tensor = i, .count = 2}, any = {.tensor = i, .count = RESUME_ANY};
        ends(&two.m, take, MSA_CORRUPT, tensors[i].error);
        ends(&any.m, take, MSA_CORRUPT, tensors[i].any);
    }
}

static void take_none(struct msa *m)
{
    value state = value_map();
    resume_tensor(m, &state, "kept", F4, RESUME_ANY);
}

static void take_a_map(struct msa *m)
{
    value state = value_map(), map = value_map();
    value_set(m, value_zone(m), &state, "kept", map);
    resume_tensor(m, &state, "kept", F4, RESUME_ANY);
}

static void what_is_no_tensor(void **state)
{
    (void)state;
    struct msa m = {0}, other = {0};
    ends(&m, take_none, MSA_CORRUPT, "header: the state to be resumed: 'kept' is no tensor");
    ends(&other, take_a_map, MSA_CORRUPT,
         "header: the state to be resumed: 'kept': not a tensor: ");
}

/* ---- The order of a line ---- */

enum { MOST = 6 };

static struct order {
    struct msa m;                          /* first; the line's last program */
    const char *states[MOST], *line[MOST]; /* the states in any order; the line but for the last */
    const char *error;
} orders[] = {
    {.states = {"9:d", "2:a", "5:b", "7:c"}, .line = {"a", "b", "c"}},
    {.states = {"3:c", "1:a", "2:b", "4:d"}, .line = {"x", "a", "y", "b", "c"}},
    {.states = {"1:a", "2:b", "3:a", "4:d"}, .line = {"a", "x", "b", "a"}},
    {.states = {"1:a", "3:c", "2:b", "4:d"},
     .line = {"a", "c", "b"},
     .error = "has c as stage 3, after b, and not before it as in this line"},
    {.states = {"10:c", "9:b", "11:d"},
     .line = {"c", "x", "b"},
     .error = "has c as stage 10, after b, and not"},
    {.states = {"1:a", "2:b", "3:a", "4:d"},
     .line = {"a", "a", "b"},
     .error = "has a as stage 3, after b, and not"},
    {.states = {"1:a", "2:b", "3:d"},
     .line = {"b", "x"},
     .error = "has a as stage 1, which is not in this line"},
};

static void judge_line(struct msa *m)
{
    const struct order *o = (struct order *)m;
    struct header *h = header_new(m);
    value resume = value_map(), states = value_map();
    for (int i = 0; i < MOST && o->states[i]; i++)
        value_set(m, h->zone, &states, o->states[i], value_map());
    value_set(m, h->zone, &resume, "checkpoint", value_of_int(1));
    value_set(m, h->zone, &resume, "state", states);
    value_set(m, h->zone, &h->map, "resume", resume);
    for (int i = 0; i < MOST && o->line[i]; i++) {
        m->program = o->line[i];
        header_sign(h);
    }
    m->program = "d";
    resume_line(h);
}

static void stages_with_a_state_stand_as_they_did(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        ends(&orders[i].m, judge_line, MSA_USAGE, orders[i].error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tensor_is_as_it_must_be),
        cmocka_unit_test(what_is_no_tensor),
        cmocka_unit_test(stages_with_a_state_stand_as_they_did),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
