/* The threads that loops run on. libgomp begins them with a loop, and ends the process where it
 * cannot; so all are begun here once before there is anything to compute, which may fail. */
#include "kernels/cpu/cpu.h"
#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 2 << 20 /* bytes at least, whatever `ulimit -s` says */ };

static void give_stacks(void)
{
    pthread_attr_t attributes;
    size_t size = 0;
    if (pthread_getattr_default_np(&attributes) != 0)
        return;
    if (pthread_attr_getstacksize(&attributes, &size) == 0 && size < STACK &&
        pthread_attr_setstacksize(&attributes, STACK) == 0)
        pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

static void *pass_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Begins so many threads that are there at the same time, and ends them. Returns an errno. */
static int try_threads(int count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = calloc((size_t)count + 1, sizeof *threads);
    int begun = 0, reason = threads ? 0 : ENOMEM;
    pthread_mutex_lock(&gate);
    while (!reason && begun < count) {
        reason = pthread_create(&threads[begun], NULL, pass_gate, &gate);
        begun += !reason;
    }
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < begun; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return reason;
}

/* How many there are in a loop that asks for so many. */
static int team_of(int count)
{
    int team = 0;
#pragma omp parallel num_threads(count) reduction(+ : team)
    team++;
    return team;
}

int cpu_begin_threads(int threads, char *error, size_t error_size)
{
    int most = omp_get_thread_limit(), count = threads > 0 ? threads : omp_get_num_procs();
    if (count > most) {
        snprintf(error, error_size, "OMP_THREAD_LIMIT allows %d of %d threads (--threads)", most,
                 count);
        return 0;
    }
    give_stacks();
    int reason = try_threads(count - 1);
    if (reason) {
        snprintf(error, error_size, "cannot begin %d threads: %s", count, strerror(reason));
        return 0;
    }
    omp_set_dynamic(0); /* else the load of the machine decides how many there are */
    omp_set_max_active_levels(1);
    int team = team_of(count);
    if (team != count) {
        snprintf(error, error_size, "%d threads where %d were asked for", team, count);
        return 0;
    }
    return count;
}
