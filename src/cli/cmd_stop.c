/* SPDX-License-Identifier: Apache-2.0 */
/* hospes stop: has virtual machines shut down. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/target.h"

enum { DEFAULT_SECONDS = 60, MOST_SECONDS = 86400 };

struct stop_args {
	unsigned seconds;
	bool quiet;
};

static int set_seconds(void *field, const char *text, struct err *err)
{
	unsigned n;
	int rc = opts_set_unsigned(&n, text, err);

	if (rc)
		return rc;
	if (n > MOST_SECONDS)
		return err_set(err, -EINVAL, "a timeout has 0 to %d seconds", MOST_SECONDS);
	*(unsigned *)field = n;
	return 0;
}

static const struct opt stop_opts[] = {
	{ "timeout", 't', "SECONDS",
	  "How long the guest may take before it is stopped without regard to it. Default: 60.", set_seconds,
	  offsetof(struct stop_args, seconds), 0 },
	{ "quiet", 'q', NULL, "Do not say how it was stopped.", opts_set_flag,
	  offsetof(struct stop_args, quiet), 0 },
	{ 0 },
};

static const char *describe(const char *by)
{
	static const struct {
		const char *by, *text;
	} ways[] = {
		{ "agent", "the guest agent shut it down" },
		{ "power-button", "it powered off at the power button" },
		{ "kill", "it did not power off in time and was stopped" },
	};

	for (size_t i = 0; by && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].by, by))
			return ways[i].text;
	return "it has ended";
}

static int stop_one(const struct target *t, void *opaque, struct err *err)
{
	const struct stop_args *args = opaque;
	json_t *reply = NULL;
	struct vmctl c;
	int rc = target_connect(t, &c, err);

	if (!rc)
		rc = vmctl_call(&c, "stop", json_pack("{s:i}", "timeout", (int)args->seconds), &reply, err);
	if (!rc && !args->quiet)
		printf("%s: %s\n", t->vm.name, describe(json_string_value(json_object_get(reply, "by"))));
	json_decref(reply);
	vmctl_close(&c);
	return rc ? rc : vmctl_wait_unlocked(t->dir, err);
}

static int stop_run(const struct command *self, int argc, char **argv)
{
	struct stop_args args = { .seconds = DEFAULT_SECONDS };

	return target_each(self, argc, argv, &args, OPTS_OPERANDS_MAX, stop_one);
}

static const char *const stop_text[] = {
	"Has virtual machines shut down, and waits until they have. The guest agent is asked first, if it "
	"answers within two seconds; then the power button is pressed; and a guest that has not powered off in "
	"time is stopped. What it was is said.",
	NULL
};

const struct command command_stop = {
	.name = "stop",
	.summary = "shut a virtual machine down",
	.operands = "VM...",
	.about = stop_text,
	.opts = stop_opts,
	.run = stop_run,
};
