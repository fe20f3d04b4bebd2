/* SPDX-License-Identifier: Apache-2.0 */
#include "config/netconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/vmconfig.h"

static int path_in(char buf[static PATH_MAX], const char *folder, const char *name, struct err *err)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", folder, name);

	return n < PATH_MAX ? 0 : err_set(err, -ENAMETOOLONG, "%s: the path is too long", folder);
}

static int check(const struct netconfig *n, const char *path, struct err *err)
{
	size_t len = strlen(n->subnet);

	if (!vmconfig_uuid_ok(n->id))
		return err_set(err, -EINVAL, "%s: id '%s' does not look like "
			       "8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11", path, n->id);
	/* Which addresses are good is hospes-switch's to say. */
	if (len < 4 || strcmp(n->subnet + len - 3, "/24") ||
	    strspn(n->subnet, "0123456789./") != len)
		return err_set(err, -EINVAL, "%s: subnet '%s' does not look like 10.88.1.0/24",
			       path, n->subnet);
	return 0;
}

static int take(struct netconfig *n, json_t *root, const char *path, struct err *err)
{
	const char *id, *subnet;
	int schema, nat = 0;
	json_error_t bad;

	if (json_unpack_ex(root, &bad, JSON_STRICT, "{s:i, s:s, s:s, s:b}", "schema", &schema, "id",
			   &id, "subnet", &subnet, "nat", &nat))
		return err_set(err, -EINVAL, "%s: %s", path, bad.text);
	if (schema != NETCONFIG_SCHEMA)
		return err_set(err, -EINVAL, "%s: its schema is not %d; it was written by another "
			       "version of hospes, use that one", path, NETCONFIG_SCHEMA);
	if (strlen(id) >= sizeof(n->id) || strlen(subnet) >= sizeof(n->subnet))
		return err_set(err, -EINVAL, "%s: id or subnet is too long", path);
	strcpy(n->id, id);
	strcpy(n->subnet, subnet);
	n->nat = nat;
	return check(n, path, err);
}

int netconfig_load(struct netconfig *n, const char *folder, struct err *err)
{
	char path[PATH_MAX];
	json_error_t bad;
	json_t *root;
	int rc = path_in(path, folder, "network.json", err);

	memset(n, 0, sizeof(*n));
	if (rc)
		return rc;
	if (access(path, R_OK))
		return err_sys(err, -errno, "%s", path);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);
	if (!root)
		return err_set(err, -EINVAL, "%s: line %d: %s", path, bad.line, bad.text);
	rc = take(n, root, path, err);
	json_decref(root);
	return rc;
}

static int write_file(const char *path, const char *text)
{
	size_t len = strlen(text), done = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;

	if (fd < 0)
		return -errno;
	while (!rc && done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			rc = -errno;
		else
			done += (size_t)n;
	}
	if (!rc && fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int netconfig_save(const struct netconfig *n, const char *folder, struct err *err)
{
	char path[PATH_MAX], fresh[PATH_MAX], text[256];
	int rc = path_in(path, folder, "network.json", err);

	if (!rc)
		rc = path_in(fresh, folder, "network.json.new", err);
	if (!rc)
		rc = check(n, path, err);
	if (rc)
		return rc;
	snprintf(text, sizeof(text),
		 "{\n    \"schema\": %d,\n    \"id\": \"%s\",\n    \"subnet\": \"%s\",\n"
		 "    \"nat\": %s\n}\n",
		 NETCONFIG_SCHEMA, n->id, n->subnet, n->nat ? "true" : "false");
	rc = write_file(fresh, text);
	if (!rc && rename(fresh, path))
		rc = -errno;
	return rc ? err_sys(err, rc, "%s cannot be written", path) : 0;
}
