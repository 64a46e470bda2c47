/* dlfs.h - Deep Learning from Scratch, in C: the headers of all modules. */
#include "base.h"
#include "sum.h"
#include "random.h"
#include "value.h"
