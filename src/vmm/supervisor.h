/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor of one VM: holds the lock on the VM's folder, opens its files, starts the
 * network process and the sandboxed monitor, keeps the console log, passes the console and
 * orders between the monitor and whoever started it, and says how the VM ended.
 *
 * Control protocol, version 1: one JSON object a line. From the supervisor:
 *   {"event":"started"}, {"event":"reset"}, and last
 *   {"event":"ended","reason":R,"code":N}, where R is poweroff, failed (the guest reported code N),
 *   crashed (the CPU engine gave up), stopped (by order) or killed (the monitor
 *   died of signal N, or left with status N when it could not be built: reason error).
 * Nothing waits for a listener that does not read: it misses events.
 * To it: {"command":"power-button"} and {"command":"stop"}. The end of the stream stops the VM.
 */
#ifndef VMM_SUPERVISOR_H
#define VMM_SUPERVISOR_H

#include "base/err.h"

struct supervisor_args {
	const char *dir;	/* the VM's folder, with config.json */
	int console;		/* stream socket of raw console bytes, or -1; taken over */
	int control;		/* stream socket of the control protocol, or -1; taken over */
};

/*
 * Runs the VM to its end. 0 when it ran at all (the ended event says how); -errno with a
 * sentence when it could not be started.
 */
int supervisor_run(const struct supervisor_args *args, struct err *err);

#endif
