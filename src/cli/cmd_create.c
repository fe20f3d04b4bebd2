/* SPDX-License-Identifier: Apache-2.0 */
/* hospes create: makes a virtual machine without running it. */
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/newvm.h"

#define AT(field) offsetof(struct run_args, field)
enum { MAKES = 0 };

static const struct opt create_opts[] = {
	{ "name", 0, "NAME",
	  "What the VM is called: letters, digits, '_', '.' and '-'. Without it a name is made up.",
	  newvm_set_name, AT(name), 0 },
	{ "rm", 0, NULL, "Remove the VM and its own disk when it has run.", opts_set_flag, AT(rm), 0 },
#include "cli/newvm_opts.def"
	{ 0 },
};

static int create_run(const struct command *self, int argc, char **argv)
{
	struct run_args args = { 0 };
	struct opts_found found;
	struct store_vm vm = { 0 };
	struct store store;
	struct err err;
	int status, held, rc;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (found.operand_count > 1)
		return command_fail(CLI_USAGE, "'%.80s' is one argument too many: a VM is made from one "
				    "image", found.operand[1]);
	args.image = found.operand_count ? found.operand[0] : NULL;
	vm.auto_remove = args.rm;
	if (store_open(&store, &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	rc = newvm_create(&args, &store, &vm, true, &held, &status, &err);
	if (held >= 0)
		close(held);
	store_close(&store);
	if (rc)
		return command_fail(status, "%s", err.msg);
	puts(vm.name);
	return CLI_OK;
}

static const char *const create_text[] = {
	"Makes a virtual machine, as 'hospes run' would, and prints its name. It is started later.",
	NULL
};

static const struct command_note create_examples[] = {
	{ "hospes create --name web -m 2G -p 8080:80 debian",
	  "One called web, whose port 80 will be this host's port 8080." },
	{ "hospes run --name web", "Starts it, with its console on this terminal." },
	{ NULL, NULL },
};

const struct command command_create = {
	.name = "create",
	.summary = "make a virtual machine without running it",
	.operands = "[IMAGE]",
	.about = create_text,
	.opts = create_opts,
	.examples = create_examples,
	.run = create_run,
};
