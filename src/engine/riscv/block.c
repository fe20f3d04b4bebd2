/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "engine/riscv/cpu.h"
#include "engine/riscv/mem.h"

/* Address space for a hart's blocks; the host fills it with memory as it is used. */
#define ARENA_SIZE (32 * MIB)

/* The most one block takes: header, instructions, OP_block_end, raw bytes. */
#define BLOCK_BYTES (sizeof(struct block) + (BLOCK_MAX + 1) * sizeof(struct insn) + 4 * BLOCK_MAX)

int block_cache_init(struct riscv_cpu *cpu, struct err *err)
{
	struct block_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(err, -ENOMEM, "not enough memory for a CPU's code cache");
	cpu->blocks = c;
	c->arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->arena == MAP_FAILED) {
		c->arena = NULL;
		return err_set(err, -ENOMEM, "not enough memory for a CPU's code cache");
	}
	c->none.succ[0] = c->none.succ[1] = &c->none;
	cpu->block_gen = 1;
	return 0;
}

void block_cache_fini(struct riscv_cpu *cpu)
{
	if (!cpu->blocks)
		return;
	if (cpu->blocks->arena)
		munmap(cpu->blocks->arena, ARENA_SIZE);
	free(cpu->blocks);
	cpu->blocks = NULL;
}

static unsigned hash_of(uint64_t pa)
{
	return (unsigned)((pa >> 1 ^ pa >> 16) & (BLOCK_HASH - 1));
}

void block_forget_jumps(struct riscv_cpu *cpu)
{
	cpu->blocks->jump_gen++;
	memset(cpu->blocks->jump_pages, 0, sizeof(cpu->blocks->jump_pages));
	riscv_mode_changed(cpu);
}

static uint64_t *jump_page(struct block_cache *c, uint64_t va, uint64_t *bit)
{
	*bit = BIT(va >> 12 & 63);
	return &c->jump_pages[va >> 18 & (ARRAY_LEN(c->jump_pages) - 1)];
}

void block_forget_page(struct riscv_cpu *cpu, uint64_t va)
{
	uint64_t bit;

	if (*jump_page(cpu->blocks, va, &bit) & bit)
		block_forget_jumps(cpu);
}

static void remember_jump(struct riscv_cpu *cpu, struct block *b)
{
	uint64_t bit;

	*jump_page(cpu->blocks, cpu->pc, &bit) |= bit;
	*block_jump_slot(cpu->blocks, cpu->pc) =
		(struct jump){ .pc = cpu->pc, .key = cpu->jump_key, .block = b };
}

static void empty_arena(struct riscv_cpu *cpu)
{
	struct block_cache *c = cpu->blocks;

	memset(c->hash, 0, sizeof(c->hash));
	c->used = 0;
	/* Jump cache entries lead into the arena; succ[] pointers are gone with their blocks. */
	block_forget_jumps(cpu);
}

void block_fence(struct riscv_cpu *cpu)
{
	if (++cpu->block_gen == 0) {
		/* Old numbers come up again: no block may be left that bears one. */
		cpu->block_gen = 1;
		empty_arena(cpu);
	}
	block_forget_jumps(cpu);
}

static bool unchanged(const struct block *b)
{
	for (unsigned i = 0; i < b->bytes; i += 2)
		if (ram_ld16(b->code + i) != ld_le16(b->raw + i))
			return false;
	return true;
}

uint32_t block_raw(const struct block *b, const struct insn *in)
{
	const uint8_t *p = b->raw + (in->off - block_insns(b)->off);

	return in->size == 2 ? ld_le16(p) : ld_le32(p);
}

static void block_end(struct block *b, struct insn *end, unsigned off)
{
	*end = (struct insn){ .op = OP_block_end, .off = (uint16_t)off };
	b->bytes = (uint16_t)(off - block_insns(b)->off);
}

/*
 * Decodes from page->host[off] on. Other harts may be writing there, so every halfword is read
 * once: what is decoded is also what unchanged() compares. NULL when not even the first
 * instruction ends in the page.
 */
static struct block *decode_block(struct riscv_cpu *cpu, const struct fetch_page *page,
				  unsigned off)
{
	struct block_cache *c = cpu->blocks;
	uint8_t code[4 * BLOCK_MAX], *raw;
	const unsigned first = off;
	struct block *b;
	struct insn *in;

	b = (struct block *)(c->arena + c->used);
	*b = (struct block){
		.gen = cpu->block_gen, .succ = { &c->none, &c->none },
		.pa = page->pa + off, .code = page->host + off,
	};
	in = block_insns(b);
	while (off < GMEM_PAGE && b->count < BLOCK_MAX) {
		uint32_t word = ram_ld16(page->host + off);
		unsigned len = insn_length((uint16_t)word);

		if (off + len > GMEM_PAGE)
			break;
		st_le16(code + (off - first), (uint16_t)word);
		if (len == 4) {
			word |= (uint32_t)ram_ld16(page->host + off + 2) << 16;
			st_le32(code + (off - first), word);
		}
		insn_decode(&cpu->decoder, word, in);
		in->off = (uint16_t)off;
		off += len;
		b->count++;
		in++;
		if (in[-1].op == OP_illegal || (insn_props(in[-1].op) & INSN_END))
			break;
	}
	if (!b->count)
		return NULL;
	block_end(b, in, off);
	raw = (uint8_t *)(in + 1);
	memcpy(raw, code, b->bytes);
	b->raw = raw;
	c->used += align_up((uint64_t)(raw + b->bytes - (c->arena + c->used)), 64);
	return b;
}

/* The instruction at cpu->pc alone: it crosses into the next page, or PMP splits its page. */
static struct block *solo_block(struct riscv_cpu *cpu, const struct fetch_page *page, unsigned off)
{
	struct block_cache *c = cpu->blocks;
	struct solo *s = &c->solo[cpu->pc >> 12 & (BLOCK_SOLO - 1)];
	struct fetch_page next = *page;
	unsigned len, here;
	uint32_t word;

	if (!page->uniform && !riscv_fetch_ok(cpu, cpu->pc, page->pa + off, 2))
		return NULL;
	word = ram_ld16(page->host + off);
	len = insn_length((uint16_t)word);
	here = off + len > GMEM_PAGE ? 2 : len;
	if (len == 4) {
		unsigned second = here == 4 ? off + 2 : 0;

		if (here == 2 && !riscv_fetch_page(cpu, cpu->pc + 2, &next))
			return NULL;
		if (!next.uniform && !riscv_fetch_ok(cpu, cpu->pc + 2, next.pa + second, 2))
			return NULL;
		word |= (uint32_t)ram_ld16(next.host + second) << 16;
	}
	/* Never of a generation: nothing may lead here but block_find(). */
	if (s->block.count == 0 || s->raw != word || s->insns[0].off != off) {
		s->block = (struct block){
			.succ = { &c->none, &c->none }, .count = 1,
			.raw = (const uint8_t *)&s->raw,
		};
		st_le32(&s->raw, word);
		insn_decode(&cpu->decoder, word, s->insns);
		s->insns[0].off = (uint16_t)off;
		block_end(&s->block, &s->insns[1], off + len);
	}
	return &s->block;
}

struct block *block_find(struct riscv_cpu *cpu, struct block *prev, unsigned slot)
{
	struct block_cache *c = cpu->blocks;
	unsigned off = (unsigned)(cpu->pc & (GMEM_PAGE - 1));
	struct block **link, *b;
	struct fetch_page page;
	uint64_t pa;

	if (!riscv_fetch_page(cpu, cpu->pc, &page))
		return NULL;
	if (!page.uniform ||
	    (off == GMEM_PAGE - 2 && insn_length(ram_ld16(page.host + off)) == 4))
		return solo_block(cpu, &page, off);
	pa = page.pa + off;
	link = &c->hash[hash_of(pa)];
	while (*link && (*link)->pa != pa)
		link = &(*link)->next;
	b = *link;
	if (b && b->gen != cpu->block_gen) {
		if (unchanged(b)) {
			b->gen = cpu->block_gen;
		} else {
			*link = b->next;
			b = NULL;
		}
	}
	if (!b) {
		if (ARENA_SIZE - c->used < BLOCK_BYTES) {
			empty_arena(cpu);
			prev = NULL;
		}
		b = decode_block(cpu, &page, off);
		if (!b)		/* it became a longer one since it was looked at */
			return solo_block(cpu, &page, off);
		b->next = c->hash[hash_of(pa)];
		c->hash[hash_of(pa)] = b;
	}
	/* A solo block is of no generation and keeps no successors. */
	if (prev && prev->gen == cpu->block_gen)
		prev->succ[slot] = b;
	remember_jump(cpu, b);
	return b;
}
