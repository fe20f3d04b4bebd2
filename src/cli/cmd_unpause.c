/* SPDX-License-Identifier: Apache-2.0 */
/* hospes unpause: let a paused virtual machine go on. */
#include "cli/target.h"

static const struct opt unpause_opts[] = {
	{ 0 },
};

static int unpause_one(const struct target *t, void *args, struct err *err)
{
	return target_order(t, "resume", err);
}

static int unpause_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, OPTS_OPERANDS_MAX, unpause_one);
}

static const char *const unpause_text[] = {
	"Lets virtual machines go on that 'hospes pause' has stopped.",
	NULL
};

const struct command command_unpause = {
	.name = "unpause",
	.summary = "let a paused virtual machine go on",
	.operands = "VM...",
	.about = unpause_text,
	.opts = unpause_opts,
	.run = unpause_run,
};
