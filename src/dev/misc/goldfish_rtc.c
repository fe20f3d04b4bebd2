/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/misc/goldfish_rtc.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"

enum {
	TIME_LOW = 0x00,	/* reading latches TIME_HIGH */
	TIME_HIGH = 0x04,
	ALARM_LOW = 0x08,	/* writing sets the alarm, with ALARM_HIGH as written before */
	ALARM_HIGH = 0x0c,
	IRQ_ENABLED = 0x10,
	CLEAR_ALARM = 0x14,
	ALARM_STATUS = 0x18,
	CLEAR_INTERRUPT = 0x1c,
};

struct goldfish_rtc {
	struct dev dev;
	struct vm *vm;
	struct irq_line irq;
	struct loop_task rearm;		/* puts the timer where the alarm is */
	struct loop_timer timer;	/* loop thread */

	pthread_mutex_t lock;		/* everything below */
	uint64_t offset_ns;		/* guest's time = host's wall clock + offset, modulo 2^64 */
	uint64_t alarm_ns;
	uint32_t latched_high, time_high, alarm_high;
	bool alarm_running, irq_enabled, irq_pending;
};

static uint64_t now_ns(const struct goldfish_rtc *r)
{
	return clock_wall_ns() + r->offset_ns;
}

static void update_irq(struct goldfish_rtc *r)
{
	irq_set(&r->irq, r->irq_pending && r->irq_enabled);
}

/* Loop thread: fires what is due, or arms the timer for it. */
static void check_alarm(struct goldfish_rtc *r)
{
	uint64_t now, wait = 0;
	bool running;

	pthread_mutex_lock(&r->lock);
	now = now_ns(r);
	if (r->alarm_running && r->alarm_ns <= now) {
		r->alarm_running = false;
		r->irq_pending = true;
		update_irq(r);
	}
	running = r->alarm_running;
	if (running)
		wait = r->alarm_ns - now;
	pthread_mutex_unlock(&r->lock);
	if (!running || wait > (uint64_t)INT64_MAX)
		loop_timer_cancel(r->vm->loop, &r->timer);
	else
		loop_timer_arm(r->vm->loop, &r->timer, loop_now_ns() + wait);
}

static void on_rearm(struct loop_task *t)
{
	check_alarm(container_of(t, struct goldfish_rtc, rearm));
}

static void on_timer(struct loop_timer *t)
{
	check_alarm(container_of(t, struct goldfish_rtc, timer));
}

static uint32_t reg_read(struct goldfish_rtc *r, uint64_t off)
{
	uint64_t now;

	switch (off) {
	case TIME_LOW:
		now = now_ns(r);
		r->latched_high = (uint32_t)(now >> 32);
		return (uint32_t)now;
	case TIME_HIGH:
		return r->latched_high;
	case ALARM_LOW:
		return (uint32_t)r->alarm_ns;
	case ALARM_HIGH:
		return (uint32_t)(r->alarm_ns >> 32);
	case IRQ_ENABLED:
		return r->irq_enabled;
	case ALARM_STATUS:
		return r->alarm_running;
	default:
		return 0;
	}
}

static bool rtc_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct goldfish_rtc *r = opaque;

	if (size != 4)
		return false;
	pthread_mutex_lock(&r->lock);
	*value = reg_read(r, off);
	pthread_mutex_unlock(&r->lock);
	return true;
}

/* True when the alarm changed. */
static bool reg_write(struct goldfish_rtc *r, uint64_t off, uint32_t value)
{
	switch (off) {
	case TIME_LOW:
		r->offset_ns = ((uint64_t)r->time_high << 32 | value) - clock_wall_ns();
		return true;
	case TIME_HIGH:
		r->time_high = value;
		return false;
	case ALARM_LOW:
		r->alarm_ns = (uint64_t)r->alarm_high << 32 | value;
		r->alarm_running = true;
		return true;
	case ALARM_HIGH:
		r->alarm_high = value;
		return false;
	case IRQ_ENABLED:
		r->irq_enabled = value & 1;
		break;
	case CLEAR_ALARM:
		r->alarm_running = false;
		return true;
	case CLEAR_INTERRUPT:
		r->irq_pending = false;
		break;
	default:
		return false;
	}
	update_irq(r);
	return false;
}

static bool rtc_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct goldfish_rtc *r = opaque;
	bool changed;

	if (size != 4)
		return false;
	pthread_mutex_lock(&r->lock);
	changed = reg_write(r, off, (uint32_t)value);
	pthread_mutex_unlock(&r->lock);
	if (changed)
		loop_post(r->vm->loop, &r->rearm);
	return true;
}

/* The time set by the guest stays, as on a battery-backed part. */
static void rtc_reset(struct dev *d)
{
	struct goldfish_rtc *r = container_of(d, struct goldfish_rtc, dev);

	pthread_mutex_lock(&r->lock);
	r->alarm_running = r->irq_enabled = r->irq_pending = false;
	r->alarm_ns = r->alarm_high = r->time_high = r->latched_high = 0;
	update_irq(r);
	pthread_mutex_unlock(&r->lock);
	loop_timer_cancel(r->vm->loop, &r->timer);
}

static void rtc_fini(struct dev *d)
{
	struct goldfish_rtc *r = container_of(d, struct goldfish_rtc, dev);

	loop_task_cancel(r->vm->loop, &r->rearm);
	loop_timer_cancel(r->vm->loop, &r->timer);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int goldfish_rtc_new(struct vm *vm, const struct goldfish_rtc_cfg *cfg, struct goldfish_rtc **out,
		     struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = rtc_reset, .fini = rtc_fini };
	static const struct bus_ops bus_ops = { rtc_read, rtc_write };
	struct goldfish_rtc *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	r->vm = vm;
	r->dev.ops = &dev_ops;
	r->dev.name = cfg->name;
	r->irq = cfg->irq;
	r->rearm.fn = on_rearm;
	r->timer.fn = on_timer;
	pthread_mutex_init(&r->lock, NULL);
	rc = bus_map(&vm->bus, &(struct bus_region){ cfg->base, 0x1000, &bus_ops, r, cfg->name },
		     err);
	if (rc) {
		rtc_fini(&r->dev);
		return rc;
	}
	vm_add_dev(vm, &r->dev);
	*out = r;
	return 0;
}
