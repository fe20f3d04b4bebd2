/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels and programs as files: what is recognised, where it lands, what is refused and how. */
#include "tests/unit/test.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/bits.h"
#include "machine/load/image.h"

enum { RAM = 0x80000000, AT = 0x80200000, LINUX_BYTES = 5000, LINUX_MEMORY = 0x30000 };

struct fixture {
	struct gmem mem;
	uint8_t *ram;
	int fd;
	struct load_image img;
	struct err err;
	uint8_t file[64 * 1024];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(gmem_add(&f->mem, RAM, 16 * MIB, GMEM_RAM, "ram", &f->ram, &f->err), 0);
	f->fd = memfd_create("image", MFD_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gmem_fini(&f->mem);
	close(f->fd);
	free(f);
	return 0;
}

/* The file becomes these bytes; what load_image_probe() says of it. */
static int probe(struct fixture *f, const void *bytes, size_t len)
{
	assert_int_equal(ftruncate(f->fd, 0), 0);
	assert_int_equal(pwrite(f->fd, bytes, len, 0), len);
	f->err.msg[0] = 0;
	return load_image_probe(&f->img, f->fd, "some.img", &f->err);
}

static int place_and_load(struct fixture *f)
{
	int rc = load_image_place(&f->img, &f->mem, RAM, AT, &f->err);

	return rc ? rc : load_image_to_guest(&f->img, &f->mem, &f->err);
}

static void says(struct fixture *f, const char *part)
{
	if (!strstr(f->err.msg, part) || strncmp(f->err.msg, "some.img: ", 10))
		fail_msg("\"%s\" does not say \"%s\"", f->err.msg, part);
}

static void make_linux(uint8_t *buf)
{
	for (unsigned i = 0; i < LINUX_BYTES; i++)
		buf[i] = (uint8_t)(i * 7);
	memset(buf, 0, 64);
	st_le64(buf + 8, 0x200000);
	st_le64(buf + 16, LINUX_MEMORY);
	st_le32(buf + 32, 2);
	memcpy(buf + 48, "RISCV\0\0", 8);
	memcpy(buf + 56, "RSC\x05", 4);
}

static size_t gzip(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)in;
	z.avail_in = (unsigned)len;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	room = z.total_out;
	deflateEnd(&z);
	return room;
}

static void linux_image(void **state)
{
	struct fixture *f = *state;

	make_linux(f->file);
	assert_int_equal(probe(f, f->file, LINUX_BYTES), 0);
	assert_int_equal(f->img.kind, LOAD_LINUX);
	assert_int_equal(place_and_load(f), 0);
	assert_int_equal(f->img.low, AT);
	assert_int_equal(f->img.high, AT + LINUX_MEMORY);
	assert_int_equal(f->img.entry, AT);
	assert_memory_equal(f->ram + 0x200000, f->file, LINUX_BYTES);
	/* a higher text offset wins; one that is no multiple of 2 MiB is nonsense */
	st_le64(f->file + 8, 0x400000);
	assert_int_equal(probe(f, f->file, LINUX_BYTES), 0);
	assert_int_equal(place_and_load(f), 0);
	assert_int_equal(f->img.entry, RAM + 0x400000);
	st_le64(f->file + 8, 0x80000);
	assert_int_equal(probe(f, f->file, LINUX_BYTES), -ENOEXEC);
	says(f, "damaged kernel header");
	/* more memory than there is */
	make_linux(f->file);
	st_le64(f->file + 16, 15 * MIB);
	assert_int_equal(probe(f, f->file, LINUX_BYTES), 0);
	assert_int_equal(place_and_load(f), -ENOSPC);
	says(f, "give the VM more memory");
	st_le64(f->file + 16, UINT64_MAX);
	assert_int_equal(probe(f, f->file, LINUX_BYTES), -ENOEXEC);
	/* an EFI stub's section table tells the length of the file */
	make_linux(f->file);
	memcpy(f->file, "MZ", 2);
	st_le32(f->file + 60, 64);
	memcpy(f->file + 64, "PE\0\0", 4);
	st_le16(f->file + 70, 1);
	st_le16(f->file + 84, 160);
	st_le32(f->file + 64 + 24 + 160 + 16, 4000);
	st_le32(f->file + 64 + 24 + 160 + 20, 1000);
	assert_int_equal(probe(f, f->file, LINUX_BYTES), 0);
	assert_int_equal(probe(f, f->file, LINUX_BYTES - 1), -ENOEXEC);
	says(f, "cut short");
}

static void gzip_image(void **state)
{
	struct fixture *f = *state;
	uint8_t *kernel = calloc(1, LINUX_MEMORY + 1), *gz = f->file;
	size_t len;

	assert_non_null(kernel);
	make_linux(kernel);
	memcpy(kernel, "MZ", 2);	/* as Debian's, an EFI program too */
	len = gzip(kernel, LINUX_BYTES, gz, sizeof(f->file));
	assert_int_equal(probe(f, gz, len), 0);
	assert_int_equal(f->img.kind, LOAD_LINUX_GZIP);
	assert_int_equal(place_and_load(f), 0);
	assert_memory_equal(f->ram + 0x200000, kernel, LINUX_BYTES);
	/* again, as at a reset */
	memset(f->ram + 0x200000, 0, LINUX_BYTES);
	assert_int_equal(load_image_to_guest(&f->img, &f->mem, &f->err), 0);
	assert_memory_equal(f->ram + 0x200000, kernel, LINUX_BYTES);
	/* cut short, damaged */
	assert_int_equal(probe(f, gz, len - 9), 0);
	assert_int_equal(place_and_load(f), -ENODATA);
	says(f, "cut short");
	gz[len / 2] ^= 0xff;
	assert_int_equal(probe(f, gz, len), 0);
	assert_int_equal(place_and_load(f), -EBADMSG);
	says(f, "damaged");
	/* more than the header promises */
	len = gzip(kernel, LINUX_MEMORY + 1, gz, sizeof(f->file));
	assert_int_equal(probe(f, gz, len), 0);
	assert_int_equal(place_and_load(f), -ENOEXEC);
	says(f, "holds more than its header says");
	/* not a kernel */
	len = gzip((const uint8_t *)"hello", 5, gz, sizeof(f->file));
	assert_int_equal(probe(f, gz, len), -ENOEXEC);
	says(f, "holds no Linux kernel");
	len = gzip((const uint8_t *)ELFMAG "xxxx", 8, gz, sizeof(f->file));
	assert_int_equal(probe(f, gz, len), -ENOEXEC);
	says(f, "compressed ELF");
	/* the EFI wrapper */
	memset(gz, 0, 128);
	memcpy(gz, "MZ\0\0zimg", 8);
	len = gzip(kernel, LINUX_BYTES, gz + 128, sizeof(f->file) - 128);
	st_le32(gz + 8, 128);
	st_le32(gz + 12, (uint32_t)len);
	strcpy((char *)gz + 24, "gzip");
	assert_int_equal(probe(f, gz, 128 + len), 0);
	assert_int_equal(place_and_load(f), 0);
	assert_memory_equal(f->ram + 0x200000, kernel, LINUX_BYTES);
	assert_int_equal(probe(f, gz, 127 + len), -ENOEXEC);
	says(f, "cut short");
	strcpy((char *)gz + 24, "zstd22");
	assert_int_equal(probe(f, gz, 128 + len), -ENOEXEC);
	says(f, "--pflash");
	free(kernel);
}

/* An executable of one segment, with a symbol table naming tohost. */
static size_t make_elf(uint8_t *buf, uint64_t addr)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_RISCV, .e_version = 1, .e_entry = addr + 4,
		.e_phoff = 64, .e_shoff = 512, .e_ehsize = 64, .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3,
	};
	Elf64_Phdr p = {
		.p_type = PT_LOAD, .p_offset = 1024, .p_vaddr = addr, .p_paddr = addr,
		.p_filesz = 256, .p_memsz = 8192,
	};
	Elf64_Shdr s[3] = {
		[1] = { .sh_type = SHT_SYMTAB, .sh_offset = 2048, .sh_size = 2 * sizeof(Elf64_Sym),
			.sh_link = 2, .sh_entsize = sizeof(Elf64_Sym) },
		[2] = { .sh_type = SHT_STRTAB, .sh_offset = 3072, .sh_size = 8 },
	};
	Elf64_Sym y[2] = { [1] = { .st_name = 1, .st_shndx = 1, .st_value = addr + 4096 } };

	memset(buf, 0xee, 4096);
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + 64, &p, sizeof(p));
	memcpy(buf + 512, s, sizeof(s));
	memcpy(buf + 2048, y, sizeof(y));
	memcpy(buf + 3072, "\0tohost", 8);
	for (unsigned i = 0; i < 256; i++)
		buf[1024 + i] = (uint8_t)i;
	return 4096;
}

static void elf(void **state)
{
	struct fixture *f = *state;
	size_t len = make_elf(f->file, RAM);
	Elf64_Ehdr *h = (void *)f->file;
	Elf64_Phdr *p = (void *)(f->file + 64);

	memset(f->ram, 0x55, 16384);
	assert_int_equal(probe(f, f->file, len), 0);
	assert_int_equal(f->img.kind, LOAD_ELF);
	assert_int_equal(f->img.elf.tohost, RAM + 4096);
	assert_int_equal(f->img.elf.fromhost, 0);
	assert_int_equal(place_and_load(f), 0);
	assert_int_equal(f->img.entry, RAM + 4);
	assert_memory_equal(f->ram, f->file + 1024, 256);
	assert_int_equal(f->ram[256], 0);
	assert_int_equal(f->ram[8191], 0);
	assert_int_equal(f->ram[8192], 0x55);
	/* virtual addresses elsewhere, physical ones from 0: moved, the entry with it */
	p->p_paddr = 0;
	p->p_vaddr = 0xffffffff80000000;
	h->e_entry = p->p_vaddr + 0x40;
	assert_int_equal(probe(f, f->file, len), 0);
	assert_int_equal(place_and_load(f), 0);
	assert_int_equal(f->img.entry, AT + 0x40);
	assert_memory_equal(f->ram + 0x200000, f->file + 1024, 256);
	/* linked where there is no memory */
	make_elf(f->file, 0x10000000);
	assert_int_equal(probe(f, f->file, len), 0);
	assert_int_equal(place_and_load(f), -ENOEXEC);
	says(f, "is linked at 0x10000000");
	make_elf(f->file, RAM + 16 * MIB - 4096);
	assert_int_equal(probe(f, f->file, len), 0);
	assert_int_equal(place_and_load(f), -ENOSPC);
	says(f, "give the VM more memory");
}

static void bad_elf(void **state)
{
	struct fixture *f = *state;
	size_t len = make_elf(f->file, RAM);
	Elf64_Ehdr *h = (void *)f->file;
	Elf64_Phdr *p = (void *)(f->file + 64);
	Elf64_Shdr *s = (void *)(f->file + 512);

	assert_int_equal(probe(f, f->file, 40), -ENODATA);
	says(f, "cut short");
	assert_int_equal(probe(f, f->file, 1100), -ENOEXEC);
	says(f, "cut short");
	h->e_machine = EM_X86_64;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	says(f, "for x86-64, but the machine is riscv64");
	h->e_machine = EM_RISCV;
	h->e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	says(f, "32-bit");
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_type = ET_REL;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	says(f, "link it");
	h->e_type = ET_EXEC;
	h->e_phoff = UINT64_MAX - 8;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	h->e_phoff = 64;
	p->p_filesz = 10000;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	p->p_filesz = 256;
	p->p_offset = UINT64_MAX - 3;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	p->p_offset = 1024;
	p->p_memsz = UINT64_MAX;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	p->p_memsz = 8192;
	p->p_type = PT_NOTE;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	p->p_type = PT_LOAD;
	p->p_paddr++;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	says(f, "odd address");
	p->p_paddr--;
	h->e_entry++;
	assert_int_equal(probe(f, f->file, len), -ENOEXEC);
	h->e_entry--;
	/* a symbol table that makes no sense is no symbol table */
	s[1].sh_link = 77;
	assert_int_equal(probe(f, f->file, len), 0);
	assert_int_equal(f->img.elf.tohost, 0);
	s[1].sh_link = 2;
	s[2].sh_size = 2;
	assert_int_equal(probe(f, f->file, len), 0);
	assert_int_equal(f->img.elf.tohost, 0);
	s[2].sh_size = 8;
	s[1].sh_offset = UINT64_MAX;
	assert_int_equal(probe(f, f->file, len), 0);
	assert_int_equal(f->img.elf.tohost, 0);
}

static void raw_and_wrong(void **state)
{
	struct fixture *f = *state;
	int null;

	assert_int_equal(probe(f, "\x13\x00\x00\x00 a program", 14), 0);
	assert_int_equal(f->img.kind, LOAD_RAW);
	assert_int_equal(place_and_load(f), 0);
	assert_int_equal(f->img.entry, AT);
	assert_int_equal(f->img.high, AT + 14);
	assert_memory_equal(f->ram + 0x200000, "\x13\x00\x00\x00 a program", 14);
	assert_int_equal(probe(f, "", 0), -EINVAL);
	says(f, "is empty");
	make_linux(f->file);
	memcpy(f->file + 56, "ARM\x64", 4);
	assert_int_equal(probe(f, f->file, LINUX_BYTES), -ENOEXEC);
	says(f, "a kernel for arm64");
	memset(f->file, 0, 1024);
	memcpy(f->file + 0x202, "HdrS", 4);
	assert_int_equal(probe(f, f->file, 1024), -ENOEXEC);
	says(f, "a kernel for x86");
	assert_int_equal(probe(f, "\xfd" "7zXZ\0....", 10), -ENOEXEC);
	says(f, "xz -d");
	assert_int_equal(probe(f, "QFI\xfb....", 8), -ENOEXEC);
	says(f, "qcow2");
	null = memfd_create("x", MFD_CLOEXEC);
	close(null);
	assert_int_equal(load_image_probe(&f->img, null, "some.img", &f->err), -EBADF);
	says(f, "cannot be read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(linux_image, setup, teardown),
		cmocka_unit_test_setup_teardown(gzip_image, setup, teardown),
		cmocka_unit_test_setup_teardown(elf, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_elf, setup, teardown),
		cmocka_unit_test_setup_teardown(raw_and_wrong, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
