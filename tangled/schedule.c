/* schedule.c - how the rate changes. */
#include <math.h>
#include "base.h"
#include "schedule.h"

double dl_schedule_step(int64_t step, int64_t every, double gamma)
{
    dl_check(step >= 0 && every > 0, "step %lld, every %lld steps",
             (long long)step, (long long)every);
    return pow(gamma, (double)(step / every));
}

double dl_schedule_exponential(int64_t step, double gamma)
{
    return dl_schedule_step(step, 1, gamma);
}

/* Half a cosine from a at x = 0 to b at x = 1. */
static double cosine(double a, double b, double x)
{
    return b + (a - b) * 0.5 * (1 + cos(3.14159265358979323846 * x));
}

double dl_schedule_cosine(int64_t step, int64_t total, double last)
{
    dl_check(step >= 0 && total > 0, "step %lld of %lld", (long long)step,
             (long long)total);
    return step >= total ? last
           : cosine(1, last, (double)step / (double)total);
}

double dl_schedule_warmup(int64_t step, int64_t warm, double first)
{
    dl_check(step >= 0 && warm >= 0, "step %lld, %lld steps to warm up",
             (long long)step, (long long)warm);
    return step >= warm ? 1
           : first + (1 - first) * (double)step / (double)warm;
}

double dl_schedule_warmup_cosine(int64_t step, int64_t warm, int64_t total,
                                 double last)
{
    dl_check(step >= 0 && warm >= 0 && total > warm, "step %lld, %lld steps "
             "to warm up, %lld in all", (long long)step, (long long)warm,
             (long long)total);
    return step < warm ? (double)(step + 1) / (double)warm
           : dl_schedule_cosine(step - warm, total - warm, last);
}

double dl_schedule_one_cycle(int64_t step, int64_t total, double share,
                             double start, double end)
{
    dl_check(step >= 0 && total > 1 && share > 0 && share < 1 && start >= 1
             && end >= 1, "step %lld of %lld, share %g, 1/%g, 1/%g",
             (long long)step, (long long)total, share, start, end);
    double top = share * (double)total - 1, bottom = (double)total - 1;
    double at = (double)step < bottom ? (double)step : bottom;
    if (top > 0 && at <= top)
        return cosine(1 / start, 1, at / top);
    return cosine(1, 1 / (start * end),
                  (at - fmax(top, 0)) / (bottom - fmax(top, 0)));
}

void dl_plateau_init(struct dl_plateau *s, bool larger_is_better)
{
    *s = (struct dl_plateau){
        .factor = 0.1, .threshold = 1e-4, .patience = 10, .now = 1,
        .larger_is_better = larger_is_better,
        .best = larger_is_better ? -INFINITY : INFINITY};
}

double dl_plateau_next(struct dl_plateau *s, double measured)
{
    bool better = s->larger_is_better
                  ? measured > s->best * (1 + s->threshold)
                  : measured < s->best * (1 - s->threshold);
    if (better)
        s->best = measured;
    s->bad = better ? 0 : s->bad + 1;
    if (s->waiting > 0) {
        s->waiting--;
        s->bad = 0;
    }
    if (s->bad > s->patience) {
        s->now = fmax(s->now * s->factor, s->least);
        s->waiting = s->cooldown;
        s->bad = 0;
    }
    return s->now;
}
