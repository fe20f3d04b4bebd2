/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/helper.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int helper_find(const char *name, char *path, size_t size, struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (n < 0)
		return err_sys(err, -errno, "/proc/self/exe");
	path[n] = '\0';
	slash = strrchr(path, '/') + 1;
	if ((size_t)(slash - path) + strlen(name) + 1 > size)
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
	strcpy(slash, name);
	if (access(path, X_OK))
		return err_sys(err, -errno, "%s is needed for the network (or use --net none)",
			       path);
	return 0;
}

int helper_await(const char *name, int status, struct err *err)
{
	char line[sizeof(err->msg)];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(line) - 1) {
		n = read(status, line + len, sizeof(line) - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "ready"))
		return 0;
	if (*line)
		return err_set(err, -ENETDOWN, "%s", line);
	return err_set(err, -ENETDOWN, "%s ended before it was ready", name);
}
