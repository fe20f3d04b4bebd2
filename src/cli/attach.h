/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input and output as the console of a running VM.
 *
 * Theory of operation. One thread waits in poll() for the VM's console and control sockets,
 * standard input and output, signals (a signalfd) and the supervisor's end (a pidfd).
 *
 * A terminal is put into raw mode while the VM runs, so that every key reaches the guest, and
 * gets its own mode back on the way out; in the background it is left alone. Ctrl-] is kept:
 * the first one presses the VM's power button, the next one stops it. SIGINT, SIGTERM, SIGHUP
 * and SIGQUIT mean the same; all but SIGINT also stop a VM that does not end within a minute.
 * The end of standard input leaves the guest without a keyboard, nothing else; when nobody
 * reads standard output any more, the VM is stopped. A reader that has stalled stalls the guest's
 * output, and holds up neither orders nor the end.
 */
#ifndef CLI_ATTACH_H
#define CLI_ATTACH_H

#include "base/err.h"
#include "cli/vmprocess.h"

/*
 * Blocks the signals above on the calling thread, so that none is lost between the start of a VM and
 * attach_run(), and ignores SIGPIPE. *fd: the descriptor they arrive at, for attach_run().
 */
int attach_signals(int *fd, struct err *err);

/* Serves the console until the supervisor is gone. signals stays the caller's. */
int attach_run(struct vmprocess *vm, int signals, struct err *err);

#endif
