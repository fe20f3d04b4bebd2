/* SPDX-License-Identifier: Apache-2.0 */
/* hospes run: makes a virtual machine, or takes one there is, and runs it on this terminal. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/command.h"
#include "cli/newvm.h"
#include "cli/vmprocess.h"

/* Tag of options that say what a new VM is made of. */
enum { MAKES = 1 };

/* ---- options -------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct run_args, field)

static const struct opt run_opts[] = {
	{ "name", 0, "NAME",
	  "What the VM is called: letters, digits, '_', '.' and '-'. The name of a VM that exists, "
	  "with nothing else, starts that one again. Without it a name is made up.",
	  newvm_set_name, AT(name), 0 },
	{ "rm", 0, NULL,
	  "Remove the VM and its own disk at its end. A VM that has neither an image nor a name is "
	  "removed anyway, as nothing could be done with it.",
	  opts_set_flag, AT(rm), MAKES },
#include "cli/newvm_opts.def"
	{ 0 },
};

/* ---- the end of a VM ---------------------------------------------------------------------------- */

/*
 * Says what needs saying, and returns the exit status. status: the supervisor's. *ran: false when the VM
 * could not be started, of which its supervisor or monitor said why.
 */
static int verdict(const struct vmprocess *vm, const char *name, int status, bool *ran)
{
	*ran = true;
	switch (vm->reason) {
	case VM_POWEROFF:
		return CLI_OK;
	case VM_FAILED:
		command_fail(0, "%s: the guest ended with failure code %d", name, vm->code);
		return vm->code >= 1 && vm->code <= 255 ? vm->code : 255;
	case VM_CRASHED:
		return command_fail(CLI_CRASHED, "%s: the CPU engine could not go on", name);
	case VM_STOPPED:
		return CLI_STOPPED;
	case VM_KILLED:
		return command_fail(CLI_CRASHED, "%s: the monitor was killed by signal %d", name,
				    vm->code);
	case VM_ERROR:
		*ran = false;
		return CLI_FAILED;
	case VM_UNKNOWN:
		break;
	}
	if (WIFSIGNALED(status))
		return command_fail(CLI_CRASHED, "%s: hospes-vm was killed by signal %d", name,
				    WTERMSIG(status));
	*ran = vm->started;
	return *ran ? command_fail(CLI_CRASHED, "%s: hospes-vm ended without a word", name) : CLI_FAILED;
}

static int supervise(const struct store *store, const struct store_vm *row, bool *ran)
{
	struct vmprocess vm = { .pidfd = -1, .console = -1, .control = -1 };
	char dir[STORE_PATH_MAX];
	struct err err;
	int signals = -1, status;
	int rc = store_path(store, dir, sizeof(dir), &err, "vms/%s", row->id);

	if (!rc)
		rc = attach_signals(&signals, &err);
	if (!rc)
		rc = vmprocess_start(&vm, dir, &err);
	if (!rc)
		rc = attach_run(&vm, signals, &err);
	status = vmprocess_end(&vm);
	if (signals >= 0)
		close(signals);
	*ran = false;
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : verdict(&vm, row->name, status, ran);
}

/* ---- the two ways to a VM ------------------------------------------------------------------------- */

static int run_existing(struct store *store, const char *name)
{
	struct store_vm vm;
	struct err err;
	bool ran;
	int status, rc = store_find_name(store, name, &vm, &err);

	if (rc == -ENOENT)
		return command_fail(CLI_FAILED, "there is no VM '%s' to start; to make it, name an image "
				    "as well, as in 'hospes run --name %s debian'", name, name);
	if (rc)
		return command_fail(CLI_FAILED, "%s", err.msg);
	status = supervise(store, &vm, &ran);
	if (vm.auto_remove && ran && store_remove_vm(store, vm.id, &err))
		command_fail(0, "%s", err.msg);
	return status;
}

/* Without a name and an image nothing could be done with the VM again. */
static bool is_temporary(const struct run_args *args)
{
	return args->rm || (!args->name && !args->image);
}

static int run_new(struct store *store, const struct run_args *args)
{
	struct store_vm vm = { .auto_remove = is_temporary(args) };
	struct err err;
	int status, held, rc = newvm_create(args, store, &vm, !vm.auto_remove, &held, &status, &err);
	bool ran;

	if (rc)
		return command_fail(status, "%s", err.msg);
	status = supervise(store, &vm, &ran);
	/* One that could not even be started is as good as not made. */
	if (vm.auto_remove || !ran)
		rc = store_remove_vm(store, vm.id, &err);
	else if (!args->name)
		command_fail(0, "the VM is kept: 'hospes run --name %s' starts it again", vm.name);
	if (rc)
		command_fail(0, "%s", err.msg);
	close(held);
	return status;
}

/* What the command line asks for; it was parsed already. */
static int obey(struct store *store, const struct run_args *args, const struct opts_found *found)
{
	if (!args->name || args->image || args->kernel || args->firmware || args->pflash.count)
		return run_new(store, args);
	if (found->tagged)
		return command_fail(CLI_USAGE, "--%s is for a new VM, and nothing to boot is named; a "
				    "VM that exists is started as it was made, with 'hospes run --name "
				    "%s' alone", found->tagged->name, args->name);
	return run_existing(store, args->name);
}

static int run_run(const struct command *self, int argc, char **argv)
{
	struct run_args args = { 0 };
	struct opts_found found;
	struct store store;
	struct err err;
	int status;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (found.operand_count > 1)
		return command_fail(CLI_USAGE, "'%.80s' is one argument too many: a VM is made from one "
				    "image", found.operand[1]);
	args.image = found.operand_count ? found.operand[0] : NULL;
	if (store_open(&store, &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	status = obey(&store, &args, &found);
	store_close(&store);
	return status;
}

/* ---- help ------------------------------------------------------------------------------------------- */

static const char *const run_text[] = {
	"Makes a virtual machine and runs it with its serial console on this terminal, until the guest "
	"powers off. From an IMAGE of the store the VM gets a disk of its own, which the image's own boot "
	"loader starts; without one, --kernel, --firmware or --pflash say what to run.",
	"Every key goes to the guest, Ctrl-C too. Ctrl-] presses the VM's power button, and once more "
	"stops the VM at once; so do the signals INT, TERM, HUP and QUIT sent to hospes, of which the "
	"last three also stop a VM that has not ended after a minute. The end of standard "
	"input means nothing to the guest. When standard output is closed, the VM is stopped.",
	"The VM stays in the store afterwards, unless --rm is given or it has neither an image nor a name; "
	"'hospes run --name NAME' starts it again.",
	NULL
};

static const struct command_note run_exits[] = {
	{ "0", "The guest powered off." },
	{ "1", "The VM could not be made or started; standard error says why. (Also a guest's own code.)" },
	{ "2", "The command line was wrong. (Also a guest's own code.)" },
	{ "125", "The VM crashed: its CPU engine could not go on, or its processes were killed." },
	{ "130", "The VM was stopped by order." },
	{ "others", "The guest reported this failure code, through tohost or the test device; 255 stands "
		    "for larger ones as well." },
	{ NULL, NULL },
};

static const struct command_note run_examples[] = {
	{ "hospes run debian", "A VM from the image debian; log in on its console." },
	{ "hospes run --name web -m 2G -p 8080:80 debian",
	  "One called web, whose port 80 is this host's port 8080." },
	{ "hospes run --name web", "The same VM again, with all that is on its disk." },
	{ "hospes run --kernel Image --initrd initrd.img --append 'console=ttyS0'",
	  "A kernel of your own; nothing of the VM stays." },
	{ "hospes run --firmware /usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.elf "
	  "--kernel /usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin",
	  "OpenSBI and U-Boot." },
	{ NULL, NULL },
};

const struct command command_run = {
	.name = "run",
	.summary = "make or start a virtual machine on this terminal",
	.operands = "[IMAGE]",
	.about = run_text,
	.opts = run_opts,
	.exits = run_exits,
	.examples = run_examples,
	.run = run_run,
};
