/* SPDX-License-Identifier: Apache-2.0 */
/* hospes set: changes what a virtual machine is made of. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/newvm.h"
#include "manage/store.h"

struct set_args {
	uint64_t memory;
	unsigned cpus;
};

#define AT(field) offsetof(struct set_args, field)

static const struct opt set_opts[] = {
	{ "memory", 'm', "SIZE", "Memory, like 512M or 2G; 16M or more.", newvm_set_memory, AT(memory), 0 },
	{ "cpus", 0, "N", "CPUs, 1 to 8.", newvm_set_cpus, AT(cpus), 0 },
	{ 0 },
};

static int edit(void *opaque, struct vmconfig *c, struct err *err)
{
	const struct set_args *args = opaque;

	c->memory = args->memory ? args->memory : c->memory;
	c->cpus = args->cpus ? args->cpus : c->cpus;
	return newvm_check_memory(c->memory, err);
}

static int set_run(const struct command *self, int argc, char **argv)
{
	struct set_args args = { 0 };
	struct opts_found found;
	struct store_vm vm;
	struct store store;
	struct err err;
	int status, rc;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (found.operand_count != 1)
		return command_fail(CLI_USAGE, "set needs the name or id of one VM (see 'hospes help set')");
	if (!args.memory && !args.cpus)
		return command_fail(CLI_USAGE, "nothing to set: give --memory or --cpus");
	if (store_open(&store, &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	rc = store_find_vm(&store, found.operand[0], &vm, &err);
	if (!rc)
		rc = store_edit_config(&store, &vm, edit, &args, &err);
	store_close(&store);
	return rc ? command_fail(CLI_FAILED, "%s: %s", found.operand[0], err.msg) : CLI_OK;
}

static const char *const set_text[] = {
	"Changes the memory or the number of CPUs of a virtual machine that does not run.",
	NULL
};

static const struct command_note set_examples[] = {
	{ "hospes set -m 4G --cpus 4 web", "From its next start on, web is larger." },
	{ NULL, NULL },
};

const struct command command_set = {
	.name = "set",
	.summary = "change memory or CPUs of a virtual machine",
	.operands = "VM",
	.about = set_text,
	.opts = set_opts,
	.examples = set_examples,
	.run = set_run,
};
