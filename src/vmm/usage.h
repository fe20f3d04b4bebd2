/* SPDX-License-Identifier: Apache-2.0 */
/* What the VM's processes use, and what the kernel says of memory that ran out: from /proc. */
#ifndef VMM_USAGE_H
#define VMM_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
	uint64_t cpu_ms;	/* user and system */
	uint64_t rss;		/* bytes */
};

/* Adds what process pid uses to u; one that is not there adds nothing. */
void usage_add(struct usage *u, pid_t pid);

/*
 * How many processes the kernel has killed so far because memory ran out, on this host or in one
 * of its control groups: the counter oom_kill of vmstat, a file like /proc/vmstat. 0 when
 * it cannot be read.
 */
uint64_t usage_oom_kills(const char *vmstat);

#endif
