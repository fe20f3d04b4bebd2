/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's log in the VM's folder: console.log, and console.log.1 with what came
 * before, together at most 2 * CONSOLE_LOG_BYTES: a guest cannot fill the host.
 */
#ifndef VMM_CONSOLE_LOG_H
#define VMM_CONSOLE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { CONSOLE_LOG_BYTES = 4 << 20 };

struct console_log {
	int dir, fd;		/* -1 once writing has failed: the VM goes on without */
	uint64_t size;
};

/* Starts a new log in the folder behind dir (borrowed); what was there becomes console.log.1. */
int console_log_open(struct console_log *l, int dir, struct err *err);

void console_log_write(struct console_log *l, const uint8_t *buf, size_t len);

void console_log_close(struct console_log *l);

#endif
