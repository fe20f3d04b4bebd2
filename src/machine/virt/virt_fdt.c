/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's device tree (Devicetree Specification 0.4; bindings of Linux), with the node
 * names and compatibles of QEMU's virt board.
 */
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "engine/riscv/riscv.h"
#include "machine/virt/virt.h"

/* Phandles; harts' interrupt controllers and the harts themselves follow. */
enum { PH_PLIC = 1, PH_TEST = 2, PH_FIRST_INTC = 0x10, PH_FIRST_CPU = 0x20 };

/* Interrupts of a hart's own controller: numbers of mip bits. */
enum { IRQ_S_SOFT = 1, IRQ_M_SOFT = 3, IRQ_M_TIMER = 7, IRQ_S_EXT = 9, IRQ_M_EXT = 11 };
#define IRQ_NONE UINT32_MAX

/* Sequential writer; the first error sticks. */
struct tree {
	void *fdt;
	int rc;
};

static void begin(struct tree *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void begin(struct tree *t, const char *fmt, ...)
{
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (!t->rc)
		t->rc = fdt_begin_node(t->fdt, name);
}

static void end(struct tree *t)
{
	if (!t->rc)
		t->rc = fdt_end_node(t->fdt);
}

static void prop(struct tree *t, const char *name, const void *value, size_t len)
{
	if (!t->rc)
		t->rc = fdt_property(t->fdt, name, value, (int)len);
}

static void string(struct tree *t, const char *name, const char *value)
{
	prop(t, name, value, strlen(value) + 1);
}

/* value holds several strings, each with its NUL but the last, as "a\0b". */
#define strings(t, name, value) prop(t, name, value, sizeof(value))

static void cells(struct tree *t, const char *name, const uint32_t *value, unsigned n)
{
	uint32_t be[16];

	for (unsigned i = 0; i < n; i++)
		be[i] = htobe32(value[i]);
	prop(t, name, be, n * sizeof(*be));
}

static void cell(struct tree *t, const char *name, uint32_t value)
{
	cells(t, name, &value, 1);
}

#define CELLS(t, name, ...) \
	cells(t, name, (const uint32_t[]){ __VA_ARGS__ }, \
	      sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
#define HI(v) ((uint32_t)((v) >> 32))
#define LO(v) ((uint32_t)(v))

static void reg(struct tree *t, uint64_t base, uint64_t size)
{
	CELLS(t, "reg", HI(base), LO(base), HI(size), LO(size));
}

static void interrupt(struct tree *t, uint32_t irq)
{
	cell(t, "interrupt-parent", PH_PLIC);
	cell(t, "interrupts", irq);
}

/* <phandle a> <phandle b> for each hart; b == 0: only a. */
static void harts_extended(struct tree *t, const struct virt *b, uint32_t first, uint32_t second)
{
	uint32_t be[4 * VM_MAX_CPUS];
	unsigned n = 0;

	for (unsigned i = 0; i < b->cpus; i++) {
		be[n++] = htobe32(PH_FIRST_INTC + i);
		be[n++] = htobe32(first);
		if (second) {
			be[n++] = htobe32(PH_FIRST_INTC + i);
			be[n++] = htobe32(second);
		}
	}
	prop(t, "interrupts-extended", be, n * sizeof(*be));
}

/* ---- nodes -------------------------------------------------------------------------- */

/* riscv,isa runs the letters together and joins longer names with "_". */
static void add_isa(struct tree *t)
{
	char isa[512] = "rv64", list[512];
	size_t isa_len = strlen(isa), len = 0;

	for (const char *const *e = riscv_isa_extensions; *e; e++) {
		size_t n = strlen(*e) + 1;

		if (len + n > sizeof(list) || isa_len + n + 1 > sizeof(isa)) {
			t->rc = -FDT_ERR_NOSPACE;
			return;
		}
		if (n > 2)
			isa[isa_len++] = '_';
		memcpy(isa + isa_len, *e, n);
		isa_len += n - 1;
		memcpy(list + len, *e, n);
		len += n;
	}
	string(t, "riscv,isa", isa);
	string(t, "riscv,isa-base", "rv64i");
	prop(t, "riscv,isa-extensions", list, len);
}

static void add_cpus(struct tree *t, const struct virt *b)
{
	begin(t, "cpus");
	cell(t, "#address-cells", 1);
	cell(t, "#size-cells", 0);
	cell(t, "timebase-frequency", VIRT_TIMEBASE_HZ);
	for (unsigned i = 0; i < b->cpus; i++) {
		begin(t, "cpu@%x", i);
		cell(t, "phandle", PH_FIRST_CPU + i);
		string(t, "device_type", "cpu");
		cell(t, "reg", i);
		string(t, "status", "okay");
		string(t, "compatible", "riscv");
		add_isa(t);
		cell(t, "riscv,cbom-block-size", RISCV_CBO_BLOCK);
		cell(t, "riscv,cboz-block-size", RISCV_CBO_BLOCK);
		string(t, "mmu-type", "riscv,sv57");
		begin(t, "interrupt-controller");
		cell(t, "#address-cells", 0);
		cell(t, "#interrupt-cells", 1);
		prop(t, "interrupt-controller", "", 0);
		string(t, "compatible", "riscv,cpu-intc");
		cell(t, "phandle", PH_FIRST_INTC + i);
		end(t);
		end(t);
	}
	begin(t, "cpu-map");
	begin(t, "cluster0");
	for (unsigned i = 0; i < b->cpus; i++) {
		begin(t, "core%u", i);
		cell(t, "cpu", PH_FIRST_CPU + i);
		end(t);
	}
	end(t);
	end(t);
	end(t);
}

static void add_plic(struct tree *t, const struct virt *b)
{
	begin(t, "plic@%" PRIx64, VIRT_PLIC_BASE);
	cell(t, "phandle", PH_PLIC);
	cell(t, "riscv,ndev", PLIC_SOURCES - 1);
	reg(t, VIRT_PLIC_BASE, VIRT_PLIC_SIZE);
	/* Contexts keep their numbers when M-mode's are not the guest's. */
	harts_extended(t, b, b->sbi ? IRQ_NONE : IRQ_M_EXT, IRQ_S_EXT);
	prop(t, "interrupt-controller", "", 0);
	strings(t, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
	cell(t, "#address-cells", 0);
	cell(t, "#interrupt-cells", 1);
	end(t);
}

static void add_clint(struct tree *t, const struct virt *b)
{
	begin(t, "clint@%" PRIx64, VIRT_MSWI_BASE);
	harts_extended(t, b, IRQ_M_SOFT, IRQ_M_TIMER);
	reg(t, VIRT_MSWI_BASE, VIRT_CLINT_SIZE);
	strings(t, "compatible", "sifive,clint0\0riscv,clint0");
	end(t);
	begin(t, "sswi@%" PRIx64, VIRT_SSWI_BASE);
	cell(t, "#interrupt-cells", 0);
	prop(t, "interrupt-controller", "", 0);
	harts_extended(t, b, IRQ_S_SOFT, 0);
	reg(t, VIRT_SSWI_BASE, VIRT_SSWI_SIZE);
	string(t, "compatible", "riscv,aclint-sswi");
	end(t);
}

/* Pin p (1 to 4) of slot s goes to line (s + p - 1) % 4; written for four slots, by mask. */
static void add_interrupt_map(struct tree *t)
{
	uint32_t be[4 * 4 * 6];
	unsigned n = 0;

	for (unsigned slot = 0; slot < 4; slot++)
		for (unsigned pin = 0; pin < 4; pin++) {
			uint32_t entry[6] = {
				slot << 11, 0, 0, pin + 1, PH_PLIC, VIRT_IRQ_PCI + (slot + pin) % 4,
			};

			for (unsigned i = 0; i < ARRAY_LEN(entry); i++)
				be[n++] = htobe32(entry[i]);
		}
	prop(t, "interrupt-map", be, sizeof(be));
	CELLS(t, "interrupt-map-mask", 0x1800, 0, 0, 7);
}

static void add_pci(struct tree *t, const struct virt *b)
{
	/* ranges: PCI address (space, high, low), CPU address, size */
	const uint32_t ranges[3][7] = {
		{ 0x1000000, 0, 0, HI(VIRT_PIO_BASE), LO(VIRT_PIO_BASE),
		  HI(VIRT_PIO_SIZE), LO(VIRT_PIO_SIZE) },
		{ 0x2000000, HI(VIRT_PCI_MEM32_BASE), LO(VIRT_PCI_MEM32_BASE),
		  HI(VIRT_PCI_MEM32_BASE), LO(VIRT_PCI_MEM32_BASE),
		  HI(VIRT_PCI_MEM32_SIZE), LO(VIRT_PCI_MEM32_SIZE) },
		{ 0x3000000, HI(b->mem64), LO(b->mem64), HI(b->mem64), LO(b->mem64),
		  HI(VIRT_PCI_MEM64_SIZE), LO(VIRT_PCI_MEM64_SIZE) },
	};
	uint32_t be[21];

	for (unsigned i = 0; i < ARRAY_LEN(be); i++)
		be[i] = htobe32(ranges[i / 7][i % 7]);
	begin(t, "pci@%" PRIx64, VIRT_ECAM_BASE);
	add_interrupt_map(t);
	prop(t, "ranges", be, sizeof(be));
	reg(t, VIRT_ECAM_BASE, VIRT_ECAM_SIZE);
	prop(t, "dma-coherent", "", 0);
	CELLS(t, "bus-range", 0, 0xff);
	cell(t, "linux,pci-domain", 0);
	string(t, "device_type", "pci");
	string(t, "compatible", "pci-host-ecam-generic");
	cell(t, "#size-cells", 2);
	cell(t, "#interrupt-cells", 1);
	cell(t, "#address-cells", 3);
	end(t);
}

static void add_soc(struct tree *t, const struct virt *b)
{
	begin(t, "soc");
	cell(t, "#address-cells", 2);
	cell(t, "#size-cells", 2);
	string(t, "compatible", "simple-bus");
	prop(t, "ranges", "", 0);
	add_plic(t, b);
	if (!b->sbi)
		add_clint(t, b);
	begin(t, "test@%" PRIx64, VIRT_TEST_BASE);
	cell(t, "phandle", PH_TEST);
	reg(t, VIRT_TEST_BASE, VIRT_TEST_SIZE);
	strings(t, "compatible", "sifive,test1\0sifive,test0\0syscon");
	end(t);
	begin(t, "rtc@%" PRIx64, VIRT_RTC_BASE);
	interrupt(t, VIRT_IRQ_RTC);
	reg(t, VIRT_RTC_BASE, VIRT_RTC_SIZE);
	string(t, "compatible", "google,goldfish-rtc");
	end(t);
	begin(t, "serial@%" PRIx64, VIRT_UART_BASE);
	interrupt(t, VIRT_IRQ_UART);
	reg(t, VIRT_UART_BASE, VIRT_UART_SIZE);
	cell(t, "clock-frequency", 3686400);
	string(t, "compatible", "ns16550a");
	end(t);
	for (unsigned i = 0; i < VIRT_MMIO_SLOTS; i++) {
		begin(t, "virtio_mmio@%" PRIx64, VIRT_MMIO_BASE + i * VIRT_MMIO_SIZE);
		interrupt(t, VIRT_IRQ_MMIO + i);
		reg(t, VIRT_MMIO_BASE + i * VIRT_MMIO_SIZE, VIRT_MMIO_SIZE);
		string(t, "compatible", "virtio,mmio");
		end(t);
	}
	add_pci(t, b);
	end(t);
}

static void add_syscon(struct tree *t, const char *name, const char *compatible, uint32_t value)
{
	begin(t, "%s", name);
	cell(t, "value", value);
	cell(t, "offset", 0);
	cell(t, "regmap", PH_TEST);
	string(t, "compatible", compatible);
	end(t);
}

static void add_chosen(struct tree *t, const struct virt_chosen *c)
{
	begin(t, "chosen");
	string(t, "stdout-path", "/soc/serial@10000000");
	if (c->bootargs)
		string(t, "bootargs", c->bootargs);
	if (c->initrd) {
		CELLS(t, "linux,initrd-start", HI(c->initrd), LO(c->initrd));
		CELLS(t, "linux,initrd-end", HI(c->initrd_end), LO(c->initrd_end));
	}
	prop(t, "rng-seed", c->seed, sizeof(c->seed));
	end(t);
}

static void add_root(struct tree *t, const struct virt *b, const struct virt_chosen *c)
{
	const uint64_t bank1 = VIRT_FLASH_BASE + VIRT_FLASH_SIZE;

	begin(t, "%s", "");
	cell(t, "#address-cells", 2);
	cell(t, "#size-cells", 2);
	string(t, "compatible", "riscv-virtio");
	string(t, "model", "riscv-virtio,hospes");
	add_chosen(t, c);
	begin(t, "aliases");
	string(t, "serial0", "/soc/serial@10000000");
	end(t);
	begin(t, "memory@%" PRIx64, VIRT_RAM_BASE);
	string(t, "device_type", "memory");
	reg(t, VIRT_RAM_BASE, b->ram);
	end(t);
	add_cpus(t, b);
	add_soc(t, b);
	add_syscon(t, "poweroff", "syscon-poweroff", 0x5555);
	add_syscon(t, "reboot", "syscon-reboot", 0x7777);
	begin(t, "fw-cfg@%" PRIx64, VIRT_FW_CFG_BASE);
	prop(t, "dma-coherent", "", 0);
	reg(t, VIRT_FW_CFG_BASE, VIRT_FW_CFG_SIZE);
	string(t, "compatible", "qemu,fw-cfg-mmio");
	end(t);
	begin(t, "flash@%" PRIx64, VIRT_FLASH_BASE);
	cell(t, "bank-width", 4);
	CELLS(t, "reg", HI(VIRT_FLASH_BASE), LO(VIRT_FLASH_BASE), HI(VIRT_FLASH_SIZE),
	      LO(VIRT_FLASH_SIZE), HI(bank1), LO(bank1), HI(VIRT_FLASH_SIZE), LO(VIRT_FLASH_SIZE));
	string(t, "compatible", "cfi-flash");
	end(t);
	end(t);
}

int virt_fdt_build(const struct virt *b, const struct virt_chosen *c, void *buf, struct err *err)
{
	struct tree t = { .fdt = buf };

	t.rc = fdt_create(buf, VIRT_FDT_BYTES);
	if (!t.rc)
		t.rc = fdt_finish_reservemap(buf);
	add_root(&t, b, c);
	if (!t.rc)
		t.rc = fdt_finish(buf);
	/* Boot loaders add to the tree where it lies: the rest of its room is theirs. */
	if (!t.rc)
		t.rc = fdt_open_into(buf, buf, VIRT_FDT_BYTES);
	if (t.rc)
		return err_set(err, -ENOSPC, "the device tree does not fit (%s); shorten the "
			       "kernel command line", fdt_strerror(t.rc));
	return 0;
}
