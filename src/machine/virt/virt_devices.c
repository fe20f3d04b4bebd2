/* SPDX-License-Identifier: Apache-2.0 */
/* The board's devices, their addresses and wires. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "dev/misc/flash.h"
#include "dev/misc/fw_cfg.h"
#include "dev/misc/goldfish_rtc.h"
#include "dev/misc/htif.h"
#include "dev/misc/syscon.h"
#include "dev/riscv/aclint.h"
#include "dev/uart/uart16550.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/input.h"
#include "dev/virtio/mmio.h"
#include "dev/virtio/net.h"
#include "dev/virtio/pci_transport.h"
#include "dev/virtio/rng.h"
#include "machine/virt/virt.h"

/* ---- the PCI I/O window: nothing answers, reads are all ones -------------------------------- */

static bool pio_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	*value = bits_get(UINT64_MAX, 0, 8 * size);
	return true;
}

static bool pio_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	return true;
}

static int add_pci_host(struct virt *b, struct plic *plic, struct pci_host **host, struct err *err)
{
	static const struct bus_ops pio_ops = { pio_read, pio_write };
	struct pci_host_cfg cfg = {
		.ecam = VIRT_ECAM_BASE,
		.mem32 = { VIRT_PCI_MEM32_BASE, VIRT_PCI_MEM32_SIZE },
		.mem64 = { b->mem64, VIRT_PCI_MEM64_SIZE },
	};
	int rc;

	for (unsigned i = 0; i < ARRAY_LEN(cfg.intx); i++)
		cfg.intx[i] = plic_line(plic, VIRT_IRQ_PCI + i);
	rc = bus_map(&b->vm->bus, &(struct bus_region){ VIRT_PIO_BASE, VIRT_PIO_SIZE, &pio_ops, b,
		     "pci-io" }, err);
	return rc ? rc : pci_host_new(host, b->vm, &cfg, err);
}

/* ---- flash and fw_cfg ------------------------------------------------------------------------ */

static int add_flash(struct virt *b, const struct machine_cfg *cfg, struct err *err)
{
	static const char *const names[MACHINE_MAX_PFLASH] = { "flash0", "flash1" };
	int rc = 0;

	for (unsigned i = 0; !rc && i < MACHINE_MAX_PFLASH; i++) {
		struct flash_cfg fc = {
			.base = VIRT_FLASH_BASE + i * VIRT_FLASH_SIZE, .size = VIRT_FLASH_SIZE,
			.fd = cfg->pflash[i].fd, .file = names[i],
			.writable = cfg->pflash[i].fd < 0 || cfg->pflash_writable[i],
			.name = names[i],
		};
		struct flash *f;

		if (fc.fd >= 0 && cfg->pflash[i].name)
			rc = virt_keep_name(b, cfg->pflash[i].name, &fc.file, err);
		if (!rc)
			rc = flash_new(b->vm, &fc, &f, err);
	}
	return rc;
}

/* Adds a whole file as an item, with its size in another. */
static int add_file_item(struct fw_cfg *f, uint16_t size_key, uint16_t data_key,
			 const struct load_file *file, struct err *err)
{
	uint8_t *data;
	int rc;

	if (file->size > UINT32_MAX)
		return err_set(err, -EFBIG, "%s: is too large to be handed to firmware; start it "
			       "without --pflash", file->name);
	data = malloc(file->size);
	if (!data)
		return err_set(err, -ENOMEM, "%s: no memory to hold it", file->name);
	rc = load_file_read(file, 0, data, file->size, err);
	if (rc) {
		free(data);
		return rc;
	}
	rc = fw_cfg_add(f, data_key, data, (uint32_t)file->size, err);
	return rc ? rc : fw_cfg_add_value(f, size_key, (uint32_t)file->size, 4, err);
}

static int add_fw_cfg(struct virt *b, struct err *err)
{
	struct fw_cfg_cfg cfg = { .base = VIRT_FW_CFG_BASE, .name = "fw-cfg" };
	struct fw_cfg *f;
	int rc = fw_cfg_new(b->vm, &cfg, &f, err);

	if (!rc)
		rc = fw_cfg_add_value(f, FW_CFG_NB_CPUS, b->cpus, 2, err);
	if (rc || !b->kernel_in_fw_cfg)
		return rc;
	if (b->has_kernel)
		rc = add_file_item(f, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, &b->kernel.file, err);
	if (!rc && b->initrd.fd >= 0)
		rc = add_file_item(f, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, &b->initrd, err);
	if (!rc && b->append) {
		uint32_t len = (uint32_t)strlen(b->append) + 1;

		rc = fw_cfg_add(f, FW_CFG_CMDLINE_DATA, strdup(b->append), len, err);
		if (!rc)
			rc = fw_cfg_add_value(f, FW_CFG_CMDLINE_SIZE, len, 4, err);
	}
	return rc;
}

/* ---- virtio ---------------------------------------------------------------------------------- */

/* A slot of the PCI bus that the board itself does not use. */
static int check_slot(const char *what, unsigned n, unsigned slot, struct err *err)
{
	if (slot >= VIRT_SLOT_FREE && slot < PCI_SLOTS)
		return 0;
	return err_set(err, -EINVAL, "%s %u: PCI slot %u cannot be used; take one from %d to %d",
		       what, n, slot, VIRT_SLOT_FREE, PCI_SLOTS - 1);
}

static int add_disks(struct virt *b, struct machine_cfg *cfg, struct pci_host *pci,
		     struct virtio *mmio[VIRT_MMIO_SLOTS], struct err *err)
{
	static const char *const names[MACHINE_MAX_DISKS] = {
		"disk0", "disk1", "disk2", "disk3", "disk4", "disk5", "disk6", "disk7",
		"disk8", "disk9", "disk10", "disk11", "disk12", "disk13", "disk14", "disk15",
	};
	int rc = 0;

	for (unsigned i = 0; !rc && i < cfg->disk_count; i++) {
		struct machine_disk *d = &cfg->disks[i];
		struct virtio *v;

		if (d->mmio && (d->slot >= VIRT_MMIO_SLOTS || mmio[d->slot]))
			return err_set(err, -EINVAL, "disk %u: virtio-mmio slot %u is taken or "
				       "none; take a free one from 0 to %d", i, d->slot,
				       VIRT_MMIO_SLOTS - 1);
		if (!d->mmio)
			rc = check_slot("disk", i, d->slot, err);
		if (!rc)
			rc = virtio_blk_new(&v, b->vm, d->blk, d->serial ? d->serial : "", b->cpus,
					    names[i], err);
		if (rc)
			return rc;
		d->blk = NULL;
		if (d->mmio)
			mmio[d->slot] = v;
		else
			rc = virtio_pci_new(b->vm, pci, d->slot, v, err);
	}
	return rc;
}

static int add_nets(struct virt *b, struct machine_cfg *cfg, struct pci_host *pci, struct err *err)
{
	static const char *const names[MACHINE_MAX_NETS] = { "net0", "net1", "net2", "net3" };
	int rc = 0;

	for (unsigned i = 0; !rc && i < cfg->net_count; i++) {
		struct machine_net *n = &cfg->nets[i];
		struct virtio *v;

		rc = check_slot("network", i, n->slot, err);
		if (!rc)
			rc = virtio_net_new(&v, b->vm, n->net, n->mac, names[i], err);
		if (rc)
			return rc;
		n->net = NULL;
		rc = virtio_pci_new(b->vm, pci, n->slot, v, err);
	}
	return rc;
}

static int add_agent_port(struct virt *b, struct machine_cfg *cfg, struct pci_host *pci,
			  struct err *err)
{
	struct virtio_console_cfg ports = {
		.ports = { { .name = "org.qemu.guest_agent.0", .chan = cfg->agent } },
		.port_count = 1,
	};
	struct virtio *v;
	int rc;

	if (!cfg->agent)
		return 0;
	cfg->agent = NULL;
	rc = virtio_console_new(&v, b->vm, "console0", &ports, err);
	return rc ? rc : virtio_pci_new(b->vm, pci, VIRT_SLOT_CONSOLE, v, err);
}

static int add_virtio(struct virt *b, struct machine_cfg *cfg, struct plic *plic,
		      struct pci_host *pci, struct err *err)
{
	struct virtio *mmio[VIRT_MMIO_SLOTS] = { NULL }, *v;
	int rc = virtio_input_new(&b->power_key, b->vm, "input0", err);

	if (!rc)
		rc = virtio_pci_new(b->vm, pci, VIRT_SLOT_INPUT, b->power_key, err);
	if (!rc)
		rc = virtio_rng_new(&v, b->vm, "rng0", err);
	if (!rc)
		rc = virtio_pci_new(b->vm, pci, VIRT_SLOT_RNG, v, err);
	if (!rc)
		rc = add_agent_port(b, cfg, pci, err);
	if (!rc)
		rc = add_disks(b, cfg, pci, mmio, err);
	if (!rc)
		rc = add_nets(b, cfg, pci, err);
	for (unsigned i = 0; !rc && i < VIRT_MMIO_SLOTS; i++)
		rc = virtio_mmio_new(b->vm, VIRT_MMIO_BASE + i * VIRT_MMIO_SIZE,
				     plic_line(plic, VIRT_IRQ_MMIO + i), mmio[i], err);
	return rc;
}

/* ---- the whole --------------------------------------------------------------------------- */

/* Timers and inter-processor interrupts of M-mode; the built-in SBI has no use for them. */
static int add_aclint(struct virt *b, struct err *err)
{
	struct aclint_cfg cfg = {
		.mswi = VIRT_MSWI_BASE, .mtimer = VIRT_MTIMER_BASE, .sswi = VIRT_SSWI_BASE,
		.name = "aclint",
	};
	struct aclint *a;

	return b->sbi ? 0 : aclint_new(b->vm, &cfg, &a, err);
}

static int add_uart(struct virt *b, struct machine_cfg *cfg, struct plic *plic, struct err *err)
{
	struct uart16550_cfg uc = {
		.base = VIRT_UART_BASE, .irq = plic_line(plic, VIRT_IRQ_UART),
		.chan = cfg->console, .name = "uart0",
	};
	struct uart16550 *u;
	int rc = uart16550_new(b->vm, &uc, &u, err);

	if (!rc)
		cfg->console = NULL;
	return rc;
}

static int add_htif(struct virt *b, struct chan *console, struct err *err)
{
	struct htif_cfg cfg = {
		.tohost = b->firmware.elf.tohost, .fromhost = b->firmware.elf.fromhost,
		.console = console, .name = "htif",
	};
	struct htif *h;

	return virt_tohost_page(b) ? htif_new(b->vm, &cfg, &h, err) : 0;
}

int virt_add_devices(struct virt *b, struct machine_cfg *cfg, struct err *err)
{
	struct plic_cfg plic_cfg = { VIRT_PLIC_BASE, VIRT_PLIC_SIZE, "plic" };
	struct syscon_cfg syscon_cfg = { VIRT_TEST_BASE, "test" };
	struct goldfish_rtc_cfg rtc_cfg = { .base = VIRT_RTC_BASE, .name = "rtc" };
	struct chan *console = cfg->console;
	struct goldfish_rtc *rtc;
	struct syscon *syscon;
	struct pci_host *pci;
	struct plic *plic;
	int rc = plic_new(b->vm, &plic_cfg, &plic, err);

	if (rc)
		return rc;
	rtc_cfg.irq = plic_line(plic, VIRT_IRQ_RTC);
	rc = add_aclint(b, err);
	if (!rc)
		rc = add_uart(b, cfg, plic, err);
	if (!rc)
		rc = syscon_new(b->vm, &syscon_cfg, &syscon, err);
	if (!rc)
		rc = goldfish_rtc_new(b->vm, &rtc_cfg, &rtc, err);
	if (!rc)
		rc = add_htif(b, console, err);
	if (!rc)
		rc = add_flash(b, cfg, err);
	if (!rc)
		rc = add_fw_cfg(b, err);
	if (!rc)
		rc = add_pci_host(b, plic, &pci, err);
	return rc ? rc : add_virtio(b, cfg, plic, pci, err);
}
