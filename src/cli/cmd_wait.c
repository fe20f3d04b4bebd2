/* SPDX-License-Identifier: Apache-2.0 */
/* hospes wait: waits for the end of virtual machines. */
#include <errno.h>
#include <stdio.h>

#include "cli/target.h"

static const struct opt wait_opts[] = {
	{ 0 },
};

static int wait_one(const struct target *t, void *args, struct err *err)
{
	struct vmctl_end end;
	int rc = vmctl_wait_unlocked(t->dir, err);

	if (!rc)
		rc = vmctl_read_end(&end, t->dir, err);
	if (rc == -ENOENT)
		return err_set(err, rc, "VM '%s' does not run, and nobody wrote down how it ended: its processes "
			       "were killed, or it never ran", t->vm.name);
	if (!rc)
		printf("%s: %s\n", t->vm.name, end.text);
	return rc;
}

static int wait_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, OPTS_OPERANDS_MAX, wait_one);
}

static const char *const wait_text[] = {
	"Waits until virtual machines have ended for good, which is at once for those that do not run, and says "
	"how they ended.",
	NULL
};

const struct command command_wait = {
	.name = "wait",
	.summary = "wait for the end of a virtual machine",
	.operands = "VM...",
	.about = wait_text,
	.opts = wait_opts,
	.run = wait_run,
};
