/* SPDX-License-Identifier: Apache-2.0 */
/* hospes events: what happens to a virtual machine, as it happens. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/target.h"

static const struct opt events_opts[] = {
	{ 0 },
};

static void print(void *opaque, const json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT);

	if (text)
		puts(text);
	fflush(stdout);
	free(text);
}

static int events_one(const struct target *t, void *args, struct err *err)
{
	json_t *object;
	struct vmctl c;
	int rc = target_connect(t, &c, err);

	if (!rc) {
		c.event = print;
		rc = vmctl_call(&c, "subscribe", NULL, NULL, err);
	}
	while (!rc && !ferror(stdout) && !(rc = vmctl_next(&c, &object, err))) {
		print(NULL, object);
		json_decref(object);
	}
	vmctl_close(&c);
	return rc == -EPIPE ? 0 : rc;
}

static int events_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, 1, events_one);
}

static const char *const events_text[] = {
	"Prints what happens to a virtual machine that runs, one JSON object a line, until it has ended: "
	"started, reset, paused, resumed, stopping, ended. docs/control.md describes them.",
	NULL
};

const struct command command_events = {
	.name = "events",
	.summary = "print what happens to a virtual machine",
	.operands = "VM",
	.about = events_text,
	.opts = events_opts,
	.run = events_run,
};
