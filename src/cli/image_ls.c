/* SPDX-License-Identifier: Apache-2.0 */
/* hospes image ls, rm: which images there are, and one less. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cli/image.h"
#include "manage/draft.h"
#include "manage/image.h"

enum { SHOWN_DIGITS = 12 };

static int is_description(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && n < sizeof(((struct store_vm *)0)->image) + 5 && e->d_name[0] != '.' &&
	       !strcmp(e->d_name + n - 5, ".json");
}

/* What cannot be used is listed with the reason: it can be removed. */
static json_t *describe(const struct store *s, const char *name)
{
	struct image img;
	struct err err;

	if (image_find(&img, s, name, &err))
		return json_pack("{s:s, s:s}", "name", name, "problem", err.msg);
	if (!img.digest[0])
		return json_pack("{s:s, s:s, s:I}", "name", name, "arch", img.arch, "size",
				 (json_int_t)img.size);
	return json_pack("{s:s, s:s, s:I, s:s+}", "name", name, "arch", img.arch, "size",
			 (json_int_t)img.size, "digest", "sha256:", img.digest);
}

static int collect(const struct store *s, json_t *list, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct dirent **e = NULL;
	int n, rc = store_path(s, path, sizeof(path), err, "images");

	if (rc)
		return rc;
	n = scandir(path, &e, is_description, alphasort);
	if (n < 0)
		return err_sys(err, -errno, "%s", path);
	for (int i = 0; i < n; i++) {
		e[i]->d_name[strlen(e[i]->d_name) - 5] = '\0';
		if (json_array_append_new(list, describe(s, e[i]->d_name)))
			rc = err_set(err, -ENOMEM, "the list of images: out of memory");
		free(e[i]);
	}
	free(e);
	return rc;
}

static void print(const json_t *list)
{
	const json_t *image;
	size_t i;

	printf("%-24s %-10s %10s  %s\n", "NAME", "ARCH", "SIZE", "SHA-256");
	json_array_foreach(list, i, image) {
		const char *problem = json_string_value(json_object_get(image, "problem"));
		const char *digest = json_string_value(json_object_get(image, "digest"));

		printf("%-24s ", json_string_value(json_object_get(image, "name")));
		if (problem)
			printf("%s\n", problem);
		else
			printf("%-10s %6llu MiB  %.*s\n",
			       json_string_value(json_object_get(image, "arch")),
			       (unsigned long long)json_integer_value(
				       json_object_get(image, "size")) /
				       MIB,
			       SHOWN_DIGITS, digest ? digest + strlen("sha256:") : "-");
	}
}

int image_ls(const struct image_args *a)
{
	struct store store = { 0 };
	json_t *list = json_array();
	struct err err;
	int rc = store_open(&store, &err);

	if (!rc)
		rc = collect(&store, list, &err);
	store_close(&store);
	if (!rc && a->json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!rc) {
		print(list);
	}
	json_decref(list);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}

int image_rm(const struct image_args *a)
{
	struct store store = { 0 };
	struct err err;
	int rc = store_open(&store, &err);

	if (!rc)
		rc = image_remove(&store, a->first, a->force, &err);
	store_close(&store);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}
