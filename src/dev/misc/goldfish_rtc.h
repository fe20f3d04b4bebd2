/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goldfish RTC (Android emulator; Linux drivers/rtc/rtc-goldfish.c): nanoseconds since 1970
 * in two 32-bit registers, settable, with an alarm. Register accesses come from vCPU
 * threads; the alarm is a timer of the VM's loop.
 */
#ifndef DEV_MISC_GOLDFISH_RTC_H
#define DEV_MISC_GOLDFISH_RTC_H

#include "core/vm.h"

struct goldfish_rtc;

struct goldfish_rtc_cfg {
	gpa_t base;		/* 4 KiB */
	struct irq_line irq;
	const char *name;
};

/* Maps itself and joins vm, which owns it from then on. */
int goldfish_rtc_new(struct vm *vm, const struct goldfish_rtc_cfg *cfg, struct goldfish_rtc **out,
		     struct err *err);

#endif
