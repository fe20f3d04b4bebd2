/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a VM in the background. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/target.h"

/*
 * Starts hospes-vm for t, detached, with the VM's restart policy, and waits until the guest runs.
 * -EBUSY: it runs already; -ECHILD with the sentence of the supervisor: it could not be started.
 */
int launch_vm(const struct target *t, struct err *err);

#endif
