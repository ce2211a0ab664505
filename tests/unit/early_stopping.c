/* Which checkpoint is the best (early_stopping.h), by numbers that are not always finite; and the
 * same verdicts of a training that was killed and goes on. */
#include "common/metrics/early_stopping.h"
#include "common/stream/value.h"
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 8 };

/* The numbers of checkpoints, one an epoch, and a letter for each: 'b' is the best, 's' the last,
 * 'x' both, '-' neither. */
struct course {
    struct judge judge;
    double numbers[MOST];
    const char *verdicts;
};

static const struct course courses[] = {
    /* strictly better wins */
    {{.smaller = true}, {3, 2, 2, 4, 1}, "bb--b"},
    {{.smaller = false}, {3, 2, 3, 4, 1}, "b--b-"},
    /* without a finite number each counts; none replaces one that has one */
    {{.smaller = true}, {NAN, NAN, INFINITY, 2, NAN, -INFINITY, 1, INFINITY}, "bbbb--b-"},
    {{.smaller = false}, {INFINITY, -INFINITY, 2, INFINITY, NAN, 3}, "bbb--b"},
    /* until an epoch has passed the last is kept, but no finite one is replaced by one that is not
     */
    {{.smaller = true, .after = 3}, {1, 2, 3, 9, 8, 10}, "bbbbb-"},
    {{.smaller = true, .after = 3}, {1, NAN, NAN, NAN, 9, NAN}, "b---b-"},
    {{.smaller = true, .after = 3}, {1, NAN, 5, INFINITY, NAN, 7, 6}, "b-b--bb"},
    {{.smaller = false, .after = 4}, {NAN, 3, NAN, NAN, NAN, -9}, "bb---b"},
    {{.smaller = true, .after = 2}, {NAN, NAN, NAN, INFINITY, NAN}, "bbbbb"},
    {{.smaller = true, .after = 9}, {1, NAN, 2, INFINITY}, "b-b-"},
    /* patience counts what is not finite too, once there is a number to compare with */
    {{.smaller = true, .patience = 2}, {1, NAN, INFINITY}, "b-s"},
    {{.smaller = true, .after = 1, .patience = 2}, {1, NAN, NAN}, "b-s"},
    {{.smaller = true, .after = 1, .patience = 2}, {NAN, NAN, NAN}, "bbb"},
    {{.smaller = false, .patience = 2}, {NAN, NAN, NAN, -1, NAN, -1}, "bbbb-s"},
    {{.smaller = false, .patience = 1}, {NAN, 3, 2}, "bbs"},
};
enum { COURSES = sizeof courses / sizeof *courses };

static char letter(struct judge *j, const struct course *c, size_t i)
{
    struct verdict v = judge_next(j, (int64_t)i + 1, c->numbers[i]);
    return v.best ? v.stop ? 'x' : 'b' : v.stop ? 's' : '-';
}

static void check(const struct course *c, const char *found, size_t killed)
{
    if (strcmp(found, c->verdicts) != 0)
        fail_msg("course %d, killed after %zu: %s but expected %s", (int)(c - courses), killed,
                 found, c->verdicts);
}

static void verdicts(void **state)
{
    (void)state;
    for (size_t k = 0; k < COURSES; k++) {
        struct judge j = courses[k].judge;
        char found[MOST + 1] = "";
        for (size_t i = 0; i < strlen(courses[k].verdicts); i++)
            found[i] = letter(&j, &courses[k], i);
        check(&courses[k], found, 0);
    }
}

/* The judge of a run that goes on from what the one before has left. */
static struct judge resumed(struct msa *m, const struct course *c, const struct judge *before)
{
    struct judge j = c->judge;
    struct control control = control_new(m);
    value state = value_map();
    judge_save(before, &control, &state);
    judge_restore(&j, m, &state);
    control_free(&control);
    return j;
}

static void go_on(struct msa *m)
{
    for (size_t k = 0; k < COURSES; k++)
        for (size_t killed = 1; killed < strlen(courses[k].verdicts); killed++) {
            struct judge j = courses[k].judge;
            char found[MOST + 1] = "";
            for (size_t i = 0; i < strlen(courses[k].verdicts); i++) {
                if (i == killed)
                    j = resumed(m, &courses[k], &j);
                found[i] = letter(&j, &courses[k], i);
            }
            check(&courses[k], found, killed);
        }
}

static void resumed_verdicts(void **state)
{
    (void)state;
    struct msa m = {.program = "test"};
    if (msa_run(&m, go_on) != MSA_OK)
        fail_msg("%s", m.error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(resumed_verdicts),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
