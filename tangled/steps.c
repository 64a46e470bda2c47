/* steps.c - the error of difference quotients against the step. */
#include <math.h>
#include <stdio.h>

static double wave(double x)
{
    return exp(x) * sin(x);
}

int main(void)
{
    double x = 1, exact = exp(x) * (sin(x) + cos(x));
    double best_forward = INFINITY, best_central = INFINITY;
    printf("# build/steps; threads 1\n");
    printf("k\th\tforward\tcentral\n");
    for (int k = 0; k <= 50; k++) {
        double h = ldexp(1, -k);
        double forward = fabs((wave(x + h) - wave(x)) / h - exact);
        double central = fabs((wave(x + h) - wave(x - h)) / (2 * h)
                              - exact);
        printf("%d\t%.3e\t%.3e\t%.3e\n", k, h, forward, central);
        best_forward = fmin(best_forward, forward);
        best_central = fmin(best_central, central);
    }
    printf("best\t0\t%.3e\t%.3e\n", best_forward, best_central);
    return 0;
}
