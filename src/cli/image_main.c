/* SPDX-License-Identifier: Apache-2.0 */
/* hospes-image: the part of `hospes image` that needs large libraries; see cli/image.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "cli/image.h"

static const struct {
	const char *name;
	int (*run)(const struct image_args *a);
} verbs[] = {
#define VERB(name, operands, fewest, most, options) { #name, image_##name },
#include "cli/image_verbs.def"
#undef VERB
};

static int dispatch(int argc, char **argv)
{
	const struct command *self = command_find("image");
	struct image_args args;
	int status;

	if (!image_parse(self, argc, argv, &args, &status))
		return status;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, args.verb))
			status = verbs[i].run(&args);
	return status;
}

int main(int argc, char **argv)
{
	int status;

	/* A limit of file sizes (ulimit -f) is an error of the write, which gets its sentence. */
	signal(SIGXFSZ, SIG_IGN);
	status = dispatch(argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && status == CLI_OK)
		return command_fail(CLI_FAILED, "standard output cannot be written: %s",
				    strerror(errno));
	return status;
}
