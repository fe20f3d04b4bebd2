/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <stdatomic.h>
#include <time.h>

static uint64_t host_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void clock_init(struct clock *c)
{
	atomic_store_explicit(&c->offset_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&c->stopped, 1, memory_order_release);
}

uint64_t clock_ns(const struct clock *c)
{
	/* Acquire: pairs with clock_start(), so that the offset belongs to the running clock. */
	uint64_t stopped = atomic_load_explicit(&c->stopped, memory_order_acquire);

	if (stopped)
		return stopped - 1;
	return host_ns(CLOCK_MONOTONIC) + atomic_load_explicit(&c->offset_ns, memory_order_relaxed);
}

void clock_start(struct clock *c)
{
	uint64_t stopped = atomic_load_explicit(&c->stopped, memory_order_relaxed);

	if (!stopped)
		return;
	atomic_store_explicit(&c->offset_ns, stopped - 1 - host_ns(CLOCK_MONOTONIC),
			      memory_order_relaxed);
	atomic_store_explicit(&c->stopped, 0, memory_order_release);
}

void clock_stop(struct clock *c)
{
	if (!atomic_load_explicit(&c->stopped, memory_order_relaxed))
		atomic_store_explicit(&c->stopped, clock_ns(c) + 1, memory_order_release);
}

uint64_t clock_wall_ns(void)
{
	return host_ns(CLOCK_REALTIME);
}

void timebase_init(struct timebase *tb, const struct clock *c, uint64_t hz)
{
	tb->clock = c;
	tb->hz = hz;
	tb->ns_per_tick = 1000000000u / hz;
	atomic_store_explicit(&tb->offset, 0, memory_order_relaxed);
}

uint64_t timebase_read(const struct timebase *tb)
{
	return clock_ns(tb->clock) / tb->ns_per_tick +
	       atomic_load_explicit(&tb->offset, memory_order_relaxed);
}

void timebase_write(struct timebase *tb, uint64_t ticks)
{
	atomic_store_explicit(&tb->offset, ticks - clock_ns(tb->clock) / tb->ns_per_tick,
			      memory_order_relaxed);
}

uint64_t timebase_until_ns(const struct timebase *tb, uint64_t ticks)
{
	const uint64_t century = UINT64_C(100) * 366 * 86400 * 1000000000u;
	uint64_t now = timebase_read(tb), ns;

	if (ticks <= now)
		return 0;
	if (__builtin_mul_overflow(ticks - now, tb->ns_per_tick, &ns) || ns > century)
		return UINT64_MAX;
	return ns;
}
