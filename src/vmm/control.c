/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/usock.h"

struct waiting {
	enum control_wait wait;		/* 0: free */
	json_t *seq;
};

struct control_client {
	struct control *control;
	struct control_client *next;
	struct loop_fd fd;
	bool owner, subscribed, raw;
	bool dead;			/* to be dropped as soon as nobody is at work on it */
	json_t *seq;			/* of the request that is carried out; NULL: it had none */
	struct waiting waiting[CONTROL_WAITS];
	size_t in_len;
	size_t out_off, out_len;	/* out[out_off..out_len) waits; out is NULL when nothing does */
	uint8_t *out;
	uint8_t in[CONTROL_LINE];
};

/* ---- the end of a client ------------------------------------------------------------------- */

static void free_client(struct control_client *c)
{
	struct control *ctl = c->control;
	struct control_client **p = &ctl->clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	ctl->count--;
	loop_fd_del(ctl->loop, &c->fd);
	close(c->fd.fd);
	for (unsigned i = 0; i < CONTROL_WAITS; i++)
		json_decref(c->waiting[i].seq);
	free(c->out);
	free(c);
	/* It may have been full. */
	if (ctl->listener.fd >= 0)
		loop_fd_set(ctl->loop, &ctl->listener, LOOP_IN);
}

static void drop(struct control_client *c)
{
	struct control *ctl = c->control;

	ctl->ops->gone(ctl->opaque, c, c->owner);
	free_client(c);
}

/* Drops those that were found dead. */
static void bury(struct loop_task *task)
{
	struct control *ctl = container_of(task, struct control, burial);
	struct control_client *next;

	for (struct control_client *c = ctl->clients; c; c = next) {
		next = c->next;
		if (c->dead)
			drop(c);
	}
}

/* ---- out -------------------------------------------------------------------------------------- */

static void watch(struct control_client *c)
{
	unsigned events = (c->in_len < sizeof(c->in) ? LOOP_IN : LOOP_HUP) | (c->out ? LOOP_OUT : 0u);

	if (!c->dead)
		loop_fd_set(c->control->loop, &c->fd, events);
}

static void die(struct control_client *c)
{
	c->dead = true;
	loop_fd_del(c->control->loop, &c->fd);
	/* Not at once: somebody is at work on it, or goes through the list. */
	loop_post(c->control->loop, &c->control->burial);
}

static void flush(struct control_client *c)
{
	while (c->out && !c->dead) {
		ssize_t n = send(c->fd.fd, c->out + c->out_off, c->out_len - c->out_off,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno != EINTR)
			die(c);
		if (n > 0)
			c->out_off += (size_t)n;
		if (c->out_off == c->out_len) {
			free(c->out);
			c->out = NULL;
			c->out_off = c->out_len = 0;
		}
	}
	watch(c);
}

static void put(struct control_client *c, const void *buf, size_t len)
{
	size_t waits = c->out_len - c->out_off;
	uint8_t *out;

	if (c->dead)
		return;
	out = waits + len <= CONTROL_QUEUE ? malloc(waits + len) : NULL;
	/* The VM would go on without its owner: that one misses something instead. */
	if (!out && c->owner)
		return;
	if (!out) {
		log_info("a client of the control socket takes nothing and is dropped");
		die(c);
		return;
	}
	if (waits)
		memcpy(out, c->out + c->out_off, waits);
	memcpy(out + waits, buf, len);
	free(c->out);
	c->out = out;
	c->out_off = 0;
	c->out_len = waits + len;
	flush(c);
}

static void put_json(struct control_client *c, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;

	if (text) {
		/* In the place of its NUL. */
		text[len] = '\n';
		put(c, text, len + 1);
	}
	free(text);
}

/* fields (taken) with seq before them, and ok or the sentence. */
static void reply(struct control_client *c, json_t *seq, json_t *fields, const char *refusal)
{
	json_t *object = json_object();

	if (seq)
		json_object_set(object, "seq", seq);
	/* A sentence with part of what a client sent may be no UTF-8. */
	if (refusal && json_object_set_new(object, "error", json_string(refusal)))
		json_object_set_new(object, "error", json_string("this request is not known"));
	else if (!refusal)
		json_object_set_new(object, "ok", json_true());
	if (fields && !refusal)
		json_object_update(object, fields);
	put_json(c, object);
	json_decref(object);
	json_decref(fields);
}

void control_answer(struct control_client *c, json_t *fields)
{
	reply(c, c->seq, fields, NULL);
}

void control_refuse(struct control_client *c, const char *fmt, ...)
{
	struct err err;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	reply(c, c->seq, NULL, err.msg);
}

void control_wait(struct control_client *c, enum control_wait wait)
{
	for (unsigned i = 0; i < CONTROL_WAITS; i++)
		if (!c->waiting[i].wait) {
			c->waiting[i] = (struct waiting){ wait, json_incref(c->seq) };
			return;
		}
	control_refuse(c, "%d requests of this connection wait already", CONTROL_WAITS);
}

void control_done(struct control *ctl, enum control_wait wait, json_t *fields, const char *refusal)
{
	for (struct control_client *c = ctl->clients; c; c = c->next)
		for (unsigned i = 0; i < CONTROL_WAITS; i++) {
			struct waiting *w = &c->waiting[i];

			if (w->wait != wait)
				continue;
			reply(c, w->seq, json_incref(fields), refusal);
			json_decref(w->seq);
			*w = (struct waiting){ 0 };
		}
	json_decref(fields);
}

void control_subscribe(struct control_client *c)
{
	c->subscribed = true;
}

void control_event(struct control *ctl, json_t *event)
{
	for (struct control_client *c = ctl->clients; c; c = c->next)
		if (c->subscribed && !c->raw)
			put_json(c, event);
	json_decref(event);
}

void control_make_raw(struct control_client *c)
{
	c->raw = true;
}

bool control_raw(struct control_client *c, const uint8_t *buf, size_t len)
{
	put(c, buf, len);
	return !c->out;
}

/* ---- in --------------------------------------------------------------------------------------- */

static void obey(struct control_client *c, const char *line, size_t len)
{
	json_error_t why;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	const char *what = json_string_value(json_object_get(root, "do"));

	c->seq = json_object_get(root, "seq");
	if (c->seq && !json_is_integer(c->seq)) {
		c->seq = NULL;
		control_refuse(c, "\"seq\" is not an integer");
	} else if (!root) {
		control_refuse(c, "this line is no JSON: %s", why.text);
	} else if (!what) {
		control_refuse(c, "a request is an object with a string called \"do\"");
	} else {
		c->control->ops->request(c->control->opaque, c, what, root);
	}
	c->seq = NULL;
	json_decref(root);
}

static void consume(struct control_client *c, size_t used)
{
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
}

static void serve(struct control_client *c)
{
	struct control *ctl = c->control;
	uint8_t *newline;

	while (!c->dead && !c->raw && (newline = memchr(c->in, '\n', c->in_len))) {
		size_t used = (size_t)(newline - c->in) + 1;

		obey(c, (const char *)c->in, used - 1);
		consume(c, used);
	}
	if (c->raw && !c->dead)
		consume(c, ctl->ops->raw(ctl->opaque, c, c->in, c->in_len));
	if (!c->raw && c->in_len == sizeof(c->in) && !c->dead) {
		control_refuse(c, "a request is shorter than %d bytes", CONTROL_LINE);
		die(c);
	}
	watch(c);
}

void control_raw_room(struct control_client *c)
{
	serve(c);
}

static void on_client(struct loop_fd *w, unsigned events)
{
	struct control_client *c = container_of(w, struct control_client, fd);

	if (events & LOOP_OUT) {
		flush(c);
		if (c->raw && !c->out && !c->dead)
			c->control->ops->drained(c->control->opaque, c);
	}
	if (events & LOOP_IN && !c->dead) {
		/* With a full buffer, it was not asked for: the client hung up. */
		ssize_t n = c->in_len < sizeof(c->in)
			? recv(w->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT) : 0;

		if (n > 0) {
			c->in_len += (size_t)n;
			serve(c);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			die(c);
		}
	}
}

/* ---- clients ---------------------------------------------------------------------------------- */

void control_add(struct control *ctl, int fd, bool owner)
{
	struct control_client *c = calloc(1, sizeof(*c));
	json_t *hello;

	if (!c || ctl->count == CONTROL_CLIENTS) {
		free(c);
		close(fd);
		return;
	}
	c->control = ctl;
	c->fd = (struct loop_fd){ .fd = fd, .fn = on_client };
	c->owner = c->subscribed = owner;
	c->next = ctl->clients;
	ctl->clients = c;
	ctl->count++;
	hello = json_pack("{s:s, s:i, s:s, s:s}", "hospes", HOSPES_VERSION, "protocol", 1, "id", ctl->id,
			  "name", ctl->name);
	if (loop_fd_set(ctl->loop, &c->fd, LOOP_IN))
		die(c);
	else
		put_json(c, hello);
	json_decref(hello);
}

/* Takes in one client; false: there is none. */
static bool take_in(struct control *ctl)
{
	int fd = usock_accept(ctl->listener.fd);

	if (fd >= 0) {
		control_add(ctl, fd, false);
	} else if (fd != -EAGAIN) {
		/* Out of descriptors: it would report the same for ever; the next client that goes wakes it. */
		log_warn("a client of the control socket cannot be taken in: %s", strerror(-fd));
		loop_fd_set(ctl->loop, &ctl->listener, 0);
	}
	return fd >= 0;
}

void control_accept(struct control *ctl)
{
	for (unsigned i = 0; ctl->listener.fd >= 0 && i < CONTROL_CLIENTS && take_in(ctl); i++)
		;
}

/* One at a time: between them those that have gone make room. */
static void on_listener(struct loop_fd *w, unsigned events)
{
	take_in(container_of(w, struct control, listener));
}

int control_start(struct control *ctl, int listener, struct err *err)
{
	int rc = 0;

	ctl->burial.fn = bury;
	ctl->listener = (struct loop_fd){ .fd = listener, .fn = on_listener };
	if (listener >= 0)
		rc = loop_fd_set(ctl->loop, &ctl->listener, LOOP_IN);
	return rc ? err_sys(err, rc, "the control socket cannot be watched") : 0;
}

void control_flush(struct control *ctl)
{
	for (struct control_client *c = ctl->clients; c; c = c->next)
		flush(c);
}

void control_stop(struct control *ctl)
{
	while (ctl->clients)
		free_client(ctl->clients);
	if (!ctl->loop)
		return;
	loop_task_cancel(ctl->loop, &ctl->burial);
	if (ctl->listener.fd >= 0) {
		loop_fd_del(ctl->loop, &ctl->listener);
		close(ctl->listener.fd);
	}
	ctl->listener.fd = -1;
}
