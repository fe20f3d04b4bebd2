/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/load/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"
#include "machine/load/gunzip.h"

enum { HEADER_BYTES = 64, HEAD_BYTES = 1024 };
#define PLACE_ALIGN (2 * MIB)
#define MAX_IMAGE (UINT64_C(4) << 30)

static bool has(const uint8_t *head, uint64_t len, uint64_t off, const void *magic, uint64_t n)
{
	return range_within(off, n, len) && !memcmp(head + off, magic, n);
}

static bool is_linux(const uint8_t *head, uint64_t len)
{
	return has(head, len, 56, "RSC\x05", 4) && len >= HEADER_BYTES;
}

/* ---- what it is not --------------------------------------------------------------- */

/* Things a user may hand over by mistake, by their first bytes. */
static const struct wrong {
	unsigned off, len;
	const char *magic;
	const char *what;	/* "... is " what */
} wrongs[] = {
	{ 56, 4, "ARM\x64", "a kernel for arm64, but the machine is riscv64; "
			      "name one for riscv64" },
	{ 0x202, 4, "HdrS", "a kernel for x86, but the machine is riscv64; name one for riscv64" },
	{ 36, 4, "\x18\x28\x6f\x01", "a kernel for arm, but the machine is riscv64; "
				      "name one for riscv64" },
	{ 0, 6, "\xfd" "7zXZ\0", "compressed with xz; decompress it with xz -d first" },
	{ 0, 3, "BZh", "compressed with bzip2; decompress it with bzip2 -d first" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd; decompress it with zstd -d first" },
	{ 0, 4, "\x04\x22\x4d\x18", "compressed with lz4; decompress it with lz4 -d first" },
	{ 0, 4, "\x27\x05\x19\x56", "a U-Boot image; unpack it with dumpimage first" },
	{ 0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image; name the kernel itself" },
	{ 0, 4, "QFI\xfb", "a qcow2 disk image, not a kernel; give it as a disk" },
	{ 0, 4, "PK\x03\x04", "a zip archive; unpack it first" },
	{ 0, 7, "!<arch>", "an archive or a Debian package; unpack it first" },
	{ 0, 6, "070701", "a cpio archive (an initrd?), not a kernel" },
	{ 0, 3, "#!/", "a script, not a kernel" },
	{ 0, 2, "MZ", "an EFI program, but no Linux kernel for riscv64, or cut short; "
		       "get it again" },
};

static int check_not_wrong(const struct load_file *f, const uint8_t *head, uint64_t len,
			   struct err *err)
{
	for (unsigned i = 0; i < ARRAY_LEN(wrongs); i++)
		if (has(head, len, wrongs[i].off, wrongs[i].magic, wrongs[i].len))
			return err_set(err, -ENOEXEC, "%s: is %s", f->name, wrongs[i].what);
	return 0;
}

/* ---- Linux images --------------------------------------------------------------------- */

static int take_linux_header(struct load_image *img, const uint8_t *head, struct err *err)
{
	uint64_t size = ld_le64(head + 16);

	img->text_offset = ld_le64(head + 8);
	if (ld_le64(head + 24) & 1)
		return err_set(err, -ENOEXEC, "%s: is a big-endian kernel, but the machine is "
			       "little-endian riscv64", img->file.name);
	if (img->text_offset % PLACE_ALIGN || img->text_offset > MAX_IMAGE || size > MAX_IMAGE ||
	    size < HEADER_BYTES)
		return err_set(err, -ENOEXEC, "%s: damaged kernel header (text offset %#" PRIx64
			       ", size %#" PRIx64 "); get it again", img->file.name,
			       img->text_offset, size);
	img->high = size;	/* relative to low until it is placed */
	return 0;
}

/*
 * An Image that is an EFI program too says where its sections lie in the file (PE/COFF
 * specification §3, §4), which shows whether the file is whole.
 */
static int check_pe_sections(const struct load_image *img, const uint8_t *head, uint64_t len,
			     struct err *err)
{
	uint64_t pe = ld_le32(head + 60), table;
	unsigned count;

	if (!has(head, len, 0, "MZ", 2) || !has(head, len, pe, "PE\0\0", 4) ||
	    !range_within(pe, 24, len))
		return 0;
	count = ld_le16(head + pe + 6);
	table = pe + 24 + ld_le16(head + pe + 20);
	for (unsigned i = 0; i < count && range_within(table + i * 40u, 40, len); i++) {
		uint64_t size = ld_le32(head + table + i * 40u + 16);
		uint64_t off = ld_le32(head + table + i * 40u + 20);

		if (!range_within(off, size, img->file.size))
			return err_set(err, -ENOEXEC, "%s: is cut short (%" PRIu64 " of at least "
				       "%" PRIu64 " bytes); get it again", img->file.name,
				       img->file.size, off + size);
	}
	return 0;
}

/* The gzip'd data must begin with an Image header. */
static int probe_gzip(struct load_image *img, struct err *err)
{
	struct gunzip *g = calloc(1, sizeof(*g));
	uint8_t head[HEADER_BYTES];
	uint64_t got = 0;
	int rc;

	if (!g)
		return err_set(err, -ENOMEM, "%s: no memory to decompress it", img->file.name);
	rc = gunzip_open(g, &img->file, img->data_off, img->data_len, err);
	if (!rc)
		rc = gunzip_read(g, head, sizeof(head), &got, err);
	if (!rc && load_is_elf(head, got))
		rc = err_set(err, -ENOEXEC, "%s: is a compressed ELF file; decompress it with "
			     "gzip -d first", img->file.name);
	if (!rc && !is_linux(head, got))
		rc = check_not_wrong(&img->file, head, got, err);
	if (!rc && !is_linux(head, got))
		rc = err_set(err, -ENOEXEC, "%s: is compressed, but holds no Linux kernel for "
			     "riscv64; name such a kernel", img->file.name);
	if (!rc)
		rc = take_linux_header(img, head, err);
	gunzip_close(g);
	free(g);
	return rc;
}

static int probe_zboot(struct load_image *img, const uint8_t *head, struct err *err)
{
	uint64_t off = ld_le32(head + 8), len = ld_le32(head + 12);
	char how[33] = "";

	memcpy(how, head + 24, 32);
	if (strcmp(how, "gzip"))
		return err_set(err, -ENOEXEC, "%s: is an EFI zboot image that is not compressed "
			       "with gzip; start it through EFI firmware (--pflash)",
			       img->file.name);
	if (!len || !range_within(off, len, img->file.size))
		return err_set(err, -ENOEXEC, "%s: is cut short: the compressed kernel ends past "
			       "the file's end; get it again", img->file.name);
	img->kind = LOAD_LINUX_GZIP;
	img->data_off = off;
	img->data_len = len;
	return probe_gzip(img, err);
}

int load_image_probe(struct load_image *img, int fd, const char *name, struct err *err)
{
	uint8_t head[HEAD_BYTES];
	uint64_t len;
	int rc;

	memset(img, 0, sizeof(*img));
	rc = load_file_open(&img->file, fd, name, err);
	if (rc)
		return rc;
	len = img->file.size < sizeof(head) ? img->file.size : sizeof(head);
	rc = load_file_read(&img->file, 0, head, len, err);
	if (rc)
		return rc;
	img->data_len = img->file.size;
	if (load_is_elf(head, len)) {
		img->kind = LOAD_ELF;
		rc = load_elf_probe(&img->elf, &img->file, err);
		img->low = img->elf.low;
		img->high = img->elf.high;
		img->entry = img->elf.entry;
		return rc;
	}
	if (has(head, len, 0, "\x1f\x8b", 2)) {
		img->kind = LOAD_LINUX_GZIP;
		return probe_gzip(img, err);
	}
	if (has(head, len, 0, "MZ\0\0zimg", 8) && len >= HEADER_BYTES)
		return probe_zboot(img, head, err);
	if (is_linux(head, len)) {
		img->kind = LOAD_LINUX;
		rc = take_linux_header(img, head, err);
		if (!rc)
			rc = check_pe_sections(img, head, len, err);
		if (!rc && img->high < img->file.size)
			img->high = img->file.size;
		return rc;
	}
	img->kind = LOAD_RAW;
	img->high = img->file.size;
	return check_not_wrong(&img->file, head, len, err);
}

/* ---- placing and copying -------------------------------------------------------------- */

static int place_elf(struct load_image *img, const struct gmem *mem, gpa_t ram_base, gpa_t at,
		     struct err *err)
{
	if (img->elf.low < PLACE_ALIGN && !gmem_find(mem, img->elf.low)) {
		if (!range_within(at, img->elf.high, UINT64_C(1) << 56))
			return err_set(err, -ENOSPC, "%s: does not fit; give the VM more memory "
				       "(-m)", img->file.name);
		load_elf_move(&img->elf, at);
	}
	img->low = img->elf.low;
	img->high = img->elf.high;
	img->entry = img->elf.entry;
	for (unsigned i = 0; i < img->elf.count; i++) {
		const struct load_segment *s = &img->elf.segments[i];
		int rc;

		if (!gmem_find(mem, s->paddr) && s->paddr < ram_base)
			return err_set(err, -ENOEXEC, "%s: is linked at %#" PRIx64 ", where the "
				       "machine has no memory; link it at %#" PRIx64 " or above",
				       img->file.name, s->paddr, ram_base);
		rc = load_check_range(&img->file, mem, s->paddr, s->memsz, err);
		if (rc)
			return rc;
	}
	return 0;
}

int load_image_place(struct load_image *img, const struct gmem *mem, gpa_t ram_base, gpa_t at,
		     struct err *err)
{
	uint64_t size = img->high - img->low;
	gpa_t low = at;

	if (img->kind == LOAD_ELF)
		return place_elf(img, mem, ram_base, at, err);
	if (img->kind != LOAD_RAW && ram_base + img->text_offset > low)
		low = ram_base + img->text_offset;
	img->low = low;
	img->high = low + size;
	img->entry = low;
	return load_check_range(&img->file, mem, low, size, err);
}

/* Decompresses into [low, high); the header promised that it fits. */
static int gzip_to_guest(const struct load_image *img, const struct gmem *mem, struct err *err)
{
	struct gunzip *g = calloc(1, sizeof(*g));
	uint64_t done = 0, size = img->high - img->low, got = 1;
	uint8_t more;
	int rc;

	if (!g)
		return err_set(err, -ENOMEM, "%s: no memory to decompress it", img->file.name);
	rc = load_check_range(&img->file, mem, img->low, size, err);
	if (!rc)
		rc = gunzip_open(g, &img->file, img->data_off, img->data_len, err);
	while (!rc && got && done < size) {
		uint64_t n = size - done;
		uint8_t *host = load_span(mem, img->low + done, &n);

		rc = gunzip_read(g, host, n, &got, err);
		done += got;
	}
	if (!rc)
		rc = gunzip_read(g, &more, 1, &got, err);
	if (!rc && got)
		rc = err_set(err, -ENOEXEC, "%s: holds more than its header says; get it again",
			     img->file.name);
	gunzip_close(g);
	free(g);
	return rc;
}

int load_image_to_guest(const struct load_image *img, const struct gmem *mem, struct err *err)
{
	switch (img->kind) {
	case LOAD_ELF:
		return load_elf_to_guest(&img->elf, &img->file, mem, err);
	case LOAD_LINUX_GZIP:
		return gzip_to_guest(img, mem, err);
	case LOAD_RAW:
	case LOAD_LINUX:
		break;
	}
	return load_file_to_guest(&img->file, img->data_off, mem, img->low, img->data_len, err);
}
