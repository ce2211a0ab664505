/* Data sets that are gzipped, in a file without a name while they are read. */
#ifndef MSA_INFLATED_H
#define MSA_INFLATED_H

#include "common/run/mapping.h"

/* Does it begin as gzip, as far as there is any of it? */
bool is_gzip(struct mapping map);
/* All of a gzipped file, whose bytes these are, inflated into a temporary file (temp_file.h). Fails
 * the run: "PATH: gzip: REASON" with MSA_CORRUPT, or MSA_CUT where it ends early. */
struct mapping inflate_map(struct msa *m, struct mapping map, const char *path);

#endif
