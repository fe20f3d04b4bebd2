/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/chan.h"

enum { DEADLINE_S = 60 };

/* A channel over one end of a socket pair with its loop on a thread, and the device behind it. */
struct rig {
	struct loop *loop;
	struct chan *chan;
	pthread_t thread;
	int peer;

	pthread_mutex_t lock;		/* the fields below */
	pthread_cond_t changed;
	size_t room;
	uint8_t got[256 * 1024];
	size_t got_len;
	int opened, closed, drained;
};

static size_t rig_room(void *opaque)
{
	struct rig *r = opaque;
	size_t room;

	pthread_mutex_lock(&r->lock);
	room = r->room;
	pthread_mutex_unlock(&r->lock);
	return room;
}

static void rig_input(void *opaque, const uint8_t *buf, size_t len)
{
	struct rig *r = opaque;

	pthread_mutex_lock(&r->lock);
	assert_in_range(len, 1, r->room);
	assert_true(len <= sizeof(r->got) - r->got_len);
	memcpy(r->got + r->got_len, buf, len);
	r->got_len += len;
	r->room -= len;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void rig_open(void *opaque, bool open)
{
	struct rig *r = opaque;

	pthread_mutex_lock(&r->lock);
	if (open)
		r->opened++;
	else
		r->closed++;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void rig_drained(void *opaque)
{
	struct rig *r = opaque;

	pthread_mutex_lock(&r->lock);
	r->drained++;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static const struct chan_ops rig_ops = {
	.room = rig_room, .input = rig_input, .drained = rig_drained, .open = rig_open,
};

static void *rig_thread(void *loop)
{
	loop_run(loop);
	return NULL;
}

static struct rig *rig_new(int fd, size_t room)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err err;
	int s[2];

	alarm(DEADLINE_S);
	r->peer = -1;
	if (fd < 0) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
		fd = s[0];
		r->peer = s[1];
	}
	r->room = room;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	assert_int_equal(loop_new(&r->loop, 0, &err), 0);
	assert_int_equal(chan_new(&r->chan, r->loop, fd, &err), 0);
	chan_attach(r->chan, &rig_ops, r);
	assert_int_equal(pthread_create(&r->thread, NULL, rig_thread, r->loop), 0);
	return r;
}

static void rig_free(struct rig *r)
{
	loop_stop(r->loop);
	pthread_join(r->thread, NULL);
	chan_free(r->chan);
	loop_free(r->loop);
	if (r->peer >= 0)
		close(r->peer);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
	alarm(0);
}

/* Waits until *value (a field under the lock) reaches wanted. */
static void rig_wait_len(struct rig *r, size_t wanted)
{
	pthread_mutex_lock(&r->lock);
	while (r->got_len < wanted)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

static void rig_wait_count(struct rig *r, const int *value, int wanted)
{
	pthread_mutex_lock(&r->lock);
	while (*value < wanted)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

/* *value, a field under the lock */
static int rig_count(struct rig *r, const int *value)
{
	int count;

	pthread_mutex_lock(&r->lock);
	count = *value;
	pthread_mutex_unlock(&r->lock);
	return count;
}

/* Runs on the loop's thread, after what was posted before. */
static void nothing(void *arg)
{
	(void)arg;
}

static void read_all(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
}

static void both_directions(void **state)
{
	struct rig *r = rig_new(-1, 100);
	char buf[6];

	rig_wait_count(r, &r->opened, 1);
	chan_write(r->chan, (const uint8_t *)"", 0);
	chan_write(r->chan, (const uint8_t *)"hel", 3);
	chan_write(r->chan, (const uint8_t *)"lo\n", 3);
	read_all(r->peer, buf, 6);
	assert_memory_equal(buf, "hello\n", 6);
	assert_int_equal(write(r->peer, "login", 5), 5);
	rig_wait_len(r, 5);
	assert_memory_equal(r->got, "login", 5);
	assert_int_equal(chan_dropped(r->chan), 0);
	rig_free(r);
}

/* Nobody reads: the oldest bytes go, and they are counted; the newest arrive whole. */
static void slow_reader_loses_the_oldest(void **state)
{
	struct rig *r = rig_new(-1, 0);
	uint32_t words[1000], next = 0, last = 0, word;
	size_t total = 0, got = 0, gaps = 0;
	uint64_t dropped;

	for (int i = 0; i < 800; i++) {
		for (size_t k = 0; k < 1000; k++)
			words[k] = ++next;
		chan_write(r->chan, (const uint8_t *)words, sizeof(words));
		total += sizeof(words);
	}
	loop_call(r->loop, nothing, NULL);
	dropped = chan_dropped(r->chan);
	assert_true(dropped > 0);
	/* The ring holds the newest; only what fitted into the socket lies before it. */
	while (last != next) {
		read_all(r->peer, &word, sizeof(word));
		got += sizeof(word);
		assert_true(word > last);
		gaps += word != last + 1;
		last = word;
	}
	assert_true(gaps > 0);
	assert_true(got >= CHAN_OUT_BYTES);
	assert_int_equal(got + dropped, total);
	assert_int_equal(chan_dropped(r->chan), dropped);
	rig_free(r);
}

/* A writer that asks for room loses nothing and hears when it may go on. */
static void patient_writer_loses_nothing(void **state)
{
	static uint8_t block[65536];
	struct rig *r = rig_new(-1, 0);
	size_t total = 0, room;

	assert_int_equal(chan_out_room(r->chan), CHAN_OUT_BYTES);
	do {
		room = chan_out_room(r->chan);
		if (room > sizeof(block))
			room = sizeof(block);
		chan_write(r->chan, block, room);
		total += room;
		loop_call(r->loop, nothing, NULL);
	} while (room);
	assert_true(total > CHAN_OUT_BYTES);
	assert_int_equal(rig_count(r, &r->drained), 0);
	while (total) {
		room = total < sizeof(block) ? total : sizeof(block);
		read_all(r->peer, block, room);
		total -= room;
	}
	rig_wait_count(r, &r->drained, 1);
	assert_int_equal(chan_out_room(r->chan), CHAN_OUT_BYTES);
	assert_int_equal(chan_dropped(r->chan), 0);
	rig_free(r);
}

static void one_write_larger_than_the_ring(void **state)
{
	struct rig *r = rig_new(-1, 0);
	size_t len = CHAN_OUT_BYTES + 1000;
	uint8_t *out = malloc(len), *in = malloc(CHAN_OUT_BYTES);

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 2654435761u >> 11);
	chan_write(r->chan, out, len);
	read_all(r->peer, in, CHAN_OUT_BYTES);
	assert_memory_equal(in, out + 1000, CHAN_OUT_BYTES);
	assert_int_equal(chan_dropped(r->chan), 1000);
	free(in);
	free(out);
	rig_free(r);
}

enum { WRITERS = 4, LINES = 3000 };

struct writer {
	struct chan *chan;
	int id;
};

static void *write_lines(void *arg)
{
	struct writer *w = arg;
	char line[17];

	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "%d %013d\n", w->id, i);
		chan_write(w->chan, (const uint8_t *)line, 16);
	}
	return NULL;
}

static void writes_of_threads_stay_whole(void **state)
{
	struct rig *r = rig_new(-1, 0);
	struct writer w[WRITERS];
	pthread_t threads[WRITERS];
	int next[WRITERS] = { 0 };

	for (int i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ r->chan, i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &w[i]), 0);
	}
	for (int i = 0; i < WRITERS * LINES; i++) {
		char line[17] = "";
		int id;

		read_all(r->peer, line, 16);
		id = line[0] - '0';
		assert_in_range(id, 0, WRITERS - 1);
		assert_int_equal(line[15], '\n');
		assert_int_equal(atoi(line + 2), next[id]++);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	rig_free(r);
}

static void input_waits_for_the_device(void **state)
{
	struct rig *r = rig_new(-1, 10);
	static uint8_t out[200 * 1024];
	size_t sent = 0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 2654435761u >> 9);
	assert_int_equal(fcntl(r->peer, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(write(r->peer, out, 1000), 1000);
	sent = 1000;
	rig_wait_len(r, 10);
	/* No room: the rest stays in the socket, and the peer notices when that is full. */
	for (;;) {
		size_t left = sizeof(out) - sent;
		ssize_t n = write(r->peer, out + sent, left < 4096 ? left : 4096);

		if (n < 0)
			break;
		sent += (size_t)n;
		assert_true(sent < sizeof(out));
	}
	assert_int_equal(errno, EAGAIN);
	loop_call(r->loop, nothing, NULL);
	pthread_mutex_lock(&r->lock);
	assert_int_equal(r->got_len, 10);
	pthread_mutex_unlock(&r->lock);
	for (size_t wanted = 10; wanted < sent;) {
		size_t room = wanted % 7777 + 1;

		pthread_mutex_lock(&r->lock);
		r->room = room;
		pthread_mutex_unlock(&r->lock);
		chan_input_ready(r->chan);
		wanted = wanted + room < sent ? wanted + room : sent;
		rig_wait_len(r, wanted);
	}
	assert_memory_equal(r->got, out, sent);
	rig_free(r);
}

static void hang_up_closes_the_channel(void **state)
{
	struct rig *r = rig_new(-1, 100);

	assert_int_equal(write(r->peer, "bye", 3), 3);
	close(r->peer);
	r->peer = -1;
	rig_wait_count(r, &r->closed, 1);
	assert_int_equal(r->got_len, 3);	/* what it had sent before still arrives */
	assert_int_equal(rig_count(r, &r->opened), 1);
	chan_write(r->chan, (const uint8_t *)"anyone?", 7);
	chan_input_ready(r->chan);
	loop_call(r->loop, nothing, NULL);
	assert_int_equal(rig_count(r, &r->closed), 1);
	rig_free(r);
}

/* With output waiting for a reader that leaves, and a device that takes nothing. */
static void hang_up_with_output_waiting(void **state)
{
	struct rig *r = rig_new(-1, 0);
	static const uint8_t zeroes[CHAN_OUT_BYTES];

	chan_write(r->chan, zeroes, sizeof(zeroes));
	loop_call(r->loop, nothing, NULL);
	close(r->peer);
	r->peer = -1;
	rig_wait_count(r, &r->closed, 1);
	rig_free(r);
}

static void free_writes_what_waits(void **state)
{
	struct chan *chan;
	struct loop *loop;
	struct err err;
	char buf[4];
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(loop_new(&loop, 0, &err), 0);
	assert_int_equal(chan_new(&chan, loop, s[0], &err), 0);
	chan_write(chan, (const uint8_t *)"last", 4);
	chan_free(chan);
	loop_free(loop);
	read_all(s[1], buf, 4);
	assert_memory_equal(buf, "last", 4);
	assert_int_equal(read(s[1], buf, 1), 0);	/* closed */
	close(s[1]);
}

struct reader {
	int fd;
	size_t got;
};

/* Takes little at a time. */
static void *read_to_the_end(void *arg)
{
	struct reader *r = arg;
	char buf[100];
	ssize_t n;

	while ((n = read(r->fd, buf, sizeof(buf))) > 0)
		r->got += (size_t)n;
	return NULL;
}

static void free_waits_for_a_slow_reader(void **state)
{
	static const uint8_t zeroes[CHAN_OUT_BYTES];
	int s[2], small = 4096;
	struct reader reader;
	pthread_t thread;
	struct chan *chan;
	struct loop *loop;
	struct err err;

	alarm(DEADLINE_S);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(loop_new(&loop, 0, &err), 0);
	assert_int_equal(chan_new(&chan, loop, s[0], &err), 0);
	chan_write(chan, zeroes, sizeof(zeroes));
	reader = (struct reader){ .fd = s[1] };
	assert_int_equal(pthread_create(&thread, NULL, read_to_the_end, &reader), 0);
	chan_free(chan);
	loop_free(loop);
	pthread_join(thread, NULL);
	assert_int_equal(reader.got, sizeof(zeroes));
	close(s[1]);
	alarm(0);
}

static void files_serve_too(void **state)
{
	char path[] = "/tmp/hospes-test-chan.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	static char big[100 * 1024], back[sizeof(big)];
	struct rig *r;

	memset(big, 'x', sizeof(big));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, big, sizeof(big)), sizeof(big));
	r = rig_new(open(path, O_RDONLY | O_CLOEXEC), 150 * 1024);
	rig_wait_len(r, sizeof(big));
	chan_write(r->chan, (const uint8_t *)"no", 2);	/* open for reading only */
	loop_call(r->loop, nothing, NULL);
	loop_call(r->loop, nothing, NULL);
	assert_int_equal(rig_count(r, &r->closed), 0);		/* end of file is not a hang-up */
	rig_free(r);

	assert_int_equal(ftruncate(fd, 0), 0);
	r = rig_new(open(path, O_WRONLY | O_CLOEXEC), 100);
	chan_write(r->chan, (const uint8_t *)big, sizeof(big));
	rig_free(r);
	assert_int_equal(pread(fd, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(back, big, sizeof(big));
	close(fd);
	unlink(path);

	r = rig_new(open("/dev/null", O_RDWR | O_CLOEXEC), 100);
	chan_write(r->chan, (const uint8_t *)big, sizeof(big));
	loop_call(r->loop, nothing, NULL);
	assert_int_equal(rig_count(r, &r->closed), 0);
	rig_free(r);
}

static void bad_descriptors_are_refused(void **state)
{
	struct chan *chan = NULL;
	struct loop *loop;
	struct err err;

	assert_int_equal(loop_new(&loop, 0, &err), 0);
	assert_int_equal(chan_new(&chan, loop, -1, &err), -EBADF);
	assert_string_equal(err.msg, "console descriptor -1: Bad file descriptor");
	assert_null(chan);
	chan_free(NULL);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions),
		cmocka_unit_test(slow_reader_loses_the_oldest),
		cmocka_unit_test(patient_writer_loses_nothing),
		cmocka_unit_test(one_write_larger_than_the_ring),
		cmocka_unit_test(writes_of_threads_stay_whole),
		cmocka_unit_test(input_waits_for_the_device),
		cmocka_unit_test(hang_up_closes_the_channel),
		cmocka_unit_test(hang_up_with_output_waiting),
		cmocka_unit_test(free_writes_what_waits),
		cmocka_unit_test(free_waits_for_a_slow_reader),
		cmocka_unit_test(files_serve_too),
		cmocka_unit_test(bad_descriptors_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
