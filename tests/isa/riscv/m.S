/* SPDX-License-Identifier: Apache-2.0 */
/* M: multiplication and division (Unprivileged ISA 13) */
#include "test.h"

#define MAX64 0x7fffffffffffffff
#define MIN64 0x8000000000000000
#define MIN32 0xffffffff80000000

	.globl test_main
test_main:
	RR(mul, 0, 0, 0)
	RR(mul, 42, 6, 7)
	RR(mul, -42, 6, -7)
	RR(mul, 1, -1, -1)
	RR(mul, MIN64, MIN64, -1)
	RR(mul, 0, 0x100000000, 0x100000000)
	RR(mul, 0xfffffffe00000001, 0xffffffff, 0xffffffff)
	RR(mul, 0x2236d88fe5618cf0, 0x0123456789abcdef, 0xfedcba9876543210)
	RR(mulh, 0, 6, 7)
	RR(mulh, -1, 6, -7)
	RR(mulh, 0, -1, -1)
	RR(mulh, 0x4000000000000000, MIN64, MIN64)
	RR(mulh, 0, MIN64, -1)
	RR(mulh, 0xc000000000000000, MIN64, MAX64)
	RR(mulh, 0x3fffffffffffffff, MAX64, MAX64)
	RR(mulh, 1, 0x100000000, 0x100000000)
	RR(mulhu, 0, 6, 7)
	RR(mulhu, 5, 6, -7)
	RR(mulhu, -2, -1, -1)
	RR(mulhu, 0x4000000000000000, MIN64, MIN64)
	RR(mulhu, MAX64, MIN64, -1)
	RR(mulhu, 0x0121fa00ad77d742, 0x0123456789abcdef, 0xfedcba9876543210)
	RR(mulhsu, 0, 6, 7)
	RR(mulhsu, 5, 6, -7)		/* rs2 is unsigned */
	RR(mulhsu, -1, -7, 6)
	RR(mulhsu, -1, -1, -1)
	RR(mulhsu, MIN64, MIN64, -1)
	RR(mulhsu, 0xc000000000000000, MIN64, MIN64)
	RR(mulhsu, 0x7ffffffffffffffe, MAX64, -1)
	RR(mulw, 42, 6, 7)
	RR(mulw, MIN32, 0x40000000, 2)
	RR(mulw, 1, 0xffffffff, 0xffffffff)
	RR(mulw, 0, 0x10000, 0x10000)
	RR(mulw, 6, 0xdeadbeef00000002, 0xcafebabe00000003)
	RR(mulw, 0xffffffffe5618cf0, 0x89abcdef, 0x76543210)

	RR(div, 3, 20, 6)
	RR(div, -3, -20, 6)		/* towards zero */
	RR(div, -3, 20, -6)
	RR(div, 3, -20, -6)
	RR(div, -1, 1, 0)		/* by zero: all ones */
	RR(div, -1, -1, 0)
	RR(div, -1, 0, 0)
	RR(div, -1, MIN64, 0)
	RR(div, MIN64, MIN64, -1)	/* overflow: the dividend */
	RR(div, MIN64, MIN64, 1)
	RR(div, 0, MAX64, MIN64)
	RR(div, -1, MIN64, MAX64)
	RR(divu, 3, 20, 6)
	RR(divu, 0x2aaaaaaaaaaaaaa7, -20, 6)
	RR(divu, 0, 20, -6)
	RR(divu, -1, 1, 0)
	RR(divu, -1, 0, 0)
	RR(divu, 0, MIN64, -1)
	RR(divu, 1, MIN64, MIN64)
	RR(rem, 2, 20, 6)
	RR(rem, -2, -20, 6)		/* the sign of the dividend */
	RR(rem, 2, 20, -6)
	RR(rem, -2, -20, -6)
	RR(rem, 1, 1, 0)		/* by zero: the dividend */
	RR(rem, -1, -1, 0)
	RR(rem, MIN64, MIN64, 0)
	RR(rem, 0, MIN64, -1)		/* overflow: zero */
	RR(rem, 0, MIN64, 1)
	RR(rem, -1, MIN64, MAX64)
	RR(remu, 2, 20, 6)
	RR(remu, 2, -20, 6)
	RR(remu, 20, 20, -6)
	RR(remu, 1, 1, 0)
	RR(remu, -1, -1, 0)
	RR(remu, MIN64, MIN64, -1)

	RR(divw, 3, 20, 6)
	RR(divw, -3, -20, 6)
	RR(divw, -3, 0x1234567800000014, 0xabcdef12fffffffa)
	RR(divw, -1, 1, 0)
	RR(divw, -1, 0xffffffff80000000, 0x100000000)	/* the low half is zero */
	RR(divw, MIN32, 0x80000000, -1)
	RR(divw, MIN32, MIN32, 0xffffffff)
	RR(divuw, 3, 20, 6)
	RR(divuw, 0x2aaaaaa7, -20, 6)
	RR(divuw, -1, 1, 0)
	RR(divuw, -1, 0, 0x100000000)
	RR(divuw, MIN32, 0x80000000, 1)	/* sign-extended */
	RR(divuw, 0, 0x80000000, -1)
	RR(remw, 2, 20, 6)
	RR(remw, -2, -20, 6)
	RR(remw, 2, 20, -6)
	RR(remw, 1, 1, 0)
	RR(remw, MIN32, 0x80000000, 0)	/* the low half, sign-extended */
	RR(remw, 0x7fffffff, 0xff7fffffff, 0x5500000000)
	RR(remw, 0, 0x80000000, -1)
	RR(remuw, 2, 20, 6)
	RR(remuw, 2, -20, 6)
	RR(remuw, -1, 0xffffffff, 0)
	RR(remuw, MIN32, 0x80000000, -1)
	RR(remuw, 4, 0xffffffff00000014, 0x8)

	/* Both halves of a product, by the pair that may be fused */
	li a1, 0xfedcba9876543210
	li a2, 0x0fedcba987654321
	mulhu a3, a1, a2
	mul a4, a1, a2
	CHECK(a3, 0x0fdbac097c8dc5ac)
	CHECK(a4, 0xcdeec6cd7a44a410)
	/* and of a division whose quotient overwrites the dividend */
	li a1, 1000
	li a2, 7
	mv a3, a1
	div a1, a1, a2
	rem a3, a3, a2
	CHECK(a1, 142)
	CHECK(a3, 6)

	ILLEGAL(.word 0x02c5953b)	/* OP-32, funct7 1, funct3 1 */
	ILLEGAL(.word 0x02c5a53b)
	ILLEGAL(.word 0x02c5b53b)
	PASS
