/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest agent is asked to do: programs, files, addresses, keys, power. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "manage/agent_exec.h"
#include "manage/agent_file.h"
#include "manage/agent_guest.h"
#include "tests/unit/agent_rig.h"

/* cat with a variable: runs for three questions, then gives its input back on both streams. */
static void cat(struct fake *f, const char *command, const json_t *args)
{
	json_t *o;

	if (!strcmp(command, "guest-exec")) {
		char *seen = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);

		assert_string_equal(seen, "{\"arg\":[\"-u\",\"\xc3\xa4 b\"],\"capture-output\":true,"
				    "\"env\":[\"A=1\"],\"input-data\":\"aGVsbG8AAQ==\","
				    "\"path\":\"cat\"}");
		free(seen);
		say(f, "{\"return\": {\"pid\": 4711}}");
		return;
	}
	assert_string_equal(command, "guest-exec-status");
	assert_int_equal(json_integer_value(json_object_get(args, "pid")), 4711);
	if (f->asked < 4) {
		say(f, "{\"return\": {\"exited\": false}}");
		return;
	}
	o = json_pack("{s:{s:b, s:i, s:s, s:s, s:b}}", "return", "exited", 1, "exitcode", 3,
		      "out-data", "aGVsbG8AAQ==", "err-data", "IQ==", "err-truncated", 1);
	f->file = json_dumps(o, 0);
	say(f, f->file);
	free(f->file);
	json_decref(o);
}

static void runs_programs(void **state)
{
	static const char *const argv[] = { "cat", "-u", "\xc3\xa4 b", NULL };
	static const char *const env[] = { "A=1", NULL };
	const struct agent_exec what = { argv, env, "hello\0\1", 7, 0 };
	struct agent_result result;
	struct rig r = { 0 };

	rig_start(&r, cat);
	assert_int_equal(agent_exec(&r.a, &what, &result, &r.err), 0);
	assert_int_equal(result.status, 3);
	assert_int_equal(result.signal, 0);
	assert_int_equal(result.out.len, 7);
	assert_memory_equal(result.out.data, "hello\0\1", 7);
	assert_false(result.out.cut);
	assert_int_equal(result.err.len, 1);
	assert_memory_equal(result.err.data, "!", 1);
	assert_true(result.err.cut);
	agent_result_fini(&result);
	rig_stop(&r);
}

static void forever(struct fake *f, const char *command, const json_t *args)
{
	say(f, strcmp(command, "guest-exec") ? "{\"return\": {\"exited\": false}}" :
	    "{\"return\": {\"pid\": 4711}}");
}

static const char *const sleeper[] = { "sleeper", NULL };

static void programs_that_do_not_end(void **state)
{
	const struct agent_exec what = { .argv = sleeper, .timeout_ms = 60 };
	struct agent_result result;
	struct rig r = { 0 };

	rig_start(&r, forever);
	refused(&r, agent_exec(&r.a, &what, &result, &r.err), -ETIMEDOUT, "as process 4711");
	assert_true(r.f.asked < 10);
	rig_stop(&r);
}

static void by_signal(struct fake *f, const char *command, const json_t *args)
{
	say(f, strcmp(command, "guest-exec") ? "{\"return\": {\"exited\": true, \"signal\": 9}}" :
	    "{\"return\": {\"pid\": 1}}");
}

static void killed_programs(void **state)
{
	const struct agent_exec what = { .argv = sleeper };
	struct agent_result result;
	struct rig r = { 0 };

	rig_start(&r, by_signal);
	assert_int_equal(agent_exec(&r.a, &what, &result, &r.err), 0);
	assert_int_equal(result.status, 137);
	assert_int_equal(result.signal, 9);
	assert_null(result.out.data);
	rig_stop(&r);
}

static const char *const bad_status[] = {
	"{}", "{\"exited\": 1}", "{\"exited\": true}", "{\"exited\": true, \"exitcode\": \"0\"}",
	"{\"exited\": true, \"exitcode\": 256}", "{\"exited\": true, \"exitcode\": -1}",
	"{\"exited\": true, \"signal\": 0}", "{\"exited\": true, \"signal\": 1000}",
	"{\"exited\": true, \"exitcode\": 0, \"out-data\": 7}",
	"{\"exited\": true, \"exitcode\": 0, \"out-data\": \"A\"}",
	"{\"exited\": true, \"exitcode\": 0, \"out-data\": \"AA==\", \"err-data\": \"?AAA\"}",
	"{\"exited\": true, \"exitcode\": 0, \"out-truncated\": \"yes\"}",
};

static void bad_answers(struct fake *f, const char *command, const json_t *args)
{
	char text[200];

	if (!strcmp(command, "guest-exec")) {
		say(f, "{\"return\": {\"pid\": 1}}");
		return;
	}
	snprintf(text, sizeof(text), "{\"return\": %s}", bad_status[f->asked / 2 - 1]);
	say(f, text);
}

static void bad_results(void **state)
{
	const struct agent_exec what = { .argv = sleeper };
	struct agent_result result;
	struct rig r = { 0 };

	rig_start(&r, bad_answers);
	for (size_t i = 0; i < sizeof(bad_status) / sizeof(*bad_status); i++) {
		refused(&r, agent_exec(&r.a, &what, &result, &r.err), -EPROTO, "nonsense");
		assert_null(result.out.data);
	}
	rig_stop(&r);
}

static void bad_words(void **state)
{
	static const char *const latin1[] = { "echo", "\xe4", NULL };
	struct agent_exec what = { .argv = latin1 };
	struct agent_result result;
	struct rig r = { 0 };

	rig_start(&r, polite);
	refused(&r, agent_exec(&r.a, &what, &result, &r.err), -EINVAL, "UTF-8");
	what = (struct agent_exec){ .argv = sleeper, .input = "", .input_len = AGENT_INPUT_MAX + 1 };
	refused(&r, agent_exec(&r.a, &what, &result, &r.err), -E2BIG, "hospes cp");
	refused(&r, agent_file_get(&r.a, "\xe4", -1, NULL, NULL, &r.err), -EINVAL, "UTF-8");
	refused(&r, agent_add_ssh_key(&r.a, "\xe4", "k", &r.err), -EINVAL, "UTF-8");
	rig_stop(&r);
	assert_int_equal(r.f.asked, 0);
}

/* Both streams as long as an agent keeps them. */
static void flood(struct fake *f, const char *command, const json_t *args)
{
	static const char head[] = "{\"return\": {\"exited\": true, \"exitcode\": 0, \"out-data\": \"";
	const size_t chars = base64_chars(AGENT_OUTPUT_MAX);
	char *data, *text;

	if (!strcmp(command, "guest-exec")) {
		say(f, "{\"return\": {\"pid\": 1}}");
		return;
	}
	data = malloc(AGENT_OUTPUT_MAX);
	text = malloc(chars + 1);
	memset(data, 'x', AGENT_OUTPUT_MAX);
	base64_encode(text, data, AGENT_OUTPUT_MAX);
	put(f, head, strlen(head));
	put(f, text, chars);
	put(f, "\", \"err-data\": \"", 16);
	put(f, text, chars);
	say(f, "\"}}");
	free(data);
	free(text);
}

static void large_outputs(void **state)
{
	const struct agent_exec what = { .argv = sleeper };
	struct agent_result result;
	struct rig r = { 0 };

	rig_start(&r, flood);
	if (agent_exec(&r.a, &what, &result, &r.err))
		fail_msg("%s", r.err.msg);
	assert_int_equal(result.out.len, AGENT_OUTPUT_MAX);
	assert_int_equal(result.err.len, AGENT_OUTPUT_MAX);
	for (size_t i = 0; i < AGENT_OUTPUT_MAX; i++)
		if (result.out.data[i] != 'x' || result.err.data[i] != 'x')
			fail_msg("byte %zu is wrong", i);
	assert_true(r.a.room <= 1 << 20);
	agent_result_fini(&result);
	rig_stop(&r);
}

/* Syncs, then reads nothing more. */
static void *deaf_main(void *opaque)
{
	struct fake *f = opaque;
	char line[200];
	ssize_t n = recv(f->fd, line, sizeof(line) - 1, 0);

	assert_true(n > 0);
	line[n] = 0;
	one_request(f, line);
	return NULL;
}

static void guest_that_does_not_read(void **state)
{
	char *input = calloc(1, 1 << 20);
	const struct agent_exec what = { .argv = sleeper, .input = input, .input_len = 1 << 20 };
	struct agent_result result;
	struct rig r = { 0 };

	rig_start_main(&r, deaf_main);
	r.a.timeout_ms = 100;
	refused(&r, agent_exec(&r.a, &what, &result, &r.err), -ETIMEDOUT, "guest-exec in time");
	rig_stop(&r);
	free(input);
}

/* One file, of which 100 bytes at most are written at once. */
static void one_file(struct fake *f, const char *command, const json_t *args)
{
	const char *b64 = json_string_value(json_object_get(args, "buf-b64"));
	char text[1000], *data;
	size_t n;

	if (!strcmp(command, "guest-file-open")) {
		if (*json_string_value(json_object_get(args, "mode")) == 'w')
			f->file_len = 0;
		f->syncs = 0;	/* where reading is */
		say(f, "{\"return\": 1000}");
		return;
	}
	assert_int_equal(json_integer_value(json_object_get(args, "handle")), 1000);
	if (b64) {
		data = malloc(base64_bytes(strlen(b64)));
		assert_int_equal(base64_decode(data, &n, b64, strlen(b64)), 0);
		n = n < 70000 ? n : 70000;
		f->file = realloc(f->file, f->file_len + n);
		memcpy(f->file + f->file_len, data, n);
		f->file_len += n;
		free(data);
		snprintf(text, sizeof(text), "{\"return\": {\"count\": %zu, \"eof\": false}}", n);
		say(f, text);
	} else if (!strcmp(command, "guest-file-read")) {
		char *piece;

		n = f->file_len - f->syncs < 50001 ? f->file_len - f->syncs : 50001;
		piece = malloc(base64_chars(n) + 1);
		base64_encode(piece, f->file + f->syncs, n);
		f->syncs += (unsigned)n;
		snprintf(text, sizeof(text), "{\"return\": {\"count\": %zu, \"eof\": %s, \"buf-b64\": \"",
			 n, f->syncs == f->file_len ? "true" : "false");
		put(f, text, strlen(text));
		put(f, piece, strlen(piece));
		say(f, "\"}}");
		free(piece);
	} else {
		say(f, "{\"return\": {}}");
	}
}

static void note(void *opaque, uint64_t done)
{
	*(uint64_t *)opaque = done;
}

static void copies_files(void **state)
{
	enum { SIZE = 500000 };
	const int from = memfd_create("from", 0), to = memfd_create("to", 0);
	char *data = malloc(SIZE), *back = malloc(SIZE + 1);
	uint64_t done = 0;
	struct rig r = { 0 };

	for (uint32_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	assert_int_equal(pwrite(from, data, SIZE, 0), SIZE);
	rig_start(&r, one_file);
	if (agent_file_put(&r.a, from, "/x", note, &done, &r.err))
		fail_msg("%s", r.err.msg);
	assert_int_equal(done, SIZE);
	assert_int_equal(r.f.file_len, SIZE);
	assert_memory_equal(r.f.file, data, SIZE);
	assert_int_equal(agent_file_get(&r.a, "/x", to, note, &done, &r.err), 0);
	assert_int_equal(pread(to, back, SIZE + 1, 0), SIZE);
	assert_memory_equal(back, data, SIZE);
	rig_stop(&r);
	close(from);
	close(to);
	free(data);
	free(back);
	free(r.f.file);
}

static const char *const bad_reads[] = {
	"{}", "{\"count\": 0, \"buf-b64\": \"\"}", "{\"count\": 0, \"buf-b64\": \"\", \"eof\": false}",
	"{\"count\": 2, \"buf-b64\": \"AA==\", \"eof\": true}", "{\"count\": 1, \"buf-b64\": 1}",
	"{\"count\": -1, \"buf-b64\": \"AA==\"}", "{\"count\": 1, \"buf-b64\": \"AA=A\"}", "[]",
};

static void bad_reader(struct fake *f, const char *command, const json_t *args)
{
	char text[100];

	if (!strcmp(command, "guest-file-open")) {
		say(f, "{\"return\": 1}");
	} else if (!strcmp(command, "guest-file-read")) {
		snprintf(text, sizeof(text), "{\"return\": %s}", bad_reads[f->asked / 2 - 1]);
		say(f, text);
	} else {
		say(f, "{\"return\": {\"count\": 1000000}}");
	}
}

static void bad_files(void **state)
{
	const int fd = memfd_create("file", 0);
	struct rig r = { 0 };

	rig_start(&r, bad_reader);
	for (size_t i = 0; i < sizeof(bad_reads) / sizeof(*bad_reads); i++)
		refused(&r, agent_file_get(&r.a, "/x", fd, NULL, NULL, &r.err), -EPROTO,
			"guest-file-read with nonsense");
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	assert_int_equal(write(fd, "abc", 3), 3);
	lseek(fd, 0, SEEK_SET);
	refused(&r, agent_file_put(&r.a, fd, "/x", NULL, NULL, &r.err), -EPROTO,
		"guest-file-write with nonsense");
	rig_stop(&r);
	close(fd);
}

static void network(struct fake *f, const char *command, const json_t *args)
{
	say(f, "{\"return\": [{\"name\": \"lo\", \"ip-addresses\": [{\"ip-address\": \"127.0.0.1\", "
	    "\"ip-address-type\": \"ipv4\", \"prefix\": 8}]}, {\"name\": \"enp0s4\", "
	    "\"hardware-address\": \"52:54:00:12:34:56\", \"ip-addresses\": [{\"ip-address\": "
	    "\"fe80::1\", \"prefix\": 64}, {\"ip-address\": \"fec0::5\", \"prefix\": 64}, "
	    "{\"ip-address\": \"10.0.2.15\", \"prefix\": 24}]}, {\"name\": \"down\"}]}");
}

static void tells_addresses(void **state)
{
	struct rig r = { 0 };
	json_t *list = NULL;
	char address[64], *text;

	rig_start(&r, network);
	assert_int_equal(agent_interfaces(&r.a, &list, &r.err), 0);
	text = json_dumps(list, JSON_COMPACT);
	assert_string_equal(text, "[{\"name\":\"lo\",\"addresses\":[\"127.0.0.1/8\"]},{\"name\":"
			    "\"enp0s4\",\"addresses\":[\"fe80::1/64\",\"fec0::5/64\","
			    "\"10.0.2.15/24\"],\"mac\":\"52:54:00:12:34:56\"},{\"name\":\"down\","
			    "\"addresses\":[]}]");
	assert_true(agent_address(list, address, sizeof(address)));
	assert_string_equal(address, "10.0.2.15");
	json_array_remove(json_object_get(json_array_get(list, 1), "addresses"), 2);
	assert_true(agent_address(list, address, sizeof(address)));
	assert_string_equal(address, "fec0::5");
	json_array_remove(list, 1);
	assert_false(agent_address(list, address, sizeof(address)));
	free(text);
	json_decref(list);
	rig_stop(&r);
}

static const char *const bad_networks[] = {
	"{}", "[1]", "[{}]", "[{\"name\": \"\\u001b[2J\"}]",
	"[{\"name\": \"a\", \"hardware-address\": 1}]",
	"[{\"name\": \"a\", \"hardware-address\": \"52:54:00:12:34:5\"}]",
	"[{\"name\": \"a\", \"ip-addresses\": [{\"ip-address\": \"1.2.3.4;reboot\", \"prefix\": 8}]}]",
	"[{\"name\": \"a\", \"ip-addresses\": [{\"ip-address\": \"1.2.3.4\", \"prefix\": 33}]}]",
	"[{\"name\": \"a\", \"ip-addresses\": [{\"ip-address\": \"::1\", \"prefix\": -1}]}]",
};

static void bad_network(struct fake *f, const char *command, const json_t *args)
{
	char text[200];

	snprintf(text, sizeof(text), "{\"return\": %s}", bad_networks[f->asked - 1]);
	say(f, text);
}

static void bad_addresses(void **state)
{
	struct rig r = { 0 };
	json_t *list = NULL;

	rig_start(&r, bad_network);
	for (size_t i = 0; i < sizeof(bad_networks) / sizeof(*bad_networks); i++)
		refused(&r, agent_interfaces(&r.a, &list, &r.err), -EPROTO, "nonsense");
	assert_null(list);
	rig_stop(&r);
}

static void commands(struct fake *f, const char *command, const json_t *args)
{
	static const char *const answers[] = {
		"{\"version\": \"7.2.0\", \"supported_commands\": [{\"name\": \"guest-exec\", "
		"\"enabled\": true, \"success-response\": true}, {\"name\": \"guest-set-time\", "
		"\"enabled\": false}]}",
		"{\"version\": \"7.2.0\"}", "{\"version\": \"\\u001b\", \"supported_commands\": []}",
		"{\"version\": \"7\", \"supported_commands\": [{\"name\": 1, \"enabled\": true}]}",
	};
	char text[300];

	snprintf(text, sizeof(text), "{\"return\": %s}", answers[f->asked - 1]);
	say(f, text);
}

static void tells_commands(void **state)
{
	struct rig r = { 0 };
	json_t *info = NULL;
	char *text;

	rig_start(&r, commands);
	assert_int_equal(agent_info(&r.a, &info, &r.err), 0);
	text = json_dumps(info, JSON_COMPACT);
	assert_string_equal(text, "{\"version\":\"7.2.0\",\"commands\":{\"guest-exec\":true,"
			    "\"guest-set-time\":false}}");
	free(text);
	json_decref(info);
	for (int i = 0; i < 3; i++)
		refused(&r, agent_info(&r.a, &info, &r.err), -EPROTO, "nonsense");
	rig_stop(&r);
}

static void power(struct fake *f, const char *command, const json_t *args)
{
	static const char *const modes[] = { "powerdown", "reboot", "halt" };

	assert_string_equal(command, "guest-shutdown");
	assert_string_equal(json_string_value(json_object_get(args, "mode")), modes[f->asked - 1]);
	if (f->asked == 1)
		say(f, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"child failed\"}}");
	if (f->asked == 3)
		shutdown(f->fd, SHUT_RDWR);
}

static void shuts_down(void **state)
{
	struct rig r = { 0 };

	rig_start(&r, power);
	refused(&r, agent_shutdown(&r.a, AGENT_POWERDOWN, 5000, &r.err), -EREMOTEIO, "child failed");
	assert_int_equal(agent_shutdown(&r.a, AGENT_REBOOT, 20, &r.err), 0);
	assert_int_equal(agent_shutdown(&r.a, AGENT_HALT, 60000, &r.err), 0);
	rig_stop(&r);
}

static void keys(struct fake *f, const char *command, const json_t *args)
{
	char *seen = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(command, "guest-ssh-add-authorized-keys");
	assert_string_equal(seen, "{\"keys\":[\"ssh-ed25519 AAAA\"],\"reset\":false,"
			    "\"username\":\"root\"}");
	free(seen);
	say(f, "{\"return\": {}}");
}

static void adds_keys(void **state)
{
	struct rig r = { 0 };

	rig_start(&r, keys);
	assert_int_equal(agent_add_ssh_key(&r.a, "root", "ssh-ed25519 AAAA", &r.err), 0);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_programs),
		cmocka_unit_test(programs_that_do_not_end),
		cmocka_unit_test(killed_programs),
		cmocka_unit_test(bad_results),
		cmocka_unit_test(bad_words),
		cmocka_unit_test(large_outputs),
		cmocka_unit_test(guest_that_does_not_read),
		cmocka_unit_test(copies_files),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(tells_addresses),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(tells_commands),
		cmocka_unit_test(shuts_down),
		cmocka_unit_test(adds_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
