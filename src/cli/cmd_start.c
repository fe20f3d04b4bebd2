/* SPDX-License-Identifier: Apache-2.0 */
/* hospes start: starts virtual machines in the background. */
#include <errno.h>

#include "cli/launch.h"
#include "cli/target.h"

static const struct opt start_opts[] = {
	{ 0 },
};

static int start_one(const struct target *t, void *args, struct err *err)
{
	return launch_vm(t, err);
}

static int start_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, OPTS_OPERANDS_MAX, start_one);
}

static const char *const start_text[] = {
	"Starts virtual machines that exist, in the background: they go on when this command and the terminal "
	"have gone, until the guest powers off or 'hospes stop' is given. 'hospes console' and 'hospes logs' "
	"show what they write.",
	"A VM's restart policy counts from its start on.",
	NULL
};

const struct command command_start = {
	.name = "start",
	.summary = "start a virtual machine in the background",
	.operands = "VM...",
	.about = start_text,
	.opts = start_opts,
	.run = start_run,
};
