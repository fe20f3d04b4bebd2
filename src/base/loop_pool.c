/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File I/O of a loop through a few threads, where io_uring is refused.
 *
 * The loop hands over what one turn submitted under one lock; each thread takes one request
 * at a time, makes the blocking call without the lock, and puts it on the finished list.
 * The first one put there wakes the loop.
 */
#include "base/loop_io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { POOL_THREADS = 4 };

struct pool {
	struct io_engine e;
	struct loop *loop;
	struct io_list submitted;	/* loop's thread: since the last flush */
	unsigned submitted_count;

	pthread_mutex_t lock;		/* the fields below */
	pthread_cond_t work;		/* todo grew, enter was set, or stop */
	pthread_cond_t progress;	/* finished grew, or the last thread has entered */
	struct io_list todo, finished;
	bool stop;
	void (*enter)(void *arg);	/* what each thread is to call once; NULL: nothing yet */
	void *enter_arg;
	unsigned to_enter;		/* threads that have not called it yet */
	_Atomic bool any_finished;	/* finished is not empty; read without the lock */

	pthread_t threads[POOL_THREADS];
	unsigned thread_count;
};

static int carry_out(const struct loop_io *io)
{
	ssize_t n = -1;

	do {
		switch (io->op) {
		case LOOP_READV:
			n = preadv(io->fd, io->iov, (int)io->niov, (off_t)io->off);
			break;
		case LOOP_WRITEV:
			n = pwritev(io->fd, io->iov, (int)io->niov, (off_t)io->off);
			break;
		case LOOP_FDATASYNC:
			n = fdatasync(io->fd);
			break;
		case LOOP_FALLOCATE:
			n = fallocate(io->fd, io->mode, (off_t)io->off, (off_t)io->len);
			break;
		}
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}

/* [lock, released meanwhile] */
static void enter(struct pool *p)
{
	pthread_mutex_unlock(&p->lock);
	p->enter(p->enter_arg);
	pthread_mutex_lock(&p->lock);
	if (!--p->to_enter)
		pthread_cond_signal(&p->progress);
}

/* [lock, released meanwhile] */
static void do_next(struct pool *p)
{
	struct loop_io *io = io_list_take(&p->todo);
	bool first;

	pthread_mutex_unlock(&p->lock);
	io->res = carry_out(io);
	pthread_mutex_lock(&p->lock);
	first = !p->finished.head;
	io_list_append(&p->finished, io);
	if (first) {
		/* seq_cst: before loop_wake() looks at `sleeping`; see loop_poll() */
		atomic_store(&p->any_finished, true);
		pthread_cond_signal(&p->progress);
		loop_wake(p->loop);
	}
}

static void *pool_thread(void *arg)
{
	struct pool *p = arg;
	bool entered = false;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if (p->enter && !entered) {
			entered = true;
			enter(p);
		} else if (p->todo.head) {
			do_next(p);
		} else {
			pthread_cond_wait(&p->work, &p->lock);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void pool_submit(struct io_engine *e, struct loop_io *io)
{
	struct pool *p = container_of(e, struct pool, e);

	io_list_append(&p->submitted, io);
	p->submitted_count++;
}

static bool pool_flush(struct io_engine *e)
{
	struct pool *p = container_of(e, struct pool, e);

	if (!p->submitted.head)
		return true;
	pthread_mutex_lock(&p->lock);
	if (p->todo.head)
		p->todo.tail->next = p->submitted.head;
	else
		p->todo.head = p->submitted.head;
	p->todo.tail = p->submitted.tail;
	if (p->submitted_count > 1)
		pthread_cond_broadcast(&p->work);
	else
		pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
	p->submitted = (struct io_list){ 0 };
	p->submitted_count = 0;
	return true;
}

static bool pool_ready(struct io_engine *e)
{
	struct pool *p = container_of(e, struct pool, e);

	return atomic_load(&p->any_finished);
}

static void pool_reap(struct io_engine *e)
{
	struct pool *p = container_of(e, struct pool, e);
	struct io_list finished;
	struct loop_io *io;

	if (!pool_ready(e))
		return;
	pthread_mutex_lock(&p->lock);
	finished = p->finished;
	p->finished = (struct io_list){ 0 };
	atomic_store(&p->any_finished, false);
	pthread_mutex_unlock(&p->lock);
	while ((io = io_list_take(&finished))) {
		e->in_flight--;
		io->done(io, io->res);
	}
}

static void pool_wait(struct io_engine *e)
{
	struct pool *p = container_of(e, struct pool, e);

	pthread_mutex_lock(&p->lock);
	while (!p->finished.head)
		pthread_cond_wait(&p->progress, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void pool_enter(struct io_engine *e, void (*fn)(void *arg), void *arg)
{
	struct pool *p = container_of(e, struct pool, e);

	pthread_mutex_lock(&p->lock);
	p->enter = fn;
	p->enter_arg = arg;
	p->to_enter = p->thread_count;
	pthread_cond_broadcast(&p->work);
	while (p->to_enter)
		pthread_cond_wait(&p->progress, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void pool_free(struct io_engine *e)
{
	struct pool *p = container_of(e, struct pool, e);

	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->progress);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct io_engine_ops pool_ops = {
	.submit = pool_submit,
	.flush = pool_flush,
	.ready = pool_ready,
	.reap = pool_reap,
	.wait = pool_wait,
	.enter = pool_enter,
	.free = pool_free,
};

int io_pool_engine_new(struct io_engine **out, struct loop *loop, struct err *err)
{
	struct pool *p = calloc(1, sizeof(*p));
	sigset_t all, old;
	int rc = 0;

	if (!p)
		return err_set(err, -ENOMEM, "disk I/O threads: out of memory");
	p->e.ops = &pool_ops;
	p->e.event_fd = -1;
	p->loop = loop;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->progress, NULL);

	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!rc && p->thread_count < POOL_THREADS) {
		rc = pthread_create(&p->threads[p->thread_count], NULL, pool_thread, p);
		if (!rc)
			p->thread_count++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		pool_free(&p->e);
		return err_sys(err, -rc, "disk I/O threads: cannot start a thread");
	}
	*out = &p->e;
	return 0;
}
