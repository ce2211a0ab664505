/* How the formulas are declared that every device computes alike, an element or a row at a time
 * (philox.h, losses.h). A device whose compiler wants functions marked defines SCALAR first. */
#ifndef MSA_SCALAR_H
#define MSA_SCALAR_H

#ifndef SCALAR
#    define SCALAR static inline
#endif

#endif
