/* Scalars forward and backward: an expression with the library, and by hand-written derivatives in plain C; PyTorch's
   scalar tensors are in 02_value.py. The unit is an operation of the graph (a constant counts as one). */
#include "value.h"

#include "speed.h"
#include <math.h>

/* Numbers without rhyme or reason, the same in Python. */
static double number(int k) { return 0.5 * sin(1 + k); }

/* ---- A network of 2, 16, 16 and 1 neurons, tanh or relu ---------------------------------------------------------- */

enum { IN = 2, H = 16, PARAMETERS = H * (IN + 1) + H * (H + 1) + H + 1 };

static const double point[IN] = {0.8, -0.3};

static dl_value *weights[PARAMETERS];

static dl_value *neuron(dl_value **w, int n, dl_value *const x[])      /* w[0] is the bias */
{
    dl_value *sum = w[0];
    for (int i = 0; i < n; i++)
        sum = dl_value_add(sum, dl_value_mul(w[1 + i], x[i]));
    return sum;
}

static struct result network(dl_value *(*activation)(dl_value *))
{
    size_t mark = dl_value_count();
    dl_value **w = weights, *x[IN], *h1[H], *h2[H];
    for (int i = 0; i < IN; i++)
        x[i] = dl_value_constant(point[i]);
    for (int j = 0; j < H; j++, w += 1 + IN)
        h1[j] = activation(neuron(w, IN, x));
    for (int j = 0; j < H; j++, w += 1 + H)
        h2[j] = activation(neuron(w, H, h1));
    dl_value *y = neuron(w, H, h2);
    dl_value_zero_grad(PARAMETERS, weights);
    dl_value_backward(y);
    struct result r = {y->data, weights[1]->grad + weights[60]->grad};
    dl_value_release(mark);
    return r;
}

static struct result network_tanh(void) { return network(dl_value_tanh); }
static struct result network_relu(void) { return network(dl_value_relu); }

static double w[PARAMETERS], g[PARAMETERS];

static void layer(const double *w, int n, const double *x, double *h, int relu)
{
    for (int j = 0; j < H; j++, w += 1 + n) {
        double s = w[0];
        for (int i = 0; i < n; i++)
            s += w[1 + i] * x[i];
        h[j] = relu ? (s > 0 ? s : 0) : tanh(s);
    }
}

static void layer_backward(const double *w, double *g, int n, const double *x, double *dx, const double *h, const double *dh, int relu)
{
    for (int j = 0; j < H; j++, w += 1 + n, g += 1 + n) {
        double ds = dh[j] * (relu ? h[j] > 0 : 1 - h[j] * h[j]);
        g[0] += ds;
        for (int i = 0; i < n; i++) {
            g[1 + i] += ds * x[i];
            if (dx)
                dx[i] += ds * w[1 + i];
        }
    }
}

static struct result by_hand(int relu)
{
    enum { SECOND = H * (IN + 1), LAST = SECOND + H * (H + 1) };
    double h1[H], h2[H], dh1[H] = {0}, dh2[H] = {0}, y = w[LAST];
    layer(w, IN, point, h1, relu);
    layer(w + SECOND, H, h1, h2, relu);
    for (int i = 0; i < H; i++)
        y += w[LAST + 1 + i] * h2[i];
    memset(g, 0, sizeof g);
    g[LAST] = 1;
    for (int i = 0; i < H; i++) {
        g[LAST + 1 + i] = h2[i];
        dh2[i] = w[LAST + 1 + i];
    }
    layer_backward(w + SECOND, g + SECOND, H, h1, dh1, h2, dh2, relu);
    layer_backward(w, g, IN, point, NULL, h1, dh1, relu);
    return (struct result){y, g[1] + g[60]};
}

static struct result by_hand_tanh(void) { return by_hand(0); }
static struct result by_hand_relu(void) { return by_hand(1); }

/* ---- Horner's rule, a chain of 1,000 operations ------------------------------------------------------------------ */

enum { DEGREE = 500 };

static dl_value *x_leaf, *coefficients[DEGREE + 1];

static struct result polynomial(void)
{
    size_t mark = dl_value_count();
    dl_value *y = coefficients[DEGREE];
    for (int k = DEGREE - 1; k >= 0; k--)
        y = dl_value_add(dl_value_mul(y, x_leaf), coefficients[k]);
    dl_value_zero_grad(1, &x_leaf);
    dl_value_zero_grad(DEGREE + 1, coefficients);
    dl_value_backward(y);
    struct result r = {y->data, x_leaf->grad + coefficients[7]->grad};
    dl_value_release(mark);
    return r;
}

static double c[DEGREE + 1], dc[DEGREE + 1], partial[DEGREE + 1];

static struct result polynomial_by_hand(void)
{
    double x = 0.999, y = c[DEGREE], dx = 0, dy = 1;
    for (int k = DEGREE - 1; k >= 0; k--) {
        partial[k] = y;
        y = y * x + c[k];
    }
    for (int k = 0; k < DEGREE; k++) {
        dc[k] = dy;
        dx += dy * partial[k];
        dy *= x;
    }
    dc[DEGREE] = dy;
    return (struct result){y, dx + dc[7]};
}

static const struct workload {
    const char *name;
    int units;
    struct result (*ours)(void), (*plain)(void);
} workloads[] = {
    {"value-mlp-tanh", 642, network_tanh, by_hand_tanh},
    {"value-mlp-relu", 642, network_relu, by_hand_relu},
    {"value-polynomial", 2 * DEGREE, polynomial, polynomial_by_hand},
};

int main(int argc, char **argv)
{
    for (int k = 0; k < PARAMETERS; k++)
        weights[k] = dl_value_new(w[k] = number(k));
    for (int k = 0; k <= DEGREE; k++)
        coefficients[k] = dl_value_new(c[k] = number(k));
    x_leaf = dl_value_new(0.999);
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        const struct workload *l = &workloads[i];
        if (argc == 2 && strcmp(argv[1], "list") == 0)
            printf("%s\t%d\tns/node\tours<=25\tplain-C\n", l->name, l->units);
        if (argc == 3 && strcmp(argv[1], l->name) == 0) {
            struct result last;
            double ns = median_nanoseconds(strcmp(argv[2], "ours") == 0 ? l->ours : l->plain, &last);
            printf("%.6g %.17g %.17g\n", ns / l->units, last.value, last.check);
        }
    }
    dl_value_release(0);
    return 0;
}
