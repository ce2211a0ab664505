/* The rows of a training. */
#include "common/metrics/scores_log.h"

void scores_log_begin(struct scores_rows *r, struct log *log, const struct scores *s,
                      const struct header *h, const struct record *first)
{
    char line[SCORES_LINE];
    r->log = log;
    r->tasks = tasks_of(h);
    tasks_add_record(&r->tasks, first);
    r->logged = scores_columns_log(s, &r->tasks);
    log_head(s->m, r->log, scores_tsv(line, s, NULL, &r->logged));
}

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

void scores_row(struct scores_rows *r, const struct scores *s, const struct scores_split *p,
                bool best)
{
    char line[SCORES_LINE];
    if (!s->m->common.quiet)
        show(r, s, p, best);
    if (r->log)
        log_line(s->m, r->log, scores_tsv(line, s, p, &r->logged));
}
