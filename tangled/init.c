/* init.c - random initial values of parameters. */
#include <math.h>
#include <stdlib.h>
#include "base.h"
#include "init.h"
#include "memory.h"

static void replace(dl_tensor *w, dl_tensor *by(struct dl_shape,
                    struct dl_random *, float, float),
                    struct dl_random *r, double a, double b)
{
    dl_check_tensor(w);
    dl_check(r != NULL, "the generator is NULL");
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_copy(w, by(w->shape, r, (float)a, (float)b));
    dl_scope_leave(scope);
}

void dl_init_uniform(dl_tensor *w, struct dl_random *r,
                     double low, double high)
{
    replace(w, dl_uniform, r, low, high);
}

void dl_init_normal(dl_tensor *w, struct dl_random *r,
                    double mean, double std)
{
    replace(w, dl_normal, r, mean, std);
}

double dl_fan(struct dl_shape weights, enum dl_fan fan)
{
    dl_check(weights.rank >= 2,
             "weights of shape %s have no axes of outputs and inputs",
             DL_SHAPE_TEXT(weights));
    double n = weights.dim[fan == DL_FAN_IN ? 1 : 0];
    for (int k = 2; k < weights.rank; k++)
        n *= weights.dim[k];
    return n;
}

double dl_gain(double slope)
{
    return sqrt(2 / (1 + slope * slope));
}

static double xavier(const dl_tensor *w, double gain)
{
    dl_check_tensor(w);
    return gain * sqrt(2 / (dl_fan(w->shape, DL_FAN_IN)
                            + dl_fan(w->shape, DL_FAN_OUT)));
}

void dl_init_xavier_uniform(dl_tensor *w, struct dl_random *r, double gain)
{
    double bound = sqrt(3) * xavier(w, gain);
    dl_init_uniform(w, r, -bound, bound);
}

void dl_init_xavier_normal(dl_tensor *w, struct dl_random *r, double gain)
{
    dl_init_normal(w, r, 0, xavier(w, gain));
}

static double kaiming(const dl_tensor *w, double slope, enum dl_fan fan)
{
    dl_check_tensor(w);
    return dl_gain(slope) / sqrt(dl_fan(w->shape, fan));
}

void dl_init_kaiming_uniform(dl_tensor *w, struct dl_random *r,
                             double slope, enum dl_fan fan)
{
    double bound = sqrt(3) * kaiming(w, slope, fan);
    if (w->size > 0)
        dl_init_uniform(w, r, -bound, bound);
}

void dl_init_kaiming_normal(dl_tensor *w, struct dl_random *r,
                            double slope, enum dl_fan fan)
{
    double std = kaiming(w, slope, fan);
    if (w->size > 0)
        dl_init_normal(w, r, 0, std);
}

void dl_init_orthogonal(dl_tensor *w, struct dl_random *r, double gain)
{
    dl_check_tensor(w);
    dl_check(w->shape.rank >= 2,
             "weights of shape %s are no matrix", DL_SHAPE_TEXT(w->shape));
    dl_init_normal(w, r, 0, 1);
    int rows = w->shape.dim[0];
    int columns = rows > 0 ? (int)(w->size / (size_t)rows) : 0;
    bool wide = rows < columns;
    int n = wide ? rows : columns;          /* vectors ... */
    int length = wide ? columns : rows;     /* ... of this length */
    int across = wide ? columns : 1, along = wide ? 1 : columns;
    double *v = dl_alloc((size_t)n * (size_t)length, sizeof *v);
    dl_real *x = dl_data(w);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < length; k++)
            v[(size_t)i * length + k] = x[(size_t)i * across + (size_t)k * along];
    for (int i = 0; i < n; i++)
        {
            double *a = v + (size_t)i * length;
            for (int twice = 0; twice < 2; twice++)
                for (int j = 0; j < i; j++) {
                    const double *q = v + (size_t)j * length;
                    double dot = 0;
                    for (int k = 0; k < length; k++)
                        dot += a[k] * q[k];
                    for (int k = 0; k < length; k++)
                        a[k] -= dot * q[k];
                }
            double square = 0;
            for (int k = 0; k < length; k++)
                square += a[k] * a[k];
            for (int k = 0; k < length; k++)
                a[k] /= sqrt(square);
        }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < length; k++)
            x[(size_t)i * across + (size_t)k * along]
                = (dl_real)(gain * v[(size_t)i * length + k]);
    dl_touch(w);
    free(v);
}
