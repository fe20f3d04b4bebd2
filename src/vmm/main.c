/* SPDX-License-Identifier: Apache-2.0 */
/* hospes-vm: one virtual machine. Started by hospes; see hospes-vm(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/supervisor.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
	"usage: hospes-vm --dir DIR [--console-fd N] [--control-fd N]\n"
	"\n"
	"Runs the virtual machine whose configuration is DIR/config.json. Usually started by\n"
	"'hospes run', which makes the folder.\n"
	"\n"
	"  --dir DIR        the VM's folder; locked while the VM runs\n"
	"  --console-fd N   stream socket to pass the serial console through\n"
	"  --control-fd N   stream socket for events and orders, one JSON object a line\n"
	"  --help           this text\n"
	"  --version        the version\n";

static int fd_number(const char *text, const char *option)
{
	socklen_t len = sizeof(int);
	int type = 0;
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || *end || end == text || n < 3 || n > INT16_MAX ||
	    getsockopt((int)n, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM) {
		fprintf(stderr, "hospes-vm: %s %s: give the number of a stream socket, 3 or more\n", option,
			text);
		exit(EXIT_USAGE);
	}
	/* Nothing that is started later gets it. */
	fcntl((int)n, F_SETFD, FD_CLOEXEC);
	return (int)n;
}

/* Closes [from, below). */
static void close_between(int from, int below)
{
	if (from < below)
		close_range((unsigned)from, (unsigned)below - 1, 0);
}

/*
 * Of what was inherited, the VM's processes keep the two sockets and a place for the log. They have
 * no business with what is typed on a terminal, so they cannot read from it.
 */
static void own_descriptors(const struct supervisor_args *args)
{
	int low = args->console < args->control ? args->console : args->control;
	int high = args->console < args->control ? args->control : args->console;
	int null, log;

	if (low > STDERR_FILENO)
		close_between(STDERR_FILENO + 1, low);
	else
		low = STDERR_FILENO;
	if (high > low)
		close_between(low + 1, high);
	close_range((unsigned)(high > low ? high : low) + 1, UINT_MAX, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	log = isatty(STDERR_FILENO) ? open("/proc/self/fd/2", O_WRONLY | O_NOCTTY | O_CLOEXEC) : -1;
	if (log >= 0) {
		dup2(log, STDERR_FILENO);
		close(log);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "console-fd", required_argument, NULL, 'c' },
		{ "control-fd", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct supervisor_args args = { .console = -1, .control = -1 };
	struct err err;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'd':
			args.dir = optarg;
			break;
		case 'c':
			args.console = fd_number(optarg, "--console-fd");
			break;
		case 'j':
			args.control = fd_number(optarg, "--control-fd");
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_SUCCESS;
		case 'v':
			puts("hospes-vm " HOSPES_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs(help, stderr);
			return EXIT_USAGE;
		}
	if (!args.dir || optind < argc) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	own_descriptors(&args);
	log_setup(STDERR_FILENO, "hospes-vm", LOG_INFO);
	/* Signals of the terminal go to whoever started the VM, who passes on what is meant. */
	setsid();
	if (supervisor_run(&args, &err)) {
		log_error("%s", err.msg);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
