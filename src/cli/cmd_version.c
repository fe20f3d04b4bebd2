/* SPDX-License-Identifier: Apache-2.0 */
/* hospes version: which hospes this is. */
#include <stdio.h>

#include "cli/command.h"

static const struct opt version_opts[] = {
	{ 0 },
};

static int version_run(const struct command *self, int argc, char **argv)
{
	struct opts_found found;
	int status;

	if (!command_parse(self, argc, argv, NULL, &found, &status))
		return status;
	if (found.operand_count)
		return command_fail(CLI_USAGE, "'%.80s' is one argument too many: version takes none",
				    found.operand[0]);
	puts("hospes " HOSPES_VERSION);
	return CLI_OK;
}

static const char *const version_text[] = {
	"Prints the version of hospes.",
	NULL
};

const struct command command_version = {
	.name = "version",
	.summary = "print the version",
	.operands = "",
	.about = version_text,
	.opts = version_opts,
	.run = version_run,
};
