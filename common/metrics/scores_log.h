/* The rows of a training: at each checkpoint one for each split, for people on stderr and in a log.
 */
#ifndef MSA_SCORES_LOG_H
#define MSA_SCORES_LOG_H

#include "common/metrics/scores_print.h"
#include "common/run/log.h"

struct scores_rows {
    struct log *log; /* NULL: none is written (scores_log_begin) */
    struct tasks tasks;
    struct scores_columns logged, shown; /* of the log and of the table on stderr */
};

/* At the first record, where there is a log. Its columns are of the tasks that the header names,
 * then of those that only this record has, and of the metrics; one that goes on must have these,
 * else the run fails as log_head does. */
void scores_log_begin(struct scores_rows *r, struct log *log, const struct scores *s,
                      const struct header *h, const struct record *first);

/* A row, on stderr below a head if it is the first; `best` marks it. */
void scores_row(struct scores_rows *r, const struct scores *s, const struct scores_split *p,
                bool best);

#endif
