/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/help.h"

#define COMMAND(name) extern const struct command command_##name;
#include "cli/commands.def"
#undef COMMAND

static const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "cli/commands.def"
#undef COMMAND
	NULL
};

const struct command *const *command_all(void)
{
	return commands;
}

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

int command_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("hospes: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

bool command_parse(const struct command *self, int argc, char **argv, void *target,
		   struct opts_found *found, int *status)
{
	struct err err;

	if (opts_parse(self->opts, target, argc, argv, found, &err)) {
		*status = command_fail(CLI_USAGE, "%s (see 'hospes help %s')", err.msg, self->name);
		return false;
	}
	if (found->help) {
		help_command(stdout, self);
		*status = CLI_OK;
		return false;
	}
	return true;
}
