/* One line on stderr that says how far it is. */
#include "common/run/progress.h"
#include "common/run/utf8.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double interval = 0.1; /* seconds between lines */

/* A terminal that this process group may write to without disturbing another. */
static bool in_foreground(void)
{
    return isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Cuts UTF-8 text to what fits into one line of the terminal; returns the columns it takes. */
static int fit(char *text)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    int limit = known ? size.ws_col - 1 : 79, width = 0;
    for (; *text; text++) {
        bool starts = ((unsigned char)*text & 0xC0) != 0x80;
        if (starts && width == limit) {
            *text = '\0';
            break;
        }
        width += starts;
    }
    return width;
}

struct progress progress_start(const struct msa *m)
{
    bool terminal = in_foreground();
    bool shown = m->common.progress == MSA_PROGRESS_ALWAYS ||
                 (m->common.progress == MSA_PROGRESS_AUTO && terminal && !m->common.quiet);
    return (struct progress){.shown = shown, .terminal = terminal};
}

void progress_show(struct progress *p, bool last, const char *format, ...)
{
    double t = now();
    if (!p->shown || (!last && t - p->last < interval) || (p->terminal && !in_foreground()))
        return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    utf8_show(line);
    p->last = t;
    if (!p->terminal) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    int width = fit(line), rest = p->width > width ? p->width - width : 0;
    fprintf(stderr, "\r%s%*s%s", line, rest, "", last ? "\n" : "");
    p->width = last ? 0 : width;
}

void progress_clear(struct progress *p)
{
    if (p->width && in_foreground())
        fprintf(stderr, "\r%*s\r", p->width, "");
    p->width = 0;
}
