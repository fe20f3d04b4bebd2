/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More code than an engine keeps translated: thousands of long routines, each run, revisited
 * while others push it out, rewritten and run again after fence.i.
 */
#include "testc.h"

#define ROUTINES 24000
#define WORDS 64

static uint32_t *const code = (uint32_t *)0x81000000;	/* free RAM, 6 MiB of it */

/* addi a0, a0, n with numbers that differ from one routine to the next; ret */
static void write(unsigned n, unsigned salt)
{
	volatile uint32_t *p = code + n * WORDS;

	for (unsigned i = 0; i < WORDS - 1; i++)
		p[i] = 0x00050513 | ((n * 7 + i * 3 + salt) & 0x3ff) << 20;
	p[WORDS - 1] = 0x00008067;
}

static uint64_t sum_of(unsigned n, unsigned salt)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WORDS - 1; i++)
		sum += (n * 7 + i * 3 + salt) & 0x3ff;
	return sum;
}

static uint64_t call(unsigned n)
{
	register uint64_t a0 __asm__("a0") = 0;

	__asm__ volatile("jalr ra, %1" : "+r"(a0) : "r"(code + n * WORDS) : "ra", "memory");
	return a0;
}

void test_main(void)
{
	for (unsigned n = 0; n < ROUTINES; n++)
		write(n, 0);
	__asm__ volatile("fence.i");
	for (unsigned n = 0; n < ROUTINES; n++) {
		CHECK(call(n), sum_of(n, 0));
		CHECK(call(n / 2), sum_of(n / 2, 0));
	}
	for (unsigned n = 0; n < ROUTINES; n += 100) {
		write(n, 5);
		__asm__ volatile("fence.i");
		CHECK(call(n), sum_of(n, 5));
		CHECK(call(n + 1), sum_of(n + 1, 0));
	}
	test_pass();
}
