/* minimax.c - the polynomials of simd_math.h, by Remez's exchange. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef long double real;

struct problem {
    const char *name;
    int degree;
    real from, to;
    real (*f)(real x), (*weight)(real x);
};

#define LN2 0.693147180559945309417232121458L
#define ROOT2 1.414213562373095048801688724210L

static real exp_f(real r)
{
    if (fabsl(r) < 1e-3L)
        return 0.5L + r / 6 + r * r / 24 + r * r * r / 120;
    return (expm1l(r) - r) / (r * r);
}

static real exp_weight(real r)
{
    return r * r / expl(r);
}

static real log_f(real f)
{
    if (fabsl(f) < 1e-3L)
        return 1 / 3.0L - f / 4 + f * f / 5 - f * f * f / 6;
    return (log1pl(f) - f + f * f / 2) / (f * f * f);
}

static real log_weight(real f)
{
    return f * f * f / log1pl(f);
}

static real tail_f(real a)                     /* log2(2 Q(a)) / a */
{
    if (a < 1e-6L)
        return -(2 / sqrtl(2 * acosl(-1)) + a / acosl(-1)) / LN2;
    return a < 1 ? log1pl(-erfl(a / ROOT2)) / LN2 / a
                 : log2l(erfcl(a / ROOT2)) / a;
}

static real tail_weight(real a)
{
    return a / (1 - a * tail_f(a));
}

static real far_f(real t)                      /* Q(1/t) exp(1/t^2/2) */
{
    return erfcl(1 / t / ROOT2) / 2 * expl(1 / (t * t) / 2);
}

static real far_weight(real t)
{
    return 1 / far_f(t);
}

static real erfc_f(real a)                      /* log2(erfc a) / a */
{
    return ROOT2 * tail_f(a * ROOT2);
}

static real erfc_weight(real a)
{
    real s = -a * erfc_f(a) * LN2, c = s > 0 ? s / expm1l(s) : 1;
    return c / fabsl(erfc_f(a));
}

static real power2_f(real f)
{
    return fabsl(f) < 1e-9L ? LN2 : expm1l(f * LN2) / f;
}

static real power2_weight(real f)
{
    return 1 / power2_f(f);
}

static const struct problem problems[] = {
    {"exp", 4, -LN2 / 2, LN2 / 2, exp_f, exp_weight},
    {"log", 7, 1 / ROOT2 - 1, ROOT2 - 1, log_f, log_weight},
    {"power2", 5, -0.5L, 0.5L, power2_f, power2_weight},
    {"erfc", 8, 0, 4, erfc_f, erfc_weight},
    {"tail", 8, 0, 4.5L, tail_f, tail_weight},
    {"far", 6, 1 / 14.5L, 1 / 4.5L, far_f, far_weight},
};

enum { DEGREE = 12, ROWS = DEGREE + 2 };

/* Solve n equations: row i is a[i][0] c_0 + ... = a[i][n]. The solution
   replaces the last column. */
static void solve(int n, real a[ROWS][ROWS + 1])
{
    for (int c = 0; c < n; c++) {
        int pivot = c;
        for (int r = c + 1; r < n; r++)
            if (fabsl(a[r][c]) > fabsl(a[pivot][c]))
                pivot = r;
        for (int j = 0; j <= n; j++) {
            real t = a[c][j];
            a[c][j] = a[pivot][j];
            a[pivot][j] = t;
        }
        for (int r = 0; r < n; r++)
            if (r != c) {
                real q = a[r][c] / a[c][c];
                for (int j = c; j <= n; j++)
                    a[r][j] -= q * a[c][j];
            }
    }
    for (int c = 0; c < n; c++)
        a[c][n] /= a[c][c];
}

enum { GRID = 20000 };

static real grid_point(const struct problem *p, int i)
{
    real middle = (p->from + p->to) / 2, half = (p->to - p->from) / 2;
    return middle - half * cosl(acosl(-1) * (i + 0.5L) / GRID);
}

static real error_at(const struct problem *p, const real *c, real x)
{
    real sum = 0;
    for (int k = p->degree; k >= 0; k--)
        sum = sum * x + c[k];
    return p->weight(x) * (sum - p->f(x));
}

static real worst_error(const struct problem *p, const real *c)
{
    real worst = 0;
    for (int i = 0; i < GRID; i++)
        worst = fmaxl(worst, fabsl(error_at(p, c, grid_point(p, i))));
    return worst;
}

static void find_best(const struct problem *p, real *c)
{
    enum { ROUNDS = 12 };
    int m = p->degree + 2, at[ROWS];
    for (int i = 0; i < m; i++)
        at[i] = (int)((i + 0.5) * GRID / m);
    for (int round = 0; round < ROUNDS; round++) {
        real a[ROWS][ROWS + 1];
        for (int i = 0; i < m; i++)
            {
                real x = grid_point(p, at[i]), power = 1;
                for (int k = 0; k <= p->degree; k++, power *= x)
                    a[i][k] = power;
                a[i][m - 1] = (i % 2 == 0 ? -1 : 1) / p->weight(x);
                a[i][m] = p->f(x);
            }
        solve(m, a);
        for (int k = 0; k <= p->degree; k++)
            c[k] = a[k][m];
        int swing = -1;
        real sign = 0, best = 0;
        for (int i = 0; i < GRID; i++) {
            real e = error_at(p, c, grid_point(p, i));
            if (e * sign <= 0 && e != 0) {
                if (++swing == m)
                    break;
                sign = e;
                best = 0;
            }
            if (fabsl(e) > best) {
                best = fabsl(e);
                at[swing] = i;
            }
        }
    }
}

static void print_all(void)
{
    printf("# build/minimax; seed 0; threads 1\n");
    printf("name\tdegree\terror\trounded\tlog2");
    for (int k = 0; k <= 9; k++)
        printf("\tc%d", k);
    printf("\n");
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        const struct problem *p = &problems[i];
        real c[ROWS] = {0}, rounded[ROWS];
        find_best(p, c);
        for (int k = 0; k < ROWS; k++)
            rounded[k] = (float)c[k];
        printf("%s\t%d\t%.2Le\t%.2Le\t%.1Lf", p->name, p->degree,
               worst_error(p, c), worst_error(p, rounded),
               log2l(worst_error(p, rounded)));
        for (int k = 0; k <= 9; k++)
            printf("\t%.9g", (double)rounded[k]);
        printf("\n");
    }
}

static void print_curves(const struct problem *p)
{
    real best[ROWS] = {0}, taylor[ROWS] = {1 / 2.0L, 1 / 6.0L, 1 / 24.0L,
                                           1 / 120.0L, 1 / 720.0L};
    find_best(p, best);
    printf("# build/minimax --curve; seed 0; threads 1\n");
    printf("x\ttaylor\tminimax\n");
    for (int i = 0; i <= 400; i++) {
        real x = p->from + (p->to - p->from) * i / 400;
        printf("%.6Lf\t%.4Le\t%.4Le\n", x, error_at(p, taylor, x),
               error_at(p, best, x));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--curve") == 0)
        print_curves(&problems[0]);
    else
        print_all();
    return 0;
}
