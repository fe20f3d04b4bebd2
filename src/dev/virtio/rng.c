/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/virtio/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/bits.h"

enum { QUEUE = 0, QUEUE_SIZE = 64, REQUESTS_AT_A_TIME = 16 };

struct rng {
	struct virtio v;
	struct virtq_chain chain;	/* scratch */
	uint8_t bytes[VIRTIO_RNG_MAX_BYTES];
};

/* Fills the chain as far as one request goes; returns the bytes written. */
static uint32_t fill(struct rng *r)
{
	const struct virtq_chain *c = &r->chain;
	const size_t want = c->in_bytes < sizeof(r->bytes) ? c->in_bytes : sizeof(r->bytes);
	const ssize_t got = getrandom(r->bytes, want, GRND_NONBLOCK);

	if (got <= 0)
		return 0;
	return (uint32_t)iov_write(c->iov + c->out_count, c->in_count, 0, r->bytes, (uint64_t)got);
}

static void rng_notify(struct virtio *v, unsigned n)
{
	struct rng *r = container_of(v, struct rng, v);
	const char *why;
	int rc = 1;

	for (unsigned i = 0; i < REQUESTS_AT_A_TIME; i++) {
		rc = virtq_pop(&v->queues[QUEUE], &r->chain, &why);
		if (rc <= 0)
			break;
		virtq_push(&v->queues[QUEUE], r->chain.head, fill(r));
	}
	virtio_push_done(v, QUEUE);
	if (rc < 0)
		virtio_break(v, QUEUE, why);
	else if (rc > 0)
		virtio_again(v, QUEUE);
}

static void rng_reset(struct virtio *v)
{
	virtio_reset_done(v);
}

static void rng_fini(struct virtio *v)
{
	free(container_of(v, struct rng, v));
}

static const struct virtio_ops rng_ops = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.notify = rng_notify,
	.reset = rng_reset,
	.fini = rng_fini,
};

int virtio_rng_new(struct virtio **out, struct vm *vm, const char *name, struct err *err)
{
	struct rng *r = calloc(1, sizeof(*r));

	if (!r)
		return err_sys(err, -ENOMEM, "%s", name);
	virtio_init(&r->v, vm, &rng_ops, name, 1, QUEUE_SIZE);
	*out = &r->v;
	return 0;
}
