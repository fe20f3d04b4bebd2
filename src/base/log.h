/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per event on one file descriptor (standard error unless set).
 * Any thread may log. Guest-triggered messages go through log_limited(), so that a
 * guest cannot fill the host's log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Where lines go and the least important level that is written; call before threads start. */
void log_setup(int fd, const char *program, enum log_level most);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

/* A zeroed log_limit allows 8 lines a minute; what it swallows is counted in the next line. */
struct log_limit {
	_Atomic uint64_t window;	/* the minute the count belongs to */
	_Atomic uint32_t used;		/* lines written in it */
	_Atomic uint32_t swallowed;	/* lines dropped since the last one written */
};

/* As log_msg at LOG_WARN, rate-limited by lim; lim lives as long as the thing it belongs to. */
void log_limited(struct log_limit *lim, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
