/* SPDX-License-Identifier: Apache-2.0 */
/* hospes run: makes a virtual machine, or takes one there is, and runs it on this terminal. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "cli/attach.h"
#include "cli/command.h"
#include "cli/newvm.h"
#include "cli/vmprocess.h"

/* Tag of options that say what a new VM is made of. */
enum { MAKES = 1 };

/* ---- options -------------------------------------------------------------------------------- */

static int set_name(void *field, const char *text, struct err *err)
{
	if (!vmconfig_name_ok(text))
		return err_set(err, -EINVAL, "a name has 1 to %d letters, digits, '_', '.' and '-', and "
			       "begins with a letter, a digit or '_'", VMCONFIG_NAME_MAX);
	return opts_set_text(field, text, err);
}

static int set_memory(void *field, const char *text, struct err *err)
{
	uint64_t bytes;
	int rc = opts_set_size(&bytes, text, err);

	if (rc)
		return rc;
	if (bytes < VMCONFIG_MIN_MEMORY || bytes % MIB)
		return err_set(err, -EINVAL, "a VM has whole MiB of memory, %d or more",
			       (int)(VMCONFIG_MIN_MEMORY / MIB));
	*(uint64_t *)field = bytes;
	return 0;
}

static int set_cpus(void *field, const char *text, struct err *err)
{
	unsigned n;
	int rc = opts_set_unsigned(&n, text, err);

	if (rc)
		return rc;
	if (n < 1 || n > VMCONFIG_MAX_CPUS)
		return err_set(err, -EINVAL, "a VM has 1 to %d CPUs", VMCONFIG_MAX_CPUS);
	*(unsigned *)field = n;
	return 0;
}

#define AT(field) offsetof(struct run_args, field)

static const struct opt run_opts[] = {
	{ "name", 0, "NAME",
	  "What the VM is called: letters, digits, '_', '.' and '-'. The name of a VM that exists, "
	  "with nothing else, starts that one again. Without it a name is made up.",
	  set_name, AT(name), 0 },
	{ "rm", 0, NULL,
	  "Remove the VM and its own disk at its end. A VM that has neither an image nor a name is "
	  "removed anyway, as nothing could be done with it.",
	  opts_set_flag, AT(rm), MAKES },
	{ "memory", 'm', "SIZE", "Memory, like 512M or 2G; 16M or more. Default: 1G.", set_memory,
	  AT(memory), MAKES },
	{ "cpus", 0, "N", "CPUs, 1 to 8. Default: 2, or 1 on a host that has only one.", set_cpus,
	  AT(cpus), MAKES },
	{ "arch", 0, "ARCH", "Architecture of the guest: riscv64. Default: the image's.", opts_set_text,
	  AT(arch), MAKES },
	{ "engine", 0, "ENGINE", "What executes the guest's instructions: interp.", opts_set_text,
	  AT(engine), MAKES },
	{ "disk", 0, "FILE[,OPTION]...",
	  "Another disk, a raw image file or a block device; may be repeated. OPTION is ro (the guest "
	  "cannot write), direct (past the host's page cache), bus=mmio (a virtio-mmio slot instead of "
	  "PCI, for small systems that know only those). A comma in FILE is written twice.",
	  opts_add_text, AT(disks), MAKES },
	{ "publish", 'p', "[ADDR:]HOST:GUEST[/udp]",
	  "Pass connections to port HOST of this host on to port GUEST of the guest; may be repeated. "
	  "Without ADDR only this host itself can connect; 0.0.0.0 opens the port to everybody.",
	  opts_add_text, AT(forwards), MAKES },
	{ "net", 0, "NET",
	  "The network: user (the guest reaches what the host can, and nobody reaches it but through "
	  "published ports) or none. Default: user.",
	  opts_set_text, AT(net), MAKES },
	{ "host-loopback", 0, NULL,
	  "Let the guest reach services on this host's loopback address, at 10.0.2.2.", opts_set_flag,
	  AT(host_loopback), MAKES },
	{ "kernel", 0, "FILE",
	  "Boot this kernel (Linux Image, also gzipped, or ELF) instead of the disk's own. A bare-metal "
	  "ELF program with a tohost symbol runs in M-mode.",
	  opts_set_text, AT(kernel), MAKES },
	{ "initrd", 0, "FILE", "Initial RAM disk for the kernel.", opts_set_text, AT(initrd), MAKES },
	{ "append", 0, "TEXT", "Command line for the kernel.", opts_set_text, AT(append), MAKES },
	{ "firmware", 0, "FILE",
	  "M-mode firmware, raw or ELF (OpenSBI, a bare-metal program), instead of the built-in SBI.",
	  opts_set_text, AT(firmware), MAKES },
	{ "pflash", 0, "FILE",
	  "Content of a flash bank, such as EDK2; a second one is for its variables and is written to.",
	  opts_add_text, AT(pflash), MAKES },
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

static int supervise(const struct store *store, const char *name, bool *ran)
{
	struct vmprocess vm = { .pidfd = -1, .console = -1, .control = -1 };
	char dir[STORE_PATH_MAX];
	struct err err;
	int signals = -1, status;
	int rc = store_path(store, dir, sizeof(dir), &err, "vms/%s", name);

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
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : verdict(&vm, name, status, ran);
}

/* ---- the two ways to a VM ------------------------------------------------------------------------- */

static int run_existing(const struct store *store, const char *name)
{
	bool ran;

	if (!store_has_vm(store, name))
		return command_fail(CLI_FAILED, "there is no VM '%s' to start; to make it, name an image "
				    "as well, as in 'hospes run --name %s debian'", name, name);
	return supervise(store, name, &ran);
}

/* Without a name and an image nothing could be done with the VM again. */
static bool is_temporary(const struct run_args *args)
{
	return args->rm || (!args->name && !args->image);
}

/* Makes the VM. *status: the exit status that goes with an error. */
static int make(struct vmconfig *c, const struct run_args *args, const struct store *store,
		int *status, struct err *err)
{
	struct image img;
	int rc = newvm_configure(c, args, err);

	*status = rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
	/* Before an image is copied in vain; that nobody else takes the name is seen to later. */
	if (!rc && args->name && store_has_vm(store, args->name))
		return err_set(err, -EEXIST, "a VM named '%s' exists already: choose another name, or start "
			       "it with 'hospes run --name %s'", args->name, args->name);
	if (!rc && args->image)
		rc = image_find(&img, store, args->image, err);
	if (!rc && args->image) {
		rc = newvm_use_image(c, args, &img, err);
		*status = rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
	}
	if (!rc)
		rc = newvm_make(c, args, args->image ? &img : NULL, store, err);
	return rc || is_temporary(args) ? rc : store_keep_vm(store, c->name, err);
}

static int run_new(const struct store *store, const struct run_args *args)
{
	struct vmconfig c;
	struct err err;
	int status, rc = 0;
	bool ran;

	if (make(&c, args, store, &status, &err)) {
		vmconfig_fini(&c);
		return command_fail(status, "%s", err.msg);
	}
	status = supervise(store, c.name, &ran);
	/* One that could not even be started is as good as not made. */
	if (is_temporary(args) || !ran)
		rc = store_remove_vm(store, c.name, &err);
	else if (!args->name)
		command_fail(0, "the VM is kept: 'hospes run --name %s' starts it again", c.name);
	if (rc)
		command_fail(0, "%s", err.msg);
	vmconfig_fini(&c);
	return status;
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
	if (args.name && !args.image && !args.kernel && !args.firmware && !args.pflash.count) {
		if (found.tagged)
			return command_fail(CLI_USAGE, "--%s is for a new VM, and nothing to boot is named; a "
					    "VM that exists is started as it was made, with 'hospes run --name "
					    "%s' alone", found.tagged->name, args.name);
		return run_existing(&store, args.name);
	}
	return run_new(&store, &args);
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
