/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox of hospes-switch: connections to its own listener, descriptors that are open, and
 * nothing else. No socket can be made or connected, no file opened, no program started. (The
 * router to the outside is a process of its own, with the sandbox of hospes-net.)
 */
#ifndef NET_SWITCH_CONFINE_H
#define NET_SWITCH_CONFINE_H

#include <sys/types.h>

#include "base/err.h"

/*
 * Closes the sandbox on the calling process, which has one thread, and ties its life to its
 * parent's, of process id parent (-ESRCH: it has gone already). uid 0 keeps the identity; any
 * other, with a group of the same number, needs root.
 */
int switch_confine(uid_t uid, pid_t parent, struct err *err);

#endif
