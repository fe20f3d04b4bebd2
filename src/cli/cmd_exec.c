/* SPDX-License-Identifier: Apache-2.0 */
/* hospes exec: runs a program in a virtual machine, through its guest agent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/target.h"
#include "manage/agent_exec.h"

struct exec_args {
	bool interactive;
	struct opts_list env;
	unsigned timeout;
};

#define AT(field) offsetof(struct exec_args, field)

static const struct opt exec_opts[] = {
	{ "interactive", 'i', NULL,
	  "Read standard input to its end and give it to the command. Without it the command's input "
	  "is empty.", opts_set_flag, AT(interactive), 0 },
	{ "env", 'e', "NAME=VALUE",
	  "A variable of the command's environment, which is then made of these alone. Can be given "
	  "several times.", opts_add_text, AT(env), 0 },
	{ "timeout", 't', "SECONDS",
	  "Stop waiting after this time; the command goes on in the guest. Without it, or with 0, "
	  "there is no limit.", opts_set_unsigned, AT(timeout), 0 },
	{ 0 },
};

/* Standard input to its end, at most a byte more than an agent takes; the caller frees it. */
static int read_input(struct agent_exec *what, char **input, struct err *err)
{
	size_t room = 0;
	ssize_t n = 1;

	while (n && what->input_len <= AGENT_INPUT_MAX) {
		if (what->input_len == room) {
			char *more = realloc(*input, room = room ? room * 2 : 1 << 16);

			if (!more)
				return err_set(err, -ENOMEM, "out of memory for standard input");
			*input = more;
		}
		n = read(STDIN_FILENO, *input + what->input_len, room - what->input_len);
		if (n < 0 && errno != EINTR)
			return err_sys(err, -errno, "standard input");
		what->input_len += n > 0 ? (size_t)n : 0;
	}
	what->input = *input;
	return 0;
}

static int put(FILE *to, const struct agent_output *o, const char *what)
{
	if ((o->len && fwrite(o->data, 1, o->len, to) != o->len) || fflush(to))
		return command_fail(CLI_FAILED, "standard %s: %s", what, strerror(errno));
	if (o->cut)
		return command_fail(CLI_FAILED, "the guest agent kept only the first %d MiB of the "
				    "command's %s; write it to a file there", AGENT_OUTPUT_MAX >> 20,
				    what);
	return 0;
}

static int exec_in(const char *ref, const struct agent_exec *what)
{
	struct agent_result result = { 0 };
	struct agent a = { 0 };
	struct agent_io io;
	struct vmctl c = { .fd = -1 };
	struct target t;
	struct err err;
	int status, failed, rc = target_find(&t, ref, &err);

	if (!rc)
		rc = target_connect(&t, &c, &err);
	if (!rc)
		rc = vmctl_agent(&c, &err);
	if (!rc) {
		io = agent_io_socket(c.fd);
		agent_init(&a, &io, t.vm.name);
		rc = agent_exec(&a, what, &result, &err);
	}
	if (rc) {
		status = command_fail(CLI_FAILED, "%s", err.msg);
	} else {
		failed = put(stdout, &result.out, "output");
		failed = put(stderr, &result.err, "error") || failed;
		status = failed ? CLI_FAILED : result.status;
	}
	agent_result_fini(&result);
	agent_fini(&a);
	vmctl_close(&c);
	return status;
}

/* The index of the VM's name: the options before it are ours, what follows is the command's. */
static int find_vm(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--"); i++) {
		const struct opt *o = exec_opts;

		while (o->name && strcmp(argv[i] + 2, o->name) &&
		       (argv[i][1] != o->letter || argv[i][2]))
			o++;
		if (o->metavar)
			i++;
	}
	if (i < argc && !strcmp(argv[i], "--"))
		i++;
	return i;
}

static int exec_run(const struct command *self, int argc, char **argv)
{
	struct exec_args args = { 0 };
	const char *env[OPTS_LIST_MAX + 1] = { NULL };
	struct agent_exec what = { 0 };
	struct opts_found found;
	char *input = NULL;
	struct err err;
	int status, at = find_vm(argc, argv);

	if (!command_parse(self, at < argc ? at + 1 : argc, argv, &args, &found, &status))
		return status;
	if (!found.operand_count || at + 1 >= argc)
		return command_fail(CLI_USAGE, "name a VM and a command to run in it (see 'hospes help "
				    "exec')");
	for (unsigned i = 0; i < args.env.count; i++) {
		if (!strchr(args.env.item[i], '='))
			return command_fail(CLI_USAGE, "--env %.80s: write it as NAME=VALUE",
					    args.env.item[i]);
		env[i] = args.env.item[i];
	}
	if (args.timeout > UINT32_MAX / 1000)
		return command_fail(CLI_USAGE, "--timeout %u: give at most %u seconds", args.timeout,
				    UINT32_MAX / 1000);
	what.argv = (const char *const *)argv + at + 1;
	what.env = args.env.count ? env : NULL;
	what.timeout_ms = args.timeout * 1000;
	if (args.interactive && read_input(&what, &input, &err))
		status = command_fail(CLI_FAILED, "%s", err.msg);
	else
		status = exec_in(found.operand[0], &what);
	free(input);
	return status;
}

static const char *const exec_text[] = {
	"Runs a command in a virtual machine that runs, as the user of its guest agent (root), and waits "
	"for its end. What it wrote comes out on standard output and standard error, at most 16 MiB of "
	"each; its exit status becomes that of hospes.",
	"The guest needs the package qemu-guest-agent, which images of hospes have. The command is run "
	"as it stands, without a shell: for pipes and variables, run sh -c '...'. Options stand before the "
	"VM's name; all that follows it belongs to the command.",
	NULL
};

static const struct command_note exec_exits[] = {
	{ "1", "the command could not be run; or its output is incomplete" },
	{ "2", "the command line was wrong" },
	{ "N", "the command's own; 128 + N when signal N ended it" },
	{ 0 }
};

static const struct command_note exec_examples[] = {
	{ "hospes exec web uname -a", "which kernel runs in the VM web" },
	{ "hospes exec -i web sh -c 'cat > /etc/motd' < motd", "write a file there" },
	{ 0 }
};

const struct command command_exec = {
	.name = "exec",
	.summary = "run a command in a virtual machine",
	.operands = "VM COMMAND [ARGUMENT...]",
	.about = exec_text,
	.opts = exec_opts,
	.exits = exec_exits,
	.examples = exec_examples,
	.run = exec_run,
};
