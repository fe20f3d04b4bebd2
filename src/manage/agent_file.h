/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a guest, read and written through its agent (guest-file-*). */
#ifndef MANAGE_AGENT_FILE_H
#define MANAGE_AGENT_FILE_H

#include "manage/agent.h"

/* Hears of the bytes moved so far; may be NULL. */
typedef void agent_progress(void *opaque, uint64_t done);

/*
 * The guest's file path, from its beginning to its end, to fd. What was written before a
 * failure stays. Errors as agent_call; -errno of writing, with a sentence.
 */
int agent_file_get(struct agent *a, const char *path, int fd, agent_progress *progress,
		   void *opaque, struct err *err);

/*
 * What fd has up to its end to the guest's file path, which is made, or emptied first; its
 * permissions are the agent's choice. Written through to the guest's kernel before 0 comes
 * back. Errors as agent_call; -errno of reading, with a sentence.
 */
int agent_file_put(struct agent *a, int fd, const char *path, agent_progress *progress,
		   void *opaque, struct err *err);

#endif
