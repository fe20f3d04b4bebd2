/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zbb: ctzw counts in the low word only, so a zero low word gives 32 whatever lies above.
 * QEMU 7.2 counts on into the upper half (mended in QEMU 8.0).
 */
#include "test.h"
	.option arch, +zbb

	.globl test_main
test_main:
	R1(ctzw, 0x20, 0x100000000)
	R1(ctzw, 0x20, 0x8000000000000000)
	R1(ctzw, 0x20, 0xffffffff00000000)
	R1(ctzw, 0x20, 0xffffffff00000000 << 7)
	PASS
