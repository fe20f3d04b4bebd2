/* SPDX-License-Identifier: Apache-2.0 */
/* Reports failure with code 7. */
#include "guest.h"

	BEGIN
	FINISH	TEST_FAIL | 7 << 16
