/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/loop.h"
#include "vmm/console_log.h"
#include "vmm/files.h"
#include "vmm/link.h"
#include "vmm/monitor.h"
#include "vmm/net_process.h"
#include "vmm/relay.h"

/* How long a guest may take after the power button, and the monitor after an order to stop. */
#define GRACE_NS (UINT64_C(60) * 1000000000u)
#define STOP_NS (UINT64_C(10) * 1000000000u)

/* How long the end of a VM waits for listeners that stall: of a stopped one's console, of events. */
#define LAST_WORDS_NS (UINT64_C(1) * 1000000000u)
enum { LAST_EVENT_MS = 1000 };

struct supervisor {
	struct vmconfig config;
	struct vm_files files;
	int dir, lock;
	int agent;			/* the guest agent's byte stream, for whoever asks it */
	struct net_process nets[VMCONFIG_MAX_NETS];
	pid_t monitor;
	struct loop *loop;

	struct loop_fd monitor_fd;	/* pidfd */
	struct loop_fd link;		/* struct link_msg packets */
	struct loop_fd control;		/* JSON lines */
	struct loop_fd signals;		/* signalfd */
	struct loop_timer deadline;	/* patience with a guest or monitor that was told to end */
	struct relay guest_out, guest_in;
	struct console_log log;
	char line[512];			/* a command that is not complete yet */
	size_t line_len;

	bool monitor_ended, console_ended;
	bool asked;			/* the power button was pressed for a signal */
	bool stopping;
	int status;			/* waitpid()'s */
	struct link_msg last;		/* how the VM ended, as the monitor said; kind 0: it did not */
};

/* ---- telling whoever started the VM ------------------------------------------------------- */

/* A listener that takes nothing misses events: a guest can make any number of them. */
static void emit(struct supervisor *s, json_t *event)
{
	char *text = s->control.fd >= 0 ? json_dumps(event, JSON_COMPACT) : NULL;

	if (text) {
		struct iovec iov[] = { { text, strlen(text) }, { (char *)"\n", 1 } };
		const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };

		if (sendmsg(s->control.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			log_debug("an event was not taken: %s", text);
	}
	free(text);
	json_decref(event);
}

static void emit_end(struct supervisor *s)
{
	struct pollfd room = { .fd = s->control.fd, .events = POLLOUT };
	const char *reason = "error";
	int code = 0;

	if (s->last.kind == LINK_POWEROFF) {
		reason = "poweroff";
	} else if (s->last.kind == LINK_FAILED) {
		reason = "failed";
		code = (int)s->last.detail;
	} else if (s->last.kind == LINK_CRASHED) {
		reason = "crashed";
	} else if (s->last.kind == LINK_STOPPED || (s->stopping && WIFSIGNALED(s->status))) {
		reason = "stopped";
	} else if (WIFSIGNALED(s->status)) {
		reason = "killed";
		code = WTERMSIG(s->status);
	} else {
		code = WEXITSTATUS(s->status);
	}
	poll(&room, 1, LAST_EVENT_MS);
	emit(s, json_pack("{s:s, s:s, s:i}", "event", "ended", "reason", reason, "code", code));
}

/* ---- orders --------------------------------------------------------------------------------- */

static void order(struct supervisor *s, enum link_kind kind)
{
	struct link_msg msg = { kind, 0 };

	if (s->link.fd >= 0 && send(s->link.fd, &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("the monitor takes no orders any more");
}

/* The VM is to end now; once it has, nobody who is slow to take its last words is waited for. */
static void stop(struct supervisor *s)
{
	if (s->monitor_ended)
		loop_stop(s->loop);
	if (s->stopping || s->monitor_ended)
		return;
	s->stopping = true;
	order(s, LINK_STOP);
	loop_timer_arm(s->loop, &s->deadline, loop_now_ns() + STOP_NS);
}

static void on_deadline(struct loop_timer *t)
{
	struct supervisor *s = container_of(t, struct supervisor, deadline);

	if (s->stopping && !s->monitor_ended)
		kill(s->monitor, SIGKILL);
	else
		stop(s);
}

/* The first request presses the power button, the second ends the VM. */
static void on_signal(struct loop_fd *w, unsigned events)
{
	struct supervisor *s = container_of(w, struct supervisor, signals);
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (s->asked || s->stopping || s->monitor_ended) {
		stop(s);
		return;
	}
	s->asked = true;
	order(s, LINK_POWER_BUTTON);
	loop_timer_arm(s->loop, &s->deadline, loop_now_ns() + GRACE_NS);
}

static void obey(struct supervisor *s, const char *line, size_t len)
{
	json_t *root = json_loadb(line, len, 0, NULL);
	const char *command = json_string_value(json_object_get(root, "command"));

	if (command && !strcmp(command, "power-button"))
		order(s, LINK_POWER_BUTTON);
	else if (command && !strcmp(command, "stop"))
		stop(s);
	else
		emit(s, json_pack("{s:s, s:s}", "event", "error", "message", "unknown command"));
	json_decref(root);
}

static void on_control(struct loop_fd *w, unsigned events)
{
	struct supervisor *s = container_of(w, struct supervisor, control);
	ssize_t n = recv(w->fd, s->line + s->line_len, sizeof(s->line) - s->line_len, MSG_DONTWAIT);
	char *newline;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_fd_del(s->loop, w);
		stop(s);
		return;
	}
	s->line_len += (size_t)n;
	while ((newline = memchr(s->line, '\n', s->line_len))) {
		size_t used = (size_t)(newline - s->line) + 1;

		obey(s, s->line, used - 1);
		memmove(s->line, s->line + used, s->line_len - used);
		s->line_len -= used;
	}
	/* A command never is that long. */
	if (s->line_len == sizeof(s->line))
		s->line_len = 0;
}

/* ---- the monitor ------------------------------------------------------------------------------ */

static void end_if_done(struct supervisor *s)
{
	if (s->monitor_ended && s->console_ended)
		loop_stop(s->loop);
}

/* Takes one message; false: there is none. */
static bool take_message(struct supervisor *s)
{
	struct link_msg msg;
	ssize_t n = recv(s->link.fd, &msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n != sizeof(msg)) {
		loop_fd_del(s->loop, &s->link);
		return false;
	}
	if (msg.kind == LINK_STARTED)
		emit(s, json_pack("{s:s}", "event", "started"));
	else if (msg.kind == LINK_RESET)
		emit(s, json_pack("{s:s}", "event", "reset"));
	else if (msg.kind >= LINK_POWEROFF && msg.kind <= LINK_STOPPED)
		s->last = msg;
	return true;
}

static void on_link(struct loop_fd *w, unsigned events)
{
	take_message(container_of(w, struct supervisor, link));
}

static void on_monitor_exit(struct loop_fd *w, unsigned events)
{
	struct supervisor *s = container_of(w, struct supervisor, monitor_fd);

	if (waitpid(s->monitor, &s->status, WNOHANG) != s->monitor)
		return;
	loop_fd_del(s->loop, w);
	/* What it said last may still wait, behind what it said before. */
	while (s->link.added && take_message(s))
		;
	s->monitor_ended = true;
	/* Of its own accord the VM ends when its last words are taken; on order it ends soon. */
	if (s->stopping)
		loop_timer_arm(s->loop, &s->deadline, loop_now_ns() + LAST_WORDS_NS);
	else
		loop_timer_cancel(s->loop, &s->deadline);
	end_if_done(s);
}

static void on_console(void *opaque, const uint8_t *buf, size_t len)
{
	struct supervisor *s = opaque;

	console_log_write(&s->log, buf, len);
}

static void on_console_end(void *opaque)
{
	struct supervisor *s = opaque;

	s->console_ended = true;
	end_if_done(s);
}

/* ---- starting ----------------------------------------------------------------------------------- */

static int take_lock(struct supervisor *s, const char *dir, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return err_sys(err, -errno, "%s", dir);
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return err_sys(err, -errno, "%s/lock", dir);
	if (fcntl(s->lock, F_OFD_SETLK, &lock))
		return errno == EAGAIN || errno == EACCES
			? err_set(err, -EBUSY, "%s: this VM runs already", dir)
			: err_sys(err, -errno, "%s/lock cannot be locked", dir);
	return 0;
}

static int pair(int type, int *ours, int *theirs, struct err *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds))
		return err_sys(err, -errno, "socketpair");
	*ours = fds[0];
	*theirs = fds[1];
	return 0;
}

static int start_nets(struct supervisor *s, struct err *err)
{
	for (unsigned i = 0; i < s->config.net_count; i++) {
		int rc = net_process_start(&s->nets[i], &s->config, i, &s->files.nets[i], err);

		if (rc)
			return rc;
	}
	return 0;
}

/*
 * The child: nothing of the supervisor's stays open but what the VM needs, and signals of a
 * terminal do not reach it.
 */
static __attribute__((noreturn)) void become_monitor(struct supervisor *s)
{
	sigset_t none;

	vm_files_close_others(&s->files);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "hospes-monitor");
	_exit(monitor_run(&s->config, &s->files, NULL));
}

static int start_monitor(struct supervisor *s, int *console, struct err *err)
{
	int link = -1, rc;

	rc = pair(SOCK_STREAM, console, &s->files.console, err);
	if (!rc)
		rc = pair(SOCK_STREAM, &s->agent, &s->files.agent, err);
	if (!rc)
		rc = pair(SOCK_SEQPACKET, &link, &s->files.link, err);
	if (rc)
		return rc;
	s->monitor = fork();
	if (s->monitor < 0)
		return err_sys(err, -errno, "the monitor process cannot be started");
	if (s->monitor == 0)
		become_monitor(s);
	s->link.fd = link;
	/* The disks' locks live on in the monitor alone. */
	vm_files_close(&s->files);
	return 0;
}

static int watch(struct supervisor *s, struct loop_fd *w, void (*fn)(struct loop_fd *, unsigned),
		 struct err *err)
{
	int rc;

	w->fn = fn;
	rc = w->fd < 0 ? 0 : loop_fd_set(s->loop, w, LOOP_IN);
	return rc ? err_sys(err, rc, "the supervisor cannot watch descriptor %d", w->fd) : 0;
}

static int relay_console(struct supervisor *s, int console, int client, struct err *err)
{
	int back = client >= 0 ? fcntl(client, F_DUPFD_CLOEXEC, 3) : -1;
	int in = client >= 0 ? fcntl(console, F_DUPFD_CLOEXEC, 3) : -1;
	int rc;

	s->guest_out.opaque = s;
	s->guest_out.tap = on_console;
	s->guest_out.end = on_console_end;
	rc = relay_start(&s->guest_out, s->loop, console, client, err);
	if (!rc && client >= 0)
		rc = relay_start(&s->guest_in, s->loop, back, in, err);
	return rc;
}

/* Signals arrive through a descriptor from here on, also those of children that fail to start. */
static int take_signals(struct supervisor *s, struct err *err)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit of file sizes (ulimit -f) is an error of the write, for the monitor as well. */
	signal(SIGXFSZ, SIG_IGN);
	s->signals.fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals.fd < 0 ? err_sys(err, -errno, "signalfd") : 0;
}

static int prepare(struct supervisor *s, const struct supervisor_args *args, struct err *err)
{
	char path[4096];
	int rc = take_lock(s, args->dir, err);

	if (rc)
		return rc;
	if (snprintf(path, sizeof(path), "%s/config.json", args->dir) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", args->dir);
	rc = vmconfig_load(&s->config, path, err);
	if (!rc)
		rc = vm_files_open(&s->files, &s->config, err);
	if (!rc)
		rc = console_log_open(&s->log, s->dir, err);
	if (!rc)
		rc = take_signals(s, err);
	if (!rc)
		rc = start_nets(s, err);
	return rc;
}

/* The monitor runs: everything is watched by a loop that is made only now, after the fork. */
static int serve(struct supervisor *s, const struct supervisor_args *args, int console,
		 struct err *err)
{
	int rc = loop_new(&s->loop, LOOP_NO_IO, err);

	if (rc)
		return rc;
	s->deadline.fn = on_deadline;
	s->control.fd = args->control;
	s->monitor_fd.fd = (int)syscall(SYS_pidfd_open, s->monitor, 0);
	if (s->monitor_fd.fd < 0)
		return err_sys(err, -errno, "pidfd_open (Linux 5.3 or later is needed)");
	rc = watch(s, &s->monitor_fd, on_monitor_exit, err);
	if (!rc)
		rc = watch(s, &s->link, on_link, err);
	if (!rc)
		rc = watch(s, &s->control, on_control, err);
	if (!rc)
		rc = watch(s, &s->signals, on_signal, err);
	for (unsigned i = 0; !rc && i < VMCONFIG_MAX_NETS; i++)
		rc = net_process_watch(&s->nets[i], s->loop, err);
	if (!rc)
		rc = relay_console(s, console, args->console, err);
	if (rc)
		return rc;
	loop_run(s->loop);
	return 0;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void close_watched(struct supervisor *s, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	if (s->loop)
		loop_fd_del(s->loop, w);
	close(w->fd);
	w->fd = -1;
}

static void clean_up(struct supervisor *s)
{
	if (s->monitor > 0 && !s->monitor_ended) {
		kill(s->monitor, SIGKILL);
		waitpid(s->monitor, &s->status, 0);
	}
	for (unsigned i = 0; i < VMCONFIG_MAX_NETS; i++)
		net_process_end(&s->nets[i]);
	relay_stop(&s->guest_out);
	relay_stop(&s->guest_in);
	close_watched(s, &s->monitor_fd);
	close_watched(s, &s->link);
	close_watched(s, &s->signals);
	close_watched(s, &s->control);
	loop_free(s->loop);
	console_log_close(&s->log);
	vm_files_close(&s->files);
	vmconfig_fini(&s->config);
	if (s->agent >= 0)
		close(s->agent);
	if (s->dir >= 0)
		close(s->dir);
	if (s->lock >= 0)
		close(s->lock);
	free(s);
}

int supervisor_run(const struct supervisor_args *args, struct err *err)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	int rc, console = -1;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->dir = s->lock = s->agent = s->log.fd = -1;
	s->monitor_fd.fd = s->link.fd = s->control.fd = s->signals.fd = -1;
	vm_files_init(&s->files);
	rc = prepare(s, args, err);
	if (!rc)
		rc = start_monitor(s, &console, err);
	if (!rc)
		rc = serve(s, args, console, err);
	if (!rc)
		emit_end(s);
	clean_up(s);
	return rc;
}
