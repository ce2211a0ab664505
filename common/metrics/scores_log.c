/* The rows of a training. */
#include "common/metrics/scores_log.h"

static void show(struct scores_rows *r, const struct scores *s, const struct scores_split *p,
                 bool best)
{
    if (!r->shown.count) {
        r->shown = scores_columns_progress(s);
        scores_table(stderr, s, NULL, &r->shown);
        fputc('\n', stderr);
    }
    scores_table(stderr, s, p, &r->shown);
    fputs(best ? " *\n" : "\n", stderr);
}

static void write_down(struct scores_rows *r, const struct scores *s, const struct scores_split *p)
{
    char line[SCORES_LINE];
    if (!r->logged.count) {
        r->logged = scores_columns_log(s);
        if (!r->log->kept)
            log_line(s->m, r->log, scores_tsv(line, s, NULL, &r->logged));
    }
    log_line(s->m, r->log, scores_tsv(line, s, p, &r->logged));
}

void scores_row(struct scores_rows *r, const struct scores *s, const struct scores_split *p,
                bool best)
{
    if (!s->m->common.quiet)
        show(r, s, p, best);
    if (r->log)
        write_down(r, s, p);
}
