/* SPDX-License-Identifier: Apache-2.0 */
/* How a VM ended: in words, and in the file exit.json of the VM's folder (docs/control.md). */
#ifndef VMM_ENDING_H
#define VMM_ENDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vmm/link.h"

struct ending {
	const char *reason;		/* "poweroff", ...: a constant */
	int code;
	char text[640];			/* a sentence */
	uint64_t started_ms, ended_ms;	/* since 1970 */
};

struct ending_facts {
	struct link_msg last;		/* the monitor's last word; kind 0: none */
	int status;			/* waitpid()'s, of the monitor */
	const char *stopped_by;		/* what made it end by order: "kill", ...; NULL: nothing */
	bool out_of_memory;		/* the kernel has killed processes for memory meanwhile */
	const char *error;		/* the sentence why it could not be built, or "" */
};

/* Fills in reason, code and text. */
void ending_tell(struct ending *e, const struct ending_facts *facts);

/* Milliseconds since 1970. */
uint64_t ending_now(void);

/* A new object with all of e. */
json_t *ending_json(const struct ending *e);

/* Writes exit.json into the folder behind dir: whole, or not at all. */
int ending_save(const struct ending *e, int dir, struct err *err);

#endif
