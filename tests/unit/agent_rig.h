/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest agent of the tests' own at the other end of a socket pair, a thread that is well-behaved,
 * late, confused or hostile as the test wants, and a client of it.
 */
#ifndef TESTS_UNIT_AGENT_RIG_H
#define TESTS_UNIT_AGENT_RIG_H

#include <jansson.h>
#include <pthread.h>

#include "manage/agent.h"

struct fake;

/* Answers one request (not a sync) by what it writes to f->fd. */
typedef void answer_fn(struct fake *f, const char *command, const json_t *args);

struct fake {
	int fd;
	answer_fn *answer;
	unsigned deaf;			/* syncs that are not answered */
	unsigned wrong;			/* syncs that are answered with a wrong number first */
	const char *stale;		/* written before each answer to a sync */
	unsigned asked;			/* requests so far */
	unsigned syncs;
	char *file;			/* for answer_fn */
	size_t file_len;
};

struct rig {
	struct agent a;
	struct fake f;
	struct err err;
	pthread_t thread;
	int fd;
};

/* To the client; put fails silently where that one has hung up, say adds the line's end. */
void put(struct fake *f, const char *text, size_t len);
void say(struct fake *f, const char *text);

/* Answers a line as the agent's thread does. */
void one_request(struct fake *f, const char *line);

/* r is zeroed but for the mischief in r->f. */
void rig_start(struct rig *r, answer_fn *answer);
void rig_start_main(struct rig *r, void *(*main)(void *fake));
void rig_stop(struct rig *r);

/* The call failed with code and a sentence that names the VM and has words in it. */
void refused(struct rig *r, int ret, int code, const char *words);

/* Answers everything with {}. */
void polite(struct fake *f, const char *command, const json_t *args);

#endif
