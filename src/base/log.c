/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES_PER_MINUTE = 8 };

static struct {
	int fd;
	enum log_level most;
	char program[32];
} sink = { .fd = STDERR_FILENO, .most = LOG_INFO, .program = "hospes" };

void log_setup(int fd, const char *program, enum log_level most)
{
	sink.fd = fd;
	sink.most = most;
	snprintf(sink.program, sizeof(sink.program), "%s", program);
}

__attribute__((format(printf, 3, 0)))
static void emit(enum log_level level, uint32_t swallowed, const char *fmt, va_list ap)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error: ", [LOG_WARN] = "warning: ", [LOG_INFO] = "", [LOG_DEBUG] = "debug: ",
	};
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s: %s", sink.program, names[level]);
	size_t used = (size_t)n;

	n = vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	if (n > 0)
		used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n : sizeof(line) - used - 2;
	if (swallowed) {
		n = snprintf(line + used, sizeof(line) - used - 1, " (%u like it not shown)", swallowed);
		if (n > 0)
			used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n
								    : sizeof(line) - used - 2;
	}
	line[used++] = '\n';
	/* One write keeps lines of several threads whole; a full or closed log is not an error. */
	if (write(sink.fd, line, used) < 0)
		return;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > sink.most)
		return;
	va_start(ap, fmt);
	emit(level, 0, fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *lim, const char *fmt, ...)
{
	struct timespec ts;
	uint64_t minute;
	va_list ap;

	if (LOG_WARN > sink.most)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	minute = (uint64_t)ts.tv_sec / 60 + 1;
	/* Relaxed throughout: a line more or less at the turn of a minute does no harm. */
	if (atomic_exchange_explicit(&lim->window, minute, memory_order_relaxed) != minute)
		atomic_store_explicit(&lim->used, 0, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&lim->used, 1, memory_order_relaxed) >= LINES_PER_MINUTE) {
		atomic_fetch_add_explicit(&lim->swallowed, 1, memory_order_relaxed);
		return;
	}
	va_start(ap, fmt);
	emit(LOG_WARN, atomic_exchange_explicit(&lim->swallowed, 0, memory_order_relaxed), fmt, ap);
	va_end(ap);
}
