/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "tests/unit/agent_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void put(struct fake *f, const char *text, size_t len)
{
	while (len) {
		const ssize_t n = send(f->fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

void say(struct fake *f, const char *text)
{
	put(f, text, strlen(text));
	put(f, "\n", 1);
}

static void sync_answer(struct fake *f, const json_t *args)
{
	const json_int_t id = json_integer_value(json_object_get(args, "id"));
	char text[80];

	f->syncs++;
	if (f->deaf) {
		f->deaf--;
		return;
	}
	if (f->stale)
		put(f, f->stale, strlen(f->stale));
	if (f->wrong) {
		f->wrong--;
		snprintf(text, sizeof(text), "\xff{\"return\": %lld}", (long long)id + 1);
		say(f, text);
	}
	snprintf(text, sizeof(text), "\xff{\"return\": %lld}", (long long)id);
	say(f, text);
}

void one_request(struct fake *f, const char *line)
{
	json_t *o = json_loads(line + (*line == '\xff'), 0, NULL);
	const char *command = json_string_value(json_object_get(o, "execute"));

	assert_non_null(command);
	if (!strcmp(command, "guest-sync-delimited")) {
		assert_int_equal(*line, '\xff');
		sync_answer(f, json_object_get(o, "arguments"));
	} else {
		f->asked++;
		f->answer(f, command, json_object_get(o, "arguments"));
	}
	json_decref(o);
}

static void *fake_main(void *opaque)
{
	struct fake *f = opaque;
	FILE *in = fdopen(dup(f->fd), "r");
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, in) > 0)
		one_request(f, line);
	free(line);
	fclose(in);
	shutdown(f->fd, SHUT_RDWR);
	return NULL;
}

void rig_start_main(struct rig *r, void *(*main)(void *fake))
{
	int fd[2];
	struct agent_io io;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	r->fd = fd[0];
	r->f.fd = fd[1];
	r->err.msg[0] = 0;
	io = agent_io_socket(fd[0]);
	agent_init(&r->a, &io, "toad");
	assert_int_equal(pthread_create(&r->thread, NULL, main, &r->f), 0);
}

void rig_start(struct rig *r, answer_fn *answer)
{
	r->f.answer = answer;
	rig_start_main(r, fake_main);
}

void rig_stop(struct rig *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
	close(r->f.fd);
	agent_fini(&r->a);
}

void refused(struct rig *r, int ret, int code, const char *words)
{
	assert_int_equal(ret, code);
	if (!strstr(r->err.msg, words) || !strstr(r->err.msg, "toad"))
		fail_msg("'%s' lacks '%s'", r->err.msg, words);
	r->err.msg[0] = 0;
}

void polite(struct fake *f, const char *command, const json_t *args)
{
	say(f, "{\"return\": {}}");
}
