/* Threads that train networks of their own, while their loops are divided among other threads; for ThreadSanitizer. */
#include "gemm.h"
#include "kernels.h"
#include "parallel.h"
#include "../network.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRAINERS = 3, STEPS = 3 };

static dl_real loss[TRAINERS];

static void *trainer(void *result)
{
    struct network net;
    make_network(&net);
    for (int k = 0; k < STEPS; k++)
        *(dl_real *)result = train_step(&net, N);
    free_network(&net);
    dl_pool_drain();
    return NULL;
}

static void inner(size_t begin, size_t end, void *context)
{
    for (size_t i = begin; i < end; i++)
        ((int *)context)[i]++;
}

/* A loop within a loop. */
static void outer(size_t begin, size_t end, void *context)
{
    for (size_t i = begin; i < end; i++)
        dl_parallel_for(100, 10, inner, (int *)context + 100 * i);
}

int main(void)
{
    static int cells[800];
    pthread_t thread[TRAINERS];
    for (int threads = 1; threads <= 4; threads++) {
        dl_set_num_threads(threads);
        for (int k = 0; k < TRAINERS; k++)
            if (pthread_create(&thread[k], NULL, trainer, &loss[k]) != 0)
                return 2;
        for (int k = 0; k < 50; k++)
            dl_parallel_for(8, 1, outer, cells);
        for (int k = 0; k < TRAINERS; k++)
            pthread_join(thread[k], NULL);
        for (int k = 0; k < TRAINERS; k++)
            if (loss[k] != loss[0])
                return 3;
    }
    for (int i = 0; i < 800; i++)
        if (cells[i] != 200)
            return 4;
    return 0;
}
