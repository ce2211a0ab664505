/* Names of tensors. */
#include "common/dataset/tensor_names.h"
#include <stdio.h>
#include <string.h>

const char *name_vector(char name[TENSOR_NAME + 1], char letter, int modality)
{
    snprintf(name, TENSOR_NAME + 1, "%c_%s", letter, modality_names[modality]);
    return name;
}

const char *name_label(char name[TENSOR_NAME + 1], int label)
{
    bool joint = label == LABEL_JOINT;
    snprintf(name, TENSOR_NAME + 1, "label%s%s", joint ? "" : "_",
             joint ? "" : modality_names[label]);
    return name;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && name[length - tail - 1] == '_' &&
           strcmp(name + length - tail, end) == 0;
}

int name_modality(const char *name)
{
    if (strncmp(name, "label_", strlen("label_")) == 0)
        return -1;
    for (int i = 0; i < MODALITIES; i++)
        if (strcmp(name, modality_names[i]) == 0 || strcmp(name, length_names[i]) == 0 ||
            ends_with(name, modality_names[i]))
            return i;
    return strcmp(name, "text_bert") == 0 ? TEXT : -1;
}
