/* SPDX-License-Identifier: Apache-2.0 */
/* Sstc: stimecmp, menvcfg.STCE, mcounteren.TM (Sstc 1.0.0) */
#include "irq.h"

#define stimecmp 0x14d
#define menvcfg 0x30a
#define STCE (1 << 63)

	.globl test_main
test_main:
	SETUP_S
	csrw mie, zero
	SET(mideleg, BIT(STI))
	SET(mcounteren, 7)
	SET(scounteren, 7)
	/* STCE off: stimecmp is M's only, and STIP is a bit that M-mode writes */
	csrw menvcfg, zero
	LEGAL(csrr a0, stimecmp)
	IN_ILLEGAL(PRV_S, csrr a0, stimecmp)
	IN_ILLEGAL(PRV_S, csrw stimecmp, zero)
	RAISE(BIT(STI))
	csrr a0, mip
	andi a0, a0, BIT(STI)
	CHECK(a0, BIT(STI))
	DROP(BIT(STI))
	csrr a0, mip
	andi a0, a0, BIT(STI)
	CHECK(a0, 0)

	/* STCE on */
	li a0, STCE
	csrw menvcfg, a0
	csrr a0, menvcfg
	srli a0, a0, 63
	CHECK(a0, 1)
	IN_LEGAL(PRV_S, csrr a0, stimecmp)
	IN_ILLEGAL(PRV_U, csrr a0, stimecmp)
	li a0, 0x7fedcba987654321
	csrw stimecmp, a0
	csrr a1, stimecmp
	CHECK(a1, 0x7fedcba987654321)
	wait_mip BIT(STI), 0
	/* STIP is time >= stimecmp, unsigned; writes of mip do not move it */
	RAISE(BIT(STI))
	csrr a0, mip
	andi a0, a0, BIT(STI)
	CHECK(a0, 0)
	csrw stimecmp, zero
	wait_mip BIT(STI), 1
	DROP(BIT(STI))
	csrr a0, mip
	andi a0, a0, BIT(STI)
	CHECK(a0, BIT(STI))
	li a0, -1
	csrw stimecmp, a0
	wait_mip BIT(STI), 0
	csrw stimecmp, zero
	wait_mip BIT(STI), 1
	csrr a0, sip
	andi a0, a0, BIT(STI)
	CHECK(a0, BIT(STI))
	/* The interrupt, delegated or not */
	SET(mie, BIT(STI))
	sie 0
	IN_TAKES_NONE(PRV_S)
	IN_TAKES(PRV_U, PRV_S, STI)
	sie 1
	IN_TAKES(PRV_S, PRV_S, STI)
	csrw mideleg, zero
	TAKES(STI)
	/* One that lies ahead comes, and wfi wakes for it */
6:	csrr a0, time
	li a1, 20000
	add s3, a0, a1
	csrw stimecmp, s3
7:	csrr a0, mip
	andi a0, a0, BIT(STI)
	beqz a0, 8f
	/* Pending still, or again because this hart was held up: then from the beginning. */
	csrr a0, time
	bltu a0, s3, 7b
	j 6b
8:	wfi
	csrr a0, mip
	andi a0, a0, BIT(STI)
	beqz a0, 8b
	csrr a0, time
	sltu a0, a0, s3
	CHECK(a0, 0)
	TAKES(STI)
	/* The machine timer is another one */
	li s1, CLINT_MTIMECMP
	li a0, -1
	sd a0, 0(s1)
	wait_mip BIT(MTI), 0
	csrr a0, mip
	andi a0, a0, BIT(STI)
	CHECK(a0, BIT(STI))

	csrw mie, zero
	/* mcounteren.TM closes stimecmp to S */
	csrwi mcounteren, 5
	IN_ILLEGAL(PRV_S, csrr a0, stimecmp)
	IN_ILLEGAL(PRV_S, csrw stimecmp, zero)
	LEGAL(csrr a0, stimecmp)
	csrwi mcounteren, 2
	IN_LEGAL(PRV_S, csrr a0, stimecmp)
	PASS
