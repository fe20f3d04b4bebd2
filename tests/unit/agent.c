/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the guest agent, and what it answers that is no answer. */
#include "tests/unit/test.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/base64.h"
#include "manage/agent_guest.h"
#include "tests/unit/agent_rig.h"

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void finds_the_agent(void **state)
{
	struct rig r = { 0 };

	r.f.stale = "{\"return\": {\"late\": 1}}\n{\"error\": {}}\n\xff{\"ret\n\xff\xff";
	r.f.wrong = 1;
	rig_start(&r, polite);
	assert_int_equal(agent_ping(&r.a, &r.err), 0);
	assert_int_equal(agent_ping(&r.a, &r.err), 0);
	rig_stop(&r);
	assert_int_equal(r.f.syncs, 1);
	assert_int_equal(r.f.asked, 2);
}

static void asks_again(void **state)
{
	struct rig r = { 0 };

	r.f.deaf = 1;
	rig_start(&r, polite);
	assert_int_equal(agent_ping(&r.a, &r.err), 0);
	rig_stop(&r);
	assert_int_equal(r.f.syncs, 2);
}

static void nobody_there(void **state)
{
	struct rig r = { 0 };

	r.f.deaf = 1000;
	rig_start(&r, polite);
	r.a.timeout_ms = 100;
	refused(&r, agent_ping(&r.a, &r.err), -ETIMEDOUT, "apt-get install qemu-guest-agent");
	shutdown(r.fd, SHUT_RDWR);
	refused(&r, agent_ping(&r.a, &r.err), -EPIPE, "has ended");
	rig_stop(&r);
}

static void wrong_number(struct fake *f, const char *command, const json_t *args)
{
	fail();
}

static void only_wrong_numbers(void **state)
{
	struct rig r = { 0 };
	struct fake *f = &r.f;

	f->deaf = 1000;
	rig_start(&r, wrong_number);
	r.a.timeout_ms = 100;
	say(f, "\xff{\"return\": 1}");
	say(f, "\xff{\"return\": \"1\"}");
	say(f, "\xff{\"return\": {}}");
	say(f, "\xff[]");
	say(f, "\xff");
	refused(&r, agent_ping(&r.a, &r.err), -ETIMEDOUT, "no guest agent answers");
	rig_stop(&r);
}

/* Each line is no answer; afterwards the two find each other again. */
static const char *const nonsense[] = {
	"", "{", "null", "[]", "{}", "\"return\"", "{\"return\"}", "{\"Return\": {}}", "\xff\xfe",
	"{\"error\": 5}", "{\"error\": {\"class\": \"X\"}}", "{\"error\": {\"desc\": 4, \"class\": 1}}",
	"{\"return\": {}} trailing", "{\"return\": \"\\u0000\"}",
};

static void one_nonsense(struct fake *f, const char *command, const json_t *args)
{
	const size_t n = f->asked - 1;

	say(f, n % 2 ? "{\"return\": {}}" : nonsense[n / 2]);
}

static void garbage(void **state)
{
	struct rig r = { 0 };

	rig_start(&r, one_nonsense);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		refused(&r, agent_ping(&r.a, &r.err), -EPROTO, "nonsense");
		assert_int_equal(agent_ping(&r.a, &r.err), 0);
	}
	rig_stop(&r);
}

static void endless(struct fake *f, const char *command, const json_t *args)
{
	static const char text[4096] = "                                ";

	for (size_t n = 0; n < 4u * AGENT_REPLY; n += sizeof(text))
		put(f, text, sizeof(text));
}

static void endless_line(void **state)
{
	struct rig r = { 0 };

	rig_start(&r, endless);
	refused(&r, agent_ping(&r.a, &r.err), -EPROTO, "has no end");
	assert_true(r.a.room <= 4u * AGENT_REPLY);
	rig_stop(&r);
}

/* A byte now and then, until the client has enough. */
static void trickle(struct fake *f, const char *command, const json_t *args)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };

	while (poll(&p, 1, 10) == 0 && send(f->fd, " ", 1, MSG_NOSIGNAL) == 1)
		;
}

static void trickling_line(void **state)
{
	struct rig r = { 0 };
	uint64_t begun;

	rig_start(&r, trickle);
	r.a.timeout_ms = 200;
	begun = now_ms();
	refused(&r, agent_ping(&r.a, &r.err), -ETIMEDOUT, "no answer to guest-ping in time");
	assert_true(now_ms() - begun >= 200);
	rig_stop(&r);
}

static void many(struct fake *f, const char *command, const json_t *args)
{
	const size_t n = AGENT_VALUES + 10u;
	char *text = malloc(2 * n + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, ",0", 2);
	text[2 * n] = 0;
	put(f, "{\"return\": [0", 13);
	put(f, text, 2 * n);
	say(f, "]}");
	free(text);
}

static void too_many_values(void **state)
{
	struct rig r = { 0 };

	rig_start(&r, many);
	refused(&r, agent_ping(&r.a, &r.err), -EPROTO, "nonsense");
	rig_stop(&r);
}

static void errors(struct fake *f, const char *command, const json_t *args)
{
	static const char *const text[] = {
		"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"x\"}}",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no \\u001b[2J\\u009bway\"}}",
	};

	say(f, text[f->asked - 1]);
}

static void agents_errors(void **state)
{
	struct rig r = { 0 };

	rig_start(&r, errors);
	refused(&r, agent_ping(&r.a, &r.err), -EOPNOTSUPP, "does not offer guest-ping");
	refused(&r, agent_ping(&r.a, &r.err), -EREMOTEIO, "says to guest-ping: no ?[2J?");
	assert_null(strchr(r.err.msg, 0x1b));
	rig_stop(&r);
	assert_int_equal(r.f.syncs, 1);
}

/* The first request is answered only after the client gave up on it. */
static void late(struct fake *f, const char *command, const json_t *args)
{
	if (f->asked > 1)
		say(f, "{\"return\": {\"version\": \"7\", \"supported_commands\": []}}");
}

static void late_answer(void **state)
{
	struct rig r = { 0 };
	json_t *info = NULL;

	r.f.stale = "{\"return\": \"answer to the ping\"}\n";
	rig_start(&r, late);
	r.a.timeout_ms = 300;
	refused(&r, agent_ping(&r.a, &r.err), -ETIMEDOUT, "in time");
	r.a.timeout_ms = AGENT_TIMEOUT_MS;
	assert_int_equal(agent_info(&r.a, &info, &r.err), 0);
	assert_string_equal(json_string_value(json_object_get(info, "version")), "7");
	json_decref(info);
	rig_stop(&r);
}

static void two(struct fake *f, const char *command, const json_t *args)
{
	put(f, "{\"return\": {}}\n{\"return\": {\"forged\": 1}}\n", 41);
}

static void unasked_answers(void **state)
{
	struct rig r = { 0 };

	rig_start(&r, two);
	assert_int_equal(agent_ping(&r.a, &r.err), 0);
	assert_int_equal(agent_ping(&r.a, &r.err), 0);
	rig_stop(&r);
	assert_int_equal(r.f.syncs, 2);
}

static void base64_one_spelling(void **state)
{
	static const char *const wrong[] = {
		"A", "AA", "AAA", "A===", "====", "AA=A", "AA==AA==", "AB==", "AAB=", "AA =", "AA\n=",
		"AAA\xff", "AA-_", "=AAA",
	};
	uint8_t data[64], back[64];
	char text[100];
	size_t len;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 200);
	for (size_t n = 0; n <= sizeof(data); n++) {
		base64_encode(text, data, n);
		assert_int_equal(strlen(text), base64_chars(n));
		assert_true(base64_bytes(strlen(text)) >= n);
		assert_int_equal(base64_decode(back, &len, text, strlen(text)), 0);
		assert_int_equal(len, n);
		assert_memory_equal(back, data, n);
	}
	base64_encode(text, "\xfb\xff\xbf" "foobar", 9);
	assert_string_equal(text, "+/+/Zm9vYmFy");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(base64_decode(back, &len, wrong[i], strlen(wrong[i])), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_one_spelling),
		cmocka_unit_test(finds_the_agent),
		cmocka_unit_test(asks_again),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(only_wrong_numbers),
		cmocka_unit_test(garbage),
		cmocka_unit_test(endless_line),
		cmocka_unit_test(trickling_line),
		cmocka_unit_test(too_many_values),
		cmocka_unit_test(agents_errors),
		cmocka_unit_test(late_answer),
		cmocka_unit_test(unasked_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
