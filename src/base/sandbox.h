/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process or thread gives up before it meets input that it does not trust.
 *
 * The usual order: open everything; sandbox_drop_ids(); sandbox_no_new_privs();
 * sandbox_landlock(); start threads; seccomp as the first thing on each thread. None of
 * this can be taken back.
 *
 * Capabilities, no_new_privs, Landlock and seccomp belong to the calling thread and to what it
 * starts later (the identity: to the whole process), so all but seccomp come before any thread
 * is started. Filters of one thread add up: the strictest answer counts.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Takes on uid and gid for good, without supplementary groups. Needs root; -EPERM otherwise. */
int sandbox_drop_ids(uid_t uid, gid_t gid, struct err *err);

/* Gives up every capability, also those of a root that keeps its uid. Needs no privilege. */
int sandbox_drop_caps(struct err *err);

/* exec gains nothing any more; no core dump; no process of the same user may look inside. */
int sandbox_no_new_privs(struct err *err);

/* ---- Landlock ---------------------------------------------------------------------------- */

enum sandbox_landlock_flags {
	SANDBOX_NO_TCP = 1,	/* no TCP bind or connect (kernels from 6.7) */
	SANDBOX_SCOPED = 2,	/* no signals and no abstract sockets to the outside (from 6.12) */
};

/* The kernel's Landlock version, 0 when it has none. */
int sandbox_landlock_abi(void);

/*
 * No file system access from here on but reading the n paths of readable (files, or whole
 * trees where one is a directory; one that does not exist is left out). Descriptors that are
 * open stay as they are. Flags the kernel does not know have no effect. -EOPNOTSUPP: the
 * kernel has no Landlock; seccomp alone must do then.
 */
int sandbox_landlock(const char *const *readable, size_t n, unsigned flags, struct err *err);

/* ---- seccomp ----------------------------------------------------------------------------- */

enum sandbox_action {
	SANDBOX_ALLOW,
	SANDBOX_DENY,		/* fails with EPERM */
	SANDBOX_NOSYS,		/* fails with ENOSYS, so that a library takes the older call */
	SANDBOX_KILL,		/* ends the process with SIGSYS */
};

enum sandbox_cmp {
	SANDBOX_ANY,		/* no comparison: ends the list of args */
	SANDBOX_EQ,		/* arg == value, all 64 bits: an int with rubbish above differs */
	SANDBOX_MASKED,		/* (arg & mask) == value */
};

enum { SANDBOX_RULE_ARGS = 3 };

/*
 * One system call, and optionally what its arguments must be (all of args must hold; each
 * index once). Several rules for a call are alternatives. A rule without arguments settles
 * the call, so it stands alone. A rule's action must differ from the filter's default.
 */
struct sandbox_rule {
	int nr;				/* SYS_... */
	enum sandbox_action action;
	struct sandbox_arg {
		enum sandbox_cmp cmp;
		uint8_t index;		/* 0 to 5 */
		uint64_t value, mask;
	} args[SANDBOX_RULE_ARGS];
};

/* A compiled filter: made once, installed on any number of threads. */
struct sandbox_filter {
	struct sock_filter *code;
	uint16_t len;			/* instructions */
};

/*
 * Compiles rules; calls that none names (and calls of other ABIs: SIGSYS) get otherwise.
 * Allocates; the caller frees *out with sandbox_filter_fini(). -EINVAL names the bad rule.
 */
int sandbox_compile(struct sandbox_filter *out, const struct sandbox_rule *rules, size_t n,
		    enum sandbox_action otherwise, struct err *err);

/* Installs f on the calling thread. One system call: fine as the first act of a thread. */
int sandbox_install(const struct sandbox_filter *f, struct err *err);

/* Accepts a zeroed object. */
void sandbox_filter_fini(struct sandbox_filter *f);

/* sandbox_compile(), sandbox_install() and sandbox_filter_fini() in one. */
int sandbox_seccomp(const struct sandbox_rule *rules, size_t n, enum sandbox_action otherwise,
		    struct err *err);

#endif
