/* SPDX-License-Identifier: Apache-2.0 */
/* For every byte it reads, prints the machine's time as 16 hexadecimal digits and a newline. */
#include "guest.h"

#define MTIME 0x0200bff8

	BEGIN
	li	s2, MTIME
	PRINT	"ready\n"
1:	lbu	t0, UART_LSR(s0)
	andi	t0, t0, 1
	beqz	t0, 1b
	lbu	t1, 0(s0)
	ld	t2, 0(s2)
	li	t3, 60
2:	srl	t4, t2, t3
	andi	t4, t4, 15
	addi	t5, t4, '0'
	li	t6, 10
	blt	t4, t6, 3f
	addi	t5, t5, 'a' - '0' - 10
3:	sb	t5, 0(s0)
	addi	t3, t3, -4
	bgez	t3, 2b
	li	t5, '\n'
	sb	t5, 0(s0)
	j	1b
