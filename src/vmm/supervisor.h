/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor of one VM: holds the lock on the VM's folder, opens its files, starts the network
 * processes and the sandboxed monitor, keeps the logs, serves control.sock (docs/control.md) and
 * console.sock, ends and restarts the VM, and writes down how it ended.
 *
 * Theory of operation. One thread, one loop, no file I/O through it. The parts: console_hub.h and
 * control.h serve clients, vmagent.h the guest agent's stream, shutdown.c the steps of a stop,
 * orders.c the requests, supervisor.c life itself:
 *
 *	STARTING -> RUNNING <-> PAUSED -> (the monitor ends) -> ENDED -> STARTING ... or the end
 *
 * The monitor has ended when its process has and its console's last byte has been read. What an
 * ended VM leaves is told (exit.json, the event, the answers that wait); then the restart policy
 * starts it anew in the same folder, under the same locks and with the same clients, or the
 * supervisor takes its leave: clients get what they have not taken yet, for LAST_WORDS_NS at most.
 */
#ifndef VMM_SUPERVISOR_H
#define VMM_SUPERVISOR_H

#include "base/err.h"

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct supervisor_args {
	const char *dir;	/* the VM's folder, with config.json */
	const char *runtime;	/* the folder for its sockets, made and removed; NULL: none */
	int ready;		/* see hospes-vm(8), --ready-fd; -1: none; taken over */
	int console;		/* a client of the console from the start, or -1; taken over */
	int control;		/* a client that owns the VM: its end stops it; or -1; taken over */
	enum restart_policy restart;
	unsigned restart_delay_ms;	/* before the first restart; doubles up to a minute */
};

/*
 * Runs the VM to its end. 0 when it ran at all (exit.json says how it ended); -errno with a
 * sentence when it could not be started.
 */
int supervisor_run(const struct supervisor_args *args, struct err *err);

#endif
