/* SPDX-License-Identifier: Apache-2.0 */
/* hospes restart: shuts virtual machines down and starts them again. */
#include <errno.h>

#include "cli/launch.h"
#include "cli/target.h"

static const struct opt restart_opts[] = {
	{ 0 },
};

static int restart_one(const struct target *t, void *args, struct err *err)
{
	int rc = target_order(t, "stop", err);

	/* It may have ended by itself meanwhile. */
	if (rc == -ESRCH || rc == -EPIPE)
		rc = 0;
	if (!rc)
		rc = vmctl_wait_unlocked(t->dir, err);
	return rc ? rc : launch_vm(t, err);
}

static int restart_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, OPTS_OPERANDS_MAX, restart_one);
}

static const char *const restart_text[] = {
	"Shuts virtual machines down, as 'hospes stop' does with a minute's time, and starts them again in the "
	"background; those that do not run are just started.",
	NULL
};

const struct command command_restart = {
	.name = "restart",
	.summary = "shut a virtual machine down and start it again",
	.operands = "VM...",
	.about = restart_text,
	.opts = restart_opts,
	.run = restart_run,
};
