/* The step of an optimiser alone, on the parameters of a network of 784-256-128-10 neurons and of one of 2-16-16-1. The
   rate is 0, so that every step has the same work and the same result. PyTorch's are in 10_optim.py. */
#include "autograd.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"

#include "speed.h"
#include <math.h>

static double number(int k) { return 0.5 * sin(1 + k); }

static struct dl_params params;
static struct dl_optimizer optimizer;

static void prepare(const int *width, const struct dl_update *update, double momentum)
{
    dl_set_num_threads(1);
    for (int l = 0, k = 0; l < 3; l++)
        for (int bias = 0; bias < 2; bias++) {
            char name[] = "w1";
            name[0] = bias ? 'b' : 'w', name[1] = (char)('1' + l);
            dl_tensor *t = dl_param(&params, name, bias ? DL_SHAPE(width[l + 1]) : DL_SHAPE(width[l + 1], width[l]));
            t->storage->grad = dl_pool_get(t->size * sizeof(dl_real));
            for (size_t i = 0; i < t->size; i++) {
                dl_data(t)[i] = (dl_real)number(k++);
                t->storage->grad[i] = (dl_real)number(7 * k);
            }
        }
    struct dl_hyper h = dl_hyper_default(update);
    h.lr = 0;
    h.momentum = momentum;
    dl_optimizer_init(&optimizer, update, &params, h);
}

static const int large[] = {784, 256, 128, 10}, small[] = {2, 16, 16, 1};
static void large_adam(void) { prepare(large, &dl_adam, 0); }
static void large_sgd(void) { prepare(large, &dl_sgd, 0); }
static void large_momentum(void) { prepare(large, &dl_sgd, 0.9); }
static void small_adam(void) { prepare(small, &dl_adam, 0); }
static void small_sgd(void) { prepare(small, &dl_sgd, 0); }

static struct result step(void)
{
    dl_optimizer_step(&optimizer);
    return (struct result){dl_data(params.list[0].tensor)[3], dl_data(params.list[3].tensor)[2]};
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *target;
        void (*prepare)(void);
    } workloads[] = {
        {"mlp-adam", "ratio>=1.7", large_adam}, {"mlp-sgd", "ratio>=1", large_sgd},
        {"mlp-momentum", "ratio>=1", large_momentum},
        {"micro-sgd", "ratio>=70", small_sgd}, {"micro-adam", "ratio>=70", small_adam},
    };
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (argc == 2)
            printf("%s\t1\tns/step\t%s\n", workloads[i].name, workloads[i].target);
        else if (argc == 3 && strcmp(argv[1], workloads[i].name) == 0) {
            struct result r;
            workloads[i].prepare();
            double ns = median_nanoseconds(step, &r);
            printf("%.6g %.17g %.17g\n", ns, r.value, r.check);
        }
    }
    return 0;
}
