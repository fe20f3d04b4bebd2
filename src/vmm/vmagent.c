/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vmagent.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"

enum { CHUNK = 4096 };

/* True when a line in what the guest sends is an answer. */
static bool is_answer(struct vmagent *a, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\n') {
			json_t *root = json_loadb(a->line, a->line_len, 0, NULL);
			bool answer = json_object_get(root, "return");

			json_decref(root);
			a->line_len = 0;
			if (answer)
				return true;
		} else if (a->line_len < sizeof(a->line)) {
			a->line[a->line_len++] = buf[i];
		}
	}
	return false;
}

static void watch(struct vmagent *a)
{
	if (a->fd.fd >= 0)
		loop_fd_set(a->loop, &a->fd, (a->held ? LOOP_HUP : LOOP_IN) | (a->full ? LOOP_OUT : 0u));
}

static void take_output(struct vmagent *a)
{
	char buf[CHUNK];
	ssize_t n = recv(a->fd.fd, buf, sizeof(buf), MSG_DONTWAIT);
	void (*answered)(void *) = a->answered;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		vmagent_close(a);
	} else if (a->owner) {
		a->held = !control_raw(a->owner, (const uint8_t *)buf, (size_t)n);
		watch(a);
	} else if (answered && is_answer(a, buf, (size_t)n)) {
		a->answered = NULL;
		answered(a->opaque);
	}
}

static void on_agent(struct loop_fd *w, unsigned events)
{
	struct vmagent *a = container_of(w, struct vmagent, fd);

	if (events & LOOP_OUT && a->full) {
		a->full = false;
		watch(a);
		if (a->owner)
			control_raw_room(a->owner);
	}
	if (events & LOOP_IN && a->fd.fd >= 0)
		take_output(a);
}

int vmagent_open(struct vmagent *a, int fd, struct err *err)
{
	int rc;

	a->fd = (struct loop_fd){ .fd = fd, .fn = on_agent };
	a->answered = NULL;
	a->line_len = 0;
	a->full = a->held = false;
	rc = loop_fd_set(a->loop, &a->fd, LOOP_IN);
	if (!rc && a->owner)
		control_raw_room(a->owner);
	return rc ? err_sys(err, rc, "the guest agent's stream cannot be watched") : 0;
}

void vmagent_close(struct vmagent *a)
{
	if (a->fd.fd < 0)
		return;
	loop_fd_del(a->loop, &a->fd);
	close(a->fd.fd);
	a->fd.fd = -1;
	a->answered = NULL;
}

bool vmagent_take(struct vmagent *a, struct control_client *owner)
{
	if (a->owner || a->answered)
		return false;
	a->owner = owner;
	return true;
}

void vmagent_release(struct vmagent *a, const struct control_client *c)
{
	if (a->owner == c) {
		a->owner = NULL;
		a->held = false;
		watch(a);
	}
}

void vmagent_drained(struct vmagent *a, const struct control_client *c)
{
	if (a->owner == c && a->held) {
		a->held = false;
		watch(a);
	}
}

size_t vmagent_send(struct vmagent *a, const uint8_t *buf, size_t len)
{
	size_t sent = 0;

	while (sent < len && a->fd.fd >= 0) {
		ssize_t n = send(a->fd.fd, buf + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			a->full = true;
			watch(a);
			return sent;
		}
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	/* Without a guest they go nowhere. */
	return len;
}

bool vmagent_ask(struct vmagent *a, void (*answered)(void *opaque), void *opaque)
{
	static const char ping[] = "{\"execute\":\"guest-ping\"}\n";

	if (a->owner || a->fd.fd < 0)
		return false;
	a->answered = answered;
	a->opaque = opaque;
	a->line_len = 0;
	return vmagent_send(a, (const uint8_t *)ping, strlen(ping)) == strlen(ping);
}

void vmagent_power_off(struct vmagent *a)
{
	static const char order[] =
		"{\"execute\":\"guest-shutdown\",\"arguments\":{\"mode\":\"powerdown\"}}\n";

	vmagent_send(a, (const uint8_t *)order, strlen(order));
}
