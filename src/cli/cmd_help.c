/* SPDX-License-Identifier: Apache-2.0 */
/* hospes help: what there is, and how each is used. */
#include "cli/command.h"
#include "cli/help.h"

struct help_args {
	bool man;
};

static const struct opt help_opts[] = {
	{ "man", 0, NULL, "Prints a man page in man(7) form instead, for 'man -l -'.", opts_set_flag,
	  offsetof(struct help_args, man), 0 },
	{ 0 },
};

static int help_run(const struct command *self, int argc, char **argv)
{
	struct help_args args = { 0 };
	struct opts_found found;
	const struct command *c;
	int status;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (found.operand_count > 1)
		return command_fail(CLI_USAGE, "'%.80s' is one argument too many: name one command",
				    found.operand[1]);
	if (found.operand_count == 0) {
		(args.man ? man_overview : help_overview)(stdout);
		return CLI_OK;
	}
	c = command_find(found.operand[0]);
	if (!c)
		return command_fail(CLI_USAGE, "there is no command '%.80s'; 'hospes help' lists them",
				    found.operand[0]);
	(args.man ? man_command : help_command)(stdout, c);
	return CLI_OK;
}

static const char *const help_text[] = {
	"Lists the commands, or explains one of them.",
	NULL
};

const struct command command_help = {
	.name = "help",
	.summary = "list the commands, or explain one",
	.operands = "[COMMAND]",
	.about = help_text,
	.opts = help_opts,
	.run = help_run,
};
