/* SPDX-License-Identifier: Apache-2.0 */
/* hospes ps: which virtual machines there are. */
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/describe.h"
#include "cli/list.h"

struct ps_args {
	struct list_args list;
	bool all;
};

#define AT(field) offsetof(struct ps_args, field)

static const struct opt ps_opts[] = {
	{ "all", 'a', NULL, "VMs that do not run, too.", opts_set_flag, AT(all), 0 },
	{ "filter", 0, "KEY=VALUE",
	  "Only VMs whose KEY is VALUE; may be repeated, then all must match. KEY is id, name, image, state, "
	  "cpus, memory, ports, restart, autostart or auto_remove.",
	  opts_add_text, AT(list.filters), 0 },
	{ "json", 0, NULL, "Print a JSON array, with all that is known.", opts_set_flag, AT(list.json), 0 },
	{ 0 },
};

static const char *const keys[] = {
	"id", "name", "image", "state", "cpus", "memory", "ports", "restart", "autostart", "auto_remove", NULL
};

static const struct list_column columns[] = {
	{ "ID", "id", LIST_ID }, { "NAME", "name", LIST_TEXT }, { "IMAGE", "image", LIST_TEXT },
	{ "STATE", "state", LIST_TEXT }, { "CPUS", "cpus", LIST_TEXT }, { "MEMORY", "memory", LIST_SIZE },
	{ "PORTS", "ports", LIST_TEXT }, { 0 },
};

struct collector {
	struct store *store;
	json_t *rows;
	bool all;
};

static int collect(void *opaque, const struct store_vm *vm, struct err *err)
{
	struct collector *c = opaque;
	json_t *row;

	if (!c->all && !store_vm_runs(c->store, vm->id))
		return 0;
	row = describe_vm(c->store, vm);
	return json_array_append_new(c->rows, row) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int ps_run(const struct command *self, int argc, char **argv)
{
	struct ps_args args = { 0 };
	struct opts_found found;
	struct collector c;
	struct store store;
	struct err err;
	int status, rc;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (found.operand_count)
		return command_fail(CLI_USAGE, "'%.80s' is one argument too many: ps takes none",
				    found.operand[0]);
	if (list_check(&args.list, keys, &err))
		return command_fail(CLI_USAGE, "%s", err.msg);
	if (store_open(&store, &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	c = (struct collector){ .store = &store, .rows = json_array(), .all = args.all };
	rc = store_list_vms(&store, collect, &c, &err);
	if (rc)
		json_decref(c.rows);
	else
		rc = list_print(c.rows, &args.list, columns, &err);
	store_close(&store);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}

static const char *const ps_text[] = {
	"Lists the virtual machines that run, the oldest first; with --all, all of them.",
	NULL
};

static const struct command_note ps_examples[] = {
	{ "hospes ps -a --filter state=stopped", "What could be started." },
	{ "hospes ps --json", "For programs; memory is in bytes, times are in ms since 1970." },
	{ NULL, NULL },
};

const struct command command_ps = {
	.name = "ps",
	.summary = "list virtual machines",
	.operands = "",
	.about = ps_text,
	.opts = ps_opts,
	.examples = ps_examples,
	.run = ps_run,
};
