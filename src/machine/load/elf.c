/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/load/elf.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"

/* Sanity bounds on tables; what is larger is no program for this board. */
enum { MAX_PHDRS = 256, SYM_CHUNK = 512 };
#define MAX_STRTAB (UINT64_C(64) << 20)
#define GPA_END (UINT64_C(1) << 56)

bool load_is_elf(const uint8_t *head, uint64_t len)
{
	return len >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static int damaged(const struct load_file *f, const char *what, struct err *err)
{
	return err_set(err, -ENOEXEC, "%s: damaged ELF file: %s; build or download it again",
		       f->name, what);
}

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_X86_64: return "x86-64";
	case EM_386: return "i386";
	case EM_AARCH64: return "arm64";
	case EM_ARM: return "arm";
	case EM_PPC64: return "ppc64";
	case EM_S390: return "s390x";
	case EM_MIPS: return "mips";
	default: return "another architecture";
	}
}

static int check_header(const struct load_file *f, const Elf64_Ehdr *h, struct err *err)
{
	unsigned machine = le16toh(h->e_machine);
	unsigned type = le16toh(h->e_type);

	if (machine != EM_RISCV)
		return err_set(err, -ENOEXEC, "%s: is a program for %s, but the machine is "
			       "riscv64; name one built for riscv64", f->name,
			       machine_name(machine));
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return err_set(err, -ENOEXEC, "%s: is a 32-bit or big-endian RISC-V program, but "
			       "the machine is riscv64; name one built for riscv64", f->name);
	if (type != ET_EXEC && type != ET_DYN)
		return err_set(err, -ENOEXEC, "%s: is an object or core file; link it into an "
			       "executable first", f->name);
	if (!h->e_phnum || le16toh(h->e_phnum) > MAX_PHDRS ||
	    le16toh(h->e_phentsize) != sizeof(Elf64_Phdr))
		return damaged(f, "no sensible program headers", err);
	return 0;
}

static int add_segment(struct load_elf *elf, const struct load_file *f, const Elf64_Phdr *p,
		       struct err *err)
{
	struct load_segment s = {
		.off = le64toh(p->p_offset), .filesz = le64toh(p->p_filesz),
		.memsz = le64toh(p->p_memsz), .paddr = le64toh(p->p_paddr),
	};

	if (le32toh(p->p_type) != PT_LOAD || !s.memsz)
		return 0;
	if (s.filesz > s.memsz)
		return damaged(f, "a segment is larger in the file than in memory", err);
	if (!range_within(s.off, s.filesz, f->size))
		return err_set(err, -ENOEXEC, "%s: is cut short: a segment ends past the file's "
			       "end; build or download it again", f->name);
	if (!range_within(s.paddr, s.memsz, GPA_END))
		return damaged(f, "a segment lies outside the address space", err);
	if (elf->count == LOAD_ELF_SEGMENTS)
		return damaged(f, "too many segments", err);
	for (unsigned i = 0; i < elf->count; i++) {
		const struct load_segment *o = &elf->segments[i];

		if (ranges_overlap(o->paddr, o->memsz, s.paddr, s.memsz))
			return damaged(f, "two segments overlap", err);
	}
	if (!elf->count || s.paddr < elf->low)
		elf->low = s.paddr;
	if (s.paddr + s.memsz > elf->high)
		elf->high = s.paddr + s.memsz;
	elf->segments[elf->count++] = s;
	return 0;
}

/* The physical address that a virtual one of the program headers has. */
static gpa_t to_physical(const Elf64_Phdr *phdrs, unsigned count, uint64_t vaddr)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t off = vaddr - le64toh(phdrs[i].p_vaddr);

		if (le32toh(phdrs[i].p_type) == PT_LOAD && off < le64toh(phdrs[i].p_memsz))
			return le64toh(phdrs[i].p_paddr) + off;
	}
	return vaddr;
}

/* ---- symbols ---------------------------------------------------------------------- */

struct symtab {
	uint64_t off, count;
	char *names;
	uint64_t names_len;	/* names[names_len - 1] == 0 */
};

/* Finds the symbol table; t->names == NULL when there is none. */
static int read_symtab(struct symtab *t, const struct load_file *f, const Elf64_Ehdr *h,
		       struct err *err)
{
	uint64_t off = le64toh(h->e_shoff);
	unsigned count = le16toh(h->e_shnum);
	Elf64_Shdr sym = { 0 }, str;
	unsigned link;
	int rc;

	if (!off || !count || le16toh(h->e_shentsize) != sizeof(Elf64_Shdr) ||
	    !range_within(off, (uint64_t)count * sizeof(Elf64_Shdr), f->size))
		return 0;
	for (unsigned i = 0; i < count && le32toh(sym.sh_type) != SHT_SYMTAB; i++) {
		rc = load_file_read(f, off + i * sizeof(sym), &sym, sizeof(sym), err);
		if (rc)
			return rc;
	}
	link = le32toh(sym.sh_link);
	if (le32toh(sym.sh_type) != SHT_SYMTAB || link >= count ||
	    le64toh(sym.sh_entsize) != sizeof(Elf64_Sym) ||
	    !range_within(le64toh(sym.sh_offset), le64toh(sym.sh_size), f->size))
		return 0;
	rc = load_file_read(f, off + link * sizeof(str), &str, sizeof(str), err);
	if (rc)
		return rc;
	t->names_len = le64toh(str.sh_size);
	if (le32toh(str.sh_type) != SHT_STRTAB || !t->names_len || t->names_len > MAX_STRTAB ||
	    !range_within(le64toh(str.sh_offset), t->names_len, f->size))
		return 0;
	t->names = malloc(t->names_len);
	if (!t->names)
		return err_set(err, -ENOMEM, "%s: no memory for its symbols", f->name);
	rc = load_file_read(f, le64toh(str.sh_offset), t->names, t->names_len, err);
	if (rc)
		return rc;
	t->names[t->names_len - 1] = 0;
	t->off = le64toh(sym.sh_offset);
	t->count = le64toh(sym.sh_size) / sizeof(Elf64_Sym);
	return 0;
}

/* Looks for tohost and fromhost; a file without symbols is fine. */
static int find_host_symbols(struct load_elf *elf, const struct load_file *f, const Elf64_Ehdr *h,
			     const Elf64_Phdr *phdrs, struct err *err)
{
	struct symtab t = { 0 };
	Elf64_Sym *chunk = NULL;
	int rc = read_symtab(&t, f, h, err);

	if (rc || !t.names)
		goto out;
	chunk = calloc(SYM_CHUNK, sizeof(*chunk));
	rc = chunk ? 0 : err_set(err, -ENOMEM, "%s: no memory for its symbols", f->name);
	for (uint64_t i = 0; !rc && i < t.count; i += SYM_CHUNK) {
		uint64_t n = t.count - i < SYM_CHUNK ? t.count - i : SYM_CHUNK;

		rc = load_file_read(f, t.off + i * sizeof(*chunk), chunk, n * sizeof(*chunk), err);
		for (uint64_t k = 0; !rc && k < n; k++) {
			uint32_t name = le32toh(chunk[k].st_name);
			uint64_t value = le64toh(chunk[k].st_value);

			if (name >= t.names_len || !chunk[k].st_shndx)
				continue;
			if (!strcmp(t.names + name, "tohost"))
				elf->tohost = to_physical(phdrs, le16toh(h->e_phnum), value);
			else if (!strcmp(t.names + name, "fromhost"))
				elf->fromhost = to_physical(phdrs, le16toh(h->e_phnum), value);
		}
	}
out:
	free(chunk);
	free(t.names);
	return rc;
}

/* ---- the whole ------------------------------------------------------------------------ */

int load_elf_probe(struct load_elf *elf, const struct load_file *f, struct err *err)
{
	Elf64_Ehdr h;
	Elf64_Phdr *phdrs = NULL;
	uint64_t bytes;
	int rc;

	memset(elf, 0, sizeof(*elf));
	rc = load_file_read(f, 0, &h, sizeof(h), err);
	if (!rc)
		rc = check_header(f, &h, err);
	if (rc)
		return rc;
	bytes = (uint64_t)le16toh(h.e_phnum) * sizeof(*phdrs);
	if (!range_within(le64toh(h.e_phoff), bytes, f->size))
		return damaged(f, "the program headers lie past its end", err);
	phdrs = malloc(bytes);
	if (!phdrs)
		return err_set(err, -ENOMEM, "%s: no memory for its headers", f->name);
	rc = load_file_read(f, le64toh(h.e_phoff), phdrs, bytes, err);
	for (unsigned i = 0; !rc && i < le16toh(h.e_phnum); i++)
		rc = add_segment(elf, f, &phdrs[i], err);
	if (!rc && !elf->count)
		rc = damaged(f, "nothing in it is to be loaded", err);
	if (!rc) {
		elf->entry = to_physical(phdrs, le16toh(h.e_phnum), le64toh(h.e_entry));
		rc = elf->entry % 2 ? damaged(f, "it begins at an odd address", err) :
				      find_host_symbols(elf, f, &h, phdrs, err);
	}
	free(phdrs);
	return rc;
}

void load_elf_move(struct load_elf *elf, uint64_t delta)
{
	for (unsigned i = 0; i < elf->count; i++)
		elf->segments[i].paddr += delta;
	elf->low += delta;
	elf->high += delta;
	elf->entry += delta;
	if (elf->tohost)
		elf->tohost += delta;
	if (elf->fromhost)
		elf->fromhost += delta;
}

int load_elf_to_guest(const struct load_elf *elf, const struct load_file *f,
		      const struct gmem *mem, struct err *err)
{
	for (unsigned i = 0; i < elf->count; i++) {
		const struct load_segment *s = &elf->segments[i];
		int rc = load_file_to_guest(f, s->off, mem, s->paddr, s->filesz, err);

		if (!rc)
			rc = load_zero(f, mem, s->paddr + s->filesz, s->memsz - s->filesz, err);
		if (rc)
			return rc;
	}
	return 0;
}
