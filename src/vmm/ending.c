/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/ending.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t ending_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void __attribute__((format(printf, 4, 5)))
set(struct ending *e, const char *reason, int code, const char *fmt, ...)
{
	va_list ap;

	e->reason = reason;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

/* The monitor died of a signal. */
static void tell_killed(struct ending *e, const struct ending_facts *f, int number)
{
	if (f->stopped_by)
		set(e, "stopped", 0, "the VM was stopped by order (%s)", f->stopped_by);
	else if (number == SIGKILL && f->out_of_memory)
		set(e, "oom", number, "the monitor was killed, and the kernel has killed for want of memory "
		    "while it ran; give the VM less memory, or the host more");
	else
		set(e, "killed", number, "the monitor was killed by signal %d (%s)", number,
		    strsignal(number));
}

void ending_tell(struct ending *e, const struct ending_facts *f)
{
	switch (f->last.kind) {
	case LINK_POWEROFF:
		set(e, "poweroff", 0, f->stopped_by ? "the guest powered off, as it was asked to"
						    : "the guest powered off");
		return;
	case LINK_FAILED:
		set(e, "failed", (int)f->last.detail, "the guest ended with failure code %d",
		    (int)f->last.detail);
		return;
	case LINK_CRASHED:
		set(e, "crashed", 0, "the CPU engine could not go on");
		return;
	case LINK_STOPPED:
		set(e, "stopped", 0, "the VM was stopped by order");
		return;
	}
	if (WIFSIGNALED(f->status))
		tell_killed(e, f, WTERMSIG(f->status));
	else
		set(e, "error", WEXITSTATUS(f->status), "%s",
		    *f->error ? f->error : "the VM could not be built; supervisor.log may say why");
}

json_t *ending_json(const struct ending *e)
{
	/* What a monitor said may be no UTF-8. */
	json_t *text = json_string(e->text);

	return json_pack("{s:s, s:i, s:o, s:I, s:I}", "reason", e->reason, "code", e->code, "text",
			 text ? text : json_string("the VM could not be built"), "started",
			 (json_int_t)e->started_ms, "ended", (json_int_t)e->ended_ms);
}

static int write_text(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

int ending_save(const struct ending *e, int dir, struct err *err)
{
	static const char name[] = "exit.json", temp[] = ".exit.json.new";
	json_t *object = ending_json(e);
	char *text = json_dumps(object, JSON_COMPACT);
	int rc = -ENOMEM, fd = -1;

	json_decref(object);
	if (text) {
		fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		rc = fd < 0 ? -errno : write_text(fd, text);
	}
	if (fd >= 0)
		close(fd);
	if (!rc && renameat(dir, temp, dir, name))
		rc = -errno;
	free(text);
	return rc ? err_sys(err, rc, "%s cannot be written into the VM's folder", name) : 0;
}
