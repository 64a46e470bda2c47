/* optim.h - rules that change parameters by their gradients. */
#ifndef DLFS_OPTIM_H
#define DLFS_OPTIM_H

#include <stdbool.h>
#include <stdint.h>
#include "tensor.h"

#pragma GCC visibility push(default)

/* What the user chooses. Every rule reads those fields that it has a use
   for; their values must be in range even so. */
struct dl_hyper {
    double lr;                      /* the rate, at least 0 */
    double momentum, dampening;     /* sgd; rmsprop, muon: momentum alone */
    double beta1, beta2;            /* adam, adamw, lamb; in [0, 1) */
    double alpha;                   /* rmsprop: memory of the squares */
    double rho;                     /* adadelta: memory of the squares */
    double eps;                     /* keeps a division from 1/0 */
    double weight_decay;
    double lr_decay, initial;       /* adagrad: of the rate; first sum */
    bool nesterov;                  /* sgd, muon */
    bool centered;                  /* rmsprop */
    bool amsgrad;                   /* adam, adamw */
};

/* One step of one parameter. */
enum { DL_MAX_STATES = 3 };
struct dl_change {
    const struct dl_hyper *h;
    int64_t t;                      /* this parameter's step: 1, 2, ... */
    struct dl_shape shape;
    size_t n;                       /* elements of: */
    dl_real *p;                     /* the parameter, to be changed */
    const dl_real *g;               /* its gradient */
    dl_real *state[DL_MAX_STATES];  /* NULL: not in use */
};

/* A rule. A user's own is a record like this, too. */
struct dl_update {
    const char *name;
    struct dl_hyper usual;          /* the defaults, PyTorch's */
    const char *state[DL_MAX_STATES];           /* names, or NULL */
    bool (*uses)(const struct dl_hyper *h, int k);  /* state k? NULL: all */
    void (*apply)(const struct dl_change *x);
};

/* As in torch.optim: sgd (momentum, dampening, nesterov), adagrad, adadelta,
   rmsprop (momentum, centered), adam and adamw (amsgrad). For lamb see You
   et al., 2020; for muon, which takes parameters of rank 2 alone, Jordan,
   2024. */
extern const struct dl_update dl_sgd, dl_adagrad, dl_adadelta, dl_rmsprop,
                              dl_adam, dl_adamw, dl_lamb, dl_muon;

/* Parameters, the rule for them, and what the rule remembers. */
enum { DL_MAX_GROUPS = 8 };
struct dl_optimizer {
    struct dl_params *params;
    const struct dl_update *update; /* of the first group */
    struct dl_params state;         /* "step.NAME", "exp_avg.NAME", ... */
    int64_t steps;                  /* taken so far */
    int groups;
    struct dl_group {
        const struct dl_update *update;
        struct dl_hyper hyper;      /* lr may be changed at any time */
        double base_lr;             /* the rate that was asked for */
    } group[DL_MAX_GROUPS];
    struct dl_slot *slot;           /* private: one per parameter */
    int slots;
};

/* The rule's defaults, to be changed as wanted. */
struct dl_hyper dl_hyper_default(const struct dl_update *update);

/* Begin: all parameters form one group, and all state is h.initial, which
   is 0 unless somebody wants it otherwise for adagrad. The parameters must
   outlive the optimiser, and no more may be added. */
void dl_optimizer_init(struct dl_optimizer *o, const struct dl_update *update,
                       struct dl_params *params, struct dl_hyper h);

/* Change every parameter that has a gradient. Those without are skipped,
   and their steps are not counted. */
void dl_optimizer_step(struct dl_optimizer *o);

/* Free the state. The parameters stay. */
void dl_optimizer_free(struct dl_optimizer *o);

/* From the first step on treat the parameters number first to
   first + n - 1 by another rule or with other numbers. Returns the number
   of the new group. */
int dl_optimizer_group(struct dl_optimizer *o, int first, int n,
                       const struct dl_update *update, struct dl_hyper h);

/* Set the rate of every group to factor times the one it began with. */
void dl_optimizer_scale(struct dl_optimizer *o, double factor);

/* The length of the vector of all gradients. If it is more than max, they
   are scaled such that it becomes max. It is NaN or infinite if a gradient
   is; then they are left unscaled. */
double dl_clip_grad_norm(struct dl_params *p, double max);

/* Replace what is outside of [-limit, limit] by the nearer end. */
void dl_clip_grad_value(struct dl_params *p, double limit);

#pragma GCC visibility pop

#endif
