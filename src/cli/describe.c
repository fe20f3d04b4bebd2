/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/describe.h"

static json_t *ports(const struct vmconfig *c)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < c->net_count; i++)
		for (unsigned k = 0; k < c->nets[i].forward_count; k++)
			json_array_append_new(array, json_string(c->nets[i].forward[k]));
	return array;
}

/* Adds members and takes them, NULL too: then nothing is added, and false comes back. */
static bool add(json_t *to, json_t *members)
{
	bool added = to && members && json_object_update(to, members) == 0;

	json_decref(members);
	return added;
}

json_t *describe_vm(struct store *s, const struct store_vm *vm)
{
	bool runs = store_vm_runs(s, vm->id);
	json_t *obj = json_pack("{s:s, s:s, s:s*, s:s, s:b, s:b, s:I}", "id", vm->id, "name", vm->name, "image",
				vm->image[0] ? vm->image : NULL, "restart", store_restart_name(vm->restart),
				"autostart", vm->autostart, "auto_remove", vm->auto_remove, "created",
				(json_int_t)(vm->created_ns / 1000000));
	struct vmconfig c;
	struct err err;
	bool whole;

	if (store_load_config(s, vm, &c, &err)) {
		whole = add(obj, json_pack("{s:s, s:s}", "state", runs ? "running" : "broken", "problem",
					   err.msg));
	} else {
		whole = add(obj, json_pack("{s:s, s:i, s:I, s:o}", "state", runs ? "running" : "stopped",
					   "cpus", (int)c.cpus, "memory", (json_int_t)c.memory, "ports",
					   ports(&c)));
		vmconfig_fini(&c);
	}
	if (whole)
		return obj;
	json_decref(obj);
	return NULL;
}
