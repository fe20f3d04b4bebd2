/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several interrupts pending for one mode are taken in the order MEI, MSI, MTI, SEI, SSI, STI
 * (Privileged ISA 3.1.9). QEMU 7.2 without AIA takes the lowest number.
 */
#include "irq.h"

	.globl test_main
test_main:
	SETUP_S
	csrw mie, zero
	csrw mideleg, zero
	li s0, CLINT_MSIP
	li s1, CLINT_MTIMECMP
	li a0, 1
	sw a0, 0(s0)
	sd zero, 0(s1)
	wait_mip BIT(MSI), 1
	wait_mip BIT(MTI), 1
	RAISE(BIT(SSI) | BIT(STI) | BIT(SEI))
	SET(mie, BIT(MSI) | BIT(MTI) | BIT(SEI) | BIT(SSI) | BIT(STI))
	TAKES(MSI)
	IN_TAKES(PRV_U, PRV_M, MSI)
	SET(mie, BIT(MTI) | BIT(SEI) | BIT(SSI) | BIT(STI))
	TAKES(MTI)
	SET(mie, BIT(SEI) | BIT(SSI) | BIT(STI))
	TAKES(SEI)
	SET(mie, BIT(SSI) | BIT(STI))
	TAKES(SSI)
	SET(mie, BIT(STI))
	TAKES(STI)

	/* The same among what S-mode takes */
	SET(mideleg, BIT(SEI) | BIT(SSI) | BIT(STI))
	SET(mie, BIT(SEI) | BIT(SSI) | BIT(STI))
	IN_TAKES(PRV_U, PRV_S, SEI)
	sie 1
	IN_TAKES(PRV_S, PRV_S, SEI)
	SET(mie, BIT(STI) | BIT(SSI))
	IN_TAKES(PRV_U, PRV_S, SSI)
	SET(mie, BIT(STI))
	IN_TAKES(PRV_U, PRV_S, STI)

	/* M-mode's come first, and only what is delegated goes to S */
	SET(mideleg, BIT(SEI) | BIT(STI))
	SET(mie, BIT(MTI) | BIT(SEI) | BIT(SSI) | BIT(STI))
	IN_TAKES(PRV_U, PRV_M, MTI)
	SET(mie, BIT(SEI) | BIT(SSI) | BIT(STI))
	IN_TAKES(PRV_U, PRV_M, SSI)
	PASS
