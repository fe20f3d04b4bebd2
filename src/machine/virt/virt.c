/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/virt/virt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "dev/virtio/input.h"

extern const struct machine_ops virt_1_machine;

static void virt_reset(struct dev *d)
{
}

static void virt_fini(struct dev *d)
{
	struct virt *b = container_of(d, struct virt, dev);

	sbi_free(b->sbi);
	for (unsigned i = 0; i < b->name_count; i++)
		free(b->names[i]);
	free(b);
}

/* ---- what is to be started ---------------------------------------------------------------- */

int virt_keep_name(struct virt *b, const char *name, const char **copy, struct err *err)
{
	char *s = strdup(name ? name : "file");

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	*copy = b->names[b->name_count++] = s;
	return 0;
}

static int probe(struct virt *b, const struct machine_file *f, struct load_image *img,
		 struct err *err)
{
	const char *name;
	int rc = virt_keep_name(b, f->name, &name, err);

	return rc ? rc : load_image_probe(img, f->fd, name, err);
}

/*
 * An ELF file that reports to `tohost`, or that is linked where firmware lies, is a program
 * for the bare machine and not a payload of the SBI.
 */
static bool is_bare_metal(const struct load_image *img)
{
	return img->kind == LOAD_ELF &&
	       (img->elf.tohost || (img->elf.low >= VIRT_RAM_BASE &&
				    img->elf.low < VIRT_RAM_BASE + VIRT_PAYLOAD_OFFSET));
}

static int take_files(struct virt *b, const struct machine_cfg *cfg, struct err *err)
{
	const char *name;
	int rc = 0;

	b->initrd.fd = -1;
	b->has_flash = cfg->pflash[0].fd >= 0;
	if (cfg->firmware.fd >= 0) {
		rc = probe(b, &cfg->firmware, &b->firmware, err);
		b->has_firmware = true;
	}
	if (!rc && cfg->kernel.fd >= 0) {
		rc = probe(b, &cfg->kernel, &b->kernel, err);
		b->has_kernel = true;
	}
	if (!rc && cfg->initrd.fd >= 0) {
		rc = virt_keep_name(b, cfg->initrd.name, &name, err);
		if (!rc)
			rc = load_file_open(&b->initrd, cfg->initrd.fd, name, err);
	}
	if (rc)
		return rc;
	if (!b->has_firmware && !b->has_flash && b->has_kernel && is_bare_metal(&b->kernel)) {
		b->firmware = b->kernel;
		b->has_firmware = true;
		b->has_kernel = false;
	}
	if (b->has_firmware)
		b->start = VIRT_START_FIRMWARE;
	else if (b->has_flash)
		b->start = VIRT_START_FLASH;
	else if (b->has_kernel)
		b->start = VIRT_START_KERNEL;
	else
		return err_set(err, -EINVAL, "there is nothing to boot; give an image, a kernel "
			       "(--kernel), firmware (--firmware) or a flash image (--pflash)");
	b->kernel_in_fw_cfg = b->has_flash;
	if (cfg->append) {
		rc = virt_keep_name(b, cfg->append, &name, err);
		b->append = rc ? NULL : b->names[b->name_count - 1];
	}
	return rc;
}

/* ---- memory ------------------------------------------------------------------------------- */

gpa_t virt_tohost_page(const struct virt *b)
{
	gpa_t at = b->firmware.kind == LOAD_ELF ? b->firmware.elf.tohost : 0;

	if (!b->has_firmware || at % 8 || at < VIRT_RAM_BASE || at - VIRT_RAM_BASE >= b->ram)
		return 0;
	return align_down(at, GMEM_PAGE);
}

static int add_memory(struct virt *b, struct err *err)
{
	struct gmem *mem = &b->vm->mem;
	gpa_t page = virt_tohost_page(b), end = VIRT_RAM_BASE + b->ram;
	int rc = gmem_add(mem, VIRT_ROM_BASE, VIRT_ROM_SIZE, GMEM_ROM, "rom", NULL, err);

	if (rc)
		return rc;
	if (!page)
		return gmem_add(mem, VIRT_RAM_BASE, b->ram, GMEM_RAM, "ram", NULL, err);
	if (page > VIRT_RAM_BASE)
		rc = gmem_add(mem, VIRT_RAM_BASE, page - VIRT_RAM_BASE, GMEM_RAM, "ram", NULL, err);
	if (!rc)
		rc = gmem_add(mem, page, GMEM_PAGE, GMEM_ROMD, "tohost", NULL, err);
	if (!rc && page + GMEM_PAGE < end)
		rc = gmem_add(mem, page + GMEM_PAGE, end - page - GMEM_PAGE, GMEM_RAM, "ram", NULL,
			      err);
	return rc;
}

/* Where firmware and kernel go, known now so that mistakes show before anything starts. */
static int place_images(struct virt *b, struct err *err)
{
	const struct gmem *mem = &b->vm->mem;
	gpa_t at = VIRT_RAM_BASE + VIRT_PAYLOAD_OFFSET;
	int rc = 0;

	if (b->has_firmware) {
		rc = load_image_place(&b->firmware, mem, VIRT_RAM_BASE, VIRT_RAM_BASE, err);
		if (!rc && b->firmware.low >= VIRT_RAM_BASE && b->firmware.high > at)
			at = align_up(b->firmware.high, VIRT_PAYLOAD_OFFSET);
	}
	if (!rc && b->has_kernel && !b->kernel_in_fw_cfg) {
		rc = load_image_place(&b->kernel, mem, VIRT_RAM_BASE, at, err);
		if (!rc && b->has_firmware && b->kernel.low < b->firmware.high &&
		    b->firmware.low < b->kernel.high)
			rc = err_set(err, -ENOSPC, "%s: lies in memory where %s does; link one of "
				     "them elsewhere", b->kernel.file.name, b->firmware.file.name);
	}
	return rc;
}

/* ---- the board ---------------------------------------------------------------------------- */

static int check_cfg(const struct machine_cfg *cfg, struct err *err)
{
	if (cfg->ram < virt_1_machine.min_ram || cfg->ram % GMEM_PAGE)
		return err_set(err, -EINVAL, "a %s machine has at least %" PRIu64 " MiB of memory, "
			       "in whole pages; change -m", virt_1_machine.name,
			       virt_1_machine.min_ram >> 20);
	if (cfg->ram > UINT64_C(1) << 46)
		return err_set(err, -EINVAL, "%" PRIu64 " GiB of memory are more than the host can "
			       "address; change -m", cfg->ram >> 30);
	if (cfg->cpus < 1 || cfg->cpus > VM_MAX_CPUS)
		return err_set(err, -EINVAL, "a %s machine has 1 to %d CPUs; change --cpus",
			       virt_1_machine.name, VM_MAX_CPUS);
	return 0;
}

static int virt_build(struct vm *vm, struct machine_cfg *cfg, struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = virt_reset, .fini = virt_fini };
	const struct sbi_cfg sbi_cfg = { .console = cfg->console, .uart = VIRT_UART_BASE };
	struct virt *b;
	int rc = check_cfg(cfg, err);

	if (rc)
		return rc;
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_set(err, -ENOMEM, "out of memory");
	b->vm = vm;
	b->dev.ops = &dev_ops;
	b->dev.name = "board";
	b->ram = cfg->ram;
	b->cpus = cfg->cpus;
	b->mem64 = align_up(VIRT_RAM_BASE + b->ram, VIRT_PCI_MEM64_SIZE);
	vm->board = b;
	vm->boot = virt_boot;
	vm_add_dev(vm, &b->dev);
	rc = take_files(b, cfg, err);
	if (!rc)
		rc = add_memory(b, err);
	if (!rc && b->start != VIRT_START_FIRMWARE)
		rc = sbi_new(&b->sbi, vm, &sbi_cfg, err);
	if (!rc)
		rc = vm_add_cpus(vm, cfg->cpus, err);
	if (!rc)
		rc = virt_add_devices(b, cfg, err);
	return rc ? rc : place_images(b, err);
}

static void virt_power_button(struct vm *vm)
{
	struct virt *b = vm->board;

	virtio_input_press_power(b->power_key);
}

const struct machine_ops virt_1_machine = {
	.name = "virt-1",
	.arch = "riscv64",
	.timebase_hz = VIRT_TIMEBASE_HZ,
	.min_ram = 16 * MIB,
	.build = virt_build,
	.power_button = virt_power_button,
};
