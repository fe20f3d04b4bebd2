/* SPDX-License-Identifier: Apache-2.0 */
/* Says so and resets the machine, again and again. */
#include "guest.h"

	BEGIN
	PRINT	"r"
	FINISH	TEST_RESET
