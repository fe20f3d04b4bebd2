/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void progress_begin(struct progress *p, const char *doing, const char *what, bool quiet)
{
	*p = (struct progress){doing, what, .began = seconds(),
			       .off = quiet || !isatty(STDERR_FILENO)};
}

void progress_show(void *opaque, uint64_t done, uint64_t all)
{
	enum { BAR = 32 };
	struct progress *p = opaque;
	double now, part = all ? (double)done / (double)all : 0;
	int full;

	if (p->off)
		return;
	now = seconds();
	if (now - p->began < 1 || now - p->shown < 0.1)
		return;
	p->shown = now;
	full = (int)((part < 1 ? part : 1) * BAR);
	if (all)
		fprintf(stderr, "\r%s %s [%.*s%*s] %3d%%", p->doing, p->what, full,
			"################################", BAR - full, "", (int)(part * 100));
	else
		fprintf(stderr, "\r%s %s: %llu MiB", p->doing, p->what,
			(unsigned long long)(done / MIB));
}

void progress_end(struct progress *p)
{
	if (p->shown > 0)
		fputs("\r\033[K", stderr);
	p->shown = 0;
}
