/* SPDX-License-Identifier: Apache-2.0 */
/* hospes: the command line. Finds the command and hands over to it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/help.h"

/* A closed descriptor 0, 1 or 2 would become some socket, and get what is printed. */
static void open_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int dispatch(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		help_overview(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		c = command_find("help");
	else if (!strcmp(argv[1], "--version"))
		c = command_find("version");
	else
		c = command_find(argv[1]);
	if (!c)
		return command_fail(CLI_USAGE, "there is no %s '%.80s'; 'hospes help' lists the commands",
				    argv[1][0] == '-' ? "option" : "command", argv[1]);
	return c->run(c, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status;

	open_standard_descriptors();
	/* A limit of file sizes (ulimit -f) is an error of the write, which gets its sentence. */
	signal(SIGXFSZ, SIG_IGN);
	status = dispatch(argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && status == CLI_OK)
		return command_fail(CLI_FAILED, "standard output cannot be written: %s", strerror(errno));
	return status;
}
