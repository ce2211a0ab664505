/* The rows of a training: at each checkpoint one for each split, for people on stderr and in a log.
 */
#ifndef MSA_SCORES_LOG_H
#define MSA_SCORES_LOG_H

#include "common/metrics/scores_print.h"
#include "common/run/log.h"

struct scores_rows {
    struct log *log;                     /* NULL: none is written */
    struct scores_columns logged, shown; /* of the log and of the table on stderr */
};

/* A row, below a head if it is the first; `best` marks it. */
void scores_row(struct scores_rows *r, const struct scores *s, const struct scores_split *p,
                bool best);

#endif
