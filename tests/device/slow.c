/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/device/slow.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bits.h"

enum { SLOW_MAX = 64 };

struct slow {
	struct virtio v;
	struct virtq_chain chain;
	struct {
		uint16_t head;
		uint8_t *byte;
	} held[SLOW_MAX];
	unsigned first;
	_Atomic unsigned count;
};

static void slow_notify(struct virtio *v, unsigned n)
{
	struct slow *s = container_of(v, struct slow, v);
	const char *why;
	int rc = 0;

	while (s->count < SLOW_MAX && (rc = virtq_pop(&v->queues[0], &s->chain, &why)) > 0) {
		const unsigned at = (s->first + s->count) % SLOW_MAX;

		s->held[at].head = s->chain.head;
		s->held[at].byte = NULL;
		if (s->chain.in_count)
			s->held[at].byte = s->chain.iov[s->chain.out_count].iov_base;
		s->count++;
		virtio_get(v);
	}
	if (rc < 0)
		virtio_break(v, 0, why);
}

static void complete_one(void *arg)
{
	struct slow *s = arg;
	uint8_t *byte = s->held[s->first].byte;

	if (byte)
		ram_st8(byte, 0xa5);
	virtq_push(&s->v.queues[0], s->held[s->first].head, byte ? 1 : 0);
	s->first = (s->first + 1) % SLOW_MAX;
	s->count--;
	virtio_push_done(&s->v, 0);
	virtio_put(&s->v);
}

void slow_complete(struct virtio *v)
{
	loop_call(v->vm->loop, complete_one, container_of(v, struct slow, v));
}

unsigned slow_in_flight(struct virtio *v)
{
	return container_of(v, struct slow, v)->count;
}

static void slow_reset(struct virtio *v)
{
	virtio_reset_done(v);
}

static void slow_fini(struct virtio *v)
{
	free(container_of(v, struct slow, v));
}

static const struct virtio_ops slow_ops = {
	.name = "slow",
	.id = VIRTIO_ID_RNG,
	.notify = slow_notify,
	.reset = slow_reset,
	.fini = slow_fini,
};

int slow_new(struct virtio **out, struct vm *vm, const char *name, struct err *err)
{
	struct slow *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(err, -ENOMEM, "%s", name);
	virtio_init(&s->v, vm, &slow_ops, name, 1, 64);
	*out = &s->v;
	return 0;
}
