/* Names of a record's tensors that go by modality (msa-stream(5), D). */
#ifndef MSA_TENSOR_NAMES_H
#define MSA_TENSOR_NAMES_H

#include "common/dataset/dataset.h"
#include "common/stream/record.h"

/* Each writes into `name` and returns it. "h_text", "s_vision", … */
const char *name_vector(char name[TENSOR_NAME + 1], char letter, int modality);
const char *name_label(char name[TENSOR_NAME + 1], int label); /* "label", "label_text", … */
/* The modality that a tensor is of, as its name tells: "audio", "audio_lengths", "h_audio",
 * "text_bert"; -1: of none alone, or a label. */
int name_modality(const char *name);

#endif
