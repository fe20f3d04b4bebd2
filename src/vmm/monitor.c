/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "block/raw.h"
#include "machine/machine.h"
#include "net/user.h"
#include "vmm/confine.h"
#include "vmm/engines.h"
#include "vmm/link.h"

struct monitor {
	struct vm vm;
	const struct vmconfig *config;
	struct vm_files *files;
	const struct machine_ops *machine;
	struct machine_cfg board;
	struct confine confine;
	struct loop_fd link;
	void (*on_thread)(enum confine_kind kind);
};

static void tell(const struct monitor *m, enum link_kind kind, uint32_t detail)
{
	struct link_msg msg = { kind, detail };

	/* A supervisor that has gone needs no news; its end ends the monitor. */
	if (send(m->link.fd, &msg, sizeof(msg), MSG_NOSIGNAL) < 0)
		return;
}

/* Orders of the supervisor, on the loop's thread. */
static void on_link(struct loop_fd *w, unsigned events)
{
	struct monitor *m = container_of(w, struct monitor, link);
	struct link_msg msg;
	ssize_t n = recv(w->fd, &msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(msg)) {
		loop_fd_del(m->vm.loop, w);
		vm_request(&m->vm, VM_EVENT_STOP, 0);
	} else if (msg.kind == LINK_POWER_BUTTON) {
		m->machine->power_button(&m->vm);
	} else if (msg.kind == LINK_STOP) {
		vm_request(&m->vm, VM_EVENT_STOP, 0);
	} else if (msg.kind == LINK_PAUSE || msg.kind == LINK_RESUME) {
		vm_request_pause(&m->vm, msg.kind == LINK_PAUSE);
	}
}

/* The sentence goes to whoever waits for the VM's start; the log has it as well. */
static void tell_error(const struct monitor *m, const struct err *err)
{
	struct link_error msg = { .head = { LINK_ERROR, 0 } };
	int fd = m->link.fd >= 0 ? m->link.fd : m->files->link;

	snprintf(msg.text, sizeof(msg.text), "%s", err->msg);
	if (send(fd, &msg, sizeof(msg), MSG_NOSIGNAL) < 0)
		log_debug("the supervisor does not listen");
}

static void enter_thread(const struct monitor *m, enum confine_kind kind)
{
	confine_thread(&m->confine, kind);
	if (m->on_thread)
		m->on_thread(kind);
}

static void on_thread_start(struct vm *vm, int thread)
{
	enter_thread(container_of(vm, struct monitor, vm), thread == VM_THREAD_LOOP ? CONFINE_LOOP :
		     thread == VM_THREAD_IO ? CONFINE_IO : CONFINE_VCPU);
}

/* ---- building ---------------------------------------------------------------------------- */

/* Hands *fd on: whoever gets it closes it. */
static int take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static int open_disks(struct monitor *m, struct err *err)
{
	const struct vmconfig *c = m->config;

	for (unsigned i = 0; i < c->disk_count; i++) {
		const struct vmconfig_disk *d = &c->disks[i];
		unsigned flags = (d->readonly ? BLK_RAW_READ_ONLY : 0u) | (d->direct ? BLK_RAW_DIRECT : 0u);
		struct machine_disk *md = &m->board.disks[i];
		int rc = blk_raw_open(&md->blk, m->vm.loop, m->files->disks[i], flags, d->file, err);

		if (rc)
			return rc;
		take(&m->files->disks[i]);
		md->serial = d->serial;
		md->mmio = !strcmp(d->bus, "mmio");
		md->slot = d->slot;
		m->board.disk_count++;
	}
	return 0;
}

static int open_nets(struct monitor *m, struct err *err)
{
	const struct vmconfig *c = m->config;

	for (unsigned i = 0; i < c->net_count; i++) {
		struct machine_net *mn = &m->board.nets[i];
		int rc = net_user_open(&mn->net, m->vm.loop, m->files->nets[i], err);

		if (rc)
			return rc;
		take(&m->files->nets[i]);
		vmconfig_parse_mac(c->nets[i].mac, mn->mac);
		mn->slot = c->nets[i].slot;
		m->board.net_count++;
	}
	return 0;
}

static int open_chans(struct monitor *m, struct err *err)
{
	int rc = chan_new(&m->board.console, m->vm.loop, take(&m->files->console), err);

	if (!rc && m->files->agent >= 0)
		rc = chan_new(&m->board.agent, m->vm.loop, take(&m->files->agent), err);
	return rc;
}

static void describe_files(struct monitor *m)
{
	const struct vmconfig *c = m->config;
	struct machine_cfg *b = &m->board;

	b->machine = c->machine;
	b->cpus = c->cpus;
	b->ram = c->memory;
	b->append = c->append;
	b->kernel = (struct machine_file){ m->files->kernel, c->kernel };
	b->initrd = (struct machine_file){ m->files->initrd, c->initrd };
	b->firmware = (struct machine_file){ m->files->firmware, c->firmware };
	for (unsigned i = 0; i < VMCONFIG_MAX_PFLASH; i++) {
		b->pflash[i] = (struct machine_file){ m->files->pflash[i], c->pflash[i] };
		b->pflash_writable[i] = i > 0;
	}
}

static int build(struct monitor *m, struct err *err)
{
	const struct vmconfig *c = m->config;
	const struct engine_ops *engine = engine_find(c->engine, c->arch);
	int rc;

	m->machine = machine_find(c->machine);
	if (!m->machine || strcmp(m->machine->arch, c->arch))
		return err_set(err, -EINVAL, "machine '%s' for %s is not known to this version",
			       c->machine, c->arch);
	if (!engine)
		return err_set(err, -EINVAL, "engine '%s' cannot run %s guests; leave --engine "
			       "away", c->engine, c->arch);
	rc = vm_init(&m->vm, engine, m->machine->timebase_hz, err);
	if (!rc)
		rc = open_chans(m, err);
	if (!rc)
		rc = open_disks(m, err);
	if (!rc)
		rc = open_nets(m, err);
	if (rc)
		return rc;
	describe_files(m);
	rc = m->machine->build(&m->vm, &m->board, err);
	if (rc)
		return rc;
	m->link.fd = take(&m->files->link);
	m->link.fn = on_link;
	rc = loop_fd_set(m->vm.loop, &m->link, LOOP_IN);
	return rc ? err_sys(err, rc, "the supervisor's socket cannot be watched") : 0;
}

/* ---- running ------------------------------------------------------------------------------- */

/* Until the VM has ended; the message that says how. */
static struct link_msg serve(struct monitor *m)
{
	struct err err;
	uint32_t detail;

	for (;;)
		switch (vm_wait(&m->vm, &detail)) {
		case VM_EVENT_POWEROFF:
			return (struct link_msg){ LINK_POWEROFF, 0 };
		case VM_EVENT_FAIL:
			return (struct link_msg){ LINK_FAILED, detail };
		case VM_EVENT_CRASH:
			return (struct link_msg){ LINK_CRASHED, detail };
		case VM_EVENT_STOP:
			return (struct link_msg){ LINK_STOPPED, 0 };
		case VM_EVENT_RESET:
			tell(m, LINK_RESET, 0);
			if (vm_reset(&m->vm, &err)) {
				log_error("%s", err.msg);
				return (struct link_msg){ LINK_CRASHED, 0 };
			}
			break;
		case VM_EVENT_PAUSE:
			vm_pause(&m->vm);
			tell(m, LINK_PAUSED, 0);
			break;
		case VM_EVENT_RESUME:
			vm_resume(&m->vm);
			tell(m, LINK_RESUMED, 0);
			break;
		case VM_EVENT_NONE:
			break;
		}
}

static int run(struct monitor *m, struct err *err)
{
	struct link_msg end;
	int rc = vm_start(&m->vm, on_thread_start, err);

	if (rc)
		return rc;
	enter_thread(m, CONFINE_CONTROL);
	tell(m, LINK_STARTED, 0);
	end = serve(m);
	/* Flushes and closes everything first: who reads the message may use the disks. */
	vm_fini(&m->vm);
	tell(m, (enum link_kind)end.kind, end.detail);
	return 0;
}

int monitor_run(const struct vmconfig *c, struct vm_files *files,
		void (*on_thread)(enum confine_kind kind))
{
	struct monitor *m = calloc(1, sizeof(*m));
	struct err err;
	int rc;

	if (!m) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	m->config = c;
	m->files = files;
	m->on_thread = on_thread;
	m->link.fd = -1;
	rc = confine_process(&m->confine, c->uuid, &err);
	if (!rc)
		rc = build(m, &err);
	if (!rc)
		rc = run(m, &err);
	if (rc) {
		log_error("%s", err.msg);
		tell_error(m, &err);
	}
	/* The process ends here: what is still open or allocated goes with it. */
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
