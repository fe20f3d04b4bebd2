/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "manage/store.h"

enum { CELL = 256, COLUMNS_MAX = 12 };

int list_check(const struct list_args *args, const char *const *keys, struct err *err)
{
	for (unsigned i = 0; i < args->filters.count; i++) {
		const char *filter = args->filters.item[i];
		size_t len = strcspn(filter, "="), used = 0;
		char known[CELL] = "";
		bool found = false;

		for (const char *const *k = keys; *k; k++) {
			found = found || (strlen(*k) == len && !strncmp(filter, *k, len));
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
						 k == keys ? "" : ", ", *k);
			if (used >= sizeof(known))
				used = sizeof(known) - 1;
		}
		if (!filter[len] || !found)
			return err_set(err, -EINVAL, "--filter %.80s: give KEY=VALUE, where KEY is one of %s",
				       filter, known);
	}
	return 0;
}

/* ---- values as text ------------------------------------------------------------------------- */

static void size_text(char *buf, json_int_t bytes)
{
	static const char units[] = " KMGT";
	size_t u = 0;

	while (units[u + 1] && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	snprintf(buf, CELL, "%" JSON_INTEGER_FORMAT "%.*s", bytes, u > 0, units + u);
}

static void scalar_text(char *buf, const json_t *value)
{
	if (json_is_string(value))
		snprintf(buf, CELL, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, CELL, "%s", json_is_true(value) ? "true" : "false");
	else
		buf[0] = '\0';
}

static void cell_text(char *buf, const json_t *row, const struct list_column *column)
{
	const json_t *value = json_object_get(row, column->member);
	size_t used = 0, i;
	json_t *element;

	if (column->form == LIST_SIZE && json_is_integer(value)) {
		size_text(buf, json_integer_value(value));
	} else if (column->form == LIST_ID && json_is_string(value)) {
		store_short_id(buf, json_string_value(value));
	} else if (json_is_array(value)) {
		buf[0] = '\0';
		json_array_foreach(value, i, element) {
			char text[CELL];

			scalar_text(text, element);
			used += (size_t)snprintf(buf + used, CELL - used, "%s%s", i ? ", " : "", text);
			if (used >= CELL)
				return;
		}
	} else {
		scalar_text(buf, value);
	}
	if (!buf[0])
		snprintf(buf, CELL, "-");
}

/* ---- filters -------------------------------------------------------------------------------- */

static bool is_value(const json_t *value, const char *wanted)
{
	char text[CELL];

	scalar_text(text, value);
	return !strcmp(text, wanted);
}

static bool matches(const json_t *row, const char *filter)
{
	size_t len = strcspn(filter, "="), i;
	const json_t *value = json_object_getn(row, filter, len);
	json_t *element;

	if (!json_is_array(value))
		return is_value(value, filter + len + 1);
	json_array_foreach(value, i, element)
		if (is_value(element, filter + len + 1))
			return true;
	return false;
}

static void apply_filters(json_t *rows, const struct opts_list *filters)
{
	for (size_t i = json_array_size(rows); i > 0; i--)
		for (unsigned k = 0; k < filters->count; k++)
			if (!matches(json_array_get(rows, i - 1), filters->item[k])) {
				json_array_remove(rows, i - 1);
				break;
			}
}

/* ---- output --------------------------------------------------------------------------------- */

int list_print_json(json_t *value, struct err *err)
{
	char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;

	json_decref(value);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	puts(text);
	free(text);
	return 0;
}

static void print_table(const json_t *rows, const struct list_column *columns)
{
	int width[COLUMNS_MAX] = { 0 };
	char text[CELL];
	json_t *row;
	size_t i;

	for (size_t c = 0; columns[c].heading; c++)
		width[c] = (int)strlen(columns[c].heading);
	json_array_foreach(rows, i, row)
		for (size_t c = 0; columns[c].heading; c++) {
			cell_text(text, row, &columns[c]);
			if ((int)strlen(text) > width[c])
				width[c] = (int)strlen(text);
		}
	for (size_t c = 0; columns[c].heading; c++)
		printf("%-*s%s", columns[c + 1].heading ? width[c] : 0, columns[c].heading,
		       columns[c + 1].heading ? "  " : "\n");
	json_array_foreach(rows, i, row)
		for (size_t c = 0; columns[c].heading; c++) {
			cell_text(text, row, &columns[c]);
			printf("%-*s%s", columns[c + 1].heading ? width[c] : 0, text,
			       columns[c + 1].heading ? "  " : "\n");
		}
}

int list_print(json_t *rows, const struct list_args *args, const struct list_column *columns,
	       struct err *err)
{
	apply_filters(rows, &args->filters);
	if (args->json)
		return list_print_json(rows, err);
	print_table(rows, columns);
	json_decref(rows);
	return 0;
}
