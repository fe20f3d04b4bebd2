/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Performance monitoring (SBI 2.0 §11).
 *
 * Every hart has the hardware counters cycle and instret, which the supervisor reads as CSRs
 * and which start and stop through mcountinhibit, and sixteen firmware counters, each of
 * which can count any firmware event. An event is counted all the time, per hart; a running
 * counter is that total plus an offset.
 */
#include "machine/virt/sbi_call.h"

#include <string.h>

#include "base/bits.h"

enum {
	PMU_NUM_COUNTERS, PMU_COUNTER_GET_INFO, PMU_COUNTER_CONFIG, PMU_COUNTER_START,
	PMU_COUNTER_STOP, PMU_COUNTER_FW_READ, PMU_COUNTER_FW_READ_HI,
};
enum { CONFIG_SKIP_MATCH = 1, CONFIG_CLEAR_VALUE = 2, CONFIG_AUTO_START = 4 };
enum { START_SET_INIT = 1, START_INIT_SNAPSHOT = 2, STOP_RESET = 1 };
enum { EVENT_HARDWARE = 0, EVENT_FIRMWARE = 15, EVENT_CPU_CYCLES = 1, EVENT_INSTRUCTIONS = 2 };
enum { CSR_MCYCLE = 0xb00, CSR_MCOUNTINHIBIT = 0x320, CSR_CYCLE = 0xc00 };

/* sbi_pmu_counter_get_info's result: the CSR, its width less one, and whose it is. */
#define INFO_HARDWARE(csr) ((uint64_t)(csr) | UINT64_C(63) << 12)
#define INFO_FIRMWARE (UINT64_C(1) << 63)

static bool is_hardware(unsigned n)
{
	return n < SBI_PMU_FIRST_FW;
}

static struct sbi_counter *counter(struct sbi_call *c, unsigned n)
{
	return &c->sbi->harts[c->v->index].counters[n];
}

static uint64_t total(struct sbi_call *c, unsigned event)
{
	return atomic_load_explicit(&c->sbi->harts[c->v->index].events[event],
				    memory_order_relaxed);
}

/* True and the counters as bits when base and mask name only counters that exist. */
static bool counter_set(uint64_t base, uint64_t mask, uint64_t *set)
{
	const uint64_t all = (BIT(SBI_PMU_COUNTERS) - 1) & ~BIT(1);

	if (base >= SBI_PMU_COUNTERS || !mask || mask > (BIT(SBI_PMU_COUNTERS) - 1) >> base)
		return false;
	*set = mask << base;
	return !(*set & ~all);
}

static void inhibit(struct sbi_call *c, unsigned n, bool on)
{
	const struct engine_ops *e = c->sbi->vm->engine;
	uint64_t now = e->get_reg(c->v, ENGINE_REG_CSR + CSR_MCOUNTINHIBIT);

	e->set_reg(c->v, ENGINE_REG_CSR + CSR_MCOUNTINHIBIT, on ? now | BIT(n) : now & ~BIT(n));
}

static void set_value(struct sbi_call *c, unsigned n, uint64_t value)
{
	if (is_hardware(n))
		c->sbi->vm->engine->set_reg(c->v, ENGINE_REG_CSR + CSR_MCYCLE + n, value);
	else
		counter(c, n)->value = value;
}

/* n is set up and stands. */
static void start(struct sbi_call *c, unsigned n)
{
	struct sbi_counter *k = counter(c, n);

	k->running = true;
	if (is_hardware(n))
		inhibit(c, n, false);
	else
		k->value -= total(c, k->event);
}

static void stop(struct sbi_call *c, unsigned n)
{
	struct sbi_counter *k = counter(c, n);

	k->running = false;
	if (is_hardware(n))
		inhibit(c, n, true);
	else
		k->value += total(c, k->event);
}

/* True when counter n can count the event. */
static bool can_count(unsigned n, unsigned type, unsigned code)
{
	if (type == EVENT_FIRMWARE)
		return !is_hardware(n) && code < SBI_FW_EVENTS;
	if (type != EVENT_HARDWARE)
		return false;
	return (n == SBI_PMU_CYCLE && code == EVENT_CPU_CYCLES) ||
	       (n == SBI_PMU_INSTRET && code == EVENT_INSTRUCTIONS);
}

static bool event_exists(unsigned type, unsigned code)
{
	if (type == EVENT_FIRMWARE)
		return code < SBI_FW_EVENTS;
	return type == EVENT_HARDWARE && (code == EVENT_CPU_CYCLES || code == EVENT_INSTRUCTIONS);
}

static int64_t config(struct sbi_call *c)
{
	unsigned type = (unsigned)bits_get(c->a[3], 16, 4);
	unsigned code = (unsigned)bits_get(c->a[3], 0, 16);
	struct sbi_counter *k;
	uint64_t set;
	unsigned n;

	if (!counter_set(c->a[0], c->a[1], &set) || c->a[3] >> 20)
		return SBI_ERR_INVALID_PARAM;
	if (!event_exists(type, code))
		return SBI_ERR_NOT_SUPPORTED;
	for (n = 0; n < SBI_PMU_COUNTERS; n++) {
		if (!(set >> n & 1))
			continue;
		if (c->a[2] & CONFIG_SKIP_MATCH)
			break;	/* the caller has chosen: the lowest */
		if (can_count(n, type, code) && !counter(c, n)->used)
			break;
	}
	if (n == SBI_PMU_COUNTERS || !can_count(n, type, code))
		return SBI_ERR_NOT_SUPPORTED;
	k = counter(c, n);
	if (k->running)
		stop(c, n);
	k->used = true;
	k->event = code;
	if (c->a[2] & CONFIG_CLEAR_VALUE)
		set_value(c, n, 0);
	if (c->a[2] & CONFIG_AUTO_START)
		start(c, n);
	c->value = n;
	return SBI_SUCCESS;
}

static int64_t start_set(struct sbi_call *c)
{
	int64_t error = SBI_SUCCESS;
	uint64_t set;

	if (!counter_set(c->a[0], c->a[1], &set))
		return SBI_ERR_INVALID_PARAM;
	if (c->a[2] & START_INIT_SNAPSHOT)
		return SBI_ERR_NO_SHMEM;
	for (unsigned n = 0; n < SBI_PMU_COUNTERS; n++)
		if ((set >> n & 1) && !counter(c, n)->used)
			return SBI_ERR_INVALID_PARAM;
	for (unsigned n = 0; n < SBI_PMU_COUNTERS; n++) {
		if (!(set >> n & 1))
			continue;
		if (counter(c, n)->running) {
			error = SBI_ERR_ALREADY_STARTED;
			continue;
		}
		if (c->a[2] & START_SET_INIT)
			set_value(c, n, c->a[3]);
		start(c, n);
	}
	return error;
}

static int64_t stop_set(struct sbi_call *c)
{
	int64_t error = SBI_SUCCESS;
	uint64_t set;

	if (!counter_set(c->a[0], c->a[1], &set))
		return SBI_ERR_INVALID_PARAM;
	for (unsigned n = 0; n < SBI_PMU_COUNTERS; n++) {
		if (!(set >> n & 1))
			continue;
		if (counter(c, n)->running)
			stop(c, n);
		else
			error = SBI_ERR_ALREADY_STOPPED;
		if (c->a[2] & STOP_RESET)
			memset(counter(c, n), 0, sizeof(struct sbi_counter));
	}
	return error;
}

static int64_t get_info(struct sbi_call *c)
{
	if (c->a[0] >= SBI_PMU_COUNTERS || c->a[0] == 1)
		return SBI_ERR_INVALID_PARAM;
	c->value = is_hardware((unsigned)c->a[0]) ? INFO_HARDWARE(CSR_CYCLE + c->a[0]) :
						    INFO_FIRMWARE;
	return SBI_SUCCESS;
}

static int64_t fw_read(struct sbi_call *c)
{
	const struct sbi_counter *k;

	if (c->a[0] < SBI_PMU_FIRST_FW || c->a[0] >= SBI_PMU_COUNTERS)
		return SBI_ERR_INVALID_PARAM;
	k = counter(c, (unsigned)c->a[0]);
	if (!k->used)
		return SBI_ERR_INVALID_PARAM;
	c->value = k->running ? k->value + total(c, k->event) : k->value;
	return SBI_SUCCESS;
}

int64_t sbi_pmu(struct sbi_call *c)
{
	switch (c->fid) {
	case PMU_NUM_COUNTERS:
		c->value = SBI_PMU_COUNTERS;
		return SBI_SUCCESS;
	case PMU_COUNTER_GET_INFO:
		return get_info(c);
	case PMU_COUNTER_CONFIG:
		return config(c);
	case PMU_COUNTER_START:
		return start_set(c);
	case PMU_COUNTER_STOP:
		return stop_set(c);
	case PMU_COUNTER_FW_READ:
		return fw_read(c);
	case PMU_COUNTER_FW_READ_HI:
		/* The upper half on a 32-bit supervisor: nothing here. */
		return c->a[0] < SBI_PMU_FIRST_FW || c->a[0] >= SBI_PMU_COUNTERS ?
			SBI_ERR_INVALID_PARAM : SBI_SUCCESS;
	default:
		return SBI_ERR_NOT_SUPPORTED;
	}
}
