/* Plateaus of the validation loss. */
#include "common/nn/plateau.h"
#include "common/stream/resume.h"
#include <math.h>

/* A loss is lower below this share of the best; the rate falls to this share, unless by less than
 * that. */
static const double lower = 1 - 1e-4, share = .1, least = 1e-8;

struct plateau plateau_new(double rate, long patience)
{
    return (struct plateau){.rate = rate, .patience = patience, .best = INFINITY};
}

void plateau_add(struct plateau *p, const struct record *r)
{
    if (!value_get(&r->map, "loss"))
        msa_fail(r->m, MSA_FAILED,
                 "frame %u: no loss arrives of the valid split, which --schedule plateau looks at: "
                 "does msa-loss stand before?",
                 (unsigned)r->frame.seq);
    p->sum += record_total_loss(r) * (double)r->samples;
    p->samples += (double)r->samples;
}

/* One that is NaN is not lower. */
static bool wait_on(struct plateau *p, double loss)
{
    if (loss < p->best * lower) {
        p->best = loss;
        p->waited = 0;
        return true;
    }
    return ++p->waited <= p->patience;
}

bool plateau_next(struct plateau *p, struct msa *m)
{
    if (p->samples == 0)
        msa_fail(m, MSA_CORRUPT,
                 "--schedule plateau looks at the valid split, but no sample of it has come");
    double loss = p->sum / p->samples, fallen = p->rate * share;
    p->sum = p->samples = 0;
    if (wait_on(p, loss))
        return false;
    p->waited = 0;
    if (p->rate - fallen <= least)
        return false;
    p->rate = fallen;
    return true;
}

/* --- checkpoints --- */

void plateau_save(const struct plateau *p, struct control *c, value *state)
{
    value v = value_map();
    value_set(c->m, c->zone, &v, "rate", value_of_real(p->rate));
    value_set(c->m, c->zone, &v, "best", value_of_real(p->best));
    value_set(c->m, c->zone, &v, "waited", value_of_int(p->waited));
    value_set(c->m, c->zone, state, "plateau", v);
}

void plateau_restore(struct plateau *p, struct msa *m, const value *state)
{
    const value *v = resume_map(m, state, "plateau");
    p->rate = resume_number(m, v, "rate");
    p->best = resume_number(m, v, "best");
    p->waited = resume_int(m, v, "waited");
}
