/* Exercise: sorting without recursion. */
#include <stdbool.h>
#include "random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern bool topological(int n, int in[][2], int order[]);

enum { GUARD = -77, MANY = 5000000 };

/* The graph is acyclic: is every node in the order once, after its inputs, and nothing else touched? */
static void expect_sorted(int n, int in[][2], const char *what)
{
    size_t size = sizeof *in * (size_t)n;
    int (*copy)[2] = malloc(size + 1);
    int *order = malloc(((size_t)n + 1) * sizeof *order), *place = malloc(((size_t)n + 1) * sizeof *place);
    if (n > 0)
        memcpy(copy, in, size);
    for (int i = 0; i < n; i++)
        order[i] = GUARD, place[i] = -1;
    order[n] = GUARD;
    cr_assert(topological(n, in, order), "%s: an acyclic graph of %d nodes is said to have a cycle", what, n);
    cr_assert(order[n] == GUARD, "%s: something was stored behind the %d nodes", what, n);
    cr_assert(n == 0 || memcmp(copy, in, size) == 0, "%s: the graph was changed", what);
    for (int k = 0; k < n; k++) {
        int i = order[k];
        if (i < 0 || i >= n || place[i] >= 0)
            cr_fatal("%s: place %d holds %d, which is %s", what, k, i, i < 0 || i >= n ? "no node" : "there twice");
        place[i] = k;
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            if (in[i][k] >= 0 && place[in[i][k]] > place[i])
                cr_fatal("%s: node %d stands before its input %d", what, i, in[i][k]);
    free(copy);
    free(order);
    free(place);
}

static void expect_cycle(int n, int in[][2], const char *what)
{
    int *order = malloc(((size_t)n + 1) * sizeof *order);
    order[n] = GUARD;
    cr_assert(not(topological(n, in, order)), "%s: the cycle was missed", what);
    cr_assert(order[n] == GUARD, "%s: something was stored behind the %d nodes", what, n);
    free(order);
}

/* A graph of n nodes named at random, each of which reads up to two of those placed before it. */
static void random_graph(uint64_t seed, int n, int in[][2], int name[])
{
    struct dl_random r;
    dl_random_seed(&r, seed);
    dl_random_permutation(&r, name, n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            in[name[i]][k] = i > 0 && dl_random_below(&r, 4) > 0 ? name[dl_random_below(&r, i)] : -1;
}

Test(topological, small_graphs_are_sorted)
{
    expect_sorted(0, (int[1][2]){{-1, -1}}, "no node");
    expect_sorted(1, (int[1][2]){{-1, -1}}, "one node");
    expect_sorted(5, (int[5][2]){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}, "no arrows");
    expect_sorted(4, (int[4][2]){{1, 2}, {3, -1}, {3, -1}, {-1, -1}}, "a diamond upside down");
    expect_sorted(3, (int[3][2]){{-1, 1}, {-1, 2}, {-1, -1}}, "only second inputs");
}

Test(topological, an_input_may_be_read_twice)
{
    expect_sorted(3, (int[3][2]){{1, 1}, {2, 2}, {-1, -1}}, "two doublings");
    expect_sorted(4, (int[4][2]){{3, 3}, {0, 0}, {1, 3}, {-1, -1}}, "doublings and a sum");
}

Test(topological, random_graphs_are_sorted)
{
    static int in[300][2], name[300];
    for (uint64_t seed = 0; seed < 1000; seed++) {
        int n = (int)(seed % 300) + 1;
        random_graph(seed, n, in, name);
        expect_sorted(n, in, "a random graph");
    }
}

Test(topological, cycles_of_one_two_and_more_nodes_are_found)
{
    expect_cycle(1, (int[1][2]){{0, -1}}, "a node that reads itself");
    expect_cycle(1, (int[1][2]){{0, 0}}, "a node that reads itself twice");
    expect_cycle(2, (int[2][2]){{-1, -1}, {0, 1}}, "a node that reads itself and another");
    expect_cycle(2, (int[2][2]){{1, -1}, {-1, 0}}, "two nodes that read each other");
    expect_cycle(4, (int[4][2]){{-1, -1}, {0, 3}, {1, -1}, {2, 0}}, "three in a circle, fed from outside");
    expect_cycle(5, (int[5][2]){{-1, -1}, {0, 0}, {3, 1}, {2, -1}, {1, 1}}, "a cycle beside much that is none");
    expect_cycle(4, (int[4][2]){{1, -1}, {0, -1}, {1, -1}, {2, 2}}, "a cycle that feeds others");
}

Test(topological, one_wrong_arrow_in_a_random_graph_is_found)
{
    static int in[200][2], name[200];
    for (uint64_t seed = 0; seed < 1000; seed++) {
        int n = (int)(seed % 199) + 2, last = n - 1;
        random_graph(seed, n, in, name);
        int from = (int)(seed * 7919 % (uint64_t)last);       /* the wrong arrow closes a path to the last node */
        in[name[last]][0] = name[from];
        in[name[from]][seed % 2] = name[last];
        expect_cycle(n, in, "a random graph with a cycle");
    }
}

Test(topological, a_chain_of_five_million_nodes_takes_neither_a_deep_stack_nor_long)
{
    alarm(40);
    int (*in)[2] = malloc(MANY * sizeof *in), *name = malloc(MANY * sizeof *name);
    for (int i = 0; i < MANY; i++)
        in[i][0] = i - 1, in[i][1] = -1;
    expect_sorted(MANY, in, "a chain");
    for (int i = 0; i < MANY; i++)
        in[i][0] = -1, in[i][1] = i + 1 < MANY ? i + 1 : -1;
    expect_sorted(MANY, in, "a chain numbered backwards");
    in[MANY - 1][0] = 0;
    expect_cycle(MANY, in, "a circle");
    struct dl_random r;
    dl_random_seed(&r, 1);
    dl_random_permutation(&r, name, MANY);
    for (int i = 0; i < MANY; i++)
        in[name[i]][0] = in[name[i]][1] = i > 0 ? name[i - 1] : -1;
    expect_sorted(MANY, in, "a chain of doublings numbered at random");
    free(in);
    free(name);
}

Test(topological, a_node_may_have_five_million_users)
{
    int (*in)[2] = malloc(MANY * sizeof *in);
    for (int i = 0; i < MANY; i++)
        in[i][0] = i < MANY - 1 ? MANY - 1 : -1, in[i][1] = i % 2 && i < MANY - 1 ? 0 : -1;
    expect_sorted(MANY, in, "a star");
    free(in);
}
