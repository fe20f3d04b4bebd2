/* SPDX-License-Identifier: Apache-2.0 */
/* hospes kill: end a virtual machine at once. */
#include "cli/target.h"

static const struct opt kill_opts[] = {
	{ 0 },
};

static int kill_one(const struct target *t, void *args, struct err *err)
{
	int rc = target_order(t, "kill", err);

	return rc ? rc : vmctl_wait_unlocked(t->dir, err);
}

static int kill_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, OPTS_OPERANDS_MAX, kill_one);
}

static const char *const kill_text[] = {
	"Ends virtual machines at once, like pulling the plug: the guest hears nothing of it. What it has flushed is on its disks.",
	NULL
};

const struct command command_kill = {
	.name = "kill",
	.summary = "end a virtual machine at once",
	.operands = "VM...",
	.about = kill_text,
	.opts = kill_opts,
	.run = kill_run,
};
