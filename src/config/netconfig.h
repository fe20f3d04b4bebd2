/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of one private network: HOME/networks/NAME/network.json, with one member per
 * field below, with the same name; "schema" is 1. Unknown members are an error. What else is in
 * that folder is hospes-switch's.
 */
#ifndef CONFIG_NETCONFIG_H
#define CONFIG_NETCONFIG_H

#include <stdbool.h>

#include "base/err.h"

enum { NETCONFIG_SCHEMA = 1, NETCONFIG_ID = 37, NETCONFIG_SUBNET = 19 };

struct netconfig {
	char id[NETCONFIG_ID];		/* RFC 4122 text form */
	char subnet[NETCONFIG_SUBNET];	/* "10.88.1.0/24" */
	bool nat;			/* there is a way out */
};

/* Reads and checks the configuration in folder; -ENOENT when there is none. */
int netconfig_load(struct netconfig *n, const char *folder, struct err *err);

/* Checks n and writes it into folder (0600, fsynced, renamed into place). */
int netconfig_save(const struct netconfig *n, const char *folder, struct err *err);

#endif
