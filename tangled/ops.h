/* ops.h - all recorded operations. */
#ifndef DLFS_OPS_H
#define DLFS_OPS_H

#include "basic.h"
#include "pointwise.h"
#include "products.h"
#include "rearrange.h"
#include "reduce.h"

#endif
