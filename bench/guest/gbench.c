/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gbench - a small self-timed workload for judging emulators and hypervisors.
 *
 * One portable C11/POSIX program, no dependencies beyond libc and pthreads,
 * meant to be linked statically and run natively and inside guests.
 * Every subtest prints one line per figure:
 *
 *     name value unit checksum
 *
 * A unit ending in "/s" or "x" is better when higher; "ns" and "us" are better
 * when lower.  The checksum depends only on the work done, so it must be equal
 * on every machine for the same scale ("-" where the work yields none).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gbench.h"

static double scale = 1.0;              /* -s: multiplies every iteration count */
const char *file_dir;
const char *block_path;
bool block_write_allowed;

/* ---- helpers ------------------------------------------------------------- */

double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

uint64_t scaled(uint64_t count)
{
    uint64_t n = (uint64_t)((double)count * scale);

    return n ? n : 1;
}

void report(const char *name, double value, const char *unit, uint64_t sum)
{
    if (sum)
        printf("%-18s %12.3f %-8s %016llx\n", name, value, unit, (unsigned long long)sum);
    else
        printf("%-18s %12.3f %-8s -\n", name, value, unit);
    fflush(stdout);
}

void die(const char *what)
{
    fprintf(stderr, "gbench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void *must_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3u + 1;
}

static uint64_t double_bits(double d)
{
    uint64_t u;

    memcpy(&u, &d, sizeof u);
    return u;
}

/* ---- integer and control flow -------------------------------------------- */

static void test_int_alu(void)
{
    uint64_t n = scaled(120000000), a = 0x9e3779b97f4a7c15u, b = 1;
    uint32_t c = 7;
    double t = now();

    for (uint64_t i = 0; i < n; i++) {
        a = a * 6364136223846793005u + 1442695040888963407u;
        b += a ^ (b >> 29);
        c = (c << 5 | c >> 27) + (uint32_t)b;
        a ^= (uint64_t)c << 11;
        if ((i & 15) == 0)
            b += a / (c | 1u);
    }
    t = now() - t;
    report("int_alu", (double)n / t / 1e6, "Mit/s", mix(mix(a, b), c));
}

static void test_branchy(void)
{
    enum { SIZE = 1 * MIB };
    uint64_t n = scaled(90000000), seed = 88172645463325252u;
    unsigned char *data = must_map(SIZE);
    uint64_t words = 0, numbers = 0, spaces = 0, errors = 0;
    int state = 0;

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(next_random(&seed) >> 32);
    double t = now();
    for (uint64_t i = 0; i < n; i++) {
        unsigned ch = data[(i * 7 + (i >> 20)) & (SIZE - 1)];
        if (state == 0) {
            if (ch < 90) { state = 1; words++; }
            else if (ch < 170) { state = 2; numbers++; }
            else spaces += ch & 1;
        } else if (state == 1) {
            if (ch > 200) state = 0;
            else if (ch > 150) { state = 3; errors += 2; }
            else words += 3;
        } else if (state == 2) {
            if (ch & 4) { if (ch & 32) numbers += ch; else state = 0; }
            else if (ch > 128) state = 1;
        } else {
            if (ch & 2) state = 2;
            else errors++;
        }
        __asm__ volatile("" : "+r"(state));     /* keep branches, not selects */
    }
    t = now() - t;
    report("branchy", (double)n / t / 1e6, "Mit/s",
           mix(mix(mix(words, numbers), spaces), errors));
    munmap(data, SIZE);
}

static void test_sieve(void)
{
    enum { LIMIT = 2000000 };
    uint64_t rounds = scaled(80), primes = 0;
    unsigned char *composite = must_map(LIMIT);
    double t = now();

    for (uint64_t r = 0; r < rounds; r++) {
        memset(composite, 0, LIMIT);
        for (uint32_t i = 2; i * i < LIMIT; i++)
            if (!composite[i])
                for (uint32_t j = i * i; j < LIMIT; j += i)
                    composite[j] = 1;
        primes = 0;
        for (uint32_t i = 2; i < LIMIT; i++)
            primes += !composite[i];
    }
    t = now() - t;
    report("sieve", (double)rounds * LIMIT / t / 1e6, "Mnum/s", primes);
    munmap(composite, LIMIT);
}

static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotr32(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static NOINLINE void sha256_block(uint32_t h[8], const unsigned char *p)
{
    uint32_t w[64];

    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotr32(w[i - 15], 7) ^ rotr32(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotr32(w[i - 2], 17) ^ rotr32(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
    for (int i = 0; i < 64; i++) {
        uint32_t e1 = rotr32(e, 6) ^ rotr32(e, 11) ^ rotr32(e, 25);
        uint32_t t1 = k + e1 + ((e & f) ^ (~e & g)) + sha256_k[i] + w[i];
        uint32_t e0 = rotr32(a, 2) ^ rotr32(a, 13) ^ rotr32(a, 22);
        uint32_t t2 = e0 + ((a & b) ^ (a & c) ^ (b & c));
        k = g; g = f; f = e; e = d + t1;
        d = c; c = b; b = a; a = t1 + t2;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d;
    h[4] += e; h[5] += f; h[6] += g; h[7] += k;
}

static void test_sha256(void)
{
    enum { SIZE = 64 * KIB };
    static unsigned char data[SIZE];
    uint32_t h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    uint64_t rounds = scaled(3200);

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 131 + (i >> 8));
    double t = now();
    for (uint64_t r = 0; r < rounds; r++)
        for (size_t off = 0; off < SIZE; off += 64)
            sha256_block(h, data + off);
    t = now() - t;
    report("sha256", (double)rounds * SIZE / t / 1e6, "MB/s", (uint64_t)h[0] << 32 | h[1]);
}

static NOINLINE uint64_t fib(uint64_t n)
{
    if (n < 2)
        return n;
    uint64_t a = fib(n - 1), b = fib(n - 2);
    __asm__ volatile("" : "+r"(b));             /* both calls stay calls */
    return a + b;
}

static void test_calls_recursive(void)
{
    uint64_t rounds = scaled(20), sum = 0;
    double t = now();

    for (uint64_t r = 0; r < rounds; r++)
        sum += fib(32 + (r & 1));
    t = now() - t;
    /* fib(n) makes 2*fib(n+1)-1 calls: 7049155 for 32, 11405773 for 33 */
    double calls = (double)((rounds + 1) / 2) * 7049155.0 + (double)(rounds / 2) * 11405773.0;
    report("calls_recursive", calls / t / 1e6, "Mcall/s", sum);
}

typedef uint64_t (*step_fn)(uint64_t);
static NOINLINE uint64_t step_add(uint64_t x) { return x + 0x9e37; }
static NOINLINE uint64_t step_xor(uint64_t x) { return x ^ (x >> 7); }
static NOINLINE uint64_t step_mul(uint64_t x) { return x * 0x5851f42d; }
static NOINLINE uint64_t step_rot(uint64_t x) { return x << 9 | x >> 55; }
static NOINLINE uint64_t step_sub(uint64_t x) { return x - (x >> 3); }
static NOINLINE uint64_t step_not(uint64_t x) { return ~x; }
static NOINLINE uint64_t step_inc(uint64_t x) { return x + 1; }
static NOINLINE uint64_t step_swp(uint64_t x) { return x << 32 | x >> 32; }

static void test_calls_indirect(void)
{
    static step_fn volatile const table[8] = {
        step_add, step_xor, step_mul, step_rot, step_sub, step_not, step_inc, step_swp,
    };
    uint64_t n = scaled(90000000), x = 12345;
    double t = now();

    for (uint64_t i = 0; i < n; i++)
        x = table[(i ^ i >> 3) & 7](x);
    t = now() - t;
    report("calls_indirect", (double)n / t / 1e6, "Mcall/s", x);
}

/* A register machine: nested loops with data-dependent operations. */
enum { OP_LI, OP_ADD, OP_SUB, OP_MUL, OP_XOR, OP_SHR, OP_AND, OP_LD, OP_ST,
       OP_DEC, OP_JNZ, OP_JODD, OP_NOP, OP_HALT };
struct insn { uint8_t op, d, a, b; int32_t imm; };

static NOINLINE uint64_t interpret(const struct insn *code, uint64_t *reg, uint64_t *mem)
{
    uint64_t executed = 0;

    for (const struct insn *i = code;; i++) {
        executed++;
        switch (i->op) {
        case OP_LI:   reg[i->d] = (uint64_t)(int64_t)i->imm; break;
        case OP_ADD:  reg[i->d] = reg[i->a] + reg[i->b]; break;
        case OP_SUB:  reg[i->d] = reg[i->a] - reg[i->b]; break;
        case OP_MUL:  reg[i->d] = reg[i->a] * reg[i->b]; break;
        case OP_XOR:  reg[i->d] = reg[i->a] ^ reg[i->b]; break;
        case OP_SHR:  reg[i->d] = reg[i->a] >> (i->imm & 63); break;
        case OP_AND:  reg[i->d] = reg[i->a] & (uint64_t)(int64_t)i->imm; break;
        case OP_LD:   reg[i->d] = mem[reg[i->a] & 255]; break;
        case OP_ST:   mem[reg[i->a] & 255] = reg[i->b]; break;
        case OP_DEC:  reg[i->d]--; break;
        case OP_JNZ:  if (reg[i->a]) i += i->imm; break;
        case OP_JODD: if (reg[i->a] & 1) i += i->imm; break;
        case OP_NOP:  break;
        case OP_HALT: return executed;
        }
    }
}

static void test_bytecode_interp(void)
{
    uint64_t reg[16] = { 0 }, mem[256] = { 0 };
    struct insn code[] = {
        { OP_LI,  0, 0, 0, (int32_t)scaled(20000000) },
        { OP_LI,  1, 0, 0, 0x12345 },
        { OP_LI,  2, 0, 0, 1103515245 },
        { OP_LI,  3, 0, 0, 12345 },
        { OP_MUL, 1, 1, 2, 0 },                 /* loop: */
        { OP_ADD, 1, 1, 3, 0 },
        { OP_SHR, 4, 1, 0, 17 },
        { OP_JODD, 0, 4, 0, 3 },                /* odd: skip to the load */
        { OP_AND, 5, 4, 0, 255 },
        { OP_ST,  0, 5, 1, 0 },
        { OP_NOP, 0, 0, 0, 0 },
        { OP_LD,  6, 4, 0, 0 },
        { OP_XOR, 7, 7, 6, 0 },
        { OP_SUB, 8, 7, 4, 0 },
        { OP_DEC, 0, 0, 0, 0 },
        { OP_JNZ, 0, 0, 0, -12 },
        { OP_HALT, 0, 0, 0, 0 },
    };
    double t = now();
    uint64_t executed = interpret(code, reg, mem);

    t = now() - t;
    report("bytecode_interp", (double)executed / t / 1e6, "Minsn/s", mix(reg[7], reg[8]));
}

/* ---- strings and memory --------------------------------------------------- */

static void test_strings(void)
{
    enum { COUNT = 256, STRIDE = 64 };
    static char text[COUNT][STRIDE];
    uint64_t rounds = scaled(120000), seed = 42, sum = 0;

    for (int i = 0; i < COUNT; i++) {
        size_t length = 5 + next_random(&seed) % 50;
        for (size_t k = 0; k < length; k++)
            text[i][k] = (char)('a' + next_random(&seed) % 24);
        text[i][length - 2] = '=';
    }
    double t = now();
    for (uint64_t r = 0; r < rounds; r++)
        for (int i = 0; i < COUNT; i++) {
            const char *s = text[i], *other = text[(i + r) % COUNT];
            size_t length = strlen(s);
            const char *eq = strchr(s, '=');
            sum += length + (size_t)(eq - s) + (memcmp(s, other, length) < 0);
        }
    t = now() - t;
    report("strings", (double)rounds * COUNT * 3 / t / 1e6, "Mcall/s", sum);
}

/*
 * Two distances: a power of two, where both pages fall in one slot of a
 * direct-mapped software TLB, and a skewed one, where they do not.
 */
static void measure_memcpy(const char *name, size_t skew)
{
    enum { SIZE = 32 * MIB };
    uint64_t rounds = scaled(250);
    size_t mapped = 2 * (size_t)SIZE + skew;
    unsigned char *from = must_map(mapped), *to = from + SIZE + skew;

    memset(from, 0x5a, mapped);
    double t = now();
    for (uint64_t r = 0; r < rounds; r++) {
        from[r * 4099 % SIZE] = (unsigned char)r;
        memcpy(to, from, SIZE);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    t = now() - t;
    report(name, (double)rounds * SIZE / t / 1e6, "MB/s", mix(to[0], to[4099]));
    munmap(from, mapped);
}

static void test_memcpy_bw(void)
{
    measure_memcpy("memcpy_bw", 0);
    measure_memcpy("memcpy_skew", 37 * 4 * KIB);
}

static NOINLINE void add_arrays(uint64_t *restrict c, const uint64_t *restrict a,
                                const uint64_t *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        c[i] = a[i] + b[i];
}

static void test_mem_seq(void)
{
    enum { SIZE = 16 * MIB, N = SIZE / 8 };
    uint64_t rounds = scaled(200);
    uint64_t *a = must_map(SIZE), *b = must_map(SIZE), *c = must_map(SIZE);

    for (size_t i = 0; i < N; i++) {
        a[i] = i;
        b[i] = i * 3;
        c[i] = 1;
    }
    double t = now();
    for (uint64_t r = 0; r < rounds; r++)
        add_arrays(c, a, b, N);
    t = now() - t;
    report("mem_seq", (double)rounds * SIZE * 3 / t / 1e6, "MB/s", mix(c[1], c[N - 1]));
    munmap(a, SIZE);
    munmap(b, SIZE);
    munmap(c, SIZE);
}

static void test_ptr_chase(void)
{
    enum { SIZE = 16 * MIB, LINE = 64, N = SIZE / LINE };
    uint64_t hops = scaled(10000000), seed = 4242, visited = 0;
    char *arena = must_map(SIZE);
    uint32_t *order = must_map(N * sizeof *order);

    for (uint32_t i = 0; i < N; i++)
        order[i] = i;
    for (uint32_t i = N - 1; i > 0; i--) {      /* Sattolo: one single cycle */
        uint32_t k = (uint32_t)(next_random(&seed) % i), swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
    for (uint32_t i = 0; i < N; i++)
        *(char **)(arena + (size_t)i * LINE) = arena + (size_t)order[i] * LINE;
    char *p = arena;
    double t = now();
    for (uint64_t i = 0; i < hops; i++)
        p = *(char **)p;
    t = now() - t;
    visited = (uint64_t)(p - arena);
    report("ptr_chase", t / (double)hops * 1e9, "ns", visited + 1);
    munmap(arena, SIZE);
    munmap(order, N * sizeof *order);
}

/* ---- floating point -------------------------------------------------------- */

static void test_fp_matmul(void)
{
    enum { N = 128 };
    static double a[N][N], b[N][N], c[N][N];
    uint64_t rounds = scaled(400);

    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            a[i][k] = (i * 3 + k) % 17 * 0.25;
            b[i][k] = (i + k * 5) % 13 * 0.125;
        }
    double t = now();
    for (uint64_t r = 0; r < rounds; r++) {
        memset(c, 0, sizeof c);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++)
                    c[i][j] += a[i][k] * b[k][j];
        a[r % N][0] = c[r % N][1] * 1e-3;
    }
    t = now() - t;
    report("fp_matmul", (double)rounds * 2 * N * N * N / t / 1e6, "MFLOP/s",
           mix(double_bits(c[3][5]), double_bits(c[N - 1][N - 1])));
}

struct body { double x, y, z, vx, vy, vz, mass; };

static NOINLINE void nbody_step(struct body *body, int count, double dt)
{
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k++) {
            double dx = body[i].x - body[k].x;
            double dy = body[i].y - body[k].y;
            double dz = body[i].z - body[k].z;
            double d2 = dx * dx + dy * dy + dz * dz;
            double mag = dt / (d2 * sqrt(d2));
            body[i].vx -= dx * body[k].mass * mag;
            body[i].vy -= dy * body[k].mass * mag;
            body[i].vz -= dz * body[k].mass * mag;
            body[k].vx += dx * body[i].mass * mag;
            body[k].vy += dy * body[i].mass * mag;
            body[k].vz += dz * body[i].mass * mag;
        }
    for (int i = 0; i < count; i++) {
        body[i].x += dt * body[i].vx;
        body[i].y += dt * body[i].vy;
        body[i].z += dt * body[i].vz;
    }
}

static void test_fp_nbody(void)
{
    struct body body[5] = {
        { 0, 0, 0, 0, 0, 0, 39.478 },
        { 4.84, -1.16, -0.10, 0.606, 2.812, -0.025, 0.0377 },
        { 8.34, 4.12, -0.40, -1.011, 1.826, 0.0084, 0.0113 },
        { 12.89, -15.11, -0.22, 1.083, 0.869, -0.0108, 0.0017 },
        { 15.38, -25.92, 0.18, 0.979, 0.594, -0.0347, 0.002 },
    };
    uint64_t steps = scaled(6000000), sum = 0;
    double t = now();

    for (uint64_t i = 0; i < steps; i++)
        nbody_step(body, 5, 0.001);
    t = now() - t;
    for (int i = 0; i < 5; i++)
        sum = mix(sum, double_bits(body[i].x));
    report("fp_nbody", (double)steps / t / 1e3, "kstep/s", sum);
}

/* ---- driver ------------------------------------------------------------------ */

static const struct { const char *name; void (*run)(void); } tests[] = {
    { "int_alu", test_int_alu },
    { "branchy", test_branchy },
    { "sieve", test_sieve },
    { "sha256", test_sha256 },
    { "calls_recursive", test_calls_recursive },
    { "calls_indirect", test_calls_indirect },
    { "bytecode_interp", test_bytecode_interp },
    { "strings", test_strings },
    { "memcpy_bw", test_memcpy_bw },
    { "mem_seq", test_mem_seq },
    { "ptr_chase", test_ptr_chase },
    { "fp_matmul", test_fp_matmul },
    { "fp_nbody", test_fp_nbody },
    { "syscall", test_syscall },
    { "ctxsw", test_ctxsw },
    { "forkexec", test_forkexec },
    { "pagefault", test_pagefault },
    { "mutex_smp", test_mutex_smp },
    { "file_io", test_file_io },
    { "block_io", test_block_io },
};

static bool wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    int option;

    if (argc == 2 && strcmp(argv[1], "--exit") == 0)
        return 0;
    while ((option = getopt(argc, argv, "s:d:b:wl")) != -1)
        switch (option) {
        case 's': scale = strtod(optarg, NULL); break;
        case 'd': file_dir = optarg; break;
        case 'b': block_path = optarg; break;
        case 'w': block_write_allowed = true; break;
        case 'l':
            for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
                puts(tests[i].name);
            return 0;
        default:
            fprintf(stderr, "usage: gbench [-s scale] [-d dir] [-b device [-w]] [-l] [test...]\n");
            return 2;
        }
    if (!(scale > 0)) {
        fprintf(stderr, "gbench: bad scale\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (wanted(tests[i].name, argv + optind, argc - optind))
            tests[i].run();
    return 0;
}
