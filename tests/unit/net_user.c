/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's side of user-mode networking, against a peer that the test plays. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "net/user.h"
#include "net/user_wire.h"

struct fixture {
	struct loop *loop;
	struct net *net;
	int peer;
	struct loop_timer limit;

	bool refuse;			/* rx() says there is no room */
	unsigned stop_at;		/* frames after which the loop stops */
	unsigned count;
	uint8_t first[64];		/* first payload byte of each frame */
	size_t last_len;
	unsigned ready, downs;
};

static bool on_rx(void *opaque, const struct iovec *iov, unsigned niov)
{
	struct fixture *f = opaque;

	if (f->refuse) {
		loop_stop(f->loop);
		return false;
	}
	assert_int_equal(niov, 1);
	f->first[f->count] = ((uint8_t *)iov->iov_base)[WIRE_MIN];
	f->last_len = iov->iov_len;
	if (++f->count == f->stop_at)
		loop_stop(f->loop);
	return true;
}

static void on_tx_ready(void *opaque)
{
	struct fixture *f = opaque;

	f->ready++;
	loop_stop(f->loop);
}

static void on_link(void *opaque, bool up)
{
	struct fixture *f = opaque;

	assert_false(up);
	f->downs++;
	loop_stop(f->loop);
}

static const struct net_client client = { on_rx, on_tx_ready, on_link };

static void out_of_time(struct loop_timer *t)
{
	fail_msg("nothing happened in time");
}

static void run(struct fixture *f)
{
	f->limit.fn = out_of_time;
	loop_timer_arm(f->loop, &f->limit, loop_now_ns() + UINT64_C(20000000000));
	loop_run(f->loop);
	loop_timer_cancel(f->loop, &f->limit);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	assert_int_equal(loop_new(&f->loop, LOOP_NO_IO, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	f->peer = fds[1];
	assert_int_equal(net_user_open(&f->net, f->loop, fds[0], NULL), 0);
	assert_true(f->net->up);
	net_attach(f->net, &client, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	net_close(f->net);
	loop_free(f->loop);
	close(f->peer);
	free(f);
	return 0;
}

/* The peer sends len bytes with header h (or zeros) whose payload begins with mark. */
static void peer_sends(struct fixture *f, const struct net_hdr *h, size_t len, uint8_t mark)
{
	uint8_t *msg = calloc(1, len + 64);

	if (h)
		net_hdr_put(h, msg);
	msg[WIRE_MIN] = mark;
	assert_int_equal(send(f->peer, msg, len, 0), len);
	free(msg);
}

static void sends_whole_frames(void **state)
{
	struct fixture *f = *state;
	uint8_t data[3000], got[4000];
	struct iovec iov[1500];
	unsigned sent = 0, n = 0;

	for (unsigned i = 0; i < 1500; i++) {
		data[2 * i] = (uint8_t)i;
		data[2 * i + 1] = (uint8_t)(i >> 8);
		iov[i] = (struct iovec){ data + 2 * i, 2 };
	}
	/* in few pieces, and in more than one system call takes */
	assert_int_equal(net_tx(f->net, iov, 100), 0);
	assert_int_equal(recv(f->peer, got, sizeof(got), 0), 200);
	assert_memory_equal(got, data, 200);
	assert_int_equal(net_tx(f->net, iov, 1500), 0);
	assert_int_equal(recv(f->peer, got, sizeof(got), 0), 3000);
	assert_memory_equal(got, data, 3000);

	/* a full socket refuses, and says when it takes again */
	iov[0] = (struct iovec){ data, sizeof(data) };
	while (net_tx(f->net, iov, 1) == 0)
		sent++;
	assert_true(sent > 0);
	assert_int_equal(net_tx(f->net, iov, 1), -EAGAIN);
	for (; n < sent; n++)
		assert_int_equal(recv(f->peer, got, sizeof(got), MSG_DONTWAIT), 3000);
	run(f);
	assert_int_equal(f->ready, 1);
	assert_int_equal(net_tx(f->net, iov, 1), 0);
}

static void takes_only_sound_frames(void **state)
{
	const struct net_hdr valid = { .flags = NET_HDR_DATA_VALID };
	const struct net_hdr partial = {
		.flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16,
	};
	const struct net_hdr outside = { .flags = NET_HDR_NEEDS_CSUM, .csum_start = 0xffff };
	struct net_hdr large = partial;
	struct fixture *f = *state;

	large.gso_type = NET_GSO_TCPV4;
	large.gso_size = 1460;
	f->stop_at = 1;
	peer_sends(f, NULL, WIRE_MIN - 1, 9);
	peer_sends(f, NULL, 1, 9);
	peer_sends(f, NULL, WIRE_MAX + 1, 9);
	peer_sends(f, NULL, WIRE_MIN + 1505, 9);	/* beyond the MTU, not marked */
	peer_sends(f, &valid, 100, 9);			/* nothing of this was accepted */
	peer_sends(f, &partial, 100, 9);
	peer_sends(f, &large, 30000, 9);
	peer_sends(f, NULL, 1000, 1);
	run(f);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->first[0], 1);
	assert_int_equal(f->last_len, 1000);

	net_set_offloads(f->net, NET_CSUM | NET_TSO4);
	f->count = 0;
	f->stop_at = 3;
	peer_sends(f, &outside, 100, 9);
	large.gso_type = NET_GSO_TCPV6;
	peer_sends(f, &large, 30000, 9);
	large.gso_type = NET_GSO_TCPV4;
	large.gso_size = 0;
	peer_sends(f, &large, 30000, 9);
	large.gso_size = 1460;
	peer_sends(f, &valid, 100, 1);
	peer_sends(f, &partial, 100, 2);
	peer_sends(f, &large, 30000, 3);
	run(f);
	assert_int_equal(f->count, 3);
	assert_memory_equal(f->first, ((uint8_t []){ 1, 2, 3 }), 3);
	assert_int_equal(f->last_len, 30000);
}

static void keeps_what_is_refused(void **state)
{
	struct fixture *f = *state;

	f->refuse = true;
	for (uint8_t i = 0; i < 40; i++)
		peer_sends(f, NULL, 100, i);
	run(f);
	assert_int_equal(f->count, 0);
	f->refuse = false;
	f->stop_at = 40;
	net_rx_ready(f->net);
	run(f);
	assert_int_equal(f->count, 40);
	for (uint8_t i = 0; i < 40; i++)
		assert_int_equal(f->first[i], i);
}

static void tells_offloads(void **state)
{
	struct fixture *f = *state;
	uint8_t got[100];

	net_set_offloads(f->net, 0xffff);
	assert_int_equal(recv(f->peer, got, sizeof(got), 0), WIRE_CONTROL_BYTES);
	assert_int_equal(got[0], WIRE_CONTROL);
	assert_int_equal(got[1], WIRE_OFFLOADS);
	assert_int_equal(ld_le32(got + 4), NET_CSUM | NET_TSO4 | NET_TSO6);
}

static void peer_dies(void **state)
{
	struct fixture *f = *state;
	struct iovec iov = { (uint8_t [100]){ 0 }, 100 };

	f->stop_at = 99;
	peer_sends(f, NULL, 100, 1);
	shutdown(f->peer, SHUT_RDWR);
	run(f);
	assert_int_equal(f->count, 1);		/* what it still said is delivered */
	assert_int_equal(f->downs, 1);
	assert_false(f->net->up);
	assert_int_equal(net_tx(f->net, &iov, 1), 0);
	net_set_offloads(f->net, 1);
	net_rx_ready(f->net);
}

static void peer_dies_while_refused(void **state)
{
	struct fixture *f = *state;

	f->refuse = true;
	peer_sends(f, NULL, 100, 1);
	run(f);
	shutdown(f->peer, SHUT_RDWR);
	f->refuse = false;
	net_rx_ready(f->net);
	assert_int_equal(f->count, 1);
	run(f);
	assert_int_equal(f->downs, 1);
}

static void peer_dies_both_ways_blocked(void **state)
{
	struct fixture *f = *state;
	struct iovec iov = { (uint8_t [1000]){ 0 }, 1000 };

	f->refuse = true;
	peer_sends(f, NULL, 100, 1);
	run(f);
	while (net_tx(f->net, &iov, 1) == 0)
		continue;
	shutdown(f->peer, SHUT_RDWR);
	run(f);
	assert_int_equal(f->downs, 1);
	assert_int_equal(f->ready, 1);		/* to send into the void */
}

static void wrong_descriptor(void **state)
{
	struct fixture *f = *state;
	struct net *n = NULL;
	struct err err;

	assert_int_equal(net_user_open(&n, f->loop, STDERR_FILENO, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "descriptor 2"));
	assert_null(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sends_whole_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_only_sound_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_what_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_offloads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(peer_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(peer_dies_while_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(peer_dies_both_ways_blocked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_descriptor, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
