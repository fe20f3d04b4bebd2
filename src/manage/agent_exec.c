/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/agent_exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"

enum {
	FIRST_PAUSE_MS = 5, LONGEST_PAUSE_MS = 500,
	STATUS_REPLY = 2 * (AGENT_OUTPUT_MAX / 3 * 4) + AGENT_REPLY,
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Appends words to the list; -EINVAL where one is not UTF-8. */
static int append(struct agent *a, json_t *list, const char *const *words, struct err *err)
{
	for (; *words; words++)
		if (json_array_append_new(list, json_string(*words)))
			return err_set(err, -EINVAL, "VM %s: an argument or variable is not UTF-8, "
				       "and the guest agent takes no other; put it into a file and "
				       "copy that", a->vm);
	return 0;
}

static int add_input(struct agent *a, json_t *args, const struct agent_exec *what,
		     struct err *err)
{
	char *text;
	int ret;

	if (what->input_len > AGENT_INPUT_MAX)
		return err_set(err, -E2BIG, "VM %s: more than %d MiB of input is too much for the "
			       "guest agent; copy a file (hospes cp) and read that", a->vm,
			       AGENT_INPUT_MAX >> 20);
	text = malloc(base64_chars(what->input_len) + 1);
	if (!text)
		return err_set(err, -ENOMEM, "VM %s: out of memory for a program's input", a->vm);
	base64_encode(text, what->input, what->input_len);
	ret = json_object_set_new(args, "input-data", json_string_nocheck(text));
	free(text);
	return ret ? err_set(err, -ENOMEM, "VM %s: out of memory for a program's input", a->vm) : 0;
}

static int start(struct agent *a, const struct agent_exec *what, json_int_t *pid, struct err *err)
{
	json_t *args = json_object(), *list = json_array(), *env = json_array(), *answer = NULL;
	int ret;

	json_object_set_new(args, "capture-output", json_true());
	ret = json_object_set_new(args, "path", json_string(what->argv[0])) ?
		append(a, list, what->argv, err) : append(a, list, what->argv + 1, err);
	if (!ret && what->env)
		ret = append(a, env, what->env, err);
	if (!ret && what->input_len)
		ret = add_input(a, args, what, err);
	if (!ret && (json_object_set(args, "arg", list) ||
		     (what->env && json_object_set(args, "env", env))))
		ret = err_set(err, -ENOMEM, "VM %s: out of memory for a command", a->vm);
	json_decref(list);
	json_decref(env);
	if (ret) {
		json_decref(args);
		return ret;
	}
	ret = agent_call(a, "guest-exec", args, AGENT_REPLY, &answer, err);
	if (ret)
		return ret;
	if (json_is_integer(json_object_get(answer, "pid")))
		*pid = json_integer_value(json_object_get(answer, "pid"));
	else
		ret = agent_nonsense(a, "guest-exec", err);
	json_decref(answer);
	return ret;
}

/* One stream of the answer: its base64 text and whether it was cut. */
static int take_output(struct agent *a, struct agent_output *o, const json_t *text,
		       const json_t *cut, struct err *err)
{
	const size_t chars = json_string_length(text);

	if ((text && !json_is_string(text)) || (cut && !json_is_boolean(cut)))
		return agent_nonsense(a, "guest-exec-status", err);
	o->cut = json_is_true(cut);
	if (!chars)
		return 0;
	o->data = malloc(chars);
	if (!o->data)
		return err_set(err, -ENOMEM, "VM %s: out of memory for a program's output", a->vm);
	if (base64_decode(o->data, &o->len, json_string_value(text), chars))
		return agent_nonsense(a, "guest-exec-status", err);
	return 0;
}

/* The answer about a program that has ended. */
static int take_result(struct agent *a, struct agent_result *r, const json_t *answer,
		       struct err *err)
{
	const json_t *code = json_object_get(answer, "exitcode");
	const json_t *signal = json_object_get(answer, "signal");
	json_int_t value = json_integer_value(signal ? signal : code);
	int ret;

	if (!json_is_integer(signal ? signal : code) || value < (signal ? 1 : 0) ||
	    value > (signal ? 127 : 255))
		return agent_nonsense(a, "guest-exec-status", err);
	r->signal = signal ? (int)value : 0;
	r->status = signal ? 128 + (int)value : (int)value;
	ret = take_output(a, &r->out, json_object_get(answer, "out-data"),
			  json_object_get(answer, "out-truncated"), err);
	return ret ? ret : take_output(a, &r->err, json_object_get(answer, "err-data"),
				       json_object_get(answer, "err-truncated"), err);
}

/* 1: it has ended and *r is filled; 0: it runs. */
static int ask(struct agent *a, json_int_t pid, struct agent_result *r, struct err *err)
{
	json_t *answer = NULL, *exited;
	int ret = agent_call(a, "guest-exec-status", json_pack("{s:I}", "pid", pid), STATUS_REPLY,
			     &answer, err);

	if (ret)
		return ret;
	exited = json_object_get(answer, "exited");
	if (!json_is_boolean(exited))
		ret = agent_nonsense(a, "guest-exec-status", err);
	else if (json_is_true(exited))
		ret = take_result(a, r, answer, err);
	ret = !ret && json_is_true(exited) ? 1 : ret;
	json_decref(answer);
	return ret;
}

int agent_exec(struct agent *a, const struct agent_exec *what, struct agent_result *result,
	       struct err *err)
{
	const uint64_t begun = now_ms();
	unsigned pause = FIRST_PAUSE_MS;
	json_int_t pid = 0;
	int ret;

	*result = (struct agent_result){ 0 };
	ret = start(a, what, &pid, err);
	if (ret)
		return ret;
	for (;;) {
		const uint64_t spent = now_ms() - begun;

		ret = ask(a, pid, result, err);
		if (ret)
			break;
		if (what->timeout_ms && spent >= what->timeout_ms) {
			ret = err_set(err, -ETIMEDOUT, "VM %s: %.100s did not end within %u s; it "
				      "runs on in the guest as process %lld", a->vm, what->argv[0],
				      what->timeout_ms / 1000, (long long)pid);
			break;
		}
		if (what->timeout_ms && pause > what->timeout_ms - spent)
			pause = (unsigned)(what->timeout_ms - spent);
		ret = agent_pause(a, pause, err);
		if (ret)
			break;
		pause = pause * 2 < LONGEST_PAUSE_MS ? pause * 2 : LONGEST_PAUSE_MS;
	}
	if (ret < 0)
		agent_result_fini(result);
	return ret < 0 ? ret : 0;
}

void agent_result_fini(struct agent_result *result)
{
	free(result->out.data);
	free(result->err.data);
	*result = (struct agent_result){ 0 };
}
