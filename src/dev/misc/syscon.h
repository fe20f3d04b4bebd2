/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SiFive test finisher, which device trees use as syscon for power-off and reboot: a 32-bit
 * store of 0x5555 powers off, (code << 16) | 0x3333 reports failure, 0x7777 resets.
 */
#ifndef DEV_MISC_SYSCON_H
#define DEV_MISC_SYSCON_H

#include "core/vm.h"

enum { SYSCON_POWEROFF = 0x5555, SYSCON_FAIL = 0x3333, SYSCON_RESET = 0x7777 };

struct syscon;

struct syscon_cfg {
	gpa_t base;		/* 4 KiB */
	const char *name;
};

/* Maps itself and joins vm, which owns it from then on. */
int syscon_new(struct vm *vm, const struct syscon_cfg *cfg, struct syscon **out, struct err *err);

#endif
