/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM's one clock. Every timer and counter of the guest hangs on it: it stands while
 * the VM is paused and can be moved when a VM is restored. Any thread may read it.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>

struct clock {
	_Atomic uint64_t offset_ns;	/* VM time = CLOCK_MONOTONIC + offset, modulo 2^64 */
	_Atomic uint64_t stopped;	/* while stopped: the time it shows, plus 1; 0: it runs */
};

/* Shows 0 and is stopped. */
void clock_init(struct clock *c);

/* Nanoseconds of VM time. */
uint64_t clock_ns(const struct clock *c);

/* Only the thread that controls the VM; idempotent. */
void clock_start(struct clock *c);
void clock_stop(struct clock *c);

/* Wall-clock nanoseconds since 1970 as the guest should see them (the host's CLOCK_REALTIME). */
uint64_t clock_wall_ns(void);

/*
 * A counter that advances at hz (a divisor of 10^9) with the clock and can be written
 * (RISC-V mtime). Ticks; any thread.
 */
struct timebase {
	const struct clock *clock;
	uint64_t hz;
	uint64_t ns_per_tick;
	_Atomic uint64_t offset;	/* added to the clock's ticks, modulo 2^64 */
};

void timebase_init(struct timebase *tb, const struct clock *c, uint64_t hz);
uint64_t timebase_read(const struct timebase *tb);
void timebase_write(struct timebase *tb, uint64_t ticks);

/* Nanoseconds from now until the counter reaches ticks; 0 when it has; UINT64_MAX: not in 100 years. */
uint64_t timebase_until_ns(const struct timebase *tb, uint64_t ticks);

#endif
