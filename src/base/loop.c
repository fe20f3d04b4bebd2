/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. A turn of the loop sleeps in epoll until a watched descriptor, the
 * I/O ring, a wakeup or the next timer is due, then runs the tasks queued by then, the
 * descriptors' callbacks, the timers, and at last starts the file I/O they asked for and
 * takes what has completed. One turn runs each kind a bounded number of times, so none
 * starves the others.
 *
 * Tasks are pushed on a lock-free stack by any thread; the loop takes the whole stack with
 * one exchange and reverses it. Only the loop takes, and takes everything, so the stack has
 * no ABA problem.
 *
 * Waking: the loop announces its sleep (`sleeping`), then looks once more for work, then
 * sleeps. A poster makes its work visible, then looks at `sleeping`. All four are
 * sequentially consistent, so at least one of the two sees the other; and only the poster
 * that takes `sleeping` back makes the system call. The eventfd is watched edge-triggered:
 * nobody needs to read it.
 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/loop_io.h"

enum {
	EVENTS_PER_TURN = 64,
	RETRY_NS = 1000 * 1000,		/* when the kernel could not take I/O for want of memory */
};

struct loop {
	int epoll_fd, event_fd;
	struct io_engine *io;		/* NULL: LOOP_NO_IO */
	bool uring;
	bool no_pwait2;			/* an old kernel or container without epoll_pwait2 */

	_Atomic(struct loop_task *) posted;	/* a stack: newest first */
	struct loop_task *ready, **ready_end;	/* loop's thread: a queue, oldest first */
	_Atomic bool sleeping;
	_Atomic bool stop;
	_Atomic pthread_t self;		/* who is in loop_run(); 0: nobody */

	struct loop_timer *timers;	/* nearest first */
	uint64_t firing_ns;		/* while timers run: the time up to which they do */

	struct epoll_event events[EVENTS_PER_TURN];
	int event_count, event_next;	/* the part not yet delivered */
};

/* ---- life ------------------------------------------------------------------------------ */

static int loop_make_fds(struct loop *loop, struct err *err)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return err_sys(err, -errno, "event loop: epoll_create1");
	loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->event_fd < 0)
		return err_sys(err, -errno, "event loop: eventfd");
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &ev))
		return err_sys(err, -errno, "event loop: epoll_ctl");
	return 0;
}

static int loop_make_io(struct loop *loop, unsigned flags, struct err *err)
{
	/* Level-triggered: readable as long as completions wait in the ring. */
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	if (flags & LOOP_NO_IO)
		return 0;
	if (!(flags & LOOP_NO_URING) && !io_uring_engine_new(&loop->io)) {
		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->io->event_fd, &ev))
			return err_sys(err, -errno, "event loop: epoll_ctl of the I/O ring");
		loop->uring = true;
		return 0;
	}
	return io_pool_engine_new(&loop->io, loop, err);
}

int loop_new(struct loop **out, unsigned flags, struct err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int rc;

	if (!loop)
		return err_set(err, -ENOMEM, "event loop: out of memory");
	loop->epoll_fd = loop->event_fd = -1;
	loop->ready_end = &loop->ready;
	rc = loop_make_fds(loop, err);
	if (!rc)
		rc = loop_make_io(loop, flags, err);
	if (rc) {
		loop_free(loop);
		return rc;
	}
	*out = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->io) {
		while (loop->io->in_flight) {
			if (loop->io->ops->flush(loop->io))
				loop->io->ops->wait(loop->io);
			loop->io->ops->reap(loop->io);
		}
		loop->io->ops->free(loop->io);
	}
	if (loop->event_fd >= 0)
		close(loop->event_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop);
}

bool loop_uses_uring(const struct loop *loop)
{
	return loop->uring;
}

bool loop_is_self(const struct loop *loop)
{
	/* relaxed: a thread that finds itself here wrote the value itself */
	return atomic_load_explicit(&loop->self, memory_order_relaxed) == pthread_self();
}

/* ---- waking and tasks ------------------------------------------------------------------ */

void loop_wake(struct loop *loop)
{
	static const uint64_t one = 1;
	int saved = errno;

	if (atomic_load(&loop->sleeping) && atomic_exchange(&loop->sleeping, false)) {
		/* The counter cannot get full: it takes 2^64 - 1 wakeups. */
		if (write(loop->event_fd, &one, sizeof(one)) < 0)
			errno = saved;
	}
	errno = saved;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	loop_wake(loop);
}

void loop_post(struct loop *loop, struct loop_task *task)
{
	struct loop_task *head;

	/*
	 * Release for what the poster wrote before; partner: the exchange in run_tasks(). That one
	 * either comes later and sees it, or came earlier and this post queues the task again.
	 */
	if (atomic_exchange_explicit(&task->queued, true, memory_order_acq_rel))
		return;
	head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
	do {
		task->next = head;
	} while (!atomic_compare_exchange_weak(&loop->posted, &head, task));
	loop_wake(loop);
}

/* Moves what was posted to the end of the ready queue. */
static void take_posted(struct loop *loop)
{
	struct loop_task *task = atomic_exchange(&loop->posted, NULL), *oldest = NULL;
	struct loop_task **end = task ? &task->next : loop->ready_end;

	while (task) {
		struct loop_task *next = task->next;

		task->next = oldest;
		oldest = task;
		task = next;
	}
	*loop->ready_end = oldest;
	loop->ready_end = end;
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
	struct loop_task **link = &loop->ready;

	if (!atomic_load_explicit(&task->queued, memory_order_acquire))
		return;
	take_posted(loop);
	while (*link && *link != task)
		link = &(*link)->next;
	if (*link) {
		*link = task->next;
		if (!*link)
			loop->ready_end = link;
	}
	atomic_store_explicit(&task->queued, false, memory_order_release);
}

static void run_tasks(struct loop *loop)
{
	struct loop_task *task, mark = { 0 };

	if (!loop->ready && !atomic_load_explicit(&loop->posted, memory_order_relaxed))
		return;
	take_posted(loop);
	/* Tasks posted from here on come behind the mark: they have the next turn. */
	*loop->ready_end = &mark;
	loop->ready_end = &mark.next;
	while ((task = loop->ready) != &mark) {
		loop->ready = task->next;
		/* Before fn, so that a post from now on runs it again; partner: loop_post() */
		atomic_exchange_explicit(&task->queued, false, memory_order_acq_rel);
		task->fn(task);
	}
	loop->ready = mark.next;
	if (loop->ready_end == &mark.next)
		loop->ready_end = &loop->ready;
}

struct call {
	struct loop_task task;
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static void run_call(struct loop_task *task)
{
	struct call *call = container_of(task, struct call, task);

	call->fn(call->arg);
	sem_post(&call->done);
}

void loop_call(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct call call = { .task.fn = run_call, .fn = fn, .arg = arg };

	if (loop_is_self(loop)) {
		fn(arg);
		return;
	}
	sem_init(&call.done, 0, 0);
	loop_post(loop, &call.task);
	while (sem_wait(&call.done) && errno == EINTR)
		;
	sem_destroy(&call.done);
}

/* ---- file descriptors ------------------------------------------------------------------ */

static_assert(LOOP_IN == (int)EPOLLIN && LOOP_OUT == (int)EPOLLOUT && LOOP_HUP == (int)EPOLLHUP,
	      "passed to epoll as they are");

/* Events already fetched for w are not delivered any more. */
static void forget_events(struct loop *loop, const struct loop_fd *w)
{
	for (int i = loop->event_next; i < loop->event_count; i++) {
		if (loop->events[i].data.ptr == w)
			loop->events[i].data.ptr = NULL;
	}
}

int loop_fd_set(struct loop *loop, struct loop_fd *w, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!events) {
		/* epoll reports a hang-up even when asked for nothing: it must not know the fd. */
		loop_fd_del(loop, w);
		return 0;
	}
	if (w->added && w->events == events)
		return 0;
	if (epoll_ctl(loop->epoll_fd, w->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &ev))
		return -errno;
	w->added = true;
	w->events = events;
	return 0;
}

void loop_fd_del(struct loop *loop, struct loop_fd *w)
{
	if (!w->added)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	forget_events(loop, w);
	w->added = false;
	w->events = 0;
}

static void run_events(struct loop *loop)
{
	while (loop->event_next < loop->event_count) {
		const struct epoll_event *ev = &loop->events[loop->event_next++];
		struct loop_fd *w = ev->data.ptr;
		unsigned got = ev->events;

		if (!w)
			continue;
		if (got & (EPOLLERR | EPOLLHUP))
			got = LOOP_IN | LOOP_OUT;
		else
			got &= w->events;	/* an earlier callback may have changed them */
		if (got)
			w->fn(w, got);
	}
}

/* ---- timers ---------------------------------------------------------------------------- */

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void loop_timer_arm(struct loop *loop, struct loop_timer *t, uint64_t deadline_ns)
{
	struct loop_timer **link = &loop->timers;

	loop_timer_cancel(loop, t);
	/* A callback that re-arms for a time already past has its turn, but not this one. */
	if (deadline_ns <= loop->firing_ns)
		deadline_ns = loop->firing_ns + 1;
	while (*link && (*link)->deadline_ns <= deadline_ns)
		link = &(*link)->next;
	t->deadline_ns = deadline_ns;
	t->next = *link;
	t->armed = true;
	*link = t;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *t)
{
	struct loop_timer **link = &loop->timers;

	if (!t->armed)
		return;
	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	t->armed = false;
}

static void run_timers(struct loop *loop)
{
	struct loop_timer *t;

	if (!loop->timers)
		return;
	loop->firing_ns = loop_now_ns();
	while ((t = loop->timers) && t->deadline_ns <= loop->firing_ns) {
		loop->timers = t->next;
		t->armed = false;
		t->fn(t);
	}
	loop->firing_ns = 0;
}

/* ---- file I/O -------------------------------------------------------------------------- */

void loop_io_submit(struct loop *loop, struct loop_io *io)
{
	assert(loop->io);
	loop->io->in_flight++;
	loop->io->ops->submit(loop->io, io);
}

void loop_enter_io_threads(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	if (loop->io && loop->io->ops->enter)
		loop->io->ops->enter(loop->io, fn, arg);
}

static bool io_flush(struct loop *loop)
{
	return !loop->io || loop->io->ops->flush(loop->io);
}

static bool io_ready(struct loop *loop)
{
	return loop->io && loop->io->ops->ready(loop->io);
}

static void io_reap(struct loop *loop)
{
	if (loop->io)
		loop->io->ops->reap(loop->io);
}

/* ---- the loop -------------------------------------------------------------------------- */

/* timeout_ns: UINT64_MAX: none */
static int wait_events(struct loop *loop, uint64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(timeout_ns / 1000000000),
			       .tv_nsec = (long)(timeout_ns % 1000000000) };
	int n;

	if (!loop->no_pwait2) {
		n = epoll_pwait2(loop->epoll_fd, loop->events, EVENTS_PER_TURN,
				 timeout_ns == UINT64_MAX ? NULL : &ts, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		loop->no_pwait2 = true;
	}
	if (timeout_ns == UINT64_MAX)
		return epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, -1);
	/* Rounded up, so that a timer is due when we wake; at most a minute, then once more. */
	timeout_ns = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
	return epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN,
			  timeout_ns > 60000 ? 60000 : (int)timeout_ns);
}

static uint64_t time_to_sleep(const struct loop *loop)
{
	uint64_t now;

	if (!loop->timers)
		return UINT64_MAX;
	now = loop_now_ns();
	return loop->timers->deadline_ns > now ? loop->timers->deadline_ns - now : 0;
}

/* Starts I/O, sleeps until there is something to do, fetches events. */
static void loop_poll(struct loop *loop)
{
	bool flushed = io_flush(loop);
	uint64_t timeout = time_to_sleep(loop);
	int n;

	if (!flushed && timeout > RETRY_NS)
		timeout = RETRY_NS;
	/* Announced before the last look; partner: loop_wake() behind post, stop, I/O threads. */
	atomic_store(&loop->sleeping, true);
	if (loop->ready || atomic_load(&loop->posted) || atomic_load(&loop->stop) ||
	    io_ready(loop))
		timeout = 0;
	n = wait_events(loop, timeout);
	atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
	/* EINTR, also for I/O completions of the kernel: a turn without events. */
	loop->event_count = n > 0 ? n : 0;
	loop->event_next = 0;
}

void loop_run(struct loop *loop)
{
	atomic_store_explicit(&loop->self, pthread_self(), memory_order_relaxed);
	while (!atomic_load(&loop->stop)) {
		loop_poll(loop);
		run_tasks(loop);
		run_events(loop);
		run_timers(loop);
		io_flush(loop);
		io_reap(loop);
	}
	atomic_store(&loop->stop, false);
	atomic_store_explicit(&loop->self, 0, memory_order_relaxed);
}
