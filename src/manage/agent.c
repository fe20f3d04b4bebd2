/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

enum { CHUNK = 64 << 10, KEEP = 256 << 10, FIRST_RESYNC_MS = 1000 };

#define NS_PER_MS UINT64_C(1000000)
#define REMEDY "restart it in the guest (systemctl restart qemu-guest-agent)"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t after_ms(uint64_t ms)
{
	return now_ns() + ms * NS_PER_MS;
}

/* The time that bytes may take, on top of the time for an answer. */
static uint64_t allowance_ns(size_t bytes)
{
	return (uint64_t)bytes * 1000 / AGENT_SLOWEST * NS_PER_MS;
}

static int socket_wait(int fd, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t left, now;
	int n;

	for (;;) {
		now = now_ns();
		if (now >= deadline)
			return -ETIMEDOUT;
		left = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static bool would_wait(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static ssize_t socket_read(void *opaque, void *buf, size_t len, uint64_t deadline)
{
	const int fd = (int)(intptr_t)opaque;
	ssize_t n;
	int ret;

	for (;;) {
		ret = socket_wait(fd, POLLIN, deadline);
		if (ret)
			return ret;
		n = recv(fd, buf, len, MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (errno == ECONNRESET)
			return 0;
		if (!would_wait())
			return -errno;
	}
}

static ssize_t socket_write(void *opaque, const void *buf, size_t len, uint64_t deadline)
{
	const int fd = (int)(intptr_t)opaque;
	ssize_t n;
	int ret;

	for (;;) {
		ret = socket_wait(fd, POLLOUT, deadline);
		if (ret)
			return ret;
		n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			return n;
		if (n < 0 && !would_wait())
			return -errno;
	}
}

struct agent_io agent_io_socket(int fd)
{
	return (struct agent_io){ socket_read, socket_write, (void *)(intptr_t)fd };
}

void agent_init(struct agent *a, const struct agent_io *io, const char *vm)
{
	*a = (struct agent){ .io = *io, .timeout_ms = AGENT_TIMEOUT_MS };
	snprintf(a->vm, sizeof(a->vm), "%s", vm);
}

void agent_fini(struct agent *a)
{
	free(a->buf);
	*a = (struct agent){ 0 };
}

int agent_nonsense(struct agent *a, const char *command, struct err *err)
{
	a->synced = false;
	return err_set(err, -EPROTO, "VM %s: the guest agent answers %s with nonsense; " REMEDY,
		       a->vm, command);
}

static int ended(struct agent *a, struct err *err)
{
	a->synced = false;
	return err_set(err, -EPIPE, "VM %s: the connection to the guest agent has ended: the VM "
		       "stopped or somebody else took it; see hospes ps, then try again", a->vm);
}

/* The sentence for a stream that failed with ret during command. */
static int stream_failed(struct agent *a, const char *command, int ret, struct err *err)
{
	a->synced = false;
	if (ret == -ETIMEDOUT)
		return err_set(err, ret, "VM %s: the guest agent gave no answer to %s in time; "
			       "try again when the guest is less busy, or " REMEDY, a->vm, command);
	if (ret == -EPIPE || ret == -ECONNRESET)
		return ended(a, err);
	if (ret == -EMSGSIZE)
		return err_set(err, -EPROTO, "VM %s: the guest agent's answer to %s has no end; "
			       REMEDY, a->vm, command);
	return err_sys(err, ret, "VM %s: the connection to the guest agent", a->vm);
}

static int send_all(struct agent *a, const char *data, size_t len)
{
	const uint64_t deadline = after_ms(a->timeout_ms);
	size_t done = 0;

	while (done < len) {
		const ssize_t n = a->io.write(a->io.opaque, data + done, len - done,
					      deadline + allowance_ns(done));

		if (n <= 0)
			return n ? (int)n : -EPIPE;
		done += (size_t)n;
	}
	return 0;
}

/* Reads once, behind what is there. -EMSGSIZE when max bytes are there already. */
static int fill(struct agent *a, size_t max, uint64_t deadline)
{
	size_t room = a->room ? a->room : CHUNK;
	ssize_t n;
	char *buf;

	if (a->len >= max)
		return -EMSGSIZE;
	while (room - a->len < CHUNK)
		room *= 2;
	if (room != a->room) {
		buf = realloc(a->buf, room);
		if (!buf)
			return -ENOMEM;
		a->buf = buf;
		a->room = room;
	}
	n = a->io.read(a->io.opaque, a->buf + a->len, CHUNK, deadline);
	if (n <= 0)
		return n ? (int)n : -EPIPE;
	a->len += (size_t)n;
	return 0;
}

/* Forgets the first n bytes, and a large buffer once it is empty. */
static void consume(struct agent *a, size_t n)
{
	a->len -= n;
	memmove(a->buf, a->buf + n, a->len);
	if (!a->len && a->room > KEEP) {
		free(a->buf);
		a->buf = NULL;
		a->room = 0;
	}
}

/* Reads until end is among what was read; *at is where: before max + CHUNK. */
static int read_until(struct agent *a, char end, size_t max, uint64_t deadline, size_t *at)
{
	size_t seen = 0;

	for (;;) {
		const char *hit = a->len > seen ? memchr(a->buf + seen, end, a->len - seen) : NULL;
		int ret;

		if (hit) {
			*at = (size_t)(hit - a->buf);
			return 0;
		}
		seen = a->len;
		ret = fill(a, max, deadline + allowance_ns(a->len));
		if (ret)
			return ret;
	}
}

/* Counts what makes values outside of strings, before a parser spends memory on them. */
static bool few_values(const char *text, size_t len)
{
	bool quoted = false;
	size_t values = 0;

	for (size_t i = 0; i < len && values <= AGENT_VALUES; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
			values++;
	}
	return values <= AGENT_VALUES;
}

static json_t *parse(const char *text, size_t len)
{
	return few_values(text, len) ? json_loadb(text, len, 0, NULL) : NULL;
}

/* A request as a line; the caller frees it. prefix may be empty. */
static char *request(const char *prefix, const char *command, json_t *arguments, size_t *len)
{
	json_t *o = json_object();
	char *text = NULL, *line = NULL;
	size_t size, head = strlen(prefix);

	if (json_object_set_new(o, "execute", json_string(command)) ||
	    (arguments && json_object_set(o, "arguments", arguments)))
		goto out;
	text = json_dumps(o, JSON_COMPACT);
	if (!text)
		goto out;
	size = strlen(text);
	line = malloc(head + size + 2);
	if (!line)
		goto out;
	memcpy(line, prefix, head);
	memcpy(line + head, text, size);
	memcpy(line + head + size, "\n", 2);
	*len = head + size + 1;
out:
	free(text);
	json_decref(o);
	return line;
}

static int send_request(struct agent *a, const char *prefix, const char *command,
			json_t *arguments, struct err *err)
{
	size_t len;
	char *line = request(prefix, command, arguments, &len);
	int ret;

	if (!line)
		return err_set(err, -ENOMEM, "VM %s: out of memory for a request to the guest agent",
			       a->vm);
	ret = send_all(a, line, len);
	free(line);
	return ret ? stream_failed(a, command, ret, err) : 0;
}

static int send_sync(struct agent *a, json_int_t *id, struct err *err)
{
	json_t *arguments;
	uint32_t number;
	int ret;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_sys(err, -errno, "the system's random numbers");
	*id = number;
	arguments = json_pack("{s:I}", "id", *id);
	ret = send_request(a, "\xff", "guest-sync-delimited", arguments, err);
	json_decref(arguments);
	return ret;
}

/* 1: the answer with that number was read; 0: something else was. */
static int read_sync(struct agent *a, json_int_t id, uint64_t deadline, size_t *skipped)
{
	size_t at = 0;
	json_t *o;
	int ret, hit;

	ret = read_until(a, '\xff', CHUNK, deadline, &at);
	if (ret == -EMSGSIZE)
		at = a->len - 1;
	else if (ret)
		return ret;
	*skipped += at + 1;
	consume(a, at + 1);
	if (ret)
		return 0;
	ret = read_until(a, '\n', CHUNK, deadline, &at);
	if (ret)
		return ret == -EMSGSIZE ? 0 : ret;
	if (memchr(a->buf, '\xff', at))
		return 0;	/* the line began with another 0xff */
	o = parse(a->buf, at);
	hit = json_is_integer(json_object_get(o, "return")) &&
	      json_integer_value(json_object_get(o, "return")) == id;
	json_decref(o);
	*skipped += at + 1;
	consume(a, at + 1);
	return hit;
}

/*
 * Asks again while nothing comes: bytes sent before the agent opened its port are lost. An
 * older answer than the one to the last question is passed over, since that one is still coming.
 */
static int sync_up(struct agent *a, struct err *err)
{
	const uint64_t deadline = after_ms(a->timeout_ms);
	uint64_t step_ms = FIRST_RESYNC_MS, until;
	size_t skipped = 0;
	json_int_t id = 0;
	int ret;

	for (;;) {
		ret = send_sync(a, &id, err);
		if (ret)
			return ret;
		until = after_ms(step_ms);
		step_ms *= 2;
		do {
			ret = read_sync(a, id, until < deadline ? until : deadline, &skipped);
			if (skipped > (size_t)AGENT_REPLY * 64)
				ret = -EMSGSIZE;
		} while (!ret);
		if (ret > 0) {
			a->synced = true;
			return 0;
		}
		if (ret != -ETIMEDOUT)
			return stream_failed(a, "guest-sync-delimited", ret, err);
		if (now_ns() >= deadline)
			return err_set(err, ret, "VM %s: no guest agent answers; install or start it "
				       "in the guest (apt-get install qemu-guest-agent), or wait "
				       "until the guest has booted", a->vm);
	}
}

/* The guest's words (UTF-8) without control characters, those of Latin-1 (C2 80 to C2 9f) too. */
static void plain_text(char *to, size_t room, const char *words)
{
	const uint8_t *from = (const uint8_t *)words;
	size_t n = 0;

	for (; from[n] && n + 1 < room; n++)
		to[n] = from[n] < ' ' || from[n] == 0x7f || (from[n] == 0xc2 && from[n + 1] < 0xa0) ?
			'?' : (char)from[n];
	to[n] = 0;
}

static int refused(struct agent *a, const char *command, const json_t *error, struct err *err)
{
	const char *class = json_string_value(json_object_get(error, "class"));
	const char *desc = json_string_value(json_object_get(error, "desc"));
	char words[200];

	if (!class || !desc)
		return agent_nonsense(a, command, err);
	if (!strcmp(class, "CommandNotFound") || !strcmp(class, "CommandDisabled"))
		return err_set(err, -EOPNOTSUPP, "VM %s: the guest agent does not offer %s; allow "
			       "it in the guest (/etc/qemu/qemu-ga.conf) or install a newer agent",
			       a->vm, command);
	plain_text(words, sizeof(words), desc);
	return err_set(err, -EREMOTEIO, "VM %s: the guest says to %s: %s", a->vm, command, words);
}

static int read_answer(struct agent *a, const char *command, size_t max, json_t **result,
		       struct err *err)
{
	json_t *o, *value;
	size_t at;
	int ret = read_until(a, '\n', max, after_ms(a->timeout_ms), &at);

	if (ret)
		return stream_failed(a, command, ret, err);
	o = parse(a->buf, at);
	consume(a, at + 1);
	value = json_object_get(o, "return");
	if (value && result)
		*result = json_incref(value);
	else if (!value && json_object_get(o, "error"))
		ret = refused(a, command, json_object_get(o, "error"), err);
	else if (!value)
		ret = agent_nonsense(a, command, err);
	json_decref(o);
	return ret;
}

/* What nobody asked for is in the buffer: an answer could be taken for another. */
static int begin(struct agent *a, const char *command, json_t *arguments, struct err *err)
{
	int ret = 0;

	if (a->len)
		a->synced = false;
	if (!a->synced)
		ret = sync_up(a, err);
	return ret ? ret : send_request(a, "", command, arguments, err);
}

int agent_call(struct agent *a, const char *command, json_t *arguments, size_t reply_max,
	       json_t **result, struct err *err)
{
	int ret = begin(a, command, arguments, err);

	json_decref(arguments);
	return ret ? ret : read_answer(a, command, reply_max, result, err);
}

int agent_tell(struct agent *a, const char *command, json_t *arguments, unsigned ms,
	       struct err *err)
{
	const unsigned timeout = a->timeout_ms;
	int ret = begin(a, command, arguments, err);

	json_decref(arguments);
	if (ret)
		return ret;
	a->timeout_ms = ms;
	ret = read_answer(a, command, AGENT_REPLY, NULL, err);
	a->timeout_ms = timeout;
	return ret == -ETIMEDOUT || ret == -EPIPE ? 0 : ret;
}

int agent_pause(struct agent *a, unsigned ms, struct err *err)
{
	const uint64_t deadline = after_ms(ms);
	int ret;

	do {
		ret = fill(a, CHUNK, deadline);
		a->synced = a->synced && ret;
		if (ret == -EMSGSIZE)
			return err_set(err, -EPROTO, "VM %s: the guest agent talks without being "
				       "asked; " REMEDY, a->vm);
	} while (!ret);
	return ret == -ETIMEDOUT ? 0 : stream_failed(a, "a request", ret, err);
}
