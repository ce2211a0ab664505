/* Names of tensors. */
#include "common/data/names.h"
#include <stdio.h>

const char *name_vector(char name[TENSOR_NAME + 1], char letter, int modality)
{
    snprintf(name, TENSOR_NAME + 1, "%c_%s", letter, modality_names[modality]);
    return name;
}

const char *name_feature(char name[TENSOR_NAME + 1], int feature)
{
    return name_vector(name, feature < MODALITIES ? 's' : 'd', feature % MODALITIES);
}

const char *name_label(char name[TENSOR_NAME + 1], int label)
{
    bool joint = label == LABEL_JOINT;
    snprintf(name, TENSOR_NAME + 1, "label%s%s", joint ? "" : "_",
             joint ? "" : modality_names[label]);
    return name;
}

int feature_label(int feature)
{
    return feature < MODALITIES ? LABEL_JOINT : feature % MODALITIES;
}
