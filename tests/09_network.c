/* Chapter 9: layers, initial values, and a first training. Compiled for float and, with -DDL_DOUBLE, for double. */
#include "autograd.h"
#include "base.h"
#include "basic.h"
#include "dataset.h"
#include "init.h"
#include "kernels.h"
#include "loss.h"
#include "memory.h"
#include "nn.h"
#include "ops.h"
#include "parallel.h"
#include "random.h"

#include "fails_with.h"
#include "small_fashion.h"
#include "oracle/oracle.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <sys/wait.h>

#ifdef DL_DOUBLE
#define IF_DOUBLE(a, b) (a)
#else
#define IF_DOUBLE(a, b) (b)
#endif
#define CHECKED IF_DOUBLE(1e-7, 0.05)           /* of dl_gradcheck */
#define EACH(i, array) (size_t i = 0; i < sizeof (array) / sizeof *(array); i++)

/* ---- Helpers --------------------------------------------------------------------------------------------------- */

static struct dl_random source;
static struct dl_params params;
static void open_all(void) { dl_random_seed(&source, 1); }
static void close_all(void)
{
    dl_params_free(&params);
    struct dl_pool_use use = dl_pool_use();
    cr_assert(use.blocks == 0 && use.bytes == 0, "%zu blocks of %zu bytes were not given back", use.blocks, use.bytes);
    dl_pool_drain();
}
TestSuite(init, .init = open_all, .fini = close_all);
TestSuite(linear, .init = open_all, .fini = close_all);
TestSuite(network, .init = open_all, .fini = close_all);
TestSuite(mlp_first);

static struct oracle torch(void) { return oracle_open("09_network.safetensors"); }

/* The numbers of t, which are floats also where dl_real is double, are those of the oracle: to the bit. */
static void are_bits(const dl_tensor *t, struct oracle_tensor wanted, const char *what, int k)
{
    cr_assert(eq(sz, t->size, wanted.count), "case %d: %s", k, what);
    cr_assert(eq(int, t->shape.rank, wanted.rank), "case %d: %s", k, what);
    for (int i = 0; i < wanted.rank; i++)
        cr_assert(eq(int, t->shape.dim[i], (int)wanted.shape[i]), "case %d: %s", k, what);
    for (size_t i = 0; i < wanted.count; i++)
        cr_assert(dl_data(t)[i] == (dl_real)wanted.f32[i], "case %d: %s, element %zu is %.9g, not %.9g", k, what, i,
                  (double)dl_data(t)[i], (double)wanted.f32[i]);
}

/* The sum of the products of rows (or columns) i and j of a matrix. */
static double dot(const dl_tensor *w, int rows, int columns, bool of_rows, int i, int j)
{
    double sum = 0;
    for (int k = 0; k < (of_rows ? columns : rows); k++)
        sum += (double)dl_data(w)[of_rows ? i * columns + k : k * columns + i]
               * (double)dl_data(w)[of_rows ? j * columns + k : k * columns + j];
    return sum;
}

static double mean_square(const dl_tensor *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->size; i++)
        sum += (double)dl_data(t)[i] * (double)dl_data(t)[i];
    return sum / (double)t->size;
}

/* ---- Initial values -------------------------------------------------------------------------------------------- */

Test(init, every_scheme_draws_what_torch_draws)
{
    enum { XAVIER_UNIFORM, XAVIER_NORMAL, KAIMING_UNIFORM, KAIMING_NORMAL, ORTHOGONAL };
    struct oracle o = torch();
    int n = oracle_get(&o, "inits").i32[0];
    for (int k = 0; k < n; k++) {
        const double *what = oracle_get(&o, "init.%d.what", k).f64;
        struct oracle_tensor wanted = oracle_get(&o, "init.%d", k);
        struct dl_shape s = {.rank = wanted.rank};
        for (int i = 0; i < s.rank; i++)
            s.dim[i] = (int)wanted.shape[i];
        struct dl_random r;
        dl_random_seed(&r, (uint64_t)what[3]);
        dl_tensor *w = dl_empty(s);
        enum dl_fan fan = what[2] != 0 ? DL_FAN_OUT : DL_FAN_IN;
        int kind = (int)what[0];
        switch (kind) {
        case XAVIER_UNIFORM: dl_init_xavier_uniform(w, &r, what[1]); break;
        case XAVIER_NORMAL: dl_init_xavier_normal(w, &r, what[1]); break;
        case KAIMING_UNIFORM: dl_init_kaiming_uniform(w, &r, what[1], fan); break;
        case KAIMING_NORMAL: dl_init_kaiming_normal(w, &r, what[1], fan); break;
        case ORTHOGONAL: dl_init_orthogonal(w, &r, what[1]); break;
        }
        if (kind == XAVIER_UNIFORM || kind == KAIMING_UNIFORM)
            are_bits(w, wanted, "draws", k);
        double largest = 0, tolerance = kind == ORTHOGONAL ? 2e-5 : 1e-6;
        for (size_t i = 0; i < w->size; i++)
            largest = fmax(largest, fabs(wanted.f32[i]));
        for (size_t i = 0; i < w->size; i++)
            cr_assert(fabs((double)dl_data(w)[i] - (double)wanted.f32[i]) <= tolerance * largest,
                      "case %d, element %zu is %.9g, not %.9g", k, i, (double)dl_data(w)[i], (double)wanted.f32[i]);
        cr_assert(eq(flt, dl_random_uniform(&r), oracle_get(&o, "init.%d.next", k).f32[0]), "case %d: draws", k);
        dl_tensor_free(w);
    }
    oracle_close(&o);
}

Test(init, plain_draws_are_those_of_the_generator)
{
    float x[40];
    struct dl_random twin = source;
    dl_tensor *w = dl_empty(DL_SHAPE(5, 8));
    dl_init_uniform(w, &source, -0.3, 0.7);
    dl_random_fill_uniform(&twin, x, 40, -0.3f, 0.7f);
    for (int i = 0; i < 40; i++)
        cr_assert(dl_data(w)[i] == (dl_real)x[i]);
    dl_init_normal(w, &source, 2, 0.5);
    dl_random_fill_normal(&twin, x, 40, 2, 0.5f);
    for (int i = 0; i < 40; i++)
        cr_assert(dl_data(w)[i] == (dl_real)x[i]);
    dl_tensor_free(w);
}

Test(init, fans_count_inputs_outputs_and_the_kernel)
{
    cr_assert(eq(dbl, dl_fan(DL_SHAPE(3, 5), DL_FAN_IN), 5));
    cr_assert(eq(dbl, dl_fan(DL_SHAPE(3, 5), DL_FAN_OUT), 3));
    cr_assert(eq(dbl, dl_fan(DL_SHAPE(3, 5, 7), DL_FAN_IN), 35));
    cr_assert(eq(dbl, dl_fan(DL_SHAPE(6, 4, 3, 2), DL_FAN_IN), 24));
    cr_assert(eq(dbl, dl_fan(DL_SHAPE(6, 4, 3, 2), DL_FAN_OUT), 36));
    cr_assert(eq(dbl, dl_fan(DL_SHAPE(0, 4), DL_FAN_OUT), 0));
    cr_assert(eq(dbl, dl_gain(0), sqrt(2)));
    cr_assert(eq(dbl, dl_gain(1), 1));
}

Test(init, draws_have_the_variance_that_was_asked_for)
{
    struct { const char *name; double variance; } wanted[] = {
        {"xavier uniform", 2.0 / 500 * 4}, {"xavier normal", 2.0 / 500}, {"kaiming uniform", 2.0 / 300},
        {"kaiming normal, fan out", 2.0 / 200 / 1.25}};
    for EACH(k, wanted) {
        dl_tensor *w = dl_empty(DL_SHAPE(200, 300));
        switch (k) {
        case 0: dl_init_xavier_uniform(w, &source, 2); break;
        case 1: dl_init_xavier_normal(w, &source, 1); break;
        case 2: dl_init_kaiming_uniform(w, &source, 0, DL_FAN_IN); break;
        case 3: dl_init_kaiming_normal(w, &source, 0.5, DL_FAN_OUT); break;
        }
        double ratio = mean_square(w) / wanted[k].variance;     /* 60,000 draws: 6 per mille */
        cr_assert(fabs(ratio - 1) < 0.03, "%s: %g of the variance", wanted[k].name, ratio);
        dl_tensor_free(w);
    }
}

Test(init, orthogonal_rows_or_columns_have_length_gain)
{
    struct dl_shape shapes[] = {DL_SHAPE(1, 1), DL_SHAPE(7, 7), DL_SHAPE(40, 9), DL_SHAPE(9, 40), DL_SHAPE(5, 3, 4),
                                DL_SHAPE(30, 2, 3, 3), DL_SHAPE(300, 300)};
    for EACH(k, shapes) {
        dl_tensor *w = dl_empty(shapes[k]);
        dl_init_orthogonal(w, &source, -1.5);
        int rows = shapes[k].dim[0], columns = (int)w->size / rows, n = rows < columns ? rows : columns;
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
                cr_assert(fabs(dot(w, rows, columns, rows < columns, i, j) - (i == j ? 2.25 : 0))
                          < IF_DOUBLE(1e-14, 2e-6), "case %zu: vectors %d and %d", k, i, j);
        dl_tensor_free(w);
    }
}

Test(init, nothing_is_drawn_for_weights_without_elements)
{
    struct dl_random before = source;
    dl_tensor *w = dl_empty(DL_SHAPE(4, 0)), *v = dl_empty(DL_SHAPE(0, 4));
    dl_init_kaiming_uniform(w, &source, 0, DL_FAN_IN);
    dl_init_kaiming_normal(v, &source, 0, DL_FAN_OUT);
    dl_init_xavier_uniform(v, &source, 1);
    dl_init_orthogonal(v, &source, 1);
    dl_init_orthogonal(w, &source, 1);
    cr_assert(eq(flt, dl_random_uniform(&source), dl_random_uniform(&before)));
    dl_tensor_free(w);
    dl_tensor_free(v);
}

Test(init, a_new_value_is_a_change_and_is_not_recorded)
{
    dl_scope scope = dl_scope_enter(DL_RECORD);
    dl_tensor *w = dl_param(&params, "w", DL_SHAPE(3, 3)), *x = dl_full(DL_SHAPE(2, 3), 1);
    void (*change[])(dl_tensor *, struct dl_random *, double) = {dl_init_xavier_uniform, dl_init_xavier_normal,
                                                                 dl_init_orthogonal};
    for EACH(k, change) {
        x->requires_grad = true;
        dl_fill(w, 1);
        dl_tensor *y = dl_sum(dl_linear(x, w, NULL));
        uint64_t version = w->storage->version;
        change[k](w, &source, 1);
        cr_assert(w->storage->version > version && w->requires_grad);
        fails_with(dl_backward(y), "linear", "changed");
        dl_scope_leave(scope);
        scope = dl_scope_enter(DL_RECORD);
        x = dl_full(DL_SHAPE(2, 3), 1);
    }
    dl_scope_leave(scope);
}

Test(init, mistakes_are_refused_by_name)
{
    dl_tensor *vector = dl_empty(DL_SHAPE(5)), *matrix = dl_empty(DL_SHAPE(2, 2));
    fails_with(dl_fan(DL_SHAPE(5), DL_FAN_IN), "dl_fan", "[5]");
    fails_with(dl_fan(DL_SHAPE(), DL_FAN_OUT), "dl_fan", "[]");
    fails_with(dl_init_xavier_uniform(vector, &source, 1), "[5]");
    fails_with(dl_init_kaiming_normal(vector, &source, 0, DL_FAN_IN), "[5]");
    fails_with(dl_init_orthogonal(vector, &source, 1), "dl_init_orthogonal", "[5]");
    fails_with(dl_init_xavier_normal(NULL, &source, 1), "NULL");
    fails_with(dl_init_kaiming_uniform(NULL, &source, 1, DL_FAN_IN), "NULL");
    fails_with(dl_init_orthogonal(NULL, &source, 1), "NULL");
    fails_with(dl_init_uniform(NULL, &source, 0, 1), "NULL");
    fails_with(dl_init_normal(matrix, NULL, 0, 1), "generator", "NULL");
    fails_with(dl_init_uniform(matrix, &source, 1, 0), "from 1 to 0", "empty");
    fails_with(dl_init_normal(matrix, &source, 0, -1), "negative");
    dl_tensor_free(vector);
    dl_tensor_free(matrix);
}

/* ---- The layer ------------------------------------------------------------------------------------------------- */

Test(linear, layers_begin_as_torchs_do_to_the_bit)
{
    struct oracle o = torch();
    dl_random_seed(&source, 9);
    for (int k = 0; k < oracle_get(&o, "layers").i32[0]; k++) {
        const int32_t *what = oracle_get(&o, "layer.%d", k).i32;
        int in = what[0], out = what[1], with_bias = what[2];
        struct dl_linear l;
        char name[20];
        snprintf(name, sizeof name, "layer%d", k);
        (with_bias ? dl_linear_init : dl_linear_init_unbiased)
            (&l, &params, name, in, out, &source);
        are_bits(l.weight, oracle_get(&o, "layer.%d.weight", k), "weight", k);
        if (with_bias)
            are_bits(l.bias, oracle_get(&o, "layer.%d.bias", k), "bias", k);
        else
            cr_assert(l.bias == NULL);
    }
    float next = oracle_get(&o, "layer.next").f32[0];
    cr_assert(eq(flt, dl_random_uniform(&source), next));
    oracle_close(&o);
}

Test(linear, parameters_stand_in_order_under_pytorchs_names)
{
    struct dl_linear a, b, c;
    dl_scope scope = dl_scope_enter(DL_RECORD);         /* they outlive it */
    dl_linear_init(&a, &params, "fc1", 3, 4, &source);
    dl_linear_init_unbiased(&b, &params, "encoder.0", 4, 2, &source);
    dl_linear_init(&c, &params, "", 2, 0, &source);
    dl_scope_leave(scope);
    const char *names[] = {"fc1.weight", "fc1.bias", "encoder.0.weight", "weight", "bias"};
    dl_tensor *tensors[] = {a.weight, a.bias, b.weight, c.weight, c.bias};
    cr_assert(eq(int, params.n, 5));
    for EACH(k, names) {
        cr_assert(eq(str, params.list[k].name, (char *)names[k]));
        cr_assert(params.list[k].tensor == tensors[k] && tensors[k]->permanent && tensors[k]->requires_grad);
    }
    cr_assert(dl_shape_equal(a.weight->shape, DL_SHAPE(4, 3)) && dl_shape_equal(a.bias->shape, DL_SHAPE(4)));
    cr_assert(dl_shape_equal(c.weight->shape, DL_SHAPE(0, 2)) && dl_shape_equal(c.bias->shape, DL_SHAPE(0)));
    cr_assert(eq(sz, dl_params_count(&params), 3 * 4 + 4 + 4 * 2));
}

Test(linear, forward_is_the_operation_of_chapter_7)
{
    struct dl_linear l, bare;
    dl_linear_init(&l, &params, "l", 7, 5, &source);
    dl_linear_init_unbiased(&bare, &params, "bare", 7, 5, &source);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = dl_normal(DL_SHAPE(2, 3, 7), &source, 0, 1);
    cr_assert(dl_equal(dl_linear_forward(&l, x), dl_linear(x, l.weight, l.bias)));
    cr_assert(dl_equal(dl_linear_forward(&bare, x), dl_linear(x, bare.weight, NULL)));
    for (int f = DL_IDENTITY; f <= DL_SIGMOID; f++) {
        dl_tensor *y = dl_linear_forward_act(&l, x, (enum dl_activation)f);
        cr_assert(dl_equal(y, dl_linear_act(x, l.weight, l.bias, (enum dl_activation)f)));
        cr_assert(dl_shape_equal(y->shape, DL_SHAPE(2, 3, 5)));
    }
    dl_scope_leave(scope);
}

Test(linear, mistakes_are_refused_by_name)
{
    struct dl_linear l;
    char name[121];
    dl_tensor *x = dl_empty(DL_SHAPE(2, 4));
    memset(name, 'n', 120), name[120] = '\0';
    fails_with(dl_linear_init(&l, &params, "l", -1, 4, &source), "-1 inputs and 4 outputs");
    fails_with(dl_linear_init_unbiased(&l, &params, "l", 3, -4, &source), "3 inputs and -4 outputs");
    fails_with(dl_linear_init(NULL, &params, "l", 3, 4, &source), "NULL");
    fails_with(dl_linear_init(&l, NULL, "l", 3, 4, &source), "NULL");
    fails_with(dl_linear_init(&l, &params, "l", 3, 4, NULL), "NULL");
    fails_with(dl_linear_init(&l, &params, NULL, 3, 4, &source), "name of a layer");
    fails_with(dl_linear_init(&l, &params, name, 3, 4, &source), "name of a layer");
    cr_assert(eq(int, params.n, 0));
    name[99] = '\0';
    dl_linear_init(&l, &params, name, 3, 4, &source);
    fails_with(dl_linear_init(&l, &params, name, 3, 4, &source), name);
    cr_assert(eq(int, params.n, 2));
    fails_with(dl_linear_forward(&l, x), "[2, 4]", "[4, 3]");
    fails_with(dl_linear_forward(NULL, x), "NULL");
    fails_with(dl_linear_forward_act(NULL, x, DL_RELU), "NULL");
    fails_with(dl_linear_forward_act(&l, x, (enum dl_activation)9), "9");
    dl_tensor_free(x);
}

/* ---- Networks -------------------------------------------------------------------------------------------------- */

enum { MAX_LAYERS = 24 };
struct mlp {
    int layers, width[MAX_LAYERS + 1];
    enum dl_activation f;
    struct dl_linear layer[MAX_LAYERS];
};

static void mlp_init(struct mlp *m)
{
    for (int l = 0; l < m->layers; l++) {
        char name[20];
        snprintf(name, sizeof name, "fc%d", l + 1);
        dl_linear_init(&m->layer[l], &params, name, m->width[l], m->width[l + 1], &source);
    }
}

static dl_tensor *mlp_forward(const struct mlp *m, dl_tensor *x)
{
    for (int l = 0; l < m->layers; l++)
        x = dl_linear_forward_act(&m->layer[l], x, l < m->layers - 1 ? m->f : DL_IDENTITY);
    return x;
}

static void descend(double rate)
{
    for (int k = 0; k < params.n; k++) {
        dl_tensor *w = params.list[k].tensor;
        dl_vaxpy(w->size, (dl_real)-rate, dl_grad(w), dl_data(w));
        dl_touch(w);
    }
}

/* Steps on the same examples. */
static double fit(const struct mlp *m, dl_tensor *x, struct dl_ints label, int steps, double rate)
{
    double value = NAN;
    for (int i = 0; i < steps; i++) {
        dl_scope step = dl_scope_enter(DL_RECORD);
        dl_tensor *loss = dl_cross_entropy(mlp_forward(m, x), label);
        value = (double)dl_item(loss);
        dl_zero_grad(&params);
        dl_backward(loss);
        descend(rate);
        dl_scope_leave(step);
    }
    return value;
}

static const int four[] = {0, 1, 1, 0};
static dl_tensor *corners(void) { return dl_from_array(DL_SHAPE(4, 2), (dl_real[]){0, 0, 0, 1, 1, 0, 1, 1}); }

Test(network, two_neurons_with_relu_compute_xor)
{
    struct dl_linear hidden, output;
    dl_linear_init(&hidden, &params, "hidden", 2, 2, &source);
    dl_linear_init(&output, &params, "output", 2, 1, &source);
    memcpy(dl_data(hidden.weight), (dl_real[]){1, 1, 1, 1}, 4 * sizeof(dl_real));
    memcpy(dl_data(hidden.bias), (dl_real[]){0, -1}, 2 * sizeof(dl_real));
    memcpy(dl_data(output.weight), (dl_real[]){1, -2}, 2 * sizeof(dl_real));
    *dl_data(output.bias) = 0;
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *y = dl_linear_forward(&output, dl_linear_forward_act(&hidden, corners(), DL_RELU));
    for (int i = 0; i < 4; i++)
        cr_assert(dl_data(y)[i] == four[i]);
    dl_scope_leave(scope);
}

Test(network, only_with_a_bend_does_a_hidden_layer_learn_xor)
{
    struct mlp line = {2, {2, 8, 2}, DL_IDENTITY, {{0}}};
    struct mlp bent = {2, {2, 8, 2}, DL_TANH, {{0}}};
    dl_tensor *x = corners();
    struct dl_ints label = {4, four};
    mlp_init(&line);
    cr_assert(fit(&line, x, label, 2000, 0.5) > 0.69);      /* ln 2 */
    dl_params_free(&params);
    mlp_init(&bent);
    cr_assert(fit(&bent, x, label, 2000, 0.5) < 0.01);
    dl_tensor_free(x);
}

Test(network, a_chain_of_linear_layers_is_one_linear_layer)
{
    struct mlp m = {3, {6, 9, 4, 5}, DL_IDENTITY, {{0}}};
    mlp_init(&m);
    dl_scope scope = dl_scope_enter(DL_NO_GRAD);
    dl_tensor *x = dl_normal(DL_SHAPE(7, 6), &source, 0, 1), *w[3], *b[3];
    for (int l = 0; l < 3; l++)
        w[l] = m.layer[l].weight, b[l] = m.layer[l].bias;
    dl_tensor *weight = dl_matmul(w[2], dl_matmul(w[1], w[0]));
    dl_tensor *bias = dl_linear(dl_linear(b[0], w[1], b[1]), w[2], b[2]);
    cr_assert(dl_allclose(mlp_forward(&m, x), dl_linear(x, weight, bias), 1e-4, IF_DOUBLE(1e-14, 1e-6)));
    dl_scope_leave(scope);
}

struct model { struct mlp m; dl_tensor *x; };
static dl_tensor *loss_of(void *context)
{
    struct model *c = context;
    return dl_cross_entropy(mlp_forward(&c->m, c->x), DL_INTS(0, 1, 2, 0, 1, 2, 0, 1, 2));
}

Test(network, gradients_of_a_deep_network_are_right)
{
    struct model c = {{4, {5, 7, 6, 7, 3}, DL_TANH, {{0}}}, dl_normal(DL_SHAPE(9, 5), &source, 0, 1)};
    mlp_init(&c.m);
    double error = dl_gradcheck(loss_of, &c, &params);
    cr_assert(error < CHECKED, "%g", error);
    dl_tensor_free(c.x);
}

Test(network, with_zeros_everywhere_only_the_last_bias_learns)
{
    struct mlp m = {2, {4, 6, 3}, DL_RELU, {{0}}};
    mlp_init(&m);
    for (int k = 0; k < params.n; k++)
        dl_fill(params.list[k].tensor, 0);
    dl_tensor *x = dl_normal(DL_SHAPE(5, 4), &source, 0, 1);
    fit(&m, x, DL_INTS(0, 1, 1, 2, 1), 50, 0.5);
    for (int k = 0; k < 3; k++)
        cr_assert(mean_square(params.list[k].tensor) == 0);
    const dl_real *b = dl_data(m.layer[1].bias);
    cr_assert(b[1] > b[0] && fabs((double)(b[0] - b[2])) < 1e-6, "the largest class has the largest bias");
    dl_tensor_free(x);
}

Test(network, equal_neurons_stay_equal)
{
    struct mlp m = {3, {4, 6, 5, 3}, DL_TANH, {{0}}};
    mlp_init(&m);
    for (int k = 0; k < params.n; k++)
        dl_fill(params.list[k].tensor, (dl_real)0.1);
    dl_tensor *x = dl_normal(DL_SHAPE(5, 4), &source, 0, 1);
    fit(&m, x, DL_INTS(0, 1, 1, 2, 1), 100, 0.5);
    for (int l = 0; l < 2; l++) {
        const dl_tensor *w = m.layer[l].weight;
        int in = w->shape.dim[1];
        for (size_t i = (size_t)in; i < w->size; i++)
            cr_assert(dl_data(w)[i] == dl_data(w)[i % (size_t)in], "layer %d", l + 1);
        cr_assert(dl_data(w)[0] != (dl_real)0.1, "layer %d does not learn", l + 1);
    }
    dl_tensor_free(x);
}

Test(network, he_keeps_the_mean_square_through_relu_and_xavier_halves_it)
{
    enum { WIDTH = 256, LAYERS = 8, TRIALS = 8 };
    double he = 0, xavier = 0, back = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        dl_scope scope = dl_scope_enter(DL_RECORD);
        dl_tensor *x = dl_normal(DL_SHAPE(32, WIDTH), &source, 0, 1), *y = x, *z = x;
        x->requires_grad = true;
        for (int l = 0; l < LAYERS; l++) {
            dl_tensor *w = dl_empty(DL_SHAPE(WIDTH, WIDTH));
            dl_init_xavier_normal(w, &source, 1);
            z = dl_linear_act(z, w, NULL, DL_RELU);
            w = dl_empty(DL_SHAPE(WIDTH, WIDTH));
            dl_init_kaiming_normal(w, &source, 0, DL_FAN_IN);
            y = dl_linear_act(y, w, NULL, DL_RELU);
        }
        he += mean_square(y) / TRIALS;
        xavier += mean_square(z) / TRIALS;
        dl_backward_from(y, dl_normal(y->shape, &source, 0, 1));
        dl_tensor *g = dl_from_array(x->shape, dl_grad(x));
        back += mean_square(g) / TRIALS;
        dl_scope_leave(scope);
    }
    cr_assert(he > 0.8 && he < 1.25, "%g", he);
    cr_assert(back > 0.8 && back < 1.25, "%g", back);
    cr_assert(xavier * 256 > 0.8 && xavier * 256 < 1.25, "%g", xavier * 256);
}

/* ---- A first training, beside PyTorch's ------------------------------------------------------------------------ */

/* 64-bit FNV-1a over 32-bit words, as tests/oracle/09_network.py computes it. */
static uint64_t digest_of_params(void)
{
    uint64_t h = 0xcbf29ce484222325;
    for (int k = 0; k < params.n; k++)
        for (size_t i = 0; i < params.list[k].tensor->size; i++) {
            float x = (float)dl_data(params.list[k].tensor)[i];
            uint32_t word;
            memcpy(&word, &x, sizeof word);
            h = (h ^ word) * 0x100000001b3;
            h ^= h >> 32;
        }
    return h;
}

static struct dl_dataset training, test;

/* The losses of twenty steps, of 64 images each, from a seed. */
static void twenty_steps(struct mlp *m, int seed, double losses[20], uint64_t *first)
{
    dl_random_seed(&source, (uint64_t)seed);
    mlp_init(m);
    *first = digest_of_params();
    struct dl_loader batches;
    dl_loader_init(&batches, training.n, 64, true, &source);
    dl_loader_epoch(&batches);
    for (int i = 0; i < 20; i++) {
        struct dl_ints rows = dl_loader_next(&batches);
        dl_scope step = dl_scope_enter(DL_RECORD);
        dl_tensor *x = dl_view(dl_dataset_rows(&training, rows), DL_SHAPE(64, 784));
        dl_tensor *loss = dl_cross_entropy(mlp_forward(m, x), dl_dataset_labels(&training, rows));
        dl_zero_grad(&params);
        dl_backward(loss);
        descend(0.1);
        losses[i] = (double)dl_item(loss);
        dl_scope_leave(step);
    }
    dl_loader_free(&batches);
}

Test(network, begins_with_torchs_weights_and_has_its_losses)
{
    struct oracle o = torch();
    const char *type = IF_DOUBLE("double", "float");
    cr_assert(dl_read_fashion(&training, &test, NULL));
    for (int seed = 1; seed <= 3; seed++) {
        struct mlp m = {2, {784, 128, 10}, DL_RELU, {{0}}};
        double losses[20];
        uint64_t first;
        char key[20];
        snprintf(key, sizeof key, "digest.%d", seed);
        twenty_steps(&m, seed, losses, &first);
        cr_assert(first == strtoull(oracle_text(&o, key), NULL, 16));
        struct oracle_tensor t = oracle_get(&o, "losses.%d.%s", seed, type);
        for (int i = 0; i < 20; i++)
            cr_assert(fabs(losses[i] / t.f64[i] - 1)
                      < IF_DOUBLE(1e-9, 1e-5), "step %d", i + 1);
        dl_params_free(&params);
    }
    dl_dataset_free(&training);
    dl_dataset_free(&test);
    oracle_close(&o);
}

Test(network, has_the_same_bits_with_any_number_of_threads_and_any_instruction_set)
{
    uint64_t last[6];
    enum dl_simd best = dl_get_simd();
    cr_assert(dl_read_fashion(&training, &test, NULL), "%s", dl_error_text());
    for (int k = 0; k < 4 + (int)best; k++) {
        int threads = k < 4 ? k + 1 : 2;
        dl_set_simd(k < 4 ? best : (enum dl_simd)(k - 4));
        struct mlp m = {3, {784, 256, 128, 10}, DL_RELU, {{0}}};
        double losses[20];
        uint64_t first;
        dl_set_num_threads(threads);
        twenty_steps(&m, 4, losses, &first);
        last[k] = digest_of_params();
        cr_assert(first != last[k]);
        cr_assert(eq(u64, last[k], last[0]), "%d threads, set %d", threads, (int)dl_get_simd());
        dl_params_free(&params);
    }
    dl_set_simd(best);
    dl_dataset_free(&training);
    dl_dataset_free(&test);
}

/* ---- The programs ---------------------------------------------------------------------------------------------- */

/* Exit status of a program of this chapter; the number of lines that it wrote on stderr. */
static int status_of(const char *arguments, int *lines)
{
    char command[500];
    snprintf(command, sizeof command, "%s/%s 2>&1 >/dev/null </dev/null", BUILD, arguments);
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    *lines = 0;
    for (int c; (c = fgetc(f)) != EOF; )
        *lines += c == '\n';
    int status = pclose(f);
    bool exited = WIFEXITED(status);
    cr_assert(exited, "%s", command);
    return WEXITSTATUS(status);
}

Test(mlp_first, wrong_arguments_are_refused_in_one_line)
{
    const char *wrong[] = {
        "--epochs -1", "--epochs 1.5", "--epochs x", "--epochs ''", "--epochs 10001", "--batch 0", "--batch 60001",
        "--lr nan", "--lr -1", "--lr 1e7", "--lr inf", "--hidden 0", "--hidden ''", "--hidden 1,", "--hidden ,1",
        "--hidden 5000", "--hidden 1,2,3,4,5,6,7,8", "--hidden 12345678", "--hidden nothing", "--activation relus",
        "--activation rel", "--activation ''", "--start cold", "--seed -1", "--seed 2147483648", "--seeds 0",
        "--seeds 101", "--threads 0", "--threads 65", "--threads", "--unknown", "word", "--help=1",
        "--epochs 1 --epochs 2", "--lr 1 --lr 1", "--start zero --epochs 0 --start zero", "--seeds 2 --seed 1",
        "--seeds 2 --weights /dev/null", "--seeds 2 --seeds 2", "--threads 1 --threads 1", "--hidden 1 --hidden 1", "--data a --data b",
        "--weights a --weights b", "--activation relu --activation relu", "--batch 1 --batch 1", "--data", "--weights", "--lr", "--lr ''",
        "--weights ''", "--batch 1e99", "--batch nan", "--seed 99999999999999999999", "--hidden 0x10", "-e", "''", "--data /nowhere", "--data ''"};
    for EACH(i, wrong) {
        char command[200];
        int lines;
        snprintf(command, sizeof command, "mlp_first %s", wrong[i]);
        int status = status_of(command, &lines);
        cr_assert(status == 2 && lines == 1, "%s: status %d, %d lines", command, status, lines);
    }
}

Test(mlp_first, data_that_cannot_be_used_are_refused_in_one_line)
{
    char folder[] = "/tmp/dlfs-09-XXXXXX", command[200];
    int lines, status;
    cr_assert(mkdtemp(folder) != NULL);
    for (int i = 0; i < BAD_FASHION + 4; i++) {
        bool sound = i >= BAD_FASHION;          /* as data: but the images are too small, or the batch is too large, or all is well */
        if (sound)
            write_fashion(folder, 10, 10, i == BAD_FASHION ? 14 : 28, 9);
        else
            write_fashion(folder, bad_fashion[i].training, bad_fashion[i].test, bad_fashion[i].side, bad_fashion[i].label);
        int batch = i == BAD_FASHION + 1 ? 64 : i == BAD_FASHION + 2 ? 11 : 10;
        snprintf(command, sizeof command, "mlp_first --epochs 1 --batch %d --data %s", batch, folder);
        status = status_of(command, &lines);
        cr_assert(i == BAD_FASHION + 3 ? status == 0 && lines == 0 : status == 2 && lines == 1, "%d: status %d, %d lines", i, status, lines);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert(system(command) == 0);
}

Test(mlp_first, help_and_what_the_world_does_wrong)
{
    int lines;
    cr_assert(status_of("mlp_first --help", &lines) == 0 && lines == 0);
    cr_assert(status_of("depth --help", &lines) == 0 && lines == 0);
    cr_assert(status_of("depth x", &lines) == 2 && lines == 1);
    cr_assert(status_of("depth --histograms --histograms", &lines) == 2 && lines == 1);
    cr_assert(status_of("approximate ''", &lines) == 2 && lines == 1);
    cr_assert(status_of("approximate --help", &lines) == 0 && lines == 0);
    cr_assert(status_of("approximate --curves x", &lines) == 2 && lines == 1);
    static const char *const prints[] = {"depth --histograms", "approximate --curves", "mlp_first --epochs 0"};
    for EACH(i, prints) {
        char command[100];
        snprintf(command, sizeof command, BUILD "/%s 2>&1 >/dev/full | wc -l | grep -q '^1$'", prints[i]);
        cr_assert(system(command) == 0, "%s", prints[i]);
    }
    cr_assert(status_of("mlp_first --epochs 0 --weights /nowhere/file", &lines) == 1 && lines == 1);
}
