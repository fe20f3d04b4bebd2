/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoded code: blocks of instructions, and how the interpreter finds the next one.
 *
 * A block holds the decoded instructions from one physical address up to a jump, the end of
 * the page or BLOCK_MAX. It knows nothing of virtual addresses, so every mapping of a page
 * shares its blocks; what depends on the PC is computed from the virtual page and insn.off.
 *
 * Finding the next block, quickest first:
 *  - succ[]: the block behind a direct jump or the fall-through within the same page. It
 *    holds as long as that block is of the present generation.
 *  - the jump cache: by virtual PC, for everything else. Its entries hold for one jump_key,
 *    made of privilege, TLB context and a counter. A filter of the pages that have entries
 *    spares them most fences of single pages, which are of data.
 *  - block_find(): translates the PC, looks the physical address up, decodes what is new.
 *
 * FENCE.I starts a new generation (cpu->block_gen). A block of an old one is compared with
 * memory when block_find() next meets it, and joins the new generation if nothing changed.
 * Until a FENCE.I, stores to code are not seen; RISC-V asks for no more ("Zifencei").
 *
 * Blocks come from an arena that is emptied as a whole when it is full. An instruction that
 * crosses into another page, or lies in a page that PMP splits, is decoded into a block of
 * its own that is rebuilt whenever it is reached (`solo`).
 */
#ifndef ENGINE_RISCV_BLOCK_H
#define ENGINE_RISCV_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/riscv/insn.h"

struct riscv_cpu;

enum {
	BLOCK_MAX = 64,			/* instructions */
	BLOCK_HASH = 65536,
	BLOCK_JUMPS = 2048,
	BLOCK_JUMP_PAGES = 4096,
	BLOCK_SOLO = 64,
};

struct block {
	uint32_t gen;			/* == cpu->block_gen: may run. 0: never */
	uint16_t count;			/* instructions, OP_block_end not counted */
	uint16_t bytes;			/* of guest code */
	struct block *succ[2];		/* [0] falls through, [1] jumps; never NULL */
	uint64_t pa;
	const uint8_t *code;		/* the guest's bytes in host memory */
	const uint8_t *raw;		/* and as they were when decoded */
	struct block *next;		/* of the same hash */
};					/* the instructions follow */

static inline struct insn *block_insns(const struct block *b)
{
	return (struct insn *)(b + 1);
}

struct jump {
	uint64_t pc, key;
	struct block *block;
	uint64_t pad;
};

struct block_cache {
	struct jump jumps[BLOCK_JUMPS];
	uint64_t jump_pages[BLOCK_JUMP_PAGES / 64];	/* bit n: pages whose number ends so */
	struct block *hash[BLOCK_HASH];
	struct block none;		/* successor of those that have none yet: gen is 0 */
	uint8_t *arena;
	uint64_t used;
	uint64_t jump_gen;
	struct solo {
		struct block block;
		struct insn insns[2];
		uint32_t raw;
	} solo[BLOCK_SOLO];
};

static inline struct jump *block_jump_slot(struct block_cache *c, uint64_t pc)
{
	return &c->jumps[(pc >> 1 ^ pc >> 12) & (BLOCK_JUMPS - 1)];
}

/* cpu->blocks; -ENOMEM with a sentence. */
int block_cache_init(struct riscv_cpu *cpu, struct err *err);
void block_cache_fini(struct riscv_cpu *cpu);	/* accepts a zeroed cpu */

/*
 * The block at cpu->pc in the present mode. NULL: fetching there traps (noted in cpu->trap).
 * prev (or NULL) is the block that continues there by prev->succ[slot], within one virtual
 * page: the result is noted as its successor. The result may run until the next call of
 * block_find() or block_fence().
 */
struct block *block_find(struct riscv_cpu *cpu, struct block *prev, unsigned slot);

/* FENCE.I: stores to code become visible. */
void block_fence(struct riscv_cpu *cpu);

/* Translations have changed, all or va's page's: forgets where PCs lead. */
void block_forget_jumps(struct riscv_cpu *cpu);
void block_forget_page(struct riscv_cpu *cpu, uint64_t va);

/* The guest's bits of in, an instruction of b (mtval of illegal instructions). */
uint32_t block_raw(const struct block *b, const struct insn *in);

#endif
