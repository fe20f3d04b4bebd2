/* SPDX-License-Identifier: Apache-2.0 */
/* The virt board: what lies where when the CPUs start, on an engine that runs nothing. */
#include "tests/unit/test.h"

#include <elf.h>
#include <libfdt.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "machine/machine.h"
#include "machine/virt/virt.h"
#include "tests/unit/fake_engine.h"

struct fixture {
	struct vm vm;
	struct machine_cfg cfg;
	struct err err;
	int fds[8];
	unsigned count;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->cfg = (struct machine_cfg){
		.machine = "virt-1", .cpus = 2, .ram = 512 * MIB, .kernel.fd = -1,
		.initrd.fd = -1, .firmware.fd = -1, .pflash = { { -1, NULL }, { -1, NULL } },
	};
	assert_int_equal(vm_init(&f->vm, &fake_engine, VIRT_TIMEBASE_HZ, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vm_fini(&f->vm);
	for (unsigned i = 0; i < f->count; i++)
		close(f->fds[i]);
	free(f);
	return 0;
}

static struct machine_file file(struct fixture *f, const char *name, const void *bytes, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, 0), len);
	f->fds[f->count++] = fd;
	return (struct machine_file){ fd, name };
}

static int build(struct fixture *f)
{
	return machine_find("virt-1")->build(&f->vm, &f->cfg, &f->err);
}

static void build_and_boot(struct fixture *f)
{
	if (build(f) || f->vm.boot(&f->vm, &f->err))
		fail_msg("%s", f->err.msg);
}

/* The device tree that hart 0 is given. */
static const void *tree(struct fixture *f)
{
	const void *fdt = gmem_ptr(&f->vm.mem, f->vm.cpus[0].start_arg, 4096, false);

	assert_non_null(fdt);
	assert_int_equal(fdt_check_header(fdt), 0);
	return fdt;
}

static int node(const void *fdt, const char *path)
{
	int n = fdt_path_offset(fdt, path);

	if (n < 0)
		fail_msg("no node %s", path);
	return n;
}

static uint32_t cell(const void *fdt, const char *path, const char *prop, unsigned i)
{
	int len;
	const void *p = fdt_getprop(fdt, node(fdt, path), prop, &len);

	if (!p || len < (int)(4 * (i + 1)))
		fail_msg("%s has no %s[%u]", path, prop, i);
	return fdt32_ld((const fdt32_t *)p + i);
}

static void kernel(void **state)
{
	struct fixture *f = *state;
	char initrd[5000] = "initrd", got[16];
	const void *fdt;
	gpa_t at;

	f->cfg.kernel = file(f, "kernel", "\x13\x00\x00\x00", 4);
	f->cfg.initrd = file(f, "initrd", initrd, sizeof(initrd));
	f->cfg.append = "console=ttyS0 quiet";
	build_and_boot(f);
	/* hart 0 alone starts, in the kernel, with the tree at the top of RAM */
	assert_true(f->vm.cpus[0].started);
	assert_false(f->vm.cpus[1].started);
	assert_int_equal(f->vm.cpus[0].start_pc, 0x80200000);
	assert_int_equal(f->vm.cpus[0].start_arg, 0x9fe00000);
	assert_non_null(f->vm.firmware.call);
	fdt = tree(f);
	assert_string_equal(fdt_getprop(fdt, node(fdt, "/chosen"), "bootargs", NULL),
			    "console=ttyS0 quiet");
	at = cell(fdt, "/chosen", "linux,initrd-start", 1);
	assert_int_equal(cell(fdt, "/chosen", "linux,initrd-end", 1) - at, sizeof(initrd));
	assert_int_equal(gmem_read(&f->vm.mem, at, got, 7), 0);
	assert_string_equal(got, "initrd");
	assert_int_equal(cell(fdt, "/memory@80000000", "reg", 3), 512 * MIB);
	assert_int_equal(cell(fdt, "/cpus", "timebase-frequency", 0), 10000000);
	assert_int_equal(cell(fdt, "/cpus/cpu@1", "reg", 0), 1);
	assert_string_equal(fdt_getprop(fdt, node(fdt, "/cpus/cpu@0"), "mmu-type", NULL), "riscv,sv57");
	/* nothing of M-mode shows, and nothing is there */
	assert_true(fdt_path_offset(fdt, "/soc/clint@2000000") < 0);
	assert_int_equal(cell(fdt, "/soc/plic@c000000", "interrupts-extended", 1), UINT32_MAX);
	assert_int_equal(cell(fdt, "/soc/plic@c000000", "interrupts-extended", 3), 9);
	assert_false(bus_read(&f->vm.bus, VIRT_MTIMER_BASE + 0x7ff8, 8, &at));
	/* INTx: pin A of slot 1 is line 1 */
	assert_int_equal(cell(fdt, "/soc/pci@30000000", "interrupt-map", 24), 0x800);
	assert_int_equal(cell(fdt, "/soc/pci@30000000", "interrupt-map", 29), 33);
	assert_int_equal(cell(fdt, "/soc/pci@30000000", "ranges", 15), 4);
	/* a reset starts the same again */
	assert_int_equal(gmem_write(&f->vm.mem, 0x80200000, "xxxx", 4), 0);
	f->vm.cpus[0].started = false;
	assert_int_equal(f->vm.boot(&f->vm, &f->err), 0);
	assert_int_equal(gmem_read(&f->vm.mem, 0x80200000, got, 4), 0);
	assert_memory_equal(got, "\x13\x00\x00\x00", 4);
}

static void firmware(void **state)
{
	struct fixture *f = *state;
	uint64_t rom[11];
	const void *fdt;

	f->cfg.firmware = file(f, "fw", "\x6f\x00\x00\x00", 4);
	f->cfg.kernel = file(f, "kernel", "\x13\x00\x00\x00", 4);
	build_and_boot(f);
	assert_null(f->vm.firmware.call);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(f->vm.cpus[i].started);
		assert_int_equal(f->vm.cpus[i].start_pc, 0x1000);
	}
	assert_int_equal(gmem_read(&f->vm.mem, 0x1000, rom, sizeof(rom)), 0);
	assert_int_equal(rom[3], 0x80000000);
	assert_int_equal(rom[4], f->vm.cpus[0].start_arg);
	assert_int_equal(rom[5], 0x4942534f);
	assert_int_equal(rom[7], 0x80200000);
	fdt = tree(f);
	assert_int_equal(cell(fdt, "/soc/clint@2000000", "interrupts-extended", 1), 3);
	assert_int_equal(cell(fdt, "/soc/clint@2000000", "interrupts-extended", 3), 7);
	assert_int_equal(cell(fdt, "/soc/plic@c000000", "interrupts-extended", 1), 11);
	assert_true(bus_read(&f->vm.bus, VIRT_MTIMER_BASE + 0x7ff8, 8, &rom[0]));
	assert_null(fdt_getprop(fdt, node(fdt, "/chosen"), "bootargs", NULL));
}

static void test_program(void **state)
{
	struct fixture *f = *state;
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p;
		Elf64_Shdr s[3];
		Elf64_Sym y[3];
		char names[24];
		uint8_t code[64];
	} e = {
		.h = { { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, ET_EXEC, EM_RISCV,
		       1, 0x80000000, 64, 0, 0, 64, sizeof(Elf64_Phdr), 1, sizeof(Elf64_Shdr), 3, 0 },
		.p = { .p_type = PT_LOAD, .p_vaddr = 0x80000000, .p_paddr = 0x80000000,
		       .p_filesz = 64, .p_memsz = 0x3000 },
		.s = { [1] = { .sh_type = SHT_SYMTAB, .sh_size = sizeof(e.y), .sh_link = 2,
			       .sh_entsize = sizeof(Elf64_Sym) },
		       [2] = { .sh_type = SHT_STRTAB, .sh_size = sizeof(e.names) } },
		.y = { [1] = { .st_name = 1, .st_shndx = 1, .st_value = 0x80001040 },
		       [2] = { .st_name = 8, .st_shndx = 1, .st_value = 0x80001080 } },
		.names = "\0tohost\0fromhost",
		.code = "code",
	};
	uint64_t args[8] = { 64, 1, 0x80002000, 5 }, got;

	e.h.e_shoff = offsetof(__typeof__(e), s);
	e.p.p_offset = offsetof(__typeof__(e), code);
	e.s[1].sh_offset = offsetof(__typeof__(e), y);
	e.s[2].sh_offset = offsetof(__typeof__(e), names);
	f->cfg.kernel = file(f, "test.elf", &e, sizeof(e));
	build_and_boot(f);
	assert_null(f->vm.firmware.call);	/* on the bare machine */
	assert_int_equal(f->vm.cpus[0].start_pc, 0x1000);
	/* its page reads as memory, its writes go to the device */
	assert_non_null(gmem_ptr(&f->vm.mem, 0x80001040, 8, false));
	assert_null(gmem_ptr(&f->vm.mem, 0x80001040, 8, true));
	assert_non_null(gmem_ptr(&f->vm.mem, 0x80000000, 0x1000, true));
	assert_non_null(gmem_ptr(&f->vm.mem, 0x80002000, 510 * MIB, true));
	assert_true(bus_write(&f->vm.bus, 0x80001048, 8, 0x1234));
	assert_int_equal(gmem_read(&f->vm.mem, 0x80001048, &got, 8), 0);
	assert_int_equal(got, 0x1234);
	assert_int_equal(f->vm.event, VM_EVENT_NONE);
	/* a system call: write(1, 0x80002000, 5) */
	assert_int_equal(gmem_write(&f->vm.mem, 0x80002100, args, sizeof(args)), 0);
	assert_true(bus_write(&f->vm.bus, 0x80001040, 8, 0x80002100));
	assert_int_equal(gmem_read(&f->vm.mem, 0x80002100, &got, 8), 0);
	assert_int_equal(got, 5);
	assert_int_equal(gmem_read(&f->vm.mem, 0x80001080, &got, 8), 0);
	assert_int_equal(got, 1);
	assert_int_equal(gmem_read(&f->vm.mem, 0x80001040, &got, 8), 0);
	assert_int_equal(got, 0);
	/* the same, its words beside tohost: the page's stores go by the device */
	for (unsigned i = 0; i < ARRAY_LEN(args); i++)
		assert_true(bus_write(&f->vm.bus, 0x80001100 + 8 * i, 8, args[i]));
	assert_true(bus_write(&f->vm.bus, 0x80001080, 8, 0));
	assert_true(bus_write(&f->vm.bus, 0x80001040, 8, 0x80001100));
	assert_int_equal(gmem_read(&f->vm.mem, 0x80001100, &got, 8), 0);
	assert_int_equal(got, 5);
	assert_int_equal(gmem_read(&f->vm.mem, 0x80001080, &got, 8), 0);
	assert_int_equal(got, 1);
	/* the verdict, stored in halves */
	assert_true(bus_write(&f->vm.bus, 0x80001040, 4, 7 << 1 | 1));
	assert_int_equal(f->vm.event, VM_EVENT_FAIL);
	assert_int_equal(f->vm.event_detail, 7);
	f->vm.event = VM_EVENT_NONE;
	assert_true(bus_write(&f->vm.bus, 0x80001044, 4, 0));
	f->vm.event = VM_EVENT_NONE;
	assert_true(bus_write(&f->vm.bus, 0x80001040, 4, 1));
	assert_int_equal(f->vm.event, VM_EVENT_POWEROFF);
}

static uint32_t fw_cfg_value(struct fixture *f, uint16_t key, unsigned bytes)
{
	uint64_t v, all = 0;

	assert_true(bus_write(&f->vm.bus, VIRT_FW_CFG_BASE + 8, 2, __builtin_bswap16(key)));
	for (unsigned i = 0; i < bytes; i++) {
		assert_true(bus_read(&f->vm.bus, VIRT_FW_CFG_BASE, 1, &v));
		all |= v << 8 * i;
	}
	return (uint32_t)all;
}

static void flash_boot(void **state)
{
	struct fixture *f = *state;

	f->cfg.pflash[0] = file(f, "code.fd", "\x6f\x00\x00\x00", 4);
	f->cfg.kernel = file(f, "kernel", "kern", 4);
	f->cfg.append = "a=b";
	build_and_boot(f);
	assert_non_null(f->vm.firmware.call);
	assert_int_equal(f->vm.cpus[0].start_pc, 0x20000000);
	assert_non_null(gmem_ptr(&f->vm.mem, 0x20000000, 4, false));
	/* the firmware fetches the rest */
	assert_int_equal(fw_cfg_value(f, 0x00, 4), 0x554d4551);
	assert_int_equal(fw_cfg_value(f, 0x01, 4), 3);
	assert_int_equal(fw_cfg_value(f, 0x05, 2), 2);
	assert_int_equal(fw_cfg_value(f, 0x08, 4), 4);
	assert_int_equal(fw_cfg_value(f, 0x11, 4), 0x6e72656b);
	assert_int_equal(fw_cfg_value(f, 0x14, 4), 4);
	assert_int_equal(fw_cfg_value(f, 0x0b, 4), 0);
}

static void refused(struct fixture *f, const char *part)
{
	int rc = build(f);

	if (!rc)
		rc = f->vm.boot(&f->vm, &f->err);
	assert_true(rc < 0);
	if (!strstr(f->err.msg, part))
		fail_msg("\"%s\" does not say \"%s\"", f->err.msg, part);
}

static void nothing_to_boot(void **state)
{
	refused(*state, "nothing to boot");
}

static void too_little_memory(void **state)
{
	struct fixture *f = *state;

	f->cfg.ram = 8 * MIB;
	refused(f, "at least 16 MiB");
}

static void initrd_too_large(void **state)
{
	struct fixture *f = *state;
	char byte = 1;

	f->cfg.ram = 16 * MIB;
	f->cfg.kernel = file(f, "kernel", "\x13\x00\x00\x00", 4);
	f->cfg.initrd = file(f, "initrd.img", &byte, 1);
	assert_int_equal(ftruncate(f->cfg.initrd.fd, 13 * MIB), 0);
	refused(f, "initrd.img: does not fit beside kernel in 16 MiB; give the VM more memory");
}

static void long_command_line(void **state)
{
	struct fixture *f = *state;
	char *line = malloc(100000);

	memset(line, 'x', 99999);
	line[99999] = 0;
	f->cfg.kernel = file(f, "kernel", "\x13\x00\x00\x00", 4);
	f->cfg.append = line;
	refused(f, "shorten the kernel command line");
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(firmware, setup, teardown),
		cmocka_unit_test_setup_teardown(test_program, setup, teardown),
		cmocka_unit_test_setup_teardown(flash_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_to_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(too_little_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(initrd_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(long_command_line, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
