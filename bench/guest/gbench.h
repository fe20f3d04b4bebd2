/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of gbench share: gbench.c (driver, computing) and gbench_os.c (the system). */
#ifndef GBENCH_H
#define GBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB 1024u
#define MIB (1024u * KIB)
#define NOINLINE __attribute__((noinline))

extern const char *file_dir;		/* -d: where file_io writes its file */
extern const char *block_path;		/* -b: block device (or file) for block_io */
extern bool block_write_allowed;	/* -w: block_io may overwrite it */

double now(void);
uint64_t scaled(uint64_t count);
void report(const char *name, double value, const char *unit, uint64_t sum);
void die(const char *what);
void *must_map(size_t size);
uint64_t next_random(uint64_t *state);

void test_syscall(void);
void test_ctxsw(void);
void test_forkexec(void);
void test_pagefault(void);
void test_mutex_smp(void);
void test_file_io(void);
void test_block_io(void);

#endif
