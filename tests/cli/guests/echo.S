/* SPDX-License-Identifier: Apache-2.0 */
/* Gives back every byte it reads, and powers off after a 'q'. */
#include "guest.h"

	BEGIN
	PRINT	"ready\r\n"
	li	s2, 'q'
1:	lbu	t0, UART_LSR(s0)
	andi	t0, t0, 1
	beqz	t0, 1b
	lbu	t1, 0(s0)
	sb	t1, 0(s0)
	bne	t1, s2, 1b
	FINISH	TEST_PASS
