/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's state, for the files that make it up; see vmm/supervisor.h. */
#ifndef VMM_SUPERVISOR_STATE_H
#define VMM_SUPERVISOR_STATE_H

#include <sys/types.h>

#include "vmm/bounded_log.h"
#include "vmm/console_hub.h"
#include "vmm/control.h"
#include "vmm/ending.h"
#include "vmm/files.h"
#include "vmm/net_process.h"
#include "vmm/supervisor.h"
#include "vmm/vmagent.h"

enum vm_state { VM_STARTING, VM_RUNNING, VM_PAUSED, VM_ENDED };

/* The steps of a stop, in order. */
enum stop_step { STOP_NONE, STOP_ASK, STOP_AGENT, STOP_BUTTON, STOP_FORCE };

struct supervisor {
	const struct supervisor_args *args;
	struct vmconfig config;
	struct vm_files files;
	int dir, lock;
	int runtime;			/* folder of the sockets; -1: none */
	struct net_process nets[VMCONFIG_MAX_NETS];
	pid_t monitor;			/* 0: none */
	struct loop *loop;

	struct loop_fd monitor_fd;	/* pidfd */
	struct loop_fd link;		/* struct link_msg packets */
	struct loop_fd signals;		/* signalfd */
	struct loop_fd ready;		/* whoever waits for the start; closed: has gone on */
	struct loop_fd own_log;		/* what the VM's processes write on standard error: a pipe */
	struct loop_timer timer;	/* of the stop, the restart or the leave: one at a time */
	struct control control;
	struct console_hub console;
	struct vmagent agent;
	struct bounded_log console_log, log;

	enum vm_state state;
	uint64_t since_ms;		/* since when it is in this state */
	uint64_t started_ms;
	uint64_t oom_kills;		/* usage_oom_kills() at the start */
	unsigned restarts;
	uint64_t delay_ms;		/* before the next restart */
	bool was_ready;			/* the guest has executed once: the start is told */
	bool monitor_ended, console_ended;
	bool leaving, drained;		/* nothing is started any more; the console has been taken */

	bool want_pause;		/* the order that the monitor got last */
	enum stop_step stop;
	uint64_t stop_deadline_ns;
	const char *stopped_by;		/* what the last step was called; NULL: nobody stopped it */
	bool by_user;			/* no restart */

	int status;			/* waitpid()'s */
	struct link_msg last;		/* how the VM ended, as the monitor said; kind 0: it did not */
	char error[512];		/* why it could not be built, as the monitor said */
	struct ending ending;
};

/* ---- supervisor.c --------------------------------------------------------------------------- */

/* Tells the monitor; one that is at its end takes no orders. */
void supervisor_order(struct supervisor *s, enum link_kind kind);

/* Nothing runs, and nothing is to be started again: the supervisor ends. */
void supervisor_leave(struct supervisor *s);

/* {"event":name,"time":now} to all who want to know, with fields (taken; may be NULL). */
void supervisor_event(struct supervisor *s, const char *name, json_t *fields);

/* ---- shutdown.c ----------------------------------------------------------------------------- */

/*
 * The VM is to end by the user's wish, within timeout_ns: the agent is asked, the power button
 * pressed, and at last the monitor told to stop. Once more: with the nearer deadline of the two.
 */
void shutdown_begin(struct supervisor *s, uint64_t timeout_ns);

/* At once, without regard to the guest. */
void shutdown_kill(struct supervisor *s);

/* s->timer has gone off while a monitor runs. */
void shutdown_on_timer(struct supervisor *s);

/* ---- orders.c ------------------------------------------------------------------------------- */

/* control_ops.request */
void orders_request(void *opaque, struct control_client *c, const char *what, json_t *args);

#endif
