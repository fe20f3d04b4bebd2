/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent in a guest tells and does besides programs and files. */
#ifndef MANAGE_AGENT_GUEST_H
#define MANAGE_AGENT_GUEST_H

#include "manage/agent.h"

/* 0 when the agent answers (guest-ping). Errors as agent_call. */
int agent_ping(struct agent *a, struct err *err);

/*
 * {"version": "7.2.0", "commands": {"guest-exec": true, ...}}: what the agent knows, and whether
 * it is allowed to (guest-info). A new reference. Errors as agent_call.
 */
int agent_info(struct agent *a, json_t **info, struct err *err);

enum agent_shutdown { AGENT_POWERDOWN, AGENT_HALT, AGENT_REBOOT };

/*
 * Has the guest shut itself down (guest-shutdown): 0 when it did not object within ms, or went
 * away. Errors as agent_call.
 */
int agent_shutdown(struct agent *a, enum agent_shutdown how, unsigned ms, struct err *err);

/*
 * [{"name": "enp0s1", "mac": "52:54:00:..", "addresses": ["10.0.2.15/24", ...]}, ...]: the
 * guest's network interfaces as it tells them, each field of the right form ("mac" is left out
 * where there is none) (guest-network-get-interfaces). A new reference. Errors as agent_call.
 */
int agent_interfaces(struct agent *a, json_t **interfaces, struct err *err);

/*
 * The first address of what agent_interfaces() gave that others can reach: not of the loopback,
 * not link-local, IPv4 before IPv6; without its prefix length. False where there is none.
 */
bool agent_address(const json_t *interfaces, char *address, size_t room);

/*
 * Lets the owner of key (a line of authorized_keys) log in as user, who exists in the guest
 * (guest-ssh-add-authorized-keys). Errors as agent_call.
 */
int agent_add_ssh_key(struct agent *a, const char *user, const char *key, struct err *err);

#endif
