/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/agent_guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int agent_ping(struct agent *a, struct err *err)
{
	return agent_call(a, "guest-ping", NULL, AGENT_REPLY, NULL, err);
}

/* A string of 1 to max printable ASCII characters, or NULL. */
static const char *plain(const json_t *value, size_t max)
{
	const char *s = json_string_value(value);

	if (!s || !*s || strlen(s) > max)
		return NULL;
	for (const char *c = s; *c; c++)
		if (*c <= ' ' || *c > '~')
			return NULL;
	return s;
}

int agent_info(struct agent *a, json_t **info, struct err *err)
{
	json_t *answer = NULL, *commands = json_object(), *one;
	const char *version;
	size_t i;
	int ret = agent_call(a, "guest-info", NULL, AGENT_REPLY, &answer, err);

	if (ret)
		goto out;
	version = plain(json_object_get(answer, "version"), 64);
	if (!version || !json_is_array(json_object_get(answer, "supported_commands")))
		ret = agent_nonsense(a, "guest-info", err);
	json_array_foreach(json_object_get(answer, "supported_commands"), i, one) {
		const char *name = plain(json_object_get(one, "name"), 64);
		json_t *enabled = json_object_get(one, "enabled");

		if (!name || !json_is_boolean(enabled))
			ret = agent_nonsense(a, "guest-info", err);
		else if (!ret)
			json_object_set(commands, name, enabled);
	}
	if (!ret)
		*info = json_pack("{s:s, s:O}", "version", version, "commands", commands);
	if (!ret && !*info)
		ret = err_set(err, -ENOMEM, "VM %s: out of memory", a->vm);
out:
	json_decref(answer);
	json_decref(commands);
	return ret;
}

int agent_shutdown(struct agent *a, enum agent_shutdown how, unsigned ms, struct err *err)
{
	static const char *const mode[] = {
		[AGENT_POWERDOWN] = "powerdown", [AGENT_HALT] = "halt", [AGENT_REBOOT] = "reboot",
	};

	return agent_tell(a, "guest-shutdown", json_pack("{s:s}", "mode", mode[how]), ms, err);
}

/* "ADDRESS/PREFIX" of one entry of "ip-addresses", or NULL. */
static json_t *one_address(const json_t *entry)
{
	const char *address = plain(json_object_get(entry, "ip-address"), 64);
	const json_t *prefix = json_object_get(entry, "prefix");
	unsigned char bytes[16];
	bool v6;

	if (!address || !json_is_integer(prefix))
		return NULL;
	v6 = inet_pton(AF_INET6, address, bytes) == 1;
	if ((!v6 && inet_pton(AF_INET, address, bytes) != 1) || json_integer_value(prefix) < 0 ||
	    json_integer_value(prefix) > (v6 ? 128 : 32))
		return NULL;
	return json_sprintf("%s/%d", address, (int)json_integer_value(prefix));
}

static bool is_mac(const char *mac)
{
	unsigned b[6];
	int end = 0;

	return strlen(mac) == 17 && sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%n", b, b + 1, b + 2, b + 3,
					   b + 4, b + 5, &end) == 6 && end == 17;
}

/* One interface in the form the header gives; NULL where the guest's is of no such form. */
static json_t *one_interface(const json_t *entry)
{
	const char *name = plain(json_object_get(entry, "name"), 64);
	const json_t *mac = json_object_get(entry, "hardware-address");
	json_t *o, *list = json_array(), *item;
	size_t i;

	json_array_foreach(json_object_get(entry, "ip-addresses"), i, item)
		if (json_array_append_new(list, one_address(item)))
			goto fail;
	if (!name || (mac && (!plain(mac, 17) || !is_mac(json_string_value(mac)))))
		goto fail;
	o = json_pack("{s:s, s:o}", "name", name, "addresses", list);
	if (o && mac)
		json_object_set(o, "mac", (json_t *)mac);
	return o;
fail:
	json_decref(list);
	return NULL;
}

int agent_interfaces(struct agent *a, json_t **interfaces, struct err *err)
{
	json_t *answer = NULL, *list = json_array(), *entry;
	size_t i;
	int ret = agent_call(a, "guest-network-get-interfaces", NULL, AGENT_REPLY, &answer, err);

	if (ret)
		goto out;
	if (!json_is_array(answer))
		ret = agent_nonsense(a, "guest-network-get-interfaces", err);
	json_array_foreach(answer, i, entry)
		if (!ret && json_array_append_new(list, one_interface(entry)))
			ret = agent_nonsense(a, "guest-network-get-interfaces", err);
	if (!ret)
		*interfaces = json_incref(list);
out:
	json_decref(answer);
	json_decref(list);
	return ret;
}

static bool reachable(const char *address, bool v6)
{
	if (v6)
		return strchr(address, ':') && strcmp(address, "::1") &&
		       strncasecmp(address, "fe80:", 5);
	return !strchr(address, ':') && strncmp(address, "127.", 4) &&
	       strncmp(address, "169.254.", 8);
}

bool agent_address(const json_t *interfaces, char *address, size_t room)
{
	const json_t *entry, *item;
	size_t i, j;

	for (int v6 = 0; v6 < 2; v6++) {
		json_array_foreach(interfaces, i, entry) {
			json_array_foreach(json_object_get(entry, "addresses"), j, item) {
				snprintf(address, room, "%s", json_string_value(item));
				address[strcspn(address, "/")] = 0;
				if (reachable(address, v6))
					return true;
			}
		}
	}
	return false;
}

int agent_add_ssh_key(struct agent *a, const char *user, const char *key, struct err *err)
{
	json_t *args = json_pack("{s:s, s:[s], s:b}", "username", user, "keys", key, "reset", 0);

	if (!args)
		return err_set(err, -EINVAL, "VM %s: the user's name or the key is not UTF-8; take "
			       "another", a->vm);
	return agent_call(a, "guest-ssh-add-authorized-keys", args, AGENT_REPLY, NULL, err);
}
