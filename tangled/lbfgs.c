/* lbfgs.c - minimise a smooth function with an estimate of curvature. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base.h"
#include "lbfgs.h"

static double dot(int n, const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y += a x */
static void add(int n, double a, const double *x, double *y)
{
    for (int i = 0; i < n; i++)
        y[i] += a * x[i];
}

void dl_lbfgs_init(struct dl_lbfgs *l, dl_objective *f, void *context,
                   int n, const double x[], int memory)
{
    dl_check(f != NULL && x != NULL, "%s is NULL",
             f == NULL ? "the function" : "the first point");
    dl_check(n > 0 && memory > 0, "%d numbers, %d steps kept", n, memory);
    size_t kept = (size_t)memory + 1, vectors = 5 + 2 * kept;
    double *all = dl_alloc(vectors * (size_t)n + 2 * kept, sizeof *all);
    *l = (struct dl_lbfgs){.f = f, .context = context, .n = n,
                           .memory = memory, .x = all};
    l->g = l->x + n;
    l->d = l->g + n;
    l->trial = l->d + n;
    l->slope = l->trial + n;
    l->s = l->slope + n;
    l->y = l->s + kept * (size_t)n;
    l->rho = l->y + kept * (size_t)n;
    l->alpha = l->rho + kept;
    memcpy(l->x, x, (size_t)n * sizeof *x);
    l->value = f(n, l->x, l->g, context);
    l->calls = 1;
}

void dl_lbfgs_free(struct dl_lbfgs *l)
{
    free(l->x);
    *l = (struct dl_lbfgs){0};
}

/* d = -B g, by the two loops; what is in d meanwhile is -q, then -B q */
static void find_direction(struct dl_lbfgs *l)
{
    int n = l->n, last = l->kept - 1;
    for (int i = 0; i < n; i++)
        l->d[i] = -l->g[i];
    for (int k = last; k >= 0; k--) {
        l->alpha[k] = l->rho[k] * dot(n, l->s + k * n, l->d);
        add(n, -l->alpha[k], l->y + k * n, l->d);
    }
    double scale = 1 / fmax(sqrt(dot(n, l->g, l->g)), 1);
    if (last >= 0)
        scale = 1 / (l->rho[last] * dot(n, l->y + last * n, l->y + last * n));
    for (int i = 0; i < n; i++)
        l->d[i] *= scale;
    for (int k = 0; k <= last; k++) {
        double beta = l->rho[k] * dot(n, l->y + k * n, l->d);
        add(n, l->alpha[k] - beta, l->s + k * n, l->d);
    }
}

/* Keep the step s from x to the trial, and y, the change of the gradient,
   unless the curvature along it is not positive. */
static void remember(struct dl_lbfgs *l)
{
    int n = l->n, k = l->kept;
    for (int i = 0; i < n; i++) {
        l->s[k * n + i] = l->trial[i] - l->x[i];
        l->y[k * n + i] = l->slope[i] - l->g[i];
    }
    double curvature = dot(n, l->s + k * n, l->y + k * n);
    if (curvature <= 1e-10 * dot(n, l->y + k * n, l->y + k * n))
        return;
    l->rho[k] = 1 / curvature;
    if (l->kept < l->memory)
        l->kept++;
    else
        {
            size_t rest = (size_t)l->memory * (size_t)n;
            memmove(l->s, l->s + n, rest * sizeof *l->s);
            memmove(l->y, l->y + n, rest * sizeof *l->y);
            memmove(l->rho, l->rho + 1, (size_t)l->memory * sizeof *l->rho);
        }
}

bool dl_lbfgs_step(struct dl_lbfgs *l)
{
    find_direction(l);
    double slope = dot(l->n, l->g, l->d);
    double length = 1;
    for (int tries = 0; tries < 60 && slope < 0; tries++, length /= 2) {
        memcpy(l->trial, l->x, (size_t)l->n * sizeof *l->x);
        add(l->n, length, l->d, l->trial);
        double value = l->f(l->n, l->trial, l->slope, l->context);
        l->calls++;
        if (value <= l->value + 1e-4 * length * slope)
            {
                remember(l);
                l->value = value;
                memcpy(l->x, l->trial, (size_t)l->n * sizeof *l->x);
                memcpy(l->g, l->slope, (size_t)l->n * sizeof *l->g);
                return true;
            }
    }
    return false;
}
