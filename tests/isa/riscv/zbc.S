/* SPDX-License-Identifier: Apache-2.0 */
/* Zbc: carry-less multiplication (Bit-manipulation 1.0.0) */
#include "test.h"
	.option arch, +zbc

	.globl test_main
test_main:
	RR(clmul, 0, 0, 0)
	RR(clmul, 2, 1, 2)
	RR(clmul, 0x5555555555555555, -1, -1)
	RR(clmul, -1, -1, 1)
	RR(clmul, 0x8000000000000000, 0x8000000000000000, 0x7fffffffffffffff)
	RR(clmul, 0x8000000000000000, 0x7fffffffffffffff, 0x8000000000000000)
	RR(clmul, 0x5555555500000000, 0xffffffff, 0xffffffff00000000)
	RR(clmul, 0x4d5e6f7800000000, 0x80000000, 0x123456789abcdef0)
	RR(clmul, 0x4d5e6f7800000000, 0x123456789abcdef0, 0x80000000)
	RR(clmul, 0xf099825fe2af618a, 0xdeadbeefcafebabe, 0x123456789abcdef)
	RR(clmulh, 0, 0, 0)
	RR(clmulh, 0, 1, 2)
	RR(clmulh, 0x5555555555555555, -1, -1)
	RR(clmulh, 0, -1, 1)
	RR(clmulh, 0x3fffffffffffffff, 0x8000000000000000, 0x7fffffffffffffff)
	RR(clmulh, 0x3fffffffffffffff, 0x7fffffffffffffff, 0x8000000000000000)
	RR(clmulh, 0x55555555, 0xffffffff, 0xffffffff00000000)
	RR(clmulh, 0x91a2b3c, 0x80000000, 0x123456789abcdef0)
	RR(clmulh, 0x91a2b3c, 0x123456789abcdef0, 0x80000000)
	RR(clmulh, 0xc42fde8b6b5592, 0xdeadbeefcafebabe, 0x123456789abcdef)
	RR(clmulr, 0, 0, 0)
	RR(clmulr, 0, 1, 2)
	RR(clmulr, 0xaaaaaaaaaaaaaaaa, -1, -1)
	RR(clmulr, 1, -1, 1)
	RR(clmulr, 0x7fffffffffffffff, 0x8000000000000000, 0x7fffffffffffffff)
	RR(clmulr, 0x7fffffffffffffff, 0x7fffffffffffffff, 0x8000000000000000)
	RR(clmulr, 0xaaaaaaaa, 0xffffffff, 0xffffffff00000000)
	RR(clmulr, 0x12345678, 0x80000000, 0x123456789abcdef0)
	RR(clmulr, 0x12345678, 0x123456789abcdef0, 0x80000000)
	RR(clmulr, 0x1885fbd16d6ab25, 0xdeadbeefcafebabe, 0x123456789abcdef)
	/* The reduction step of a CRC: (x^63 + 1)^2 has no middle term */
	RR(clmulh, 0x4000000000000000, 0x8000000000000001, 0x8000000000000001)
	RR(clmul, 1, 0x8000000000000001, 0x8000000000000001)
	ILLEGAL(.word 0x0ac5953b)	/* no W form */
	PASS
