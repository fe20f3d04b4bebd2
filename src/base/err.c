/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	char buf[128];
	const char *reason;
	size_t used, most;
	va_list ap;

	if (!err)
		return code;
	reason = strerror_r(-code, buf, sizeof(buf));
	/* Of a sentence that is too long, the reason stays. */
	most = sizeof(err->msg) - strlen(reason) - strlen(": ");
	va_start(ap, fmt);
	vsnprintf(err->msg, most, fmt, ap);
	va_end(ap);
	used = strlen(err->msg);
	snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", reason);
	return code;
}

int err_prefix(struct err *err, int code, const char *prefix)
{
	char old[sizeof(err->msg)];
	int n;

	if (!err)
		return code;
	memcpy(old, err->msg, sizeof(old));
	n = snprintf(err->msg, sizeof(err->msg), "%s: ", prefix);
	if (n >= 0 && (size_t)n < sizeof(err->msg))
		memccpy(err->msg + n, old, '\0', sizeof(err->msg) - (size_t)n);
	err->msg[sizeof(err->msg) - 1] = '\0';
	return code;
}
