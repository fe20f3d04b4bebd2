/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox of hospes-net: Internet sockets (stream, datagram, ping) that connect out, and
 * nothing else. No listening beyond what is bound already, no raw or local sockets, no
 * processes, no files; with Landlock, resolv.conf may be read, without, not even that.
 */
#ifndef NET_USER_CONFINE_H
#define NET_USER_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Closes the sandbox on the calling process; call once, before any thread is started. uid 0
 * keeps the identity (without its capabilities); any other, with a group of the same number,
 * needs root. resolv_conf (may be NULL): the file that stays readable; *readable tells whether
 * it does.
 */
int confine(uid_t uid, const char *resolv_conf, bool *readable, struct err *err);

#endif
