/* qr.c - least squares in double precision, by Householder's reflections. */
#include "qr.h"
#include "base.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double inner(int n, const double *u, const double *x)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += u[i] * x[i];
    return sum;
}

static void reflect(int n, const double *u, double *x)
{
    double share = inner(n, u, x);
    for (int i = 0; i < n; i++)
        x[i] -= share * u[i];
}

static void flatten(struct dl_qr *q, int j)
{
    int length = q->m - j;
    double *u = q->column + (size_t)j * (size_t)q->m + j;
    double norm = sqrt(inner(length, u, u));
    q->diagonal[j] = u[0] > 0 ? -norm : norm;
    u[0] -= q->diagonal[j];
    double scale = sqrt(2 / inner(length, u, u));
    for (int i = 0; i < length; i++)
        u[i] *= scale;
    for (int l = j + 1; l < q->n; l++)
        reflect(length, u, u + (size_t)(l - j) * (size_t)q->m);
}

static bool has_full_rank(const struct dl_qr *q)
{
    double most = 0;
    for (int j = 0; j < q->n; j++)
        most = fmax(most, fabs(q->diagonal[j]));
    for (int j = 0; j < q->n; j++)
        if (!(fabs(q->diagonal[j]) > q->m * DBL_EPSILON * most))
            return false;
    return true;
}

bool dl_qr_init(struct dl_qr *q, int rows, int columns, const double *a,
                double ridge)
{
    dl_check(rows >= 1 && columns >= 1, "a matrix of %d x %d", rows, columns);
    dl_check(ridge >= 0 && isfinite(ridge), "a ridge of %g", ridge);
    bool tall = rows >= columns;
    int n = tall ? columns : rows, large = tall ? rows : columns;
    *q = (struct dl_qr){rows, columns, large + (ridge > 0 ? n : 0), n,
                        NULL, NULL};
    size_t m = (size_t)q->m;
    q->column = dl_alloc(m * (size_t)n, sizeof(double));
    q->diagonal = dl_alloc((size_t)n, sizeof(double));
    memset(q->column, 0, m * (size_t)n * sizeof(double));
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            q->column[tall ? (size_t)j * m + (size_t)i
                           : (size_t)i * m + (size_t)j] = *a++;
    for (int j = 0; j < n && ridge > 0; j++)
        q->column[(size_t)j * m + (size_t)(large + j)] = sqrt(ridge);
    for (int j = 0; j < n; j++)
        flatten(q, j);
    if (!has_full_rank(q)) {
        dl_qr_free(q);
        return dl_error("the %s of a matrix of %d x %d depend on one another, "
                        "or are not finite", tall ? "columns" : "rows", rows,
                        columns);
    }
    return true;
}

void dl_qr_free(struct dl_qr *q)
{
    free(q->column);
    free(q->diagonal);
    *q = (struct dl_qr){0};
}

/* Let b become the solution of R x = b. */
static void solve_upper(const struct dl_qr *q, double *b)
{
    for (int j = q->n - 1; j >= 0; j--) {
        const double *column = q->column + (size_t)j * (size_t)q->m;
        b[j] /= q->diagonal[j];
        for (int i = 0; i < j; i++)
            b[i] -= column[i] * b[j];
    }
}

/* Of R' x = b. */
static void solve_lower(const struct dl_qr *q, double *b)
{
    for (int j = 0; j < q->n; j++) {
        const double *column = q->column + (size_t)j * (size_t)q->m;
        b[j] = (b[j] - inner(j, column, b)) / q->diagonal[j];
    }
}

void dl_qr_solve(const struct dl_qr *q, const double *y, double *w)
{
    size_t m = (size_t)q->m;
    double *b = dl_alloc(m, sizeof *b);
    memset(b, 0, m * sizeof *b);
    memcpy(b, y, sizeof *b * (size_t)q->rows);
    if (q->rows >= q->columns) {
        for (int j = 0; j < q->n; j++)
            reflect(q->m - j, q->column + (size_t)j * m + j, b + j);
        solve_upper(q, b);
    } else {
        solve_lower(q, b);
        for (int j = q->n - 1; j >= 0; j--)
            reflect(q->m - j, q->column + (size_t)j * m + j, b + j);
    }
    memcpy(w, b, sizeof *b * (size_t)q->columns);
    free(b);
}

double dl_qr_smallest(const struct dl_qr *q)
{
    double *v = dl_alloc((size_t)q->n, sizeof *v), growth = 0, before;
    for (int i = 0; i < q->n; i++)
        v[i] = 1 + 0.5 * sin(i);
    int times = 0;
    do {
        double length = sqrt(inner(q->n, v, v));
        for (int i = 0; i < q->n; i++)
            v[i] /= length;
        before = growth;
        solve_lower(q, v);
        growth = inner(q->n, v, v);
        solve_upper(q, v);
    } while (++times < 1000 && fabs(growth - before) > 1e-12 * growth);
    free(v);
    return 1 / sqrt(growth);
}
