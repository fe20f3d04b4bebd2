/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The start of a small file as text; false when it cannot be read. */
static bool read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	/* /proc gives no more than a page at a time. */
	while (fd >= 0 && len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	buf[len] = '\0';
	return len > 0;
}

void usage_add(struct usage *u, pid_t pid)
{
	uint64_t user, system, pages;
	char path[64], text[1024];
	const char *fields;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	/* Fields 14 and 15; the second one, in parentheses, may hold anything. */
	if (read_text(path, text, sizeof(text)) && (fields = strrchr(text, ')')) &&
	    sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user,
		   &system) == 2)
		u->cpu_ms += (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (read_text(path, text, sizeof(text)) && sscanf(text, "%*u %" SCNu64, &pages) == 1)
		u->rss += pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t usage_oom_kills(const char *vmstat)
{
	static const char key[] = "\noom_kill ";
	char text[16384];
	const char *at;
	uint64_t n = 0;

	if (read_text(vmstat, text, sizeof(text)) && (at = strstr(text, key)))
		sscanf(at + strlen(key), "%" SCNu64, &n);
	return n;
}
