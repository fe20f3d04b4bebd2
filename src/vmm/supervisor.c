/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/usock.h"
#include "vmm/monitor.h"
#include "vmm/supervisor_state.h"
#include "vmm/usage.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS UINT64_C(1000000)

/* How long a guest may take after a first signal. */
#define GRACE_NS (60 * SECOND_NS)
/* How long clients may take to get what is left, and whoever started the VM to connect. */
#define LAST_WORDS_NS (2 * SECOND_NS)
/* Restarts wait at most so long; a VM that ran for longer begins anew with the first delay. */
enum { LONGEST_DELAY_MS = 60000 };
/* How often a lock is tried that somebody has only for a moment. */
enum { LOCK_TRIES = 1000 };

static const char control_name[] = "control.sock", console_name[] = "console.sock";

/* ---- news and orders -------------------------------------------------------------------------- */

void supervisor_event(struct supervisor *s, const char *name, json_t *fields)
{
	json_t *event = json_pack("{s:s, s:I}", "event", name, "time", (json_int_t)ending_now());

	if (fields)
		json_object_update(event, fields);
	json_decref(fields);
	control_event(&s->control, event);
}

void supervisor_order(struct supervisor *s, enum link_kind kind)
{
	struct link_msg msg = { kind, 0 };

	if (s->link.fd >= 0 && send(s->link.fd, &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("the monitor takes no orders any more");
}

static void set_state(struct supervisor *s, enum vm_state state)
{
	s->state = state;
	s->since_ms = ending_now();
}

static void close_watched(struct supervisor *s, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	if (s->loop)
		loop_fd_del(s->loop, w);
	close(w->fd);
	w->fd = -1;
}

/* The line that whoever started the VM waits for. */
static void tell_starter(struct supervisor *s, const char *line)
{
	char text[600];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (s->ready.fd >= 0 && write(s->ready.fd, text, (size_t)len) < 0)
		close_watched(s, &s->ready);
}

static void end_if_done(struct supervisor *s)
{
	if (s->leaving && s->drained && s->ready.fd < 0)
		loop_stop(s->loop);
}

/* It reads no more, as it has connected to what it wants, or has gone. */
static void on_ready_closed(struct loop_fd *w, unsigned events)
{
	struct supervisor *s = container_of(w, struct supervisor, ready);

	close_watched(s, w);
	end_if_done(s);
}

/* ---- the end of a VM -------------------------------------------------------------------------- */

static void on_console_drained(void *opaque)
{
	struct supervisor *s = opaque;

	s->drained = true;
	end_if_done(s);
}

void supervisor_leave(struct supervisor *s)
{
	control_accept(&s->control);
	control_done(&s->control, WAIT_END, json_pack("{s:s?, s:o}", "by", s->stopped_by, "end",
						      ending_json(&s->ending)), NULL);
	if (s->leaving)
		return;
	s->leaving = true;
	/* Others may have the disks now. */
	vm_files_close(&s->files);
	loop_timer_arm(s->loop, &s->timer, loop_now_ns() + LAST_WORDS_NS);
	console_hub_finish(&s->console);
}

static bool wants_restart(const struct supervisor *s)
{
	bool failed = strcmp(s->ending.reason, "poweroff") && strcmp(s->ending.reason, "stopped");

	if (s->by_user || !s->was_ready)
		return false;
	return s->args->restart == RESTART_ALWAYS || (s->args->restart == RESTART_ON_FAILURE && failed);
}

/* Doubles the delay; a VM that ran well before this end starts with the first again. */
static uint64_t next_delay(struct supervisor *s)
{
	uint64_t delay = s->delay_ms;

	if (s->ending.ended_ms - s->ending.started_ms > LONGEST_DELAY_MS)
		delay = s->args->restart_delay_ms;
	s->delay_ms = delay * 2 < LONGEST_DELAY_MS ? delay * 2 : LONGEST_DELAY_MS;
	return delay;
}

/* Writes down how the VM ended, and tells everybody. */
static void tell_end(struct supervisor *s)
{
	struct ending_facts facts = {
		.last = s->last, .status = s->status, .stopped_by = s->stopped_by, .error = s->error,
		.out_of_memory = usage_oom_kills("/proc/vmstat") > s->oom_kills,
	};
	struct ending *e = &s->ending;
	struct err err;

	ending_tell(e, &facts);
	e->started_ms = s->started_ms;
	e->ended_ms = ending_now();
	if (ending_save(e, s->dir, &err))
		log_warn("%s", err.msg);
	if (!s->was_ready)
		tell_starter(s, e->text);
	control_accept(&s->control);
}

static void on_vm_ended(struct supervisor *s)
{
	json_t *fields;

	for (unsigned i = 0; i < VMCONFIG_MAX_NETS; i++)
		net_process_end(&s->nets[i]);
	close_watched(s, &s->link);
	vmagent_close(&s->agent);
	loop_timer_cancel(s->loop, &s->timer);
	tell_end(s);
	set_state(s, VM_ENDED);
	fields = ending_json(&s->ending);
	control_done(&s->control, WAIT_PAUSED, NULL, "the VM has ended");
	control_done(&s->control, WAIT_RUNNING, NULL, "the VM has ended");
	if (wants_restart(s)) {
		uint64_t delay = next_delay(s);

		json_object_set_new(fields, "restart_ms", json_integer((json_int_t)delay));
		supervisor_event(s, "ended", fields);
		loop_timer_arm(s->loop, &s->timer, loop_now_ns() + delay * MS_NS);
	} else {
		supervisor_event(s, "ended", fields);
		supervisor_leave(s);
	}
}

static void ended_if_all(struct supervisor *s)
{
	if (s->state != VM_ENDED && s->monitor_ended && s->console_ended)
		on_vm_ended(s);
}

static void on_console_end(void *opaque)
{
	struct supervisor *s = opaque;

	s->console_ended = true;
	ended_if_all(s);
}

/* ---- the monitor's words ---------------------------------------------------------------------- */

/* The text of a monitor, which is not trusted, for people's eyes. */
static void keep_error(struct supervisor *s, const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && n < sizeof(s->error) - 1 && text[n]) {
		s->error[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
		n++;
	}
	s->error[n] = '\0';
}

static void on_started(struct supervisor *s)
{
	if (s->state != VM_STARTING)
		return;
	set_state(s, VM_RUNNING);
	supervisor_event(s, "started", NULL);
	if (!s->was_ready)
		tell_starter(s, "ready");
	s->was_ready = true;
}

static void on_pause_changed(struct supervisor *s, bool paused)
{
	enum vm_state state = paused ? VM_PAUSED : VM_RUNNING;

	if (s->state == VM_STARTING || s->state == VM_ENDED)
		return;
	if (s->state != state) {
		set_state(s, state);
		supervisor_event(s, paused ? "paused" : "resumed", NULL);
	}
	control_done(&s->control, paused ? WAIT_PAUSED : WAIT_RUNNING, NULL, NULL);
}

static void heed(struct supervisor *s, const struct link_error *msg, size_t len)
{
	switch (msg->head.kind) {
	case LINK_STARTED:
		on_started(s);
		break;
	case LINK_RESET:
		supervisor_event(s, "reset", NULL);
		break;
	case LINK_PAUSED:
	case LINK_RESUMED:
		on_pause_changed(s, msg->head.kind == LINK_PAUSED);
		break;
	case LINK_POWEROFF:
	case LINK_FAILED:
	case LINK_CRASHED:
	case LINK_STOPPED:
		s->last = msg->head;
		break;
	case LINK_ERROR:
		keep_error(s, msg->text, len - sizeof(msg->head));
		break;
	}
}

/* Takes one message; false: there is none. */
static bool take_message(struct supervisor *s)
{
	struct link_error msg;
	ssize_t n = recv(s->link.fd, &msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < (ssize_t)sizeof(msg.head)) {
		loop_fd_del(s->loop, &s->link);
		return false;
	}
	heed(s, &msg, (size_t)n);
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
	s->monitor = 0;
	close_watched(s, w);
	/* What it said last may still wait, behind what it said before. */
	while (s->link.added && take_message(s))
		;
	s->monitor_ended = true;
	ended_if_all(s);
}

/* ---- starting a VM ------------------------------------------------------------------------------ */

static int pair(int type, int *ours, int *theirs, struct err *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds))
		return err_sys(err, -errno, "socketpair");
	*ours = fds[0];
	*theirs = fds[1];
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int watch(struct supervisor *s, struct loop_fd *w, void (*fn)(struct loop_fd *, unsigned),
		 unsigned events, struct err *err)
{
	int rc;

	w->fn = fn;
	rc = w->fd < 0 ? 0 : loop_fd_set(s->loop, w, events);
	return rc ? err_sys(err, rc, "the supervisor cannot watch descriptor %d", w->fd) : 0;
}

static int start_nets(struct supervisor *s, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < s->config.net_count; i++) {
		rc = net_process_start(&s->nets[i], &s->config, i, s->args->dir,
				       &s->files.nets[i], err);
		if (!rc)
			rc = net_process_watch(&s->nets[i], s->loop, err);
	}
	return rc;
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

static int watch_monitor(struct supervisor *s, int console, int agent, struct err *err)
{
	int rc = console_hub_set_guest(&s->console, console, err);

	if (rc) {
		close(agent);
		return rc;
	}
	s->console_ended = false;
	rc = vmagent_open(&s->agent, agent, err);
	s->monitor_fd.fd = (int)syscall(SYS_pidfd_open, s->monitor, 0);
	if (!rc && s->monitor_fd.fd < 0)
		rc = err_sys(err, -errno, "pidfd_open (Linux 5.3 or later is needed)");
	if (!rc)
		rc = watch(s, &s->monitor_fd, on_monitor_exit, LOOP_IN, err);
	return rc ? rc : watch(s, &s->link, on_link, LOOP_IN, err);
}

static int start_monitor(struct supervisor *s, struct err *err)
{
	int console = -1, agent = -1, rc;

	rc = pair(SOCK_STREAM, &console, &s->files.console, err);
	if (!rc)
		rc = pair(SOCK_STREAM, &agent, &s->files.agent, err);
	if (!rc)
		rc = pair(SOCK_SEQPACKET, &s->link.fd, &s->files.link, err);
	if (rc)
		goto fail;
	s->monitor = fork();
	if (s->monitor == 0)
		become_monitor(s);
	if (s->monitor < 0) {
		rc = err_sys(err, -errno, "the monitor process cannot be started");
		s->monitor = 0;
		goto fail;
	}
	close_fd(&s->files.console);
	close_fd(&s->files.agent);
	close_fd(&s->files.link);
	for (unsigned i = 0; i < VMCONFIG_MAX_NETS; i++)
		close_fd(&s->files.nets[i]);
	/* Without restarts the disks' locks live on in the monitor alone. */
	if (s->args->restart == RESTART_NO)
		vm_files_close(&s->files);
	return watch_monitor(s, console, agent, err);

fail:
	close_fd(&console);
	close_fd(&agent);
	return rc;
}

/* The VM, with nothing left of one that ran before. */
static int launch(struct supervisor *s, struct err *err)
{
	int rc;

	s->state = VM_STARTING;
	s->since_ms = s->started_ms = ending_now();
	s->oom_kills = usage_oom_kills("/proc/vmstat");
	s->monitor_ended = false;
	s->console_ended = true;
	s->want_pause = false;
	s->status = 0;
	s->last = (struct link_msg){ 0 };
	s->error[0] = '\0';
	rc = start_nets(s, err);
	return rc ? rc : start_monitor(s, err);
}

static void restart(struct supervisor *s)
{
	struct err err;

	s->restarts++;
	if (!launch(s, &err))
		return;
	log_error("%s", err.msg);
	snprintf(s->error, sizeof(s->error), "%s", err.msg);
	if (s->monitor > 0) {
		/* Its end is told when it has come. */
		kill(s->monitor, SIGKILL);
		if (s->monitor_fd.added)
			return;
		waitpid(s->monitor, NULL, 0);
		s->monitor = 0;
	}
	s->status = EXIT_FAILURE << 8;
	on_vm_ended(s);
}

static void on_timer(struct loop_timer *t)
{
	struct supervisor *s = container_of(t, struct supervisor, timer);

	if (s->leaving)
		loop_stop(s->loop);
	else if (s->state == VM_ENDED)
		restart(s);
	else
		shutdown_on_timer(s);
}

/* ---- clients, signals, the log -------------------------------------------------------------------- */

static size_t on_raw(void *opaque, struct control_client *c, const uint8_t *buf, size_t len)
{
	struct supervisor *s = opaque;

	return vmagent_send(&s->agent, buf, len);
}

static void on_drained(void *opaque, struct control_client *c)
{
	struct supervisor *s = opaque;

	vmagent_drained(&s->agent, c);
}

static void on_gone(void *opaque, struct control_client *c, bool owner)
{
	struct supervisor *s = opaque;

	vmagent_release(&s->agent, c);
	if (owner)
		shutdown_begin(s, 0);
}

static const struct control_ops control_ops = {
	.request = orders_request,
	.raw = on_raw,
	.drained = on_drained,
	.gone = on_gone,
};

/* The first request shuts the guest down, the second ends the VM. */
static void on_signal(struct loop_fd *w, unsigned events)
{
	struct supervisor *s = container_of(w, struct supervisor, signals);
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (s->leaving)
		loop_stop(s->loop);
	else
		shutdown_begin(s, s->stop == STOP_NONE ? GRACE_NS : 0);
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
	if (s->signals.fd < 0)
		return err_sys(err, -errno, "signalfd");
	return watch(s, &s->signals, on_signal, LOOP_IN, err);
}

/* Once: the monitor could write without an end. False: there is nothing. */
static bool take_own_log(struct supervisor *s)
{
	uint8_t buf[4096];
	ssize_t n = read(s->own_log.fd, buf, sizeof(buf));

	if (n > 0)
		bounded_log_write(&s->log, buf, (size_t)n);
	return n > 0;
}

static void on_own_log(struct loop_fd *w, unsigned events)
{
	take_own_log(container_of(w, struct supervisor, own_log));
}

/*
 * Standard error becomes a pipe whose other end goes to supervisor.log. It never blocks: a process
 * that writes more than is taken away loses lines.
 */
static int take_log(struct supervisor *s, struct err *err)
{
	int ends[2];
	int rc = bounded_log_open(&s->log, s->dir, "supervisor.log", SUPERVISOR_LOG_BYTES, false, err);

	if (rc)
		return rc;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return err_sys(err, -errno, "pipe");
	s->own_log.fd = ends[0];
	rc = dup2(ends[1], STDERR_FILENO) < 0 ? err_sys(err, -errno, "standard error") : 0;
	close(ends[1]);
	return rc ? rc : watch(s, &s->own_log, on_own_log, LOOP_IN, err);
}

/* ---- starting ----------------------------------------------------------------------------------- */

/* fcntl() to lock the VM. Who only waits for its end may have it for a moment, for reading. */
static int lock_unless_run(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, other = lock;
	int rc = fcntl(fd, F_OFD_SETLK, &lock);

	for (int tries = 0; rc && errno == EAGAIN && tries < LOCK_TRIES; tries++) {
		other.l_type = F_WRLCK;
		if (fcntl(fd, F_OFD_GETLK, &other) || other.l_type == F_WRLCK) {
			errno = EAGAIN;
			break;
		}
		sched_yield();
		rc = fcntl(fd, F_OFD_SETLK, &lock);
	}
	return rc;
}

static int take_lock(struct supervisor *s, const char *dir, struct err *err)
{
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return err_sys(err, -errno, "%s", dir);
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return err_sys(err, -errno, "%s/lock", dir);
	if (lock_unless_run(s->lock))
		return errno == EAGAIN || errno == EACCES
			? err_set(err, -EBUSY, "%s: this VM runs already", dir)
			: err_sys(err, -errno, "%s/lock cannot be locked", dir);
	/* How it ended before is no news of how it will. */
	if (unlinkat(s->dir, "exit.json", 0) && errno != ENOENT)
		return err_sys(err, -errno, "%s/exit.json", dir);
	return 0;
}

static int open_sockets(struct supervisor *s, struct err *err)
{
	int control = -1, console = -1, rc = 0;

	if (s->args->runtime) {
		rc = usock_make_folder(s->args->runtime, &s->runtime, err);
		if (!rc)
			rc = usock_listen(s->runtime, control_name, &control, err);
		if (!rc)
			rc = usock_listen(s->runtime, console_name, &console, err);
	}
	if (!rc)
		rc = control_start(&s->control, control, err);
	else
		close_fd(&control);
	if (!rc)
		rc = console_hub_start(&s->console, console, err);
	else
		close_fd(&console);
	return rc;
}

static void init_parts(struct supervisor *s)
{
	s->control.loop = s->console.loop = s->agent.loop = s->loop;
	s->control.ops = &control_ops;
	s->control.opaque = s->console.opaque = s;
	s->control.id = s->config.uuid;
	s->control.name = s->config.name;
	s->console.log = &s->console_log;
	s->console.ended = on_console_end;
	s->console.drained = on_console_drained;
	s->timer.fn = on_timer;
}

static int prepare(struct supervisor *s, struct err *err)
{
	const char *dir = s->args->dir;
	char path[4096];
	int rc = take_lock(s, dir, err);

	if (rc)
		return rc;
	if (snprintf(path, sizeof(path), "%s/config.json", dir) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
	rc = vmconfig_load(&s->config, path, err);
	if (!rc)
		rc = vm_files_open(&s->files, &s->config, err);
	if (!rc)
		rc = bounded_log_open(&s->console_log, s->dir, "console.log", CONSOLE_LOG_BYTES, true, err);
	if (!rc)
		rc = loop_new(&s->loop, LOOP_NO_IO, err);
	if (rc)
		return rc;
	init_parts(s);
	rc = take_signals(s, err);
	if (!rc)
		rc = open_sockets(s, err);
	if (!rc)
		rc = watch(s, &s->ready, on_ready_closed, LOOP_IN, err);
	return rc;
}

static int run(struct supervisor *s, struct err *err)
{
	int rc = prepare(s, err);

	if (!rc && s->args->runtime)
		rc = take_log(s, err);
	if (rc)
		return rc;
	if (s->args->control >= 0)
		control_add(&s->control, s->args->control, true);
	if (s->args->console >= 0)
		console_hub_add(&s->console, s->args->console);
	rc = launch(s, err);
	if (!rc)
		loop_run(s->loop);
	return rc;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void remove_sockets(struct supervisor *s)
{
	if (s->runtime < 0)
		return;
	unlinkat(s->runtime, control_name, 0);
	unlinkat(s->runtime, console_name, 0);
	rmdir(s->args->runtime);
	close(s->runtime);
}

static void clean_up(struct supervisor *s)
{
	if (s->monitor > 0) {
		kill(s->monitor, SIGKILL);
		waitpid(s->monitor, &s->status, 0);
	}
	for (unsigned i = 0; i < VMCONFIG_MAX_NETS; i++)
		net_process_end(&s->nets[i]);
	remove_sockets(s);
	control_stop(&s->control);
	console_hub_stop(&s->console);
	vmagent_close(&s->agent);
	close_watched(s, &s->monitor_fd);
	close_watched(s, &s->link);
	close_watched(s, &s->signals);
	close_watched(s, &s->ready);
	while (s->own_log.fd >= 0 && take_own_log(s))
		;
	close_watched(s, &s->own_log);
	loop_free(s->loop);
	bounded_log_close(&s->console_log);
	bounded_log_close(&s->log);
	vm_files_close(&s->files);
	vmconfig_fini(&s->config);
	close_fd(&s->dir);
	close_fd(&s->lock);
	free(s);
}

int supervisor_run(const struct supervisor_args *args, struct err *err)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->args = args;
	s->delay_ms = args->restart_delay_ms;
	s->dir = s->lock = s->runtime = s->console_log.fd = s->log.fd = -1;
	s->monitor_fd.fd = s->link.fd = s->signals.fd = s->own_log.fd = -1;
	s->control.listener.fd = s->console.listener.fd = s->console.guest.fd = s->agent.fd.fd = -1;
	s->ready.fd = args->ready;
	vm_files_init(&s->files);
	rc = run(s, err);
	/* A VM that was not built has told why itself. */
	if (rc) {
		tell_starter(s, err->msg);
		if (s->own_log.fd >= 0)
			log_error("%s", err->msg);
	}
	clean_up(s);
	return rc;
}
