/* What an output may take the place of (output.h), and what files are (content.h). */
#include "common/run/file.h"
#include "common/run/output_rules.h"
#include "tests/unit/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* ---- Kinds of files ---- */

/* Literals end with a zero byte of their own, which does not count. */
#define FILE_OF(text) sizeof text - 1, text
#define TEN(text)     text text text text text text text text text text
static const struct {
    enum content content;
    size_t size;
    const char *bytes;
} samples[] = {
    {CONTENT_NONE, FILE_OF("")},
    {CONTENT_OTHER, FILE_OF("x")},
    {CONTENT_OTHER, FILE_OF("epoch\tstep\tlr\n1\t0\t.1\n")},
    {CONTENT_OTHER, FILE_OF("(see above)\n")},
    {CONTENT_OTHER, FILE_OF("closed.")},
    {CONTENT_OTHER, FILE_OF("T" TEN(TEN("his run ")) ".")}, /* as opcodes of pickle: T, a length */
    {CONTENT_OTHER, FILE_OF("(X" TEN(TEN("see there ")) ".")},
    {CONTENT_OTHER, FILE_OF("V" TEN(TEN("ery long ")) ".")},
    {CONTENT_OTHER, FILE_OF("{\"meta\":{\"a\":1}}")},
    /* whose header's length begins as a pickle does, a stream, and gzip */
    {CONTENT_SAFETENSORS, FILE_OF("\x80\2\0\0\0\0\0\0{")},
    {CONTENT_SAFETENSORS, FILE_OF("\xd8M\0\0\0\0\0\0{")},
    {CONTENT_SAFETENSORS, FILE_OF("\x1f\x8b\0\0\0\0\0\0{")},
    {CONTENT_STREAM, FILE_OF("\xd8M\1H")},
    {CONTENT_STREAM,
     FILE_OF("\x1f\x8b\x08\0\0\0\0\0\0\x03\xbb\xe1\xcb\xe8\x01\0\x1a\xa8\xfa\xdb\x04\0\0\0")},
    {CONTENT_FOREIGN,
     FILE_OF("\x1f\x8b\x08\0\0\0\0\0\0\x03\x2b\x49\x2d\x2e\x01\0\x0c\x7e\x7f\xd8\x04\0\0\0")},
    {CONTENT_FOREIGN, FILE_OF("\x1f\x8b")},
    {CONTENT_PICKLE, FILE_OF("\x80\x04}\x94.")},
    {CONTENT_PICKLE, FILE_OF("\x80\x02}q\0.")},
    {CONTENT_PICKLE, FILE_OF("}q\0.")},
    {CONTENT_PICKLE, FILE_OF("(dp0\nVtrain\np1\nI1\ns.")},
    {CONTENT_PICKLE, FILE_OF("(lp0\n.")},
    {CONTENT_PICKLE, FILE_OF("cnumpy.core.multiarray\n_reconstruct\np0\n.")},
    /* scalars, lists, dicts, tuples, objects, arrays */
    {CONTENT_PICKLE, FILE_OF("I1\n.")},
    {CONTENT_PICKLE, FILE_OF("K\1.")},
    {CONTENT_PICKLE, FILE_OF("L5L\n.")},
    {CONTENT_PICKLE, FILE_OF("F-1e+300\n.")},
    {CONTENT_PICKLE, FILE_OF("G?\xf8\0\0\0\0\0\0.")},
    {CONTENT_PICKLE, FILE_OF("Va text.\np0\n.")},
    {CONTENT_PICKLE, FILE_OF("S'old'\n.")},
    {CONTENT_PICKLE, FILE_OF("X\3\0\0\0abcq\0.")},
    {CONTENT_PICKLE, FILE_OF("N.")},
    {CONTENT_PICKLE, FILE_OF("(lp0\nI1\naI2\na.")},
    {CONTENT_PICKLE, FILE_OF("]q\0(K\1K\2e.")},
    {CONTENT_PICKLE, FILE_OF("(K\1K\2tq\0.")},
    {CONTENT_PICKLE, FILE_OF("(I1\nI2\ntp0\n.")},
    {CONTENT_PICKLE, FILE_OF("}q\0(X\1\0\0\0aK\1X\1\0\0\0bK\2u.")},
    {CONTENT_PICKLE,
     FILE_OF("ccopy_reg\n_reconstructor\np0\n(c__main__\nA1\nc__builtin__\nobject\nNtR.")},
    {CONTENT_PICKLE,
     FILE_OF("cnumpy._core.multiarray\nscalar\np0\n(cnumpy\ndtype\np1\n(Vf8\nI00\nI01\ntRVx\ntR.")},
    {CONTENT_OTHER, FILE_OF("Not.")},
    {CONTENT_OTHER, FILE_OF("In short.\nNo.")},
    {CONTENT_OTHER, FILE_OF("I1\nI2\n.")},
    {CONTENT_OTHER, FILE_OF("Very short.\nAnd no more.")},
    {CONTENT_OTHER, FILE_OF("(e.")},
    {CONTENT_OTHER, FILE_OF("]q.")},
    {CONTENT_OTHER, FILE_OF("cost\nof it.\n.")},
    {CONTENT_OTHER, FILE_OF("x^2 + 1")},
    {CONTENT_OTHER, FILE_OF("LZIP and RAR")},
    {CONTENT_SAFETENSORS, FILE_OF("\x08\0\0\0\0\0\0\0{}      ")},
    {CONTENT_SAFETENSORS, FILE_OF("\0\0\x01\0\0\0\0\0{\"cut off")},
    {CONTENT_ARRAY, FILE_OF("\x93NUMPY\1\0")},
    {CONTENT_FOREIGN, FILE_OF("PK\3\4\x14")},
    {CONTENT_FOREIGN, FILE_OF("PK\5\6\0\0")},
    {CONTENT_FOREIGN, FILE_OF("\xfd"
                              "7zXZ\0\0\4")},
    {CONTENT_FOREIGN, FILE_OF("\x5d\0\0\x80\0\xff\xff")},
    {CONTENT_FOREIGN, FILE_OF("LZIP\1\x0c")},
    {CONTENT_FOREIGN, FILE_OF("Rar!\x1a\7\0")},
    {CONTENT_FOREIGN, FILE_OF("Rar!\x1a\7\1\0")},
    {CONTENT_FOREIGN, FILE_OF("\x1f\x9d\x90")},
    {CONTENT_FOREIGN, FILE_OF("070701000")},
    {CONTENT_FOREIGN, FILE_OF("\xc7\x71\0")},
    {CONTENT_FOREIGN, FILE_OF("!<arch>\n")},
    {CONTENT_FOREIGN, FILE_OF("\x78\x9c\x4b\x4c\x4a\x4e\x01\x00\x03\xd8\x01\x8b")},
    {CONTENT_FOREIGN, FILE_OF("\x78\x5e\x4b\x4c\x4a\x4e\x01\x00\x03\xd8\x01\x8b")},
    {CONTENT_FOREIGN, FILE_OF("\x28\xb5\x2f\xfd\4")},
    {CONTENT_FOREIGN, FILE_OF("BZh91AY&SY")},
    {CONTENT_FOREIGN, FILE_OF("\4\x22\x4d\x18\x64")},
    {CONTENT_FOREIGN, FILE_OF("7z\xbc\xaf\x27\x1c\0\4")},
    {CONTENT_FOREIGN, FILE_OF("\x89HDF\r\n\x1a\n\0")},
};

static void look(struct msa *m)
{
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        put("x", samples[i].bytes, samples[i].size);
        int fd = open("x", O_RDONLY);
        int *held = file_hold(m, fd);
        if (content_of(m, fd, "x").content != samples[i].content)
            msa_fail(m, MSA_FAILED, "sample %zu is %s", i, content_of(m, fd, "x").text);
        msa_free(m, held);
    }
}

/* Of old ones, without "ustar", too. */
static void look_at_tar(struct msa *m)
{
    char block[1024] = "data.pkl";
    unsigned sum = 8 * ' ';
    strcpy(block + 100, "0000644");
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
    put("x", block, sizeof block);
    int fd = open("x", O_RDONLY);
    file_hold(m, fd);
    assert_int_equal(content_of(m, fd, "x").content, CONTENT_FOREIGN);
    block[7]++;
    put("x", block, sizeof block);
    assert_int_equal(content_of(m, fd, "x").content, CONTENT_OTHER);
}

static struct msa run(void (*body)(struct msa *))
{
    struct msa m = {.program = "msa-test"};
    msa_run(&m, body);
    return m;
}

static void files_are_known_by_their_first_bytes(void **state)
{
    (void)state;
    assert_string_equal(run(look).error, "");
    assert_string_equal(run(look_at_tar).error, "");
}

/* ---- Rules ---- */

static struct settings {
    const char *in, *folder, *log, *copy, *params;
    struct option_list init;
} given;

static const struct written a_log = {.what = "a log",
                                     .content = CONTENT_OTHER,
                                     .head = "epoch\tstep"},
                            parameters = {.what = "parameters",
                                          .content = CONTENT_SAFETENSORS,
                                          .parameters = true};

/* What is read in a folder. */
static void files_in(struct msa *m, const char *path, void (*see)(struct msa *m, const char *path))
{
    see(m, msa_format(m, "%s/config", path));
    see(m, msa_format(m, "%s/model", path));
}

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {0, "in", "FILE", OPTION_READS, FIELD(in), .help = "read"},
    {0, "folder", "DIR", OPTION_READS, FIELD(folder), .help = "read", .files = files_in},
    {0, "init", "FILE", OPTION_READS_LIST, FIELD(init), .help = "read"},
    {0, "log", "FILE", OPTION_WRITES, FIELD(log), .help = "written", .written = &a_log},
    {0, "copy", "FILE", OPTION_WRITES, FIELD(copy), .help = "written"},
    {0, "params", "FILE", OPTION_PARAMETERS, FIELD(params), .help = "either"},
    {0}};
#undef FIELD

static const struct program program = {.name = "msa-test", .operands = "FILE", .options = options};

static const char *output, *operand;
static bool trains;

static void check(struct msa *m)
{
    m->of = &program;
    m->settings = &given;
    m->common.output = output;
    m->operands = (char *[]){(char *)operand, NULL};
    m->operand_count = operand != NULL;
    outputs_check(m);
    if (trains) {
        output_check(m, given.params, &parameters);
        output_check_checkpoints(m, given.params);
    }
}

static void passes(void)
{
    struct msa m = run(check);
    assert_string_equal(m.error, "");
}

static void refuses(const char *line)
{
    struct msa m = run(check);
    assert_string_equal(m.error, line);
    assert_int_equal(m.status, MSA_USAGE);
}

static void forget(void)
{
    given = (struct settings){0};
    output = NULL;
    trains = false;
    operand = "operand";
}

static const char stream[] = "\xd8M\1H", pickle[] = "\x80\4}.", head[] = "epoch\tstep\n";

static void inputs_are_not_written(void **state)
{
    (void)state;
    const char *linked = "cannot write 'link': it is what is being read";
    put("operand", "", 0);
    assert_int_equal(symlink("operand", "link"), 0);
    forget();
    output = "link";
    refuses(linked);
    operand = "other";
    passes();
    given.in = "./operand";
    refuses(linked);
    given.in = NULL;
    given.init = (struct option_list){2, (const char *[]){"nothing", "operand"}};
    refuses(linked);
    forget();
    given.log = "link";
    refuses(linked);
    forget();
    given.log = "/dev/null";
    given.in = "/dev/null";
    passes();
    assert_int_equal(mkdir("folder", 0777), 0);
    put("folder/model", "", 0);
    put("folder/more", "", 0);
    given.folder = "folder";
    output = "folder/model";
    refuses("cannot write 'folder/model': it is what is being read");
    output = "folder/more";
    passes();
    unlink("folder/model");
    unlink("folder/more");
}

static void outputs_are_apart(void **state)
{
    (void)state;
    forget();
    output = "x";
    given.log = "./x"; /* not there yet */
    refuses("cannot write 'x': another output goes there too");
    put("x", "", 0);
    assert_int_equal(link("x", "y"), 0);
    given.log = "y";
    refuses("cannot write 'x': another output goes there too");
    given.log = "z";
    passes();
    given.params = "x";
    refuses("cannot write 'x': it is the file of the parameters");
}

static void a_file_of_the_user_stays(void **state)
{
    (void)state;
    forget();
    output = "x";
    put("x", "notes", 5);
    passes();
    put("x", stream, 4);
    passes();
    put("x", pickle, 4);
    refuses("cannot write 'x': a stream may not replace a pickle");
    assert_int_equal(symlink("x", "link"), 0);
    output = "link";
    refuses("cannot write 'link': a stream may not replace a pickle");
    output = NULL;
    given.log = "x";
    refuses("cannot write 'x': a log may not replace a pickle");
    put("x", stream, 4);
    refuses("cannot write 'x': a log may not replace a stream");
    put("x", "notes\n", 6);
    refuses("cannot write 'x': a log may not replace a file of another kind");
    put("x", head, sizeof head - 1);
    passes();
    put("x", head, 3); /* of a run that was killed */
    passes();
    put("x", "", 0);
    passes();
}

static void checkpoints_come_and_go(void **state)
{
    (void)state;
    forget();
    trains = true;
    given.params = "x";
    passes();
    given.log = "x.12";
    refuses("cannot write 'x.12': it has the name of parameters, 'x', or of a checkpoint of them");
    given.log = "x.log";
    passes();
    given.log = "y";
    given.in = "x.3";
    refuses("cannot write 'x': 'x.3', which is being read, has the name of a checkpoint of it");
    given.in = "x";
    put("x", "", 0);
    refuses("cannot write 'x': it is what is being read");
    given.in = NULL;
    passes();
    put("x", "notes", 5);
    passes();
    put("x", stream, 4);
    refuses("cannot write 'x': parameters may not replace a stream");
    trains = false; /* they are read */
    passes();
    output = "x";
    refuses("cannot write 'x': it is the file of the parameters");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)
    const struct CMUnitTest tests[] = {
        TEST(files_are_known_by_their_first_bytes),
        TEST(inputs_are_not_written),
        TEST(outputs_are_apart),
        TEST(a_file_of_the_user_stays),
        TEST(checkpoints_come_and_go),
    };
    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
