/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bits.h"
#include "base/overflow.h"

/* ---- values --------------------------------------------------------------------------- */

int opts_set_flag(void *field, const char *text, struct err *err)
{
	*(bool *)field = true;
	return 0;
}

int opts_set_text(void *field, const char *text, struct err *err)
{
	if (!*text)
		return err_set(err, -EINVAL, "an empty value means nothing here; leave the option out");
	*(const char **)field = text;
	return 0;
}

int opts_add_text(void *field, const char *text, struct err *err)
{
	struct opts_list *list = field;

	if (list->count == OPTS_LIST_MAX)
		return err_set(err, -EINVAL, "it can be given at most %d times", OPTS_LIST_MAX);
	list->count++;
	return opts_set_text(&list->item[list->count - 1], text, err);
}

int opts_set_unsigned(void *field, const char *text, struct err *err)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || v > INT32_MAX)
		return err_set(err, -EINVAL, "give a whole number");
	*(unsigned *)field = (unsigned)v;
	return 0;
}

bool opts_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	uint64_t v;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || !*end)
		return false;
	unit = strchr(units, *end | 0x20);
	if (!unit || !*unit || (end[1] && strcasecmp(end + 1, "b") && strcasecmp(end + 1, "ib")))
		return false;
	return checked_mul(v, UINT64_C(1) << (10 * (unit - units + 1)), bytes) && *bytes <= INT64_MAX;
}

int opts_set_size(void *field, const char *text, struct err *err)
{
	if (!opts_parse_size(text, field))
		return err_set(err, -EINVAL, "give a size with its unit, like 512M or 2G");
	return 0;
}

/* ---- the command line ------------------------------------------------------------------- */

static const struct opt *find(const struct opt *o, const char *name, size_t len, char letter)
{
	for (; o->name || o->help; o++)
		if (o->name && (letter ? o->letter == letter
				       : strlen(o->name) == len && !memcmp(o->name, name, len)))
			return o;
	return NULL;
}

static int apply(const struct opt *o, void *target, const char *shown, const char *value,
		 struct opts_found *found, struct err *err)
{
	char prefix[128];
	int rc = o->set((char *)target + o->offset, value, err);

	if (rc) {
		snprintf(prefix, sizeof(prefix), "%s%s%.80s", shown, value ? " " : "", value ? value : "");
		return err_prefix(err, rc, prefix);
	}
	if (o->tag && !found->tagged)
		found->tagged = o;
	found->tags |= o->tag;
	return 0;
}

/* One option at argv[*i], which gets moved past its argument. */
static int parse_one(const struct opt *opts, void *target, int argc, char **argv, int *i,
		     struct opts_found *found, struct err *err)
{
	const char *arg = argv[*i], *value = NULL;
	bool is_long = arg[1] == '-';
	size_t len = is_long ? strcspn(arg + 2, "=") : 1;
	const struct opt *o = find(opts, arg + 2, len, is_long ? 0 : arg[1]);
	char shown[64];

	if (!o)
		return err_set(err, -EINVAL, "there is no option '%.*s'", is_long ? (int)len + 2 : 2,
			       arg);
	snprintf(shown, sizeof(shown), is_long ? "--%s" : "-%.1s", is_long ? o->name : &o->letter);
	if (is_long && arg[2 + len])
		value = arg + 3 + len;
	else if (!is_long && arg[2])
		value = arg + 2;
	if (!o->metavar && value)
		return err_set(err, -EINVAL, "%s takes no value: write it without '%s'", shown, value);
	if (o->metavar && !value) {
		if (*i + 1 >= argc)
			return err_set(err, -EINVAL, "%s needs a value: %s %s", shown, shown, o->metavar);
		value = argv[++*i];
	}
	return apply(o, target, shown, value, found, err);
}

int opts_parse(const struct opt *opts, void *target, int argc, char **argv,
	       struct opts_found *found, struct err *err)
{
	bool options = true;

	memset(found, 0, sizeof(*found));
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];

		if (options && arg[0] == '-' && arg[1]) {
			int rc;

			if (!strcmp(arg, "--")) {
				options = false;
				continue;
			}
			if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
				found->help = true;
				return 0;
			}
			rc = parse_one(opts, target, argc, argv, &i, found, err);
			if (rc)
				return rc;
		} else if (found->operand_count == OPTS_OPERANDS_MAX) {
			return err_set(err, -EINVAL, "'%.80s' is one argument too many", arg);
		} else {
			found->operand[found->operand_count++] = arg;
		}
	}
	return 0;
}
