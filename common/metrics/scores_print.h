/* Scores as rows: a table for people, tab-separated, JSON, and the body of an M frame. One list of
 * columns drives all that is text. */
#ifndef MSA_SCORES_PRINT_H
#define MSA_SCORES_PRINT_H

#include "common/metrics/scores.h"
#include "common/run/log.h"
#include "common/stream/control.h"
#include <stdio.h>

enum { SCORES_COLUMNS = 8 + METRICS_MAX + SCORES_LOSSES, SCORES_LINE = LOG_HEAD };

/* Names of columns: `epoch`, `split`, `samples`, or what scores_value knows. They point into the
 * scores, or belong to the run. */
struct scores_columns {
    int count;
    const char *names[SCORES_COLUMNS];
};

struct scores_columns
scores_columns_result(const struct scores *s); /* split samples metrics losses */
/* The columns that every log of a training begins with, tab-separated; losses and metrics follow
 * them. */
#define SCORES_LOG_HEAD "epoch\tsplit\tsamples"
struct scores_columns
scores_columns_log(const struct scores *s,
                   const struct tasks *tasks); /* epoch split samples tasks metrics */
struct scores_columns
scores_columns_progress(const struct scores *s); /* epoch split samples loss metrics */

/* A row for people, without its end; p NULL: the head. Cells without a value are `-`. */
void scores_table(FILE *to, const struct scores *s, const struct scores_split *p,
                  const struct scores_columns *columns);
/* A tab-separated row, without its end; p NULL: the head. 9 significant digits; cells without a
 * value are empty. */
const char *scores_tsv(char line[SCORES_LINE], const struct scores *s, const struct scores_split *p,
                       const struct scores_columns *columns);
/* A flat JSON object and a newline; NaN is null; what has no value is left out. */
void scores_json(FILE *to, const struct scores *s, const struct scores_split *p,
                 const struct scores_columns *columns);

enum scores_format { SCORES_TABLE, SCORES_TSV, SCORES_JSON };
/* The result: a row for each split, below a head where the format has one. */
void scores_print(FILE *to, const struct scores *s, enum scores_format format);

/* The map of an M frame; the caller frees it. */
struct control scores_message(const struct scores *s, const struct scores_split *p);

#endif
