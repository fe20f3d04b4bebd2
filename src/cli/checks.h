/* SPDX-License-Identifier: Apache-2.0 */
/* What `hospes doctor` looks at: one function and one line in checks.def each. */
#ifndef CLI_CHECKS_H
#define CLI_CHECKS_H

enum check_status {
	CHECK_OK,
	CHECK_NOTE,		/* VMs run without it; something else is lost */
	CHECK_MISSING,		/* VMs do not run without it */
};

struct finding {
	enum check_status status;
	char text[256];		/* how it is: a phrase */
	char remedy[256];	/* what to do about it; "" when there is nothing to do */
};

/* The n checks there are, from 0 on, in the order of checks.def. */
unsigned checks_count(void);
const char *checks_name(unsigned n);

/* Carries out check n. Reads much and changes nothing; may start a process for a moment. */
void checks_run(unsigned n, struct finding *f);

#endif
