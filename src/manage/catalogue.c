/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/catalogue.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool fill(struct catalogue_entry *e, const json_t *entry)
{
	const char *url = json_string_value(json_object_get(entry, "url"));
	const char *sum = json_string_value(json_object_get(entry, "sha256"));
	const char *arch = json_string_value(json_object_get(entry, "arch"));
	json_int_t size = json_integer_value(json_object_get(entry, "size"));

	if (!url || !sum || !arch || size <= 0 || strlen(url) >= sizeof(e->url) ||
	    strlen(arch) >= sizeof(e->arch) || !digest_parse(sum, e->sha256))
		return false;
	strcpy(e->url, url);
	strcpy(e->arch, arch);
	e->size = (uint64_t)size;
	return true;
}

/* 1: found; 0: it is not in there. */
static int look(struct catalogue_entry *e, const char *name, const char *path, struct err *err)
{
	json_error_t bad;
	const json_t *entry;
	json_t *root;
	int rc;

	if (access(path, F_OK))
		return 0;
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);
	if (!root)
		return bad.line < 1 ? err_set(err, -EBADMSG, "%s", bad.text)
			: err_set(err, -EBADMSG, "%s: line %d: %s", path, bad.line, bad.text);
	entry = json_object_get(root, name);
	rc = !entry	      ? 0
	     : fill(e, entry) ? 1
			      : err_set(err, -EBADMSG,
					"%s: '%.80s' needs a \"url\", a \"sha256\" of 64 digits, "
					"an \"arch\" and "
					"a \"size\" in bytes",
					path, name);
	if (!json_is_object(root))
		rc = err_set(err, -EBADMSG,
			     "%s: a catalogue is an object {\"NAME\": {\"url\": ...}}", path);
	json_decref(root);
	return rc;
}

int catalogue_find(struct catalogue_entry *e, const char *name, const char *installed,
		   struct err *err)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char own[PATH_MAX] = "";
	int rc = 0;

	if (config && config[0] == '/')
		snprintf(own, sizeof(own), "%s/hospes/catalogue.json", config);
	else if (home && home[0] == '/')
		snprintf(own, sizeof(own), "%s/.config/hospes/catalogue.json", home);
	if (own[0])
		rc = look(e, name, own, err);
	if (!rc)
		rc = look(e, name, installed, err);
	if (!rc)
		return err_set(err, -ENOENT,
			       "no catalogue has an image '%.80s'; give a URL with --sha256, or "
			       "add it to %s",
			       name, own[0] ? own : installed);
	return rc < 0 ? rc : 0;
}
