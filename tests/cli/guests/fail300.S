/* SPDX-License-Identifier: Apache-2.0 */
/* Reports failure with code 300, more than an exit status holds. */
#include "guest.h"

	BEGIN
	FINISH	TEST_FAIL | 300 << 16
