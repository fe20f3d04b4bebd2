/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/target.h"

#include <errno.h>

int target_find(struct target *t, const char *ref, struct err *err)
{
	struct store store;
	int rc = store_open(&store, err);

	if (rc)
		return rc;
	rc = store_find_vm(&store, ref, &t->vm, err);
	if (!rc)
		rc = store_path(&store, t->dir, sizeof(t->dir), err, "vms/%s", t->vm.id);
	if (!rc)
		rc = vmctl_folder(t->runtime, t->vm.id, err);
	store_close(&store);
	return rc;
}

int target_connect(const struct target *t, struct vmctl *c, struct err *err)
{
	c->fd = -1;
	if (!vmctl_is_running(t->dir))
		return err_set(err, -ESRCH, "VM '%s' does not run; 'hospes start %s' starts it", t->vm.name,
			       t->vm.name);
	return vmctl_connect(c, t->runtime, err);
}

int target_order(const struct target *t, const char *what, struct err *err)
{
	struct vmctl c;
	int rc = target_connect(t, &c, err);

	if (!rc)
		rc = vmctl_call(&c, what, NULL, NULL, err);
	vmctl_close(&c);
	return rc;
}

int target_each(const struct command *self, int argc, char **argv, void *args, unsigned most,
		int (*act)(const struct target *t, void *args, struct err *err))
{
	struct opts_found found;
	struct target t;
	struct err err;
	int status;

	if (!command_parse(self, argc, argv, args, &found, &status))
		return status;
	if (!found.operand_count)
		return command_fail(CLI_USAGE, "name the VM that is meant (see 'hospes help %s')", self->name);
	if (found.operand_count > most)
		return command_fail(CLI_USAGE, "'%.80s' is one argument too many (see 'hospes help %s')",
				    found.operand[most], self->name);
	status = CLI_OK;
	for (unsigned i = 0; i < found.operand_count; i++)
		if (target_find(&t, found.operand[i], &err) || act(&t, args, &err))
			status = command_fail(CLI_FAILED, "%s", err.msg);
	return status;
}
