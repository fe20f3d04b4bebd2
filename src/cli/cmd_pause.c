/* SPDX-License-Identifier: Apache-2.0 */
/* hospes pause: stop a virtual machine's CPUs and clock. */
#include "cli/target.h"

static const struct opt pause_opts[] = {
	{ 0 },
};

static int pause_one(const struct target *t, void *args, struct err *err)
{
	return target_order(t, "pause", err);
}

static int pause_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, OPTS_OPERANDS_MAX, pause_one);
}

static const char *const pause_text[] = {
	"Stops the CPUs, devices and clock of virtual machines that run; 'hospes unpause' lets them go on. They keep their memory.",
	NULL
};

const struct command command_pause = {
	.name = "pause",
	.summary = "stop a virtual machine's CPUs and clock",
	.operands = "VM...",
	.about = pause_text,
	.opts = pause_opts,
	.run = pause_run,
};
