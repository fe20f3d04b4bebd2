/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest agent of any content: the first byte chooses what is asked, and whether the agent
 * finds the right number for a sync by itself; the rest is what it says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "manage/agent_exec.h"
#include "manage/agent_file.h"
#include "manage/agent_guest.h"
#include "tests/fuzz/fuzz.h"

struct guest {
	struct fuzz_input in;
	int honest;			/* answers syncs rightly */
	char sync[64];			/* to be read before the input goes on */
	size_t at, len;
};

/* In pieces of 1 to 16 bytes. */
static ssize_t guest_read(void *opaque, void *buf, size_t len, uint64_t deadline)
{
	struct guest *g = opaque;
	size_t n = 0, most;

	if (g->at < g->len) {
		n = g->len - g->at < len ? g->len - g->at : len;
		memcpy(buf, g->sync + g->at, n);
		g->at += n;
		return (ssize_t)n;
	}
	if (!fuzz_more(&g->in))
		return 0;
	most = 1 + g->in.data[g->in.at] % 16;
	while (n < len && n < most && fuzz_more(&g->in)) {
		((uint8_t *)buf)[n] = (uint8_t)fuzz_take(&g->in, 1);
		if (((uint8_t *)buf)[n++] == '\n')
			break;
	}
	return (ssize_t)n;
}

static ssize_t guest_write(void *opaque, const void *buf, size_t len, uint64_t deadline)
{
	struct guest *g = opaque;
	const char *id = memmem(buf, len, "\"id\":", 5);

	if (g->honest && id && *(const char *)buf == '\xff') {
		g->len = (size_t)snprintf(g->sync, sizeof(g->sync), "\xff{\"return\": %llu}\n",
					  strtoull(id + 5, NULL, 10));
		g->at = 0;
	}
	return (ssize_t)len;
}

static int run(struct agent *a, struct err *err)
{
	static const char *const argv[] = { "true", NULL };
	const struct agent_exec what = { .argv = argv, .timeout_ms = 20 };
	struct agent_result result;
	const int ret = agent_exec(a, &what, &result, err);

	if (!ret && (result.status < 0 || result.status > 255 || !result.out.len != !result.out.data))
		abort();
	agent_result_fini(&result);
	return ret;
}

static int ask(struct agent *a, unsigned what, int fd, struct err *err)
{
	json_t *answer = NULL;
	char address[64];
	int ret;

	switch (what % 7) {
	case 0:
		return agent_ping(a, err);
	case 1:
		ret = agent_info(a, &answer, err);
		break;
	case 2:
		return run(a, err);
	case 3:
		return agent_file_get(a, "/etc/hostname", fd, NULL, NULL, err);
	case 4:
		lseek(fd, 0, SEEK_SET);
		return agent_file_put(a, fd, "/etc/hostname", NULL, NULL, err);
	case 5:
		ret = agent_interfaces(a, &answer, err);
		if (!ret)
			agent_address(answer, address, sizeof(address));
		break;
	default:
		return agent_shutdown(a, AGENT_REBOOT, 1, err);
	}
	if (!ret != !!answer)
		abort();
	json_decref(answer);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest g = { .in = { data, size, 0 } };
	const struct agent_io io = { guest_read, guest_write, &g };
	const int fd = memfd_create("file", MFD_CLOEXEC);
	struct agent a;
	struct err err;
	unsigned what;

	if (fd < 0 || write(fd, "toad\n", 5) != 5)
		exit(EXIT_FAILURE);
	agent_init(&a, &io, "toad");
	what = (unsigned)fuzz_take(&g.in, 1);
	g.honest = what & 0x80 ? 0 : 1;
	do {
		err.msg[0] = 0;
		if (ask(&a, what, fd, &err) &&
		    (!err.msg[0] || !memchr(err.msg, 0, sizeof(err.msg)) || strchr(err.msg, 0x1b)))
			abort();	/* every failure has its sentence, fit for a terminal */
		what = (unsigned)fuzz_take(&g.in, 1);
	} while (fuzz_more(&g.in));
	agent_fini(&a);
	close(fd);
	return 0;
}
