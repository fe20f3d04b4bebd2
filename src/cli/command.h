/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `hospes`: one file and one line in commands.def each.
 *
 * A command describes itself in a struct command; the parser, --help, error messages and the
 * man page all come from that description.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/opts.h"

/* Exit statuses, the same for every command. */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1,		/* could not be done; standard error says why */
	CLI_USAGE = 2,		/* the command line was wrong */
	CLI_CRASHED = 125,	/* run: the VM ended by a fault of its own or of its monitor */
	CLI_STOPPED = 130,	/* run: ended by order */
};

/* A row of a table in help texts: a status and its meaning, an example and what it does. */
struct command_note {
	const char *term, *text;
};

struct command {
	const char *name;
	const char *summary;		/* one line without a full stop, "start a virtual machine" */
	const char *operands;		/* as in a synopsis: "[IMAGE]", or "" */
	const char *const *about;	/* paragraphs; the last is NULL; may be NULL */
	const struct opt *opts;		/* ends with a zeroed row */
	const struct command_note *exits;	/* end with a zeroed row; NULL: 0, 1 and 2 as usual */
	const struct command_note *examples;	/* end with a zeroed row; may be NULL */
	/* argv[0] is the command's name. Returns the exit status. */
	int (*run)(const struct command *self, int argc, char **argv);
};

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Every command, in the order of commands.def; the last is NULL. */
const struct command *const *command_all(void);

/*
 * What every command does first: parses argv into target, and serves --help. True: go on. False: the
 * command ends with *status.
 */
bool command_parse(const struct command *self, int argc, char **argv, void *target,
		   struct opts_found *found, int *status);

/* "hospes: SENTENCE" to standard error; returns status. */
int command_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
