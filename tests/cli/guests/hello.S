/* SPDX-License-Identifier: Apache-2.0 */
/* Says hello and powers off. */
#include "guest.h"

	BEGIN
	PRINT	"hello\r\n"
	FINISH	TEST_PASS
