/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log in the VM's folder that cannot fill the host: NAME, and NAME.1 with what came before, together
 * at most twice the bound.
 */
#ifndef VMM_BOUNDED_LOG_H
#define VMM_BOUNDED_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { CONSOLE_LOG_BYTES = 4 << 20, SUPERVISOR_LOG_BYTES = 256 << 10 };

struct bounded_log {
	const char *name;
	int dir, fd;		/* -1 once writing has failed: the VM goes on without */
	uint64_t size, bound;
};

/*
 * Opens the log called name (borrowed) in the folder behind dir (borrowed). renew: a new one is
 * begun, and what was there becomes NAME.1; else it goes on where it ended.
 */
int bounded_log_open(struct bounded_log *l, int dir, const char *name, uint64_t bound, bool renew,
		     struct err *err);

void bounded_log_write(struct bounded_log *l, const uint8_t *buf, size_t len);

/* Accepts one that is closed. */
void bounded_log_close(struct bounded_log *l);

#endif
