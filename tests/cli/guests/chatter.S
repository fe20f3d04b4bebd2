/* SPDX-License-Identifier: Apache-2.0 */
/* Prints without an end. */
#include "guest.h"

	BEGIN
1:	PRINT	"again and again\r\n"
	j	1b
