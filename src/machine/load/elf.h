/* SPDX-License-Identifier: Apache-2.0 */
/* ELF64 executables for riscv64 (System V ABI, gABI 4.1; RISC-V ELF psABI 1.0 §8). */
#ifndef MACHINE_LOAD_ELF_H
#define MACHINE_LOAD_ELF_H

#include "machine/load/file.h"

enum { LOAD_ELF_SEGMENTS = 32 };

struct load_elf {
	unsigned count;
	struct load_segment {
		uint64_t off, filesz, memsz;	/* bytes; filesz <= memsz, memsz > 0 */
		gpa_t paddr;
	} segments[LOAD_ELF_SEGMENTS];		/* PT_LOAD with memsz > 0, in the file's order */
	gpa_t low, high;			/* from the first to past the last byte, physical */
	gpa_t entry;				/* physical */
	gpa_t tohost, fromhost;			/* symbols of those names, physical; 0: none */
};

/* True when the file's first bytes are ELF's. */
bool load_is_elf(const uint8_t *head, uint64_t len);

/* Reads and checks headers and symbols. -ENOEXEC: not for this machine, or damaged. */
int load_elf_probe(struct load_elf *elf, const struct load_file *f, struct err *err);

/* Moves an executable linked at physical address 0 (position-independent, vmlinux) by delta. */
void load_elf_move(struct load_elf *elf, uint64_t delta);

/* Copies the segments, zeroes what follows them. -ENOSPC, read errors. */
int load_elf_to_guest(const struct load_elf *elf, const struct load_file *f,
		      const struct gmem *mem, struct err *err);

#endif
