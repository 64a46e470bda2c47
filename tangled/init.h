/* init.h - random initial values of parameters, as torch.nn.init makes
   them. */
#ifndef DLFS_INIT_H
#define DLFS_INIT_H

#include "random.h"
#include "tensor.h"

#pragma GCC visibility push(default)

/* Fill w with uniform draws from [low, high], or with draws from
   N(mean, std^2): x.uniform_(low, high) and x.normal_(mean, std). These
   and all functions below change w in place, and nothing is recorded. */
void dl_init_uniform(dl_tensor *w, struct dl_random *r,
                     double low, double high);
void dl_init_normal(dl_tensor *w, struct dl_random *r,
                    double mean, double std);

/* DL_FAN_IN: how many inputs a neuron of the layer has; DL_FAN_OUT: how
   many neurons read an input. For weights [out, in] or, with a kernel of a
   convolution behind them, [out, in, ...]. The rank is at least 2. */
enum dl_fan { DL_FAN_IN, DL_FAN_OUT };
double dl_fan(struct dl_shape weights, enum dl_fan fan);

/* sqrt(2 / (1 + slope^2)): how much larger weights must be, if behind them
   stands an activation that is x above 0 and slope x below. relu has slope
   0, no activation slope 1. */
double dl_gain(double slope);

/* Glorot and Bengio: the variance is gain^2 2 / (fan in + fan out). */
void dl_init_xavier_uniform(dl_tensor *w, struct dl_random *r, double gain);
void dl_init_xavier_normal(dl_tensor *w, struct dl_random *r, double gain);

/* He and others: the variance is dl_gain(slope)^2 / fan. Weights without
   elements draw nothing. */
void dl_init_kaiming_uniform(dl_tensor *w, struct dl_random *r,
                             double slope, enum dl_fan fan);
void dl_init_kaiming_normal(dl_tensor *w, struct dl_random *r,
                            double slope, enum dl_fan fan);

/* Saxe and others: w, seen as a matrix of as many rows as its leading axis
   is long, has orthogonal columns of length |gain|, or if it is wider than
   high, such rows. */
void dl_init_orthogonal(dl_tensor *w, struct dl_random *r, double gain);

#pragma GCC visibility pop

#endif
