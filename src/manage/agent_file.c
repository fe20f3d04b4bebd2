/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/agent_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"

enum { PIECE = 192 << 10 };	/* bytes in a request or answer: less than AGENT_REPLY as base64 */

static int out_of_memory(struct agent *a, struct err *err)
{
	return err_set(err, -ENOMEM, "VM %s: out of memory for copying a file", a->vm);
}

static int file_open(struct agent *a, const char *path, const char *mode, json_int_t *handle,
		     struct err *err)
{
	json_t *args = json_pack("{s:s, s:s}", "path", path, "mode", mode), *answer = NULL;
	int ret;

	if (!args)
		return err_set(err, -EINVAL, "VM %s: the file name is not UTF-8, and the guest agent "
			       "takes no other; rename the file or copy its folder", a->vm);
	ret = agent_call(a, "guest-file-open", args, AGENT_REPLY, &answer, err);
	if (ret)
		return ret;
	if (json_is_integer(answer))
		*handle = json_integer_value(answer);
	else
		ret = agent_nonsense(a, "guest-file-open", err);
	json_decref(answer);
	return ret;
}

/* ret, or what closing failed with; the first sentence stands. */
static int file_close(struct agent *a, json_int_t handle, int ret, struct err *err)
{
	struct err second;
	int closed;

	if (ret && ret != -EREMOTEIO && !a->synced)
		return ret;	/* nobody listens */
	closed = agent_call(a, "guest-file-close", json_pack("{s:I}", "handle", handle),
			    AGENT_REPLY, NULL, ret ? &second : err);
	return ret ? ret : closed;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		const ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* At most len bytes, fewer only at the end; or -errno. */
static ssize_t read_full(int fd, char *data, size_t len)
{
	size_t got = 0;

	while (got < len) {
		const ssize_t n = read(fd, data + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* The next piece of the file into data (PIECE bytes); *len 0 at its end. */
static int read_piece(struct agent *a, json_int_t handle, char *data, size_t *len, struct err *err)
{
	json_t *answer = NULL, *text;
	int ret = agent_call(a, "guest-file-read",
			     json_pack("{s:I, s:i}", "handle", handle, "count", PIECE), AGENT_REPLY,
			     &answer, err);

	if (ret)
		return ret;
	text = json_object_get(answer, "buf-b64");
	if (!json_is_string(text) || json_string_length(text) > base64_chars(PIECE) ||
	    base64_decode(data, len, json_string_value(text), json_string_length(text)) ||
	    json_integer_value(json_object_get(answer, "count")) != (json_int_t)*len ||
	    (!*len && !json_is_true(json_object_get(answer, "eof"))))
		ret = agent_nonsense(a, "guest-file-read", err);
	json_decref(answer);
	return ret;
}

int agent_file_get(struct agent *a, const char *path, int fd, agent_progress *progress,
		   void *opaque, struct err *err)
{
	char *data = malloc(PIECE);
	json_int_t handle = 0;
	uint64_t done = 0;
	size_t len;
	int ret;

	if (!data)
		return out_of_memory(a, err);
	ret = file_open(a, path, "r", &handle, err);
	if (ret)
		goto out;
	do {
		ret = read_piece(a, handle, data, &len, err);
		if (ret)
			break;
		ret = write_all(fd, data, len);
		if (ret) {
			err_sys(err, ret, "writing the copy of %.200s; make room and try again", path);
			break;
		}
		done += len;
		if (progress)
			progress(opaque, done);
	} while (len);
	ret = file_close(a, handle, ret, err);
out:
	free(data);
	return ret;
}

/* Writes len bytes, in as many requests as the guest wants. */
static int write_piece(struct agent *a, json_int_t handle, const char *data, size_t len,
		       char *text, struct err *err)
{
	while (len) {
		json_t *answer = NULL;
		json_int_t count;
		int ret;

		base64_encode(text, data, len);
		ret = agent_call(a, "guest-file-write",
				 json_pack("{s:I, s:s}", "handle", handle, "buf-b64", text),
				 AGENT_REPLY, &answer, err);
		if (ret)
			return ret;
		count = json_integer_value(json_object_get(answer, "count"));
		json_decref(answer);
		if (count <= 0 || count > (json_int_t)len)
			return agent_nonsense(a, "guest-file-write", err);
		data += count;
		len -= (size_t)count;
	}
	return 0;
}

int agent_file_put(struct agent *a, int fd, const char *path, agent_progress *progress,
		   void *opaque, struct err *err)
{
	char *data = malloc(PIECE), *text = malloc(base64_chars(PIECE) + 1);
	json_int_t handle = 0;
	uint64_t done = 0;
	ssize_t len;
	int ret;

	ret = data && text ? file_open(a, path, "w", &handle, err) : out_of_memory(a, err);
	if (ret)
		goto out;
	for (;;) {
		len = read_full(fd, data, PIECE);
		if (len < 0)
			ret = err_sys(err, (int)len, "reading what is copied to %.200s", path);
		if (len <= 0)
			break;
		ret = write_piece(a, handle, data, (size_t)len, text, err);
		if (ret)
			break;
		done += (uint64_t)len;
		if (progress)
			progress(opaque, done);
	}
	if (!ret)
		ret = agent_call(a, "guest-file-flush", json_pack("{s:I}", "handle", handle),
				 AGENT_REPLY, NULL, err);
	ret = file_close(a, handle, ret, err);
out:
	free(data);
	free(text);
	return ret;
}
