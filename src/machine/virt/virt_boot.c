/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in memory when the CPUs start. */
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bits.h"
#include "base/overflow.h"
#include "machine/virt/virt.h"

/* The device tree and the initrd stay within the first GiB of RAM, where every kernel sees them. */
#define LOW_RAM (UINT64_C(1) << 30)
#define FDT_ALIGN (2 * MIB)

/* Where the boot ROM's data lies, in bytes from its start. */
enum { ROM_START = 0x18, ROM_FDT = 0x20, ROM_INFO = 0x28, ROM_BYTES = 0x58 };

/* struct fw_dynamic_info (OpenSBI docs/firmware/fw_dynamic.md), six 64-bit words. */
#define INFO_MAGIC UINT64_C(0x4942534f)
enum { INFO_VERSION = 2, INFO_MODE_S = 1 };

struct layout {
	gpa_t fdt;
	struct virt_chosen chosen;
};

/*
 * The boot ROM: every hart starts here in M-mode and goes to the firmware with its id in a0,
 * the device tree in a1 and struct fw_dynamic_info in a2.
 */
static int write_rom(const struct virt *b, gpa_t start, gpa_t next, gpa_t fdt, struct err *err)
{
	static const uint32_t code[] = {
		0x00000297,	/* auipc t0, 0 */
		0x02828613,	/* addi  a2, t0, ROM_INFO */
		0xf1402573,	/* csrr  a0, mhartid */
		0x0202b583,	/* ld    a1, ROM_FDT(t0) */
		0x0182b283,	/* ld    t0, ROM_START(t0) */
		0x00028067,	/* jr    t0 */
	};
	const uint64_t info[] = { INFO_MAGIC, INFO_VERSION, next, INFO_MODE_S, 0, 0 };
	uint8_t rom[ROM_BYTES];

	for (unsigned i = 0; i < ARRAY_LEN(code); i++)
		st_le32(rom + 4 * i, code[i]);
	st_le64(rom + ROM_START, start);
	st_le64(rom + ROM_FDT, fdt);
	for (unsigned i = 0; i < ARRAY_LEN(info); i++)
		st_le64(rom + ROM_INFO + 8 * i, info[i]);
	if (gmem_load(&b->vm->mem, VIRT_ROM_BASE, rom, sizeof(rom)))
		return err_set(err, -EFAULT, "the boot ROM is missing");
	return 0;
}

/* Complains when something placed from the top of RAM runs into something from the bottom. */
static int check_apart(const struct virt *b, const char *name, gpa_t low, uint64_t len,
		       struct err *err)
{
	const struct load_image *images[] = {
		b->has_firmware ? &b->firmware : NULL,
		b->has_kernel && !b->kernel_in_fw_cfg ? &b->kernel : NULL,
	};

	for (unsigned i = 0; i < ARRAY_LEN(images); i++) {
		const struct load_image *m = images[i];

		if (m && ranges_overlap(m->low, m->high - m->low, low, len))
			return err_set(err, -ENOSPC, "%s: does not fit beside %s in %" PRIu64
				       " MiB; give the VM more memory (-m)", name, m->file.name,
				       b->ram >> 20);
	}
	return 0;
}

static int place_initrd(const struct virt *b, struct layout *l, struct err *err)
{
	const struct load_file *f = &b->initrd;
	gpa_t start;
	int rc;

	if (f->fd < 0 || b->kernel_in_fw_cfg)
		return 0;
	if (f->size > l->fdt - VIRT_RAM_BASE)
		return err_set(err, -ENOSPC, "%s: does not fit: it has %" PRIu64 " MiB, the VM %"
			       PRIu64 "; give the VM more memory (-m)", f->name, f->size >> 20,
			       b->ram >> 20);
	start = align_down(l->fdt - f->size, GMEM_PAGE);
	rc = check_apart(b, f->name, start, f->size, err);
	if (!rc)
		rc = load_file_to_guest(f, 0, &b->vm->mem, start, f->size, err);
	l->chosen.initrd = start;
	l->chosen.initrd_end = start + f->size;
	return rc;
}

static int place_fdt(const struct virt *b, struct layout *l, struct err *err)
{
	void *buf = calloc(1, VIRT_FDT_BYTES);
	int rc = 0;

	if (!buf)
		return err_set(err, -ENOMEM, "no memory for the device tree");
	l->chosen.bootargs = b->append;
	if (getrandom(l->chosen.seed, sizeof(l->chosen.seed), 0) != sizeof(l->chosen.seed))
		rc = err_sys(err, -errno, "the host gives no random numbers for the guest");
	if (!rc)
		rc = virt_fdt_build(b, &l->chosen, buf, err);
	if (!rc && gmem_load(&b->vm->mem, l->fdt, buf, fdt_totalsize(buf)))
		rc = err_set(err, -ENOSPC, "the device tree does not fit; give the VM more "
			     "memory (-m)");
	free(buf);
	return rc;
}

static int load_images(const struct virt *b, struct err *err)
{
	int rc = 0;

	if (b->has_firmware)
		rc = load_image_to_guest(&b->firmware, &b->vm->mem, err);
	if (!rc && b->has_kernel && !b->kernel_in_fw_cfg)
		rc = load_image_to_guest(&b->kernel, &b->vm->mem, err);
	return rc;
}

/* The address at which firmware finds the next stage; 0: none. */
static gpa_t next_stage(const struct virt *b)
{
	if (b->has_flash)
		return VIRT_FLASH_BASE;
	return b->has_kernel ? b->kernel.entry : 0;
}

static int start_cpus(const struct virt *b, gpa_t fdt, struct err *err)
{
	struct vm *vm = b->vm;
	int rc = 0;

	if (b->start != VIRT_START_FIRMWARE)
		return vcpu_start(&vm->cpus[0], b->start == VIRT_START_FLASH ? VIRT_FLASH_BASE :
				  b->kernel.entry, fdt);
	rc = write_rom(b, b->firmware.entry, next_stage(b), fdt, err);
	for (unsigned i = 0; !rc && i < vm->cpu_count; i++)
		rc = vcpu_start(&vm->cpus[i], VIRT_ROM_BASE, fdt);
	return rc;
}

int virt_boot(struct vm *vm, struct err *err)
{
	struct virt *b = vm->board;
	uint64_t top = b->ram < LOW_RAM ? b->ram : LOW_RAM;
	struct layout l = { 0 };
	int rc;

	if (b->sbi)
		sbi_reset(b->sbi);
	l.fdt = VIRT_RAM_BASE + align_down(top - VIRT_FDT_BYTES, FDT_ALIGN);
	rc = check_apart(b, "the device tree", l.fdt, VIRT_FDT_BYTES, err);
	if (!rc)
		rc = load_images(b, err);
	if (!rc)
		rc = place_initrd(b, &l, err);
	if (!rc)
		rc = place_fdt(b, &l, err);
	if (!rc)
		rc = start_cpus(b, l.fdt, err);
	return rc;
}
