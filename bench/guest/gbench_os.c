/* SPDX-License-Identifier: Apache-2.0 */
/* gbench: what the operating system does: calls, processes, memory, threads, files. */
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

static const char *self_path = "/proc/self/exe";

static void pin_to_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);     /* best effort */
}

static int first_allowed_cpu(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &set))
                return cpu;
    return 0;
}

/* ---- operating system ------------------------------------------------------ */

void test_syscall(void)
{
    uint64_t n = scaled(5000000);
    double t = now();

    for (uint64_t i = 0; i < n; i++)
        syscall(SYS_getppid);
    t = now() - t;
    report("syscall", t / (double)n * 1e9, "ns", 0);
}

void test_ctxsw(void)
{
    uint64_t n = scaled(200000);
    int ping[2], pong[2], cpu = first_allowed_cpu();
    char byte = 'x';

    if (pipe(ping) || pipe(pong))
        die("pipe");
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        pin_to_cpu(cpu);
        close(ping[1]);
        while (read(ping[0], &byte, 1) == 1)
            if (write(pong[1], &byte, 1) != 1)
                break;
        _exit(0);
    }
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    pin_to_cpu(cpu);
    double t = now();
    for (uint64_t i = 0; i < n; i++)
        if (write(ping[1], &byte, 1) != 1 || read(pong[0], &byte, 1) != 1)
            die("ping-pong");
    t = now() - t;
    sched_setaffinity(0, sizeof before, &before);
    close(ping[1]);
    waitpid(child, NULL, 0);
    close(ping[0]);
    close(pong[0]);
    close(pong[1]);
    report("ctxsw", t / (double)n / 2 * 1e9, "ns", 0);
}

void test_forkexec(void)
{
    uint64_t n = scaled(2000);
    char *const arguments[] = { "gbench", "--exit", NULL };
    double t = now();

    for (uint64_t i = 0; i < n; i++) {
        int status;
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            execv(self_path, arguments);
            _exit(127);
        }
        if (waitpid(child, &status, 0) != child || status != 0)
            die("child");
    }
    t = now() - t;
    report("forkexec", t / (double)n * 1e6, "us", 0);
}

void test_pagefault(void)
{
    enum { SIZE = 16 * MIB };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t rounds = scaled(300), faults = rounds * (SIZE / page);
    double t = now();

    for (uint64_t r = 0; r < rounds; r++) {
        volatile char *p = must_map(SIZE);
        madvise((void *)p, SIZE, MADV_NOHUGEPAGE);
        for (size_t off = 0; off < SIZE; off += page)
            p[off] = 1;
        munmap((void *)p, SIZE);
    }
    t = now() - t;
    report("pagefault", t / (double)faults * 1e9, "ns", 0);
}

/* ---- two threads ------------------------------------------------------------ */

static _Atomic uint64_t shared_counter;
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t locked_counter;

static void *add_atomically(void *count)
{
    for (uint64_t i = 0; i < *(uint64_t *)count; i++)
        atomic_fetch_add(&shared_counter, 1);
    return NULL;
}

static void *add_locked(void *count)
{
    for (uint64_t i = 0; i < *(uint64_t *)count; i++) {
        pthread_mutex_lock(&shared_lock);
        locked_counter++;
        pthread_mutex_unlock(&shared_lock);
    }
    return NULL;
}

static void *work_alone(void *count)
{
    uint64_t x = 88172645463325252u;

    for (uint64_t i = 0; i < *(uint64_t *)count; i++)
        next_random(&x);
    __asm__ volatile("" : : "r"(x));
    return NULL;
}

static double run_threads(void *(*body)(void *), uint64_t count, int threads)
{
    pthread_t thread[2];
    double t = now();

    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, body, &count))
            die("pthread_create");
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return now() - t;
}

void test_mutex_smp(void)
{
    uint64_t adds = scaled(20000000), locks = scaled(5000000), work = scaled(200000000);
    double t = run_threads(add_atomically, adds, 2);

    report("smp_atomic", (double)adds * 2 / t / 1e6, "Mop/s", atomic_load(&shared_counter));
    t = run_threads(add_locked, locks, 2);
    report("smp_mutex", (double)locks * 2 / t / 1e6, "Mop/s", locked_counter);
    double one = run_threads(work_alone, work, 1), two = run_threads(work_alone, work, 2);
    report("smp_scaling", 2 * one / two, "x", 0);
}

/* ---- files and block devices ------------------------------------------------ */

enum { CHUNK = 1 * MIB, SMALL = 4 * KIB };

static double transfer(int fd, unsigned char *chunk, uint64_t size, bool writing)
{
    double t = now();

    if (lseek(fd, 0, SEEK_SET) < 0)
        die("seek");
    for (uint64_t done = 0; done < size; done += CHUNK)
        if ((writing ? write(fd, chunk, CHUNK) : read(fd, chunk, CHUNK)) != CHUNK)
            die(writing ? "write" : "read");
    if (writing && fsync(fd))
        die("fsync");
    return now() - t;
}

static double random_reads(int fd, unsigned char *chunk, uint64_t count, uint64_t blocks)
{
    uint64_t seed = 77;
    double t = now();

    for (uint64_t i = 0; i < count; i++)
        if (pread(fd, chunk, SMALL, (off_t)(next_random(&seed) % blocks * SMALL)) != SMALL)
            die("random read");
    return now() - t;
}

void test_file_io(void)
{
    uint64_t size = scaled(256) * CHUNK;
    unsigned char *chunk = must_map(CHUNK);
    char path[4096];

    if (!file_dir)
        return;
    snprintf(path, sizeof path, "%s/gbench.tmp", file_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        die(path);
    memset(chunk, 0xa5, CHUNK);
    report("file_write", (double)size / transfer(fd, chunk, size, true) / 1e6, "MB/s", 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    report("file_read", (double)size / transfer(fd, chunk, size, false) / 1e6, "MB/s", 0);
    report("file_read_cached", (double)size / transfer(fd, chunk, size, false) / 1e6, "MB/s", 0);
    close(fd);
    unlink(path);
    munmap(chunk, CHUNK);
}

void test_block_io(void)
{
    uint64_t size = scaled(256) * CHUNK, reads = scaled(20000);
    unsigned char *chunk = must_map(CHUNK);

    if (!block_path)
        return;
    int fd = open(block_path, (block_write_allowed ? O_RDWR : O_RDONLY) | O_DIRECT);
    if (fd < 0)
        die(block_path);
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < (off_t)CHUNK)
        die("block device too small");
    if (size > (uint64_t)end)
        size = (uint64_t)end / CHUNK * CHUNK;
    memset(chunk, 0xa5, CHUNK);
    if (block_write_allowed)
        report("block_write", (double)size / transfer(fd, chunk, size, true) / 1e6, "MB/s", 0);
    report("block_read", (double)size / transfer(fd, chunk, size, false) / 1e6, "MB/s", 0);
    report("block_read_4k", (double)reads / random_reads(fd, chunk, reads, size / SMALL),
           "IO/s", 0);
    close(fd);
    munmap(chunk, CHUNK);
}
