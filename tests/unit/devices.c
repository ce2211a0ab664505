/* Devices: which there are, and that the test device's memory cannot be touched. */
#include "tests/unit/devices.h"
#include "common/run/option.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void refuses(const char *name, long threads, const char *error)
{
    struct use use = {name, threads, NULL};
    struct msa m = {.program = "devices", .settings = &use};
    assert_int_equal(msa_run(&m, use_device), MSA_DEVICE);
    if (!strstr(m.error, error))
        fail_msg("device '%s': '%s' does not say '%s'", name, m.error, error);
}

/* --- which there are */

static void check_cpu(struct device *d)
{
    assert_memory_equal(d->name, "cpu:", 4);
    assert_string_equal(d->name + 4, level_best());
    assert_int_equal(d->threads, 2);
}

static void opens_what_is_there(void **state)
{
    (void)state;
    with_device("cpu", check_cpu);
    with_device("auto", NULL);
    refuses("cpu:v9", 1, "does not run kernels of level 'v9'");
    refuses("gpu", 1, "device 'gpu' cannot be used: there is no msa-gpu.so beside this program");
    refuses("cpu", -1, "threads");
}

/* --- memory */

static void check_memory(struct device *d)
{
    char text[] = "what goes in comes out", back[sizeof text];
    assert_null(d->allocate(d, SIZE_MAX));
    assert_null(d->allocate(d, SIZE_MAX - 5000));
    for (size_t bytes = 0; bytes < 10000000; bytes = bytes * 3 + 1) {
        char *x = d->allocate(d, bytes);
        assert_non_null(x);
        assert_int_equal((uintptr_t)x % 64, 0);
        size_t n = bytes < sizeof text ? bytes : sizeof text;
        d->copy_in(d, x + bytes - n, text, n);
        take(d, back, x + bytes - n, n);
        assert_memory_equal(text, back, n);
        d->release(d, x);
    }
    d->release(d, NULL);
}

static void memory_is_aligned_and_bounded(void **state)
{
    (void)state;
    with_devices(check_memory);
}

/* The same memory, filled anew after each copy of it, and copied in between. */
static void copy_in_turn(struct device *d, size_t copies, size_t n)
{
    float *x = d->allocate(d, n * sizeof *x), *all = malloc(copies * n * sizeof *all);
    for (size_t i = 0; i < copies; i++) {
        float number = (float)i + .5f;
        d->k.fill(d, x, (float)i, n);
        d->copy_in(d, x + n / 2, &number, sizeof number);
        d->copy_out(d, all + i * n, x, n * sizeof *x);
    }
    d->wait(d);
    for (size_t i = 0; i < copies * n; i++) {
        float expected = (float)(i / n) + (i % n == n / 2 ? .5f : 0);
        if (all[i] != expected)
            fail_msg("copy %zu of %zu, number %zu of %zu: %g but expected %g", i / n, copies, i % n,
                     n, (double)all[i], (double)expected);
    }
    free(all);
    d->release(d, x);
}

/* Few and many, and more than what a GPU's staging memory has room for. */
static void check_copies(struct device *d)
{
    d->wait(d);
    copy_in_turn(d, 1, 1);
    copy_in_turn(d, 100, 9);
    copy_in_turn(d, 30, 300000);
    copy_in_turn(d, 2, 3000000);
}

/* Numbers go from lane 0 through each of the others and back, in memory that is used again. */
static void check_lanes(struct device *d)
{
    enum { N = 100000, ROUNDS = 20 };
    float *x = d->allocate(d, N * sizeof *x), *y = d->allocate(d, LANES * N * sizeof *y),
          *all = malloc(ROUNDS * LANES * N * sizeof *all);
    for (size_t round = 0; d->lane && round < ROUNDS; round++) {
        d->k.fill(d, x, (float)round, N);
        for (unsigned lane = LANES - 1; lane > 0; lane--) {
            d->lane(d, lane);
            d->k.columns_forward(d, y, x, N, LANES, lane, 1, false);
        }
        d->lane(d, 0);
        d->k.columns_forward(d, y, x, N, LANES, 0, 1, false);
        d->copy_out(d, all + round * LANES * N, y, LANES * N * sizeof *y);
    }
    d->wait(d);
    for (size_t i = 0; d->lane && i < ROUNDS * LANES * N; i++)
        assert_true(all[i] == (float)(i / (LANES * N)));
    free(all);
    d->release(d, x);
    d->release(d, y);
}

static void lanes_begin_and_end_in_the_first(void **state)
{
    (void)state;
    with_devices(check_lanes);
}

static void copies_are_there_after_the_wait(void **state)
{
    (void)state;
    with_devices(check_copies);
}

/* The signal that ends a child which runs body(d, x), 0 when none does. */
static int signal_of(void (*body)(struct device *d, float *x), struct device *d, float *x)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGSEGV, SIG_DFL);
        body(d, x);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void read_it(struct device *d, float *x)
{
    (void)d;
    *(volatile float *)x;
}

static void write_it(struct device *d, float *x)
{
    (void)d;
    *(volatile float *)x = 1;
}

static void fill_it(struct device *d, float *x)
{
    d->k.fill(d, x, 1, 16);
}

static void fill_too_much(struct device *d, float *x)
{
    d->k.fill(d, x, 1, 17);
}

static void read_after_kernel(struct device *d, float *x)
{
    fill_it(d, x);
    read_it(d, x);
}

static void check_locked(struct device *d)
{
    float *x = d->allocate(d, 16 * sizeof *x), y[16];
    assert_int_equal(signal_of(read_it, d, x), SIGSEGV);
    assert_int_equal(signal_of(write_it, d, x), SIGSEGV);
    assert_int_equal(signal_of(fill_it, d, x), 0);
    assert_int_equal(signal_of(fill_too_much, d, x), SIGSEGV);
    assert_int_equal(signal_of(read_after_kernel, d, x), SIGSEGV);
    take(d, y, x, sizeof y);
    assert_true(isnan(y[0]) && isnan(y[15]));
    assert_int_equal(signal_of(read_it, d, x), SIGSEGV);
    d->release(d, x);
}

static void check_open(struct device *d)
{
    float *x = place(d, (float[16]){0}, 16);
    assert_int_equal(signal_of(read_it, d, x), 0);
    d->release(d, x);
}

static void test_device_locks_its_memory(void **state)
{
    (void)state;
    with_device("test", check_locked);
    with_device("cpu", check_open);
}

/* --- kernels that cannot do their work */

/* Attention of a sequence to itself, of one head. */
static struct attention one_head(size_t batch, size_t length, size_t size)
{
    struct sequences rows = {batch, length, NULL, NULL};
    return (struct attention){1, size, rows, rows, size, size, size, .masked = false};
}

/* What a thread works in has for each key the scores of 96 queries, bias, dropout, and keys and
 * values in panels of 1 and of two vectors. */
static size_t numbers_for_a_key(const char *device)
{
    const char *level = strncmp(device, "cpu:", 4) == 0 ? device + 4 : level_best();
    return 96 + 3 + (strcmp(level, "v4") == 0 ? 32u : strcmp(level, "v3") == 0 ? 16u : 8u);
}

/* Positions for which that takes almost SIZE_MAX bytes. */
static void too_long(struct msa *m)
{
    const size_t length = SIZE_MAX / (numbers_for_a_key(m->settings) * sizeof(float)) - 64;
    struct device *d = device_open(m, m->settings, 1);
    assert_null(d->failed);
    struct attention shape = one_head(1, length, 1);
    d->k.attention_forward(d, NULL, NULL, NULL, NULL, NULL, &shape, NULL);
    assert_non_null(d->failed);
    device_wait(m, d);
}

static void a_kernel_without_memory_fails_the_run(void **state)
{
    (void)state;
    char *const all[] = {"cpu:base", "test"};
    for (int i = 0; i < 2; i++) {
        struct msa m = {.program = "devices", .settings = all[i]};
        char error[64];
        snprintf(error, sizeof error, "device %s: not enough memory for a kernel", all[i]);
        assert_int_equal(msa_run(&m, too_long), MSA_DEVICE);
        assert_string_equal(m.error, error);
    }
}

/* What a run that must fail on the emulated GPU says of it. */
static void check_failure(void (*body)(struct msa *m), const char *expected)
{
    struct msa m = {.program = "devices"};
    assert_int_equal(msa_run(&m, body), MSA_DEVICE);
    if (!strstr(m.error, expected))
        fail_msg("'%s' does not say '%s'", m.error, expected);
}

static void too_much(struct msa *m)
{
    device_allocate(m, device_open(m, "emulated", 0), (size_t)1 << 40);
}

static void too_much_for_a_kernel(struct msa *m)
{
    struct device *d = device_open(m, "emulated", 0);
    float number;
    struct attention shape = one_head(1 << 20, 1 << 20, 64);
    d->k.attention_backward(d, &number, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, &shape,
                            NULL, false, false, false);
    device_wait(m, d);
}

static void too_wide(struct msa *m)
{
    struct device *d = device_open(m, "emulated", 0);
    struct attention shape = one_head(1, 1, 129);
    d->k.attention_forward(d, NULL, NULL, NULL, NULL, NULL, &shape, NULL);
    device_wait(m, d);
}

static void too_long_for_a_product(struct msa *m)
{
    struct device *d = device_open(m, "emulated", 0);
    d->k.linear_forward(d, NULL, NULL, NULL, NULL, (size_t)1 << 31, 1, 1);
    device_wait(m, d);
}

static void a_copy_in_a_lane(struct msa *m)
{
    struct device *d = device_open(m, "emulated", 0);
    float number = 1;
    d->lane(d, 2);
    d->copy_in(d, NULL, &number, sizeof number);
    device_wait(m, d);
}

static void a_gpu_says_why_it_fails(void **state)
{
    (void)state;
    check_failure(too_much, "device emulated:0: no memory for 1099511627776 bytes, 4294967296 are "
                            "free");
    check_failure(too_much_for_a_kernel, "device emulated:0: not enough memory for a kernel: "
                                         "4398046511104 bytes, 4294967296 are free");
    check_failure(too_wide, "attention heads of 129 values, but expected at most 128");
    check_failure(too_long_for_a_product, "cuBLAS has no product of [2147483648,1] and [1,1]");
    check_failure(a_copy_in_a_lane, "device emulated:0: a copy in lane 2");
}

/* 1 + 2^-10 and 1 + 2^-9, which have 11 and 10 bits, 1 + 2^-12, and 1 + 2^-7. */
static void exactness(struct msa *m)
{
    static const float x[] = {1.0009765625f, 1.001953125f, 1.000244140625f, 1.0078125f};
    static const float expected[3][4] = {{1.0009765625f, 1.001953125f, 1.000244140625f, 1.0078125f},
                                         {1.0009765625f, 1.001953125f, 1, 1.0078125f},
                                         {1, 1, 1, 1.0078125f}};
    static const char *const names[] = {"emulated:0", "emulated:0:tf32", "emulated:0:bf16"};
    for (int i = 0; i < 3; i++) {
        m->common.device = "emulated";
        m->common.precision = i;
        struct device *d = device_of_run(m);
        float *on_x = place(d, x, 4), *one = place(d, (float[]){1}, 1), y[4];
        float *on_y = d->allocate(d, sizeof y);
        d->k.linear_forward(d, on_y, on_x, one, NULL, 4, 1, 1);
        fetch(d, y, on_y, 4);
        assert_memory_equal(y, expected[i], sizeof y);
        assert_string_equal(d->name, names[i]);
        d->release(d, on_x);
        d->release(d, one);
    }
}

static void inexact_cpu(struct msa *m)
{
    m->common.device = "cpu";
    m->common.precision = PRECISION_TF32;
    device_of_run(m);
}

static void inexact_loss(struct msa *m)
{
    m->of = &(const struct program){.on_cpu = true};
    m->common.device = "auto";
    m->common.precision = PRECISION_BF16;
    assert_memory_equal(device_of_run(m)->name, "cpu:", 4);
}

static void auto_leaves_a_small_stage_on_the_cpu(void **state)
{
    (void)state;
    struct msa m = {.program = "devices"};
    if (msa_run(&m, inexact_loss) != MSA_OK)
        fail_msg("%s", m.error);
}

static void products_are_as_exact_as_is_wanted(void **state)
{
    (void)state;
    struct msa m = {.program = "devices"};
    if (msa_run(&m, exactness) != MSA_OK)
        fail_msg("%s", m.error);
    check_failure(inexact_cpu, ": --precision can be f32 or bf16");
}

/* More than the memory that copies go through holds, several times over. */
static void check_large_copies(struct device *d)
{
    enum { LARGE = 3000000, COPIES = 5 };
    static float x[LARGE], back[LARGE];
    float *on_d[COPIES];
    for (int i = 0; i < COPIES; i++) {
        for (size_t j = 0; j < LARGE; j++)
            x[j] = (float)(j + (size_t)i);
        on_d[i] = place(d, x, LARGE);
    }
    for (int i = 0; i < COPIES; i++) {
        fetch(d, back, on_d[i], LARGE);
        for (size_t j = 0; j < LARGE; j++)
            assert_true(back[j] == (float)(j + (size_t)i));
    }
}

static void large_copies_arrive(void **state)
{
    (void)state;
    with_devices(check_large_copies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_is_there),
        cmocka_unit_test(memory_is_aligned_and_bounded),
        cmocka_unit_test(copies_are_there_after_the_wait),
        cmocka_unit_test(lanes_begin_and_end_in_the_first),
        cmocka_unit_test(test_device_locks_its_memory),
        cmocka_unit_test(a_kernel_without_memory_fails_the_run),
        cmocka_unit_test(a_gpu_says_why_it_fails),
        cmocka_unit_test(products_are_as_exact_as_is_wanted),
        cmocka_unit_test(auto_leaves_a_small_stage_on_the_cpu),
        cmocka_unit_test(large_copies_arrive),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
