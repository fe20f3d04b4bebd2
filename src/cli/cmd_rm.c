/* SPDX-License-Identifier: Apache-2.0 */
/* hospes rm: removes virtual machines with all that is theirs. */
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "manage/control.h"
#include "manage/store.h"

struct rm_args {
	bool force;
};

static const struct opt rm_opts[] = {
	{ "force", 'f', NULL,
	  "End a VM that runs, at once, and remove it; one that does not exist is no error.", opts_set_flag,
	  offsetof(struct rm_args, force), 0 },
	{ 0 },
};

/* Ends the VM, which its supervisor does; waits until the supervisor is gone. */
static int end_vm(struct store *s, const struct store_vm *vm, struct err *err)
{
	char dir[STORE_PATH_MAX], sockets[VMCTL_PATH];
	struct vmctl ctl;
	int rc = store_path(s, dir, sizeof(dir), err, "vms/%s", vm->id);

	if (!rc)
		rc = vmctl_folder(sockets, vm->id, err);
	if (!rc)
		rc = vmctl_connect(&ctl, sockets, err);
	if (rc)
		return rc;
	rc = vmctl_call(&ctl, "kill", NULL, NULL, err);
	vmctl_close(&ctl);
	/* It may have ended by itself before it could answer. */
	return rc && rc != -EPIPE ? rc : vmctl_wait_unlocked(dir, err);
}

static int remove_one(struct store *s, const char *ref, bool force, struct err *err)
{
	struct store_vm vm;
	int rc = store_find_vm(s, ref, &vm, err);

	if (!rc && force && store_vm_runs(s, vm.id)) {
		rc = end_vm(s, &vm, err);
		if (rc && !store_vm_runs(s, vm.id))
			rc = 0;
	}
	if (!rc)
		rc = store_remove_vm(s, vm.id, err);
	/* Its supervisor, or whoever ran it, may have removed it at its end. */
	if (rc == -ENOENT && force)
		return 0;
	if (rc == -EBUSY && !force)
		return err_set(err, rc, "VM '%s' runs; stop it first, or remove it with 'hospes rm -f %s'",
			       vm.name, vm.name);
	return rc;
}

static int rm_run(const struct command *self, int argc, char **argv)
{
	struct rm_args args = { 0 };
	struct opts_found found;
	struct store store;
	struct err err;
	int status;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (!found.operand_count)
		return command_fail(CLI_USAGE, "rm needs the name or id of a VM (see 'hospes help rm')");
	if (store_open(&store, &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	status = CLI_OK;
	for (unsigned i = 0; i < found.operand_count; i++)
		if (remove_one(&store, found.operand[i], args.force, &err))
			status = command_fail(CLI_FAILED, "%s", err.msg);
	store_close(&store);
	return status;
}

static const char *const rm_text[] = {
	"Removes virtual machines from the store: configuration, own disks, logs. A VM that runs is only "
	"removed with --force. Disks that were given with --disk stay, and so does the image.",
	"VM is a name, or the first four or more digits of an id.",
	NULL
};

static const struct command_note rm_examples[] = {
	{ "hospes rm web", "The VM called web is gone, with its disk." },
	{ "hospes rm -f web 3f2a", "Two of them, whether they run or not." },
	{ NULL, NULL },
};

const struct command command_rm = {
	.name = "rm",
	.summary = "remove virtual machines",
	.operands = "VM...",
	.about = rm_text,
	.opts = rm_opts,
	.examples = rm_examples,
	.run = rm_run,
};
