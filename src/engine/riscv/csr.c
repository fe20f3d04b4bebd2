/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/csr.h"

#include <stddef.h>

#include "base/bits.h"
#include "engine/riscv/cpu.h"
#include "engine/riscv/mmu.h"
#include "engine/riscv/trap.h"

/*
 * A CSR. Without functions it is the field at `offset` (0: reads as zero) of which `mask` can
 * be written. Writes come as value and mask, so that set and clear act on what software may
 * change and not on what the register happens to read as (mip.SEIP).
 */
struct csr {
	const char *name;
	uint64_t (*read)(struct riscv_cpu *cpu, unsigned n);
	void (*write)(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask);
	bool (*allowed)(struct riscv_cpu *cpu, unsigned n);	/* beyond the number's privilege */
	uint64_t mask;
	uint16_t offset;
};

#define FIELD(f) .offset = offsetof(struct riscv_cpu, f)

#define MISA_EXT(letter) BIT((letter) - 'A')
#define MISA (BIT(63) | MISA_EXT('I') | MISA_EXT('M') | MISA_EXT('A') | MISA_EXT('F') | \
	      MISA_EXT('D') | MISA_EXT('C') | MISA_EXT('B') | MISA_EXT('S') | MISA_EXT('U'))

#define MEDELEG_MASK UINT64_C(0xb3ff)	/* all exceptions there are but ECALL from M-mode */
#define MIDELEG_MASK (MIP_SSIP | MIP_STIP | MIP_SEIP)
#define MIE_MASK (MIDELEG_MASK | MIP_MSIP | MIP_MTIP | MIP_MEIP)
#define MSTATUS_MASK \
	(MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP | \
	 MSTATUS_FS | MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW | \
	 MSTATUS_TSR)
#define SSTATUS_MASK \
	(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR)
#define SENVCFG_MASK (ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE)
#define MENVCFG_MASK (SENVCFG_MASK | ENVCFG_ADUE | ENVCFG_PBMTE | ENVCFG_STCE)

/* Numbers of the unprivileged counters from which the bits of mcounteren count. */
enum { CSR_CYCLE = 0xc00, CSR_STIMECMP_BIT = 1 };

enum { COUNTER_CYCLE = 0, COUNTER_INSTRET = 2 };

static uint64_t mix(uint64_t old, uint64_t value, uint64_t mask)
{
	return (old & ~mask) | (value & mask);
}

/* ---- floating point ------------------------------------------------------------------- */

static bool fp_on(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->fs != FS_OFF;
}

static uint64_t read_fflags(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->fflags;
}

static uint64_t read_frm(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->frm;
}

static uint64_t read_fcsr(struct riscv_cpu *cpu, unsigned n)
{
	return (uint64_t)cpu->frm << 5 | cpu->fflags;
}

static void write_fcsr(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	uint64_t fcsr = mix(read_fcsr(cpu, n), value, mask);

	cpu->fflags = (uint8_t)bits_get(fcsr, 0, 5);
	cpu->frm = (uint8_t)bits_get(fcsr, 5, 3);
	cpu->fs = FS_DIRTY;
}

static void write_fflags(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	write_fcsr(cpu, n, value, mask & 0x1f);
}

static void write_frm(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	write_fcsr(cpu, n, value << 5, (mask & 7) << 5);
}

/* ---- status --------------------------------------------------------------------------- */

static uint64_t read_mstatus(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->mstatus | (uint64_t)cpu->fs << MSTATUS_FS_SHIFT |
	       (cpu->fs == FS_DIRTY ? MSTATUS_SD : 0);
}

static void write_status(struct riscv_cpu *cpu, uint64_t value, uint64_t mask)
{
	uint64_t old = read_mstatus(cpu, 0), status = mix(old, value, mask);

	/* Mode 2 does not exist: MPP keeps what it was. */
	if (bits_get(status, MSTATUS_MPP_SHIFT, 2) == 2)
		status = mix(status, old, MSTATUS_MPP);
	cpu->fs = (uint8_t)bits_get(status, MSTATUS_FS_SHIFT, 2);
	cpu->mstatus = status & ~(MSTATUS_FS | MSTATUS_SD);
	/* TLB entries for reads were made under the old MXR. */
	if ((status ^ old) & MSTATUS_MXR)
		tlb_flush(cpu);
	riscv_mode_changed(cpu);
	riscv_poll_soon(cpu);
}

static void write_mstatus(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	write_status(cpu, value, mask & MSTATUS_MASK);
}

static uint64_t read_sstatus(struct riscv_cpu *cpu, unsigned n)
{
	return read_mstatus(cpu, n) & (SSTATUS_MASK | MSTATUS_UXL64 | MSTATUS_SD);
}

static void write_sstatus(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	write_status(cpu, value, mask & SSTATUS_MASK);
}

static uint64_t read_misa(struct riscv_cpu *cpu, unsigned n)
{
	return MISA;
}

static uint64_t read_mhartid(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->v->index;
}

static void write_ignored(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
}

/* ---- interrupts ----------------------------------------------------------------------- */

static uint64_t read_mip(struct riscv_cpu *cpu, unsigned n)
{
	return riscv_mip(cpu);
}

static uint64_t read_sip(struct riscv_cpu *cpu, unsigned n)
{
	return riscv_mip(cpu) & cpu->mideleg;
}

static uint64_t read_sie(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->mie & cpu->mideleg;
}

static void write_mip(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	uint64_t can = MIP_SSIP | MIP_SEIP | (cpu->menvcfg & ENVCFG_STCE ? 0 : MIP_STIP);

	riscv_mip(cpu);		/* takes edges over, so that clearing SSIP clears them */
	cpu->mip = mix(cpu->mip, value, mask & can);
	riscv_poll_soon(cpu);
}

static void write_sip(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	write_mip(cpu, n, value, mask & cpu->mideleg & MIP_SSIP);
}

static void write_mie(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	cpu->mie = mix(cpu->mie, value, mask & MIE_MASK);
	riscv_poll_soon(cpu);
}

static void write_sie(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	write_mie(cpu, n, value, mask & cpu->mideleg);
}

static void write_mideleg(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	cpu->mideleg = mix(cpu->mideleg, value, mask & MIDELEG_MASK);
	riscv_poll_soon(cpu);
}

static uint64_t write_tvec(uint64_t old, uint64_t value, uint64_t mask)
{
	uint64_t tvec = mix(old, value, mask);

	/* Modes 2 and 3 are reserved: such a write changes nothing. */
	return tvec & 2 ? old : tvec;
}

static void write_mtvec(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	cpu->mtvec = write_tvec(cpu->mtvec, value, mask);
}

static void write_stvec(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	cpu->stvec = write_tvec(cpu->stvec, value, mask);
}

/* ---- counters ------------------------------------------------------------------------- */

static uint64_t *counter_offset(struct riscv_cpu *cpu, unsigned which)
{
	return which == COUNTER_CYCLE ? &cpu->cycle_offset : &cpu->instret_offset;
}

static uint64_t *counter_held(struct riscv_cpu *cpu, unsigned which)
{
	return which == COUNTER_CYCLE ? &cpu->cycle_held : &cpu->instret_held;
}

/* Cycles are instructions: an interpreter has no better idea of its pace. */
static uint64_t read_counter(struct riscv_cpu *cpu, unsigned n)
{
	unsigned which = n & 31;

	if (cpu->mcountinhibit >> which & 1)
		return *counter_held(cpu, which);
	return cpu->icount + *counter_offset(cpu, which);
}

/* A write takes effect behind its instruction, so the next one finds value. */
static void set_counter(struct riscv_cpu *cpu, unsigned which, uint64_t value)
{
	*counter_held(cpu, which) = value;
	*counter_offset(cpu, which) = value - (cpu->icount + 1);
}

static void write_counter(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	set_counter(cpu, n & 31, mix(read_counter(cpu, n), value, mask));
}

static void write_mcountinhibit(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	uint64_t was = cpu->mcountinhibit;
	uint64_t now = mix(was, value, mask & (BIT(COUNTER_CYCLE) | BIT(COUNTER_INSTRET)));

	/* A counter that stops still counts the instruction that stops it. */
	for (unsigned which = COUNTER_CYCLE; which <= COUNTER_INSTRET; which++)
		if ((was ^ now) >> which & 1)
			set_counter(cpu, which, read_counter(cpu, which) + !(was >> which & 1));
	cpu->mcountinhibit = now;
}

static uint64_t read_time(struct riscv_cpu *cpu, unsigned n)
{
	return timebase_read(&cpu->v->vm->tb);
}

static bool counter_on(struct riscv_cpu *cpu, unsigned n)
{
	uint64_t enabled = ~UINT64_C(0);

	if (cpu->priv < PRIV_M)
		enabled &= cpu->mcounteren;
	if (cpu->priv < PRIV_S)
		enabled &= cpu->scounteren;
	return enabled >> (n - CSR_CYCLE) & 1;
}

static bool stimecmp_on(struct riscv_cpu *cpu, unsigned n)
{
	if (cpu->priv == PRIV_M)
		return true;
	return (cpu->menvcfg & ENVCFG_STCE) && (cpu->mcounteren >> CSR_STIMECMP_BIT & 1);
}

static void write_stimecmp(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	cpu->stimecmp = mix(cpu->stimecmp, value, mask);
	riscv_poll_soon(cpu);
}

/* ---- environment, translation, protection --------------------------------------------- */

/* CBIE = 2 is reserved: the field keeps what it was. */
static uint64_t mix_envcfg(uint64_t old, uint64_t value, uint64_t mask)
{
	uint64_t cfg = mix(old, value, mask);

	return bits_get(cfg, ENVCFG_CBIE_SHIFT, 2) == 2 ? mix(cfg, old, ENVCFG_CBIE) : cfg;
}

static void write_menvcfg(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	cpu->menvcfg = mix_envcfg(cpu->menvcfg, value, mask & MENVCFG_MASK);
	tlb_flush(cpu);
	riscv_poll_soon(cpu);
}

static void write_senvcfg(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	cpu->senvcfg = mix_envcfg(cpu->senvcfg, value, mask & SENVCFG_MASK);
}

static bool satp_on(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->priv == PRIV_M || !(cpu->mstatus & MSTATUS_TVM);
}

static void write_satp(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	uint64_t satp = mix(cpu->satp, value, mask), mode = satp >> 60;

	if (mode != SATP_BARE && mode != SATP_SV39 && mode != SATP_SV48 && mode != SATP_SV57)
		return;
	cpu->satp = satp;
	tlb_switch_space(cpu);
}

static uint64_t read_pmpcfg(struct riscv_cpu *cpu, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)cpu->pmp.cfg[(n & 15) * 4 + i] << (8 * i);
	return v;
}

static void write_pmpcfg(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	uint64_t v = mix(read_pmpcfg(cpu, n), value, mask);

	for (unsigned i = 0; i < 8; i++)
		pmp_write_cfg(&cpu->pmp, (n & 15) * 4 + i, (uint8_t)(v >> (8 * i)));
	tlb_flush(cpu);
}

static uint64_t read_pmpaddr(struct riscv_cpu *cpu, unsigned n)
{
	return cpu->pmp.addr[n & 15];
}

static void write_pmpaddr(struct riscv_cpu *cpu, unsigned n, uint64_t value, uint64_t mask)
{
	pmp_write_addr(&cpu->pmp, n & 15, mix(cpu->pmp.addr[n & 15], value, mask));
	tlb_flush(cpu);
}

/* No triggers: tinfo says so for trigger 0, the only one that tselect can name. */
static uint64_t read_tinfo(struct riscv_cpu *cpu, unsigned n)
{
	return 1;
}

/* ---- the table ------------------------------------------------------------------------ */

static const struct csr csrs[4096] = {
	[0x001] = { "fflags", read_fflags, write_fflags, fp_on },
	[0x002] = { "frm", read_frm, write_frm, fp_on },
	[0x003] = { "fcsr", read_fcsr, write_fcsr, fp_on },

	[0x100] = { "sstatus", read_sstatus, write_sstatus },
	[0x104] = { "sie", read_sie, write_sie },
	[0x105] = { "stvec", .write = write_stvec, FIELD(stvec) },
	[0x106] = { "scounteren", FIELD(scounteren), .mask = UINT32_MAX },
	[0x10a] = { "senvcfg", .write = write_senvcfg, FIELD(senvcfg) },
	[0x140] = { "sscratch", FIELD(sscratch), .mask = UINT64_MAX },
	[0x141] = { "sepc", FIELD(sepc), .mask = ~UINT64_C(1) },
	[0x142] = { "scause", FIELD(scause), .mask = UINT64_MAX },
	[0x143] = { "stval", FIELD(stval), .mask = UINT64_MAX },
	[0x144] = { "sip", read_sip, write_sip },
	[0x14d] = { "stimecmp", .write = write_stimecmp, .allowed = stimecmp_on, FIELD(stimecmp) },
	[0x180] = { "satp", .write = write_satp, .allowed = satp_on, FIELD(satp) },

	[0x300] = { "mstatus", read_mstatus, write_mstatus },
	[0x301] = { "misa", read_misa, write_ignored },
	[0x302] = { "medeleg", FIELD(medeleg), .mask = MEDELEG_MASK },
	[0x303] = { "mideleg", .write = write_mideleg, FIELD(mideleg) },
	[0x304] = { "mie", .write = write_mie, FIELD(mie) },
	[0x305] = { "mtvec", .write = write_mtvec, FIELD(mtvec) },
	[0x306] = { "mcounteren", FIELD(mcounteren), .mask = UINT32_MAX },
	[0x30a] = { "menvcfg", .write = write_menvcfg, FIELD(menvcfg) },
	[0x320] = { "mcountinhibit", .write = write_mcountinhibit, FIELD(mcountinhibit) },
	[0x323 ... 0x33f] = { "mhpmevent" },
	[0x340] = { "mscratch", FIELD(mscratch), .mask = UINT64_MAX },
	[0x341] = { "mepc", FIELD(mepc), .mask = ~UINT64_C(1) },
	[0x342] = { "mcause", FIELD(mcause), .mask = UINT64_MAX },
	[0x343] = { "mtval", FIELD(mtval), .mask = UINT64_MAX },
	[0x344] = { "mip", read_mip, write_mip },
	[0x3a0] = { "pmpcfg0", read_pmpcfg, write_pmpcfg },
	[0x3a2] = { "pmpcfg2", read_pmpcfg, write_pmpcfg },
	[0x3b0 ... 0x3bf] = { "pmpaddr", read_pmpaddr, write_pmpaddr },

	[0x7a0] = { "tselect" },
	[0x7a1 ... 0x7a3] = { "tdata" },
	[0x7a4] = { "tinfo", read_tinfo, write_ignored },

	[0xb00] = { "mcycle", read_counter, write_counter },
	[0xb02] = { "minstret", read_counter, write_counter },
	[0xb03 ... 0xb1f] = { "mhpmcounter" },

	[0xc00] = { "cycle", read_counter, .allowed = counter_on },
	[0xc01] = { "time", read_time, .allowed = counter_on },
	[0xc02] = { "instret", read_counter, .allowed = counter_on },
	[0xc03 ... 0xc1f] = { "hpmcounter", .allowed = counter_on },

	[0xf11] = { "mvendorid" },
	[0xf12] = { "marchid" },
	[0xf13] = { "mimpid" },
	[0xf14] = { "mhartid", read_mhartid },
	[0xf15] = { "mconfigptr" },
};

static uint64_t *field_of(struct riscv_cpu *cpu, const struct csr *c)
{
	return (uint64_t *)((char *)cpu + c->offset);
}

static uint64_t read_csr(struct riscv_cpu *cpu, const struct csr *c, unsigned n)
{
	if (c->read)
		return c->read(cpu, n);
	return c->offset ? *field_of(cpu, c) : 0;
}

static void write_csr(struct riscv_cpu *cpu, const struct csr *c, unsigned n, uint64_t value,
		      uint64_t mask)
{
	if (c->write)
		c->write(cpu, n, value, mask);
	else if (c->offset)
		*field_of(cpu, c) = mix(*field_of(cpu, c), value, mask & c->mask);
}

bool csr_access(struct riscv_cpu *cpu, unsigned n, bool read, uint64_t *old, bool write,
		uint64_t value, uint64_t mask)
{
	const struct csr *c = &csrs[n & 0xfff];

	/* Bits 9-8 of the number are the least privilege, 11-10 set mean read-only. */
	if (!c->name || cpu->priv < bits_get(n, 8, 2) || (write && bits_get(n, 10, 2) == 3) ||
	    (c->allowed && !c->allowed(cpu, n)))
		return false;
	if (read)
		*old = read_csr(cpu, c, n);
	if (write)
		write_csr(cpu, c, n, value, mask);
	return true;
}
