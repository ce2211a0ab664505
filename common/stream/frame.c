/* What is wrong with a frame, and what an X frame tells. */
#include "common/stream/value.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_LIMIT = 1 << 30 };

size_t frame_limit(const struct msa *m)
{
    long limit = m->common.max_frame;
    return limit <= 0 ? DEFAULT_LIMIT : limit > UINT32_MAX ? UINT32_MAX : (size_t)limit;
}

void frame_fail(struct msa *m, const struct frame *f, const char *tensor, const char *format, ...)
{
    char what[sizeof m->error];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    bool from = f->from && strcmp(f->from, "stdin") != 0;
    msa_fail(m, MSA_CORRUPT, "%s%sframe %u%s%s%s: %s", from ? f->from : "", from ? ": " : "",
             f->seq, tensor ? ", tensor '" : "", tensor ? tensor : "", tensor ? "'" : "", what);
}

const char *frame_reason(struct msa *m, const struct frame *x)
{
    const char *who = value_text(x->zone, x->map, "who");
    const char *what = value_text(x->zone, x->map, "what");
    return msa_format(m, "%s: %s", who ? who : "a program", what ? what : "it failed");
}

void frame_fail_other(struct msa *m, const struct frame *x)
{
    msa_fail(m, MSA_OTHER, "%s", frame_reason(m, x));
}
