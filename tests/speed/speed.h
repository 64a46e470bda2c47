/* What the timed programs of this directory share. A program that is called

       NN_name list               prints its workloads, one a line: name, tab, number of units, tab, unit, tab, target
       NN_name WORKLOAD MODE      prints nanoseconds per unit, and two numbers by which the contestants' results are compared

   MODE is `ours` or the name of a peer written in C (they stand in `list` behind the target). tests/speed/run.py calls them. */
#ifndef DLFS_SPEED_H
#define DLFS_SPEED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct result { double value, check; };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over batches of about 5 ms, for half a second altogether, of the nanoseconds that a step takes. */
__attribute__((unused)) static double median_nanoseconds(struct result step(void), struct result *last)
{
    double batch[100], start;
    int n = 1;
    for (;; n *= 2) {                      /* warms up, and finds the size of a batch */
        start = cpu_seconds();
        for (int i = 0; i < n; i++)
            *last = step();
        if (cpu_seconds() - start > 5e-3)
            break;
    }
    for (int k = 0; k < 100; k++) {
        start = cpu_seconds();
        for (int i = 0; i < n; i++)
            *last = step();
        batch[k] = (cpu_seconds() - start) / n * 1e9;
    }
    qsort(batch, 100, sizeof *batch, by_size);
    return batch[50];
}

#endif
