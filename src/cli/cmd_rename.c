/* SPDX-License-Identifier: Apache-2.0 */
/* hospes rename: gives a virtual machine another name. */
#include "cli/command.h"
#include "cli/newvm.h"
#include "manage/store.h"

static const struct opt rename_opts[] = {
	{ 0 },
};

static int rename_run(const struct command *self, int argc, char **argv)
{
	struct opts_found found;
	struct store_vm vm;
	struct store store;
	const char *name;
	struct err err;
	int status, rc;

	if (!command_parse(self, argc, argv, NULL, &found, &status))
		return status;
	if (found.operand_count != 2)
		return command_fail(CLI_USAGE, "rename needs a VM and its new name (see 'hospes help rename')");
	if (newvm_set_name(&name, found.operand[1], &err))
		return command_fail(CLI_USAGE, "'%.80s': %s", found.operand[1], err.msg);
	if (store_open(&store, &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	rc = store_find_vm(&store, found.operand[0], &vm, &err);
	if (!rc)
		rc = store_rename_vm(&store, &vm, name, &err);
	store_close(&store);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}

static const char *const rename_text[] = {
	"Gives a virtual machine another name. Its id stays, and so does all else. A VM that runs can be "
	"renamed; its own processes use the new name from its next start on.",
	NULL
};

const struct command command_rename = {
	.name = "rename",
	.summary = "give a virtual machine another name",
	.operands = "VM NAME",
	.about = rename_text,
	.opts = rename_opts,
	.run = rename_run,
};
