/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels, firmware and test programs of any content, recognised, placed and loaded. The
 * input's first byte chooses a valid file, and the rest says what changes in it; or the rest is
 * the file.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/bits.h"
#include "machine/load/image.h"
#include "tests/fuzz/fuzz.h"

enum { RAM = 0x80000000, RAM_BYTES = 4 << 20, AT = 0x80200000, FILE_BYTES = 8192 };

/* The image must lie where it was placed, and nothing may have been written outside RAM. */
static void load(struct gmem *mem, int fd)
{
	struct load_image img;
	struct err err;

	err.msg[0] = 0;
	if (load_image_probe(&img, fd, "input", &err) ||
	    load_image_place(&img, mem, RAM, AT, &err) ||
	    load_image_to_guest(&img, mem, &err)) {
		if (!err.msg[0] || !memchr(err.msg, 0, sizeof(err.msg)))
			abort();	/* every refusal has its sentence */
		return;
	}
	if (img.low < RAM || img.high > RAM + (uint64_t)RAM_BYTES || img.low > img.high)
		abort();
}

static size_t make_linux(uint8_t *buf)
{
	memset(buf, 0, 1024);
	memcpy(buf, "MZ", 2);
	st_le64(buf + 8, 0x200000);
	st_le64(buf + 16, 0x10000);
	memcpy(buf + 48, "RISCV\0\0", 8);
	memcpy(buf + 56, "RSC\x05", 4);
	st_le32(buf + 60, 64);
	memcpy(buf + 64, "PE\0\0", 4);
	st_le16(buf + 70, 2);
	st_le16(buf + 84, 160);
	st_le32(buf + 248 + 16, 512);
	st_le32(buf + 248 + 20, 512);
	return 1024;
}

static size_t gzip(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = { 0 };

	if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(EXIT_FAILURE);
	z.next_in = (uint8_t *)in;
	z.avail_in = (unsigned)len;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static size_t make_elf(uint8_t *buf)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_RISCV, .e_version = 1, .e_entry = RAM,
		.e_phoff = 64, .e_shoff = 256, .e_ehsize = 64, .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3,
	};
	Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD, .p_offset = 640, .p_vaddr = RAM, .p_paddr = RAM,
		  .p_filesz = 256, .p_memsz = 8192 },
		{ .p_type = PT_LOAD, .p_offset = 640, .p_vaddr = AT, .p_paddr = AT,
		  .p_filesz = 16, .p_memsz = 32 },
	};
	Elf64_Shdr s[3] = {
		[1] = { .sh_type = SHT_SYMTAB, .sh_offset = 512, .sh_size = 3 * sizeof(Elf64_Sym),
			.sh_link = 2, .sh_entsize = sizeof(Elf64_Sym) },
		[2] = { .sh_type = SHT_STRTAB, .sh_offset = 600, .sh_size = 32 },
	};
	Elf64_Sym y[3] = {
		[1] = { .st_name = 1, .st_shndx = 1, .st_value = RAM + 4096 },
		[2] = { .st_name = 8, .st_shndx = 1, .st_value = RAM + 4160 },
	};

	memset(buf, 0, 1024);
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + 64, p, sizeof(p));
	memcpy(buf + 256, s, sizeof(s));
	memcpy(buf + 512, y, sizeof(y));
	memcpy(buf + 600, "\0tohost\0fromhost", 17);
	return 1024;
}

static size_t make(unsigned kind, uint8_t *buf)
{
	uint8_t kernel[1024];
	size_t len = make_linux(kernel);

	switch (kind) {
	case 0:
	case 1:
		return make_elf(buf);
	case 2:
		return make_linux(buf);
	case 3:
		return gzip(kernel, len, buf, FILE_BYTES);
	default:
		memset(buf, 0, 64);
		memcpy(buf, "MZ\0\0zimg", 8);
		len = gzip(kernel, len, buf + 64, FILE_BYTES - 64);
		st_le32(buf + 8, 64);
		st_le32(buf + 12, (uint32_t)len);
		memcpy(buf + 24, "gzip", 4);
		return 64 + len;
	}
}

/* Each change: where, how, and a value; telling numbers more often than others. */
static size_t change(struct fuzz_input *in, uint8_t *buf, size_t len)
{
	static const uint64_t telling[] = {
		0, 1, 8, 0x7f, 0xff, 0x1000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
		UINT64_C(0x100000000), INT64_MAX, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7,
	};
	size_t at = fuzz_take(in, 2) % len, room = len - at;
	unsigned how = (unsigned)fuzz_take(in, 1), bytes = 1u << (how >> 4 & 3);
	uint64_t value = how & 8 ? fuzz_take(in, bytes) : telling[fuzz_take(in, 1) % 16];

	if (!(how & 7))
		return at + 1;
	memcpy(buf + at, &value, bytes < room ? bytes : room);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size, 0 };
	unsigned kind = (unsigned)fuzz_take(&in, 1);
	struct gmem mem = { 0 };
	uint8_t buf[FILE_BYTES];
	size_t len = 0;
	struct err err;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (kind % 6 < 5) {
		len = make(kind % 6, buf);
		for (unsigned n = (unsigned)fuzz_take(&in, 1) % 8; n; n--)
			len = change(&in, buf, len);
	} else {
		while (fuzz_more(&in) && len < sizeof(buf))
			buf[len++] = (uint8_t)fuzz_take(&in, 1);
	}
	if (fd < 0 || gmem_add(&mem, RAM, RAM_BYTES, GMEM_RAM, "ram", NULL, &err) ||
	    write(fd, buf, len) != (ssize_t)len)
		exit(EXIT_FAILURE);
	load(&mem, fd);
	gmem_fini(&mem);
	close(fd);
	return 0;
}
