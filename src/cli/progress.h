/* SPDX-License-Identifier: Apache-2.0 */
/* A bar on standard error for what takes more than a second; nothing where that is no terminal. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *doing, *what;	/* "copying", "debian" */
	double began, shown;
	bool off;
};

/* quiet: never shows anything. */
void progress_begin(struct progress *p, const char *doing, const char *what, bool quiet);

/* opaque is a struct progress; all may be 0 where nobody knows. Cheap; draws ten times a second. */
void progress_show(void *opaque, uint64_t done, uint64_t all);

/* Wipes the bar away. */
void progress_end(struct progress *p);

#endif
