/* SPDX-License-Identifier: Apache-2.0 */
/* Reports failure with code 9 through the tohost symbol. */
#include "guest.h"

	BEGIN
	la	t0, tohost
	li	t1, 9 << 1 | 1
	sd	t1, 0(t0)
0:	j	0b

	.data
	.balign	8
	.globl	tohost
tohost:	.dword	0
	.globl	fromhost
fromhost:
	.dword	0
