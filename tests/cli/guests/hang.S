/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeps for ever. */
#include "guest.h"

	BEGIN
	PRINT	"ready\r\n"
0:	wfi
	j	0b
