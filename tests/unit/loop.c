/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/loop.h"

/* Ends a test that would hang. */
enum { DEADLINE_S = 60 };

static struct loop *new_loop(unsigned flags)
{
	struct loop *loop;
	struct err err;

	alarm(DEADLINE_S);
	assert_int_equal(loop_new(&loop, flags, &err), 0);
	return loop;
}

static void end_loop(struct loop *loop)
{
	loop_free(loop);
	alarm(0);
}

static void *run_thread(void *loop)
{
	loop_run(loop);
	return NULL;
}

/* ---- tasks ----------------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS = 20000 };

struct counter {
	struct loop_task task;
	struct loop *loop;
	_Atomic unsigned wanted;	/* set before the post */
	unsigned seen;			/* the last `wanted` that the task saw */
	unsigned runs;
	unsigned *finished;
};

static void count_task(struct loop_task *task)
{
	struct counter *c = container_of(task, struct counter, task);
	unsigned seen = atomic_load_explicit(&c->wanted, memory_order_relaxed);

	c->runs++;
	if (seen == POSTS && c->seen != POSTS && ++*c->finished == POSTERS)
		loop_stop(c->loop);
	c->seen = seen;
}

static void *poster(void *arg)
{
	struct counter *c = arg;

	for (unsigned i = 1; i <= POSTS; i++) {
		atomic_store_explicit(&c->wanted, i, memory_order_relaxed);
		loop_post(c->loop, &c->task);
	}
	return NULL;
}

static void posts_from_threads_lose_nothing(void **state)
{
	struct loop *loop = new_loop(0);
	struct counter c[POSTERS] = { 0 };
	pthread_t threads[POSTERS];
	unsigned finished = 0;

	for (int i = 0; i < POSTERS; i++) {
		c[i].task.fn = count_task;
		c[i].loop = loop;
		c[i].finished = &finished;
		assert_int_equal(pthread_create(&threads[i], NULL, poster, &c[i]), 0);
	}
	/* Returns only when the last post of each has been seen. */
	loop_run(loop);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(c[i].seen, POSTS);
		assert_in_range(c[i].runs, 1, POSTS);
	}
	end_loop(loop);
}

struct script {
	struct loop_task task;
	struct loop *loop;
	char *log;
	char letter;
	struct script *post;		/* posted by the task, once */
	struct script *cancel;
	bool stop;
};

static void script_task(struct loop_task *task)
{
	struct script *s = container_of(task, struct script, task);
	struct script *post = s->post;

	strncat(s->log, &s->letter, 1);
	s->post = NULL;
	if (post)
		loop_post(s->loop, &post->task);
	if (s->cancel)
		loop_task_cancel(s->loop, &s->cancel->task);
	if (s->stop && !post)
		loop_stop(s->loop);
}

static void tasks_run_in_order_once(void **state)
{
	struct loop *loop = new_loop(0);
	char log[16] = "";
	struct script s[4];

	memset(s, 0, sizeof(s));
	for (int i = 0; i < 4; i++) {
		s[i].task.fn = script_task;
		s[i].loop = loop;
		s[i].log = log;
		s[i].letter = (char)('a' + i);
	}
	s[0].post = &s[0];		/* itself, while it runs: runs once more */
	s[1].cancel = &s[2];
	s[3].post = &s[0];		/* already queued: not once more */
	for (int i = 0; i < 4; i++)
		loop_post(loop, &s[i].task);
	loop_post(loop, &s[1].task);
	loop_stop(loop);
	loop_run(loop);			/* a stop before the run ends it at once */
	assert_string_equal(log, "");
	s[3].stop = true;
	s[0].stop = true;
	loop_run(loop);
	assert_string_equal(log, "abda");

	/* cancelled in front, at the end, alone; then the queue still works */
	loop_post(loop, &s[0].task);
	loop_post(loop, &s[1].task);
	loop_task_cancel(loop, &s[0].task);
	loop_task_cancel(loop, &s[1].task);
	loop_task_cancel(loop, &s[1].task);
	log[0] = '\0';
	s[2].stop = true;
	loop_post(loop, &s[2].task);
	loop_run(loop);
	assert_string_equal(log, "c");
	end_loop(loop);
}

struct call_arg {
	struct loop *loop;
	pthread_t ran_on;
	int calls;
};

static void note_call(void *arg)
{
	struct call_arg *a = arg;

	assert_true(loop_is_self(a->loop));
	a->ran_on = pthread_self();
	a->calls++;
	if (a->calls == 1)
		loop_call(a->loop, note_call, a);	/* on the loop's own thread: at once */
}

static void call_runs_on_the_loop(void **state)
{
	struct loop *loop = new_loop(0);
	struct call_arg a = { .loop = loop };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run_thread, loop), 0);
	assert_false(loop_is_self(loop));
	for (int i = 0; i < 1000; i++)
		loop_call(loop, note_call, &a);
	assert_int_equal(a.calls, 1001);
	assert_true(pthread_equal(a.ran_on, thread));
	loop_stop(loop);
	pthread_join(thread, NULL);
	end_loop(loop);
}

static struct loop *signal_loop;

static void on_signal(int sig)
{
	loop_stop(signal_loop);
}

static void stop_from_a_signal(void **state)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	pthread_t thread;

	signal_loop = new_loop(0);
	sigaction(SIGUSR1, &sa, &old);
	assert_int_equal(pthread_create(&thread, NULL, run_thread, signal_loop), 0);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	sigaction(SIGUSR1, &old, NULL);
	end_loop(signal_loop);
}

/* ---- timers ---------------------------------------------------------------------------- */

struct tick {
	struct loop_timer t;
	struct loop *loop;
	struct tick *cancel;
	uint64_t fired_ns;
	int order;
	int *next_order;
	int again;			/* re-arms for the past so many times */
	bool stop;
};

static void tick_fn(struct loop_timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	k->fired_ns = loop_now_ns();
	k->order = ++*k->next_order;
	if (k->cancel)
		loop_timer_cancel(k->loop, &k->cancel->t);
	if (k->again) {
		k->again--;
		loop_timer_arm(k->loop, t, 1);
	} else if (k->stop) {
		loop_stop(k->loop);
	}
}

static void timers_fire_in_order(void **state)
{
	struct loop *loop = new_loop(0);
	static const unsigned ms[] = { 30, 10, 20, 10, 15, 40 };
	struct tick k[ARRAY_LEN(ms)];
	struct rusage before, after;
	uint64_t start = loop_now_ns();
	int next = 0;

	memset(k, 0, sizeof(k));
	for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
		k[i].t.fn = tick_fn;
		k[i].loop = loop;
		k[i].next_order = &next;
		loop_timer_arm(loop, &k[i].t, start + ms[i] * UINT64_C(1000000));
	}
	k[3].cancel = &k[4];
	k[5].stop = true;
	loop_timer_arm(loop, &k[0].t, start + 25000000);	/* moved, still behind k[2] */
	getrusage(RUSAGE_THREAD, &before);
	loop_run(loop);
	getrusage(RUSAGE_THREAD, &after);
	assert_int_equal(k[1].order, 1);
	assert_int_equal(k[3].order, 2);	/* same time: first armed, first fired */
	assert_int_equal(k[2].order, 3);
	assert_int_equal(k[4].order, 0);	/* cancelled by k[3] */
	assert_int_equal(k[0].order, 4);
	assert_int_equal(k[5].order, 5);
	for (size_t i = 0; i < ARRAY_LEN(ms); i++)
		assert_true(i == 4 || k[i].fired_ns >= k[i].t.deadline_ns);
	/* It slept: a loop that polls gives up its CPU to the scheduler only. */
	assert_true(after.ru_nvcsw > before.ru_nvcsw);
	end_loop(loop);
}

static void a_timer_in_the_past_starves_nobody(void **state)
{
	struct loop *loop = new_loop(0);
	int next = 0;
	struct tick past = { .t.fn = tick_fn, .loop = loop, .next_order = &next, .again = 1 << 30 };
	struct tick end = { .t.fn = tick_fn, .loop = loop, .next_order = &next, .stop = true };

	loop_timer_arm(loop, &past.t, 1);
	loop_timer_arm(loop, &end.t, loop_now_ns() + 5000000);
	loop_run(loop);
	assert_true(end.order > 2);
	loop_timer_cancel(loop, &past.t);
	loop_timer_cancel(loop, &past.t);
	end_loop(loop);
}

/* ---- file descriptors ------------------------------------------------------------------ */

struct watch {
	struct loop_fd w;
	struct loop *loop;
	struct watch *other;		/* removed by the callback */
	unsigned events;
	int calls;
	bool stop;
};

static void watch_fn(struct loop_fd *w, unsigned events)
{
	struct watch *x = container_of(w, struct watch, w);

	x->calls++;
	x->events = events;
	if (x->other) {
		loop_fd_del(x->loop, &x->other->w);
		loop_fd_del(x->loop, w);
	}
	if (x->stop)
		loop_stop(x->loop);
}

static void fds_report_their_events(void **state)
{
	struct loop *loop = new_loop(0);
	struct watch rd = { .w.fn = watch_fn, .loop = loop, .stop = true };
	struct watch wr = { .w.fn = watch_fn, .loop = loop, .stop = true };
	int p[2];
	char c;

	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	rd.w.fd = p[0];
	wr.w.fd = p[1];
	loop_fd_del(loop, &rd.w);	/* never added: fine */
	assert_int_equal(loop_fd_set(loop, &rd.w, LOOP_IN), 0);
	assert_int_equal(loop_fd_set(loop, &wr.w, LOOP_OUT), 0);
	loop_run(loop);
	assert_int_equal(wr.events, LOOP_OUT);
	assert_int_equal(rd.calls, 0);

	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(loop_fd_set(loop, &wr.w, 0), 0);
	loop_run(loop);
	assert_int_equal(rd.events, LOOP_IN);
	assert_int_equal(wr.calls, 1);

	/* level triggered: again until it is read; then the hang-up */
	loop_run(loop);
	assert_int_equal(rd.calls, 2);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[1]);
	loop_run(loop);
	assert_int_equal(rd.events, LOOP_IN | LOOP_OUT);
	loop_fd_del(loop, &rd.w);
	close(p[0]);

	rd.w.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(loop_fd_set(loop, &rd.w, LOOP_IN), -EPERM);	/* a regular file */
	loop_fd_del(loop, &rd.w);
	close(rd.w.fd);
	end_loop(loop);
}

static void a_callback_may_remove_others(void **state)
{
	struct loop *loop = new_loop(0);
	struct watch x[2] = { { .w.fn = watch_fn, .loop = loop, .other = &x[1], .stop = true },
			      { .w.fn = watch_fn, .loop = loop, .other = &x[0], .stop = true } };
	int p[2][2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe2(p[i], O_CLOEXEC), 0);
		assert_int_equal(write(p[i][1], "x", 1), 1);
		x[i].w.fd = p[i][0];
		assert_int_equal(loop_fd_set(loop, &x[i].w, LOOP_IN), 0);
	}
	loop_run(loop);			/* both are ready in the same turn */
	assert_int_equal(x[0].calls + x[1].calls, 1);
	for (int i = 0; i < 2; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
	end_loop(loop);
}

/* ---- file I/O -------------------------------------------------------------------------- */

enum { IOS = 1500, IO_BYTES = 700 };	/* more at once than a ring holds */

struct job {
	struct loop_io io;
	struct iovec iov;
	struct loop *loop;
	unsigned *left;
	int res;
};

static void job_done(struct loop_io *io, int res)
{
	struct job *j = container_of(io, struct job, io);

	j->res = res;
	if (!--*j->left)
		loop_stop(j->loop);
}

static int scratch_file(void)
{
	char path[] = "/tmp/hospes-test-loop.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static int one_io(struct loop *loop, struct loop_io io)
{
	unsigned left = 1;
	struct job j = { .io = io, .loop = loop, .left = &left };

	j.io.done = job_done;
	loop_io_submit(loop, &j.io);
	assert_int_equal(left, 1);	/* never completed within the call */
	loop_run(loop);
	return j.res;
}

static void all_io(unsigned flags)
{
	struct loop *loop = new_loop(flags);
	struct job *jobs = calloc(IOS, sizeof(*jobs));
	char *out = malloc(IOS * IO_BYTES), *in = calloc(IOS, IO_BYTES);
	int fd = scratch_file();
	struct iovec two[2] = { { in, 10 }, { in + 10, IO_BYTES } };
	unsigned left;

	for (size_t i = 0; i < IOS * IO_BYTES; i++)
		out[i] = (char)(i * 2654435761u >> 13);
	for (int write = 1; write >= 0; write--) {
		left = IOS;
		for (size_t i = 0; i < IOS; i++) {
			jobs[i] = (struct job){
				.io = { .op = write ? LOOP_WRITEV : LOOP_READV, .fd = fd,
					.niov = 1, .off = i * IO_BYTES, .done = job_done },
				.iov = { (write ? out : in) + i * IO_BYTES, IO_BYTES },
				.loop = loop, .left = &left,
			};
			jobs[i].io.iov = &jobs[i].iov;
			loop_io_submit(loop, &jobs[i].io);
		}
		loop_run(loop);
		for (size_t i = 0; i < IOS; i++)
			assert_int_equal(jobs[i].res, IO_BYTES);
	}
	assert_memory_equal(in, out, IOS * IO_BYTES);

	assert_int_equal(one_io(loop, (struct loop_io){ .op = LOOP_FDATASYNC, .fd = fd }), 0);
	assert_int_equal(one_io(loop, (struct loop_io){
		.op = LOOP_FALLOCATE, .fd = fd, .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		.off = 4096, .len = 4096 }), 0);
	/* at the end of the file: a short read, then nothing */
	assert_int_equal(one_io(loop, (struct loop_io){ .op = LOOP_READV, .fd = fd, .iov = two,
		.niov = 2, .off = IOS * IO_BYTES - 15 }), 15);
	assert_int_equal(one_io(loop, (struct loop_io){ .op = LOOP_READV, .fd = fd, .iov = two,
		.niov = 2, .off = IOS * IO_BYTES }), 0);
	assert_int_equal(one_io(loop, (struct loop_io){ .op = LOOP_READV, .fd = fd, .iov = two,
		.niov = 2, .off = 4090 }), IO_BYTES + 10);
	assert_memory_equal(in, out + 4090, 6);
	for (int i = 6; i < IO_BYTES; i++)
		assert_int_equal(in[i], 0);
	assert_int_equal(one_io(loop, (struct loop_io){ .op = LOOP_FDATASYNC, .fd = -1 }), -EBADF);

	close(fd);
	free(in);
	free(out);
	free(jobs);
	end_loop(loop);
}

static void io_through_the_ring(void **state)
{
	struct loop *loop = new_loop(0);
	bool uring = loop_uses_uring(loop);

	end_loop(loop);
	if (!uring)
		skip();
	all_io(0);
}

static void io_through_threads(void **state)
{
	struct loop *loop = new_loop(LOOP_NO_URING);

	assert_false(loop_uses_uring(loop));
	end_loop(loop);
	all_io(LOOP_NO_URING);
}

static void free_waits_for_io(void **state)
{
	static char buf[64 * 1024];

	for (unsigned flags = 0; flags <= LOOP_NO_URING; flags++) {
		struct loop *loop = new_loop(flags);
		unsigned left = 2;
		struct job j[2];
		int fd = scratch_file();

		for (int i = 0; i < 2; i++) {
			j[i] = (struct job){
				.io = { .op = LOOP_WRITEV, .fd = fd, .niov = 1, .done = job_done,
					.off = (uint64_t)i * sizeof(buf) },
				.iov = { buf, sizeof(buf) }, .loop = loop, .left = &left,
			};
			j[i].io.iov = &j[i].iov;
			loop_io_submit(loop, &j[i].io);
		}
		end_loop(loop);
		assert_int_equal(left, 0);
		assert_int_equal(j[0].res, sizeof(buf));
		close(fd);
	}
}

struct hang_up {
	struct loop_fd w;
	struct loop_task task;
	struct loop *loop;
	int peer;		/* -1: closed */
	unsigned turns, calls;
};

static void on_hang_up(struct loop_fd *w, unsigned events)
{
	struct hang_up *h = container_of(w, struct hang_up, w);

	/* Not for the byte that waits. */
	assert_int_equal(h->peer, -1);
	assert_int_equal(events, LOOP_IN | LOOP_OUT);
	h->calls++;
	loop_fd_del(h->loop, w);
	loop_stop(h->loop);
}

static void close_peer(struct loop_task *task)
{
	struct hang_up *h = container_of(task, struct hang_up, task);

	if (++h->turns < 10) {
		loop_post(h->loop, task);
		return;
	}
	close(h->peer);
	h->peer = -1;
}

/* A descriptor of which nothing is wanted but the news that its other end has gone. */
static void hang_ups_are_reported_alone(void **state)
{
	struct loop *loop = new_loop(LOOP_NO_IO);
	struct hang_up h = { .loop = loop };
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	h.w = (struct loop_fd){ .fd = s[0], .fn = on_hang_up };
	assert_int_equal(loop_fd_set(loop, &h.w, LOOP_HUP), 0);
	assert_int_equal(write(s[1], "x", 1), 1);
	h.task.fn = close_peer;
	h.peer = s[1];
	loop_post(loop, &h.task);
	loop_run(loop);
	assert_int_equal(h.calls, 1);
	close(s[0]);
	end_loop(loop);
}

/* ---- threads of the pool ----------------------------------------------------------------- */

struct visits {
	pthread_mutex_t lock;
	pthread_t seen[16];
	unsigned count;
};

static void visit(void *arg)
{
	struct visits *v = arg;

	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < v->count; i++)
		assert_int_not_equal(v->seen[i], pthread_self());
	v->seen[v->count++] = pthread_self();
	pthread_mutex_unlock(&v->lock);
}

/* How many threads this process has. */
static unsigned thread_count(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/task");

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void set_flag(void *flag)
{
	*(bool *)flag = true;
}

static void each_io_thread_is_entered_once(void **state)
{
	struct visits v = { .lock = PTHREAD_MUTEX_INITIALIZER };
	unsigned before = thread_count();
	struct loop *loop = new_loop(LOOP_NO_URING);
	unsigned threads = thread_count() - before;

	assert_true(threads > 0);
	loop_enter_io_threads(loop, visit, &v);
	assert_int_equal(v.count, threads);
	end_loop(loop);
}

static void no_io_means_no_threads(void **state)
{
	struct visits v = { .lock = PTHREAD_MUTEX_INITIALIZER };
	unsigned before = thread_count();
	struct loop *loop = new_loop(LOOP_NO_IO);
	bool ran = false;
	pthread_t thread;

	assert_int_equal(thread_count(), before);
	assert_false(loop_uses_uring(loop));
	loop_enter_io_threads(loop, visit, &v);
	assert_int_equal(v.count, 0);
	assert_int_equal(pthread_create(&thread, NULL, run_thread, loop), 0);
	loop_call(loop, set_flag, &ran);
	assert_true(ran);
	loop_stop(loop);
	pthread_join(thread, NULL);
	end_loop(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_from_threads_lose_nothing),
		cmocka_unit_test(tasks_run_in_order_once),
		cmocka_unit_test(call_runs_on_the_loop),
		cmocka_unit_test(stop_from_a_signal),
		cmocka_unit_test(timers_fire_in_order),
		cmocka_unit_test(a_timer_in_the_past_starves_nobody),
		cmocka_unit_test(fds_report_their_events),
		cmocka_unit_test(a_callback_may_remove_others),
		cmocka_unit_test(io_through_the_ring),
		cmocka_unit_test(io_through_threads),
		cmocka_unit_test(free_waits_for_io),
		cmocka_unit_test(each_io_thread_is_entered_once),
		cmocka_unit_test(no_io_means_no_threads),
		cmocka_unit_test(hang_ups_are_reported_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
