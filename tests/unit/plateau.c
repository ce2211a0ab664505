/* The rate that falls on a plateau: as PyTorch's (tests/oracle/plateau.py), of the mean over
 * samples, and the same when its state has been saved and restored on the way. */
#include "common/nn/plateau.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define GOLDEN "tests/golden/plateau.tsv"

enum { LOSSES = 320 };

/* A record with two tasks, of which one counts for half; none where loss is infinite. */
static void add(struct msa *m, struct plateau *p, int samples, double loss)
{
    struct record r;
    value losses = value_map(), weights = value_map();
    record_new(m, &r);
    r.samples = (size_t)samples;
    value_set(m, r.zone, &losses, "one", value_of_real(loss / 2));
    value_set(m, r.zone, &losses, "other", value_of_real(loss));
    value_set(m, r.zone, &weights, "other", value_of_real(.5));
    if (!isinf(loss))
        value_set(m, r.zone, &r.map, "loss", losses);
    value_set(m, r.zone, &r.map, "weight", weights);
    plateau_add(p, &r);
    record_free(&r);
}

static struct plateau reload(struct msa *m, const struct plateau *p, long patience)
{
    struct plateau again = plateau_new(1, patience);
    struct control c = control_new(m);
    value state = value_map();
    plateau_save(p, &c, &state);
    plateau_restore(&again, m, &state);
    control_free(&c);
    return again;
}

/* --- as PyTorch */

static void follow_golden(struct msa *m)
{
    FILE *f = fopen(GOLDEN, "r");
    assert_non_null(f);
    struct plateau p = plateau_new(2e-3, -1), parts = p;
    char loss[64];
    double rate;
    int count = 0, fallen = 0;
    assert_int_equal(fscanf(f, "patience loss rate"), 0);
    for (long patience; fscanf(f, "%ld %63s %lf", &patience, loss, &rate) == 3; count++) {
        if (patience != p.patience)
            p = parts = plateau_new(2e-3, patience);
        add(m, &p, 1, strtod(loss, NULL));
        add(m, &parts, 1, strtod(loss, NULL));
        fallen += plateau_next(&p, m);
        plateau_next(&parts, m);
        parts = reload(m, &parts, patience);
        assert_true(p.rate == rate && parts.rate == rate);
    }
    fclose(f);
    assert_int_equal(count, LOSSES);
    assert_true(fallen > 8);
}

static void rates_are_those_of_pytorch(void **state)
{
    (void)state;
    struct msa m = {.program = "plateau"};
    assert_int_equal(msa_run(&m, follow_golden), MSA_OK);
}

/* --- the mean over samples */

static void add_and_look(struct msa *m)
{
    struct plateau p = plateau_new(1, 0);
    add(m, &p, 3, 1);
    add(m, &p, 1, 5);
    assert_false(plateau_next(&p, m));
    assert_true(p.best == 2);
    add(m, &p, 2, 1.5);
    assert_false(plateau_next(&p, m));
    assert_true(p.best == 1.5);
    add(m, &p, 7, 1.5);
    assert_true(plateau_next(&p, m));
}

static void the_loss_is_a_mean_over_samples(void **state)
{
    (void)state;
    struct msa m = {.program = "plateau"};
    assert_int_equal(msa_run(&m, add_and_look), MSA_OK);
}

/* --- what is not there */

static void look_at_nothing(struct msa *m)
{
    struct plateau p = plateau_new(1, 0);
    plateau_next(&p, m);
}

static void add_none(struct msa *m)
{
    struct plateau p = plateau_new(1, 0);
    add(m, &p, 1, INFINITY);
}

static void nothing_is_no_loss(void **state)
{
    (void)state;
    struct msa m = {.program = "plateau"};
    assert_int_equal(msa_run(&m, look_at_nothing), MSA_CORRUPT);
    assert_string_equal(m.error, "--schedule plateau looks at the valid split, but no sample of it "
                                 "has come");
    assert_int_equal(msa_run(&m, add_none), MSA_FAILED);
    assert_string_equal(m.error, "frame 0: no loss arrives of the valid split, which --schedule "
                                 "plateau looks at: does msa-loss stand before?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_pytorch),
        cmocka_unit_test(the_loss_is_a_mean_over_samples),
        cmocka_unit_test(nothing_is_no_loss),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
