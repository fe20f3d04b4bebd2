/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four harts at once: AMOs and LR/SC lose nothing, locks exclude, messages arrive in order,
 * software interrupts wake a hart (Unprivileged ISA 14, 17; Privileged ISA 3.1.9, 3.3.3).
 */
#include "testc.h"

#define HARTS 4
#define ROUNDS 8000
#define MSIP ((volatile uint32_t *)0x2000000)

/* One cache line each, so that only what is meant to be shared is */
struct cell {
	uint64_t v;
	uint8_t pad[56];
} __attribute__((aligned(64)));

static struct cell arrived, phase, sum32, sum64, counter, locked, plain, casd, xored, top, low;
static struct cell x, y, seen[HARTS], data, flag, pings[HARTS];
static struct cell words;

void test_secondary(uint64_t hart);

static uint64_t load(struct cell *c)
{
	return __atomic_load_n(&c->v, __ATOMIC_ACQUIRE);
}

static void store(struct cell *c, uint64_t v)
{
	__atomic_store_n(&c->v, v, __ATOMIC_RELEASE);
}

/* Everyone waits for everyone */
static void barrier(void)
{
	uint64_t now = load(&phase);

	if (__atomic_add_fetch(&arrived.v, 1, __ATOMIC_ACQ_REL) == HARTS) {
		arrived.v = 0;
		store(&phase, now + 1);
		return;
	}
	while (load(&phase) == now)
		;
}

/* An increment by LR/SC alone */
static void lrsc_add(uint64_t *p, uint64_t n)
{
	uint64_t v, failed;

	__asm__ volatile("1: lr.d.aq %0, (%2)\n add %0, %0, %3\n sc.d.rl %1, %0, (%2)\n bnez %1, 1b"
			 : "=&r"(v), "=&r"(failed) : "r"(p), "r"(n) : "memory");
}

static void lrsc_add32(uint32_t *p, uint32_t n)
{
	uint32_t v, failed;

	__asm__ volatile("1: lr.w.aq %0, (%2)\n addw %0, %0, %3\n sc.w.rl %1, %0, (%2)\n"
			 "bnez %1, 1b"
			 : "=&r"(v), "=&r"(failed) : "r"(p), "r"(n) : "memory");
}

static void sums(uint64_t hart)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t *low_half = (uint32_t *)&words.v;

		__atomic_fetch_add((uint32_t *)&sum32.v, 0x10001, __ATOMIC_RELAXED);
		__atomic_fetch_add(&sum64.v, hart + 1, __ATOMIC_RELAXED);
		__atomic_fetch_xor(&xored.v, 1ull << (i % 16 + 16 * hart), __ATOMIC_RELAXED);
		lrsc_add(&counter.v, 1);
		/* Two words of one doubleword, some harts each, by both means */
		if (i & 1)
			lrsc_add32(&low_half[hart & 1], 1);
		else
			__atomic_fetch_add(&low_half[hart & 1], 1, __ATOMIC_RELAXED);
		/* Compare and swap against what was read */
		uint64_t old = load(&casd);

		while (!__atomic_compare_exchange_n(&casd.v, &old, old + 3, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			;
		int64_t mine = (int64_t)i * (hart & 1 ? 1 : -1);

		__asm__ volatile("amomax.d zero, %0, (%1)" :: "r"(mine), "r"(&top.v) : "memory");
		__asm__ volatile("amomin.d zero, %0, (%1)" :: "r"(mine), "r"(&low.v) : "memory");
	}
	barrier();
	if (hart == 0) {
		CHECK((uint32_t)sum32.v, (uint32_t)(HARTS * ROUNDS * 0x10001u));
		CHECK(sum32.v >> 32, 0);
		CHECK(sum64.v, ROUNDS * (1 + 2 + 3 + 4));
		CHECK(xored.v, 0);
		CHECK(counter.v, HARTS * ROUNDS);
		CHECK(words.v, 2ull * ROUNDS << 32 | 2 * ROUNDS);
		CHECK(casd.v, 3 * HARTS * ROUNDS);
		CHECK(top.v, ROUNDS - 1);
		CHECK(low.v, 1 - ROUNDS);
	}
	barrier();
}

/* A lock of one word around a plain counter */
static void lock(uint64_t hart)
{
	for (unsigned i = 0; i < ROUNDS / 10; i++) {
		uint32_t taken;

		do
			__asm__ volatile("amoswap.w.aq %0, %1, (%2)"
					 : "=r"(taken) : "r"(1), "r"(&locked.v) : "memory");
		while (taken);
		plain.v++;
		__asm__ volatile("amoswap.w.rl zero, zero, (%0)" :: "r"(&locked.v) : "memory");
	}
	barrier();
	if (hart == 0)
		CHECK(plain.v, HARTS * ROUNDS / 10);
	barrier();
}

/* An sc never succeeds over another hart's store: the value it saw is the value it replaces */
static void reservations(uint64_t hart)
{
	if (hart == 0) {
		uint64_t mine = 0;

		for (unsigned i = 0; i < ROUNDS; i++) {
			uint64_t v, failed;

			__asm__ volatile("lr.d %0, (%2)\n addi %0, %0, 1\n sc.d %1, %0, (%2)"
					 : "=&r"(v), "=&r"(failed) : "r"(&data.v) : "memory");
			if (!failed)
				mine++;
		}
		store(&seen[0], mine);
	} else {
		for (unsigned i = 0; i < ROUNDS; i++)
			__atomic_fetch_add(&data.v, 1ull << 32, __ATOMIC_RELAXED);
	}
	barrier();
	if (hart == 0) {
		CHECK(data.v >> 32, (HARTS - 1) * ROUNDS);
		CHECK(data.v & 0xffffffff, load(&seen[0]));
	}
	barrier();
}

/* Message passing (data, then flag) and store buffering (fence rw, rw), harts 0 and 1 */
static void litmus(uint64_t hart)
{
	for (uint64_t i = 1; i <= ROUNDS / 100; i++) {
		if (hart == 0) {
			x.v = 0, y.v = 0;
		}
		barrier();
		if (hart == 0) {
			*(volatile uint64_t *)&data.v = i;
			__asm__ volatile("fence w, w" ::: "memory");
			*(volatile uint64_t *)&flag.v = i;
			*(volatile uint64_t *)&x.v = 1;
			__asm__ volatile("fence rw, rw" ::: "memory");
			seen[0].v = *(volatile uint64_t *)&y.v;
		} else if (hart == 1) {
			while (*(volatile uint64_t *)&flag.v != i)
				;
			__asm__ volatile("fence r, r" ::: "memory");
			CHECK(*(volatile uint64_t *)&data.v, i);
			*(volatile uint64_t *)&y.v = 1;
			__asm__ volatile("fence rw, rw" ::: "memory");
			seen[1].v = *(volatile uint64_t *)&x.v;
		}
		barrier();
		if (hart == 0)
			CHECK(seen[0].v | seen[1].v, 1);
		barrier();
	}
}

/* Software interrupts go round the harts; each sleeps in wfi until its own */
static void ping(uint64_t hart)
{
	csr_set(mie, 8);
	for (unsigned i = 0; i < ROUNDS / 40; i++) {
		if (hart == 0) {
			MSIP[1] = 1;
		}
		while (!(csr_read(mip) & 8))
			__asm__ volatile("wfi");
		MSIP[hart] = 0;
		while (csr_read(mip) & 8)
			;
		pings[hart].v++;
		if (hart)
			MSIP[(hart + 1) % HARTS] = 1;
	}
	barrier();
	if (hart == 0)
		for (unsigned h = 0; h < HARTS; h++)
			CHECK(pings[h].v, ROUNDS / 40);
	barrier();
	csr_clear(mie, 8);
}

static void all(uint64_t hart)
{
	CHECK(csr_read(mhartid), hart);
	barrier();
	sums(hart);
	lock(hart);
	store(&data, 0);
	barrier();
	reservations(hart);
	litmus(hart);
	ping(hart);
}

void test_secondary(uint64_t hart)
{
	all(hart);
	for (;;)
		__asm__ volatile("wfi");
}

void test_main(void)
{
	all(0);
	test_pass();
}
