/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File I/O of a loop through io_uring.
 *
 * Requests of one turn of the loop are submitted together. No more are given to the kernel
 * than the completion queue holds, so it never overflows; the rest wait here, in order.
 */
#include "base/loop_io.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SQ_ENTRIES = 256 };

struct uring {
	struct io_engine e;
	struct io_uring ring;
	unsigned in_kernel;		/* prepared and not yet reaped */
	unsigned in_kernel_max;
	struct io_list waiting;
};

static void prepare(struct io_uring_sqe *sqe, struct loop_io *io)
{
	switch (io->op) {
	case LOOP_READV:
		io_uring_prep_readv(sqe, io->fd, io->iov, io->niov, io->off);
		break;
	case LOOP_WRITEV:
		io_uring_prep_writev(sqe, io->fd, io->iov, io->niov, io->off);
		break;
	case LOOP_FDATASYNC:
		io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
		break;
	case LOOP_FALLOCATE:
		io_uring_prep_fallocate(sqe, io->fd, io->mode, (off_t)io->off, (off_t)io->len);
		break;
	}
	io_uring_sqe_set_data(sqe, io);
}

/* Moves waiting requests into the submission queue as far as there is room. */
static void fill(struct uring *u)
{
	while (u->waiting.head && u->in_kernel < u->in_kernel_max) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

		if (!sqe)
			return;
		prepare(sqe, io_list_take(&u->waiting));
		u->in_kernel++;
	}
}

static void uring_submit(struct io_engine *e, struct loop_io *io)
{
	struct uring *u = container_of(e, struct uring, e);

	io_list_append(&u->waiting, io);
	fill(u);
}

static bool uring_flush(struct io_engine *e)
{
	struct uring *u = container_of(e, struct uring, e);

	fill(u);
	while (io_uring_sq_ready(&u->ring)) {
		int n = io_uring_submit(&u->ring);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return false;
		fill(u);
	}
	return true;
}

static bool uring_ready(struct io_engine *e)
{
	struct uring *u = container_of(e, struct uring, e);

	return io_uring_cq_ready(&u->ring) > 0;
}

static void uring_reap(struct io_engine *e)
{
	struct uring *u = container_of(e, struct uring, e);
	unsigned budget = u->in_kernel_max;	/* others want their turn too */
	struct io_uring_cqe *cqe;

	while (budget-- && io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		struct loop_io *io = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		u->in_kernel--;
		e->in_flight--;
		io->done(io, res);
	}
}

static void uring_wait(struct io_engine *e)
{
	struct uring *u = container_of(e, struct uring, e);
	struct io_uring_cqe *cqe;

	while (io_uring_wait_cqe(&u->ring, &cqe) == -EINTR)
		;
}

static void uring_free(struct io_engine *e)
{
	struct uring *u = container_of(e, struct uring, e);

	io_uring_queue_exit(&u->ring);
	free(u);
}

static const struct io_engine_ops uring_ops = {
	.submit = uring_submit,
	.flush = uring_flush,
	.ready = uring_ready,
	.reap = uring_reap,
	.wait = uring_wait,
	.free = uring_free,
};

static const uint8_t needed[] = {
	IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE,
};

/* Old kernels have a ring but not every operation. */
static int check_operations(struct io_uring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	int rc = 0;

	if (!probe)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (!io_uring_opcode_supported(probe, needed[i]))
			rc = -EOPNOTSUPP;
	}
	io_uring_free_probe(probe);
	return rc;
}

/*
 * The ring takes these operations for good, and no others: what goes through a ring is seen by no
 * system call filter, and it could open files and sockets. The ring was made disabled.
 */
static int restrict_operations(struct io_uring *ring)
{
	struct io_uring_restriction allowed[ARRAY_LEN(needed)] = { 0 };
	int fd = ring->ring_fd;

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
		allowed[i].sqe_op = needed[i];
	}
	/* liburing 2.3 declares calls for both and does not export them. */
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, allowed,
		    ARRAY_LEN(allowed)) ||
	    syscall(SYS_io_uring_register, fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

int io_uring_engine_new(struct io_engine **out)
{
	struct uring *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	rc = io_uring_queue_init(SQ_ENTRIES, &u->ring, IORING_SETUP_R_DISABLED);
	if (rc)
		goto fail_free;
	rc = check_operations(&u->ring);
	if (!rc)
		rc = restrict_operations(&u->ring);
	if (rc)
		goto fail_ring;
	u->e.ops = &uring_ops;
	u->e.event_fd = u->ring.ring_fd;
	u->in_kernel_max = *u->ring.cq.kring_entries;
	*out = &u->e;
	return 0;

fail_ring:
	io_uring_queue_exit(&u->ring);
fail_free:
	free(u);
	return rc;
}
