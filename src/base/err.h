/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that a user reads.
 *
 * Open, init and API paths return 0 or -errno and also take a `struct err`. The
 * leaf that finds the fault writes the whole sentence: the thing, what is wrong
 * with it, and the remedy. Callers pass it on or prefix it; they do not rewrite it.
 * The data path formats no text.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

struct err {
	char msg[512];
};

/*
 * Writes the sentence (printf format, cut at the buffer's end) and returns code,
 * so that a leaf can `return err_set(err, -EINVAL, "...")`. err may be NULL.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * As err_set with ": " and strerror(-code) behind the sentence, which is cut to make room for it;
 * code is -errno.
 */
int err_sys(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the sentence already in err; returns code. */
int err_prefix(struct err *err, int code, const char *prefix);

#endif
