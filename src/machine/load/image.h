/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be started: a Linux Image for riscv64 (plain, gzip'd, or an EFI zboot wrapper
 * with gzip inside), an ELF executable, or a raw binary.
 *
 * The RISC-V Image header (Linux Documentation/arch/riscv/boot-image-header.rst), little-endian:
 *
 *	 0  u32 code0, u32 code1	"MZ" opcode when it is an EFI stub too
 *	 8  u64 text_offset		from the start of RAM; a multiple of 2 MiB
 *	16  u64 image_size		bytes of memory it takes, .bss included
 *	24  u64 flags			bit 0: big-endian
 *	32  u32 version
 *	48  u64 magic "RISCV\0\0\0"	(deprecated)
 *	56  u32 magic2 "RSC\x05"
 *
 * The EFI zboot header: "MZ\0\0zimg", u32 payload offset, u32 payload size at 8, the
 * compression's name at 24 (32 bytes).
 */
#ifndef MACHINE_LOAD_IMAGE_H
#define MACHINE_LOAD_IMAGE_H

#include "machine/load/elf.h"
#include "machine/load/file.h"

enum load_kind { LOAD_RAW, LOAD_LINUX, LOAD_LINUX_GZIP, LOAD_ELF };

struct load_image {
	struct load_file file;
	enum load_kind kind;
	uint64_t data_off, data_len;	/* in the file: the image or its gzip'd form */
	uint64_t text_offset;		/* Linux only */
	/* Known at once for ELF, else from load_image_place() on: the memory it takes, the start. */
	gpa_t low, high, entry;
	struct load_elf elf;		/* ELF only */
};

/*
 * Opens and recognises it. Sentences for what is empty, cut short, damaged, for another
 * architecture, or compressed in a way that is not understood (-ENOEXEC and others).
 */
int load_image_probe(struct load_image *img, int fd, const char *name, struct err *err);

/*
 * Decides where in RAM it goes: at `at` (a multiple of 2 MiB) or, for Linux, at ram_base +
 * text_offset if that is higher. An ELF file stays where it is linked, but one linked at 0
 * moves to `at`. -ENOSPC: that is no memory of the VM.
 */
int load_image_place(struct load_image *img, const struct gmem *mem, gpa_t ram_base, gpa_t at,
		     struct err *err);

/* Copies it to its place; again at every boot. */
int load_image_to_guest(const struct load_image *img, const struct gmem *mem, struct err *err);

#endif
