/* The networks of msa-decompose; a new one is a file; its name is here and in filters/decompose.c.
 */
#ifndef MSA_DECOMPOSE_H
#define MSA_DECOMPOSE_H

#include "common/stage/trainable.h"

extern const struct model decompose_projectors, decompose_shared;

#endif
