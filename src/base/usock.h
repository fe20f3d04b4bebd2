/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets in a private folder, for processes of one user: the folder is 0700, the sockets 0600,
 * and each side checks who the other is.
 *
 * Sockets are reached through /proc/self/fd, so that neither the length of the folder's path nor
 * a folder that is exchanged meanwhile matters.
 */
#ifndef BASE_USOCK_H
#define BASE_USOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum { USOCK_RUNTIME = 256 };

/*
 * The folder for the sockets of what has that id (a UUID in text form), into buf of USOCK_RUNTIME
 * bytes: below /run/hospes for root, $XDG_RUNTIME_DIR/hospes or else /tmp/hospes-UID for others.
 */
int usock_runtime(char *buf, const char *id, struct err *err);

/*
 * Makes the private folder at path (absolute), and the one above it, where they are missing. *fd
 * gets a descriptor of it (close-on-exec). -EPERM when one of them is no folder of this user's own,
 * or others may write to it (the upper one may be a sticky one, or root's).
 */
int usock_make_folder(const char *path, int *fd, struct err *err);

/* A listening, non-blocking stream socket called name in folder, in place of what was there. */
int usock_listen(int folder, const char *name, int *fd, struct err *err);

/*
 * Takes the next connection of a peer that is this user or root; others are turned away.
 * A non-blocking, close-on-exec descriptor, or -errno: -EAGAIN when there is none.
 */
int usock_accept(int listener);

/*
 * Connects to the socket called name in the folder at path. *fd gets a blocking, close-on-exec
 * descriptor. -ENOENT or -ECONNREFUSED: nobody serves it; -EPERM: the folder or the server is
 * somebody else's (neither this user's nor root's).
 */
int usock_connect(const char *path, const char *name, int *fd, struct err *err);

#endif
