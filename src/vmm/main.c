/* SPDX-License-Identifier: Apache-2.0 */
/* hospes-vm: one virtual machine. Started by hospes; see hospes-vm(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/supervisor.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
	"usage: hospes-vm --dir DIR [OPTION]...\n"
	"\n"
	"Runs the virtual machine whose configuration is DIR/config.json. Usually started by\n"
	"'hospes run' or 'hospes start'.\n"
	"\n"
	"  --dir DIR            the VM's folder; locked while the VM runs\n"
	"  --runtime DIR        make this folder with control.sock and console.sock, and log to\n"
	"                       supervisor.log in the VM's folder\n"
	"  --ready-fd N         write one line there: 'ready' when the guest runs, or what is wrong;\n"
	"                       its other end is closed when the sockets are connected to\n"
	"  --restart POLICY     no (the default), on-failure or always\n"
	"  --restart-delay MS   before the first restart; doubles up to a minute. Default: 1000\n"
	"  --console-fd N       stream socket of a client of the console\n"
	"  --control-fd N       stream socket of a client of the control protocol; its end stops the VM\n"
	"  --help               this text\n"
	"  --version            the version\n";

enum { FIRST_DELAY_MS = 1000, MOST_DELAY_MS = 60000 };

static __attribute__((noreturn)) void usage(const char *option, const char *text, const char *remedy)
{
	fprintf(stderr, "hospes-vm: %s %s: %s\n", option, text, remedy);
	exit(EXIT_USAGE);
}

static long number(const char *text, long least, long most)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	return errno || *end || end == text || n < least || n > most ? -1 : n;
}

/* A descriptor that was inherited; nothing that is started later gets it. */
static int fd_number(const char *text, const char *option)
{
	long n = number(text, STDERR_FILENO + 1, INT16_MAX);

	if (n < 0 || fcntl((int)n, F_SETFD, FD_CLOEXEC))
		usage(option, text, "give the number of an open descriptor, 3 or more");
	return (int)n;
}

static int socket_number(const char *text, const char *option)
{
	long n = number(text, STDERR_FILENO + 1, INT16_MAX);
	socklen_t len = sizeof(int);
	int type = 0;

	if (n < 0 || getsockopt((int)n, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
		usage(option, text, "give the number of a stream socket, 3 or more");
	return fd_number(text, option);
}

static enum restart_policy policy(const char *text)
{
	static const char *const names[] = {
		[RESTART_NO] = "no", [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], text))
			return (enum restart_policy)i;
	usage("--restart", text, "give no, on-failure or always");
}

static unsigned delay(const char *text)
{
	long n = number(text, 1, MOST_DELAY_MS);

	if (n < 0)
		usage("--restart-delay", text, "give 1 to 60000 milliseconds");
	return (unsigned)n;
}

/* Closes all descriptors from 3 on but those in keep (-1: none). */
static void close_others(int keep[], unsigned n)
{
	int next = STDERR_FILENO + 1;

	for (;;) {
		int least = INT_MAX;

		for (unsigned i = 0; i < n; i++)
			if (keep[i] >= next && keep[i] < least)
				least = keep[i];
		if (least > next)
			close_range((unsigned)next, least == INT_MAX ? UINT_MAX : (unsigned)least - 1, 0);
		if (least == INT_MAX)
			return;
		next = least + 1;
	}
}

/*
 * Of what was inherited, the VM's processes keep the sockets and a place for the log. They have
 * no business with what is typed on a terminal, so they cannot read from it.
 */
static void own_descriptors(const struct supervisor_args *args)
{
	int keep[] = { args->console, args->control, args->ready };
	int null, log;

	close_others(keep, sizeof(keep) / sizeof(keep[0]));
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (fcntl(STDERR_FILENO, F_GETFD) < 0)
			dup2(null, STDERR_FILENO);
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
		{ "runtime", required_argument, NULL, 'r' },
		{ "ready-fd", required_argument, NULL, 'f' },
		{ "restart", required_argument, NULL, 'p' },
		{ "restart-delay", required_argument, NULL, 't' },
		{ "console-fd", required_argument, NULL, 'c' },
		{ "control-fd", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct supervisor_args args = { .ready = -1, .console = -1, .control = -1,
					.restart_delay_ms = FIRST_DELAY_MS };
	struct err err;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'd':
			args.dir = optarg;
			break;
		case 'r':
			args.runtime = optarg;
			break;
		case 'f':
			args.ready = fd_number(optarg, "--ready-fd");
			break;
		case 'p':
			args.restart = policy(optarg);
			break;
		case 't':
			args.restart_delay_ms = delay(optarg);
			break;
		case 'c':
			args.console = socket_number(optarg, "--console-fd");
			break;
		case 'j':
			args.control = socket_number(optarg, "--control-fd");
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
