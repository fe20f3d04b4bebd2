/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs run in a guest by its agent (guest-exec, guest-exec-status). The agent tells nobody
 * when a program ends, so it is asked, at first soon and then ever less often.
 */
#ifndef MANAGE_AGENT_EXEC_H
#define MANAGE_AGENT_EXEC_H

#include "manage/agent.h"

enum {
	AGENT_INPUT_MAX = 32 << 20,	/* bytes; the agent's parser takes 64 MiB of JSON */
	AGENT_OUTPUT_MAX = 16 << 20,	/* what the agent keeps of each output stream */
};

struct agent_exec {
	const char *const *argv;	/* ends with NULL; looked up in the agent's PATH */
	const char *const *env;		/* "NAME=VALUE", ends with NULL; NULL: the agent's own */
	const void *input;		/* standard input; NULL: empty */
	size_t input_len;
	unsigned timeout_ms;		/* for the program to end; 0: as long as it takes */
};

struct agent_output {
	char *data;			/* NULL when empty; not terminated */
	size_t len;
	bool cut;			/* the agent kept only the beginning */
};

struct agent_result {
	int status;			/* exit status, 0 to 255; of a signal: 128 + its number */
	int signal;			/* that ended the program, or 0 */
	struct agent_output out, err;
};

/*
 * Runs a program to its end. 0 when it ran, whatever its status. -ETIMEDOUT when timeout_ms
 * passed (it goes on running; the sentence has its process number); -EINVAL for words that are
 * not UTF-8; -E2BIG for too much input; others as agent_call.
 */
int agent_exec(struct agent *a, const struct agent_exec *what, struct agent_result *result,
	       struct err *err);

/* Frees the outputs; accepts a zeroed result. */
void agent_result_fini(struct agent_result *result);

#endif
